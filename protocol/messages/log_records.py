"""What the 20 data bytes of a log record hold, for each type of record."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.fields import decode, encode, enum8, enum16, i16, layout_of, message, u8, u16, u32, u64
from protocol.messages.codes import (
    AlarmType,
    BolusEndReason,
    BolusKind,
    LogType,
    MemoryCondition,
    Mode,
    Priority,
    ResetReason,
    StopReason,
)
from protocol.messages.log import LOG_DATA_SIZE, LogRecord

_ROLE: Final = "whose command it was (Role); 0 = the pump's own doing"
_HOST: Final = "whose command it was; 0 = the pump's own doing, or an INSECURE session"


@message
class BootData:
    reset_reason: ResetReason = enum8(ResetReason, meaning="why it started")
    memory: MemoryCondition = enum8(MemoryCondition, meaning="how the memory was found")
    generation: int = u32(meaning="generation of the control record")


@message
class TherapyStartedData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate")


@message
class TherapyStoppedData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    reason: StopReason = enum8(StopReason, meaning="why")
    bolus_id: int = u32(meaning="the bolus that was running; 0 = none")
    delivered_max_nl: int = u32(unit="nl", meaning="what it delivered at most")


@message
class BolusStartedData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    bolus_id: int = u32(meaning="the bolus")
    volume_nl: int = u32(unit="nl", meaning="its volume")
    duration_s: int = u32(unit="s", meaning="its duration")
    kind: BolusKind = enum8(BolusKind, meaning="what it is for")


@message
class BolusEndedData:
    role: int = u8(maximum=3, meaning="whose bolus it was (Role)")
    host_id: int = u32(meaning="whose bolus it was")
    reason: BolusEndReason = enum8(BolusEndReason, meaning="why it ended")
    bolus_id: int = u32(meaning="the bolus")
    delivered_min_nl: int = u32(unit="nl", meaning="delivered at least")
    delivered_max_nl: int = u32(unit="nl", meaning="delivered at most")


@message
class BolusCancelledData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    bolus_id: int = u32(meaning="the bolus that was cancelled")
    target_op_id: int = u32(meaning="the op that had started it")


@message
class AlarmRaisedData:
    instance: int = u16(meaning="the alarm")
    type: AlarmType = enum16(AlarmType, meaning="what is the matter")
    priority: Priority = enum8(Priority, meaning="how bad")
    reservoir_nl: int = u32(unit="nl", meaning="the reservoir then")
    steps: int = u64(unit="steps", meaning="lifetime motor steps then")


@message
class AlarmAcknowledgedData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    instance: int = u16(meaning="the alarm")
    type: AlarmType = enum16(AlarmType, meaning="what is the matter")


@message
class ProgramChangedData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    crc32: int = u32(meaning="of the new program's canonical image")
    mode: Mode = enum8(Mode, meaning="what kind of program it is")
    rate_nl_per_day: int = u32(unit="nl/d", meaning="the volume of a day on average over a week")


@message
class SessionTakenOverData:
    role: int = u8(maximum=3, meaning="the role whose place was taken")
    host_id: int = u32(meaning="who took it")
    from_host_id: int = u32(meaning="whose it was")


@message
class AuthenticationFailedData:
    role: int = u8(maximum=3, meaning="the role of the last wrong cryptogram; 0 = there was none")
    port: int = u8(meaning="the port of the last failure")
    wrong_cryptograms: int = u16(meaning="AUTH requests with a wrong cryptogram")
    wrong_tags: int = u32(unit="frames", meaning="secured frames whose tag did not verify")


@message
class KeysReplacedData:
    test_keys: int = u8(maximum=1, meaning="1: the new keys are the published ones")


@message
class AlarmClearedData:
    role: int = u8(maximum=3, meaning="who cleared it (Role); 0 = its cause has gone")
    host_id: int = u32(meaning=_HOST)
    instance: int = u16(meaning="the alarm")
    type: AlarmType = enum16(AlarmType, meaning="what was the matter")


@message
class AlarmSilencedData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    instance: int = u16(meaning="the alarm that is silent for a while")
    type: AlarmType = enum16(AlarmType, meaning="what is the matter")


@message
class DeliveredData:
    """Told once a day: all of them, and what has come since, are what was delivered in the pump's life."""

    steps: int = u64(unit="steps", meaning="lifetime motor steps then")
    volume_nl: int = u32(unit="nl", meaning="what was delivered since the last such record")


@message
class StallEndedData:
    instance: int = u16(meaning="the alarm of this stall; 0 = none stands")
    pulses: int = u64(unit="steps", meaning="lifetime motor steps commanded while a stalled rotor was known")


@message
class RefilledData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    computed_nl: int = u32(unit="nl", meaning="what should have been left, as computed")
    measured_nl: int = u32(unit="nl", meaning="what was withdrawn")
    volume_nl: int = u32(unit="nl", meaning="what the reservoir holds now")


@message
class TimeSetData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    unix_s: int = u32(unit="s", meaning="the new time: Unix time in UTC")
    offset_min: int = i16(unit="min", meaning="local time minus UTC")
    rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate until then")


@message
class MemoryRepairedData:
    repairs: int = u32(unit="repairs", meaning="how many copies were made anew")


@message
class ProgramBegunData:
    role: int = u8(maximum=3, meaning=_ROLE)
    host_id: int = u32(meaning=_HOST)
    crc32: int = u32(meaning="of the program that stands still until another is committed")


@message
class CorruptData:
    pass


DATA_OF: Final[Mapping[LogType, type[object]]] = MappingProxyType(
    {
        LogType.BOOT: BootData,
        LogType.THERAPY_STARTED: TherapyStartedData,
        LogType.THERAPY_STOPPED: TherapyStoppedData,
        LogType.BOLUS_STARTED: BolusStartedData,
        LogType.BOLUS_ENDED: BolusEndedData,
        LogType.BOLUS_CANCELLED: BolusCancelledData,
        LogType.ALARM_RAISED: AlarmRaisedData,
        LogType.ALARM_ACKNOWLEDGED: AlarmAcknowledgedData,
        LogType.PROGRAM_CHANGED: ProgramChangedData,
        LogType.SESSION_TAKEN_OVER: SessionTakenOverData,
        LogType.AUTHENTICATION_FAILED: AuthenticationFailedData,
        LogType.KEYS_REPLACED: KeysReplacedData,
        LogType.ALARM_CLEARED: AlarmClearedData,
        LogType.ALARM_SILENCED: AlarmSilencedData,
        LogType.DELIVERED: DeliveredData,
        LogType.STALL_ENDED: StallEndedData,
        LogType.REFILLED: RefilledData,
        LogType.TIME_SET: TimeSetData,
        LogType.MEMORY_REPAIRED: MemoryRepairedData,
        LogType.PROGRAM_BEGUN: ProgramBegunData,
        LogType.CORRUPT: CorruptData,
    }
)
TYPE_OF: Final[Mapping[type[object], LogType]] = MappingProxyType({data: code for code, data in DATA_OF.items()})


def log_record(
    data: object, *, sequence: int, epoch: int, boot: int, elapsed_s: int, rtc_unix_s: int = 0, op_id: int = 0
) -> LogRecord:
    """The record of an event; its type follows from the class of `data`."""
    image = encode(data)
    return LogRecord(
        sequence=sequence,
        epoch=epoch,
        boot=boot,
        elapsed_s=elapsed_s,
        rtc_unix_s=rtc_unix_s,
        type=TYPE_OF[type(data)],
        flags=0,
        data_length=len(image),
        op_id=op_id,
        data=image.ljust(LOG_DATA_SIZE, b"\x00"),
    )


def data_of(record: LogRecord) -> object | None:
    """The fields of a record's data, None for a type that this version does not know; FormatError if they are wrong."""
    cls = next((data for code, data in DATA_OF.items() if code == record.type), None)
    if cls is None:
        return None
    size = layout_of(cls).fixed_size
    # A later minor may have added fields behind these.
    return decode(cls, record.data[: min(size or 0, record.data_length)])
