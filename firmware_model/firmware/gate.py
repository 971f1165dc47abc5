"""The gate of states: in which state the pump is, and whether a command is admitted then.

Which command is admitted in which state is no decision of the firmware's. Each command brings its row of the one table
of access along (`Origin.gate`), and the firmware asks it at the place that the state has in the order of checks.
"""

from __future__ import annotations

from firmware_model.commands import Alarm, Origin, Reason, Refusal
from firmware_model.firmware.codes import AlarmState, Mode, PumpState, RunState
from firmware_model.firmware.core import Firmware


def pump_state(firmware: Firmware) -> PumpState:
    """The last of the states that apply."""
    record = firmware.record
    if record.run_state is RunState.RUNNING:
        return PumpState.RUNNING if record.bolus is None else PumpState.BOLUS
    if record.run_state is RunState.FAILED:
        return PumpState.FAILED
    if holding_alarm(firmware) is not None:
        return PumpState.HELD
    return PumpState.IDLE if has_nothing_to_run(firmware) else PumpState.STOPPED


def has_nothing_to_run(firmware: Firmware) -> bool:
    """Whether the program gives nothing: it says so, or its one bolus has begun already."""
    record = firmware.record
    return record.program.mode is Mode.STOPPED or (record.program.mode is Mode.SINGLE_BOLUS and record.dose_spent)


def holding_alarm(firmware: Firmware) -> Alarm | None:
    """The alarm that stands and forbids all flow."""
    rows = firmware.profile.alarm
    for alarm in firmware.record.alarms:
        if alarm.state is not AlarmState.CLEARED and rows[alarm.type].flow == "stop":
            return alarm
    return None


def gate_refusal(firmware: Firmware, origin: Origin) -> Refusal | None:
    """Why the pump's state forbids a command, with what stands in its way, or None when it is admitted."""
    reason = origin.gate.get(pump_state(firmware), Reason.CONDITIONS)
    if reason is None:
        return None
    bolus = firmware.record.bolus
    if reason is Reason.BOLUS_RUNNING and bolus is not None:
        return Refusal(reason, detail=bolus.bolus_id)
    alarm = holding_alarm(firmware) if reason is Reason.ALARM_BLOCKS else None
    if alarm is not None:
        return Refusal(reason, element=alarm.type, detail=alarm.instance)
    return Refusal(reason)
