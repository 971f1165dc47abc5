"""Two schedules side by side: a row for each time of day at which either changes, equal days together."""

from __future__ import annotations

from typing import Final

from emulator.cli.quantities import format_rate
from emulator.programmer.program_image import Day, Program
from emulator.programmer.program_schedule import time_of_day
from protocol.messages.codes import Mode
from protocol.messages.program import WEEKDAYS

Row = tuple[str, str, str]
_NONE: Final = "none"


def schedule_rows(old: Program, new: Program) -> list[Row]:
    """Label, rate now and rate then; a day on which the mode is no FLEX has no rates of its own."""
    rows: list[Row] = []
    days = [_days_of(old), _days_of(new)]
    for first, last in _groups(list(zip(*days, strict=True))):
        now, then = days[0][first], days[1][first]
        starts = sorted({change.start_min for change in (*now, *then)})
        rows += [
            (f"{_name(first, last)} {time_of_day(start)}", _rate_at(now, start), _rate_at(then, start))
            for start in starts
        ]
    return rows


def _days_of(program: Program) -> tuple[Day, ...]:
    return program.schedule if program.mode == Mode.FLEX else ((),) * len(WEEKDAYS)


def _groups(days: list[tuple[Day, ...]]) -> list[tuple[int, int]]:
    """The first and last of each run of days that are equal in both programs."""
    starts = [number for number, day in enumerate(days) if number == 0 or day != days[number - 1]]
    return list(zip(starts, [*(start - 1 for start in starts[1:]), len(days) - 1], strict=True))


def _name(first: int, last: int) -> str:
    if (first, last) == (0, len(WEEKDAYS) - 1):
        return "every day"
    return WEEKDAYS[first] if first == last else f"{WEEKDAYS[first]} to {WEEKDAYS[last]}"


def _rate_at(day: Day, minute: int) -> str:
    flowing = [change.rate_nl_per_day for change in day if change.start_min <= minute]
    return format_rate(flowing[-1]) if flowing else _NONE
