"""Captures in the artefact folder: begun, ended, listed, fetched."""

from __future__ import annotations

from emulator.control.answers import Capture, Captures
from emulator.control.artefacts import Artefacts
from emulator.control.bodies import CaptureBody, EmptyBody, NamedCapture
from emulator.control.operation import Plane
from emulator.control.refusal import RequestError


async def start_capture(plane: Plane, asked: CaptureBody) -> Capture:
    """POST /captures"""
    return _artefacts(plane).start(asked.name)


async def list_captures(plane: Plane, _asked: EmptyBody) -> Captures:
    """GET /captures"""
    artefacts = plane.artefacts
    return {
        "folder": None if artefacts is None else str(artefacts.folder),
        "captures": [] if artefacts is None else artefacts.captures(),
    }


async def end_capture(plane: Plane, asked: NamedCapture) -> Capture:
    """DELETE /captures/NAME"""
    return _artefacts(plane).end(asked.name)


async def fetch_capture(plane: Plane, asked: NamedCapture) -> bytes:
    """GET /captures/NAME"""
    return _artefacts(plane).content(asked.name)


def _artefacts(plane: Plane) -> Artefacts:
    if plane.artefacts is None:
        raise RequestError(409, "this pump has no artefact folder; start it with 'vpump serve --artefacts DIR'")
    return plane.artefacts
