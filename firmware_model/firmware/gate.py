"""The gate of states: in which state the pump is, and whether a command is admitted then.

Which command is admitted in which state is no decision of the firmware's. Each command brings its row of the one table
of access along (`Origin.gate`), and the firmware asks it at the place that the state has in the order of checks.
"""

from __future__ import annotations

from firmware_model.commands import Origin, Reason, Refusal
from firmware_model.firmware.codes import AlarmType, Mode, PumpState, RunState
from firmware_model.firmware.core import Firmware


def pump_state(firmware: Firmware) -> PumpState:
    """The last of the states that apply."""
    record = firmware.record
    stopped = record.run_state is RunState.STOPPED
    applies = {
        PumpState.RUNNING: True,
        PumpState.BOLUS: record.bolus is not None,
        PumpState.STOPPED: stopped,
        PumpState.IDLE: stopped and record.program.mode is Mode.STOPPED,
        PumpState.EMPTY: stopped and firmware.standing_alarm(AlarmType.EMPTY_RESERVOIR) is not None,
        PumpState.FAILED: record.run_state is RunState.FAILED,
    }
    return max(state for state in PumpState if applies[state])


def gate_refusal(firmware: Firmware, origin: Origin) -> Refusal | None:
    """Why the pump's state forbids a command, with what stands in its way, or None when it is admitted."""
    reason = origin.gate.get(pump_state(firmware), Reason.CONDITIONS)
    if reason is None:
        return None
    bolus, empty = firmware.record.bolus, firmware.standing_alarm(AlarmType.EMPTY_RESERVOIR)
    if reason is Reason.BOLUS_RUNNING and bolus is not None:
        return Refusal(reason, detail=bolus.bolus_id)
    if reason is Reason.ALARM_BLOCKS and empty is not None:
        return Refusal(reason, element=empty.type, detail=empty.instance)
    return Refusal(reason)
