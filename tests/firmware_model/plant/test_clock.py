"""The real-time counter: exact at any drift, and the instant of a reading is the inverse of the reading."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.plant.clock import MOST_DRIFT_PPM, Clock
from firmware_model.quantities import US_PER_DAY, US_PER_SECOND

DAYS_US = 30 * US_PER_DAY

Touch = tuple[int, str, int]
_drifts_ppm = st.one_of(
    st.integers(-MOST_DRIFT_PPM, MOST_DRIFT_PPM), st.sampled_from([-1_000_000, -999_999, -100, -1, 0, 1, 20])
)
_touches = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 5), st.integers(0, DAYS_US)),
        st.sampled_from(["drift", "drift", "jump", "lose", "restart"]),
        _drifts_ppm,
    ),
    max_size=10,
)


def touch(clock: Clock, what: str, amount: int, now_us: int) -> None:
    """Do one thing to a counter; a jump of `amount` is one in milliseconds."""
    match what:
        case "drift":
            clock.set_drift(amount, now_us)
        case "jump":
            clock.jump(amount * 1_000, now_us)
        case "lose":
            clock.lose(now_us)
        case _:
            clock.restart(now_us)


def touched(touches: list[Touch]) -> tuple[Clock, int]:
    """A counter with a past, and the instant at which that ends."""
    clock, now_us = Clock(), 0
    for wait_us, what, amount in touches:
        now_us += wait_us
        touch(clock, what, amount, now_us)
    return clock, now_us


class NaiveClock:
    """A counter in fractions of a microsecond that goes from instant to instant."""

    def __init__(self) -> None:
        self.shown = Fraction(0)
        self.drift_ppm = 0
        self.lost = False

    def wait(self, elapsed_us: int) -> None:
        if not self.lost:
            self.shown += elapsed_us * (1 + Fraction(self.drift_ppm, 1_000_000))

    def touch(self, what: str, amount: int) -> None:
        if what == "drift":
            self.drift_ppm = amount
        elif what == "jump":
            self.shown = max(Fraction(0), self.shown + amount * 1_000)
        else:
            self.lost = what == "lose"
            if self.lost:
                self.shown = Fraction(0)


@given(_touches, st.integers(0, DAYS_US))
def test_the_reading_is_that_of_the_naive_clock(touches: list[Touch], later_us: int) -> None:
    clock, naive, now_us = Clock(), NaiveClock(), 0
    for wait_us, what, amount in touches:
        now_us += wait_us
        naive.wait(wait_us)
        assert clock.reading_us(now_us) == floor(naive.shown)
        touch(clock, what, amount, now_us)
        naive.touch(what, amount)
        assert (clock.reading_us(now_us), clock.lost) == (floor(naive.shown), naive.lost)
    naive.wait(later_us)
    assert clock.reading_us(now_us + later_us) == floor(naive.shown)


@given(_touches, st.integers(0, 10**7), st.integers(-10, DAYS_US))
def test_the_instant_of_a_reading_is_the_first_that_shows_it(
    touches: list[Touch], later_us: int, ahead_us: int
) -> None:
    clock, now_us = touched(touches)
    now_us += later_us
    shown_us = clock.reading_us(now_us)
    when_us = clock.when_us(shown_us + ahead_us, now_us)
    if when_us is None:
        assert ahead_us > 0
        assert clock.reading_us(now_us + 10**30) == shown_us
    elif ahead_us <= 0:
        assert when_us == now_us
    else:
        assert clock.reading_us(when_us) >= shown_us + ahead_us
        assert clock.reading_us(when_us - 1) < shown_us + ahead_us


@given(_touches, _drifts_ppm, st.lists(st.integers(0, 10**9), max_size=20))
def test_to_set_the_same_drift_again_changes_no_later_reading(
    touches: list[Touch], drift_ppm: int, waits: list[int]
) -> None:
    clock, now_us = touched(touches)
    clock.set_drift(drift_ppm, now_us)
    expected_us = clock.reading_us(now_us + sum(waits) + 7)
    for wait_us in waits:
        now_us += wait_us
        clock.set_drift(drift_ppm, now_us)
    assert clock.reading_us(now_us + 7) == expected_us


@given(_touches, st.integers(0, DAYS_US), st.integers(0, DAYS_US))
def test_a_counter_that_nobody_touches_never_goes_back(touches: list[Touch], first_us: int, second_us: int) -> None:
    clock, now_us = touched(touches)
    assert clock.reading_us(now_us + first_us + second_us) >= clock.reading_us(now_us + first_us) >= 0


def test_a_quartz_that_is_twenty_parts_in_a_million_fast_gains_ten_minutes_in_a_year() -> None:
    clock = Clock()
    clock.set_drift(20, 0)
    year_us = 365 * US_PER_DAY
    assert clock.reading_us(year_us) - year_us == 630_720_000
    assert clock.when_us(year_us, 0) == 31_535_369_292_615


def test_half_a_microsecond_is_kept_over_a_change_of_drift() -> None:
    clock = Clock()
    clock.set_drift(-500_000, 0)
    assert clock.reading_us(1) == 0
    clock.set_drift(-500_000, 1)
    assert clock.reading_us(2) == 1


def test_a_lost_counter_stands_at_nothing_until_it_is_started_again() -> None:
    clock = Clock()
    clock.lose(5 * US_PER_SECOND)
    assert (clock.lost, clock.reading_us(9 * US_PER_SECOND)) == (True, 0)
    assert clock.when_us(0, 9 * US_PER_SECOND) == 9 * US_PER_SECOND
    assert clock.when_us(1, 9 * US_PER_SECOND) is None
    clock.restart(10 * US_PER_SECOND)
    assert (clock.lost, clock.reading_us(12 * US_PER_SECOND)) == (False, 2 * US_PER_SECOND)


def test_a_jump_back_ends_at_nothing() -> None:
    clock = Clock()
    clock.jump(3_600 * US_PER_SECOND, US_PER_SECOND)
    assert clock.reading_us(2 * US_PER_SECOND) == 3_602 * US_PER_SECOND
    clock.jump(-4_000 * US_PER_SECOND, 2 * US_PER_SECOND)
    assert clock.reading_us(2 * US_PER_SECOND) == 0
    assert clock.reading_us(3 * US_PER_SECOND) == US_PER_SECOND


@pytest.mark.parametrize("drift_ppm", [-MOST_DRIFT_PPM - 1, MOST_DRIFT_PPM + 1])
def test_no_counter_runs_backwards_or_at_more_than_double_speed(drift_ppm: int) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="at most 1000000 either way is allowed"):
        clock.set_drift(drift_ppm, 0)
