"""The tour: what anyone sees first tells its story to the end, and what it tells is so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.end_to_end.conftest import Vpump


def test_the_tour_for_people(vpump: Vpump) -> None:
    tour = vpump("demo")
    assert tour.status == 0
    steps = [line for line in tour.stdout.splitlines() if line[:2].strip().isdigit() and line[2:4] == ". "]
    assert [int(step[:2]) for step in steps] == list(range(1, 15))
    for said in (
        "TEST KEYS",
        "every frame is sealed",
        "*  program                     32687E0C           BA3342D0",
        "program BA3342D0 is active (operation 1).",
        "drop answer BOLUS_EXECUTE count=4",
        "once: 2 boluses in the ledger, 90 uL in all.",
        "low reservoir, raised after 28d",
        "38 records, none missing:",
        "What to try next",
    ):
        assert said in tour.stdout
    assert any(set(line) & set("▁▂▃▄▅▆▇█") for line in tour.stdout.splitlines()), "there is a picture"


def test_the_tour_for_programs(vpump: Vpump) -> None:
    tour = vpump("demo", "--json")
    assert tour.status == 0
    steps: list[Mapping[str, Any]] = [json.loads(line) for line in tour.stdout.splitlines()]
    assert [step["step"] for step in steps] == list(range(1, 15))
    levels = next(step["reservoir_nl"] for step in steps if isinstance(step.get("reservoir_nl"), list))
    assert len(levels) == 31
    assert levels == sorted(levels, reverse=True)
    told = steps[-1]["records"]
    assert told.count("delivered") == 30, "each day says what was given"
    assert [kind for kind in told if kind != "delivered"] == [
        "boot",
        "program_changed",
        "bolus_started",
        "bolus_ended",
        "bolus_started",
        "bolus_ended",
        "alarm_raised",
        "alarm_acknowledged",
    ]
