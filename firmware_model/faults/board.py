"""The faults of one pump that are armed: when each begins, ends and comes again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from firmware_model.agenda import NEVER

MOST_ARMED = 64
"""Device faults that may be armed at once."""


class TooManyDeviceFaults(ValueError):
    """More device faults than may be armed at once."""


class DeviceFault(NamedTuple):
    """A fault of the registry with its values: made by `device_fault`.

    after_us  how long after it was armed it begins
    for_us    how long it lasts; 0: until it is cleared
    every_us  how long after one beginning the next one comes
    times     how often it begins
    """

    verb: str
    values: tuple[tuple[str, int], ...] = ()
    after_us: int = 0
    for_us: int = 0
    every_us: int = 0
    times: int = 1


@dataclass(slots=True)
class ArmedFault:
    """A fault on the board. `number` is its own for the life of the pump; `change_us` is its next beginning or end."""

    number: int
    fault: DeviceFault
    begins_us: int
    change_us: int
    left: int
    active: bool = False

    def turn(self) -> None:
        """Begin or end; afterwards the next change is known. A fault that has none left stays as it is."""
        fault = self.fault
        if self.active:
            self.active = False
            self.change_us = self.begins_us if self.left else NEVER
            return
        self.active = True
        self.left -= 1
        began_us, self.begins_us = self.begins_us, self.begins_us + fault.every_us
        self.change_us = began_us + fault.for_us if fault.for_us else NEVER

    @property
    def spent(self) -> bool:
        """Whether nothing of it is left."""
        return not self.active and not self.left


@dataclass(slots=True)
class FaultBoard:
    """All armed faults, in the order in which they were armed."""

    armed: list[ArmedFault] = field(default_factory=list)
    numbers: int = 0

    def arm(self, fault: DeviceFault, now_us: int) -> ArmedFault:
        """Arm a fault. Raises TooManyDeviceFaults."""
        if len(self.armed) == MOST_ARMED:
            raise TooManyDeviceFaults(f"{MOST_ARMED} device faults are armed already, and more are not allowed at once")
        self.numbers += 1
        begins_us = now_us + fault.after_us
        self.armed.append(ArmedFault(self.numbers, fault, begins_us, begins_us, fault.times))
        return self.armed[-1]

    def next_change(self) -> int:
        """When the next fault begins or ends."""
        return min([armed.change_us for armed in self.armed], default=NEVER)

    def due(self, now_us: int) -> ArmedFault | None:
        """The first fault, in the order of arming, that begins or ends by now."""
        return next((armed for armed in self.armed if armed.change_us <= now_us), None)

    def drop_spent(self) -> None:
        """Forget the faults of which nothing is left."""
        self.armed = [armed for armed in self.armed if not armed.spent]
