"""Events as lines: for people and as JSON, and a writer of lines that never waits for its reader."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO, assert_never

from emulator.events import (
    BytesRejected,
    EnvironmentChanged,
    Event,
    FaultArmed,
    FaultChanged,
    FaultFired,
    FaultsCleared,
    FrameInjected,
    FrameSeen,
    KeysReplaced,
    LineChanged,
    Logged,
    PowerChanged,
    PumpSwapped,
    SessionChanged,
    StateRestored,
    SyringeUsed,
    ToneSounded,
)
from emulator.quantities import format_duration_us

# Lines that wait for a reader.
QUEUE_LINES = 10_000
# Bytes shown of rejected ones; a frame is shown whole.
RAW_LIMIT = 64

_DIM, _CYAN, _GREEN, _RED, _YELLOW, _RESET = "\x1b[2m", "\x1b[36m", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"


_ARROWS = {"request": ("->", _CYAN), "answer": ("<-", _GREEN), "event": ("<~", _GREEN)}


def format_time(at_us: int) -> str:
    """Virtual time for people: `12d 03:04:05.678`, cut to the millisecond."""
    seconds, us = divmod(at_us, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day}d {hour:02}:{minute:02}:{second:02}.{us // 1000:03}"


def trace_line(event: Event, *, colour: bool = False) -> str:
    """The event as one line for people: `->` goes to the pump, `<-` comes from it, `<~` of its own accord."""
    text, shade = _describe(event)
    time = format_time(event.at_us)
    if not colour:
        return f"{time}  {text}"
    return f"{_DIM}{time}{_RESET}  {shade}{text}{_RESET if shade else ''}"


def event_words(event: Event) -> str:
    """The event as words alone, without its time."""
    return _describe(event)[0]


def wants_colour(stream: TextIO) -> bool:
    """Whether lines for this stream should have colours: on a terminal, unless `NO_COLOR` is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _describe(event: Event) -> tuple[str, str]:
    match event:
        case FrameSeen():
            arrow, shade = _ARROWS[event.direction]
            return _join(f"port {event.port}", arrow, event.name, str(event.summary), _raw(event.raw)), shade
        case BytesRejected():
            return _join(f"port {event.port}", "->", f"rejected: {event.reason}", _raw(event.raw, RAW_LIMIT)), _RED
        case LineChanged():
            return f"port {event.port}  line {event.change}", _DIM
        case SessionChanged():
            whose = f"{event.session_id:04X} {event.role} host {event.host_id:08X}" if event.session_id else event.role
            reason = f"({event.reason})" if event.reason else ""
            return _join(f"port {event.port}", f"session {event.change}", whose, reason), _DIM
        case FaultFired():
            return _join(f"port {event.port}", f"fault fired: {event.fault}", _raw(event.raw)), _YELLOW
        case FrameInjected():
            arrow = "->" if event.direction == "request" else "<-"
            said = f"{format_duration_us(event.late_us)} late" if event.late_us else "instead"
            return _join(f"port {event.port}", arrow, f"{said}, by fault: {event.fault}", _raw(event.raw)), _YELLOW
        case FaultArmed():
            return f"fault armed: {event.fault}", _YELLOW
        case FaultsCleared():
            return "faults cleared", _YELLOW
        case PowerChanged():
            return f"power {event.change}{f' at write {event.write}' if event.write else ''}", _YELLOW
        case FaultChanged():
            return f"fault {event.change}: {event.fault}", _YELLOW
        case ToneSounded():
            return f"{event.tone} tone: {event.alarm}", _YELLOW
        case SyringeUsed():
            return f"syringe: {event.withdrawn_nl} nl out, {event.injected_nl} nl in", _YELLOW
        case KeysReplaced():
            return f"keys replaced: {event.roles or 'the published test keys'}", _YELLOW
        case EnvironmentChanged():
            degrees = f"{event.temperature_cc / 100:.2f} °C"
            return f"environment: {degrees}, magnetic field {event.magnetic_field}", _YELLOW
        case PumpSwapped():
            return f"pump {event.former} gone, pump {event.serial_number} is there", _YELLOW
        case StateRestored():
            return f"state restored of pump {event.serial_number}, from {format_time(event.left_at_us)}", _YELLOW
        case Logged():
            operation = f"op {event.op_id}" if event.op_id else ""
            detail = " ".join(f"{name}={value}" for name, value in event.detail.items())
            return _join(f"log #{event.sequence}", event.type, operation, detail), ""
    assert_never(event)


def _join(*parts: str) -> str:
    return "  ".join(part for part in parts if part)


def _raw(raw: bytes, limit: int | None = None) -> str:
    if not raw:
        return ""
    if limit is None or len(raw) <= limit:
        return f"[{raw.hex()}]"
    return f"[{raw[:limit].hex()}… {len(raw)} bytes]"


class LineWriter:
    """Writes lines to a stream from a thread of its own, so that a reader who does not read holds nobody up.

    When the queue is full, lines are dropped; once there is room again, `dropped_line` tells in one line how many.
    A reader who is gone ends the writing, and nothing else. The stream's own buffer is not used: a thread that waits
    for a reader would hold the buffer's lock when the process ends.
    """

    def __init__(
        self,
        stream: TextIO,
        limit: int = QUEUE_LINES,
        dropped_line: Callable[[int], str] = lambda count: f"({count} lines dropped: nobody read them)",
    ) -> None:
        stream.flush()
        self._fd = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._limit = limit
        self._dropped_line = dropped_line
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._closing = False
        self._broken = False
        self._changed = threading.Condition()
        # A daemon: a reader who never reads must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="line-writer", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue a line (without its end). Never waits."""
        with self._changed:
            if self._broken or self._closing:
                return
            # As long as dropped lines are not told of, later ones are dropped as well: the gap has one place.
            if self._dropped or len(self._lines) >= self._limit:
                self._dropped += 1
                return
            self._lines.append(line)
            self._changed.notify_all()

    def close(self, deadline_s: float = 1.0) -> bool:
        """Write what is queued, for so long at most; says whether all of it was written."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(deadline_s)
        return not self._thread.is_alive() and not self._broken

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._write_all("".join(f"{line}\n" for line in batch).encode(self._encoding, "backslashreplace"))
            except OSError:
                with self._changed:
                    self._broken = True
                    self._lines.clear()
                return

    def _next_batch(self) -> list[str]:
        """Wait for lines; none means that the end has come."""
        with self._changed:
            while not self._lines and not self._dropped and not self._closing:
                self._changed.wait()
            batch = list(self._lines)
            self._lines.clear()
            if self._dropped:
                batch.append(self._dropped_line(self._dropped))
                self._dropped = 0
            return batch

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                # Whoever gave us the stream shares it with somebody who made it non-blocking.
                select.select([], [self._fd], [])
