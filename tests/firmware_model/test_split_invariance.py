"""Advancing by a and then by b is the same, in events and state, as advancing by a + b."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.pump import PumpEvent
from tests.firmware_model.bedside import SECOND, Bedside
from tests.firmware_model.programmes import Act, Hand, programmes_with_cuts
from tests.firmware_model.pump_profiles import SMALL

Told = list[PumpEvent]


def run(programme: list[Act], cuts: list[int]) -> tuple[Told, str]:
    """The programme, with time cut at these instants as well; gives all events and the last digest."""
    bedside = Bedside(SMALL)
    hand = Hand(bedside)
    at = 0
    for act in programme:
        at += act.after_us
        for cut in cuts:
            if bedside.now <= cut <= at:
                bedside.pump.advance(cut)
        bedside.pump.advance(at)
        hand.do(act)
    for cut in cuts:
        if cut > at:
            bedside.pump.advance(cut)
    bedside.pump.advance(at + 20_000 * SECOND)
    return bedside.events(), bedside.pump.digest()


@settings(max_examples=100, deadline=None)
@given(programmes_with_cuts, st.lists(st.integers(0, 20_000 * SECOND), max_size=12))
def test_random_cuts_of_time_change_nothing(programme: list[Act], cuts: list[int]) -> None:
    at = sum(act.after_us for act in programme)
    within = [cut % (at + 10_000 * SECOND) for cut in cuts]
    assert run(programme, sorted(within)) == run(programme, [])


@settings(max_examples=100, deadline=None)
@given(programmes_with_cuts)
def test_cuts_at_and_beside_every_event_change_nothing(programme: list[Act]) -> None:
    told, digest = run(programme, [])
    last = sum(act.after_us for act in programme) + 10_000 * SECOND
    beside = {event.at_us + shift for event in told for shift in (-1, 0, 1)}
    assert run(programme, sorted(cut for cut in beside if 0 <= cut <= last)) == (told, digest)


@settings(max_examples=30, deadline=None)
@given(programmes_with_cuts, st.integers(1, 7))
def test_following_every_deadline_changes_nothing(programme: list[Act], beside: int) -> None:
    """A driver that wakes at each deadline, and a little too early, sees what one sees that sleeps through."""

    def driven() -> tuple[Told, str]:
        bedside = Bedside(SMALL)
        hand = Hand(bedside)
        at = 0
        for act in [*programme, Act(20_000 * SECOND, "pass")]:
            at += act.after_us
            while (due := bedside.pump.next_deadline()) is not None and due <= at:
                bedside.pump.advance(max(bedside.now, due - beside))
                bedside.pump.advance(due)
            bedside.pump.advance(at)
            hand.do(act)
        return bedside.events(), bedside.pump.digest()

    assert driven() == run(programme, [])


def test_microsecond_by_microsecond_across_a_step_a_bolus_end_and_a_lease_end() -> None:
    """All three at 30 s: the third base step, the last bolus step, and the end of the other session's lease."""

    def until_just_before() -> Bedside:
        bedside = Bedside(SMALL)
        bedside.prepare(5_000, 30, session=2)
        bedside.bolus(7_000, 30)
        bedside.pump.advance(30 * SECOND - 150)
        return bedside

    at_once, slowly = until_just_before(), until_just_before()
    at_once.pump.advance(30 * SECOND + 150)
    while slowly.now < 30 * SECOND + 150:
        slowly.pump.advance(slowly.now + 1)
    assert slowly.pump.digest() == at_once.pump.digest()
    assert slowly.events() == at_once.events()
    assert at_once.happened[-1].at_us == 30 * SECOND
    assert at_once.pump.plant.motor.steps == 3 + 7


def test_time_does_not_go_back() -> None:
    bedside = Bedside(SMALL)
    bedside.wait(1)
    with pytest.raises(ValueError, match=r"^time cannot go back from 1000000 to 999999$"):
        bedside.pump.advance(SECOND - 1)
    bedside.pump.advance(SECOND)
