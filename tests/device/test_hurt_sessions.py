"""What `scripts/soak` searches with finds the faults that it is for, and finds none where there is none."""

from collections import Counter
from unittest.mock import patch

import pytest

from protocol.channel import Opener, TagWrong
from protocol.frame import Frame
from tests.device.hurt_sessions import flip_every_bit, replay_everywhere, run_session

SEED = 8


def test_a_session_of_a_seed_is_the_same_each_time_and_another_seeds_is_another() -> None:
    one, other = run_session(SEED), run_session(SEED)
    assert one[0].sent == other[0].sent
    assert one[1] == other[1]
    assert run_session(SEED + 1)[0].sent != one[0].sent


def test_frames_that_come_again_are_counted_and_do_no_harm() -> None:
    figures: Counter[str] = Counter()
    for seed in range(SEED, SEED + 4):
        replay_everywhere(seed, figures)
    assert figures["sessions"] == 4
    assert figures["replays"] > 400


def test_bits_that_fall_over_are_counted_and_do_no_harm() -> None:
    figures: Counter[str] = Counter()
    flip_every_bit(SEED, figures, every=9)
    assert figures["sessions"] == 1
    assert figures["bits"] > 400


def test_a_pump_that_takes_old_counters_is_found() -> None:
    with patch.object(Opener, "open", Opener.look), pytest.raises(AssertionError):
        replay_everywhere(SEED, Counter())


def test_a_pump_that_takes_frames_under_any_tag_is_found() -> None:
    look = Opener.look

    def unchecked(opener: Opener, frame: Frame) -> bytes:
        try:
            return look(opener, frame)
        except TagWrong:
            return frame.payload

    with patch.object(Opener, "look", unchecked), pytest.raises(AssertionError):
        flip_every_bit(SEED, Counter(), every=9)
