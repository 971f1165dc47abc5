"""Flaws in what is booked of a bolus that the programmer was not there to see: away from the pump, or killed."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import NoPump, Pause, Procedure, read
from emulator.scenario.samples.good import GOOD, US_PER_S
from emulator.scenario.samples.naive.bolus import as_answered, send_bolus
from emulator.scenario.samples.naive.recovery import SENT_NL, send_noted_bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.host_end import Answered
from protocol.messages.read import StatusAnswer, StatusRequest

GIVEN_NL: Final = "what was given of the bolus, as far as it was seen"
BOOKED_NL: Final = "what the books have"


def stay_in_sight(desk: Desk, task: Task) -> Procedure[Report]:
    """Look once a second, and note what was given; what comes when the pump is out of reach is left to `resolve`."""
    reply = yield from send_noted_bolus(desk, task)
    told = as_answered(reply, task, unanswered="unknown")
    if "follow" not in task.said or not isinstance(reply, Answered):
        return told
    while True:
        try:
            status = yield from read(StatusRequest(), StatusAnswer)
        except NoPump:
            return {"outcome": "unknown", "reason": "the pump is out of reach"}
        if not status.bolus_id:
            return told
        desk.shelf.notes[GIVEN_NL] = status.bolus_delivered_nl
        yield Pause(US_PER_S)


def over_is_complete(desk: Desk, task: Task) -> Procedure[Report]:
    """A bolus that does not run any more has ended, and what has ended was given in full."""
    return (yield from _over(desk, task, "delivered", desk.number(SENT_NL)))


def over_is_broken_off(desk: Desk, task: Task) -> Procedure[Report]:
    """A bolus whose end was not seen was broken off where it was seen last."""
    return (yield from _over(desk, task, "partial", desk.number(GIVEN_NL)))


def book_what_was_answered(desk: Desk, task: Task) -> Procedure[Report]:
    """A bolus is booked when the pump has answered it; one that is not booked was never given."""
    told = as_answered((yield from send_bolus(desk, task)), task, unanswered="failed")
    desk.shelf.notes[BOOKED_NL] = desk.number(BOOKED_NL) + (task.number("VOLUME") or 0)
    return told


def tell_what_is_booked(desk: Desk, task: Task) -> Procedure[Report]:
    """What is booked is what was given: there is nothing to ask the pump."""
    del task
    yield from ()
    return {"outcome": "delivered", "delivered_nl": desk.number(BOOKED_NL)}


def _over(desk: Desk, task: Task, outcome: str, given_nl: int) -> Procedure[Report]:
    del task
    status = yield from read(StatusRequest(), StatusAnswer)
    if status.bolus_id:
        return {"outcome": "given", "delivered_nl": status.bolus_delivered_nl}
    desk.shelf.notes[GIVEN_NL] = given_nl
    return {"outcome": outcome, "delivered_nl": given_nl}


FLAWS: Final = (
    GOOD.flawed(
        "takes-over-for-complete",
        "books a bolus in full when it does not run any more, whatever has ended it",
        {"bolus": stay_in_sight, "resolve": over_is_complete},
    ),
    GOOD.flawed(
        "takes-unseen-for-broken-off",
        "books of a bolus whose end it has not seen what it had seen last",
        {"bolus": stay_in_sight, "resolve": over_is_broken_off},
    ),
    GOOD.flawed(
        "books-what-was-answered",
        "books a bolus when the pump has answered it, and knows of none before",
        {"bolus": book_what_was_answered, "resolve": tell_what_is_booked},
    ),
)
