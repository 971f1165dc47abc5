"""Flaws at the link: what is done first when a connection has come about."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Procedure
from emulator.scenario.samples.good import GOOD, cancel_bolus
from emulator.scenario.samples.history import read_new_records
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task


def read_history_first(desk: Desk, task: Task) -> Procedure[Report]:
    """The history is brought up to date at each connection, and where it has come to is noted at its end."""
    yield from read_new_records(desk)
    return (yield from cancel_bolus(desk, task))


FLAWS: Final = (
    GOOD.flawed(
        "reads-history-first",
        "brings its history up to date before it does what it is asked",
        {"cancel": read_history_first},
    ),
)
