"""Virtual time against wall time: exact, monotonic, without drift."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.pacing import SPEED_LIMIT, Pacer, SpeedError, parse_speed

speeds = st.one_of(
    st.just(Fraction(0)),
    st.integers(0, SPEED_LIMIT).map(Fraction),
    st.integers(0, 10**12).map(lambda billionths: Fraction(billionths, 10**9)),
)
walls = st.integers(0, 10**18)


@pytest.mark.parametrize(
    ("text", "speed"), [("200", 200), ("0.5", Fraction(1, 2)), ("0", 0), ("0.000000001", Fraction(1, 10**9))]
)
def test_speeds_are_decimal_numbers(text: str, speed: Fraction) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1e3", "nan", "inf", "1/2", ".5", "5.", "1_000", "٣", " 1", "1\n", "1000000001", "0.1234567890"],
)
def test_other_texts_are_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(SpeedError) as caught:
        parse_speed(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("speed", "session_speed"), [(-1, 1), (1, -1)])
def test_time_cannot_be_made_to_go_back(speed: int, session_speed: int) -> None:
    with pytest.raises(ValueError, match="not negative"):
        Pacer(Fraction(speed), Fraction(session_speed), 0)
    with pytest.raises(ValueError, match="does not go back"):
        Pacer(Fraction(1), Fraction(1), 0).jump(-1, 0)


@given(speeds, st.lists(walls, min_size=1, max_size=20))
def test_looking_at_the_clock_often_changes_nothing(speed: Fraction, moments: list[int]) -> None:
    often, once = Pacer(speed, speed, 0), Pacer(speed, speed, 0)
    for moment in sorted(moments):
        often.set_session_open(moment % 2 == 0, moment)
        often.jump(0, moment)
        often.now_us(moment)
    last = max(moments)
    assert often.now_us(last) == once.now_us(last) == last * speed // 1000


@given(st.data(), speeds, speeds)
def test_time_never_goes_back_and_changes_of_speed_cause_no_jump(
    data: st.DataObject, speed: Fraction, session_speed: Fraction
) -> None:
    pacer = Pacer(speed, session_speed, 0)
    latest_us = 0
    jumped_us = 0
    for _ in range(data.draw(st.integers(1, 20))):
        # The wall's clock may even go back.
        wall_ns = data.draw(walls)
        before_us = pacer.now_us(wall_ns)
        assert before_us >= latest_us
        pacer.set_session_open(data.draw(st.booleans()), wall_ns)
        assert pacer.now_us(wall_ns) == before_us
        jump_us = data.draw(st.integers(0, 10**12))
        pacer.jump(jump_us, wall_ns)
        jumped_us += jump_us
        latest_us = pacer.now_us(wall_ns)
        assert latest_us == before_us + jump_us
    assert latest_us >= jumped_us


@given(speeds, walls, st.integers(0, 10**15))
def test_the_delay_is_the_first_moment_at_which_the_deadline_is_reached(
    speed: Fraction, wall_ns: int, deadline_us: int
) -> None:
    pacer = Pacer(speed, Fraction(0), 0)
    delay_ns = pacer.wall_delay_ns(deadline_us, wall_ns)
    if delay_ns is None:
        assert speed == 0
        assert pacer.now_us(10**18) < deadline_us
    elif delay_ns == 0:
        assert pacer.now_us(wall_ns) >= deadline_us
    else:
        assert Pacer(speed, Fraction(0), 0).now_us(wall_ns + delay_ns) >= deadline_us
        assert Pacer(speed, Fraction(0), 0).now_us(wall_ns + delay_ns - 1) < deadline_us


def test_a_pump_that_is_behind_holds_time_back_and_never_pushes_it() -> None:
    pacer = Pacer(Fraction(1000), Fraction(1), 0)
    pacer.hold_back(400, 1_000)
    assert pacer.now_us(1_000) == 400
    assert pacer.now_us(2_000) == 1_400
    pacer.hold_back(10_000, 2_000)
    assert pacer.now_us(2_000) == 1_400


def test_a_session_has_its_own_speed() -> None:
    pacer = Pacer(Fraction(200), Fraction(1), 0, now_us=7)
    pacer.set_session_open(True, 1_000_000)
    assert pacer.now_us(1_000_000) == 7 + 200_000
    assert pacer.now_us(2_000_000) == 7 + 201_000
    pacer.set_session_open(False, 2_000_000)
    assert pacer.now_us(3_000_000) == 7 + 401_000


def test_a_thousand_changes_of_speed_lose_not_a_microsecond() -> None:
    third = Fraction(1, 3)
    pacer = Pacer(third, third, 0)
    for moment in range(1, 1001):
        pacer.set_session_open(moment % 2 == 1, moment)
    assert pacer.now_us(3_000_000_000) == 1_000_000
