"""What became of operations: the complete OP_LIST, and how an intention is resolved from ledger and log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from emulator.programmer.book import Book, BookedOp, BookedOpList, Intention
from emulator.programmer.effects import Keep, NoPump, Pause, Procedure, PumpRefused, read
from emulator.programmer.outcomes import NotTaken, Outcome, Taken, Unknown, Why, from_booked, to_booked
from protocol.fields import FormatError
from protocol.messages.codes import BolusEndReason, OpState, Role
from protocol.messages.log import (
    LOG_RECORDS_PER_PAGE,
    LogReadAnswer,
    LogReadRequest,
    LogRecord,
    LogStatusAnswer,
    LogStatusRequest,
)
from protocol.messages.log_records import (
    BolusCancelledData,
    BolusEndedData,
    BolusStartedData,
    ProgramChangedData,
    RefilledData,
    TherapyStartedData,
    TherapyStoppedData,
    TimeSetData,
    data_of,
)
from protocol.messages.op import OpListAnswer, OpListRequest, OpQueryAnswer, OpQueryRequest
from protocol.refusals import NakCode

MAX_LIST_READS = 5
MAX_PENDING_QUERIES = 20
PENDING_PAUSE_US = 500_000
MAX_LOG_RECORDS = 1 << 20

_NEW_MEMORY = "the pump's memory is not the one that it was given to"
_ONE_RECORD_OPS = {
    "STOP": TherapyStoppedData,
    "START": TherapyStartedData,
    "BOLUS_CANCEL": BolusCancelledData,
    "PROGRAM_COMMIT": ProgramChangedData,
    "TIME_SET": TimeSetData,
    "REFILL_COMMIT": RefilledData,
}


@dataclass(slots=True)
class Host:
    """The programmer while it is at work on one pump: who it is, and its book as it is on the disk."""

    book: Book
    role: Role = Role.CLINICIAN
    host_id: int = 0

    def has_silenced(self, intention: Intention) -> bool:
        """Whether no frame of another session can carry out an intention any more.

        There is one clinician's place, and whoever opens a session ends the one that he had in the same role.
        """
        return intention.role == self.role and (self.role is Role.CLINICIAN or intention.host_id == self.host_id)

    def keep(self, book: Book) -> Procedure[None]:
        """Make a new state of the book durable."""
        yield Keep(book)
        self.book = book

    def book_outcome(self, intention: Intention, outcome: Outcome) -> Procedure[Intention]:
        """Book what became of an intention; what asking again may still tell stays open."""
        if isinstance(outcome, Unknown) and not outcome.final:
            return intention
        resolved = msgspec.structs.replace(intention, stage="resolved", outcome=to_booked(outcome))
        if resolved != intention:
            yield from self.keep(self.book.replacing(intention, resolved))
        return resolved

    def close(self, intention: Intention) -> Procedure[None]:
        """The person has been told what became of it."""
        yield from self.keep(self.book.replacing(intention, msgspec.structs.replace(intention, stage="closed")))


def read_op_list(host: Host) -> Procedure[BookedOpList]:
    """All pages of OP_LIST under one therapy_rev, durably booked: only then may that revision be quoted."""
    pages = yield from read_op_pages()
    listing = _booked(pages)
    yield from host.keep(_with_listing(host.book, listing))
    return listing


def read_op_pages() -> Procedure[list[OpListAnswer]]:
    """All pages of OP_LIST under one therapy_rev, to look at: `read_op_list` is for quoting."""
    for _ in range(MAX_LIST_READS):
        pages = yield from _pages_of_one_revision()
        if pages is not None:
            return pages
    raise NoPump("therapy went on changing while its operations were listed")


def _pages_of_one_revision() -> Procedure[list[OpListAnswer] | None]:
    """All pages, or None if they do not belong together."""
    first = yield from read(OpListRequest(page=0), OpListAnswer)
    pages = [first]
    for number in range(1, first.pages):
        page = yield from read(OpListRequest(page=number), OpListAnswer)
        if (page.therapy_rev, page.epoch, page.pages, page.page) != (
            first.therapy_rev,
            first.epoch,
            first.pages,
            number,
        ):
            return None
        pages.append(page)
    return pages


def _booked(pages: Sequence[OpListAnswer]) -> BookedOpList:
    last = pages[-1]
    return BookedOpList(
        epoch=last.epoch,
        therapy_rev=last.therapy_rev,
        op_high={int(Role.CLINICIAN): last.clinician_op_high, int(Role.PATIENT): last.patient_op_high},
        entries=tuple(
            BookedOp(
                role=int(entry.role),
                op_id=entry.op_id,
                host_id=entry.host_id,
                opcode=entry.opcode,
                payload_hash=entry.payload_hash.hex(),
                state=entry.state.name.lower(),
                min_nl=entry.delivered_min_nl,
                max_nl=entry.delivered_max_nl,
                log_sequence=entry.log_sequence,
            )
            for page in pages
            for entry in page.ops
        ),
    )


def _with_listing(book: Book, listing: BookedOpList) -> Book:
    """The book with a new listing; what it says of another memory's operations is not true of this one's."""
    intentions = book.intentions
    if _is_another_memory(book, listing):
        lost = to_booked(Unknown(_NEW_MEMORY, final=True))
        intentions = tuple(
            msgspec.structs.replace(each, stage="resolved", outcome=lost) if each.stage == "open" else each
            for each in book.unfinished
        )
    return msgspec.structs.replace(book, intentions=intentions, op_list=listing)


def _is_another_memory(book: Book, listing: BookedOpList) -> bool:
    """Whether the pump's memory was begun anew or put back: another epoch, or a number that never falls has fallen."""
    before = book.op_list
    if before is None:
        return False
    if listing.epoch != before.epoch or listing.therapy_rev < before.therapy_rev:
        return True
    high = dict(before.op_high)
    for each in book.intentions:
        # A STOP halts also under an op id that the ledger does not enter.
        if each.outcome is not None and each.outcome.kind == "taken" and each.operation != "STOP":
            high[each.role] = max(high.get(each.role, 0), each.op_id)
    return any(listing.op_high.get(role, 0) < op_id for role, op_id in high.items())


def resolve(host: Host, intention: Intention) -> Procedure[Outcome]:
    """What became of a command that has left, or may have; raises NoPump and PumpRefused when nobody answers that.

    The complete OP_LIST comes first. It is a sequenced request of our own session, so that a NOT_SEEN after it is final
    for every copy that was sent before in this one; copies of earlier sessions died with those, if ours has ended them.
    """
    listing = yield from read_op_list(host)
    current = host.book.latest(intention.role, intention.op_id)
    if intention.stage == "open" and current is not None and current.stage == "resolved" and current.outcome:
        # Reading the list showed another memory, and booked it.
        return from_booked(current.outcome)
    if listing.epoch != intention.epoch:
        return Unknown(_NEW_MEMORY, final=True)
    outcome = _listed(intention, listing)
    if outcome is None:
        outcome = yield from _query(host, intention)
    was_taken = intention.outcome is not None and intention.outcome.kind == "taken"
    if was_taken and isinstance(outcome, NotTaken):
        return Unknown(_NEW_MEMORY, final=True)
    return outcome


def _listed(intention: Intention, listing: BookedOpList) -> Outcome | None:
    """What the list says of an intention, None if it does not hold that op id."""
    for entry in listing.entries:
        if (entry.role, entry.op_id) == (intention.role, intention.op_id):
            if (entry.host_id, entry.opcode, entry.payload_hash) != _identity(intention):
                return NotTaken(Why.OTHER_COMMAND)
            return Taken(OpState[entry.state.upper()], entry.min_nl, entry.max_nl)
    return None


def _identity(intention: Intention) -> tuple[int, int, str]:
    return intention.host_id, intention.opcode, intention.payload_hash


def _query(host: Host, intention: Intention) -> Procedure[Outcome]:
    request = OpQueryRequest(role=Role(intention.role), op_id=intention.op_id)
    for _ in range(MAX_PENDING_QUERIES):
        answer = yield from read(request, OpQueryAnswer)
        if answer.epoch != intention.epoch:
            return Unknown(_NEW_MEMORY, final=True)
        if answer.state == OpState.PENDING:
            yield Pause(PENDING_PAUSE_US)
            continue
        if answer.state == OpState.NOT_SEEN and not host.has_silenced(intention):
            owner = Role(intention.role).name.lower()
            reason = f"the pump has not received it so far, and only a session of role {owner} makes that final"
            return Unknown(reason, final=False)
        if answer.state == OpState.NOT_SEEN:
            return NotTaken(Why.NOT_SEEN)
        if answer.state == OpState.NEVER_TAKEN:
            return NotTaken(Why.NEVER_TAKEN)
        if answer.state == OpState.UNKNOWN_EVICTED:
            return (yield from search_log(intention))
        if (answer.host_id, answer.opcode, answer.payload_hash.hex()) != _identity(intention):
            return NotTaken(Why.OTHER_COMMAND)
        return Taken(answer.state, answer.delivered_min_nl, answer.delivered_max_nl)
    return Unknown("the pump is still at work on it", final=False)


def search_log(intention: Intention) -> Procedure[Outcome]:
    """What the log says of an operation that the ledger has given up, by role, host and op id."""
    status = yield from read(LogStatusRequest(), LogStatusAnswer)
    if status.epoch != intention.epoch:
        return Unknown(_NEW_MEMORY, final=True)
    first, started = status.first, False
    for _ in range(MAX_LOG_RECORDS):
        if not 0 < first <= status.last:
            break
        records, first = yield from read_log_page(status.epoch, first)
        for record in records:
            found = _said_of(intention, record)
            if isinstance(found, Taken | NotTaken):
                return found
            started = started or found is not None
    found_what = "its beginning and not its end" if started else "nothing of it"
    return Unknown(f"the ledger no longer holds it, and the log holds {found_what}", final=True)


def read_log_page(epoch: int, from_sequence: int) -> Procedure[tuple[tuple[LogRecord, ...], int]]:
    """Records from a sequence on, and what to ask for next, which is behind a gap where there is one."""
    request = LogReadRequest(epoch=epoch, from_sequence=from_sequence, maximum=LOG_RECORDS_PER_PAGE)
    try:
        answer = yield from read(request, LogReadAnswer)
    except PumpRefused as refused:
        if refused.nak.code != NakCode.RECORD_OVERWRITTEN:
            raise
        return (), max(refused.nak.detail, from_sequence + 1)
    return answer.records, max(answer.next_sequence, from_sequence + 1)


def _said_of(intention: Intention, record: LogRecord) -> Outcome | BolusStartedData | None:
    """What a record says of an intention: its outcome, its beginning, or nothing."""
    if record.op_id != intention.op_id:
        return None
    try:
        data = data_of(record)
    except FormatError:
        return None
    if (getattr(data, "role", None), getattr(data, "host_id", None)) != (intention.role, intention.host_id):
        return None
    if isinstance(data, BolusStartedData | BolusEndedData):
        if intention.operation != "BOLUS_EXECUTE" or data.bolus_id != bolus_id_of(intention):
            return NotTaken(Why.OTHER_COMMAND)
        if isinstance(data, BolusStartedData):
            return data
        state = OpState.DONE if data.reason == BolusEndReason.COMPLETE else OpState.PARTIAL
        return Taken(state, data.delivered_min_nl, data.delivered_max_nl)
    wanted = _ONE_RECORD_OPS.get(intention.operation)
    if wanted is None or not isinstance(data, wanted):
        return NotTaken(Why.OTHER_COMMAND)
    # On an INSECURE pump all hosts are one, so that the op id may be that of another host's program.
    if isinstance(data, ProgramChangedData) and data.crc32 != image_crc_of(intention):
        return NotTaken(Why.OTHER_COMMAND)
    return Taken(OpState.DONE)


def bolus_id_of(intention: Intention) -> int:
    """The bolus that an EXECUTE or CANCEL names: in both messages the first field."""
    return int.from_bytes(bytes.fromhex(intention.payload)[:4], "little")


def image_crc_of(intention: Intention) -> int:
    """The checksum of the program that a COMMIT names: the second field of its message."""
    return int.from_bytes(bytes.fromhex(intention.payload)[4:8], "little")
