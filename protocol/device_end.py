"""The pump's side of the line: who may ask, in which order, what is answered from the cache, and what is counted.

Rules of this file:

- It knows no pump. Requests leave by `next_request` under a token; the pump's answer comes back under that token.
- A token lives as long as what it was asked in: the session, or for HELLO the line. Answers to dead tokens vanish.
- At most one sequenced request of a session is unanswered. Only its final answer moves `last` and fills the cache.
- Answers are kept as wire frames, so that what is sent again is the same to the byte.
- Until secured sessions are built, an opened line is the one open session of the device, a clinician's (INSECURE).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from protocol.fields import FormatError, decode, encode
from protocol.frame import ANY_ADDRESS, MAJOR, Flag, Frame, FrameError, parse_body
from protocol.framing import LineFault, Piece
from protocol.link_statistics import LinkCounters, LinkStats
from protocol.messages.codes import Role
from protocol.messages.operations import Operation, Service, by_opcode, payload_hash
from protocol.refusals import OK, OUTSIDE_SEQUENCE, Nak, NakCode

SILENCE_US: Final = 180_000_000
# Requests outside the sequence (STOP, OP_QUERY, HELLO) that one line may have unanswered; the next one gets BUSY.
UNSEQUENCED_REQUESTS_MAX: Final = 8
# Frames that wait to be fetched from one line; further ones are lost, as on a line that nobody reads.
FRAMES_HELD_MAX: Final = 64

EndReason = Literal["line", "silence", "displaced", "power"]

_SERVICES: Final = frozenset(int(service) for service in Service)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that awaits `answer` or `refuse` under its token. `session` 0 and `role` None: asked without one."""

    token: int
    port: int
    session: int
    role: Role | None
    host_id: int
    operation: Operation
    message: Any
    payload_hash: bytes
    txn: int


@dataclass(frozen=True, slots=True)
class SessionOpened:
    port: int
    session: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    port: int
    session: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class _Asked:
    """What makes a request the same one again."""

    txn: int
    opcode: int
    payload: bytes

    @classmethod
    def of(cls, frame: Frame) -> _Asked:
        return cls(frame.txn, frame.opcode, frame.payload)


@dataclass(slots=True)
class _Session:
    key: int
    ends_at: int
    last: _Asked | None = None
    last_answer: bytes = b""
    unanswered: _Asked | None = None


@dataclass(slots=True)
class _Line:
    open: bool = False
    displaced: bool = False
    session: _Session | None = None
    counters: LinkCounters = field(default_factory=LinkCounters)
    frames: deque[bytes] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _Token:
    port: int
    session: int
    asked: _Asked
    operation: Operation


class DeviceEnd:
    """The pump's end of all its lines. Times are integer microseconds that never go back."""

    def __init__(self, *, address: int, insecure: bool = True) -> None:
        self._address = address
        self._insecure = insecure
        self._lines: dict[int, _Line] = {}
        self._tokens: dict[int, _Token] = {}
        self._requests: deque[Request] = deque()
        self._events: deque[SessionOpened | SessionEnded] = deque()
        self._sessions_opened = 0
        self._tokens_given = 0

    def line_opened(self, port: int, now: int) -> None:
        """A host opened the line. There is one place: every other line loses its session until it is opened anew."""
        self.advance(now)
        self.line_closed(port, now)
        for other_port, other in self._lines.items():
            if other.open:
                self._end_session(other_port, other, "displaced")
                other.displaced = True
        line = self._lines.setdefault(port, _Line())
        line.open, line.displaced = True, False
        if self._insecure:
            self._open_session(port, line, now)

    def line_closed(self, port: int, now: int) -> None:
        self.advance(now)
        line = self._lines.get(port)
        if line is None or not line.open:
            return
        self._end_session(port, line, "line")
        self._forget_requests(port)
        line.open = line.displaced = False
        line.frames.clear()

    def power_lost(self) -> None:
        """Forget all that is volatile. Lines stay as they are; the next good frame on one opens a new session."""
        for port, line in self._lines.items():
            self._end_session(port, line, "power")
            line.frames.clear()
            line.counters = LinkCounters()
        self._tokens.clear()
        self._requests.clear()

    def receive(self, port: int, piece: Piece, now: int) -> LineFault | None:
        """One piece of the stream; gives why it was dropped in silence. On a line that is not open, nobody hears it."""
        self.advance(now)
        line = self._lines.get(port)
        if line is None or not line.open:
            return None
        if piece.fault is not None:
            line.counters.faults[piece.fault] += 1
        if piece.body is None:
            return piece.fault
        try:
            frame = parse_body(piece.body)
            self._check_for_us(frame)
        except FrameError as error:
            line.counters.faults[error.fault] += 1
            return error.fault
        line.counters.frames_received += 1
        self._admit(port, line, frame, now)
        return None

    def next_request(self) -> Request | None:
        return self._requests.popleft() if self._requests else None

    def answer(self, token: int, message: object) -> None:
        """The request was granted. Tokens that are unknown or dead are ignored."""
        known = self._tokens.get(token)
        if known is None:
            return
        if type(message) is not known.operation.answer:
            raise TypeError(f"{known.operation.name} is answered by {known.operation.answer.__name__}, not {message!r}")
        payload = bytes((OK,)) + encode(message)
        del self._tokens[token]
        self._settle(known, payload, final=True)

    def refuse(self, token: int, nak: Nak) -> None:
        """The request was refused. PENDING is no answer: it is sent, and the token lives on."""
        known = self._tokens.get(token)
        if known is None:
            return
        payload = nak.encode()
        if nak.code == NakCode.PENDING:
            self._send(self._lines[known.port], self._response(known.asked, payload))
            return
        del self._tokens[token]
        self._settle(known, payload, final=nak.code not in OUTSIDE_SEQUENCE)

    def frames_to_send(self, port: int) -> list[bytes]:
        """The frames for a line, each as it goes on the wire; drained."""
        line = self._lines.get(port)
        if line is None:
            return []
        frames = list(line.frames)
        line.frames.clear()
        return frames

    def next_deadline(self) -> int | None:
        return min((line.session.ends_at for line in self._lines.values() if line.session), default=None)

    def advance(self, now: int) -> None:
        for port, line in self._lines.items():
            if line.session and line.session.ends_at <= now:
                self._end_session(port, line, "silence")

    def next_event(self) -> SessionOpened | SessionEnded | None:
        """A call makes a few of these at most; drain them after each."""
        return self._events.popleft() if self._events else None

    def session_of(self, port: int) -> int:
        line = self._lines.get(port)
        return line.session.key if line and line.session else 0

    @property
    def session_open(self) -> bool:
        return any(line.session for line in self._lines.values())

    def stats(self, port: int) -> LinkStats:
        line = self._lines.get(port)
        return line.counters.snapshot() if line else LinkStats()

    def _check_for_us(self, frame: Frame) -> None:
        if frame.flags & (Flag.RESP | Flag.EVENT):
            raise FrameError(LineFault.FLAGS)
        operation = by_opcode.get(frame.opcode)
        greets = operation is not None and not operation.needs_session
        if frame.address != self._address and not (frame.address == ANY_ADDRESS and greets):
            raise FrameError(LineFault.ADDRESS)
        if frame.major != MAJOR and not greets:
            raise FrameError(LineFault.VERSION)

    def _admit(self, port: int, line: _Line, frame: Frame, now: int) -> None:
        asked = _Asked.of(frame)
        operation = by_opcode.get(frame.opcode)
        if Flag.SECURED in frame.flags:
            self._refuse_now(line, asked, NakCode.NO_SUCH_SESSION)
            return
        if self._insecure and not line.displaced:
            if line.session is None:
                self._open_session(port, line, now)
            else:
                line.session.ends_at = now + SILENCE_US
        session = line.session
        needs_session = operation is None or operation.needs_session
        if needs_session and session is None:
            self._refuse_now(line, asked, NakCode.NO_SUCH_SESSION if line.displaced else NakCode.AUTH_REQUIRED)
        elif session is None or (operation is not None and not operation.sequenced):
            self._take_unsequenced(port, line, asked)
        else:
            self._take_sequenced(port, line, session, asked)

    def _take_unsequenced(self, port: int, line: _Line, asked: _Asked) -> None:
        waiting = sum(token.port == port and not token.operation.sequenced for token in self._tokens.values())
        if waiting >= UNSEQUENCED_REQUESTS_MAX:
            self._refuse_now(line, asked, NakCode.BUSY)
            return
        refusal = self._hand_over(port, line, asked)
        if refusal is not None:
            self._send(line, self._response(asked, refusal.encode()))

    def _take_sequenced(self, port: int, line: _Line, session: _Session, asked: _Asked) -> None:
        last = session.last
        if session.unanswered is not None:
            repeated = asked == session.unanswered
            line.counters.duplicates += repeated
            self._refuse_now(line, asked, NakCode.PENDING if repeated else NakCode.BUSY)
        elif asked == last:
            line.counters.duplicates += 1
            self._send(line, session.last_answer)
        elif last is not None and asked.txn != (last.txn + 1) & 0xFF:
            line.counters.sequence_refusals += 1
            self._refuse_now(line, asked, NakCode.SEQUENCE, detail=last.txn)
        else:
            refusal = self._hand_over(port, line, asked)
            if refusal is None:
                session.unanswered = asked
            else:
                self._close_exchange(line, session, asked, refusal.encode())

    def _hand_over(self, port: int, line: _Line, asked: _Asked) -> Nak | None:
        """Queue the request for the pump, or say why it is no request."""
        operation = by_opcode.get(asked.opcode)
        if operation is None:
            return Nak(NakCode.UNKNOWN_OP if asked.opcode >> 8 in _SERVICES else NakCode.UNKNOWN_SERVICE)
        try:
            message = decode(operation.request, asked.payload)
        except FormatError as error:
            return Nak(error.code, error.field, error.element)
        session = line.session.key if line.session else 0
        self._tokens_given += 1
        self._tokens[self._tokens_given] = _Token(port, session, asked, operation)
        self._requests.append(
            Request(
                token=self._tokens_given,
                port=port,
                session=session,
                role=Role.CLINICIAN if session else None,
                host_id=0,
                operation=operation,
                message=message,
                payload_hash=payload_hash(asked.opcode, message),
                txn=asked.txn,
            )
        )
        return None

    def _settle(self, token: _Token, payload: bytes, *, final: bool) -> None:
        line = self._lines[token.port]
        session = line.session
        if session is None or not token.operation.sequenced:
            self._send(line, self._response(token.asked, payload))
            return
        session.unanswered = None
        if final:
            self._close_exchange(line, session, token.asked, payload)
        else:
            self._send(line, self._response(token.asked, payload))

    def _close_exchange(self, line: _Line, session: _Session, asked: _Asked, payload: bytes) -> None:
        session.last = asked
        session.last_answer = self._response(asked, payload)
        self._send(line, session.last_answer)

    def _refuse_now(self, line: _Line, asked: _Asked, code: NakCode, detail: int = 0) -> None:
        self._send(line, self._response(asked, Nak(code, detail=detail).encode()))

    def _response(self, asked: _Asked, payload: bytes) -> bytes:
        frame = Frame(opcode=asked.opcode, txn=asked.txn, address=self._address, payload=payload, flags=Flag.RESP)
        return frame.to_wire()

    def _send(self, line: _Line, wire: bytes) -> None:
        if len(line.frames) < FRAMES_HELD_MAX:
            line.frames.append(wire)
            line.counters.frames_sent += 1

    def _open_session(self, port: int, line: _Line, now: int) -> None:
        self._sessions_opened += 1
        line.session = _Session(self._sessions_opened, now + SILENCE_US)
        self._events.append(SessionOpened(port, self._sessions_opened))

    def _end_session(self, port: int, line: _Line, reason: EndReason) -> None:
        session, line.session = line.session, None
        if session is None:
            return
        self._events.append(SessionEnded(port, session.key, reason))
        self._forget_requests(port, needs_session=True)

    def _forget_requests(self, port: int, *, needs_session: bool = False) -> None:
        """Kill the tokens of a line; `needs_session` spares those that never needed one."""
        dead = [
            token
            for token, known in self._tokens.items()
            if known.port == port and (known.operation.needs_session or not needs_session)
        ]
        for token in dead:
            del self._tokens[token]
        self._requests = deque(request for request in self._requests if request.token in self._tokens)
