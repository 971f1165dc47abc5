"""Flaws in reckoning with drugs: whose concentration is it?"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from emulator.programmer.effects import Procedure
from emulator.scenario.samples.good import GOOD, bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task

LIBRARY_NG_PER_ML: Final = MappingProxyType({"baclofen": 50_000, "morphine": 10_000_000})
"""A drug library of the programmer's own, as it came with its last update."""


def reckon_by_library(desk: Desk, task: Task) -> Procedure[Report]:
    """The volume follows from the concentration in the programmer's library; what the pump holds is not asked."""
    holds_ng_per_ml = LIBRARY_NG_PER_ML.get(str(task.values["DRUG"]))
    if holds_ng_per_ml is None:
        return {"outcome": "not-given", "reason": "the library has no such drug", "delivered_nl": 0}
    volume_nl = (task.number("MASS") or 0) // holds_ng_per_ml
    told = yield from bolus(desk, replace(task, values={**task.values, "VOLUME": volume_nl}))
    return {**told, "concentration_ng_per_ml": holds_ng_per_ml}


FLAWS: Final = (
    GOOD.flawed(
        "reckons-by-library",
        "reckons a dose with the concentration in its own library instead of the pump's",
        {"dose": reckon_by_library},
    ),
)
