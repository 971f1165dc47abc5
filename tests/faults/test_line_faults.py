"""Which frames an armed fault strikes: the nth that matches and so many after it, and then it is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.faults.line import MOST_ARMED, LineFaults, TooManyFaults
from emulator.faults.spec import ANY, FaultSpec
from emulator.wire import Direction, WireFrame

REQUEST, ANSWER = Direction.REQUEST, Direction.ANSWER


def frame(name: str, direction: Direction = ANSWER) -> WireFrame:
    return WireFrame(name.encode(), direction, name)


def drop(name: str, nth: int = 1, count: int = 1, direction: Direction = ANSWER) -> FaultSpec:
    return FaultSpec("drop", direction, name, nth, count)


def struck(faults: LineFaults, names: str) -> str:
    """The frames named by letters, an x for each that was struck."""
    return "".join("x" if faults.strike(0, frame(name), 0) else name for name in names)


def armed(*specs: FaultSpec) -> LineFaults:
    faults = LineFaults()
    for spec in specs:
        faults.arm(spec, 0)
    return faults


@pytest.mark.parametrize(
    ("nth", "count", "left"),
    [(1, 1, "xaaaaa"), (2, 1, "axaaaa"), (1, 3, "xxxaaa"), (3, 2, "aaxxaa"), (6, 9, "aaaaax"), (7, 1, "aaaaaa")],
)
def test_it_strikes_from_the_nth_on_so_often(nth: int, count: int, left: str) -> None:
    faults = armed(drop("a", nth, count))
    assert struck(faults, "aaaaaa") == left
    assert bool(faults.armed(0)) == (nth + count - 1 > 6)


@given(st.integers(1, 12), st.integers(1, 12), st.text(alphabet="ab", max_size=40))
def test_only_what_matches_is_counted(nth: int, count: int, names: str) -> None:
    matching = 0
    expected = ""
    for name in names:
        matching += name == "a"
        expected += "x" if name == "a" and nth <= matching < nth + count else name
    faults = armed(drop("a", nth, count))
    assert struck(faults, names) == expected
    assert bool(faults.armed(0)) == (matching < nth + count - 1)


def test_any_is_every_operation_and_the_direction_counts_all_the_same() -> None:
    faults = armed(drop(ANY, count=2))
    assert faults.strike(0, frame("a", REQUEST), 0) is None
    assert struck(faults, "abc") == "xxc"


def test_what_is_no_frame_is_never_struck() -> None:
    faults = armed(drop(ANY))
    assert faults.strike(0, WireFrame(b"\x00", ANSWER), 0) is None
    assert faults.strike(0, WireFrame(b"?", ANSWER, rejected="wrong CRC"), 0) is None
    assert faults.armed(0) == (drop(ANY),)


def test_a_dropped_frame_is_followed_by_nothing_and_the_fault_is_named() -> None:
    composed = armed(drop("a")).strike(0, frame("a"), 0)
    assert composed is not None
    assert (composed.faults, composed.pieces) == (["drop answer a nth=1 count=1"], ())


def test_the_first_armed_strikes_and_the_match_counts_for_every_one() -> None:
    first, second = drop("a", nth=1, count=1), drop("a", nth=2, count=2)
    faults = armed(first, second)
    assert faults.armed(0) == (first, second)
    strikes = [faults.strike(0, frame("a"), 0) for _ in range(4)]
    assert [strike.faults if strike else None for strike in strikes] == [
        ["drop answer a nth=1 count=1"],
        *[["drop answer a nth=2 count=2"]] * 2,
        None,
    ]


def test_cleared_faults_strike_no_more() -> None:
    faults = armed(drop("a"), drop("b"))
    faults.clear()
    assert faults.armed(0) == ()
    assert struck(faults, "ab") == "ab"


def test_there_is_room_for_a_number_of_faults_and_spent_ones_make_room() -> None:
    faults = armed(*[drop("a", nth=at + 1) for at in range(MOST_ARMED)])
    with pytest.raises(TooManyFaults) as caught:
        faults.arm(drop("b"), 0)
    assert str(caught.value) == "64 faults are armed already, and more are not allowed at once"
    assert struck(faults, "a") == "x"
    faults.arm(drop("b"), 0)
    assert len(faults.armed(0)) == MOST_ARMED
