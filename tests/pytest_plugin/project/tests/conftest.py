"""The lines of the programmer, by two libraries; and what was imported before any test ran."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import serial
import serialx

DEADLINE_S = 30
IMPORTED_AT_FIRST = frozenset(sys.modules)
LIBRARIES = {
    "pyserial": lambda url: serial.serial_for_url(url, timeout=DEADLINE_S),
    "serialx": lambda url: serialx.serial_for_url(url, baudrate=115200, read_timeout=DEADLINE_S),
}


class Line:
    """A line that asks, and reads up to the end of an answer."""

    def __init__(self, port) -> None:
        self._port = port

    def ask(self, request: bytes) -> bytes:
        self._port.write(request)
        answer = b""
        while len(answer) < 2 or not answer.endswith(b"\0"):
            read = self._port.read(1)
            assert read, f"no whole answer came: {answer.hex(' ')}"
            answer += read
        return answer


@pytest.fixture
def imported_at_first() -> frozenset[str]:
    return IMPORTED_AT_FIRST


@pytest.fixture(params=LIBRARIES)
def line_to(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Line]]:
    """Opens a line to a pump's port."""
    with ExitStack() as opened:
        yield lambda url: Line(opened.enter_context(LIBRARIES[request.param](url)))
