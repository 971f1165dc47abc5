"""Flaws in looking at a pump: what it is set to do is shown as what it does."""

from __future__ import annotations

from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Procedure, read
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.codes import AlarmState, RunState
from protocol.messages.read import StatusAnswer, StatusRequest

S_PER_DAY: Final = 86_400


def show_the_program(desk: Desk, task: Task) -> Procedure[Report]:
    """The rate on the screen is the program's, and whoever stands still has been stopped."""
    del desk, task
    status = yield from read(StatusRequest(), StatusAnswer)
    return {
        "outcome": "done",
        "running": status.run_state == RunState.RUNNING,
        "base_rate_nl_per_day": status.programmed_rate_nl_per_day,
        "total_delivered_nl": status.delivered_nl,
        "reservoir_nl": status.reservoir_nl,
        **(yield from _open_alarms()),
    }


def reckon_by_rate(desk: Desk, task: Task) -> Procedure[Report]:
    """What was given is the rate by the time: the pump says that it runs."""
    told = yield from show_the_program(desk, task)
    status = yield from read(StatusRequest(), StatusAnswer)
    return {**told, "total_delivered_nl": status.programmed_rate_nl_per_day * status.elapsed_s // S_PER_DAY}


def _open_alarms() -> Procedure[Report]:
    """Only what nobody has acknowledged yet: somebody has seen to the others."""
    found = yield from read_alarms()
    names = sorted(entry.type.name.lower() for entry in found if entry.state == AlarmState.RAISED)
    return {"alarms": names, "unacknowledged": names}


FLAWS: Final = (
    GOOD.flawed(
        "shows-the-program",
        "shows the programmed rate as the one that flows",
        {"interrogate": show_the_program},
    ),
    GOOD.flawed(
        "reckons-by-rate",
        "reckons what was given from rate and time, and takes an acknowledged alarm for one that is over",
        {"interrogate": reckon_by_rate},
    ),
)
