"""Whatever was recorded in any session of a pump is to no effect at any later step; `scripts/soak archive` has 50."""

from collections import Counter
from contextlib import AbstractContextManager
from unittest.mock import patch

import pytest

from protocol import keys
from protocol.channel import Opener
from tests.conftest import Counted
from tests.device.haunted_pump import Recorder, haunt

SEED = 2
SESSIONS = 4


def haunted() -> tuple[Recorder, Counter[str]]:
    figures: Counter[str] = Counter()
    return haunt(SEED, SESSIONS, figures), figures


def test_all_that_was_recorded_comes_again_at_every_step_and_nothing_of_it_is_taken(counted: Counted) -> None:
    recorder, figures = haunted()
    assert figures["sessions"] == SESSIONS
    # Both directions: what the pump has said is sent to it as well.
    assert figures["frames"] == len(recorder.frames) > 60
    assert figures["replays"] > 20 * figures["frames"]
    assert recorder.met["answered in the clear"] > figures["replays"] // 4
    counted("frames that came again", figures["replays"])


@pytest.mark.parametrize(
    "hole",
    [patch.object(Opener, "open", Opener.look), patch.object(keys, "device_challenge", lambda *_: bytes(8))],
    ids=["old counters", "the same challenge again"],
)
def test_a_pump_that_takes_what_was_recorded_is_found(hole: AbstractContextManager[object]) -> None:
    with hole, pytest.raises(AssertionError):
        haunted()
