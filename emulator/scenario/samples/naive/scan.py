"""Flaws around an MRI scan."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Pause, Procedure, read
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.codes import RunState
from protocol.messages.read import StatusAnswer, StatusRequest


def trust_the_magnet(desk: Desk, task: Task) -> Procedure[Report]:
    """A rotor stands in the field and turns again behind it, so nothing is done, and nothing tested."""
    del desk
    yield Pause(task.number("DURATION") or 0)
    status = yield from read(StatusRequest(), StatusAnswer)
    return {"outcome": "done", "running": status.run_state == RunState.RUNNING, "self_test_failed": []}


FLAWS: Final = (
    GOOD.flawed(
        "trusts-the-magnet",
        "leaves the pump running into the scan, and takes its word behind it that it runs",
        {"scan": trust_the_magnet},
    ),
)
