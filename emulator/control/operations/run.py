"""The run as a whole: what answers here, what has happened, and the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

from emulator import VERSION
from emulator.control.answers import Described, Description, Now
from emulator.control.bodies import EmptyBody, EventsBody
from emulator.control.openapi import openapi
from emulator.control.operation import Plane


async def describe(plane: Plane, _asked: EmptyBody) -> Described:
    """GET /"""
    routes = [operation.route() for operation in plane.operations]
    return {
        "name": "vpump",
        "version": VERSION,
        "now_us": plane.serving.now_us(),
        "serial_number": f"{plane.serving.serial_number:08X}",
        "journal": plane.files.journal,
        "capture": plane.files.capture,
        "artefacts": plane.files.artefacts,
        "routes": routes,
    }


async def describe_for_tools(plane: Plane, _asked: EmptyBody) -> Description:
    """GET /openapi.json"""
    return openapi(plane.operations)


async def tell_events(plane: Plane, asked: EventsBody) -> bytes | AsyncIterator[bytes]:
    """GET /events"""
    return plane.stream.follow(asked.since) if asked.follow else plane.stream.lines(asked.since)


async def shut_down(plane: Plane, _asked: EmptyBody) -> Now:
    """POST /shutdown"""
    return {"now_us": plane.serving.now_us()}
