"""Flaws in reckoning what became of a bolus: by the wall clock, or the same remainder twice."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Procedure, read
from emulator.programmer.ledger import read_op_list
from emulator.scenario.samples.good import GOOD, LAST_VOLUME, US_PER_S
from emulator.scenario.samples.good import bolus as give_bolus
from emulator.scenario.samples.naive.bolus import send_bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.host_end import Answered
from protocol.messages.op import OpQueryAnswer, OpQueryRequest
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest
from protocol.messages.read import StatusAnswer, StatusRequest

_STARTED: Final = "last bolus started"
_DURATION: Final = "last bolus lasts"
_ANSWERED: Final = "last bolus answered"


def note_the_clock(desk: Desk, task: Task) -> Procedure[Report]:
    """When it began, by the clock."""
    told = yield from give_bolus(desk, task)
    clock = yield from read(TimeReadRequest(), TimeReadAnswer)
    desk.shelf.notes |= {_STARTED: clock.rtc_unix_s, _DURATION: (task.number("DURATION") or 0) // US_PER_S}
    return told


def reckon_by_clock(desk: Desk, task: Task) -> Procedure[Report]:
    """How much was given is how long it has run, by the clock."""
    del task
    clock = yield from read(TimeReadRequest(), TimeReadAnswer)
    volume_nl, lasts_s = desk.number(LAST_VOLUME), desk.number(_DURATION) or 1
    ran_s = min(clock.rtc_unix_s - desk.number(_STARTED), lasts_s)
    return {"outcome": "delivered" if ran_s == lasts_s else "given", "delivered_nl": volume_nl * ran_s // lasts_s}


def note_the_answer(desk: Desk, task: Task) -> Procedure[Report]:
    """Whether the answer came is kept, for who sees to lost answers."""
    reply = yield from send_bolus(desk, task)
    volume_nl, answered = task.number("VOLUME") or 0, isinstance(reply, Answered)
    desk.shelf.notes |= {LAST_VOLUME: volume_nl, _ANSWERED: answered}
    return {"outcome": "given" if answered else "unknown", "requested_nl": volume_nl}


def subtract_twice(desk: Desk, task: Task) -> Procedure[Report]:
    """What is left over is taken off by who sees the fault, and again by who sees to the lost answer."""
    del task
    volume_nl = desk.number(LAST_VOLUME)
    status = yield from read(StatusRequest(), StatusAnswer)
    listing = yield from read_op_list(desk.host)
    request = OpQueryRequest(role=desk.host.role, op_id=listing.op_high.get(desk.host.role, 0))
    found = yield from read(request, OpQueryAnswer)
    left_nl, given_nl = volume_nl - found.delivered_min_nl, volume_nl
    if status.alarms_unacknowledged:
        given_nl -= left_nl
    if not desk.number(_ANSWERED):
        given_nl -= left_nl
    return {"outcome": "partial" if left_nl else "delivered", "delivered_nl": max(0, given_nl)}


FLAWS: Final = (
    GOOD.flawed(
        "reckons-by-clock",
        "reckons what a bolus has given from the clock, which is set meanwhile",
        {"bolus": note_the_clock, "resolve": reckon_by_clock},
    ),
    GOOD.flawed(
        "subtracts-twice",
        "takes what a stopped bolus has left over off what was given, twice",
        {"bolus": note_the_answer, "resolve": subtract_twice},
    ),
)
