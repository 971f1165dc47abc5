"""Flaws in giving a bolus: what is done when its answer does not come, and what is told of it."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Ask, Pause, Procedure, Reply, read
from emulator.programmer.ledger import read_op_list
from emulator.programmer.rules import shortest_duration_s
from emulator.scenario.samples.good import GOOD, US_PER_S
from emulator.scenario.samples.hands import refusal_report
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.host_end import Answered, Refused
from protocol.messages.codes import BolusKind
from protocol.messages.deliver import BolusExecuteRequest, BolusPrepareAnswer, BolusPrepareRequest
from protocol.messages.link import CapsAnswer, CapsRequest

_WHOLE: Final = 0xFFFF_FFFF
USER_WAITS_US: Final = 60_000_000
"""How long after a bolus should have ended a person tries again."""


def prepare_bolus(desk: Desk, task: Task) -> Procedure[BolusExecuteRequest]:
    """PREPARE, and the EXECUTE that is to follow, under the next free op id."""
    volume_nl, duration_us = task.number("VOLUME") or 0, task.number("DURATION")
    caps = yield from read(CapsRequest(), CapsAnswer)
    duration_s = shortest_duration_s(caps, volume_nl) if duration_us is None else duration_us // US_PER_S
    listing = yield from read_op_list(desk.host)
    prepared = yield from read(
        BolusPrepareRequest(
            kind=BolusKind.SINGLE,
            volume_nl=volume_nl,
            volume_complement=volume_nl ^ _WHOLE,
            duration_s=duration_s,
        ),
        BolusPrepareAnswer,
    )
    return BolusExecuteRequest(
        bolus_id=prepared.bolus_id,
        volume_nl=prepared.volume_nl,
        volume_complement=prepared.volume_nl ^ _WHOLE,
        duration_s=prepared.duration_s,
        op_id=listing.op_high.get(desk.host.role, 0) + 1,
        therapy_rev=listing.therapy_rev,
    )


def send_bolus(desk: Desk, task: Task) -> Procedure[Reply]:
    """PREPARE and EXECUTE under the next free op id; nothing is written down."""
    reply: Reply = yield Ask((yield from prepare_bolus(desk, task)))
    return reply


def resend_under_a_new_id(desk: Desk, task: Task) -> Procedure[Report]:
    """No answer means that nothing was given: the person is told so, and gives it again."""
    reply = yield from send_bolus(desk, task)
    if not isinstance(reply, Answered | Refused):
        yield Pause((task.number("DURATION") or 0) + USER_WAITS_US)
        reply = yield from send_bolus(desk, task)
    return as_answered(reply, task, unanswered="failed")


def book_unanswered_as_given(desk: Desk, task: Task) -> Procedure[Report]:
    """It was sent, so it was given."""
    return as_answered((yield from send_bolus(desk, task)), task, unanswered="delivered")


def book_in_full(desk: Desk, task: Task) -> Procedure[Report]:
    """It was taken, so all of it will be given; the time that it takes is waited for, and nobody looks again."""
    reply = yield from send_bolus(desk, task)
    if "follow" in task.said:
        yield Pause(task.number("DURATION") or 0)
    return as_answered(reply, task, unanswered="unknown")


def as_answered(reply: Reply, task: Task, *, unanswered: str) -> Report:
    """An answer is taken for the whole bolus, and `unanswered` is told when there is none."""
    volume_nl = task.number("VOLUME") or 0
    match reply:
        case Answered():
            return {"outcome": "delivered", "delivered_nl": volume_nl, "requested_nl": volume_nl}
        case Refused(nak):
            return {**refusal_report(nak), "delivered_nl": 0, "requested_nl": volume_nl}
        case _:
            given_nl = volume_nl if unanswered == "delivered" else 0
            return {"outcome": unanswered, "delivered_nl": given_nl, "requested_nl": volume_nl}


FLAWS: Final = (
    GOOD.flawed(
        "resends-under-a-new-id",
        "takes silence for failure, and gives the bolus again under a new op id",
        {"bolus": resend_under_a_new_id},
    ),
    GOOD.flawed(
        "books-unanswered-as-given",
        "takes silence for success, and books the bolus as given",
        {"bolus": book_unanswered_as_given},
    ),
    GOOD.flawed(
        "books-in-full",
        "books a bolus in full as soon as the pump has taken it",
        {"bolus": book_in_full},
    ),
)
