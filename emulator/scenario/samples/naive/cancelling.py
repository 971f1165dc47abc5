"""Flaws in cancelling a bolus: before it is known to run, at its last step, and when a fault has been quicker."""

from __future__ import annotations

from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Ask, Procedure, Reply, read
from emulator.programmer.ledger import read_op_list
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive.bolus import as_answered
from emulator.scenario.samples.naive.recovery import SENT_NL, SENT_OP, send_and_resolve_later, send_noted_bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.host_end import Answered
from protocol.messages.codes import AlarmType
from protocol.messages.deliver import BolusCancelAnswer, BolusCancelRequest
from protocol.messages.read import StatusAnswer, StatusRequest

BELIEVED_TO_RUN: Final = "a bolus is believed to run"
_NOTHING: Final[Report] = {"outcome": "nothing-to-cancel", "delivered_nl": 0}


def believe_answers_only(desk: Desk, task: Task) -> Procedure[Report]:
    """A bolus runs when the pump has said so, and not before."""
    reply = yield from send_noted_bolus(desk, task)
    desk.shelf.notes[BELIEVED_TO_RUN] = isinstance(reply, Answered)
    return as_answered(reply, task, unanswered="failed")


def cancel_what_is_known(desk: Desk, task: Task) -> Procedure[Report]:
    """What is not known to run need not be ended."""
    if not desk.number(BELIEVED_TO_RUN):
        return _NOTHING
    return (yield from GOOD.tasks["cancel"](desk, task))


def cancel_by_the_last_look(desk: Desk, task: Task) -> Procedure[Report]:
    """What a look has shown just before the cancel is what the bolus has come to; the reply adds nothing to that."""
    del task
    status = yield from read(StatusRequest(), StatusAnswer)
    if not status.bolus_id:
        return _NOTHING
    yield from _send_cancel(desk, status.bolus_id)
    return {"outcome": "done", "bolus": "partial", "delivered_nl": status.bolus_delivered_nl}


def take_off_twice(desk: Desk, task: Task) -> Procedure[Report]:
    """A cancel that is refused was not heard: what it was to keep back is taken off, and again for the fault."""
    del task
    status = yield from read(StatusRequest(), StatusAnswer)
    if not status.bolus_id:
        return _NOTHING
    reply = yield from _send_cancel(desk, status.bolus_id)
    if isinstance(reply, Answered) and isinstance(reply.message, BolusCancelAnswer):
        return {"outcome": "done", "bolus": "partial", "delivered_nl": reply.message.target_min_nl}
    booked_nl = ordered_nl = desk.number(SENT_NL)
    listing = yield from read_op_list(desk.host)
    for entry in listing.entries:
        if entry.op_id == desk.number(SENT_OP):
            kept_back_nl = ordered_nl - entry.min_nl
            booked_nl -= kept_back_nl
            if any(alarm.type == AlarmType.MOTOR_STALL for alarm in (yield from read_alarms())):
                booked_nl -= kept_back_nl
    return {"outcome": "done", "bolus": "partial", "delivered_nl": booked_nl}


def _send_cancel(desk: Desk, bolus_id: int) -> Procedure[Reply]:
    listing = yield from read_op_list(desk.host)
    op_id = listing.op_high.get(desk.host.role, 0) + 1
    reply: Reply = yield Ask(BolusCancelRequest(bolus_id=bolus_id, op_id=op_id, therapy_rev=listing.therapy_rev))
    return reply


FLAWS: Final = (
    GOOD.flawed(
        "cancels-only-what-was-answered",
        "does not cancel a bolus whose beginning the pump has not confirmed",
        {"bolus": believe_answers_only, "cancel": cancel_what_is_known},
    ),
    GOOD.flawed(
        "books-the-look-before-the-cancel",
        "books what the bolus had given when it last looked, whatever the pump says to the cancel",
        {"cancel": cancel_by_the_last_look},
    ),
    GOOD.flawed(
        "takes-off-twice",
        "takes a cancel that is refused for one that was not heard, and what was not given off the dose twice",
        {"bolus": send_and_resolve_later, "cancel": take_off_twice},
    ),
)
