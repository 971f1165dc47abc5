"""What a device has told and nobody has taken yet: its events, numbered in the order in which they happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from emulator.events import Event
from firmware_model.pump import Pump


class EventQueue:
    """Events, oldest first; each happens when the pump's time has come to it."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._events: deque[Event] = deque()
        self._made = 0

    def emit(self, kind: Callable[..., Event], at_us: int | None = None, **fields: object) -> None:
        """Add an event of a kind: `at_us` None is now."""
        self._made += 1
        self._events.append(kind(number=self._made, at_us=self._pump.now_us if at_us is None else at_us, **fields))

    def follow(self, pump: Pump) -> None:
        """It is another pump's time from now on; the numbers go on."""
        self._pump = pump

    def take(self) -> Event | None:
        """The oldest."""
        return self._events.popleft() if self._events else None
