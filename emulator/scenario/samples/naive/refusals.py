"""Flaws in hearing a no: a refusal that is not noticed, and one that is not believed."""

from __future__ import annotations

import contextlib
from typing import Final

from emulator.programmer.effects import Pause, Procedure, PumpRefused, read
from emulator.scenario.samples.good import GOOD, bolus, interrogate
from emulator.scenario.samples.naive.bolus import send_bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.read import LimitsAnswer, LimitsRequest, StatusAnswer, StatusRequest

LOOK_US: Final = 60_000_000
MAX_LOOKS: Final = 360
PAUSE_US: Final = 10_000_000
MAX_TRIES: Final = 30
BOLUS_MAX: Final = "greatest bolus"


def wait_for_the_end(desk: Desk, task: Task) -> Procedure[Report]:
    """Any answer means that the bolus is on its way: it will begin, and when it has ended it was given."""
    volume_nl, begun = task.number("VOLUME") or 0, False
    with contextlib.suppress(PumpRefused):
        yield from send_bolus(desk, task)
    for _ in range(MAX_LOOKS):
        status = yield from read(StatusRequest(), StatusAnswer)
        if begun and not status.bolus_id:
            return {"outcome": "delivered", "delivered_nl": volume_nl, "requested_nl": volume_nl}
        begun = begun or bool(status.bolus_id)
        yield Pause(LOOK_US)
    return {"outcome": "unknown", "reason": "the bolus is still starting", "requested_nl": volume_nl}


def learn_limits_once(desk: Desk, task: Task) -> Procedure[Report]:
    """The limits that the pump has when it is first read are those that it will always have."""
    limits = yield from read(LimitsRequest(), LimitsAnswer)
    desk.shelf.notes.setdefault(BOLUS_MAX, limits.bolus_volume_max_nl)
    return (yield from interrogate(desk, task))


def insist_on_limits(desk: Desk, task: Task) -> Procedure[Report]:
    """What is within the limits cannot be refused, so it must be the line, and is sent again."""
    volume_nl = task.number("VOLUME") or 0
    if volume_nl > desk.number(BOLUS_MAX, volume_nl):
        return {"outcome": "refused", "reason": "more than the greatest bolus", "delivered_nl": 0}
    for _ in range(MAX_TRIES):
        try:
            return (yield from bolus(desk, task))
        except PumpRefused:
            yield Pause(PAUSE_US)
    return {"outcome": "failed", "reason": "the pump does not answer as it should", "delivered_nl": 0}


FLAWS: Final = (
    GOOD.flawed(
        "waits-for-a-refused-bolus",
        "takes a refusal for an answer like any other, and waits for the end of a bolus that never began",
        {"bolus": wait_for_the_end},
    ),
    GOOD.flawed(
        "learns-limits-once",
        "keeps the limits that it has read first, and goes on sending what the pump refuses by those that it has now",
        {"interrogate": learn_limits_once, "bolus": insist_on_limits},
    ),
)
