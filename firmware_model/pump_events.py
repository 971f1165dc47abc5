"""What a pump tells its observers, in the order in which it happened."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from firmware_model.faults.board import DeviceFault
from firmware_model.firmware.codes import AlarmType, Role
from firmware_model.firmware.event_log import LogRecord


class Recorded(Struct, frozen=True, gc=False):
    """The firmware committed a log record."""

    at_us: int
    record: LogRecord


class PowerCut(NamedTuple):
    """Power is gone; `write` names the write within or beside which it went, empty when it was between writes."""

    at_us: int
    write: str


class PowerRestored(NamedTuple):
    """Power is back and the pump has booted."""

    at_us: int


class ToneSounded(NamedTuple):
    """An alarm sounded: the dual tone of a critical one, or the single tone."""

    at_us: int
    alarm: AlarmType
    critical: bool


class FlagsSet(NamedTuple):
    """A latched flag of a role has been set that was not: whoever reads the pump in this role may want to know."""

    at_us: int
    role: Role


class FaultChanged(NamedTuple):
    """A device fault began or ended. Only the tester hears of it."""

    at_us: int
    number: int
    fault: DeviceFault
    began: bool


PumpEvent = Recorded | FlagsSet | PowerCut | PowerRestored | ToneSounded | FaultChanged
