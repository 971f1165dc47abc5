"""A pump that says what a test wants it to say, for answers that a real one gives only after a long story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.programmer.book import Book
from emulator.programmer.effects import LineLost, Reply
from protocol.host_end import Answered, NoAnswer, Refused
from protocol.messages.codes import OpFlag, OpState, Role
from protocol.messages.deliver import BolusExecuteAnswer, BolusExecuteRequest, BolusPrepareAnswer, BolusPrepareRequest
from protocol.messages.log import LogReadAnswer, LogReadRequest, LogRecord, LogStatusAnswer, LogStatusRequest
from protocol.messages.op import OpEntry, OpListAnswer, OpListRequest, OpQueryAnswer, OpQueryRequest
from protocol.messages.operations import operation_of, payload_hash
from protocol.refusals import Nak, NakCode

NAMELESS = bytes(8)


@dataclass
class ScriptedPump:
    """`replies` holds what EXECUTE is answered with, in turn; `states` what OP_QUERY says, the last one for good."""

    book: Book = field(default_factory=lambda: Book(serial_number=0x00C0FFEE))
    replies: list[Nak | OpState | LineLost | None] = field(default_factory=list)
    states: list[OpState] = field(default_factory=lambda: [OpState.NOT_SEEN])
    epoch: int = 1
    therapy_rev: int = 5
    op_high: int = 6
    entries: tuple[OpEntry, ...] = ()
    records: tuple[LogRecord, ...] = ()
    first_record: int = 1
    pages: Callable[[int], OpListAnswer] | None = None
    foreign_hash: bool = False
    asked: list[object] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    executed: BolusExecuteRequest | None = None

    def ask(self, message: object) -> Reply:
        self.asked.append(message)
        match message:
            case OpListRequest(page=page):
                return Answered(self.pages(page) if self.pages else self.op_list(), 1)
            case BolusPrepareRequest():
                return Answered(_prepared(message), 1)
            case BolusExecuteRequest():
                self.executed = message
                return self._executed(message)
            case OpQueryRequest():
                return Answered(self._queried(message), 1)
            case LogStatusRequest():
                last = self.first_record + len(self.records) - 1
                return Answered(LogStatusAnswer(epoch=self.epoch, first=self.first_record, last=last, capacity=9), 1)
            case LogReadRequest():
                return self._read(message)
            case _:
                raise AssertionError(f"nobody expected {message}")

    def keep(self, book: Book) -> None:
        self.book = book

    def pause(self, duration_us: int) -> None:
        assert duration_us > 0

    def tell(self, sentence: str) -> None:
        self.told.append(sentence)

    def op_list(self, page: int = 0, pages: int = 1, therapy_rev: int | None = None) -> OpListAnswer:
        return OpListAnswer(
            epoch=self.epoch,
            therapy_rev=self.therapy_rev if therapy_rev is None else therapy_rev,
            page=page,
            pages=pages,
            clinician_op_high=self.op_high,
            patient_op_high=0,
            ops=self.entries,
        )

    def entry(self, state: OpState, op_id: int, min_nl: int = 0, max_nl: int = 0) -> OpEntry:
        """A ledger entry of the command that was executed last."""
        assert self.executed is not None
        opcode = operation_of(self.executed).opcode
        return OpEntry(
            role=Role.CLINICIAN,
            op_id=op_id,
            host_id=0,
            opcode=opcode,
            payload_hash=NAMELESS if self.foreign_hash else payload_hash(opcode, self.executed),
            state=state,
            delivered_min_nl=min_nl,
            delivered_max_nl=max_nl,
            log_sequence=1,
        )

    def _executed(self, message: BolusExecuteRequest) -> Reply:
        reply = self.replies.pop(0) if self.replies else None
        match reply:
            case None:
                return NoAnswer(1)
            case LineLost():
                return reply
            case Nak():
                return Refused(reply, 1)
            case OpState():
                return Answered(
                    BolusExecuteAnswer(
                        op_id=message.op_id,
                        state=reply,
                        flags=OpFlag(0),
                        delivered_min_nl=0,
                        delivered_max_nl=0,
                        log_sequence=1,
                        bolus_id=message.bolus_id,
                        volume_nl=message.volume_nl,
                        duration_s=message.duration_s,
                    ),
                    1,
                )

    def _queried(self, message: OpQueryRequest) -> OpQueryAnswer:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        entered = state in (OpState.EXECUTING, OpState.DONE, OpState.PARTIAL, OpState.REJECTED)
        entry = self.entry(state, message.op_id, 30_000, 30_000) if entered else None
        return OpQueryAnswer(
            epoch=self.epoch,
            role=message.role,
            op_high=self.op_high,
            state=state,
            op_id=message.op_id,
            host_id=0,
            opcode=entry.opcode if entry else 0,
            payload_hash=entry.payload_hash if entry else NAMELESS,
            delivered_min_nl=entry.delivered_min_nl if entry else 0,
            delivered_max_nl=entry.delivered_max_nl if entry else 0,
            log_sequence=1,
        )

    def _read(self, message: LogReadRequest) -> Reply:
        if message.from_sequence < self.first_record:
            return Refused(Nak(NakCode.RECORD_OVERWRITTEN, detail=self.first_record), 1)
        start = message.from_sequence - self.first_record
        found = self.records[start : start + message.maximum]
        return Answered(LogReadAnswer(next_sequence=message.from_sequence + len(found), records=found), 1)


def _prepared(message: BolusPrepareRequest) -> BolusPrepareAnswer:
    return BolusPrepareAnswer(
        bolus_id=17,
        volume_nl=message.volume_nl,
        duration_s=message.duration_s,
        steps=message.volume_nl // 25,
        lease_s=30,
        available_nl=1_000_000,
    )
