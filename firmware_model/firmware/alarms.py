"""Alarms: when their level is reached, what they do to flow, and their acknowledgement."""

from __future__ import annotations

from dataclasses import replace

from firmware_model.commands import (
    AcknowledgeAlarm,
    Alarm,
    AlarmAcknowledged,
    AlarmsAnswer,
    ListAlarms,
    Reason,
    Refusal,
)
from firmware_model.firmware.codes import (
    CRITICAL_ALARMS,
    AlarmState,
    AlarmType,
    BolusEnd,
    RunState,
    StopReason,
)
from firmware_model.firmware.core import Firmware, LogDraft
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal
from firmware_model.quantities import ceil_div, whole_seconds


def level_due(firmware: Firmware, kind: AlarmType, level_nl: int) -> int | None:
    """When the computed reservoir will have come down to a level; None when never, or when the alarm stands already."""
    if firmware.record.run_state is RunState.FAILED or firmware.standing_alarm(kind):
        return None
    steps = ceil_div(firmware.reservoir_nl - level_nl, firmware.profile.motor.step_volume_nl)
    wait_us = firmware.flow.us_until(steps)
    return None if wait_us is None else firmware.now_us + wait_us


def raise_low_reservoir(firmware: Firmware) -> None:
    """Raise the low-reservoir alarm. It leaves the flow as it is."""
    draft, alarm = _raised(firmware, AlarmType.LOW_RESERVOIR)
    firmware.commit(draft, **_with_alarm(firmware, alarm))


def raise_empty_reservoir(firmware: Firmware) -> None:
    """Raise the empty-reservoir alarm and halt: motor first, then one commit of alarm, stop and the end of a bolus."""
    draft, alarm = _raised(firmware, AlarmType.EMPTY_RESERVOIR)
    firmware.flow.set_base_rate(0)
    firmware.flow.end_bolus()
    drafts, changes = [draft], _with_alarm(firmware, alarm)
    bolus = firmware.record.bolus
    if firmware.record.run_state is RunState.RUNNING:
        drafts.append(
            LogDraft(
                LogType.THERAPY_STOPPED,
                0,
                {
                    "role": 0,
                    "host_id": 0,
                    "reason": StopReason.EMPTY_RESERVOIR,
                    "bolus_id": bolus.bolus_id if bolus else 0,
                    "delivered_max_nl": firmware.bolus_steps * firmware.profile.motor.step_volume_nl if bolus else 0,
                },
            )
        )
        changes |= {
            "run_state": RunState.STOPPED,
            "stop_reason": StopReason.EMPTY_RESERVOIR,
            "therapy_rev": firmware.record.therapy_rev + 1,
        }
    if bolus is not None:
        ended, ledger, _ = firmware.ended_bolus(BolusEnd.EMPTY, firmware.bolus_steps, firmware.bolus_steps)
        drafts.append(ended)
        changes |= {"bolus": None, "ledger": ledger}
    firmware.void_prepared()
    firmware.commit(*drafts, **changes)


def list_alarms(firmware: Firmware, command: ListAlarms) -> AlarmsAnswer:
    """All instances from one on, in the order in which they were raised."""
    alarms = firmware.record.alarms
    return AlarmsAnswer(len(alarms), tuple(alarm for alarm in alarms if alarm.instance >= command.from_instance))


def acknowledge(firmware: Firmware, command: AcknowledgeAlarm) -> AlarmAcknowledged | Refusal:
    """Mark an instance as seen. Its cause stands until it is mended, so the instance stays."""
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    record = firmware.record
    alarm = next((alarm for alarm in record.alarms if alarm.instance == command.instance), None)
    if alarm is None:
        return Refusal(Reason.NO_SUCH_ALARM, "instance", detail=record.next_alarm - 1)
    if alarm.state is not AlarmState.RAISED:
        return Refusal(Reason.ALREADY_IN_STATE, "instance", detail=alarm.instance)
    seen = replace(alarm, state=AlarmState.ACKNOWLEDGED)
    detail = {
        "role": command.origin.role,
        "host_id": command.origin.host_id,
        "instance": alarm.instance,
        "type": alarm.type,
    }
    firmware.commit(
        LogDraft(LogType.ALARM_ACKNOWLEDGED, 0, detail),
        alarms=tuple(seen if old.instance == seen.instance else old for old in record.alarms),
    )
    return AlarmAcknowledged(seen.instance, seen.state)


def _raised(firmware: Firmware, kind: AlarmType) -> tuple[LogDraft, Alarm]:
    record = firmware.record
    newest = record.ledger.newest()
    alarm = Alarm(
        instance=record.next_alarm,
        type=kind,
        critical=kind in CRITICAL_ALARMS,
        state=AlarmState.RAISED,
        elapsed_s=whole_seconds(firmware.elapsed_us),
        steps=firmware.steps_total,
        rate_nl_per_day=firmware.flow.base.gain,
        reservoir_nl=firmware.reservoir_nl,
        battery_mv=firmware.profile.cell.voltage_mv,
        last_op_id=newest.op_id if newest else 0,
    )
    detail = {
        "instance": alarm.instance,
        "type": kind,
        "priority": 2 if alarm.critical else 1,
        "reservoir_nl": alarm.reservoir_nl,
        "steps": alarm.steps,
    }
    return LogDraft(LogType.ALARM_RAISED, 0, detail), alarm


def _with_alarm(firmware: Firmware, alarm: Alarm) -> dict[str, object]:
    """The changes that add an instance; the oldest one makes room when the list is full."""
    kept = firmware.record.alarms[-(firmware.profile.memory.alarm_capacity - 1) :]
    return {"alarms": (*kept, alarm), "next_alarm": alarm.instance + 1}
