"""Flaws around priming: how much fills the path, and what is forgotten meanwhile."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Procedure
from emulator.scenario.samples.good import GOOD, LAST_VOLUME
from emulator.scenario.samples.good import bolus as give_bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.samples.upkeep import give_priming
from emulator.scenario.tasks import Task, read_task


def prime_everything(desk: Desk, task: Task) -> Procedure[Report]:
    """Tubing and catheter, whatever is filled already."""
    del task
    return (yield from give_priming(desk, 0))


def resume_from_nothing(desk: Desk, task: Task) -> Procedure[Report]:
    """Priming has set the counter of what was given back to nothing, so all of the bolus is still to come."""
    del task
    return (yield from give_bolus(desk, read_task(f"bolus {desk.number(LAST_VOLUME)}nL")))


FLAWS: Final = (
    GOOD.flawed(
        "primes-everything",
        "primes tubing and catheter where the catheter alone is empty",
        {"prime": prime_everything},
    ),
    GOOD.flawed(
        "resumes-from-nothing",
        "forgets at priming how much of an interrupted bolus was given, and gives all of it again",
        {"complete": resume_from_nothing},
    ),
)
