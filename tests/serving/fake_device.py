"""A device that is simple enough to be foreseen: it echoes, and it logs an event at each time on a list."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from emulator.events import Event, FaultsCleared, LineChanged, Logged
from emulator.inputs import Action, LineChange
from emulator.lines import LineBreak
from emulator.wire import FaultNames, operation_names
from firmware_model.plant.condition import Environment


class FakeDevice:
    """Answers `TEXT;` with `<TEXT>`. `open;` and `end;` begin and end a session, `boom;` is a defect."""

    def __init__(self, deadlines: Sequence[int] = (), period_us: int = 0) -> None:
        self.deadlines = deque(sorted(deadlines))
        self.period_us = period_us
        self.now = 0
        self.calls: list[tuple[str, int]] = []
        self.most_events_queued = 0
        self.session_open = False
        self.fault_names = FaultNames(operation_names(["HELLO"]))
        self.line_breaks: deque[LineBreak] = deque()
        self._next_beat = period_us
        self._events: deque[Event] = deque()
        self._number = 0
        self._out: dict[int, bytearray] = {}
        self._partial: dict[int, bytes] = {}

    def receive(self, data: bytes, now: int, port: int = 0) -> None:
        self._pass("receive", now)
        *whole, self._partial[port] = (self._partial.get(port, b"") + data).split(b";")
        for text in whole:
            if text == b"boom":
                raise KeyError("a defect")
            if text in (b"open", b"end"):
                self.session_open = text == b"open"
            self._out.setdefault(port, bytearray()).extend(b"<" + text + b">")

    def line(self, change: LineChange, now: int, port: int = 0) -> None:
        self._pass(f"line {change.value}", now)
        self._partial[port] = b""
        self._out.pop(port, None)
        if change is not LineChange.OPENED:
            self.session_open = False
        self._log(LineChanged(number=self._count(), at_us=now, port=port, change=change.value))

    def control(self, action: Action, now: int) -> None:
        self._pass(f"control {type(action).__name__}", now)
        if type(action).__name__ == "RestorePower":
            raise ValueError("it has power")
        self._log(FaultsCleared(number=self._count(), at_us=now))

    def advance(self, now: int) -> None:
        self._pass("advance", now)

    def data_to_send(self, now: int, limit: int = 65536, port: int = 0) -> bytes:
        assert now >= self.now
        out = self._out.get(port, bytearray())
        data = bytes(out[:limit])
        del out[:limit]
        return data

    def next_deadline(self) -> int | None:
        beats = [self._next_beat] if self.period_us else []
        return min([*beats, *list(self.deadlines)[:1]], default=None)

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def next_line_break(self) -> LineBreak | None:
        return self.line_breaks.popleft() if self.line_breaks else None

    def armed_faults(self) -> Sequence[str]:
        return ()

    @property
    def now_us(self) -> int:
        return self.now

    serial_number = 7
    environment = Environment()

    def save_state(self) -> bytes:
        return b""

    def truth(self) -> dict[str, object]:
        return {"now": self.now}

    def _pass(self, call: str, now: int) -> None:
        assert now >= self.now, f"{call} goes back from {self.now} to {now}"
        self.calls.append((call, now))
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            if self.deadlines and self.deadlines[0] == deadline:
                self.deadlines.popleft()
                kind = "deadline"
            else:
                self._next_beat += self.period_us
                kind = "beat"
            self._log(Logged(number=self._count(), at_us=deadline, sequence=self._number, type=kind, op_id=0))
        self.now = now

    def _log(self, event: Event) -> None:
        self._events.append(event)
        self.most_events_queued = max(self.most_events_queued, len(self._events))

    def _count(self) -> int:
        self._number += 1
        return self._number
