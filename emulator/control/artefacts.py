"""The artefact folder of a run: captures that a tester begins and ends, and nothing else of the file system.

A name is a plain file name, and that of no file that is there: what lies in the folder is evidence, and stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emulator.capture.observer import CaptureObserver
from emulator.capture.recorder import CaptureHeader
from emulator.capture.sink import open_sink
from emulator.capture.targets import CaptureFailed
from emulator.control.answers import Capture
from emulator.control.contract import Serving
from emulator.control.refusal import RequestError

MOST_CAPTURES: Final = 64
"""Captures of one run."""
MOST_FETCHED_BYTES: Final = 64 << 20
"""The largest capture that is handed out; a larger one is taken from the folder."""

CallSoon = Callable[[Callable[[], None]], object]


@dataclass(frozen=True, slots=True)
class ArtefactSetting:
    """Where artefacts go, and what a capture begins with.

    header     made of the serial number of the pump that is there
    call_soon  has something done when all that an input brings about has been told
    tell       takes a sentence for whoever runs the pump, from any thread; neither waits nor fails
    """

    folder: Path
    header: Callable[[int], CaptureHeader]
    call_soon: CallSoon
    tell: Callable[[str], None]


@dataclass(slots=True)
class _Running:
    observer: CaptureObserver
    forget: Callable[[], None]

    def end(self) -> None:
        self.forget()
        self.observer.close()


class Artefacts:
    """The captures of one run, in the order in which they began. Every refusal is a RequestError."""

    def __init__(self, setting: ArtefactSetting, serving: Serving) -> None:
        self.folder = setting.folder
        self._setting = setting
        self._serving = serving
        self._captures: dict[str, _Running | None] = {}

    def captures(self) -> list[Capture]:
        """Those that run, and those that have ended."""
        return [self._told(name) for name in self._captures]

    def start(self, name: str) -> Capture:
        """Begin to write what passes on the lines."""
        path = self.folder / name
        if len(self._captures) >= MOST_CAPTURES:
            raise RequestError(409, f"this run has {MOST_CAPTURES} captures already, and more are not allowed")
        if os.path.lexists(path):
            raise RequestError(409, f"{name} is in the artefact folder already; choose another name", field="name")
        header = self._setting.header(self._serving.serial_number)
        try:
            sink = open_sink(path, header.blocks(), self._setting.tell)
        except CaptureFailed as failed:
            raise RequestError(409, str(failed), field="name") from None
        observer = CaptureObserver(sink, self._setting.call_soon)
        self._captures[name] = _Running(observer, self._serving.observe(observer))
        return self._told(name)

    def end(self, name: str) -> Capture:
        """End a capture; its file stays. Without effect on one that has ended."""
        running = self._known(name)
        self._captures[name] = None
        if running is not None:
            running.end()
        return self._told(name)

    def content(self, name: str) -> bytes:
        """What a capture has so far."""
        self._known(name)
        try:
            # Whoever has put a link in its place is not followed.
            descriptor = os.open(self.folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                content = file.read(MOST_FETCHED_BYTES + 1)
        except OSError as error:
            raise RequestError(409, f"{name} cannot be read: {error.strerror}", field="name") from None
        if len(content) > MOST_FETCHED_BYTES:
            raise RequestError(409, f"{name} has more than {MOST_FETCHED_BYTES} bytes; take it from {self.folder}")
        return content

    def close(self) -> None:
        """The run is over: end what runs."""
        for name in self._captures:
            self.end(name)

    def _known(self, name: str) -> _Running | None:
        if name not in self._captures:
            known = ", ".join(self._captures) or "none"
            raise RequestError(404, f"there is no capture {name}; there are: {known}", field="name", allowed=known)
        return self._captures[name]

    def _told(self, name: str) -> Capture:
        try:
            size = os.lstat(self.folder / name).st_size
        except OSError:
            size = 0
        return {"name": name, "bytes": size, "running": self._captures[name] is not None}
