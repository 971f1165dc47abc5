"""The pump's sessions: who holds one, on which port and under which keys, whose place it took, and how each ends.

Rules of this file:

- A session belongs to one port. Its id is 0 only in INSECURE mode, where a port's session 0 is a clinician's of host 0.
- The clinician's place is held by one session at most.
- What a session has answered last is kept in the clear, and sealed anew each time it is sent.
- The answer that opened it is kept as it went on the wire, for as long as the session lives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct

from protocol.channel import COUNTER_MAX, Direction, Opener, Sealer, SessionKeys
from protocol.frame import Flag, Frame
from protocol.framing import encode_wire
from protocol.messages.codes import Role, TelemetryField

SILENCE_US: Final = 180_000_000
WRONG_TAGS_MAX: Final = 1_000
# Readers and patients at once, of each; one more ends the one that has been silent for longest.
SESSIONS_OF_ROLE_MAX: Final = 4
# Sessions that have ended, and whose last frames somebody may still want to read.
ENDED_KEPT_MAX: Final = 8
SESSION_ID_MAX: Final = 0xFFFF
INSECURE_ID: Final = 0
NEVER: Final = 1 << 63

EndReason = Literal[
    "line", "silence", "displaced", "power", "closed", "replaced", "takeover", "tags", "counter", "keys"
]

END_REASONS: Final[dict[EndReason, str]] = {
    "line": "its line was closed",
    "silence": "three minutes without a good frame",
    "displaced": "another line was opened, or one reader or patient too many came",
    "power": "the pump lost its power",
    "closed": "CLOSE",
    "replaced": "the same host opened another session of this role",
    "takeover": "another clinician's host took the place",
    "tags": "a thousand wrong tags",
    "counter": "a frame counter has reached its end",
    "keys": "the pump was given other keys",
}


class Asked(Struct, frozen=True, gc=False):
    """What makes a request the same one again; the payload is in the clear."""

    txn: int
    opcode: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class AuthAnswered:
    """An AUTH that was checked, and its answer byte for byte."""

    asked: Asked
    wire: bytes


class Channel:
    """Both directions of a session, at the pump's end."""

    def __init__(self, keys: SessionKeys) -> None:
        self.requests = Opener(keys, Direction.HOST_TO_PUMP)
        self.answers = Sealer(keys, Direction.PUMP_TO_HOST)
        # To look at what was sent, for an observer.
        self.sent = Opener(keys, Direction.PUMP_TO_HOST)

    @property
    def exhausted(self) -> bool:
        """Whether either direction has had its last frame."""
        return self.answers.exhausted or self.requests.last >= COUNTER_MAX


@dataclass(slots=True)
class Stream:
    """What a session is told of the pump's own accord; `protocol.streams` keeps it.

    fields   what it has subscribed to; None: to nothing
    due_us   the end of the period, NEVER without a subscription
    asked    the token under which the pump is asked for an event; 0: it is not
    dropped  the last event was dropped
    """

    fields: TelemetryField | None = None
    period_us: int = 0
    due_us: int = NEVER
    asked: int = 0
    dropped: bool = False
    next_sequence: int = 1

    def take_sequence(self) -> int:
        """The number of the next event, which is then taken."""
        taken = self.next_sequence
        self.next_sequence = (taken + 1) & 0xFFFF
        return taken


@dataclass(slots=True, eq=False)
class Session:
    """One session. `key` is never used again; `ends_at` is when its silence runs out."""

    key: int
    session_id: int
    port: int
    role: Role
    host_id: int
    ends_at: int
    channel: Channel | None = None
    authenticated: AuthAnswered | None = None
    last: Asked | None = None
    last_answer: bytes = b""
    unanswered: Asked | None = None
    wrong_tags: int = 0
    stream: Stream = field(default_factory=Stream)


def event_wire(session: Session, address: int, opcode: int, *, txn: int, payload: bytes) -> bytes:
    """An event as it goes on the wire, sealed if its session has keys; raises CounterExhausted."""
    if session.channel is None:
        return Frame(opcode=opcode, txn=txn, address=address, payload=payload, flags=Flag.EVENT).to_wire()
    sealed = session.channel.answers.seal(
        opcode=opcode, txn=txn, address=address, session_id=session.session_id, payload=payload, flags=Flag.EVENT
    )
    return sealed.to_wire()


def answer_wire(session: Session | None, address: int, asked: Asked, payload: bytes) -> bytes:
    """An answer as it goes on the wire, sealed if it belongs to a session with keys; raises CounterExhausted."""
    if session is None or session.channel is None:
        answer = Frame(opcode=asked.opcode, txn=asked.txn, address=address, payload=payload, flags=Flag.RESP)
        return answer.to_wire()
    body = session.channel.answers.seal_body(
        opcode=asked.opcode,
        txn=asked.txn,
        address=address,
        session_id=session.session_id,
        payload=payload,
        flags=Flag.RESP,
    )
    return encode_wire(body)


@dataclass(frozen=True, slots=True)
class SessionOpened:
    port: int
    session: int
    session_id: int
    role: Role
    host_id: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    port: int
    session: int
    session_id: int
    role: Role
    host_id: int
    reason: EndReason


@dataclass(slots=True)
class Sessions:
    """All sessions of a pump, the one that was heard last at the end."""

    live: list[Session] = field(default_factory=list)
    events: deque[SessionOpened | SessionEnded] = field(default_factory=deque)
    _opened: int = 0
    _ended: deque[Session] = field(default_factory=lambda: deque(maxlen=ENDED_KEPT_MAX))

    def __iter__(self) -> Iterator[Session]:
        return iter(tuple(self.live))

    def begin(
        self, *, session_id: int, port: int, role: Role, host_id: int, now: int, keys: SessionKeys | None
    ) -> Session:
        self._opened += 1
        channel = None if keys is None else Channel(keys)
        session = Session(self._opened, session_id, port, role, host_id, now + SILENCE_US, channel)
        self.live.append(session)
        self.events.append(SessionOpened(port, session.key, session_id, role, host_id))
        return session

    def end(self, session: Session, reason: EndReason) -> None:
        self.live.remove(session)
        self._ended.append(session)
        self.events.append(
            SessionEnded(session.port, session.key, session.session_id, session.role, session.host_id, reason)
        )

    def heard(self, session: Session, now: int) -> None:
        """A good frame came: its silence begins anew."""
        session.ends_at = now + SILENCE_US
        self.live.remove(session)
        self.live.append(session)

    def on(self, port: int) -> list[Session]:
        """The live sessions of a port."""
        return [each for each in self.live if each.port == port]

    def find(self, session_id: int, port: int) -> Session | None:
        """The live session of a port under an id."""
        for each in self.live:
            if each.session_id == session_id and each.port == port:
                return each
        return None

    def by_key(self, key: int) -> Session | None:
        for each in self.live:
            if each.key == key:
                return each
        return None

    def authenticated(self, port: int) -> list[AuthAnswered]:
        """What opened the live sessions of a port."""
        return [each.authenticated for each in self.live if each.port == port and each.authenticated is not None]

    def channel_of(self, session_id: int) -> Channel | None:
        """The channel of a session that lives or has ended lately, to look at its frames."""
        for sessions in (self.live, self._ended):
            for each in reversed(sessions):
                if each.session_id == session_id:
                    return each.channel
        return None

    def free_id(self, session_counter: int) -> int:
        """The id that a session counter gives: never 0, never that of a live session."""
        taken = {each.session_id for each in self.live}
        session_id = session_counter & SESSION_ID_MAX
        while session_id == INSECURE_ID or session_id in taken:
            session_id = (session_id + 1) & SESSION_ID_MAX
        return session_id

    def holder_of_place(self, role: Role, host_id: int) -> Session | None:
        """The session of another host that stands in the way of a new one of this role."""
        if role is not Role.CLINICIAN:
            return None
        return next((each for each in self.live if each.role is role and each.host_id != host_id), None)

    def make_room(self, role: Role, host_id: int) -> list[tuple[Session, EndReason]]:
        """What must end before this host's new session of a role may begin."""
        leaving: list[tuple[Session, EndReason]] = []
        others = []
        for each in self.live:
            if each.role is not role:
                continue
            if each.host_id == host_id:
                leaving.append((each, "replaced"))
            elif role is Role.CLINICIAN:
                leaving.append((each, "takeover"))
            else:
                others.append(each)
        too_many = len(others) - SESSIONS_OF_ROLE_MAX + 1
        return leaving + [(each, "displaced") for each in others[: max(0, too_many)]]
