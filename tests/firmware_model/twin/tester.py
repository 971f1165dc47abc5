"""The twin's tester: faults that begin, end and come again, each change of them at its own instant."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.faults import FAULTS, DeviceFault

NEVER = 1 << 62
VERBS = (
    "stall",
    "intermittent-stall",
    "missed-steps",
    "gain-error",
    "emf-lie",
    "clock-drift",
    "clock-jump",
    "clock-loss",
    "temperature",
)
"""The faults that the twin knows. A temperature is one that only the cell would feel."""


@dataclass
class TwinFault:
    """A fault on the board, with all instants at which it will begin or end."""

    fault: DeviceFault
    changes: list[tuple[int, bool]]
    active: bool = False

    @classmethod
    def armed(cls, fault: DeviceFault, now: int) -> TwinFault:
        changes = []
        for time in range(fault.times):
            begins = now + fault.after_us + time * fault.every_us
            changes.append((begins, True))
            if FAULTS[fault.verb].lasting is not None and fault.for_us:
                changes.append((begins + fault.for_us, False))
        return cls(fault, changes)

    def next_change(self) -> int:
        return self.changes[0][0] if self.changes else NEVER

    def value(self, name: str) -> int:
        return dict(self.fault.values)[name]
