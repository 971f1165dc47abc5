"""What an event tells, read as STATUS, TIME_READ and BATTERY are; and the reset of the latched flags."""

from __future__ import annotations

from firmware_model.commands import (
    FlagsReset,
    ReadBattery,
    ReadStatus,
    ReadTelemetry,
    ReadTime,
    Reason,
    Refusal,
    ResetFlags,
    TelemetryAnswer,
)
from firmware_model.firmware import reading
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.gate import gate_refusal


def telemetry(firmware: Firmware, command: ReadTelemetry) -> TelemetryAnswer:
    """All that an event may tell, at this instant."""
    return TelemetryAnswer(
        changed=firmware.changed.of_role(command.role),
        status=reading.status(firmware, ReadStatus()),
        time=reading.time(firmware, ReadTime()),
        battery=reading.battery(firmware, ReadBattery()),
    )


def reset_flags(firmware: Firmware, command: ResetFlags) -> FlagsReset | Refusal:
    """Forget the flags that were last set at or before the record that the role has read up to."""
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    record, role = firmware.record, command.origin.role
    if command.epoch != record.epoch:
        return Refusal(Reason.LOG_EPOCH, "log_epoch", detail=record.epoch)
    if command.sequence >= record.log_next:
        # What has not happened yet cannot have been read.
        return Refusal(Reason.ABOVE_MAXIMUM, "log_sequence", detail=record.log_next - 1)
    firmware.changed.reset(role, command.flags, command.sequence)
    return FlagsReset(firmware.changed.of_role(role))
