"""Alarms: instances with their freeze frames, what raising one does to flow, and how each is seen, silenced, ended.

How an alarm behaves, its row in the profile's table says; whether its cause is there, `alarm_causes.py`.
"""

from __future__ import annotations

from firmware_model.commands import (
    AcknowledgeAlarm,
    Alarm,
    AlarmAcknowledged,
    AlarmCleared,
    AlarmsAnswer,
    AlarmSilenced,
    ClearAlarm,
    ListAlarms,
    Reason,
    Refusal,
    SilenceAlarm,
)
from firmware_model.firmware.alarm_causes import BOLUS_ENDS, CAUSES, STOP_REASONS
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, RunState, StopReason
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.lives.alarm import ALARM_LIFE, FORGETTABLE, NOT_LISTED, AlarmDeed
from firmware_model.firmware.prepared import void_prepared
from firmware_model.firmware.record import NOBODY
from firmware_model.firmware.tones import sound
from firmware_model.plant.cell import Load

_WHEN_RAISED = ALARM_LIFE[NOT_LISTED, AlarmDeed.RAISE]
LAST_INSTANCE = 0xFFFF
"""The last number of an alarm instance; the numbers begin anew behind it."""
_SECONDS_PER_MINUTE = 60


def add_alarm(change: Change, kind: AlarmType) -> None:
    """Let a change raise an alarm, unless it stands already: its instance, its effects on flow, and its first tone."""
    firmware = change.firmware
    if _standing(change.record.alarms, kind):
        return
    firmware.unplanned = True
    row = firmware.profile.alarm[kind]
    newest = change.record.ledger.newest()
    alarm = Alarm(
        instance=change.record.next_alarm,
        type=kind,
        critical=row.critical,
        state=_WHEN_RAISED,
        elapsed_s=firmware.elapsed_s,
        steps=firmware.steps_total,
        rate_nl_per_day=firmware.flow.base.gain,
        reservoir_nl=firmware.reservoir_nl,
        battery_mv=firmware.sensors.cell_mv(Load.MOTOR),
        last_op_id=newest.op_id if newest else 0,
    )
    change.log(
        LogType.ALARM_RAISED,
        instance=alarm.instance,
        type=kind,
        priority=2 if row.critical else 1,
        reservoir_nl=alarm.reservoir_nl,
        steps=alarm.steps,
    )
    change.set(
        alarms=(*_with_room(change.record.alarms, firmware.profile.memory.alarm_capacity), alarm),
        next_alarm=alarm.instance % LAST_INSTANCE + 1,
    )
    if row.flow == "stop" and change.record.run_state is RunState.RUNNING:
        change.halt(STOP_REASONS.get(kind, StopReason.SUPERVISOR))
        void_prepared(firmware)
    if row.critical or row.flow == "stop":
        reason = BOLUS_ENDS.get(kind, BolusEnd.ALARM)
        change.end_bolus(reason)
        change.end_dose(reason)
    sound(firmware, alarm)


def raise_alarm(firmware: Firmware, kind: AlarmType) -> None:
    """Raise an alarm in a commit of its own."""
    change = Change(firmware)
    add_alarm(change, kind)
    change.commit()
    follow(firmware)


def raise_anew(firmware: Firmware, kind: AlarmType) -> None:
    """Raise an alarm whose cause has come again: the instance that still stands for the last time gives way to it."""
    change = Change(firmware)
    standing = firmware.standing_alarm(kind)
    if standing is not None:
        _log_of(change, LogType.ALARM_CLEARED, standing, NOBODY, NOBODY)
        state = ALARM_LIFE[standing.state, AlarmDeed.GIVE_WAY]
        change.set(alarms=_with(change.record.alarms, standing._replace(state=state)))
    add_alarm(change, kind)
    change.commit()
    follow(firmware)


def note_incomplete(firmware: Firmware) -> None:
    """A program was begun, the pump stands still for it, and nobody holds it any more: never silently stopped."""
    if firmware.record.programming and not firmware.stages:
        change = Change(firmware)
        change.set(programming=False)
        add_alarm(change, AlarmType.PROGRAM_INCOMPLETE)
        change.commit()


def list_alarms(firmware: Firmware, command: ListAlarms) -> AlarmsAnswer:
    """All instances from one on, in the order in which they were raised."""
    alarms = firmware.record.alarms
    return AlarmsAnswer(len(alarms), tuple(alarm for alarm in alarms if alarm.instance >= command.from_instance))


def acknowledge(firmware: Firmware, command: AcknowledgeAlarm) -> AlarmAcknowledged | Refusal:
    """Mark an instance as seen: it sounds no more. Its cause stands until it is mended, so the instance stays."""
    alarm = _asked(firmware, command)
    if isinstance(alarm, Refusal):
        return alarm
    state = ALARM_LIFE.get((alarm.state, AlarmDeed.ACKNOWLEDGE))
    if state is None:
        return Refusal(Reason.ALREADY_IN_STATE, "instance", detail=alarm.instance)
    _commit_changed(firmware, command, LogType.ALARM_ACKNOWLEDGED, alarm._replace(state=state))
    return AlarmAcknowledged(alarm.instance, state)


def silence(firmware: Firmware, command: SilenceAlarm) -> AlarmSilenced | Refusal:
    """Let an instance that sounds be silent for a while."""
    alarm = _asked(firmware, command)
    if isinstance(alarm, Refusal):
        return alarm
    state = ALARM_LIFE.get((alarm.state, AlarmDeed.SILENCE))
    if state is None:
        return Refusal(Reason.ALREADY_IN_STATE, "instance", detail=alarm.instance)
    until_s = firmware.elapsed_s + firmware.profile.tones.silence_min * _SECONDS_PER_MINUTE
    _commit_changed(firmware, command, LogType.ALARM_SILENCED, alarm._replace(state=state, silent_until_s=until_s))
    return AlarmSilenced(alarm.instance, until_s)


def clear(firmware: Firmware, command: ClearAlarm) -> AlarmCleared | Refusal:
    """End an instance. With its cause still there a new one is raised in the same commit."""
    alarm = _asked(firmware, command)
    if isinstance(alarm, Refusal):
        return alarm
    state = ALARM_LIFE.get((alarm.state, AlarmDeed.CLEAR))
    if state is None:
        return Refusal(Reason.ALREADY_IN_STATE, "instance", detail=alarm.instance)
    change = Change(firmware)
    _log_of(change, LogType.ALARM_CLEARED, alarm, command.origin.role, command.origin.host_id)
    change.set(alarms=_with(change.record.alarms, alarm._replace(state=state)))
    raised_again = 0
    if CAUSES[alarm.type](firmware):
        raised_again = change.record.next_alarm
        add_alarm(change, alarm.type)
    change.commit()
    follow(firmware)
    return AlarmCleared(alarm.instance, state, raised_again)


def clear_gone(firmware: Firmware) -> None:
    """Alarms that do not latch end by themselves once their cause has gone."""
    gone = [
        alarm
        for alarm in firmware.record.alarms
        if (alarm.state, AlarmDeed.END) in ALARM_LIFE
        and not firmware.profile.alarm[alarm.type].latching
        and not CAUSES[alarm.type](firmware)
    ]
    if not gone:
        return
    change = Change(firmware)
    for alarm in gone:
        _log_of(change, LogType.ALARM_CLEARED, alarm, NOBODY, NOBODY)
        state = ALARM_LIFE[alarm.state, AlarmDeed.END]
        change.set(alarms=_with(change.record.alarms, alarm._replace(state=state)))
    change.commit()
    follow(firmware)


def _asked(firmware: Firmware, command: AcknowledgeAlarm | SilenceAlarm | ClearAlarm) -> Alarm | Refusal:
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    record = firmware.record
    for alarm in record.alarms:
        if alarm.instance == command.instance:
            return alarm
    return Refusal(Reason.NO_SUCH_ALARM, "instance", detail=record.next_alarm - 1)


def _commit_changed(
    firmware: Firmware, command: AcknowledgeAlarm | SilenceAlarm, kind: LogType, changed: Alarm
) -> None:
    change = Change(firmware)
    _log_of(change, kind, changed, command.origin.role, command.origin.host_id)
    change.set(alarms=_with(firmware.record.alarms, changed))
    change.commit()


def _log_of(change: Change, kind: LogType, alarm: Alarm, role: int, host_id: int) -> None:
    change.log(kind, role=role, host_id=host_id, instance=alarm.instance, type=alarm.type)


def _with(alarms: tuple[Alarm, ...], changed: Alarm) -> tuple[Alarm, ...]:
    return tuple(changed if alarm.instance == changed.instance else alarm for alarm in alarms)


def _with_room(alarms: tuple[Alarm, ...], capacity: int) -> tuple[Alarm, ...]:
    """The instances, of which the oldest that is over makes room when the list is full.

    There is one: of each type one instance stands at most, and the list holds more than there are types.
    """
    if len(alarms) < capacity:
        return alarms
    over = next(alarm for alarm in alarms if alarm.state in FORGETTABLE)
    return tuple(alarm for alarm in alarms if alarm is not over)


def _standing(alarms: tuple[Alarm, ...], kind: AlarmType) -> bool:
    return any(alarm.type is kind and alarm.state is not AlarmState.CLEARED for alarm in alarms)
