"""What serving needs of a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from emulator.events import Event
from emulator.inputs import Action, LineChange
from emulator.lines import LineBreak
from emulator.wire import FaultNames
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment

SEND_LIMIT = 65536
"""What a port is given at once."""


class Serveable(Protocol):
    """What serving needs of a device; `emulator.device.Device` is one."""

    def receive(self, data: bytes, now: int, port: int = 0) -> None:
        """Bytes from a line."""

    def line(self, change: LineChange, now: int, port: int = 0) -> None:
        """A change of a line itself."""

    def control(self, action: Action, now: int) -> None:
        """The tester's hand."""

    def advance(self, now: int) -> None:
        """Time passes."""

    def data_to_send(self, now: int, limit: int = SEND_LIMIT, port: int = 0) -> bytes:
        """Bytes for a line."""

    def next_deadline(self) -> int | None:
        """When it next wants to be woken."""

    def next_event(self) -> Event | None:
        """What happened."""

    def next_line_break(self) -> LineBreak | None:
        """What is to be done at a port."""

    @property
    def now_us(self) -> int:
        """The virtual time that it has reached."""

    @property
    def session_open(self) -> bool:
        """Whether a client holds a session."""

    @property
    def fault_names(self) -> FaultNames:
        """What a line fault may name, in each direction."""

    def armed_faults(self) -> Sequence[str | ArmedFault]:
        """The faults that are armed: those of the line as they were written, those of the pump as they stand."""

    @property
    def serial_number(self) -> int:
        """The serial number of the pump that is there now."""

    @property
    def environment(self) -> Environment:
        """What is around the pump as long as no fault makes it another."""

    def save_state(self) -> bytes:
        """The save-state of the pump. Raises SaveStateError."""

    def truth(self) -> dict[str, object]:
        """What is physically so."""
