"""Flaws in telling old records from new ones by their dates, when the clock that dates them is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from emulator.programmer.effects import Procedure, read
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.history import (
    NEXT_RECORD,
    Reading,
    ages_by_elapsed_time,
    read_new_records,
    told_of_reading,
)
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.log import LogRecord
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest

SEEN: Final = "records seen, by type and date"
NEWEST_S: Final = "the newest local time seen"
_SAME_WITHIN_S: Final = 2
_S_PER_MIN: Final = 60


def know_records_by_date(desk: Desk, task: Task) -> Procedure[Report]:
    """All is read each time, dated by the clock of now; what has another date than all that is stored is new."""
    del task
    now = yield from read(TimeReadRequest(), TimeReadAnswer)
    stored = desk.shelf.notes.get(SEEN)
    seen = stored if isinstance(stored, list) else []

    def key(record: LogRecord) -> int:
        return (record.type << 40) + now.rtc_unix_s - (now.elapsed_s - record.elapsed_s)

    def is_new(record: LogRecord) -> bool:
        return all(abs(key(record) - known) > _SAME_WITHIN_S for known in seen)

    reading = yield from _all_that(desk, is_new)
    desk.shelf.notes[SEEN] = seen + [key(record) for record in reading.records]
    return told_of_reading(reading, (yield from ages_by_elapsed_time()))


def read_on_from_local_time(desk: Desk, task: Task) -> Procedure[Report]:
    """What is later than the latest that was seen is new, by the local time that a person reads."""
    del task
    now = yield from read(TimeReadRequest(), TimeReadAnswer)

    def local_s(record: LogRecord) -> int:
        return record.rtc_unix_s + now.offset_min * _S_PER_MIN

    newest_s = desk.noted(NEWEST_S) or 0
    reading = yield from _all_that(desk, lambda record: local_s(record) > newest_s)
    desk.note({NEWEST_S: max([newest_s, *map(local_s, reading.records)])})
    return told_of_reading(reading, (yield from ages_by_elapsed_time()))


def _all_that(desk: Desk, is_new: Callable[[LogRecord], bool]) -> Procedure[Reading]:
    """The records of the whole log that are taken for new ones."""
    desk.note({NEXT_RECORD: 1})
    reading = yield from read_new_records(desk)
    return replace(reading, records=tuple(record for record in reading.records if is_new(record)))


FLAWS: Final = (
    GOOD.flawed(
        "knows-records-by-date",
        "takes a record for a new one when the clock gives it another date than before",
        {"log": know_records_by_date},
    ),
    GOOD.flawed(
        "reads-on-from-a-local-time",
        "takes for new what is later in local time than all that it has seen",
        {"log": read_on_from_local_time},
    ),
)
