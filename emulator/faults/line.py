"""The armed faults of the lines: which frame each strikes, and what goes on in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.faults.registry import REGISTRY
from emulator.faults.spec import ANY, FaultSpec
from emulator.wire import WireFrame

MOST_ARMED = 64


class TooManyFaults(ValueError):
    """More faults than may be armed at once."""


@dataclass(slots=True)
class _Armed:
    fault: FaultSpec
    matched: int = 0

    @property
    def spent(self) -> bool:
        return self.matched >= self.fault.nth + self.fault.count - 1


class LineFaults:
    """The faults that are armed on a device's lines. Each counts its own matches, and is gone when it is spent."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    @property
    def armed(self) -> tuple[FaultSpec, ...]:
        """What is armed, in the order of arming."""
        return tuple(armed.fault for armed in self._armed)

    def arm(self, fault: FaultSpec) -> None:
        """Arm a fault. Raises TooManyFaults."""
        if len(self._armed) == MOST_ARMED:
            raise TooManyFaults(f"{MOST_ARMED} faults are armed already, and more are not allowed at once")
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def strike(self, frame: WireFrame) -> tuple[FaultSpec, Sequence[bytes]] | None:
        """The fault that strikes a frame and the frames that go on instead, or None. A match counts for every fault."""
        if not self._armed or not frame.name:
            return None
        struck: tuple[FaultSpec, Sequence[bytes]] | None = None
        for armed in self._armed:
            fault = armed.fault
            if fault.direction is not frame.direction or fault.name not in (ANY, frame.name):
                continue
            armed.matched += 1
            if armed.matched >= fault.nth and struck is None:
                struck = (fault, REGISTRY[fault.verb].act(frame.raw))
        self._armed = [armed for armed in self._armed if not armed.spent]
        return struck
