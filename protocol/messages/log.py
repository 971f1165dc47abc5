"""Service 06, log: the event log's extent, its records by pages, and where to begin."""

from __future__ import annotations

from typing import Final

from protocol.fields import message, raw, records, u8, u16, u32

LOG_RECORDS_PER_PAGE: Final = 4
LOG_DATA_SIZE: Final = 20


@message(ends_with_crc32=True)
class LogRecord:
    """One event. 48 bytes; the CRC-32 covers the 44 before it."""

    sequence: int = u32(meaning="rises by one, never begins again")
    epoch: int = u16(meaning="new when the log is begun anew")
    boot: int = u16(meaning="the number of the boot")
    elapsed_s: int = u32(unit="s", meaning="elapsed time")
    rtc_unix_s: int = u32(unit="s", meaning="Unix time in UTC; 0 = the clock is not set")
    type: int = u16(meaning="LogType; skip one that you do not know")
    flags: int = u8(meaning="none defined")
    data_length: int = u8(unit="bytes", maximum=LOG_DATA_SIZE, meaning="how many bytes of data count")
    op_id: int = u32(meaning="the op that it belongs to; 0 = none")
    data: bytes = raw(LOG_DATA_SIZE, meaning="by type, filled up with zeros")


@message
class LogStatusRequest:
    pass


@message(extensible=True)
class LogStatusAnswer:
    epoch: int = u16(meaning="the log's epoch")
    first: int = u32(meaning="the first sequence that is held; 0 = the log is empty")
    last: int = u32(meaning="the last sequence; 0 = the log is empty")
    capacity: int = u32(unit="records", meaning="how many records it holds")


@message
class LogReadRequest:
    epoch: int = u16(meaning="the epoch that the host reads")
    from_sequence: int = u32(meaning="the first record wanted")
    maximum: int = u8(unit="records", minimum=1, maximum=LOG_RECORDS_PER_PAGE, meaning="at most so many records")


@message(extensible=True)
class LogReadAnswer:
    next_sequence: int = u32(meaning="what to ask for next")
    records: tuple[LogRecord, ...] = records(LogRecord, maximum=LOG_RECORDS_PER_PAGE, meaning="by rising sequence")


@message
class LogFindByElapsedRequest:
    epoch: int = u16(meaning="the epoch that the host reads")
    elapsed_s: int = u32(unit="s", meaning="elapsed time")


@message(extensible=True)
class LogFindByElapsedAnswer:
    sequence: int = u32(meaning="the first record held of that time or later; the next one to come if there is none")
