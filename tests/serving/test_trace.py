"""Events as lines, and the writer that waits for nobody."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from types import MappingProxyType
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.events import (
    BytesRejected,
    Event,
    FaultArmed,
    FaultFired,
    FaultsCleared,
    FrameInjected,
    FrameSeen,
    LineChanged,
    Logged,
    PowerChanged,
    SessionChanged,
)
from emulator.trace import LineWriter, format_time, trace_line, wants_colour

AT_US = 93_784_005_678
TIME = "1d 02:03:04.005"

EXAMPLES: list[tuple[Event, str]] = [
    (
        FrameSeen(
            number=1, at_us=AT_US, port=0, direction="request", name="HELLO", effect="link", summary="v=1", raw=b"\1\2"
        ),
        "port 0  ->  HELLO  v=1  [0102]",
    ),
    (
        FrameSeen(
            number=1, at_us=AT_US, port=1, direction="answer", name="HELLO", effect="link", summary="", raw=b"\3"
        ),
        "port 1  <-  HELLO  [03]",
    ),
    (
        FrameSeen(number=1, at_us=AT_US, port=1, direction="event", name="EVENT", effect="read", summary="", raw=b"\3"),
        "port 1  <~  EVENT  [03]",
    ),
    (
        BytesRejected(number=1, at_us=AT_US, port=0, reason="CRC is wrong", raw=b"\xff"),
        "port 0  ->  rejected: CRC is wrong  [ff]",
    ),
    (
        FrameInjected(
            number=1, at_us=AT_US, port=0, direction="request", fault="corrupt request HELLO", raw=b"\1", struck=b"\2"
        ),
        "port 0  ->  instead, by fault: corrupt request HELLO  [01]",
    ),
    (
        FrameInjected(number=1, at_us=AT_US, port=0, direction="answer", fault="f", raw=b"\1", struck=b"\2"),
        "port 0  <-  instead, by fault: f  [01]",
    ),
    (LineChanged(number=1, at_us=AT_US, port=0, change="opened"), "port 0  line opened"),
    (
        SessionChanged(
            number=1, at_us=AT_US, port=0, change="opened", reason="", session_id=7, role="clinician", host_id=0xC11
        ),
        "port 0  session opened  0007 clinician host 00000C11",
    ),
    (
        SessionChanged(
            number=1, at_us=AT_US, port=0, change="ended", reason="silence", session_id=7, role="reader", host_id=1
        ),
        "port 0  session ended  0007 reader host 00000001  (silence)",
    ),
    (SessionChanged(number=1, at_us=AT_US, port=0, change="ended", reason="line"), "port 0  session ended  (line)"),
    (
        FaultFired(number=1, at_us=AT_US, port=0, fault="drop answer X", raw=b"\4"),
        "port 0  fault fired: drop answer X  [04]",
    ),
    (FaultArmed(number=1, at_us=AT_US, fault="drop answer X"), "fault armed: drop answer X"),
    (FaultsCleared(number=1, at_us=AT_US), "faults cleared"),
    (PowerChanged(number=1, at_us=AT_US, change="cut", write="log.record"), "power cut at write log.record"),
    (PowerChanged(number=1, at_us=AT_US, change="restored", write=""), "power restored"),
    (
        Logged(
            number=1, at_us=AT_US, sequence=7, type="bolus_started", op_id=3, detail=MappingProxyType({"volume_nl": 50})
        ),
        "log #7  bolus_started  op 3  volume_nl=50",
    ),
]


@pytest.mark.parametrize(("event", "text"), EXAMPLES)
def test_every_kind_of_event_is_one_line(event: Event, text: str) -> None:
    assert trace_line(event) == f"{TIME}  {text}"
    coloured = trace_line(event, colour=True)
    assert text in coloured
    assert "\n" not in coloured
    assert coloured.count("\x1b[0m") * 2 == coloured.count("\x1b[")


def test_long_rubbish_is_shortened() -> None:
    event = BytesRejected(number=1, at_us=0, port=0, reason="too long", raw=bytes(1000))
    assert trace_line(event).endswith(f"[{'00' * 64}… 1000 bytes]")


@given(st.integers(0, 10**17))
def test_times_are_in_order_and_exact_to_the_millisecond(at_us: int) -> None:
    day, clock = format_time(at_us).split("d ")
    hour, minute, second = clock.split(":")
    whole, milli = second.split(".")
    seconds = ((int(day) * 24 + int(hour)) * 60 + int(minute)) * 60 + int(whole)
    assert seconds * 1000 + int(milli) == at_us // 1000


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w", encoding="utf-8")
    try:
        yield reader, stream
    finally:
        stream.close()
        os.close(reader)


def read_lines(reader: int, last: str) -> list[str]:
    text = b""
    while not text.endswith(f"{last}\n".encode()):
        text += os.read(reader, 65536)
    return text.decode().splitlines()


def test_lines_come_out_in_order_and_closing_waits_for_them(pipe: tuple[int, TextIO]) -> None:
    reader, stream = pipe
    stream.write("before\n")
    writer = LineWriter(stream)
    lines = [f"line {number} …" for number in range(500)]
    for line in lines:
        writer.write(line)
    assert writer.close()
    writer.write("too late")
    assert read_lines(reader, lines[-1]) == ["before", *lines]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_reader_that_does_not_read_costs_lines_and_is_told_how_many(pipe: tuple[int, TextIO], blocking: bool) -> None:
    reader, stream = pipe
    os.set_blocking(stream.fileno(), blocking)
    writer = LineWriter(stream, limit=10)
    # More than a pipe holds, so that the thread waits from here on.
    writer.write("0000" + "x" * 1_000_000)
    for number in range(1, 2000):
        writer.write(f"{number:04}")
    assert not writer.close(deadline_s=0.01)
    text = b""
    kept: list[str] = []
    dropped = 0
    while len(kept) + dropped < 2000:
        text += os.read(reader, 65536)
        lines = text.decode().split("\n")[:-1]
        kept = [line[:4] for line in lines if not line.startswith("(")]
        dropped = sum(int(line[1:].split()[0]) for line in lines if line.startswith("("))
    # What the thread took along with the long line, and what was queued then.
    assert dropped >= 2000 - 10 - 10
    assert kept == sorted(kept)
    assert writer.close(deadline_s=10)
    assert len(kept) + dropped == 2000


def test_a_reader_that_is_gone_ends_the_writing_only() -> None:
    reader, fd = os.pipe()
    os.close(reader)
    with os.fdopen(fd, "w", encoding="utf-8") as stream:
        writer = LineWriter(stream)
        writer.write("to nobody")
        assert not writer.close(deadline_s=10)
        writer.write("still to nobody")
