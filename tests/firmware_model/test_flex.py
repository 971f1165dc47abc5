"""Flex dosing: the week's pattern flows to the microsecond, whatever becomes of the clock that it follows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import AlarmCleared, Reason, Refusal
from firmware_model.firmware.codes import AlarmState, AlarmType, Mode
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.schedule import Change, Day, Week
from firmware_model.quantities import US_PER_DAY, US_PER_MINUTE, ceil_div
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
HOUR = 3_600 * SECOND
NEW_YEAR_S = 1_893_456_000
"""What the clock shows when a pump is new: 2030-01-01 00:00, a Tuesday."""
FALLBACK = 100_000

DAY = (Change(0, 120_000), Change(360, 240_000), Change(1_200, 72_000))
"""At night, from 06:00, from 20:00."""
WEEKEND = (Change(0, 480_000),)
WORKDAYS: Week = (DAY,) * 5 + (WEEKEND,) * 2


def at_flex(schedule: Week = WORKDAYS) -> Bedside:
    bedside = Bedside(PROFILE)
    flex = new_program(PROFILE, mode=Mode.FLEX, schedule=schedule, rate_nl_per_day=FALLBACK)
    granted(bedside.program(flex))
    return bedside


def rate(bedside: Bedside) -> int:
    return bedside.status().base_rate_nl_per_day


def rates_around(bedside: Bedside, now_us: int) -> tuple[int, int]:
    """The rate a microsecond before an instant, and at it."""
    bedside.pump.advance(now_us - 1)
    before = rate(bedside)
    bedside.pump.advance(now_us)
    return before, rate(bedside)


# --- properties: against a look at the clock in every minute --------------------------------------------------------


def rate_by_the_wall(schedule: Week, local_us: int) -> int:
    """The rate that a person reads off the plan: this weekday's last change that is not yet to come."""
    days, in_day_us = divmod(local_us, US_PER_DAY)
    day = schedule[(days + 3) % 7]
    return [change.rate_nl_per_day for change in day if change.start_min * US_PER_MINUTE <= in_day_us][-1]


def flowed(schedule: Week, local_us: int, elapsed_us: int) -> int:
    """What flows from an instant on, minute by minute, in nl/d x us."""
    end_us, flow = local_us + elapsed_us, 0
    while local_us < end_us:
        next_us = min(end_us, (local_us // US_PER_MINUTE + 1) * US_PER_MINUTE)
        flow += rate_by_the_wall(schedule, local_us) * (next_us - local_us)
        local_us = next_us
    return flow


_rates = st.integers(48, 300).map(lambda quanta: quanta * 1_000)
_starts = st.sets(st.integers(1, 1_439), max_size=12).map(lambda starts: [0, *sorted(starts)])
_days: st.SearchStrategy[Day] = _starts.flatmap(
    lambda starts: st.tuples(*(st.builds(Change, st.just(start), _rates) for start in starts))
)
_weeks = st.lists(_days, min_size=7, max_size=7).map(tuple)
_settings = st.none() | st.tuples(st.integers(NEW_YEAR_S - 604_800, NEW_YEAR_S + 604_800), st.integers(-840, 840))


@settings(max_examples=25, deadline=None)
@given(_weeks, st.lists(st.tuples(st.integers(0, 2 * US_PER_DAY), _settings), min_size=1, max_size=5))
def test_what_flows_is_what_the_plan_says_minute_by_minute(
    schedule: Week, days: list[tuple[int, tuple[int, int] | None]]
) -> None:
    """The clock is set now and then, forwards and back, and to another zone; not one motor step is lost or double."""
    bedside = at_flex(schedule)
    local_us, flow = NEW_YEAR_S * SECOND, 0
    for elapsed_us, setting in days:
        bedside.pump.advance(bedside.now + elapsed_us)
        flow += flowed(schedule, local_us, elapsed_us)
        local_us += elapsed_us
        assert rate(bedside) == rate_by_the_wall(schedule, local_us)
        assert bedside.pump.plant.motor.steps == flow // (bedside.step_nl * US_PER_DAY)
        if setting is not None:
            unix_s, offset_min = setting
            told = granted(bedside.set_time(unix_s, offset_min))
            local_us = unix_s * SECOND + offset_min * US_PER_MINUTE
            assert told.base_rate_nl_per_day == rate(bedside) == rate_by_the_wall(schedule, local_us)


@settings(max_examples=25, deadline=None)
@given(_weeks, st.integers(-500_000, 500_000), st.integers(1, 12))
def test_a_clock_that_drifts_brings_each_change_when_it_shows_it(schedule: Week, ppm: int, changes: int) -> None:
    bedside = at_flex(schedule)
    bedside.fault("clock-drift", ppm=ppm)
    local_us = NEW_YEAR_S * SECOND
    found = 0
    for minute in range(1, 7 * 1_440):
        shown_us = minute * US_PER_MINUTE
        before, after = (rate_by_the_wall(schedule, local_us + shown_us + late) for late in (-1, 0))
        if before != after:
            found += 1
            assert rates_around(bedside, ceil_div(shown_us * 1_000_000, 1_000_000 + ppm)) == (before, after)
        if found == changes:
            break


# --- stories --------------------------------------------------------------------------------------------------------


def test_each_change_of_the_day_comes_in_its_very_microsecond() -> None:
    bedside = at_flex()
    assert rate(bedside) == 120_000
    assert rates_around(bedside, 6 * HOUR) == (120_000, 240_000)
    assert rates_around(bedside, 20 * HOUR) == (240_000, 72_000)
    assert rates_around(bedside, 24 * HOUR) == (72_000, 120_000)


def test_on_friday_at_midnight_the_weekend_begins_and_on_sunday_the_week_begins_anew() -> None:
    bedside = at_flex()
    saturday, monday = 4 * US_PER_DAY, 6 * US_PER_DAY
    assert rates_around(bedside, saturday) == (72_000, 480_000)
    assert rates_around(bedside, saturday + US_PER_DAY) == (480_000, 480_000)
    assert rates_around(bedside, monday) == (480_000, 120_000)
    assert rates_around(bedside, monday + 6 * HOUR) == (120_000, 240_000)


def test_thirteen_changes_a_day_for_a_week() -> None:
    starts = [0, *range(5, 1_440, 119)][:13]
    schedule = tuple(
        tuple(Change(start, (100 + 20 * weekday + place) * 1_000) for place, start in enumerate(starts))
        for weekday in range(7)
    )
    bedside = at_flex(schedule)
    for day in range(8):
        weekday = (day + 1) % 7
        for place, start in enumerate(starts):
            if day or place:
                _, after = rates_around(bedside, day * US_PER_DAY + start * US_PER_MINUTE)
                assert after == (100 + 20 * weekday + place) * 1_000


def test_a_day_that_is_not_over_yet_is_not_made_up_for_when_the_clock_is_set_forward() -> None:
    bedside = at_flex()
    bedside.pump.advance(5 * HOUR)
    told = granted(bedside.set_time(NEW_YEAR_S + 19 * 3_600))
    assert told.base_rate_nl_per_day == rate(bedside) == 240_000
    assert rates_around(bedside, 6 * HOUR) == (240_000, 72_000), "an hour later it is 20:00"
    flow = 5 * 120_000 + 240_000
    assert bedside.pump.plant.motor.steps == flow * HOUR // (bedside.step_nl * US_PER_DAY)


def test_set_back_an_hour_of_the_night_comes_twice() -> None:
    """As clocks do in autumn, here by the offset alone; an hour's rate flows for two."""
    bedside = at_flex()
    bedside.pump.advance(6 * HOUR)
    assert rate(bedside) == 240_000
    granted(bedside.set_time(NEW_YEAR_S + 6 * 3_600, -60))
    assert rate(bedside) == 120_000
    assert rates_around(bedside, 7 * HOUR) == (120_000, 240_000)


@pytest.mark.parametrize(
    ("unix_s", "offset_min", "expected"),
    [
        (0, 0, Refusal(Reason.CLOCK_INVALID, "unix_s")),
        (NEW_YEAR_S, 1_441, Refusal(Reason.CLOCK_INVALID, "offset_min", detail=1_440)),
        (NEW_YEAR_S, -1_441, Refusal(Reason.CLOCK_INVALID, "offset_min", detail=1_440)),
    ],
)
def test_a_time_that_no_clock_can_show_is_not_set(unix_s: int, offset_min: int, expected: Refusal) -> None:
    bedside = at_flex()
    before = bedside.pump.digest()
    assert refused(bedside.set_time(unix_s, offset_min)) == expected
    assert bedside.pump.digest() == before


def test_setting_the_clock_moves_no_bolus_and_rewrites_no_record() -> None:
    bedside = at_flex()
    bedside.bolus(100_000, 3_600)
    before = bedside.log()
    bedside.wait(1_800)
    granted(bedside.set_time(NEW_YEAR_S + 500_000))
    bedside.pump.advance(HOUR - 1)
    assert bedside.status().bolus_id == 1
    bedside.pump.advance(HOUR)
    assert bedside.status().bolus_id == 0
    after = bedside.log()
    assert after[: len(before)] == before
    assert [record.type for record in after[len(before) :]] == [LogType.TIME_SET, LogType.BOLUS_ENDED]
    assert after[-1].rtc_unix_s == NEW_YEAR_S + 500_000 + 1_800


def test_a_clock_that_jumps_takes_the_schedule_along() -> None:
    bedside = at_flex()
    bedside.wait(3_600)
    bedside.fault("clock-jump", s=5 * 3_600)
    assert rate(bedside) == 240_000
    bedside.fault("clock-jump", s=-1)
    assert rate(bedside) == 120_000
    assert rates_around(bedside, bedside.now + SECOND) == (120_000, 240_000)


def test_a_clock_that_stands_still_brings_no_change_any_more() -> None:
    bedside = at_flex()
    bedside.wait(3_600)
    bedside.fault("clock-drift", ppm=-1_000_000)
    bedside.wait(10 * 86_400)
    assert rate(bedside) == 120_000
    bedside.clear_faults()
    assert rates_around(bedside, bedside.now + 5 * HOUR) == (120_000, 240_000)


def test_a_lost_clock_leaves_the_one_documented_rate_and_an_alarm_until_it_is_set() -> None:
    bedside = at_flex()
    bedside.fault("clock-loss", after=7 * 3_600)
    assert rates_around(bedside, 7 * HOUR) == (240_000, FALLBACK)
    (alarm,) = bedside.alarms()
    assert (alarm.type, alarm.state, alarm.elapsed_s) == (AlarmType.CLOCK_LOST, AlarmState.RAISED, 7 * 3_600)
    bedside.wait(3 * 86_400)
    assert rate(bedside) == FALLBACK
    assert bedside.log()[-1].rtc_unix_s == 0, "a record without a clock has no date"
    told = bedside.clear(alarm.instance)
    assert told == AlarmCleared(alarm.instance, AlarmState.CLEARED, alarm.instance + 1), "its cause is still there"
    granted(bedside.set_time(NEW_YEAR_S + 6 * 86_400 + 3_600))
    assert rate(bedside) == 120_000
    assert [each.state for each in bedside.alarms()] == [AlarmState.CLEARED] * 2, "found again, it ends by itself"
    assert rates_around(bedside, bedside.now + 5 * HOUR) == (120_000, 240_000)


def test_a_clock_that_is_lost_while_there_is_no_power_is_missed_at_boot() -> None:
    bedside = at_flex()
    bedside.wait(3_600)
    bedside.cut_power()
    bedside.fault("clock-loss")
    bedside.wait(600)
    bedside.restore_power()
    assert rate(bedside) == FALLBACK
    assert AlarmType.CLOCK_LOST in {alarm.type for alarm in bedside.alarms()}


def test_after_a_boot_the_first_change_is_that_of_the_clock() -> None:
    """Without power from 05:00 to 07:00, for the clock has a supply of its own: the change at 06:00 was missed."""
    bedside = at_flex()
    bedside.pump.advance(5 * HOUR)
    bedside.cut_power()
    bedside.pump.advance(7 * HOUR)
    bedside.restore_power()
    assert rate(bedside) == 240_000
    assert rates_around(bedside, 20 * HOUR) == (240_000, 72_000)


def test_a_start_takes_up_the_segment_of_the_hour_and_not_the_one_that_was_left() -> None:
    bedside = at_flex()
    bedside.pump.advance(3 * HOUR)
    granted(bedside.stop())
    steps = bedside.pump.plant.motor.steps
    bedside.pump.advance(9 * HOUR)
    assert (rate(bedside), bedside.pump.plant.motor.steps) == (0, steps)
    granted(bedside.start())
    assert rate(bedside) == 240_000
    assert bedside.log()[-1].detail["rate_nl_per_day"] == 240_000
