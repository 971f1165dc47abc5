"""A host whose every frame is made by hand, so that a story can repeat, alter and misplace it."""

from dataclasses import dataclass

from protocol.channel import Direction, Opener, Sealer, SessionKeys
from protocol.fields import decode, encode
from protocol.frame import Flag, Frame
from protocol.framing import LineFault
from protocol.host_session import SessionWanted, answer_challenge
from protocol.keys import hello_hash
from protocol.messages.codes import Role
from protocol.messages.link import AuthAnswer, AuthRequest, OpenAnswer
from protocol.messages.operations import by_name
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import Session
from tests.protocol.pump_line import KEEPALIVE, NO_FLAGS, TIME, TIME_READ, Named, PumpLine, Reply, frame_of, verdict_of

HOST_ID = 7


@dataclass
class Host:
    """A host at a port of a pump, in the clear until it has connected; `keys` are those of its session."""

    pump: PumpLine
    role: Role = Role.CLINICIAN
    host_id: int = HOST_ID
    port: int = 0
    session_id: int = 0
    keys: SessionKeys | None = None
    auth_request: AuthRequest | None = None
    _sealer: Sealer | None = None
    _opener: Opener | None = None
    _challenges: int = 0

    def wanted(self, *, takeover: bool = False, challenge: bytes | None = None) -> SessionWanted:
        """The session that this host wants, under a challenge of its own unless one is given."""
        if challenge is None:
            self._challenges += 1
            challenge = bytes((self.role, self.port)) + self._challenges.to_bytes(6, "little")
        return SessionWanted(self.role, self.host_id, self.pump.role_keys.of_role[self.role], challenge, takeover)

    def open(self, wanted: SessionWanted, txn: int = 1) -> OpenAnswer | Nak:
        """OPEN is asked, and served."""
        self.pump.send(("OPEN", encode(wanted.request())), txn, self.port)
        self.pump.serve()
        (wire,) = self.pump.wires(self.port)
        payload = frame_of(wire).payload
        if payload[0] != OK:
            return Nak.decode(payload)
        answer = decode(OpenAnswer, payload[1:])
        self.auth_request, self.keys = answer_challenge(
            wanted,
            answer,
            serial_number=self.pump.address,
            hello_hash=hello_hash(encode(self.pump.hello)),
        )
        return answer

    def send_auth(self, txn: int = 2) -> None:
        """AUTH arrives, and the pump has not yet been asked."""
        assert self.auth_request is not None, "no OPEN was answered"
        self.pump.send(("AUTH", encode(self.auth_request)), txn, self.port)

    def auth(self, txn: int = 2) -> AuthAnswer | Nak:
        """AUTH is asked, and served."""
        self.send_auth(txn)
        self.pump.serve()
        (wire,) = self.pump.wires(self.port)
        return self.take_auth(wire)

    def take_auth(self, wire: bytes) -> AuthAnswer | Nak:
        """The answer to AUTH; a sealed one begins the session."""
        frame = frame_of(wire)
        if Flag.SECURED not in frame.flags:
            return Nak.decode(frame.payload)
        assert self.keys is not None
        self.session_id = frame.session_id
        self._sealer = Sealer(self.keys, Direction.HOST_TO_PUMP)
        self._opener = Opener(self.keys, Direction.PUMP_TO_HOST)
        payload = self._opener.open(frame)
        assert payload[0] == OK
        return decode(AuthAnswer, payload[1:])

    def connect(self, *, takeover: bool = False) -> "Host":
        """OPEN and AUTH, both granted."""
        assert isinstance(self.open(self.wanted(takeover=takeover)), OpenAnswer)
        assert isinstance(self.auth(), AuthAnswer)
        return self

    @property
    def sealer(self) -> Sealer:
        assert self._sealer is not None, "this host has no session"
        return self._sealer

    @property
    def opener(self) -> Opener:
        assert self._opener is not None, "this host has no session"
        return self._opener

    @property
    def session(self) -> Session:
        """The pump's side of this host's session."""
        (session,) = (each for each in self.pump.end.sessions() if each.session_id == self.session_id)
        return session

    def frame(self, named: Named, txn: int, *, flags: Flag = NO_FLAGS) -> Frame:
        """The request as it goes on the wire: sealed, if there is a session."""
        name, payload = named
        opcode = by_name[name].opcode
        return self.frame_of_opcode(opcode, payload, txn, flags=flags)

    def frame_of_opcode(self, opcode: int, payload: bytes, txn: int, *, flags: Flag = NO_FLAGS) -> Frame:
        if self._sealer is None:
            return Frame(opcode=opcode, txn=txn, address=self.pump.address, payload=payload, flags=flags)
        return self._sealer.seal(
            opcode=opcode,
            txn=txn,
            address=self.pump.address,
            session_id=self.session_id,
            payload=payload,
            flags=flags,
        )

    def send(self, named: Named, txn: int, *, flags: Flag = NO_FLAGS) -> LineFault | None:
        """A request arrives, and the pump leaves it unanswered."""
        return self.pump.send_body(self.frame(named, txn, flags=flags).to_body(), self.port)

    def answers(self) -> list[tuple[int, bytes]]:
        """What came back, in the clear: `(txn, payload)`. In a session all of it must be sealed."""
        frames = [frame_of(wire) for wire in self.pump.wires(self.port)]
        if self._opener is None:
            return [(frame.txn, frame.payload) for frame in frames]
        assert all(frame.session_id == self.session_id for frame in frames), "an answer was not sealed in this session"
        return [(frame.txn, self._opener.open(frame)) for frame in frames]

    def replies(self) -> list[Reply]:
        return [(txn, verdict_of(payload)) for txn, payload in self.answers()]

    def exchange(self, txn: int) -> bytes:
        """TIME_READ is asked and answered; gives the answer in the clear."""
        self.send(TIME_READ, txn)
        self.pump.end.answer(self.pump.asked().token, TIME)
        ((answered, payload),) = self.answers()
        assert (answered, payload[0]) == (txn, OK)
        return payload

    def is_gone(self) -> bool:
        """Whether the pump knows this host's session no more, and says so in the clear."""
        self.send(KEEPALIVE, 99)
        (frame,) = (frame_of(wire) for wire in self.pump.wires(self.port))
        if Flag.SECURED in frame.flags:
            return self.opener.open(frame)[0] != OK
        return Nak.decode(frame.payload) == Nak(NakCode.NO_SUCH_SESSION)
