"""A save-state loses nothing: a restored pump is the one that was saved, and its history goes on as if nothing was."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.pump_state import restored, save
from firmware_model.savestate import SaveStateError
from tests.firmware_model.bedside import Bedside
from tests.firmware_model.hand import Hand
from tests.firmware_model.random_histories import ROOMY, Act, histories
from tests.firmware_model.reflected import differences
from tests.firmware_model.told_history import PUMPS, WORLDS, World, length_us, restore_somewhere, save_and_restore, told


@settings(max_examples=15, deadline=None)
@given(histories(ROOMY), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_history_goes_on_in_restored_pumps_as_in_the_first(history: list[Act], when: list[float]) -> None:
    cuts = [int(share * (length_us(history) - 1)) for share in when]
    assert told(history, ROOMY, cuts, save_and_restore) == told(history, ROOMY)


@pytest.mark.parametrize("seed", range(3))
def test_worlds_of_chance_go_on_in_restored_pumps(seed: int) -> None:
    random = Random(seed)  # noqa: S311 (chance for a test)
    figures = Counter[str]()
    for _ in range(6):
        restore_somewhere(random, figures)
    assert figures["restored pumps"] >= 6


@settings(max_examples=15, deadline=None)
@given(WORLDS, st.integers(1, 15))
def test_no_attribute_is_lost_at_any_point(world: World, behind: int) -> None:
    """Behind an act the graph of all objects is that of its save-state, but for what is worked out again."""
    profile, history = PUMPS[world[0]], world[1]
    bedside = Bedside(profile)
    hand = Hand(bedside)
    for act in history[:behind]:
        bedside.pump.advance(bedside.now + act.after_us)
        act.by(hand)
    bedside.events()
    again = restored(save(bedside.pump), profile)
    assert differences(again.whole_state(), bedside.pump.whole_state(), derived=False) == []
    if bedside.pump.powered:
        # Without power the old firmware is still held, though nothing of it counts any more.
        assert differences(again, bedside.pump, derived=False) == []


def test_a_save_state_is_its_own_save_state() -> None:
    bedside = Bedside(ROOMY)
    bedside.bolus(20_000, 600)
    bedside.wait(300)
    bedside.events()
    data = save(bedside.pump)
    assert save(restored(data, ROOMY)) == data


def test_events_that_nobody_has_taken_are_not_lost_in_silence() -> None:
    bedside = Bedside(ROOMY)
    bedside.stop()
    with pytest.raises(SaveStateError, match="events wait to be taken"):
        save(bedside.pump)
