"""Two programs side by side: what follows from the new one, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.cli.program_view import side_by_side, staged_document
from emulator.programmer.programming import Staged
from protocol.fields import UNKNOWN_U32
from protocol.messages.codes import Mode, Warnings
from tests.programmer.programs import CAPS, FIRST, NEW, summary_of


@pytest.mark.parametrize(
    ("in_s", "unix_s", "said"),
    [
        (UNKNOWN_U32, UNKNOWN_U32, "Low reservoir: never, at this rate."),
        (86_400, 1_893_542_400, "Low reservoir: in 1 day, on 2030-01-02 UTC."),
        (7_200, 1_893_463_200, "Low reservoir: in 2h, on 2030-01-01 UTC."),
        (0, 1_893_456_000, "Low reservoir: reached already, on 2030-01-01 UTC."),
        (200_000, UNKNOWN_U32, "Low reservoir: in 2 days; the pump's clock does not say on which date."),
    ],
)
def test_the_refill_in_words(in_s: int, unix_s: int, said: str) -> None:
    staged = Staged(
        1, CAPS, FIRST, FIRST, FIRST, summary_of(FIRST, low_reservoir_in_s=in_s, low_reservoir_unix_s=unix_s)
    )
    assert said in side_by_side(staged)


def test_every_warning_has_words_and_an_unknown_one_is_shown() -> None:
    every = Warnings(sum(Warnings) | 0x40)
    staged = Staged(1, CAPS, FIRST, FIRST, FIRST, summary_of(FIRST, warnings=every))
    lines = [line for line in side_by_side(staged) if line.startswith("Warning: ")]
    assert len(lines) == len(Warnings) + 1
    assert "0x40" in lines[-1]


def test_doses_follow_the_rate_that_flows() -> None:
    running = replace(FIRST, drugs=NEW.drugs)
    slow = replace(running, mode=Mode.MINIMUM_RATE, rate_nl_per_day=0)
    document = staged_document(Staged(1, CAPS, running, slow, slow, summary_of(FIRST)))
    assert [document[side]["drugs"][0]["dose_fg_per_day"] for side in ("old", "new")] == [31 * 10**10, 24 * 10**9]
    lines = side_by_side(Staged(1, CAPS, running, slow, slow, summary_of(FIRST)))
    assert "*  baclofen a day        310 ug/day          24 ug/day" in lines
    assert "*  infusion.rate         620 uL/day          48 uL/day" in lines
