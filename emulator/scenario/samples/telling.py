"""How a sample programmer ends what it has done: what it tells its user, in the words of a report; and its session."""

from __future__ import annotations

from emulator.programmer.effects import Ask, Procedure
from emulator.programmer.outcomes import NotTaken, Outcome, Taken, Unknown, Why
from emulator.programmer.rules import Report as RuleReport
from emulator.programmer.rules import close
from emulator.scenario.samples.sample import Desk, Report
from protocol.messages.codes import OpState
from protocol.messages.link import CloseRequest

_BOLUS_STATES = {
    OpState.EXECUTING: "given",
    OpState.DONE: "delivered",
    OpState.PARTIAL: "partial",
    OpState.REJECTED: "refused",
}


def told_of(outcome: Outcome) -> Report:
    """What a person is told of an outcome; `delivered_nl` is what the pump vouches for, and may be more."""
    match outcome:
        case Taken(state, min_nl, max_nl):
            word = _BOLUS_STATES.get(state, "unknown")
            return {"outcome": word, "delivered_nl": min_nl, "at_most_nl": max_nl}
        case NotTaken(Why.REFUSED, nak) if nak is not None:
            return {
                "outcome": "refused", "refusal": nak.code.name.lower(), "detail": nak.detail, "delivered_nl": 0,
            }  # fmt: skip
        case NotTaken(why):
            return {"outcome": "not-given", "reason": why.value, "delivered_nl": 0}
        case Unknown(reason):
            return {"outcome": "unknown", "reason": reason}


def done(desk: Desk, report: RuleReport) -> Procedure[Report]:
    """Close a command that is no bolus, and say what became of it."""
    yield from close(desk.host, report)
    told = told_of(report.outcome)
    return {"outcome": "done", "op_id": report.intention.op_id} if isinstance(report.outcome, Taken) else told


def leave(desk: Desk) -> Procedure[None]:
    """End the session, if there can be one; the next request begins another."""
    if desk.host.host_id:
        yield Ask(CloseRequest())
