"""The programmer's side of the line: one request at a time, its retries, and which answer counts.

Rules of this file:

- A retry is the same frame with RETRY set; a new request is a new txn. An answer counts only for the newest request.
- Sequenced requests share one txn counter, the others (HELLO, STOP, OP_QUERY) share a second one.
- NoAnswer says nothing about what the pump did: a command's outcome is then asked with OP_QUERY, never guessed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from protocol.fields import FormatError, decode, encode
from protocol.frame import ANY_ADDRESS, Flag, Frame, FrameError, parse_body
from protocol.framing import StreamReader
from protocol.messages.operations import Operation, operation_of
from protocol.refusals import OK, Nak, NakCode

PENDING_TIMEOUT_US: Final = 5_000_000
PENDINGS_MAX: Final = 5
BUSY_WAIT_US: Final = 100_000
RENUMBERINGS_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Answered:
    message: Any
    txn: int


@dataclass(frozen=True, slots=True)
class Refused:
    nak: Nak
    txn: int


@dataclass(frozen=True, slots=True)
class NoAnswer:
    txn: int


@dataclass(slots=True)
class _Exchange:
    operation: Operation
    payload: bytes
    txn: int
    deadline: int
    retries: int = 0
    pendings: int = 0
    renumberings: int = 0


class HostEnd:
    """The programmer's end of one line. Times are integer microseconds that never go back."""

    def __init__(
        self, *, address: int = ANY_ADDRESS, first_txn: int = 1, timeout_us: int = 600_000, retries: int = 3
    ) -> None:
        self.address = address
        # Frames and line errors that were no answer to the request in hand.
        self.ignored = 0
        self._timeout_us = timeout_us
        self._retries = retries
        # By `Operation.sequenced`.
        self._next_txn = {True: first_txn & 0xFF, False: first_txn & 0xFF}
        self._exchange: _Exchange | None = None
        self._reader = StreamReader()
        self._unsent = b""
        self._events: deque[Answered | Refused | NoAnswer] = deque()

    @property
    def busy(self) -> bool:
        return self._exchange is not None

    def request(self, message: object, now: int) -> None:
        if self._exchange is not None:
            raise RuntimeError(f"{self._exchange.operation.name} is still unanswered")
        operation = operation_of(message)
        if operation.needs_session and self.address == ANY_ADDRESS:
            raise ValueError(f"{operation.name} needs the pump's address: ask HELLO first")
        self._exchange = _Exchange(operation, encode(message), self._take_txn(operation), now)
        self._send(self._exchange, now)

    def receive(self, data: bytes, now: int) -> None:
        for piece in self._reader.feed(data):
            if piece.body is None:
                self.ignored += piece.fault is not None
                continue
            try:
                taken = self._take(parse_body(piece.body), now)
            except (FrameError, FormatError, ValueError):
                taken = False
            self.ignored += not taken

    def data_to_send(self) -> bytes:
        data, self._unsent = self._unsent, b""
        return data

    def next_deadline(self) -> int | None:
        return self._exchange.deadline if self._exchange else None

    def advance(self, now: int) -> None:
        exchange = self._exchange
        if exchange is None or now < exchange.deadline:
            return
        if exchange.retries < self._retries:
            exchange.retries += 1
            self._send(exchange, now)
        else:
            self._end(NoAnswer(exchange.txn))

    def next_event(self) -> Answered | Refused | NoAnswer | None:
        """Each request ends in exactly one of these."""
        return self._events.popleft() if self._events else None

    def _take_txn(self, operation: Operation) -> int:
        txn = self._next_txn[operation.sequenced]
        self._next_txn[operation.sequenced] = (txn + 1) & 0xFF
        return txn

    def _send(self, exchange: _Exchange, now: int) -> None:
        frame = Frame(
            opcode=exchange.operation.opcode,
            txn=exchange.txn,
            address=self.address,
            payload=exchange.payload,
            flags=Flag.RETRY if exchange.retries else Flag(0),
        )
        # A frame that has not left yet is not worth sending beside its retry.
        self._unsent = frame.to_wire()
        exchange.deadline = now + self._timeout_us

    def _take(self, frame: Frame, now: int) -> bool:
        """Whether the frame was an answer to the request in hand."""
        exchange = self._exchange
        if exchange is None or frame.flags != Flag.RESP or frame.address == ANY_ADDRESS:
            return False
        if (frame.opcode, frame.txn) != (exchange.operation.opcode, exchange.txn):
            return False
        if self.address not in (ANY_ADDRESS, frame.address):
            return False
        if frame.payload[:1] != bytes((OK,)):
            self._take_nak(exchange, Nak.decode(frame.payload), now)
            return True
        answer = decode(exchange.operation.answer, frame.payload[1:])
        self.address = frame.address
        self._end(Answered(answer, exchange.txn))
        return True

    def _take_nak(self, exchange: _Exchange, nak: Nak, now: int) -> None:
        if nak.code == NakCode.PENDING:
            if exchange.pendings < PENDINGS_MAX:
                exchange.pendings += 1
                exchange.deadline = now + PENDING_TIMEOUT_US
        elif nak.code == NakCode.BUSY and exchange.retries < self._retries:
            exchange.deadline = now + BUSY_WAIT_US
        elif nak.code == NakCode.SEQUENCE and exchange.operation.sequenced and exchange.renumberings < RENUMBERINGS_MAX:
            self._renumber(exchange, nak.detail, now)
        else:
            self._end(Refused(nak, exchange.txn))

    def _renumber(self, exchange: _Exchange, last: int, now: int) -> None:
        """The pump counts otherwise, as after a request that was lost for good: the same request as its next txn."""
        self._next_txn[True] = (last + 1) & 0xFF
        exchange.txn = self._take_txn(exchange.operation)
        exchange.renumberings += 1
        exchange.retries = 0
        self._send(exchange, now)

    def _end(self, event: Answered | Refused | NoAnswer) -> None:
        self._exchange = None
        self._unsent = b""
        self._events.append(event)
