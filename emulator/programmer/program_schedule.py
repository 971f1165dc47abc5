"""The schedule in a program file: the rates of each day by the time of day, read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from emulator.programmer.program_fields import NONE, FileField, Kind, clip, listed, meant, quoted
from emulator.programmer.program_image import Day, Week
from emulator.programmer.program_said import DAYS_OF_KEY, ProgramFile
from emulator.programmer.program_sections import read_fields
from emulator.programmer.toml_lines import KeyPath
from emulator.quantities import QuantityError, format_rate, parse_rate_nl_per_day
from protocol.messages.program import CHANGES_MAX, WEEKDAYS, ChangeEntry

PartialWeek = tuple[Day | None, ...]
"""Seven days from Monday on, None for each that a file does not say."""
EXAMPLE: Final = '[{ at = "00:00", rate = "0.5mL/day" }, { at = "08:00", rate = "0.9mL/day" }]'
_TIME_OF_DAY: Final = re.compile(r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])", re.ASCII)
_MIN_PER_HOUR: Final = 60


def time_of_day(start_min: int) -> str:
    """A minute of the day as a clock shows it."""
    return f"{start_min // _MIN_PER_HOUR:02d}:{start_min % _MIN_PER_HOUR:02d}"


def day_text(day: Day) -> str:
    """The rates of a day, for a sentence."""
    rates = (f"{format_rate(change.rate_nl_per_day)} from {time_of_day(change.start_min)}" for change in day)
    return ", ".join(rates) or NONE


def _read_time(text: str) -> int:
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        raise QuantityError(f"{quoted(text)} is no time of day; write one from 00:00 to 23:59, such as 08:00")
    return int(found["hour"]) * _MIN_PER_HOUR + int(found["minute"])


_AT: Final = FileField("schedule", "at", "start_min", _read_time, time_of_day, "08:00", Kind.WORD)
_RATE: Final = FileField("schedule", "rate", "rate_nl_per_day", parse_rate_nl_per_day, format_rate, "0.9mL/day")
_CHANGE: Final[Mapping[str, FileField]] = {field.name: field for field in (_AT, _RATE)}


def read_schedule(file: ProgramFile, entries: object) -> PartialWeek:
    """The days that a section [schedule] says."""
    if not isinstance(entries, dict):
        raise file.error(f"schedule must be a section: write [schedule], and below it {_days_allowed()}", "schedule")
    days: list[Day | None] = [None] * len(WEEKDAYS)
    said_by: dict[int, str] = {}
    for key, value in entries.items():
        if key not in DAYS_OF_KEY:
            what = clip(f"schedule.{key}")
            raise file.error(
                f"there is no {what}{meant(key, DAYS_OF_KEY)}; schedule has {_days_allowed()}", "schedule", key
            )
        day = _read_day(file, key, value)
        for number in DAYS_OF_KEY[key]:
            if number in said_by:
                twice = f"{WEEKDAYS[number]} is there twice: schedule.{said_by[number]} says it, and schedule.{key}"
                raise file.error(twice, "schedule", key)
            days[number], said_by[number] = day, key
    if not said_by:
        raise file.error(f"schedule says no day; write {_days_allowed()}, such as every_day = {EXAMPLE}", "schedule")
    return tuple(days)


def schedule_text(schedule: Week) -> str:
    """A schedule as the section of a file that says all of it, equal days under one key where there is one."""
    lines, left = ["[schedule]"], set(range(len(WEEKDAYS)))
    for key in ("every_day", "weekdays", "weekend", *WEEKDAYS):
        numbers = DAYS_OF_KEY[key]
        if left.issuperset(numbers) and len({schedule[number] for number in numbers}) == 1:
            left -= set(numbers)
            changes = ", ".join(
                f'{{ at = "{time_of_day(change.start_min)}", rate = "{format_rate(change.rate_nl_per_day)}" }}'
                for change in schedule[numbers[0]]
            )
            lines.append(f"{key} = [{changes}]")
    return "\n".join(lines) + "\n"


def _days_allowed() -> str:
    return listed(DAYS_OF_KEY, "or")


def _read_day(file: ProgramFile, key: str, value: object) -> Day:
    at: KeyPath = ("schedule", key)
    if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
        raise file.error(f"schedule.{key} must be a list of changes, such as {EXAMPLE}", *at)
    if len(value) > CHANGES_MAX:
        complaint = f"this is change {CHANGES_MAX + 1} of schedule.{key}, and a day has at most {CHANGES_MAX}"
        raise file.error(complaint, *at, CHANGES_MAX)
    day: list[ChangeEntry] = []
    for number, entries in enumerate(value):
        change = _read_change(file, entries, (*at, number))
        if not day and change.start_min != 0:
            begins = time_of_day(change.start_min)
            raise file.error(f"schedule.{key} must begin at 00:00, and begins at {begins}", *at, number)
        if day and change.start_min <= day[-1].start_min:
            later = f"{time_of_day(change.start_min)} stands behind {time_of_day(day[-1].start_min)}"
            raise file.error(f"schedule.{key}: {later}; write the changes in the order of the day", *at, number)
        day.append(change)
    return tuple(day)


def _read_change(file: ProgramFile, entries: Mapping[str, Any], at: KeyPath) -> ChangeEntry:
    values = read_fields(file, _CHANGE, "schedule", entries, at)
    for field in _CHANGE.values():
        if field.name not in values:
            raise file.error(f"this change has no {field.name}; write {field.assignment}", *at)
    return ChangeEntry(start_min=values[_AT.name], rate_nl_per_day=values[_RATE.name])
