"""The pump's side of the line: who may ask, in which order, what is answered from the cache, and what is counted.

Rules of this file:

- It knows no pump. What it wants of one leaves by `next_errand` under a token, and comes back under that token.
- A token lives as long as what it was asked in: the session, or without one the line. Answers to dead tokens vanish.
- At most one sequenced request of a session is unanswered. Only its final answer moves `last` and fills the cache.
- A payload is read only behind the tag, the order of txn and the role.
- INSECURE: an opened line is the clinician's one place, as session 0 of host 0; the rest is as it is with keys.
"""

from __future__ import annotations

from typing import Final

from protocol import handshake_order, keys, order
from protocol.access import role_refusal
from protocol.channel import CounterExhausted, CounterOld, TagWrong
from protocol.errands import (
    AttemptToConfirm,
    AttemptToCount,
    Errand,
    Errands,
    FailureToNote,
    Request,
    SessionNumberWanted,
    Token,
)
from protocol.fields import FormatError, decode, encode, granted
from protocol.frame import Frame, FrameError, check_addressed, parse_body
from protocol.framing import LineFault, Piece
from protocol.handshake import answer_open
from protocol.handshake_order import HandshakeEnd, HandshakeState, HandshakeVerdict, keeps_opening
from protocol.keys import RoleKeys
from protocol.link_statistics import LinkCounters, LinkStats
from protocol.messages import link, stream
from protocol.messages.codes import Role
from protocol.messages.operations import Operation, Service, by_name, by_opcode
from protocol.order import Verdict
from protocol.pump_line import PumpLine
from protocol.refusals import OK, OUTSIDE_SEQUENCE, Nak, NakCode
from protocol.sessions import (
    INSECURE_ID,
    NEVER,
    SILENCE_US,
    WRONG_TAGS_MAX,
    Asked,
    AuthAnswered,
    Channel,
    EndReason,
    Session,
    SessionEnded,
    SessionOpened,
    Sessions,
    answer_wire,
)
from protocol.slow_requests import SlowRequests
from protocol.streams import ANY_PERIOD, StreamLimits, Streams

# Requests outside the sequence (STOP, OP_QUERY, HELLO) that one line may have unanswered; the next one gets BUSY.
UNSEQUENCED_REQUESTS_MAX: Final = 8

_SERVICES: Final = frozenset(int(service) for service in Service)
_HELLO: Final = by_name["HELLO"].opcode
_OPEN: Final = by_name["OPEN"].opcode
_AUTH: Final = by_name["AUTH"].opcode
_CLOSE: Final = by_name["CLOSE"].opcode
# What a line may ask that has lost its place to another one.
_WITHOUT_PLACE: Final = frozenset({_HELLO, _OPEN, _AUTH})
_US_PER_S: Final = 1_000_000


class DeviceEnd:
    """The pump's end of all its lines. Times are integer microseconds that never go back."""

    def __init__(
        self, *, hello: link.HelloAnswer, role_keys: RoleKeys, insecure: bool, limits: StreamLimits = ANY_PERIOD
    ) -> None:
        self._address = hello.serial_number
        self._insecure = insecure
        self._lines: dict[int, PumpLine] = {}
        self._sessions = Sessions()
        self._errands = Errands()
        self.streams = Streams(limits, self._address, self._sessions, self._lines, self._errands)
        self.slow = SlowRequests(self._errands, self.refuse)
        self._now = 0
        self._set_keys(hello, role_keys)

    def replace_keys(self, hello: link.HelloAnswer, role_keys: RoleKeys) -> None:
        """Other keys, and the greeting that goes with them. Sessions under the old ones end."""
        self._set_keys(hello, role_keys)
        for port, line in self._lines.items():
            self._errands.forget_handshake(port)
            line.forget_handshake()
        for session in self._sessions:
            if session.channel is not None:
                self._end_session(session, "keys")

    def line_opened(self, port: int, now: int) -> None:
        """A host opened the line. INSECURE: it takes the one place, and every other line has lost its own."""
        self.advance(now)
        self.line_closed(port, now)
        line = self._lines.setdefault(port, PumpLine())
        line.open, line.displaced, line.reading = True, False, True
        if self._insecure:
            for other_port, other in self._lines.items():
                other.displaced = other.open and other_port != port
            for session in self._sessions:
                if session.role is Role.CLINICIAN:
                    self._end_session(session, "displaced")
            self._open_insecure(port, now)

    def line_closed(self, port: int, now: int) -> None:
        self.advance(now)
        line = self._lines.get(port)
        if line is None or not line.open:
            return
        for session in self._sessions.on(port):
            self._end_session(session, "line")
        self._errands.forget(port, None)
        line.open = line.displaced = False
        line.forget_handshake()
        line.frames.clear()

    def forget_session(self, port: int) -> None:
        """The sessions of a line end as if its host had been silent for too long; it is told nothing."""
        for session in self._sessions.on(port):
            self._end_session(session, "silence")

    def power_lost(self) -> None:
        """Forget all that is volatile. Lines stay as they are."""
        for session in self._sessions:
            self._end_session(session, "power")
        for line in self._lines.values():
            line.forget_handshake()
            line.frames.clear()
            line.counters = LinkCounters()
        self._errands.clear()

    def receive(self, port: int, piece: Piece, now: int, frame: Frame | None = None) -> LineFault | None:
        """One piece of the stream; gives why it was dropped in silence. On a line that is not open, nobody hears it.

        `frame` is the one in the piece, where somebody has read it already.
        """
        self.advance(now)
        line = self._lines.get(port)
        if line is None or not line.open:
            return None
        if piece.fault is not None:
            line.counters.faults[piece.fault] += 1
        if piece.body is None:
            return piece.fault
        try:
            if frame is None:
                frame = parse_body(piece.body)
            check_addressed(frame, self._address, greets=frame.opcode == _HELLO)
            if frame.sealed:
                self._admit_secured(port, line, frame, now)
            else:
                line.counters.frames_received += 1
                self._admit(port, line, frame, now)
        except FrameError as error:
            line.counters.faults[error.fault] += 1
            return error.fault
        return None

    def next_errand(self) -> Errand | None:
        """What is wanted of the pump next."""
        return self._errands.queue.popleft() if self._errands.queue else None

    def answer(self, token: int, message: object) -> None:
        """The request was granted. Tokens that are unknown or dead are ignored."""
        known = self._errands.waiting.get(token)
        if known is None:
            return
        reduced = known.operation.reduced if known.session == 0 else None
        expected = reduced or known.operation.answer
        if type(message) is not expected:
            raise TypeError(f"{known.operation.name} is answered by {expected.__name__}, not {message!r}")
        del self._errands.waiting[token]
        self._settle(known, granted(message), final=True)
        if known.operation.name == "STOP":
            self.slow.stop()

    def refuse(self, token: int, nak: Nak) -> None:
        """The request was refused. PENDING is no answer: it is sent, and the token lives on."""
        known = self._errands.waiting.get(token)
        if known is None:
            return
        payload = nak.encode()
        if nak.code == NakCode.PENDING:
            self._send_answer(self._lines[known.port], self._session_of(known), known.asked, payload)
            return
        del self._errands.waiting[token]
        self._settle(known, payload, final=nak.code not in OUTSIDE_SEQUENCE)

    def number_session(self, token: int, counter: int) -> None:
        """The session counter for an OPEN: its challenge and cryptogram go out."""
        known = self._errands.waiting.pop(token, None)
        if known is None:
            return
        line = self._lines[known.port]
        request = decode(link.OpenRequest, known.asked.payload)
        line.authenticated = None
        line.opening = answer_open(
            request,
            role_key=self._key_of(request.role),
            counter=counter,
            serial_number=self._address,
            hello_hash=self._hello_hash,
        )
        self._send_answer(line, None, known.asked, line.opening.answer)

    def check_attempt(self, token: int, delay_s: int) -> None:
        """The attempt is counted: check it. `delay_s` is what a wrong one makes the next wait."""
        known = self._errands.waiting.get(token)
        if known is None:
            return
        line = self._lines[known.port]
        opening = line.opening
        if opening is None:
            raise RuntimeError("an attempt was counted that belongs to no OPEN")
        if opening.fits(decode(link.AuthRequest, known.asked.payload)):
            holder = self._sessions.holder_of_place(opening.role, opening.request.host_id)
            from_host_id = holder.host_id if holder is not None and opening.takes_over else None
            self._errands.queue.append(
                AttemptToConfirm(token, opening.role, known.port, opening.request.host_id, from_host_id)
            )
            return
        del self._errands.waiting[token]
        self._errands.queue.append(FailureToNote(known.port, opening.role))
        refusal = Nak(NakCode.ATTEMPTS, detail=delay_s) if delay_s else Nak(NakCode.KEY)
        self._finish_handshake(known, refusal.encode(), HandshakeEnd.WRONG)

    def open_session(self, token: int, failed_attempts: int) -> None:
        """The attempt is confirmed: the session begins, unless another host has the place."""
        known = self._errands.waiting.pop(token, None)
        if known is None:
            return
        line = self._lines[known.port]
        opening = line.opening
        if opening is None:
            raise RuntimeError("an attempt was confirmed that belongs to no OPEN")
        holder = self._sessions.holder_of_place(opening.role, opening.request.host_id)
        if holder is not None and not opening.takes_over:
            refusal = Nak(NakCode.BUSY_OTHER_HOST, detail=holder.host_id)
            self._finish_handshake(known, refusal.encode(), HandshakeEnd.TAKEN)
            return
        for leaving, reason in self._sessions.make_room(opening.role, opening.request.host_id):
            self._end_session(leaving, reason)
        if self._insecure and opening.role is Role.CLINICIAN:
            # Session 0 would otherwise take the one place back with the next frame.
            for each in self._lines.values():
                each.displaced = each.open
        session = self._sessions.begin(
            session_id=self._sessions.free_id(opening.counter),
            port=known.port,
            role=opening.role,
            host_id=opening.request.host_id,
            now=self._now,
            keys=opening.session_keys(),
        )
        answer = link.AuthAnswer(silence_s=SILENCE_US // _US_PER_S, failed_attempts=min(failed_attempts, 0xFF))
        self._finish_handshake(known, granted(answer), HandshakeEnd.RIGHT, session)

    def frames_to_send(self, port: int) -> list[bytes]:
        """The frames for a line, each as it goes on the wire; drained."""
        line = self._lines.get(port)
        return line.take_frames() if line and line.frames else []

    def next_deadline(self) -> int | None:
        due = [min(each.ends_at, each.stream.due_us) for each in self._sessions.live]
        return None if (earliest := min(*due, self.slow.due_us, NEVER)) == NEVER else earliest

    def advance(self, now: int) -> None:
        self._now = now
        for session in [each for each in self._sessions.live if each.ends_at <= now]:
            self._end_session(session, "silence")
        self.slow.advance(now)
        self.streams.advance(now)

    def next_event(self) -> SessionOpened | SessionEnded | None:
        """A call makes a few of these at most; drain them after each."""
        return self._sessions.events.popleft() if self._sessions.events else None

    @property
    def session_open(self) -> bool:
        return bool(self._sessions.live)

    def sessions(self) -> tuple[Session, ...]:
        """The live sessions, the one that was heard last at the end."""
        return tuple(self._sessions.live)

    def channel_of(self, session_id: int) -> Channel | None:
        """The channel of a session that lives or has ended lately, to look at its frames."""
        return self._sessions.channel_of(session_id)

    def stats(self, port: int) -> LinkStats:
        line = self._lines.get(port)
        return line.counters.snapshot() if line else LinkStats()

    def _set_keys(self, hello: link.HelloAnswer, role_keys: RoleKeys) -> None:
        missing = [role.name for role in Role if role_keys.get(role) is None]
        if missing:
            raise ValueError(f"a pump needs a key for each role; missing: {', '.join(missing)}")
        self._hello = hello
        self._hello_hash = keys.hello_hash(encode(hello))
        self._role_keys = role_keys

    def _key_of(self, role: Role) -> bytes:
        return self._role_keys.of_role[role]

    def _admit_secured(self, port: int, line: PumpLine, frame: Frame, now: int) -> None:
        session = self._sessions.find(frame.session_id, port)
        if session is None or session.channel is None:
            line.counters.frames_received += 1
            self._refuse_now(line, None, Asked(frame.txn, frame.opcode, b""), NakCode.NO_SUCH_SESSION)
            return
        try:
            payload = session.channel.requests.open(frame)
        except CounterOld:
            raise FrameError(LineFault.COUNTER) from None
        except TagWrong:
            session.wrong_tags += 1
            self._errands.queue.append(FailureToNote(port, None))
            if session.wrong_tags >= WRONG_TAGS_MAX:
                self._end_session(session, "tags")
            raise FrameError(LineFault.TAG) from None
        line.counters.frames_received += 1
        self._sessions.heard(session, now)
        self._take(port, line, session, Asked(frame.txn, frame.opcode, payload))

    def _admit(self, port: int, line: PumpLine, frame: Frame, now: int) -> None:
        asked = Asked(frame.txn, frame.opcode, frame.payload)
        session = self._sessions.find(INSECURE_ID, port)
        if session is not None:
            self._sessions.heard(session, now)
        elif self._insecure and not line.displaced:
            session = self._open_insecure(port, now)
        if asked.opcode in (_OPEN, _AUTH):
            session = None
        self._take(port, line, session, asked)

    def _take(self, port: int, line: PumpLine, session: Session | None, asked: Asked) -> None:
        operation = by_opcode.get(asked.opcode)
        if session is None:
            if line.displaced and asked.opcode not in _WITHOUT_PLACE:
                self._refuse_now(line, None, asked, NakCode.NO_SUCH_SESSION)
            else:
                self._take_unsequenced(port, line, None, asked)
        elif operation is not None and not operation.sequenced:
            self._take_unsequenced(port, line, session, asked)
        else:
            self._take_sequenced(port, line, session, asked)

    def _take_unsequenced(self, port: int, line: PumpLine, session: Session | None, asked: Asked) -> None:
        if self._errands.unsequenced(port) >= UNSEQUENCED_REQUESTS_MAX:
            self._refuse_now(line, session, asked, NakCode.BUSY)
            return
        at_once = self._hand_over(port, line, session, asked)
        if at_once:
            self._send_answer(line, session, asked, at_once)

    def _take_sequenced(self, port: int, line: PumpLine, session: Session, asked: Asked) -> None:
        verdict = order.verdict_on(session, asked)
        line.counters.duplicates += verdict in (Verdict.PENDING, Verdict.ANSWER_AGAIN)
        line.counters.sequence_refusals += verdict is Verdict.SEQUENCE
        if verdict is Verdict.TAKE:
            at_once = self._hand_over(port, line, session, asked)
            if not at_once:
                session.unanswered = asked
                return
            session.last, session.last_answer = asked, at_once
            self._send_answer(line, session, asked, at_once)
        elif verdict is Verdict.ANSWER_AGAIN:
            self._send_answer(line, session, asked, session.last_answer)
        else:
            last_txn = session.last.txn if session.last and verdict is Verdict.SEQUENCE else 0
            self._refuse_now(line, session, asked, order.NAKS[verdict], detail=last_txn)

    def _hand_over(self, port: int, line: PumpLine, session: Session | None, asked: Asked) -> bytes:
        """Queue the request for the pump, or give the payload that answers it at once."""
        operation = by_opcode.get(asked.opcode)
        role = session.role if session else None
        if operation is None:
            unknown = NakCode.UNKNOWN_OP if asked.opcode >> 8 in _SERVICES else NakCode.UNKNOWN_SERVICE
            return Nak(NakCode.AUTH_REQUIRED if role is None else unknown).encode()
        code = role_refusal(operation.name, role)
        if code is not None:
            return Nak(code).encode()
        try:
            message = decode(operation.request, asked.payload)
        except FormatError as error:
            return Nak(error.code, error.field, error.element).encode()
        match message:
            case link.HelloRequest():
                return granted(self._hello)
            case link.KeepaliveRequest():
                return granted(link.KeepaliveAnswer())
            case link.LinkStatsRequest():
                return granted(line.counters.snapshot().to_answer())
            case link.CloseRequest():
                return granted(link.CloseAnswer())
            case stream.SubscribeRequest() | stream.UnsubscribeRequest() if session is not None:
                return self.streams.take(session, message, self._now)
            case link.OpenRequest() | link.AuthRequest():
                return self._shake_hands(port, line, asked, operation, message)
        token = self._errands.give_token(port, session, asked, operation)
        self._errands.queue.append(
            Request(
                token=token,
                port=port,
                session=session.key if session else 0,
                role=role,
                host_id=session.host_id if session else 0,
                operation=operation,
                message=message,
                txn=asked.txn,
            )
        )
        return b""

    def _shake_hands(
        self,
        port: int,
        line: PumpLine,
        asked: Asked,
        operation: Operation,
        message: link.OpenRequest | link.AuthRequest,
    ) -> bytes:
        answered = (line.authenticated, *self._sessions.authenticated(port))
        stored = next((each for each in answered if each is not None and each.asked == asked), None)
        opening, underway = line.opening, self._errands.handshake(port)
        verdict = handshake_order.verdict_on(opening, underway, stored, asked, message)
        if verdict is HandshakeVerdict.ANSWER_AGAIN:
            line.counters.duplicates += 1
            if stored is None:
                return opening.answer if opening else b""
            line.send(stored.wire)
            return b""
        if verdict is not HandshakeVerdict.TAKE:
            return Nak(handshake_order.NAKS[verdict]).encode()
        # The host has given up what it asked before; a pump that is still at it must not keep it waiting.
        self._errands.forget_handshake(port)
        token = self._errands.give_token(port, None, asked, operation)
        if isinstance(message, link.OpenRequest):
            self._errands.queue.append(SessionNumberWanted(token, message.role, port))
        elif opening is not None:
            self._errands.queue.append(AttemptToCount(token, opening.role, port))
        return b""

    def _finish_handshake(
        self, known: Token, payload: bytes, end: HandshakeEnd, session: Session | None = None
    ) -> None:
        line = self._lines[known.port]
        if not keeps_opening(HandshakeState.CHECKING, end):
            line.opening = None
        wire = answer_wire(session, self._address, known.asked, payload)
        (session or line).authenticated = AuthAnswered(known.asked, wire)
        line.send(wire)

    def _session_of(self, token: Token) -> Session | None:
        return self._sessions.by_key(token.session) if token.session else None

    def _settle(self, token: Token, payload: bytes, *, final: bool) -> None:
        line = self._lines[token.port]
        session = self._session_of(token)
        if session is not None and token.operation.sequenced:
            session.unanswered = None
            if final:
                session.last, session.last_answer = token.asked, payload
        self._send_answer(line, session, token.asked, payload)

    def _refuse_now(
        self, line: PumpLine, session: Session | None, asked: Asked, code: NakCode, detail: int = 0
    ) -> None:
        self._send_answer(line, session, asked, Nak(code, detail=detail).encode())

    def _send_answer(self, line: PumpLine, session: Session | None, asked: Asked, payload: bytes) -> None:
        try:
            wire = answer_wire(session, self._address, asked, payload)
        except CounterExhausted:
            wire = b""
        if wire:
            line.send(wire)
        if session is None or self._sessions.by_key(session.key) is None:
            return
        if asked.opcode == _CLOSE and payload[0] == OK:
            self._end_session(session, "closed")
        elif session.channel is not None and session.channel.exhausted:
            self._end_session(session, "counter")

    def _open_insecure(self, port: int, now: int) -> Session:
        return self._sessions.begin(
            session_id=INSECURE_ID, port=port, role=Role.CLINICIAN, host_id=0, now=now, keys=None
        )

    def _end_session(self, session: Session, reason: EndReason) -> None:
        self._sessions.end(session, reason)
        self._errands.forget(session.port, session)
