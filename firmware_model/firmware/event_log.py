"""The event log: fixed records in a ring of pages, numbered for ever, durable before anyone hears of them.

A record becomes part of the log when the control record is committed whose `log_next` lies behind it. Which records are
still there follows from `log_next`: those of the page being written and of all others but the one to be erased next.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from msgspec import Struct

from firmware_model.memory import Memory
from firmware_model.quantities import HIGHEST_U32

RECORD_BYTES = 48
DETAIL_BYTES = 20
_RECORD = struct.Struct("<IHHIIHBBI20s")
_CRC = struct.Struct("<I")


class LogType(IntEnum):
    """What a record is about."""

    BOOT = 1
    THERAPY_STARTED = 2
    THERAPY_STOPPED = 3
    BOLUS_STARTED = 4
    BOLUS_ENDED = 5
    BOLUS_CANCELLED = 6
    ALARM_RAISED = 7
    ALARM_ACKNOWLEDGED = 8
    PROGRAM_CHANGED = 9
    SESSION_TAKEN_OVER = 10
    AUTHENTICATION_FAILED = 11
    KEYS_REPLACED = 12
    ALARM_CLEARED = 13
    ALARM_SILENCED = 14
    DELIVERED = 15
    STALL_ENDED = 16
    REFILLED = 17
    TIME_SET = 18
    MEMORY_REPAIRED = 19
    PROGRAM_BEGUN = 20
    CORRUPT = 0xFFFF


_ACTOR = (("role", "B"), ("host_id", "I"))
DETAIL: Mapping[LogType, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        LogType.BOOT: (("reset_reason", "B"), ("memory", "B"), ("generation", "I")),
        LogType.THERAPY_STARTED: (*_ACTOR, ("rate_nl_per_day", "I")),
        LogType.THERAPY_STOPPED: (*_ACTOR, ("reason", "B"), ("bolus_id", "I"), ("delivered_max_nl", "I")),
        LogType.BOLUS_STARTED: (*_ACTOR, ("bolus_id", "I"), ("volume_nl", "I"), ("duration_s", "I"), ("kind", "B")),
        LogType.BOLUS_ENDED: (
            *_ACTOR,
            ("reason", "B"),
            ("bolus_id", "I"),
            ("delivered_min_nl", "I"),
            ("delivered_max_nl", "I"),
        ),
        LogType.BOLUS_CANCELLED: (*_ACTOR, ("bolus_id", "I"), ("target_op_id", "I")),
        LogType.ALARM_RAISED: (
            ("instance", "H"),
            ("type", "H"),
            ("priority", "B"),
            ("reservoir_nl", "I"),
            ("steps", "Q"),
        ),
        LogType.ALARM_ACKNOWLEDGED: (*_ACTOR, ("instance", "H"), ("type", "H")),
        LogType.PROGRAM_CHANGED: (*_ACTOR, ("crc32", "I"), ("mode", "B"), ("rate_nl_per_day", "I")),
        LogType.SESSION_TAKEN_OVER: (*_ACTOR, ("from_host_id", "I")),
        LogType.AUTHENTICATION_FAILED: (("role", "B"), ("port", "B"), ("wrong_cryptograms", "H"), ("wrong_tags", "I")),
        LogType.KEYS_REPLACED: (("test_keys", "B"),),
        LogType.ALARM_CLEARED: (*_ACTOR, ("instance", "H"), ("type", "H")),
        LogType.ALARM_SILENCED: (*_ACTOR, ("instance", "H"), ("type", "H")),
        LogType.DELIVERED: (("steps", "Q"), ("volume_nl", "I")),
        LogType.STALL_ENDED: (("instance", "H"), ("pulses", "Q")),
        LogType.REFILLED: (*_ACTOR, ("computed_nl", "I"), ("measured_nl", "I"), ("volume_nl", "I")),
        LogType.TIME_SET: (*_ACTOR, ("unix_s", "I"), ("offset_min", "h"), ("rate_nl_per_day", "I")),
        LogType.MEMORY_REPAIRED: (("repairs", "I"),),
        LogType.PROGRAM_BEGUN: (*_ACTOR, ("crc32", "I")),
        LogType.CORRUPT: (),
    }
)
"""The fields of each type of record, with their struct codes."""
_DETAIL_STRUCT = {kind: struct.Struct("<" + "".join(code for _, code in layout)) for kind, layout in DETAIL.items()}
_DETAIL_NAMES = {kind: tuple(name for name, _ in layout) for kind, layout in DETAIL.items()}


class LogRecord(Struct, frozen=True, gc=False):
    """One record. `detail` has the fields that `DETAIL` names for its type."""

    sequence: int
    epoch: int
    boot: int
    elapsed_s: int
    rtc_unix_s: int
    type: LogType
    op_id: int
    detail: Mapping[str, int]


def encode_record(record: LogRecord) -> bytes:
    """The 48 bytes of a record in memory."""
    values = record.detail
    detail = _DETAIL_STRUCT[record.type].pack(*[values[name] for name in _DETAIL_NAMES[record.type]])
    body = _RECORD.pack(
        record.sequence,
        record.epoch,
        record.boot,
        min(record.elapsed_s, HIGHEST_U32),
        min(record.rtc_unix_s, HIGHEST_U32),
        record.type,
        0,
        len(detail),
        record.op_id,
        detail,
    )
    return body + _CRC.pack(zlib.crc32(body))


def decode_record(stored: bytes, sequence: int) -> LogRecord:
    """A record from memory; one whose bytes are bad, or not those of `sequence`, comes as CORRUPT under its number."""
    body, (crc,) = stored[: _RECORD.size], _CRC.unpack_from(stored, _RECORD.size)
    found, epoch, boot, elapsed_s, rtc, kind, _flags, length, op_id, detail = _RECORD.unpack(body)
    if crc != zlib.crc32(body) or found != sequence:
        return LogRecord(sequence, 0, 0, 0, 0, LogType.CORRUPT, 0, MappingProxyType({}))
    log_type = LogType(kind)
    values = _DETAIL_STRUCT[log_type].unpack(detail[:length])
    named = {name: value for (name, _), value in zip(DETAIL[log_type], values, strict=True)}
    return LogRecord(found, epoch, boot, elapsed_s, rtc, log_type, op_id, MappingProxyType(named))


@dataclass(frozen=True, slots=True)
class LogRing:
    """Where records lie in memory. Sequence numbers begin at 1."""

    memory: Memory
    pages: int
    records_per_page: int

    @property
    def capacity(self) -> int:
        """Records that are there at the least once the ring has filled: all pages but the one being written."""
        return (self.pages - 1) * self.records_per_page

    def first(self, log_next: int) -> int:
        """The oldest record that is still there, or `log_next` when there is none."""
        page = (log_next - 1) // self.records_per_page
        return min(max(1, (page - self.pages + 1) * self.records_per_page + 1), log_next)

    def write(self, record: LogRecord) -> None:
        """Put a record into its place; it is not part of the log before its sequence number is committed."""
        page, place = self._locate(record.sequence)
        if place == 0:
            self.memory.erase_log_page(page)
        self.memory.write_log(self._offset(page, place), encode_record(record))

    def read(self, sequence: int) -> LogRecord:
        """The record of a sequence number between `first` and the last committed one."""
        return decode_record(self.memory.read_log(self._offset(*self._locate(sequence)), RECORD_BYTES), sequence)

    def _locate(self, sequence: int) -> tuple[int, int]:
        page, place = divmod(sequence - 1, self.records_per_page)
        return page % self.pages, place

    def _offset(self, page: int, place: int) -> int:
        return page * self.memory.log_page_bytes + place * RECORD_BYTES
