"""The programmer's side of a stream: the events that came, in their order, and how many of them did not.

Rules of this file:

- An event that came is handed out with the number of those that are missing before it: lost on the line, dropped by
  the pump, or dropped here, where nobody took them.
- The numbers of a session begin at 1 and go on over every SUBSCRIBE. An answer to one whose number lies behind us says
  that the pump has begun anew, as it does in INSECURE mode; unless an event came before it, for then it is a late copy.
- In the clear a copy can come again; one of the last events that is not awaited is a copy, and dropped.
- A gap loses no fact: the flags stay set, and the log has it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from protocol.messages.stream import StreamEvent

# Events that wait until somebody takes them; then the oldest is dropped, and counted as missing.
TOLD_HELD_MAX: Final = 64
_FIRST: Final = 1
_MODULUS: Final = 0x10000
_COPIES_OF: Final = 64


@dataclass(frozen=True, slots=True)
class Told:
    """An event from the pump, and how many events before it are missing."""

    event: StreamEvent
    missed: int


class HostStream:
    """The events of one session."""

    def __init__(self, next_sequence: int = _FIRST) -> None:
        self._told: deque[Told] = deque()
        self._next = next_sequence
        self._came = False
        self._asked = False

    def subscribing(self) -> None:
        """SUBSCRIBE is asked for."""
        self._came, self._asked = False, True

    def subscribed(self, next_sequence: int) -> None:
        """SUBSCRIBE is granted."""
        self._asked = False
        ahead = (next_sequence - self._next) % _MODULUS
        if not self._came and ahead >= _MODULUS // 2:
            self._next = next_sequence

    def take(self, event: StreamEvent) -> bool:
        """An event came; says whether it was no copy of an earlier one."""
        missed = (event.stream_sequence - self._next) % _MODULUS
        if missed >= _MODULUS - _COPIES_OF and not self._asked:
            return False
        if len(self._told) == TOLD_HELD_MAX:
            oldest = self._told.popleft()
            self._told[0] = Told(self._told[0].event, self._told[0].missed + oldest.missed + 1)
        self._told.append(Told(event, missed))
        self._next = (event.stream_sequence + 1) % _MODULUS
        self._came = True
        return True

    def next_told(self) -> Told | None:
        """The oldest event that nobody has taken."""
        return self._told.popleft() if self._told else None
