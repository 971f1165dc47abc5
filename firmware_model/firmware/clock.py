"""The labelling clock: set by a clinician, lost by the counter that drives it."""

from __future__ import annotations

from firmware_model.commands import OpOutcome, Reason, Refusal, SetTime
from firmware_model.firmware.alarms import clear_gone, raise_alarm
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import AlarmType, OpKind, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.therapy import admit, new_entry, outcome_of
from firmware_model.quantities import US_PER_SECOND

OFFSET_MAX_MIN = 1_440
"""How far local time may lie from UTC."""


def set_time(firmware: Firmware, command: SetTime) -> OpOutcome | Refusal:
    """Set the clock. It rewrites no record and moves no bolus; a flex schedule follows the new time at once."""
    reply = admit(firmware, command, OpKind.TIME_SET)
    if reply is not None:
        return reply
    if not command.unix_s:
        return Refusal(Reason.CLOCK_INVALID, "unix_s")
    if abs(command.offset_min) > OFFSET_MAX_MIN:
        return Refusal(Reason.CLOCK_INVALID, "offset_min", detail=OFFSET_MAX_MIN)
    change = Change(firmware)
    entry = new_entry(firmware, command, OpKind.TIME_SET)
    change.set(
        clock_base_us=command.unix_s * US_PER_SECOND - firmware.sensors.clock_reading_us(firmware.now_us),
        offset_min=command.offset_min,
        clock_valid=True,
        ledger=firmware.record.ledger.enter(entry),
    )
    change.raise_revision()
    change.log(
        LogType.TIME_SET,
        command.op_id,
        role=command.origin.role,
        host_id=command.origin.host_id,
        unix_s=command.unix_s,
        offset_min=command.offset_min,
        rate_nl_per_day=firmware.flow.base.gain,
    )
    firmware.sensors.restart_clock(firmware.now_us)
    change.commit()
    clear_gone(firmware)
    follow(firmware)
    return outcome_of(entry, base_rate_nl_per_day=firmware.flow.base.gain)


def notice_clock(firmware: Firmware) -> None:
    """The counter has changed: a lost one raises its alarm, any other moves the schedule's next change."""
    record = firmware.record
    if record.run_state is RunState.FAILED:
        return
    if firmware.sensors.clock_lost() and record.clock_valid:
        record.clock_valid = False
        firmware.commit(())
        raise_alarm(firmware, AlarmType.CLOCK_LOST)
    follow(firmware)
