"""Flaws in a refill: the pump's own reckoning is taken for what is in it."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Procedure
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.samples.upkeep import commit_refill
from emulator.scenario.tasks import Task


def measure_nothing(desk: Desk, task: Task) -> Procedure[Report]:
    """What was withdrawn is filled in from the pump's own figure; nobody is asked."""
    return (yield from commit_refill(desk, task, None))


FLAWS: Final = (
    GOOD.flawed(
        "measures-nothing",
        "fills the pump's own figure in as what was withdrawn",
        {"refill": measure_nothing},
    ),
)
