"""Flaws in finding out what became of a command whose answer was lost, and in pressing the button again."""

from __future__ import annotations

from typing import Final

from emulator.programmer.effects import Ask, Procedure, Reply, read
from emulator.programmer.ledger import read_log_page, read_op_list
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.hands import refusal_report
from emulator.scenario.samples.naive.bolus import as_answered, prepare_bolus
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.host_end import Answered, Refused
from protocol.messages.deliver import StartRequest
from protocol.messages.log import LogStatusAnswer, LogStatusRequest

SENT_OP: Final = "op id of the bolus that was sent"
SENT_NL: Final = "volume of the bolus that was sent"


def send_noted_bolus(desk: Desk, task: Task) -> Procedure[Reply]:
    """A bolus whose op id and volume are written down before it is sent."""
    request = yield from prepare_bolus(desk, task)
    desk.shelf.notes |= {SENT_OP: request.op_id, SENT_NL: request.volume_nl}
    reply: Reply = yield Ask(request)
    return reply


def send_and_resolve_later(desk: Desk, task: Task) -> Procedure[Report]:
    """No answer: that is for `resolve` to find out."""
    return as_answered((yield from send_noted_bolus(desk, task)), task, unanswered="unknown")


def believe_last_record(desk: Desk, task: Task) -> Procedure[Report]:
    """The last record of the log is that of the last command: if it is not ours, ours never came."""
    del task
    status = yield from read(LogStatusRequest(), LogStatusAnswer)
    records, _ = yield from read_log_page(status.epoch, status.last)
    if records and records[-1].op_id == desk.number(SENT_OP):
        return {"outcome": "given", "delivered_nl": desk.number(SENT_NL)}
    return {"outcome": "not-given", "delivered_nl": 0}


def start_whatever_runs(desk: Desk, task: Task) -> Procedure[Report]:
    """Each press is a new START, and whatever is no OK is a pump that stands still."""
    del task
    listing = yield from read_op_list(desk.host)
    op_id = listing.op_high.get(desk.host.role, 0) + 1
    reply: Reply = yield Ask(StartRequest(op_id=op_id, therapy_rev=listing.therapy_rev))
    match reply:
        case Answered():
            return {"outcome": "done", "op_id": op_id}
        case Refused(nak):
            return refusal_report(nak)
        case _:
            return {"outcome": "failed", "reason": "the pump does not answer"}


FLAWS: Final = (
    GOOD.flawed(
        "believes-the-last-record",
        "takes the last record of the log for that of its own command",
        {"bolus": send_and_resolve_later, "resolve": believe_last_record},
    ),
    GOOD.flawed(
        "starts-whatever-runs",
        "sends a new START at each press, and never looks whether the pump runs",
        {"start": start_whatever_runs},
    ),
)
