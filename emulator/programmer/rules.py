"""The host's rules: how a therapy command is given once, however often its run dies and is begun again.

Rules of this file:

- An intention is durable before the first byte of its command leaves, and quotes the revision of a booked OP_LIST.
- An open intention is resolved before anything new begins; only STOP and CANCEL go past one that cannot be resolved.
- An intention is closed when the person has been told its outcome: `close`, after the telling, is the caller's part.
- Who asks for the same command again means an intention that is not closed, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from emulator.programmer.book import Intention
from emulator.programmer.effects import Ask, LineLost, NoPump, Pause, Procedure, PumpRefused, Reply, Tell, read
from emulator.programmer.ledger import Host, bolus_id_of, read_op_list, resolve
from emulator.programmer.outcomes import NotTaken, Outcome, Taken, Unknown, Why, from_booked, to_booked
from protocol.access import access_of
from protocol.fields import encode
from protocol.host_end import Answered, NoAnswer, Refused
from protocol.messages.codes import BolusKind, OpState, Role, RunState
from protocol.messages.deliver import (
    OP_ID_MAX,
    BolusCancelRequest,
    BolusExecuteRequest,
    BolusPrepareAnswer,
    BolusPrepareRequest,
    OpAnswer,
    StartRequest,
    StopRequest,
)
from protocol.messages.link import CapsAnswer, CapsRequest
from protocol.messages.op import OpQueryAnswer, OpQueryRequest
from protocol.messages.operations import operation_of, payload_hash
from protocol.messages.read import StatusAnswer, StatusRequest
from protocol.refusals import NOT_TAKEN, Nak, NakCode

MAX_ID_COLLISIONS = 3
S_PER_DAY = 86_400
FIRST_FOLLOW_PAUSE_US = 50_000
MAX_FOLLOW_PAUSE_US = 1_000_000
MAX_FOLLOW_POLLS = 7 * S_PER_DAY  # a week at one a second: longer than any bolus

STOP, START, CANCEL = "therapy stop", "therapy start", "therapy cancel"

Build = Callable[[int, int], object]
"""Makes a command from its op id and therapy_rev."""


@dataclass(frozen=True, slots=True)
class Report:
    """An intention and what became of it. `continued`: it was begun by an earlier run; `answer`: the command's own."""

    intention: Intention
    outcome: Outcome
    continued: bool = False
    answer: OpAnswer | None = None


@dataclass(frozen=True, slots=True)
class BolusOrder:
    """A bolus as the user asked for it; no duration means the shortest that the pump allows."""

    kind: BolusKind
    volume_nl: int
    duration_s: int | None

    @property
    def command(self) -> str:
        """The text by which a later run knows that it is the same."""
        over = "the shortest time" if self.duration_s is None else f"{self.duration_s} s"
        return f"bolus {self.kind.name.lower()} {self.volume_nl} nl over {over}"


class OtherCommand(Exception):
    """The op id that the user named belongs to another command in the book."""

    def __init__(self, intention: Intention) -> None:
        super().__init__(intention.command)
        self.intention = intention


class IdTaken(Exception):
    """The op id that the user named is not above those that the pump has seen, and the book does not hold it."""

    def __init__(self, op_id: int, next_op_id: int) -> None:
        super().__init__(str(op_id))
        self.op_id = op_id
        self.next_op_id = next_op_id


class NothingToCancel(Exception):
    """No bolus runs."""


def deliver_bolus(host: Host, order: BolusOrder, op_id: int | None = None) -> Procedure[Report]:
    """Give a bolus once; returns when the pump has taken it, while it still runs."""
    earlier = yield from settle(host, order.command, op_id)
    if earlier is not None:
        return earlier
    duration_s = order.duration_s
    if duration_s is None:
        caps = yield from read(CapsRequest(), CapsAnswer)
        duration_s = shortest_duration_s(caps, order.volume_nl)
    request = BolusPrepareRequest(
        kind=order.kind,
        volume_nl=order.volume_nl,
        volume_complement=order.volume_nl ^ 0xFFFF_FFFF,
        duration_s=duration_s,
    )
    prepared = yield from read(request, BolusPrepareAnswer)

    def build(chosen: int, therapy_rev: int) -> object:
        return BolusExecuteRequest(
            bolus_id=prepared.bolus_id,
            volume_nl=prepared.volume_nl,
            volume_complement=prepared.volume_nl ^ 0xFFFF_FFFF,
            duration_s=prepared.duration_s,
            op_id=chosen,
            therapy_rev=therapy_rev,
        )

    return (yield from carry_out(host, order.command, build, op_id))


def stop(host: Host, op_id: int | None = None) -> Procedure[Report]:
    """Halt all delivery. An earlier STOP whose answer was lost is asked about before it is repeated."""
    return (yield from _switch(host, STOP, op_id, lambda chosen, rev: StopRequest(op_id=chosen, therapy_rev=rev)))


def start(host: Host, op_id: int | None = None) -> Procedure[Report]:
    """Resume the programmed infusion."""
    return (yield from _switch(host, START, op_id, lambda chosen, rev: StartRequest(op_id=chosen, therapy_rev=rev)))


def cancel(host: Host, op_id: int | None = None) -> Procedure[Report]:
    """End the running bolus."""
    earlier = yield from settle(host, CANCEL, op_id, may_pass=True)
    status = yield from read(StatusRequest(), StatusAnswer)
    if earlier is not None:
        if op_id is not None or status.bolus_id in (0, bolus_id_of(earlier.intention)):
            return earlier
        yield from tell_earlier(host, earlier)
    if status.bolus_id == 0:
        raise NothingToCancel

    def build(chosen: int, therapy_rev: int) -> object:
        return BolusCancelRequest(bolus_id=status.bolus_id, op_id=chosen, therapy_rev=therapy_rev)

    return (yield from carry_out(host, CANCEL, build, op_id))


def close(host: Host, report: Report) -> Procedure[None]:
    """The person has been told; what is still open, or what a person must book, stays."""
    if not isinstance(report.outcome, Unknown) and report.intention.stage != "closed":
        yield from host.close(report.intention)


def follow(host: Host, report: Report) -> Procedure[Report]:
    """Wait for the end of an operation that executes; leaving the wait loses nothing."""
    intention, pause_us, told = report.intention, FIRST_FOLLOW_PAUSE_US, -1
    request = OpQueryRequest(role=Role(intention.role), op_id=intention.op_id)
    for _ in range(MAX_FOLLOW_POLLS):
        answer = yield from read(request, OpQueryAnswer)
        if answer.state not in (OpState.EXECUTING, OpState.PENDING):
            break
        status = yield from read(StatusRequest(), StatusAnswer)
        if status.bolus_id == bolus_id_of(intention) and status.bolus_delivered_nl != told:
            told = status.bolus_delivered_nl
            yield Tell(f"delivered {told} nl of {status.bolus_volume_nl} nl.")
        yield Pause(pause_us)
        pause_us = min(2 * pause_us, MAX_FOLLOW_PAUSE_US)
    outcome = yield from resolve(host, intention)
    return replace(report, intention=(yield from host.book_outcome(intention, outcome)), outcome=outcome)


def settle_one(host: Host, intention: Intention) -> Procedure[Report]:
    """What became of an intention of an earlier run, asked if the book does not know it yet."""
    if intention.stage == "resolved" and intention.outcome is not None:
        booked = from_booked(intention.outcome)
        if not (isinstance(booked, Taken) and booked.state == OpState.EXECUTING):
            return Report(intention, booked, continued=True)
    outcome = yield from resolve(host, intention)
    # Reading the list may have shown that the pump has another memory, and booked that.
    current = host.book.latest(intention.role, intention.op_id) or intention
    return Report((yield from host.book_outcome(current, outcome)), outcome, continued=True)


def shortest_duration_s(caps: CapsAnswer, volume_nl: int) -> int:
    """The shortest duration that the pump's greatest bolus rate allows, in whole seconds."""
    # The pump may round up to a whole motor step, which must not be too fast then.
    whole_nl = -(-volume_nl // caps.volume_quantum_nl) * caps.volume_quantum_nl
    needed_s = -(-whole_nl * S_PER_DAY // caps.bolus_rate_max_nl_per_day)
    # A volume beyond all limits is for the pump to refuse, by its volume and not by the time it would take.
    return min(max(needed_s, caps.bolus_duration_min_s), caps.bolus_duration_max_s)


def _switch(host: Host, command: str, op_id: int | None, build: Build) -> Procedure[Report]:
    earlier = yield from settle(host, command, op_id, may_pass=command == STOP)
    if earlier is not None:
        if op_id is not None or isinstance(earlier.outcome, Unknown):
            return earlier
        status = yield from read(StatusRequest(), StatusAnswer)
        if (status.run_state == RunState.RUNNING) == (command == START):
            return earlier
        # It was taken, and therapy has changed again since: whoever asks now means now.
        yield from tell_earlier(host, earlier)
    return (yield from carry_out(host, command, build, op_id))


def settle(host: Host, command: str, op_id: int | None, *, may_pass: bool = False) -> Procedure[Report | None]:
    """See to what earlier runs left; a report is the outcome of this very command, so that nothing new may begin.

    `may_pass`: a command that only ever ends delivery does not wait for what became of others, and goes past an
    earlier one of its own that cannot be resolved.
    """
    listing = yield from read_op_list(host)
    named = host.book.latest(host.role, op_id) if op_id is not None else None
    if named is not None and named.command != command:
        raise OtherCommand(named)
    for intention in host.book.unfinished:
        same = intention.command == command and op_id in (None, intention.op_id)
        if may_pass and not same:
            continue
        report = yield from settle_one(host, intention)
        if isinstance(report.outcome, Unknown):
            if not may_pass:
                return report
            yield Tell(f"operation {intention.op_id} ({intention.command}) stays unresolved: {report.outcome.reason}.")
            continue
        if same and (isinstance(report.outcome, Taken) or (op_id is not None and not _may_repeat(report.outcome))):
            return report
        yield from tell_earlier(host, report)
    if op_id is None:
        return None
    named = host.book.latest(host.role, op_id)
    if named is not None:
        return (yield from _report_named(host, named))
    high = listing.op_high.get(host.role, 0)
    if op_id <= high:
        raise IdTaken(op_id, high + 1)
    return None


def _report_named(host: Host, named: Intention) -> Procedure[Report | None]:
    """A closed intention that the user names again: reported, and begun anew only if it was never taken."""
    booked = from_booked(named.outcome) if named.outcome is not None else Unknown("the book does not say", final=True)
    if isinstance(booked, NotTaken):
        return None if _may_repeat(booked) else Report(named, booked, continued=True)
    # It may have ended since it was told.
    outcome = yield from resolve(host, named)
    return Report(named, outcome if isinstance(outcome, Taken) else booked, continued=True)


def _may_repeat(outcome: Outcome) -> bool:
    """What was not taken is as good as never begun, as long as its id is still free."""
    return isinstance(outcome, NotTaken) and outcome.why in (Why.NOT_SEEN, Why.REFUSED)


def tell_earlier(host: Host, report: Report) -> Procedure[None]:
    """Tell what an earlier run began, and close it."""
    yield Tell(f"an earlier run began operation {report.intention.op_id}: {describe(report)}.")
    yield from host.close(report.intention)


def describe(report: Report) -> str:
    """A report as one clause, in the wire's own units."""
    command, outcome = report.intention.command, report.outcome
    match outcome:
        case Taken():
            amount = f"{outcome.min_nl} nl"
            if outcome.min_nl != outcome.max_nl:
                amount = f"between {outcome.min_nl} and {outcome.max_nl} nl"
            given = f", {amount} delivered" if command.startswith("bolus") else ""
            return f"{command}, taken, {outcome.state.name.lower()}{given}"
        case NotTaken():
            because = f" ({outcome.nak.code.name})" if outcome.nak is not None else ""
            return f"{command}, not taken, {outcome.why.value}{because}"
        case Unknown():
            return f"{command}, outcome unknown, {outcome.reason}"


def carry_out(host: Host, command: str, build: Build, op_id: int | None) -> Procedure[Report]:
    """Intend, send, judge; with a fresh op id if another host was quicker with the one that we took."""
    report: Report | None = None
    for _ in range(MAX_ID_COLLISIONS):
        listing = host.book.op_list
        if listing is None or report is not None:
            listing = yield from read_op_list(host)
        chosen = op_id if op_id is not None else _next_op_id(host, listing.op_high.get(host.role, 0))
        message = build(chosen, listing.therapy_rev)
        operation = operation_of(message)
        if host.role not in access_of(operation.name).roles:
            # What could never be taken is not worth an entry in the book.
            raise PumpRefused(Nak(NakCode.ROLE), message)
        intention = Intention(
            op_id=chosen,
            role=int(host.role),
            host_id=host.host_id,
            serial_number=host.book.serial_number,
            epoch=listing.epoch,
            operation=operation.name,
            opcode=operation.opcode,
            payload=encode(message).hex(),
            payload_hash=payload_hash(operation.opcode, message).hex(),
            command=command,
        )
        yield from host.keep(host.book.adding(intention))
        reply: Reply = yield Ask(message)
        outcome = yield from _judge(host, intention, reply)
        # A listing that shows another memory has changed it there.
        current = host.book.latest(intention.role, intention.op_id) or intention
        answer = reply.message if isinstance(reply, Answered) and isinstance(reply.message, OpAnswer) else None
        report = Report((yield from host.book_outcome(current, outcome)), outcome, answer=answer)
        collided = isinstance(outcome, NotTaken) and (
            outcome.why == Why.OTHER_COMMAND or (outcome.nak is not None and outcome.nak.code == NakCode.OP_ID_REUSED)
        )
        if not collided or op_id is not None:
            break
        yield Tell(f"another programmer was quicker with operation {chosen}; trying the next one.")
        yield from host.close(report.intention)
    assert report is not None  # noqa: S101 - the loop runs at least once
    return report


def _next_op_id(host: Host, op_high: int) -> int:
    # An open intention's id may be on its way to the ledger.
    reserved = [each.op_id for each in host.book.unfinished if each.stage == "open" and each.role == host.role]
    chosen = max([op_high, *reserved]) + 1
    if chosen > OP_ID_MAX:
        raise NoPump("this pump's op ids are used up")
    return chosen


def _judge(host: Host, intention: Intention, reply: Reply) -> Procedure[Outcome]:
    """What the reply to a command means. Anything but its own answer or a NAK of the list resolves nothing."""
    match reply:
        case Answered() if isinstance(reply.message, OpAnswer) and reply.message.op_id == intention.op_id:
            answer = reply.message
            return Taken(answer.state, answer.delivered_min_nl, answer.delivered_max_nl)
        case Refused() if reply.nak.code in NOT_TAKEN:
            return NotTaken(Why.REFUSED, reply.nak)
        case LineLost():
            return Unknown(reply.reason, final=False)
        case NoAnswer():
            reason = "the pump does not answer"
        case Refused():
            reason = f"the pump answered {reply.nak.code.name}"
        case _:
            reason = "the pump answered with something else"
    yield Tell(f"operation {intention.op_id}: {reason}; asking what became of it.")
    try:
        outcome = yield from resolve(host, intention)
        if isinstance(outcome, NotTaken) and isinstance(reply, Refused) and reply.nak.code != NakCode.NO_SUCH_SESSION:
            return replace(outcome, nak=reply.nak)
        # That a session is gone is no verdict on the command.
        return outcome
    except NoPump as error:
        return Unknown(f"{reason}, and asking what became of it failed, as {error}", final=False)
    except PumpRefused as refused:
        return Unknown(f"{reason}, and refused to say more with {refused.nak.code.name}", final=False)


def book_as_unknown(host: Host, intention: Intention) -> Procedure[None]:
    """A person has looked, and books an operation as unknown: it stands in the way of new commands no longer."""
    outcome = intention.outcome or to_booked(Unknown("a person booked it as unknown", final=True))
    closed = msgspec.structs.replace(intention, stage="closed", outcome=outcome)
    yield from host.keep(host.book.replacing(intention, closed))
