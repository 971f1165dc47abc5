"""The event log as the good sample programmer reads it, and what it tells of it.

Records are told apart by pump, epoch and sequence, and dated by elapsed time, which never goes back; the clock only
labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emulator.programmer.effects import Procedure, read
from emulator.programmer.ledger import read_log_page
from emulator.scenario.samples.sample import Desk, Report
from protocol.fields import FormatError
from protocol.messages.codes import LogType
from protocol.messages.log import LogRecord, LogStatusAnswer, LogStatusRequest
from protocol.messages.log_records import BolusEndedData, data_of
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest

MAX_PAGES: Final = 1 << 16
NEXT_RECORD: Final = "next record"
LOG_EPOCH: Final = "log epoch"
DAY_S: Final = 86_400

AgeOf = Callable[[LogRecord], int]
"""How long ago a record was made, in seconds."""
IsAnother = Callable[[LogStatusAnswer, int | None, int], bool]
"""Whether a log is another one than that of which epoch and following record were noted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The records of one reading. `lost`: how many the pump has overwritten; `anew`: it has begun its log anew."""

    records: tuple[LogRecord, ...]
    lost: int = 0
    anew: bool = False


def is_another_log(status: LogStatusAnswer, epoch: int | None, following: int) -> bool:
    """Whether this is not the log that was read up to `following`: it has another epoch, or ends before that place."""
    return epoch not in (None, status.epoch) or status.last + 1 < following


def read_new_records(desk: Desk, is_another: IsAnother = is_another_log) -> Procedure[Reading]:
    """From where the log was last read to its end, over gaps; the place is noted."""
    status = yield from read(LogStatusRequest(), LogStatusAnswer)
    wanted = desk.noted(NEXT_RECORD) or 1
    anew = is_another(status, desk.noted(LOG_EPOCH), wanted)
    wanted = 1 if anew else wanted
    first, records = max(wanted, status.first), list[LogRecord]()
    lost = max(0, status.first - wanted)
    for _ in range(MAX_PAGES):
        if not 0 < first <= status.last:
            break
        page, following = yield from read_log_page(status.epoch, first)
        lost += following - first - len(page)
        records.extend(page)
        first = following
    desk.note({NEXT_RECORD: first, LOG_EPOCH: status.epoch})
    return Reading(tuple(records), lost, anew)


def ages_by_elapsed_time() -> Procedure[AgeOf]:
    """Ages by the pump's elapsed time."""
    now = yield from read(TimeReadRequest(), TimeReadAnswer)
    return lambda record: now.elapsed_s - record.elapsed_s


def told_of_reading(reading: Reading, age_s: AgeOf) -> Report:
    """What a person is told of a reading; `bolus_24h_nl`: what boluses have given at most in the last 24 hours."""
    words = [log_word(record) for record in reading.records]
    started = [record for record, word in zip(reading.records, words, strict=True) if word == "bolus_started"]
    given = [(age_s(record), data) for record in reading.records if (data := _bolus_end(record)) is not None]
    return {
        "outcome": "done",
        "records": len(reading.records),
        "lost_records": reading.lost,
        "unreadable_records": words.count("corrupt"),
        "new_epoch": reading.anew,
        "types": sorted(set(words)),
        "boluses": len(started),
        "program_changes": words.count("program_changed"),
        "delivered_nl": sum(data.delivered_max_nl for _, data in given),
        "bolus_24h_nl": sum(data.delivered_max_nl for age, data in given if 0 <= age < DAY_S),
        **({"last_bolus_ago_s": min(map(age_s, started))} if started else {}),
    }


def log_word(record: LogRecord) -> str:
    """The type of a record, as events name it."""
    try:
        return LogType(record.type).name.lower()
    except ValueError:
        return f"type_{record.type}"


def _bolus_end(record: LogRecord) -> BolusEndedData | None:
    try:
        data = data_of(record)
    except FormatError:
        return None
    return data if isinstance(data, BolusEndedData) else None
