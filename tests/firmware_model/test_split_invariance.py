"""Advancing by a and then by b is the same, in events, state and truth, as advancing by a + b; with every fault on."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.firmware_model.bedside import SECOND, Bedside
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import SMALL
from tests.firmware_model.random_histories import DAY, ROOMY, Act, histories
from tests.firmware_model.told_history import PUMPS, WORLDS, Told, World, length_us, look, split_in_three_ways, told

Story = list[Act]


@settings(max_examples=15, deadline=None)
@given(WORLDS, st.data())
def test_random_cuts_of_time_change_nothing(world: World, data: st.DataObject) -> None:
    pump, history = PUMPS[world[0]], world[1]
    cuts = data.draw(st.lists(st.integers(0, length_us(history) - 1), min_size=1, max_size=12))
    assert told(history, pump, cuts) == told(history, pump)


@pytest.mark.parametrize("seed", range(4))
def test_three_ways_to_cut_the_time_of_worlds_of_chance(seed: int) -> None:
    random = Random(seed)  # noqa: S311 (chance for a test)
    figures = Counter[str]()
    for _ in range(12):
        split_in_three_ways(random, figures)
    assert figures["events"] > 0


@settings(max_examples=15, deadline=None)
@given(histories(ROOMY))
def test_cuts_at_and_beside_every_event_change_nothing(history: Story) -> None:
    bedside = Bedside(ROOMY)
    hand = Hand(bedside)
    for act in (*history, Act(DAY, "wait")):
        bedside.pump.advance(bedside.now + act.after_us)
        act.by(hand)
    beside = {event.at_us + shift for event in bedside.events() for shift in (-1, 0, 1)}
    cuts = sorted(cut for cut in beside if 0 <= cut < length_us(history))
    assert told(history, ROOMY, cuts) == told(history, ROOMY)


@settings(max_examples=10, deadline=None)
@given(histories(SMALL), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_looking_changes_nothing(history: Story, when: list[float]) -> None:
    cuts = [int(share * (length_us(history) - 1)) for share in when]
    assert told(history, SMALL, cuts, look) == told(history, SMALL)


@settings(max_examples=10, deadline=None)
@given(histories(SMALL), st.integers(1, 7))
def test_following_every_deadline_changes_nothing(history: Story, beside: int) -> None:
    """A driver that wakes at each deadline, and a little too early, sees what one sees that sleeps through."""
    bedside = Bedside(SMALL)
    hand = Hand(bedside)
    replies, at = [], 0
    for act in (*history, Act(DAY, "wait")):
        at += act.after_us
        while (due := bedside.pump.next_deadline()) is not None and due <= at:
            bedside.pump.advance(max(bedside.now, due - beside))
            bedside.pump.advance(due)
        bedside.pump.advance(at)
        replies.append(repr(act.by(hand)))
    bedside.events()
    events = tuple(repr(event) for event in bedside.happened)
    driven = Told(events, tuple(replies), bedside.pump.digest(), repr(bedside.pump.truth()))
    assert driven == told(history, SMALL)


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
