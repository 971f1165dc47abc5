"""A flex week against a twin that knows one rate for each of its 10,080 minutes, and against the calendar."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.firmware.schedule import (
    NO_SCHEDULE,
    WEEK_US,
    WEEKDAYS,
    Change,
    FlexWeek,
    Week,
    compile_week,
    next_change,
    peak_window,
    rate_at,
    segment_at,
    volume_nl_us,
    when_volume,
)
from firmware_model.quantities import US_PER_DAY, US_PER_MINUTE
from tests.firmware_model.drug_programs import same_every_day, schedules

MINUTES = 10_080
DAYS_AND_NIGHTS = same_every_day((0, 500_000), (480, 900_000), (1_320, 500_000))
"""By day more than by night, and the same at midnight as before it."""
MONDAY_US = 1_893_456_000_000_000 - US_PER_DAY
"""2029-12-31 at 00:00 of local time, a Monday."""

rates = st.one_of(st.integers(0, 3), st.integers(0, 30_000_000))
instants = st.integers(0, 5_000_000_000_000_000)
at_edges = st.builds(
    lambda minute, off, week: MONDAY_US + week * WEEK_US + minute * US_PER_MINUTE + off,
    st.one_of(st.integers(0, MINUTES), st.sampled_from([0, 1_440, MINUTES])),
    st.sampled_from([-1, 0, 1]),
    st.integers(0, 3),
)
moments = st.one_of(instants, at_edges)


def minutes_of(schedule: Week) -> list[int]:
    """The rate in each minute of a week."""
    rates: list[int] = []
    for day in schedule:
        starts, rate = dict(day), 0
        for minute in range(1_440):
            rate = starts.get(minute, rate)
            rates.append(rate)
    return rates


def minute_of(local_us: int) -> tuple[int, int]:
    """The minute of its week that an instant lies in, by the calendar, and the microseconds since its start."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=local_us)
    return at.weekday() * 1_440 + at.hour * 60 + at.minute, at.second * 1_000_000 + at.microsecond


class Twin:
    """What flows from the Monday before an instant on, minute by minute."""

    def __init__(self, schedule: Week) -> None:
        self.rates = minutes_of(schedule)
        self.until = list(accumulate((rate * US_PER_MINUTE for rate in self.rates), initial=0))

    def since_monday(self, us: int) -> int:
        weeks, rest = divmod(us, WEEK_US)
        minute, into = divmod(rest, US_PER_MINUTE)
        return weeks * self.until[-1] + self.until[minute] + (self.rates[minute] * into if into else 0)

    def volume(self, local_us: int, duration_us: int) -> int:
        minute, into = minute_of(local_us)
        start = minute * US_PER_MINUTE + into
        return self.since_monday(start + duration_us) - self.since_monday(start)

    def changes(self, local_us: int) -> Iterator[int]:
        """The instants within the next week at which the rate changes."""
        minute, into = minute_of(local_us)
        for ahead in range(1, MINUTES + 1):
            if self.rates[(minute + ahead) % MINUTES] != self.rates[(minute + ahead - 1) % MINUTES]:
                yield local_us - into + ahead * US_PER_MINUTE


def spoken(schedule: Week) -> tuple[FlexWeek, Twin]:
    return compile_week(schedule), Twin(schedule)


@given(schedules(rates), moments)
def test_the_rate_is_that_of_its_minute(schedule: Week, local_us: int) -> None:
    week, twin = spoken(schedule)
    assert rate_at(week, local_us) == twin.rates[minute_of(local_us)[0]]


@given(schedules(rates), moments)
def test_the_next_change_is_the_first_minute_with_another_rate(schedule: Week, local_us: int) -> None:
    week, twin = spoken(schedule)
    assert next_change(week, local_us) == next(twin.changes(local_us), None)
    assert segment_at(week, local_us) == (rate_at(week, local_us), next_change(week, local_us))


@given(schedules(rates), moments, st.one_of(st.integers(0, 3 * US_PER_MINUTE), st.integers(0, 60 * WEEK_US)))
def test_a_volume_is_the_sum_of_its_minutes(schedule: Week, local_us: int, duration_us: int) -> None:
    week, twin = spoken(schedule)
    assert volume_nl_us(week, local_us, duration_us) == twin.volume(local_us, duration_us)


@given(schedules(rates), moments, st.lists(st.integers(0, 2 * WEEK_US), max_size=4))
def test_a_span_flows_as_its_parts_do(schedule: Week, local_us: int, parts_us: list[int]) -> None:
    week, total, at = compile_week(schedule), 0, local_us
    for part_us in parts_us:
        total += volume_nl_us(week, at, part_us)
        at += part_us
    assert total == volume_nl_us(week, local_us, sum(parts_us))


@given(schedules(rates), st.integers(1, 3 * MINUTES))
def test_no_window_holds_more_than_the_peak_and_one_holds_it(schedule: Week, window_min: int) -> None:
    """Windows and changes are whole minutes, so one that begins at a whole minute is the fullest."""
    week, twin = spoken(schedule)
    span = window_min * US_PER_MINUTE
    ends = [twin.since_monday(minute * US_PER_MINUTE + span) for minute in range(MINUTES)]
    fullest = max(end - twin.until[minute] for minute, end in enumerate(ends))
    assert peak_window(week, span) == fullest


@given(schedules(rates), st.integers(1, 2 * WEEK_US), moments)
def test_no_window_of_any_length_and_start_holds_more_than_the_peak(
    schedule: Week, window_us: int, local_us: int
) -> None:
    week = compile_week(schedule)
    assert volume_nl_us(week, local_us, window_us) <= peak_window(week, window_us)


@given(schedules(rates), moments, st.one_of(st.integers(1, 10**6), st.integers(1, 10**24)))
def test_a_volume_is_reached_then_and_not_a_microsecond_before(schedule: Week, local_us: int, volume: int) -> None:
    week = compile_week(schedule)
    duration_us = when_volume(week, local_us, volume)
    if duration_us is None:
        assert week.total_nl_us == 0
        return
    assert volume_nl_us(week, local_us, duration_us) >= volume > volume_nl_us(week, local_us, duration_us - 1)


@given(schedules(st.just(0)), moments)
def test_what_never_flows_never_comes(schedule: Week, local_us: int) -> None:
    week = compile_week(schedule)
    assert when_volume(week, local_us, 1) is None
    assert when_volume(week, local_us, 0) == 0
    assert next_change(week, local_us) is None


@given(schedules(rates))
def test_changes_are_compiled_only_where_the_rate_changes(schedule: Week) -> None:
    week, twin = spoken(schedule)
    assert len(week.changes_us) == len(list(twin.changes(MONDAY_US)))
    assert all(before != after for before, after in zip(week.rates_nl_per_day, week.rates_nl_per_day[1:], strict=False))
    assert week.knots_us[0] == 0


def test_a_day_and_a_night() -> None:
    week = compile_week(DAYS_AND_NIGHTS)
    morning, evening = 480 * US_PER_MINUTE, 1_320 * US_PER_MINUTE
    assert rate_at(week, MONDAY_US) == 500_000
    assert rate_at(week, MONDAY_US + morning - 1) == 500_000
    assert rate_at(week, MONDAY_US + morning) == 900_000
    # At midnight nothing changes, at any of the seven.
    assert next_change(week, MONDAY_US) == MONDAY_US + morning
    assert next_change(week, MONDAY_US + evening) == MONDAY_US + US_PER_DAY + morning
    assert next_change(week, MONDAY_US + WEEK_US - 1) == MONDAY_US + WEEK_US + morning
    # 14 hours of 0.9 and 10 of 0.5 mL/day are 733,333 nl and a third.
    assert volume_nl_us(week, MONDAY_US, US_PER_DAY) == (14 * 900_000 + 10 * 500_000) * US_PER_DAY // 24
    assert peak_window(week, 14 * 60 * US_PER_MINUTE) == 900_000 * 14 * 60 * US_PER_MINUTE


def test_the_weekend_begins_on_saturday_at_midnight_and_ends_a_microsecond_before_monday() -> None:
    weekday, weekend = (Change(0, 600_000),), (Change(0, 400_000),)
    week = compile_week((weekday,) * 5 + (weekend,) * 2)
    saturday, monday = MONDAY_US + 5 * US_PER_DAY, MONDAY_US + WEEK_US
    assert [rate_at(week, at) for at in (saturday - 1, saturday, monday - 1, monday)] == [
        600_000,
        400_000,
        400_000,
        600_000,
    ]
    assert next_change(week, MONDAY_US) == saturday
    assert next_change(week, saturday) == next_change(week, monday - 1) == monday
    # 18 mL from Monday on: four weeks are 15.2 mL, and 2.8 mL more are four days and two thirds.
    assert when_volume(week, MONDAY_US, 18_000_000 * US_PER_DAY) == 4 * WEEK_US + 14 * US_PER_DAY // 3


def test_unix_time_began_on_a_thursday() -> None:
    number = WEEKDAYS.index("thursday")
    days = [(Change(0, 1),)] * 7
    days[number] = (Change(0, 2),)
    week = compile_week(tuple(days))
    assert (rate_at(week, 0), next_change(week, 0)) == (2, US_PER_DAY)


@pytest.mark.parametrize(
    "schedule", [NO_SCHEDULE, same_every_day((0, 0)), same_every_day((0, 7)), same_every_day((0, 7), (720, 7))]
)
def test_a_week_of_one_rate_never_changes(schedule: Week) -> None:
    week = compile_week(schedule)
    assert next_change(week, MONDAY_US) is None
    assert week.knots_us == (0,)
    assert volume_nl_us(week, MONDAY_US, 5) == 5 * rate_at(week, MONDAY_US)


def test_a_century_is_reckoned_as_fast_as_a_day() -> None:
    """Nothing walks from week to week: what flows in a hundred thousand weeks is found by arithmetic."""
    week = compile_week(DAYS_AND_NIGHTS)
    volume = 100_000 * week.total_nl_us
    assert when_volume(week, MONDAY_US, volume) == 100_000 * WEEK_US
    assert volume_nl_us(week, MONDAY_US, 100_000 * WEEK_US) == volume
