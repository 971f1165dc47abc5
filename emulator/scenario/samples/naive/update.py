"""Flaws in programming a pump: when an update counts as done."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Procedure
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.good import program as set_program
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task

_PROGRAM: Final = "program in the pump"


def trust_what_was_begun(desk: Desk, task: Task) -> Procedure[Report]:
    """The record of the pump's program is changed when the update is begun, and asked instead of the pump."""
    name = str(task.values["FILE"])
    if desk.shelf.notes.get(_PROGRAM) == name:
        return {"outcome": "unchanged"}
    desk.shelf.notes[_PROGRAM] = name
    return (yield from set_program(desk, task))


FLAWS: Final = (
    GOOD.flawed(
        "trusts-what-was-begun",
        "takes an update for done once it was begun, and never asks the pump",
        {"program": trust_what_was_begun},
    ),
)
