"""The programmer's side of the line: one request at a time, its retries, and which answer counts.

Rules of this file:

- A retry is the same request with RETRY set, sealed anew in a session; a new request is a new txn. An answer counts
  only for the newest request.
- Sequenced requests share one txn counter, the others (HELLO, OPEN, AUTH, STOP, OP_QUERY) share a second one.
- In a session only sealed answers are believed. NO_SUCH_SESSION in the clear ends the session, and says nothing of
  what became of the request.
- Events come at any time, and change nothing of a request in hand: `next_told` gives them out.
- NoAnswer says nothing about what the pump did: a command's outcome is then asked with OP_QUERY, never guessed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from protocol.channel import CounterExhausted, CounterOld, TagWrong
from protocol.fields import FormatError, decode, encode, layout_of
from protocol.frame import ANSWER_FLAGS, ANY_ADDRESS, NO_FLAGS, Flag, Frame, FrameError, parse_body
from protocol.framing import StreamReader, encode_wire
from protocol.host_session import NO_SESSION, CryptogramWrong, HostChannel, SessionWanted, answer_challenge
from protocol.host_stream import HostStream, Told
from protocol.keys import hello_hash
from protocol.messages.link import AuthAnswer, HelloAnswer, OpenAnswer
from protocol.messages.operations import EVENT, Operation, operation_of
from protocol.messages.stream import SubscribeAnswer, SubscribeRequest
from protocol.refusals import OK, Nak, NakCode

PENDING_TIMEOUT_US: Final = 5_000_000
PENDINGS_MAX: Final = 5
BUSY_WAIT_US: Final = 100_000
RENUMBERINGS_MAX: Final = 3

_IN_THE_CLEAR: Final = frozenset({"HELLO", "OPEN", "AUTH"})


class Answered(Struct, frozen=True):
    message: Any
    txn: int


@dataclass(frozen=True, slots=True)
class Refused:
    nak: Nak
    txn: int


@dataclass(frozen=True, slots=True)
class NoAnswer:
    txn: int


@dataclass(frozen=True, slots=True)
class SessionReady:
    session_id: int
    answer: AuthAnswer


@dataclass(frozen=True, slots=True)
class KeyWrong:
    """The pump has shown that it does not hold our key; nothing of ours has been shown to it."""

    txn: int


HostEvent = Answered | Refused | NoAnswer | SessionReady | KeyWrong


class _Exchange(Struct):
    operation: Operation
    payload: bytes
    txn: int
    deadline: int
    retries: int = 0
    pendings: int = 0
    renumberings: int = 0
    put_off: bool = False


class HostEnd:
    """The programmer's end of one line. Times are integer microseconds that never go back."""

    def __init__(
        self, *, address: int = ANY_ADDRESS, first_txn: int = 1, timeout_us: int = 600_000, retries: int = 3
    ) -> None:
        self.address = address
        # Frames and line errors that were no answer to the request in hand, and no event.
        self.ignored = 0
        self._timeout_us = timeout_us
        self._retries = retries
        # By `Operation.sequenced`.
        self._next_txn = {True: first_txn & 0xFF, False: first_txn & 0xFF}
        self._exchange: _Exchange | None = None
        self._hello_hash = b""
        self._wanted: SessionWanted | None = None
        self._channel: HostChannel | None = None
        self._stream = HostStream()
        self._reader = StreamReader()
        self._unsent = b""
        self._events: deque[HostEvent] = deque()

    @property
    def busy(self) -> bool:
        return self._exchange is not None

    @property
    def session_id(self) -> int:
        """The id of the open session, 0 for none."""
        return self._channel.session_id if self._channel else NO_SESSION

    def open_session(self, wanted: SessionWanted, now: int) -> None:
        """OPEN and AUTH; ends in SessionReady, KeyWrong, Refused or NoAnswer. A session that was open is forgotten."""
        if not self._hello_hash:
            raise ValueError("a session is bound to the pump's greeting: ask HELLO first")
        self.forget_session()
        self.request(wanted.request(), now)
        self._wanted = wanted

    def forget_session(self) -> None:
        """Go on without a session; not while a request is unanswered, whose retries would leave in the clear."""
        if self._exchange is not None:
            raise RuntimeError(f"{self._exchange.operation.name} is still unanswered")
        self._channel = None

    def request(self, message: object, now: int) -> None:
        if self._exchange is not None:
            raise RuntimeError(f"{self._exchange.operation.name} is still unanswered")
        operation = operation_of(message)
        if self.address == ANY_ADDRESS and operation.name != "HELLO":
            raise ValueError(f"{operation.name} needs the pump's address: ask HELLO first")
        if isinstance(message, SubscribeRequest):
            self._stream.subscribing()
        self._exchange = _Exchange(operation, encode(message), self._take_txn(operation), now)
        self._send(self._exchange, now)

    def receive(self, data: bytes, now: int) -> None:
        for piece in self._reader.feed(data):
            if piece.body is None:
                self.ignored += piece.fault is not None
                continue
            try:
                taken = self._take(parse_body(piece.body), now)
            except (FrameError, FormatError, CounterOld, TagWrong, ValueError):
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

    def next_event(self) -> HostEvent | None:
        """Each request ends in exactly one of these."""
        return self._events.popleft() if self._events else None

    def next_told(self) -> Told | None:
        """What the pump has told of its own accord, oldest first."""
        return self._stream.next_told()

    def _take_txn(self, operation: Operation) -> int:
        txn = self._next_txn[operation.sequenced]
        self._next_txn[operation.sequenced] = (txn + 1) & 0xFF
        return txn

    def _send(self, exchange: _Exchange, now: int) -> None:
        exchange.deadline = now + self._timeout_us
        exchange.put_off = False
        try:
            # A frame that has not left yet is not worth sending beside its retry.
            self._unsent = encode_wire(self._body_of(exchange))
        except CounterExhausted:
            self._channel = None
            self._end(Refused(Nak(NakCode.NO_SUCH_SESSION), exchange.txn))

    def _body_of(self, exchange: _Exchange) -> bytes:
        opcode, txn, payload = exchange.operation.opcode, exchange.txn, exchange.payload
        flags = Flag.RETRY if exchange.retries else NO_FLAGS
        if self._channel is not None and exchange.operation.name not in _IN_THE_CLEAR:
            return self._channel.seal_body(opcode=opcode, txn=txn, address=self.address, payload=payload, flags=flags)
        return Frame(opcode=opcode, txn=txn, address=self.address, payload=payload, flags=flags).to_body()

    def _take(self, frame: Frame, now: int) -> bool:
        """Whether the frame was an answer to the request in hand, or an event."""
        if Flag.EVENT in frame.flags:
            return self._take_event(frame)
        exchange = self._exchange
        if exchange is None or frame.flags not in ANSWER_FLAGS or frame.address == ANY_ADDRESS:
            return False
        if (frame.opcode, frame.txn) != (exchange.operation.opcode, exchange.txn):
            return False
        if self.address not in (ANY_ADDRESS, frame.address):
            return False
        payload = self._open(exchange, frame)
        if payload is None:
            return False
        if payload[:1] != bytes((OK,)):
            self._take_nak(exchange, Nak.decode(payload), now)
            return True
        answer = decode(self._answer_class(exchange.operation, payload), payload[1:])
        self.address = frame.address
        if isinstance(answer, HelloAnswer):
            self._hello_hash = hello_hash(payload[1:])
        self._end_answered(exchange, answer, now)
        return True

    def _take_event(self, frame: Frame) -> bool:
        if (frame.address, frame.opcode) != (self.address, EVENT.opcode):
            return False
        if (self._channel is None) is (Flag.SECURED in frame.flags):
            return False
        payload = frame.payload if self._channel is None else self._channel.open_event(frame)
        if payload is None:
            return False
        event = decode(EVENT.message, payload)
        if event.stream_sequence & 0xFF != frame.txn:
            return False
        return self._stream.take(event)

    def _open(self, exchange: _Exchange, frame: Frame) -> bytes | None:
        """The payload of a frame that is to be believed, in the clear; None for any other."""
        if frame.sealed:
            return (
                self._channel.open(frame)
                if self._channel and exchange.operation.name not in ("HELLO", "OPEN")
                else None
            )
        if self._channel is None or exchange.operation.name in ("HELLO", "OPEN"):
            return frame.payload
        if frame.payload[:1] == bytes((OK,)):
            return None
        if exchange.operation.name == "AUTH":
            return frame.payload
        if Nak.decode(frame.payload).code != NakCode.NO_SUCH_SESSION:
            return None
        self._channel = None
        return frame.payload

    def _answer_class(self, operation: Operation, payload: bytes) -> type[Any]:
        """What an answer is: without a session some are reduced, which their length shows."""
        reduced = operation.reduced
        if reduced is None or self._channel is not None:
            return operation.answer
        whole = layout_of(operation.answer).fixed_size
        if whole is not None and len(payload) - 1 < whole:
            return reduced
        return operation.answer

    def _end_answered(self, exchange: _Exchange, answer: object, now: int) -> None:
        wanted = self._wanted
        if wanted is not None and isinstance(answer, OpenAnswer):
            self._exchange = None
            try:
                request, session_keys = answer_challenge(
                    wanted, answer, serial_number=self.address, hello_hash=self._hello_hash
                )
            except CryptogramWrong:
                self._end(KeyWrong(exchange.txn))
                return
            self._channel = HostChannel(session_keys)
            self.request(request, now)
        elif wanted is not None and isinstance(answer, AuthAnswer):
            self._stream = HostStream()
            self._end(SessionReady(self.session_id, answer))
        else:
            if isinstance(answer, SubscribeAnswer):
                self._stream.subscribed(answer.next_sequence)
            self._end(Answered(answer, exchange.txn))

    def _take_nak(self, exchange: _Exchange, nak: Nak, now: int) -> None:
        if nak.code == NakCode.PENDING:
            if exchange.pendings < PENDINGS_MAX:
                exchange.pendings += 1
                exchange.deadline = now + PENDING_TIMEOUT_US
        elif nak.code == NakCode.BUSY and exchange.retries < self._retries:
            # Once for each copy that was sent: who goes on saying it must not keep the host for ever.
            if not exchange.put_off:
                exchange.put_off = True
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

    def _end(self, event: HostEvent) -> None:
        if self._wanted is not None and not isinstance(event, SessionReady):
            self._channel = None
        self._wanted = None
        self._exchange = None
        self._unsent = b""
        self._events.append(event)
