"""A sample programmer as a process of its own, at a real port: what shows that both drivers come to the same."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import serial

from emulator.programmer.link import LinkError, open_line, read_some, write_all
from emulator.scenario.clock import ClockAnswer, ClockRequest, decode_answer, encode_line
from emulator.scenario.samples.hands import carry_out_task
from emulator.scenario.samples.sample import Report, Sample, Shelf
from emulator.scenario.tasks import Task

SHELF = "shelf.json"


class NoClock(Exception):
    """The lockstep clock does not answer; one sentence."""


class ShelfFile:
    """A shelf on the disk: it is written whenever it has changed, before anything else is done."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SHELF
        self._written = b""
        try:
            self._written = self._path.read_bytes()
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        self.shelf = Shelf.decode(self._written) if self._written else Shelf()

    def keep(self) -> None:
        """Write it, if it has changed."""
        data = self.shelf.encode()
        if data != self._written:
            beside = self._path.with_suffix(".new")
            beside.write_bytes(data)
            os.replace(beside, self._path)  # noqa: PTH105 - the two names are strings of one directory
            self._written = data


class ClockedLine:
    """A serial line, with the lockstep clock for its time. When it breaks, it is silent from then on."""

    def __init__(self, url: str, clock: str, shelf: ShelfFile) -> None:
        self._url, self._shelf = url, shelf
        self._sent = self._got = 0
        self._now_us = 0
        self._line: serial.Serial | None = None
        self._clock = socket.socket(socket.AF_UNIX)
        try:
            self._clock.connect(clock)
        except OSError as error:
            raise NoClock(f"there is no lockstep clock at {clock}: {error.strerror}.") from None
        self._answers = self._clock.makefile("rb")

    @property
    def now_us(self) -> int:
        """The virtual time when the clock last answered."""
        return self._now_us

    def open(self) -> None:
        """Open the line; raises LinkError. One that is broken, as the clock knows, is silent."""
        refused = None
        try:
            self._line = open_line(self._url)
        except LinkError as error:
            refused = error
        if not self._ask(0).gone and refused is not None:
            raise refused

    def close(self) -> None:
        """Leave it."""
        self._shelf.keep()
        self._leave()
        self._answers.close()
        self._clock.close()

    def send(self, data: bytes) -> None:
        """Send to the pump; raises LinkBroke."""
        self._shelf.keep()
        if self._line is not None:
            write_all(self._line, data, self._url)
            self._sent += len(data)

    def receive(self, until_us: int) -> bytes:
        """What has come, or nothing when time has passed until then."""
        self._shelf.keep()
        coming = self._ask(until_us).coming
        data = b""
        while self._line is not None and self._got + len(data) < coming:
            data += read_some(self._line, self._url)
        self._got += len(data)
        return data

    def rest(self, duration_us: int) -> None:
        """Let time pass."""
        self._shelf.keep()
        self._ask(self._now_us + duration_us, rest=True)

    def _ask(self, until_us: int, *, rest: bool = False) -> ClockAnswer:
        has_line = self._line is not None
        self._clock.sendall(encode_line(ClockRequest(self._sent, self._got, until_us, rest, has_line)))
        line = self._answers.readline()
        if not line:
            raise NoClock("the lockstep clock has gone.")
        answer = decode_answer(line)
        self._now_us = answer.now_us
        if answer.gone:
            self._leave()
        return answer

    def _leave(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def run_sample_process(
    sample: Sample, task: Task, url: str, clock: str, state: Path, role: str, programs: Path
) -> Report:
    """Carry a task out at a port; programs that it names are files in `programs`. Raises NoClock and LinkError."""
    shelf = ShelfFile(state)
    return carry_out_task(
        sample, task, ClockedLine(url, clock, shelf), shelf.shelf, role, lambda name: (programs / name).read_bytes()
    )


def report_text(report: Report) -> str:
    """A report as a line of JSON."""
    return json.dumps(report)
