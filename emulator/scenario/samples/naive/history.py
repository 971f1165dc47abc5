"""Flaws in reading the event log: how records are dated and told apart, and what is made of a gap or a damaged one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from emulator.programmer.book import Book
from emulator.programmer.effects import Procedure, PumpRefused, read
from emulator.programmer.ledger import Host
from emulator.scenario.samples.good import GOOD, read_log
from emulator.scenario.samples.hands import refusal_report
from emulator.scenario.samples.history import (
    LOG_EPOCH,
    NEXT_RECORD,
    Reading,
    ages_by_elapsed_time,
    read_new_records,
    told_of_reading,
)
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.codes import LogType
from protocol.messages.log import (
    LOG_RECORDS_PER_PAGE,
    LogReadAnswer,
    LogReadRequest,
    LogRecord,
    LogStatusAnswer,
    LogStatusRequest,
)
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest


def date_by_the_clock(desk: Desk, task: Task) -> Procedure[Report]:
    """A record was made when its clock label says."""
    del task
    reading = yield from read_new_records(desk)
    now = yield from read(TimeReadRequest(), TimeReadAnswer)
    return told_of_reading(reading, lambda record: now.rtc_unix_s - record.rtc_unix_s)


def keep_one_record_a_second(desk: Desk, task: Task) -> Procedure[Report]:
    """The store has one place for each time stamp, so that what is read twice is stored once."""
    del task
    reading = yield from read_new_records(desk)
    stored = {record.rtc_unix_s: record for record in reading.records}
    return told_of_reading(replace(reading, records=tuple(stored.values())), (yield from ages_by_elapsed_time()))


def end_at_a_damaged_record(desk: Desk, task: Task) -> Procedure[Report]:
    """What cannot be read is where the log ends; the next time it is tried again from there."""
    del task
    reading = yield from read_new_records(desk)
    readable = list[LogRecord]()
    for record in reading.records:
        if record.type == LogType.CORRUPT:
            desk.note({NEXT_RECORD: record.sequence})
            break
        readable.append(record)
    return told_of_reading(replace(reading, records=tuple(readable)), (yield from ages_by_elapsed_time()))


def expect_an_unbroken_history(desk: Desk, task: Task) -> Procedure[Report]:
    """There is always something new, and it begins where the last reading ended: anything else is an error."""
    del task
    epoch = (yield from read(LogStatusRequest(), LogStatusAnswer)).epoch
    following, records = desk.noted(NEXT_RECORD) or 1, list[LogRecord]()
    while True:
        request = LogReadRequest(epoch=epoch, from_sequence=following, maximum=LOG_RECORDS_PER_PAGE)
        try:
            page = yield from read(request, LogReadAnswer)
        except PumpRefused as refused:
            return {**refusal_report(refused.nak), "outcome": "failed"}
        if not page.records:
            break
        records.extend(page.records)
        following = page.next_sequence
    if not records:
        return {"outcome": "failed", "reason": "the pump has no history"}
    desk.note({NEXT_RECORD: following, LOG_EPOCH: epoch})
    return told_of_reading(Reading(tuple(records)), (yield from ages_by_elapsed_time()))


def read_on_in_whatever_log(desk: Desk, task: Task) -> Procedure[Report]:
    """There is one history, and one place in it: the number of the pump is for display."""
    nameless = Host(Book(serial_number=0), desk.host.role, desk.host.host_id)
    return (yield from read_log(replace(desk, host=nameless), task))


def go_by_the_epoch_alone(desk: Desk, task: Task) -> Procedure[Report]:
    """A log of the same epoch is the same log, and what it lacks is yet to come."""
    del task
    reading = yield from read_new_records(desk, lambda status, epoch, _following: epoch not in (None, status.epoch))
    return told_of_reading(reading, (yield from ages_by_elapsed_time()))


FLAWS: Final = (
    GOOD.flawed(
        "dates-by-the-clock",
        "takes the clock label of a record for the time at which it was made",
        {"log": date_by_the_clock},
    ),
    GOOD.flawed(
        "keeps-one-record-a-second",
        "stores records by their time stamp, so that one of two in a second is lost",
        {"log": keep_one_record_a_second},
    ),
    GOOD.flawed(
        "ends-at-a-damaged-record",
        "takes a record that cannot be read for the end of the log",
        {"log": end_at_a_damaged_record},
    ),
    GOOD.flawed(
        "expects-an-unbroken-history",
        "takes a log with nothing new in it, and one of which the beginning is overwritten, for an error",
        {"log": expect_an_unbroken_history},
    ),
    GOOD.flawed(
        "keeps-one-place-for-all-pumps",
        "goes on in the log of another pump where it has stopped in that of the former one",
        {"log": read_on_in_whatever_log},
    ),
    GOOD.flawed(
        "goes-by-the-epoch-alone",
        "waits in a log that was begun anew for the record behind the last that it has read in the former one",
        {"log": go_by_the_epoch_alone},
    ),
)
