"""Service 05, alarm: alarms with their freeze frames; to acknowledge, silence and clear them."""

from __future__ import annotations

from typing import Final

from protocol.fields import enum8, enum16, message, records, u8, u16, u32, u64
from protocol.messages.codes import AlarmState, AlarmType, Priority

ALARMS_PER_PAGE: Final = 6


@message
class AlarmEntry:
    """An alarm, and the pump as it was at that moment."""

    instance: int = u16(meaning="names this alarm")
    type: AlarmType = enum16(AlarmType, meaning="what is the matter")
    priority: Priority = enum8(Priority, meaning="how bad")
    state: AlarmState = enum8(AlarmState, meaning="raised, acknowledged or cleared")
    elapsed_s: int = u32(unit="s", meaning="when it was raised, in elapsed time")
    steps: int = u64(unit="steps", meaning="lifetime motor steps then")
    rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate then")
    reservoir_nl: int = u32(unit="nl", meaning="the reservoir then")
    battery_mv: int = u16(unit="mV", meaning="the battery then; FFFF = not known")
    last_op_id: int = u32(meaning="the last op before it; 0 = none")
    silent_until_s: int = u32(unit="s", meaning="silenced until this elapsed time; 0 = not silenced")


@message
class AlarmListRequest:
    from_instance: int = u16(meaning="lists alarms from this instance on; 0 = from the first")


@message(extensible=True)
class AlarmListAnswer:
    total: int = u8(unit="alarms", meaning="how many are held in all")
    alarms: tuple[AlarmEntry, ...] = records(AlarmEntry, maximum=ALARMS_PER_PAGE, meaning="by rising instance")


@message
class AlarmAckRequest:
    instance: int = u16(meaning="the alarm that a person has seen")


@message(extensible=True)
class AlarmAckAnswer:
    instance: int = u16(meaning="the alarm")
    state: AlarmState = enum8(AlarmState, meaning="its state now")


@message
class AlarmClearRequest:
    instance: int = u16(meaning="the alarm to end")


@message(extensible=True)
class AlarmClearAnswer:
    instance: int = u16(meaning="the alarm")
    state: AlarmState = enum8(AlarmState, meaning="its state now")
    raised_again: int = u16(meaning="the new instance, for its cause is still there; 0 = the cause is gone")


@message
class AlarmSnapshotRequest:
    instance: int = u16(meaning="the alarm")


@message(extensible=True)
class AlarmSnapshotAnswer(AlarmEntry):
    pass


@message
class AlarmSilenceRequest:
    instance: int = u16(meaning="the alarm that is to be silent for a while")


@message(extensible=True)
class AlarmSilenceAnswer:
    instance: int = u16(meaning="the alarm")
    silent_until_s: int = u32(unit="s", meaning="the elapsed time until which it is silent; its state is as before")
