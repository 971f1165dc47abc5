"""The pump's end of the line alone, before a pump that answers when and as a fuzzer says: late, never, with PENDING.

Nothing is an exception, each request is answered once at most, and everything that is kept stays within its bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from protocol.channel import Direction, Sealer
from protocol.device_end import UNSEQUENCED_REQUESTS_MAX, DeviceEnd
from protocol.errands import (
    AttemptToConfirm,
    AttemptToCount,
    Errand,
    FailureToNote,
    Request,
    SessionNumberWanted,
    TelemetryWanted,
)
from protocol.export.examples import EXAMPLES
from protocol.frame import MAX_PAYLOAD, Flag, Frame, parse_body
from protocol.framing import StreamReader, encode_wire
from protocol.keys import RoleKeys, test_keys
from protocol.messages.codes import Role
from protocol.messages.operations import OPERATIONS
from protocol.messages.stream import StreamEvent
from protocol.pump_line import FRAMES_HELD_MAX
from protocol.refusals import Nak, NakCode
from protocol.sessions import ENDED_KEPT_MAX, SESSIONS_OF_ROLE_MAX, SILENCE_US, SessionEnded
from tests.fuzz.acts import acts_of, number
from tests.fuzz.end_keys import PORTS, ROLES, keys_of
from tests.protocol.pump_line import ADDRESS, hello_of

LINES: Final = len(ROLES) + 1
HOST_ID: Final = 0x51
SESSIONS_MAX: Final = 1 + 2 * SESSIONS_OF_ROLE_MAX + LINES
"""The clinician's, readers' and patients'; with INSECURE one for each line."""
_NAKS: Final = tuple(NakCode)
_HELLO: Final = hello_of(ADDRESS)
_ROLE_KEYS: Final = test_keys(ADDRESS)
_ANSWERS: Final[Mapping[type, Any]] = {type(example): example for example in EXAMPLES}


@dataclass
class FuzzedEnd:
    """An end with a session of each role, each on its own line, and a line for strangers."""

    insecure: bool
    end: DeviceEnd = field(init=False)
    now: int = 0
    counter: int = 10
    waiting: list[Errand] = field(default_factory=list)
    sealers: dict[Role, Sealer] = field(default_factory=dict)
    txns: dict[Role, int] = field(default_factory=dict)
    readers: dict[int, StreamReader] = field(default_factory=dict)
    asked: int = 0
    answered: int = 0

    def __post_init__(self) -> None:
        self.end = DeviceEnd(hello=_HELLO, role_keys=_ROLE_KEYS, insecure=self.insecure)
        self.readers = {port: StreamReader() for port in range(LINES)}
        for port in self.readers:
            self.end.line_opened(port, 0)
        for role in ROLES:
            # INSECURE: the line that was opened last is the clinician, and there is room for one.
            if not (self.insecure and role is Role.CLINICIAN):
                self.end._sessions.begin(
                    session_id=int(role), port=PORTS[role], role=role, host_id=HOST_ID, now=0, keys=keys_of(role)
                )
            self.sealers[role] = Sealer(keys_of(role), Direction.HOST_TO_PUMP)
            self.txns[role] = 0

    def act(self, verb: int, argument: bytes) -> None:
        """One act, and what must hold behind it."""
        VERBS[verb](self, argument)
        while (errand := self.end.next_errand()) is not None:
            if not isinstance(errand, FailureToNote):
                self.waiting.append(errand)
        while (event := self.end.next_event()) is not None:
            assert not isinstance(event, SessionEnded) or event.reason
        self._look_at_what_is_kept()
        for port in range(LINES):
            wires = self.end.frames_to_send(port)
            assert len(wires) <= FRAMES_HELD_MAX
            for wire in wires:
                (piece,) = StreamReader().feed(wire)
                assert piece.body is not None
                direction = parse_body(piece.body).flags & ~Flag.SECURED
                assert direction in (Flag.RESP, Flag.EVENT)
                self.answered += direction == Flag.RESP
        assert self.answered <= self.asked, "an answer to nothing"

    def _look_at_what_is_kept(self) -> None:
        end, sessions = self.end, self.end.sessions()
        assert len(sessions) <= SESSIONS_MAX
        assert len(end._sessions._ended) <= ENDED_KEPT_MAX
        assert sum(session.role is Role.CLINICIAN for session in sessions) <= 1
        assert len(end._errands.waiting) <= LINES * UNSEQUENCED_REQUESTS_MAX + len(sessions)
        assert not end._errands.queue
        assert all(self.now < session.ends_at <= self.now + SILENCE_US for session in sessions)
        keys = [session.key for session in sessions]
        assert len(set(keys)) == len(keys)
        assert len({(session.session_id, session.port) for session in sessions}) == len(keys)
        of_the_living = {token.session for token in end._errands.waiting.values()} - {0}
        assert of_the_living <= set(keys), "a request has outlived its session"

    def receive(self, data: bytes, port: int) -> None:
        for piece in self.readers[port].feed(data):
            self.asked += piece.body is not None
            self.end.receive(port, piece, self.now)

    def raw(self, argument: bytes) -> None:
        """Bytes to a line."""
        if argument:
            self.receive(argument[1:], argument[0] % LINES)

    def clear(self, argument: bytes) -> None:
        """A request in the clear: port, txn, opcode, payload."""
        if len(argument) >= 4:
            frame = Frame(
                opcode=number(argument[2:4]) & 0x7FFF, txn=argument[1], address=ADDRESS, payload=argument[4:228]
            )
            self.receive(b"\0" + frame.to_wire(), argument[0] % LINES)

    def sealed(self, argument: bytes) -> None:
        """A request under a role's keys: role, how it stands to the last txn, opcode, payload."""
        if len(argument) < 4:
            return
        role, how = ROLES[argument[0] % len(ROLES)], argument[1]
        if how != 1:
            self.txns[role] = self.txns[role] + 1 & 0xFF if how == 0 else how
        frame = self.sealers[role].seal(
            opcode=number(argument[2:4]) & 0x7FFF,
            txn=self.txns[role],
            address=ADDRESS,
            session_id=int(role),
            payload=argument[4 : 4 + MAX_PAYLOAD],
            flags=Flag.RETRY if how == 1 else Flag(0),
        )
        self.receive(b"\0" + frame.to_wire(), PORTS[role])

    def body(self, argument: bytes) -> None:
        """A body under a CRC that fits it."""
        if len(argument) >= 13:
            self.receive(b"\0" + encode_wire(argument[1:250]), argument[0] % LINES)

    def reply(self, argument: bytes) -> None:
        """The pump answers one of the errands that wait: which, how, a code."""
        if len(argument) < 3 or not self.waiting:
            return
        errand = self.waiting[argument[0] % len(self.waiting)]
        code = _NAKS[argument[2] % len(_NAKS)] if argument[1] % 4 == 1 else NakCode.PENDING
        if argument[1] % 4 in (1, 2):
            if code is not NakCode.PENDING:
                self.waiting.remove(errand)
            self.asked += code is NakCode.PENDING
            self.end.refuse(errand.token, Nak(code, detail=argument[2]))
            return
        self.waiting.remove(errand)
        self._grant(errand, argument[2])

    def _grant(self, errand: Errand, value: int) -> None:
        match errand:
            case SessionNumberWanted(token):
                self.counter += 1
                self.end.number_session(token, self.counter)
            case AttemptToCount(token):
                self.end.check_attempt(token, value)
            case AttemptToConfirm(token):
                self.end.open_session(token, value)
            case Request():
                reduced = errand.operation.reduced if errand.session == 0 and errand.role is None else None
                self.end.answer(errand.token, _ANSWERS[reduced or errand.operation.answer])
            case TelemetryWanted(token, stream_sequence=sequence):
                self.end.streams.tell(token, replace(_ANSWERS[StreamEvent], stream_sequence=sequence))
            case FailureToNote():
                pass

    def wait(self, argument: bytes) -> None:
        """Time passes."""
        self.now += number(argument[:4]) * 1_000
        self.end.advance(self.now)

    def line(self, argument: bytes) -> None:
        """A line closes or opens."""
        if len(argument) < 2:
            return
        port = argument[0] % LINES
        self.readers[port].reset()
        if argument[1] & 1:
            self.end.line_opened(port, self.now)
        else:
            self.end.line_closed(port, self.now)

    def power(self, _argument: bytes) -> None:
        """All that is volatile is gone; the pump has forgotten what it was asked, too."""
        self.end.power_lost()
        self.waiting.clear()

    def keys(self, argument: bytes) -> None:
        """Somebody gives the pump other keys."""
        given = RoleKeys({role: argument[:16].ljust(16, b"\0") for role in Role})
        self.end.replace_keys(_HELLO, given if argument else _ROLE_KEYS)


# The place of a verb is a part of every committed seed: new ones come behind the last.
VERBS: Final[tuple[Callable[[FuzzedEnd, bytes], None], ...]] = (
    FuzzedEnd.raw,
    FuzzedEnd.clear,
    FuzzedEnd.sealed,
    FuzzedEnd.body,
    FuzzedEnd.reply,
    FuzzedEnd.wait,
    FuzzedEnd.line,
    FuzzedEnd.power,
    FuzzedEnd.keys,
)
RAW, CLEAR, SEALED, BODY, REPLY, WAIT, LINE, POWER, KEYS = range(len(VERBS))
assert {operation.answer for operation in OPERATIONS} <= _ANSWERS.keys()


def session(data: bytes) -> None:
    """Acts on an end that has just been made; the first byte says whether it is INSECURE."""
    if not data:
        return
    end = FuzzedEnd(insecure=bool(data[0] & 1))
    for verb, argument in acts_of(data[1:], len(VERBS)):
        end.act(verb, argument)
