"""What the control plane needs of the running pump; `emulator.serving` provides it.

All calls come on the event loop that serves the pump. A pump that has ended raises `ServingStopped`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from emulator.events import Event
from emulator.inputs import Action
from emulator.wire import FaultNames
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment


class Serving(Protocol):
    """A pump that is being served."""

    def now_us(self) -> int:
        """The virtual time."""

    @property
    def fault_names(self) -> FaultNames:
        """What a line fault may name, in each direction."""

    async def jump(self, delta_us: int) -> object:
        """Let that much virtual time pass as fast as possible."""

    async def run_until(self, predicate: Callable[[Event], bool], limit_us: int) -> Event | None:
        """Let virtual time pass up to an event, at most `limit_us`; None when no such event came."""

    def apply(self, action: Action) -> object:
        """Do one act of the tester, now; a ValueError is the pump's refusal."""

    def armed_faults(self) -> Sequence[str | ArmedFault]:
        """The faults that are armed: those of the line as they were written, those of the pump as they stand."""

    def observe(self, observer: Callable[[Event], None]) -> Callable[[], None]:
        """Tell an observer of every event from now on; returns what ends that."""

    @property
    def serial_number(self) -> int:
        """The serial number of the pump that is there now."""

    @property
    def environment(self) -> Environment:
        """What is around the pump as long as no fault makes it another."""

    def save_state(self) -> bytes:
        """The save-state of the pump. Raises SaveStateError."""

    def truth(self) -> Mapping[str, object]:
        """What is physically so."""

    def shutdown(self) -> object:
        """Ask the pump to end; returns at once."""
