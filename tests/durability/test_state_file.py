"""`--state`: a crash of the host at any operation leaves an old or a new state; any call that fails is one sentence."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Counted
from tests.durability.campaigns import crash_everywhere, fail_everywhere, seeded


def test_a_crash_anywhere_leaves_the_old_state_or_the_new_one(tmp_path: Path, counted: Counted) -> None:
    figures = crash_everywhere(tmp_path, seeded(6), commands=14, restarts=4)
    assert figures["crashes"] > figures["operations"] > 150
    counted("crashes of the host", figures["crashes"])


def test_a_failing_call_is_one_sentence_and_loses_nothing_that_was_told(tmp_path: Path, counted: Counted) -> None:
    figures = fail_everywhere(tmp_path, seeded(7), commands=3, every=9)
    assert figures["refused at the start"] > 0 < figures["ended while serving"]
    counted("failed calls to the state", sum(figures.values()) - figures["calls"])
