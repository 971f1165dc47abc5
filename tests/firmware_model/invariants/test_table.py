"""The table of invariants: complete, each check made by each machine, and docs/invariants.md current."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from firmware_model.faults import FAULTS
from tests.firmware_model.invariants import machine, table, therapy_deeds
from tests.firmware_model.invariants.causes import DETECTIONS
from tests.firmware_model.invariants.invariant import Invariant
from tests.firmware_model.invariants.page import invariants_page
from tests.firmware_model.invariants.table import INVARIANTS
from tests.firmware_model.invariants.ward import Ward
from tests.firmware_model.random_histories import ROOMY

ROOT = Path(__file__).parents[3]
CODES = [
    f"{letter}{number}" for letter, last in zip("DBPAM", (9, 7, 7, 8, 6), strict=True) for number in range(1, last + 1)
]


def test_every_code_stands_there_once_in_order() -> None:
    assert [invariant.code for invariant in INVARIANTS] == CODES


def test_no_check_stands_for_two_invariants() -> None:
    assert len({invariant.check for invariant in INVARIANTS}) == len(INVARIANTS)


def test_what_suspends_an_invariant_is_a_fault() -> None:
    for invariant in INVARIANTS:
        assert invariant.suspended_by <= FAULTS.keys(), invariant.code


def test_every_fault_has_its_row_of_detection() -> None:
    assert {verb for detection in DETECTIONS for verb in detection.verbs} == FAULTS.keys()


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "invariants.md").read_text(encoding="utf-8") == invariants_page(), "run scripts/docs"


@pytest.mark.parametrize("kind", machine.MACHINES)
def test_a_machine_makes_every_check_at_every_step(
    kind: type[machine.Observed], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[str] = Counter()

    def counting(invariant: Invariant) -> Invariant:
        def check(ward: Ward) -> None:
            made[invariant.code] += 1
            invariant.check(ward)

        return replace(invariant, check=check)

    monkeypatch.setattr(table, "INVARIANTS", tuple(counting(invariant) for invariant in INVARIANTS))
    observed = kind()
    observed.do(therapy_deeds.stop, Random(1))  # noqa: S311 (chance for a test, no secret)
    observed.teardown()
    assert made == dict.fromkeys(CODES, 3)


def test_a_check_that_fails_says_its_code_and_what_it_says() -> None:
    ward = Ward(ROOMY)
    therapy_deeds.stop(ward, Random(1))  # noqa: S311 (chance for a test, no secret)
    ward.end_step()
    ward.books.flow.base_due += 1 << 70
    with pytest.raises(AssertionError, match=r"D1: The pulses given are the integral"):
        table.check_all(ward)
