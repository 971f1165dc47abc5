"""`vpump op`: what became of an operation, or of all that the pump still holds."""

from __future__ import annotations

import json
import sys

import click

from emulator.cli.connection import LineHands, Target, leave_with, open_link, pump_at_work, talks_to_pump
from emulator.cli.errors import OutcomeUnknown, UsageFailure, json_requested
from emulator.cli.reading import ops_document
from emulator.cli.therapy import amount_text, failure_of
from emulator.cli.wording import aligned, document_of, in_peoples_units
from emulator.programmer.book import Book, Intention
from emulator.programmer.effects import read, run
from emulator.programmer.ledger import Host, read_op_pages, search_log
from emulator.programmer.outcomes import Outcome, Taken, Unknown, to_booked
from emulator.programmer.rules import book_as_unknown, close, settle_one
from protocol.messages.codes import OpState, Role
from protocol.messages.deliver import OP_ID_MAX
from protocol.messages.op import OpQueryAnswer, OpQueryRequest
from protocol.messages.operations import by_opcode

_HEADINGS = ("ROLE", "OP ID", "HOST", "COMMAND", "STATE", "DELIVERED", "LOG RECORD")
_ENTERED = frozenset({OpState.EXECUTING, OpState.DONE, OpState.PARTIAL, OpState.REJECTED})

_STATE_TEXT = {
    OpState.EXECUTING: "taken, and running",
    OpState.DONE: "taken, and done",
    OpState.PARTIAL: "taken, and ended early",
    OpState.REJECTED: "taken, and ended without motion",
    OpState.NOT_SEEN: "not seen: the pump has never received it",
    OpState.NEVER_TAKEN: "never taken, and never will be",
    OpState.UNKNOWN_EVICTED: "no longer held by the pump's ledger",
    OpState.PENDING: "still being worked on",
}


@click.command(epilog="\b\nExamples:\n  vpump op\n  vpump op 7\n  vpump op 7 --json")
@click.argument("op_id", metavar="[ID]", type=click.IntRange(1, OP_ID_MAX), required=False)
@click.option(
    "--of",
    "owner",
    type=click.Choice([Role.CLINICIAN.name.lower(), Role.PATIENT.name.lower()]),
    default=Role.CLINICIAN.name.lower(),
    help="Whose operation (clinician).",
)
@click.option("--book-unknown", is_flag=True, help="You have looked: book it as unknown, so that others may begin.")
@talks_to_pump(role="reader")
def op(target: Target, op_id: int | None, owner: str, book_unknown: bool) -> None:
    """What became of operation ID; without ID, of every one that the pump still holds.

    To settle one that this programmer began, it comes as the role that it was begun in.
    """
    if op_id is None:
        if book_unknown:
            raise UsageFailure("--book-unknown needs the ID of the operation.")
        _list(target)
        return
    role = Role[owner.upper()]

    def least_role(book: Book) -> str:
        """Only a session of its own role makes sure that an operation that was not seen never will be."""
        mine = _booked(book, role, op_id)
        return owner if mine is not None and mine.stage != "closed" else target.role

    with pump_at_work(target, least_role) as (host, hands):
        mine = _booked(host.book, role, op_id)
        if book_unknown:
            _book_unknown(host, hands, op_id, mine)
        else:
            _tell_one(host, hands, role, op_id, mine)


def _booked(book: Book, role: Role, op_id: int) -> Intention | None:
    """What the book holds under an op id: an unfinished intention before any that is closed."""
    unfinished = [each for each in book.unfinished if (each.role, each.op_id) == (role, op_id)]
    return unfinished[0] if unfinished else book.latest(role, op_id)


def _book_unknown(host: Host, hands: LineHands, op_id: int, mine: Intention | None) -> None:
    if mine is None or mine.stage == "closed":
        raise UsageFailure(
            f"operation {op_id} is not unfinished in this programmer's book, so there is nothing to book."
        )
    report = run(settle_one(host, mine), hands)
    if not isinstance(report.outcome, Unknown):
        raise UsageFailure(f"what became of operation {op_id} is known; 'vpump op {op_id}' says it.")
    run(book_as_unknown(host, report.intention), hands)
    if json_requested():
        click.echo(json.dumps({"op_id": op_id, "outcome": "unknown", "booked": True}))
    else:
        click.echo(f"operation {op_id} is booked as unknown.")


def _tell_one(host: Host, hands: LineHands, role: Role, op_id: int, mine: Intention | None) -> None:
    report = run(settle_one(host, mine), hands) if mine is not None and mine.stage != "closed" else None
    answer = run(read(OpQueryRequest(role=role, op_id=op_id), OpQueryAnswer), hands)
    if report is not None and isinstance(report.outcome, Unknown):
        failure = failure_of(report)
        if failure is not None:
            failure.show()
            leave_with(failure)
    outcome = report.outcome if report is not None else None
    if outcome is None and answer.state == OpState.UNKNOWN_EVICTED:
        outcome = _from_log(hands, op_id, mine)
    document = {**document_of(answer), "command": mine.command if mine is not None else None}
    document["operation"] = by_opcode[answer.opcode].name if answer.opcode in by_opcode else None
    if outcome is not None:
        booked = to_booked(outcome)
        document["outcome"] = booked.kind
        if isinstance(outcome, Taken):
            document |= {
                "state": booked.state,
                "delivered_min_nl": outcome.min_nl,
                "delivered_max_nl": outcome.max_nl,
            }
    if json_requested():
        click.echo(json.dumps(document))
    else:
        click.echo(_text(op_id, answer, mine, outcome))
    sys.stdout.flush()
    if report is not None:
        run(close(host, report), hands)


def _from_log(hands: LineHands, op_id: int, mine: Intention | None) -> Outcome:
    if mine is not None:
        found = run(search_log(mine), hands)
        if not isinstance(found, Unknown):
            return found
    raise OutcomeUnknown(
        f"the outcome of operation {op_id} is unknown: the pump's ledger no longer holds it, and neither does what we "
        "know of its log.",
        op_id=op_id,
    )


def _text(op_id: int, answer: OpQueryAnswer, mine: Intention | None, outcome: Outcome | None) -> str:
    command = f" ({in_peoples_units(mine.command)})" if mine is not None else ""
    if outcome is None and answer.opcode in by_opcode and not command:
        command = f" ({by_opcode[answer.opcode].name})"
    if isinstance(outcome, Taken):
        state, min_nl, max_nl = outcome.state, outcome.min_nl, outcome.max_nl
    else:
        state, min_nl, max_nl = answer.state, answer.delivered_min_nl, answer.delivered_max_nl
    given = f"; {amount_text(min_nl, max_nl)} delivered" if state in _ENTERED else ""
    return f"operation {op_id}{command}: {_STATE_TEXT[state]}{given}."


def _list(target: Target) -> None:
    with open_link(target) as link:
        pages = run(read_op_pages(), LineHands(link))
    if json_requested():
        click.echo(json.dumps(ops_document(pages)))
        return
    entries = [entry for page in pages for entry in page.ops]
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for entry in entries:
        name = by_opcode[entry.opcode].name if entry.opcode in by_opcode else f"{entry.opcode:04X}"
        given = amount_text(entry.delivered_min_nl, entry.delivered_max_nl)
        rows.append(
            (
                entry.role.name.lower(),
                str(entry.op_id),
                f"{entry.host_id:08X}",
                name,
                entry.state.name.lower(),
                given,
                str(entry.log_sequence),
            )
        )
    click.echo("\n".join(aligned(rows)) if entries else "The pump has taken no operation yet.")
