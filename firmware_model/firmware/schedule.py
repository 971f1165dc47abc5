"""A flex schedule: the rate at each minute of the local week, exact at midnight, at the week's wrap, and over years.

Local time is Unix time plus the clock's offset, in microseconds; weeks begin on Monday at 00:00. A volume here is a
rate integrated over time, in nl/d x us (`volume_nl_us`): divided by `US_PER_DAY` it is nanolitres, and nothing was
rounded. Whoever asks often keeps the compiled week.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from firmware_model.quantities import US_PER_DAY, US_PER_MINUTE, ceil_div

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MINUTES_PER_DAY = 1_440
WEEK_US = len(WEEKDAYS) * US_PER_DAY
UNIX_EPOCH_US = 3 * US_PER_DAY
"""Where in its week Unix time begins: 1970-01-01 was a Thursday."""


class Change(NamedTuple):
    """From a minute of its day on, this rate flows until the next change, past midnight if need be."""

    start_min: int
    rate_nl_per_day: int


Day = tuple[Change, ...]
Week = tuple[Day, ...]
"""Seven days from Monday on. A day that has changes has one at minute 0, and their starts rise."""
NO_SCHEDULE: Week = ((),) * len(WEEKDAYS)


class FlexWeek(NamedTuple):
    """A compiled week: knots at its start and wherever the rate changes, and what has flowed until each.

    Knots and changes are microseconds of the week; `volumes_nl_us[i]` flows from the week's start until knot i.
    """

    knots_us: tuple[int, ...]
    rates_nl_per_day: tuple[int, ...]
    volumes_nl_us: tuple[int, ...]
    total_nl_us: int
    changes_us: tuple[int, ...]


def compile_week(schedule: Week) -> FlexWeek:
    """What answers questions about a schedule: seven days, each with a change at minute 0; without any, rate 0."""
    knots: list[int] = []
    rates: list[int] = []
    for number, day in enumerate(schedule):
        for start_min, rate in day:
            if not rates or rate != rates[-1]:
                knots.append(number * US_PER_DAY + start_min * US_PER_MINUTE)
                rates.append(rate)
    if not knots:
        knots, rates = [0], [0]
    volumes, total = [], 0
    for start, end, rate in zip(knots, [*knots[1:], WEEK_US], rates, strict=True):
        volumes.append(total)
        total += rate * (end - start)
    # On Monday at 00:00 the rate changes only if Sunday ends with another.
    changes = knots if rates[0] != rates[-1] else knots[1:]
    return FlexWeek(tuple(knots), tuple(rates), tuple(volumes), total, tuple(changes))


def rate_at(week: FlexWeek, local_us: int) -> int:
    """The rate that flows from an instant on, in nl/d."""
    return week.rates_nl_per_day[bisect_right(week.knots_us, (local_us + UNIX_EPOCH_US) % WEEK_US) - 1]


def next_change(week: FlexWeek, local_us: int) -> int | None:
    """The first instant after this one at which the rate changes; None if it never does."""
    changes = week.changes_us
    if not changes:
        return None
    in_week = (local_us + UNIX_EPOCH_US) % WEEK_US
    after = bisect_right(changes, in_week)
    ahead = changes[after] if after < len(changes) else changes[0] + WEEK_US
    return local_us - in_week + ahead


def segment_at(week: FlexWeek, local_us: int) -> tuple[int, int | None]:
    """What `rate_at` and `next_change` say, at one look."""
    in_week = (local_us + UNIX_EPOCH_US) % WEEK_US
    knots = week.knots_us
    place = bisect_right(knots, in_week)
    if place < len(knots):
        return week.rates_nl_per_day[place - 1], local_us - in_week + knots[place]
    return week.rates_nl_per_day[place - 1], next_change(week, local_us)


def volume_nl_us(week: FlexWeek, local_us: int, duration_us: int) -> int:
    """What flows from an instant on for so long."""
    start_us = local_us + UNIX_EPOCH_US
    return _volume_until(week, start_us + duration_us) - _volume_until(week, start_us)


def peak_window(week: FlexWeek, window_us: int) -> int:
    """The most that flows in any window of this length."""
    # As the window moves, what it holds changes its course only where one of its ends passes a knot.
    starts = {(knot - moved) % WEEK_US for knot in week.knots_us for moved in (0, window_us)}
    return max(_volume_until(week, start + window_us) - _volume_until(week, start) for start in starts)


def when_volume(week: FlexWeek, local_us: int, volume_nl_us: int) -> int | None:
    """The least duration from an instant on in which so much flows; None if it never does."""
    if volume_nl_us <= 0:
        return 0
    if week.total_nl_us == 0:
        return None
    in_week = (local_us + UNIX_EPOCH_US) % WEEK_US
    weeks, last = divmod(_volume_until(week, in_week) + volume_nl_us - 1, week.total_nl_us)
    # The knot behind which the last of it flows; there the rate is not 0.
    knot = bisect_left(week.volumes_nl_us, last + 1) - 1
    behind_us = ceil_div(last + 1 - week.volumes_nl_us[knot], week.rates_nl_per_day[knot])
    return weeks * WEEK_US + week.knots_us[knot] + behind_us - in_week


def _volume_until(week: FlexWeek, since_monday_us: int) -> int:
    """What flows from a Monday at 00:00 on."""
    weeks, in_week = divmod(since_monday_us, WEEK_US)
    knot = bisect_right(week.knots_us, in_week) - 1
    since_knot_us = in_week - week.knots_us[knot]
    return weeks * week.total_nl_us + week.volumes_nl_us[knot] + week.rates_nl_per_day[knot] * since_knot_us
