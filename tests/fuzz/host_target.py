"""The programmer's end under whatever a pump may say, in the clear and under the session's own keys.

No byte from the line is an exception, each request ends in one event of its own at most, and what is believed is what
the tables admit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from protocol.channel import Direction, Sealer
from protocol.fields import FormatError, decode, encode
from protocol.frame import ANY_ADDRESS, MAX_PAYLOAD, Flag, Frame, parse_body
from protocol.framing import StreamReader, encode_wire
from protocol.host_end import Answered, HostEnd, KeyWrong, NoAnswer, Refused, SessionReady
from protocol.host_session import HostChannel, SessionWanted, answer_challenge
from protocol.keys import Handshake, device_cryptogram, test_keys
from protocol.messages.codes import Role
from protocol.messages.link import OpenAnswer
from protocol.messages.operations import by_opcode
from protocol.refusals import OK, Nak
from tests.fuzz.acts import acts_of, number
from tests.fuzz.end_keys import keys_of

ADDRESS: Final = 0x00C0FFEE
HOST_ID: Final = 0x51
SESSION_ID: Final = 0x1234
ROLE: Final = Role.CLINICIAN
EVENTS: Final = (Answered, Refused, NoAnswer, SessionReady, KeyWrong)
_IN_SESSION, _KNOWS_ADDRESS = 1, 2


@dataclass
class FuzzedHost:
    """A host, and a pump at the other end that knows its keys and says anything."""

    start: int
    host: HostEnd = field(init=False)
    sealer: Sealer = field(default_factory=lambda: Sealer(keys_of(ROLE), Direction.PUMP_TO_HOST))
    now: int = 0
    begun: int = 0
    ended: int = 0
    opcode: int = 0
    txn: int = 0
    opened: SessionWanted | None = None

    def __post_init__(self) -> None:
        self.host = HostEnd(address=ADDRESS if self.start & _KNOWS_ADDRESS else ANY_ADDRESS)
        if self.start & _IN_SESSION:
            self.host.address = ADDRESS
            self.host._channel = HostChannel(keys_of(ROLE))
            self.host._channel.session_id = SESSION_ID

    def act(self, verb: int, argument: bytes) -> None:
        """One act, and what must hold behind it."""
        VERBS[verb](self, argument)
        while (event := self.host.next_event()) is not None:
            assert isinstance(event, EVENTS)
            self.ended += 1
            if isinstance(event, Answered):
                assert encode(event.message) is not None
            elif isinstance(event, Refused):
                assert event.nak.encode()
        while (told := self.host.next_told()) is not None:
            assert encode(told.event) is not None
        assert self.begun - self.ended == self.host.busy, "a request has not one end"
        assert (self.host.next_deadline() is not None) is self.host.busy
        sent = [piece.body for piece in StreamReader().feed(self.host.data_to_send()) if piece.body is not None]
        assert len(sent) <= 1
        for body in sent:
            frame = parse_body(body)
            self.opcode, self.txn = frame.opcode, frame.txn

    def raw(self, argument: bytes) -> None:
        """Bytes from the line."""
        self.host.receive(argument, self.now)

    def body(self, argument: bytes) -> None:
        """A body under a CRC that fits it."""
        if len(argument) >= 12:
            self.host.receive(b"\0" + encode_wire(argument[:249]), self.now)

    def request(self, argument: bytes) -> None:
        """The host asks: opcode, payload; nothing, if that is no request."""
        operation = by_opcode.get(number(argument[:2]))
        greets = operation is not None and operation.name == "HELLO"
        if operation is None or self.host.busy or (self.host.address == ANY_ADDRESS and not greets):
            return
        try:
            message = decode(operation.request, argument[2:])
        except FormatError:
            return
        self.begun += 1
        self.host.request(message, self.now)

    def answer(self, argument: bytes) -> None:
        """An answer in the clear to the request in hand: result byte and payload."""
        self._say(
            Frame(opcode=self.opcode, txn=self.txn, address=ADDRESS, payload=argument[:MAX_PAYLOAD], flags=Flag.RESP)
        )

    def sealed_answer(self, argument: bytes) -> None:
        """The same under the session's keys."""
        self._say(
            self.sealer.seal(
                opcode=self.opcode,
                txn=self.txn,
                address=ADDRESS,
                session_id=SESSION_ID,
                payload=argument[:MAX_PAYLOAD],
                flags=Flag.RESP,
            )
        )

    def sealed(self, argument: bytes) -> None:
        """Any frame under the session's keys: session id, txn, opcode, whether an event, payload."""
        if len(argument) < 6:
            return
        self._say(
            self.sealer.seal(
                opcode=number(argument[3:5]) & 0x7FFF,
                txn=argument[2],
                address=ADDRESS,
                session_id=number(argument[:2]) or SESSION_ID,
                payload=argument[6 : 6 + MAX_PAYLOAD],
                flags=Flag.EVENT if argument[5] & 1 else Flag.RESP,
            )
        )

    def wait(self, argument: bytes) -> None:
        """Time passes: to the deadline, or so many milliseconds."""
        deadline = self.host.next_deadline()
        self.now = max(self.now, deadline or 0) if not argument else self.now + number(argument[:3]) * 1_000
        self.host.advance(self.now)

    def open_session(self, argument: bytes) -> None:
        """The host wants a session, if it may."""
        if self.host.busy or not self.host._hello_hash:
            return
        self.begun += 1
        self.opened = SessionWanted(ROLE, HOST_ID, test_keys(ADDRESS).of_role[ROLE], argument[:8].ljust(8, b"\0"))
        self.host.open_session(self.opened, self.now)

    def challenge(self, argument: bytes) -> None:
        """The pump answers OPEN as one that holds the key, and counts from 1 in the session that comes of it."""
        if self.opened is None:
            return
        wanted, role_key = self.opened, test_keys(ADDRESS).of_role[ROLE]
        handshake = Handshake(
            role=wanted.role,
            flags=0,
            serial_number=self.host.address,
            host_id=wanted.host_id,
            host_challenge=wanted.challenge,
            device_challenge=argument[:8].ljust(8, b"\0"),
            hello_hash=self.host._hello_hash,
        )
        answer = OpenAnswer(
            device_challenge=handshake.device_challenge, device_cryptogram=device_cryptogram(role_key, handshake)
        )
        _, session_keys = answer_challenge(
            wanted, answer, serial_number=self.host.address, hello_hash=self.host._hello_hash
        )
        self.sealer = Sealer(session_keys, Direction.PUMP_TO_HOST)
        self.answer(bytes((OK,)) + encode(answer))

    def forget(self, _argument: bytes) -> None:
        """The host goes on without a session."""
        if not self.host.busy:
            self.host.forget_session()

    def refuse(self, argument: bytes) -> None:
        """A refusal under the session's keys: code, field, element, detail as they lie on the wire."""
        try:
            nak = Nak.decode(argument[:8].ljust(8, b"\0"))
        except ValueError:
            return
        self.sealed_answer(nak.encode())

    def _say(self, frame: Frame) -> None:
        self.host.receive(b"\0" + frame.to_wire(), self.now)


# The place of a verb is a part of every committed seed: new ones come behind the last.
VERBS: Final[tuple[Callable[[FuzzedHost, bytes], None], ...]] = (
    FuzzedHost.raw,
    FuzzedHost.body,
    FuzzedHost.request,
    FuzzedHost.answer,
    FuzzedHost.sealed_answer,
    FuzzedHost.sealed,
    FuzzedHost.wait,
    FuzzedHost.open_session,
    FuzzedHost.challenge,
    FuzzedHost.forget,
    FuzzedHost.refuse,
)
RAW, BODY, REQUEST, ANSWER, SEALED_ANSWER, SEALED, WAIT, OPEN_SESSION, CHALLENGE, FORGET, REFUSE = range(len(VERBS))


def host(data: bytes) -> None:
    """Acts on a host that has just been made; the first byte says whether it has a session and knows the address."""
    if not data:
        return
    fuzzed = FuzzedHost(data[0])
    for verb, argument in acts_of(data[1:], len(VERBS)):
        fuzzed.act(verb, argument)
