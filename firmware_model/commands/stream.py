"""Telemetry of the pump's own accord: what one event tells, and the reset of latched flags."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.commands.care import BatteryAnswer
from firmware_model.commands.origin import Origin
from firmware_model.commands.outcomes import StatusAnswer, TimeAnswer
from firmware_model.firmware.codes import ChangedFlag, Role


@dataclass(frozen=True, slots=True)
class ReadTelemetry:
    """What an event tells a role: all that it may be asked for, at one instant."""

    role: Role


@dataclass(frozen=True, slots=True)
class ResetFlags:
    """The role of `origin` has read the log of an epoch up to a record: forget what was last set until then."""

    origin: Origin
    flags: ChangedFlag
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class TelemetryAnswer:
    """The latched flags of the role, and what STATUS, TIME_READ and BATTERY answer at that instant."""

    changed: ChangedFlag
    status: StatusAnswer
    time: TimeAnswer
    battery: BatteryAnswer


@dataclass(frozen=True, slots=True)
class FlagsReset:
    """The flags of the role that are still set."""

    changed: ChangedFlag
