"""What is under way on a device's lines: pieces that faults have held up, and what waits behind them, by virtual time.

Each line has a lane to the pump and one from it. A lane keeps its order: what comes behind a piece that is late is late
as well. Only a loose piece is overtaken. Of pieces that are due at one instant, the one that was handed over first
goes first. On an idle carrier nothing waits, so nothing that is sent changes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from emulator.wire import WireFrame

MOST_UNDER_WAY: Final = 4_096
"""Pieces on all lanes together. What is beyond is lost, as on a line that nobody reads."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One way of one line."""

    port: int
    to_pump: bool


@dataclass(frozen=True, slots=True)
class Cargo:
    """Bytes under way.

    frame    the frame that was sent
    fault    the fault, or the faults, whose doing it is
    raw      what arrives of it, or in its place
    sent_us  when it was sent
    place    which frame it was, in the order in which all were sent
    as_sent  whether this is the frame itself: no piece of it, no copy, and nothing in its place
    """

    lane: Lane
    frame: WireFrame
    fault: str
    raw: bytes
    sent_us: int
    place: int
    as_sent: bool = True


@dataclass(frozen=True, slots=True)
class PowerBack:
    """The power comes back that a fault has taken."""


@dataclass(frozen=True, slots=True)
class PowerGoes:
    """A fault takes the power. `off_us` 0: until the tester gives it back."""

    off_us: int


@dataclass(frozen=True, slots=True)
class LineBreaks:
    """A fault breaks a line, for so long."""

    port: int
    lasting_us: int


@dataclass(frozen=True, slots=True)
class LineMends:
    """A line that a fault has broken can be opened again."""

    port: int


@dataclass(frozen=True, slots=True)
class SessionGoes:
    """The pump forgets the session of a line."""

    port: int


Load = Cargo | PowerBack | PowerGoes | LineBreaks | LineMends | SessionGoes


@dataclass(order=True, slots=True)
class _Waiting:
    due_us: int
    number: int
    load: Load = field(compare=False)
    loose: bool = field(compare=False, default=False)

    def keeps_its_place(self, lane: Lane) -> bool:
        """Whether what comes behind on that lane must wait for it."""
        return not self.loose and isinstance(self.load, Cargo) and self.load.lane == lane

    def is_overtaken(self, lane: Lane, place: int) -> bool:
        """Whether it waits on that lane for the frame at that place, or for an earlier one."""
        load = self.load
        return self.loose and isinstance(load, Cargo) and load.lane == lane and load.place < place


class Carrier:
    """Everything that is under way. All times are virtual microseconds."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._numbers = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._waiting

    def next_deadline(self) -> int | None:
        """When the next of it arrives; None when nothing is under way."""
        return self._waiting[0].due_us if self._waiting else None

    def ahead(self, lane: Lane) -> Cargo | None:
        """The last piece on a lane, for which what comes next must wait; None if it need not."""
        last = max((each for each in self._waiting if each.keeps_its_place(lane)), default=None)
        return last.load if last is not None and isinstance(last.load, Cargo) else None

    def put(self, cargo: Cargo, due_us: int, *, loose: bool = False) -> None:
        """Let bytes arrive at an instant, or with what is ahead of them on their lane if that is later."""
        if len(self._waiting) < MOST_UNDER_WAY:
            ahead = (each.due_us for each in self._waiting if each.keeps_its_place(cargo.lane))
            self._add(max((due_us, *ahead)), cargo, loose=loose)

    def schedule(self, load: PowerGoes | PowerBack | LineBreaks | LineMends | SessionGoes, due_us: int) -> None:
        """Let the power go or come back, a line break or mend, or a session go, at an instant."""
        self._add(due_us, load)

    def overtake(self, lane: Lane, place: int, now: int) -> None:
        """A frame has passed on a lane: what was loose there and was sent before it follows now, in its order."""
        followers = sorted(each for each in self._waiting if each.is_overtaken(lane, place))
        if followers:
            self._keep(lambda waiting: waiting not in followers)
            for each in followers:
                self._add(now, each.load)

    def take(self, now: int) -> Load | None:
        """The next that has arrived by now."""
        if not self._waiting or self._waiting[0].due_us > now:
            return None
        return heapq.heappop(self._waiting).load

    def forget_line(self, port: int) -> None:
        """A line is a new one: what is under way on it never arrives."""
        self._keep(lambda waiting: not (isinstance(waiting.load, Cargo) and waiting.load.lane.port == port))

    def forget_power(self) -> None:
        """The tester has taken the power into his own hand."""
        self._keep(lambda waiting: not isinstance(waiting.load, PowerGoes | PowerBack))

    def forget_mending(self, port: int) -> None:
        """The tester has mended a line with his own hand."""
        self._keep(lambda waiting: waiting.load != LineMends(port))

    def _keep(self, wanted: Callable[[_Waiting], bool]) -> None:
        self._waiting = [each for each in self._waiting if wanted(each)]
        heapq.heapify(self._waiting)

    def _add(self, due_us: int, load: Load, *, loose: bool = False) -> None:
        self._numbers += 1
        heapq.heappush(self._waiting, _Waiting(due_us, self._numbers, load, loose))
