"""`vpump bolus` and `vpump therapy`: commands that change therapy, each given once however often it is run again."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from emulator.cli.connection import (
    LineHands,
    Target,
    leave_with,
    pump_at_work,
    refused_failure,
    talks_to_pump,
    unknown_failure,
)
from emulator.cli.errors import (
    CommandFailure,
    ExpectationFailed,
    Interrupted,
    LinkFailure,
    OutcomeUnknown,
    Refused,
    UsageFailure,
    json_requested,
    say,
)
from emulator.cli.quantities import DURATION, US_PER_S, VOLUME, format_volume_nl
from emulator.cli.wording import document_of, in_peoples_units
from emulator.programmer.book import BookError, Intention
from emulator.programmer.effects import NoPump, Procedure, PumpRefused, run
from emulator.programmer.ledger import Host
from emulator.programmer.link import LinkError
from emulator.programmer.outcomes import NotTaken, Taken, Unknown, Why
from emulator.programmer.rules import (
    BolusOrder,
    IdTaken,
    NothingToCancel,
    OtherCommand,
    Report,
    cancel,
    close,
    deliver_bolus,
    follow,
    start,
    stop,
)
from protocol.fields import decode
from protocol.messages.codes import BolusKind, OpState, Role
from protocol.messages.deliver import OP_ID_MAX
from protocol.messages.operations import by_name

R = TypeVar("R")

MAX_DURATION_S = 0xFFFF_FFFE

_DONE = {"STOP": "therapy is stopped", "START": "therapy runs", "BOLUS_CANCEL": "the bolus is cancelled"}
# Of what an earlier run did, nobody has asked whether it is still so.
_DONE_EARLIER = {
    "STOP": "therapy was stopped",
    "START": "therapy was started",
    "BOLUS_CANCEL": "the bolus was cancelled",
}

_op_id_option = click.option(
    "--op-id",
    type=click.IntRange(1, OP_ID_MAX),
    metavar="N",
    help="The number of this intention: the same number again never does it twice.",
)

_BOLUS_EXAMPLES = """
\b
Examples:
  vpump bolus 50uL                      in the shortest time that the pump allows
  vpump bolus 0.05mL --over 10min
  vpump bolus 50uL --op-id 900 --wait   repeat it as often as you like: one dose

\b
A run that was killed, or lost its line, is continued by running the same command again.
Exit status 6 means that the outcome is unknown; 'vpump op N' asks for it.
"""


@click.command(epilog=_BOLUS_EXAMPLES)
@click.argument("volume_nl", metavar="VOLUME", type=VOLUME)
@click.option("--over", "over_us", metavar="DURATION", type=DURATION, help="How long it takes, in whole seconds.")
@click.option(
    "--kind",
    type=click.Choice([kind.name.lower() for kind in BolusKind]),
    default=BolusKind.SINGLE.name.lower(),
    help="What the bolus is for (single).",
)
@_op_id_option
@click.option("--wait", is_flag=True, help="Stay until its end; leaving earlier loses nothing.")
@talks_to_pump(role="clinician")
def bolus(target: Target, volume_nl: int, over_us: int | None, kind: str, op_id: int | None, wait: bool) -> None:
    """Deliver a bolus of VOLUME (such as 50uL) once."""
    duration_s = None
    if over_us is not None:
        duration_s, rest_us = divmod(over_us, US_PER_S)
        if rest_us or duration_s > MAX_DURATION_S:
            raise click.BadParameter("a bolus lasts whole seconds, such as 90s.", param_hint="--over")
    order = BolusOrder(BolusKind[kind.upper()], volume_nl, duration_s)
    _command(target, lambda host: deliver_bolus(host, order, op_id), wait=wait)


@click.group()
def therapy() -> None:
    """Stop or start therapy, or cancel a bolus."""


@therapy.command("stop")
@_op_id_option
@talks_to_pump(role="clinician")
def stop_command(target: Target, op_id: int | None) -> None:
    """Halt all delivery; a running bolus ends."""
    _command(target, lambda host: stop(host, op_id))


@therapy.command("start")
@_op_id_option
@talks_to_pump(role="clinician")
def start_command(target: Target, op_id: int | None) -> None:
    """Resume the programmed infusion."""
    _command(target, lambda host: start(host, op_id))


@therapy.command("cancel")
@_op_id_option
@talks_to_pump(role="clinician")
def cancel_command(target: Target, op_id: int | None) -> None:
    """End the running bolus; the infusion goes on."""
    _command(target, lambda host: cancel(host, op_id))


def _command(target: Target, procedure: Callable[[Host], Procedure[Report]], *, wait: bool = False) -> None:
    """Carry a command out, tell its outcome, and only then close it in the book."""
    with pump_at_work(target) as (host, hands), nothing_lost(host):
        report = first_outcome(host, hands, procedure)
        if report.continued:
            say(f"continued operation {report.intention.op_id}, which an earlier run began; nothing new was begun.")
        if wait and isinstance(report.outcome, Taken) and report.outcome.state == OpState.EXECUTING:
            say(f"{taken_text(report)}; waiting for its end.")
            report = _last_outcome(host, hands, report)
        failure = failure_of(report, waited=wait)
        if failure is None:
            if json_requested():
                click.echo(json.dumps(document_of_report(report)))
            else:
                click.echo(f"{taken_text(report)}.")
        else:
            failure.show()
        sys.stdout.flush()
        run(close(host, report), hands)
        if failure is not None:
            leave_with(failure)


def first_outcome(host: Host, hands: LineHands, procedure: Callable[[Host], Procedure[R]]) -> R:
    """Carry out a command up to its outcome; what stays open, and what the user must choose otherwise, is a failure."""
    try:
        return run(procedure(host), hands)
    except OtherCommand as other:
        command = in_peoples_units(other.intention.command)
        raise UsageFailure(
            f"op id {other.intention.op_id} belongs to another command ({command}); use a new op id."
        ) from other
    except IdTaken as taken:
        raise Refused(
            f"op id {taken.op_id} has been used on this pump, and not by this programmer's book; 'vpump op "
            f"{taken.op_id}' says what became of it, and the next free one is {taken.next_op_id}.",
            code="op_id_reused",
            limit=taken.next_op_id,
        ) from taken
    except NothingToCancel as nothing:
        raise Refused("no bolus is running, so there is nothing to cancel.", code="no_such_bolus") from nothing
    except (NoPump, PumpRefused, LinkError) as error:
        begun = [each for each in host.book.unfinished if each.stage == "open"]
        if not begun:
            raise
        raise unknown_failure(begun[-1], _why(error)) from error


def _last_outcome(host: Host, hands: LineHands, report: Report) -> Report:
    op_id = report.intention.op_id
    try:
        return run(follow(host, report), hands)
    except (NoPump, PumpRefused, LinkError) as error:
        raise OutcomeUnknown(
            f"operation {op_id} was taken, and then {_why(error)}; ask for its end with 'vpump op {op_id}'.",
            op_id=op_id,
        ) from error


def _why(error: Exception) -> str:
    return f"the pump refused with {error}" if isinstance(error, PumpRefused) else str(error).rstrip(".")


@contextlib.contextmanager
def nothing_lost(host: Host) -> Iterator[None]:
    """What ends a command after its first byte may have left must name the operation."""
    try:
        yield
    except KeyboardInterrupt:
        unfinished = host.book.unfinished
        if not unfinished:
            raise Interrupted("interrupted; no operation was begun.") from None
        raise Interrupted(
            f"interrupted; the pump goes on without us, and 'vpump op {unfinished[-1].op_id}' says what became of "
            f"operation {unfinished[-1].op_id}."
        ) from None
    except BookError as error:
        begun = [each for each in host.book.unfinished if each.stage == "open"]
        if not begun:
            raise
        raise OutcomeUnknown(
            f"{error} Operation {begun[-1].op_id} may have been taken; ask with 'vpump op {begun[-1].op_id}'.",
            op_id=begun[-1].op_id,
        ) from error


def document_of_report(report: Report) -> dict[str, Any]:
    """A report as JSON values."""
    intention, outcome = report.intention, report.outcome
    document: dict[str, Any] = {
        "op_id": intention.op_id,
        "operation": intention.operation,
        "command": intention.command,
        "continued": report.continued,
        "outcome": type(outcome).__name__.lower() if not isinstance(outcome, NotTaken) else "not_taken",
    }
    if isinstance(outcome, Taken):
        document |= {
            "state": outcome.state.name.lower(),
            "delivered_min_nl": outcome.min_nl,
            "delivered_max_nl": outcome.max_nl,
        }
    request = document_of(_request_of(intention))
    document["request"] = {key: value for key, value in request.items() if not key.endswith("_complement")}
    document["answer"] = document_of(report.answer) if report.answer is not None else None
    return document


def failure_of(report: Report, *, waited: bool = False) -> CommandFailure | None:
    """How the command ends, None for well."""
    op_id, outcome = report.intention.op_id, report.outcome
    match outcome:
        case Taken():
            if outcome.state == OpState.REJECTED:
                return Refused(f"operation {op_id} was taken and ended without motion.", code="rejected", op_id=op_id)
            if waited and outcome.state == OpState.PARTIAL:
                return ExpectationFailed(f"{taken_text(report)}.", document_of_report(report))
            return None
        case NotTaken(why=why, nak=nak):
            if nak is not None:
                return refused_failure(nak, _request_of(report.intention), Role(report.intention.role))
            if why == Why.NOT_SEEN:
                return LinkFailure(
                    f"the pump never received operation {op_id}, so nothing has happened; run the command again.",
                    {"error": "the pump never received it", "code": "not_seen", "op_id": op_id},
                )
            return Refused(f"operation {op_id} was not taken: {why.value}.", code=why.name.lower(), op_id=op_id)
        case Unknown():
            return unknown_failure(report.intention, outcome.reason, final=outcome.final)


def _request_of(intention: Intention) -> Any:
    request: type[Any] = by_name[intention.operation].request
    return decode(request, bytes.fromhex(intention.payload))


def taken_text(report: Report) -> str:
    """What a taken operation did, for people."""
    outcome = report.outcome
    assert isinstance(outcome, Taken)  # noqa: S101 - the caller has looked
    op_id, name = report.intention.op_id, report.intention.operation
    if name != "BOLUS_EXECUTE":
        done = (_DONE_EARLIER if report.continued else _DONE)[name]
        target_op_id = getattr(report.answer, "target_op_id", 0)
        if target_op_id:
            given = amount_text(getattr(report.answer, "target_min_nl", 0), getattr(report.answer, "target_max_nl", 0))
            done += f"; the bolus of operation {target_op_id} ended with {given}"
        return f"operation {op_id}: {done}"
    asked = format_volume_nl(_request_of(report.intention).volume_nl)
    match outcome.state:
        case OpState.EXECUTING:
            return f"operation {op_id}: a bolus of {asked} is running"
        case OpState.DONE:
            return f"operation {op_id}: {amount_text(outcome.min_nl, outcome.max_nl)} delivered, the whole bolus"
        case _:
            given = amount_text(outcome.min_nl, outcome.max_nl)
            return f"operation {op_id}: the bolus ended early, {given} of {asked} delivered"


def amount_text(min_nl: int, max_nl: int) -> str:
    """An amount that is known, or known to lie between two."""
    if min_nl == max_nl:
        return format_volume_nl(min_nl)
    return f"between {format_volume_nl(min_nl)} and {format_volume_nl(max_nl)}"
