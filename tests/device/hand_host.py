"""A host at a device whose every frame is made by hand, and what a story looks at: what stands, what happened, why."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from emulator.device import Device
from emulator.events import BytesRejected, FrameSeen, SessionChanged
from emulator.inputs import Input, LineChange
from emulator.successors import Successors
from emulator.vpump_wire import VpumpWire, role_keys_of
from firmware_model.profile import Profile
from firmware_model.pump import Pump
from protocol.fields import decode, encode
from protocol.frame import Flag, Frame
from protocol.framing import StreamReader, encode_wire
from protocol.host_session import HostChannel, SessionWanted, answer_challenge
from protocol.keys import RoleKeys, hello_hash, test_keys
from protocol.messages.codes import Role
from protocol.messages.link import AuthAnswer, AuthRequest, OpenAnswer
from protocol.messages.operations import by_opcode, operation_of
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import Session
from protocol.slow_requests import LONGEST_US
from tests.device.desk import HELLO, HOST_ID, SERIAL, frames_in, happened, new_device, of_kind
from tests.firmware_model.pump_profiles import LONG_LOG

NO_FLAGS = Flag(0)


class RecordedDevice(Device):
    """A device that keeps its journal: every input, in order."""

    def __init__(self, pump: Pump, wire: VpumpWire) -> None:
        super().__init__(pump, wire, Successors(_successor_wire))
        self.inputs: list[Input] = []

    def apply(self, happening: Input) -> None:
        self.inputs.append(happening)
        super().apply(happening)


def _successor_wire(pump: Pump, keys: Mapping[str, bytes] | None) -> VpumpWire:
    return VpumpWire(pump.profile, pump.serial_number, insecure=False, keys=role_keys_of(keys) if keys else None)


def recorded_device(profile: Profile = LONG_LOG, keys: RoleKeys | None = None) -> RecordedDevice:
    return RecordedDevice(Pump(profile, SERIAL), VpumpWire(profile, SERIAL, insecure=False, keys=keys))


def restored(inputs: Sequence[Input], profile: Profile = LONG_LOG) -> Device:
    """The device as it was after these inputs: a save-state, made the way this device makes one."""
    device = new_device(profile, insecure=False)
    for happening in inputs:
        device.apply(happening)
    for port in {each.port for each in inputs if hasattr(each, "port")}:
        device.data_to_send(device.now_us, port=port)
    happened(device)
    return device


def live_sessions(device: Device) -> tuple[Session, ...]:
    """The pump's side of its sessions."""
    assert isinstance(device.wire, VpumpWire)
    return device.wire._end.sessions()


def standing(device: Device) -> tuple[object, ...]:
    """What no attacker may move: all that decides delivery, and how far each session has come."""
    sessions = [
        (each.key, each.port, each.channel and each.channel.requests.last, each.last, each.last_answer, each.unanswered)
        for each in live_sessions(device)
    ]
    return device.pump.delivery_digest(), sorted(sessions, key=lambda session: session[0])


@contextmanager
def nothing_moves(device: Device) -> Iterator[None]:
    """Whatever happens within: delivery and every session's window stand as they stood."""
    before = standing(device)
    yield
    assert standing(device) == before


def reasons(device: Device) -> list[str]:
    """Why what has happened since was to no effect: rejected bytes, refusals sent, sessions that ended."""
    told = []
    for event in happened(device):
        match event:
            case BytesRejected():
                told.append(event.reason)
            case FrameSeen(direction="answer"):
                words = str(event.summary)
                told.append(words[words.index("NAK") :].split(":")[0] if "NAK" in words else "OK")
            case SessionChanged(change="ended"):
                told.append(event.reason)
    return told


def requests_of(device: Device) -> list[bytes]:
    """The frames that came from lines since this was asked last, as they were on the wire."""
    return [event.raw for event in of_kind(happened(device), FrameSeen) if event.direction == "request"]


def body_of(wire: bytes) -> bytes:
    (piece,) = [piece for piece in StreamReader().feed(wire) if piece.body is not None]
    assert piece.body is not None
    return piece.body


def rewired(body: bytes) -> bytes:
    """A body that somebody has altered, under a CRC that fits it again."""
    return encode_wire(body)


@dataclass
class HandHost:
    """A host at a port, in the clear until it has connected."""

    device: Device
    role: Role = Role.CLINICIAN
    host_id: int = HOST_ID
    port: int = 0
    key: bytes | None = None
    channel: HostChannel | None = None
    challenges: int = 0
    auth_request: AuthRequest | None = None
    txns: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    events: list[Frame] = field(default_factory=list)
    _pending: HostChannel | None = None

    def open_line(self) -> "HandHost":
        self.device.line(LineChange.OPENED, self.device.now_us, self.port)
        return self

    def close_line(self) -> None:
        self.device.line(LineChange.CLOSED, self.device.now_us, self.port)

    def send(self, wire: bytes) -> list[Frame]:
        """Bytes in, frames out, at this instant."""
        self.device.receive(wire, self.device.now_us, self.port)
        return frames_in(self.device.data_to_send(self.device.now_us, port=self.port))

    def plain(self, message: object) -> bytes:
        """A request in the clear."""
        operation = operation_of(message)
        return self._frame(operation.opcode, encode(message)).to_wire()

    def sealed(self, message: object) -> bytes:
        """The next request of the session, as it would go on the wire."""
        return self.sealed_opcode(operation_of(message).opcode, encode(message))

    def sealed_opcode(self, opcode: int, payload: bytes, *, flags: Flag = NO_FLAGS) -> bytes:
        assert self.channel is not None, "this host has no session"
        return self.channel.seal(self._frame(opcode, payload, flags)).to_wire()

    def opcode(self, opcode: int, payload: bytes) -> bytes:
        """A request by number as this host would send it now."""
        if self.channel is None:
            return self._frame(opcode, payload).to_wire()
        return self.sealed_opcode(opcode, payload)

    def request(self, message: object) -> bytes:
        """A request as this host would send it now: sealed, if there is a session."""
        return self.plain(message) if self.channel is None else self.sealed(message)

    def retried(self, message: object) -> bytes:
        """The last request once more, as a retry; sealed anew, if there is a session."""
        operation = operation_of(message)
        self.txns[operation.sequenced] = (self.txns[operation.sequenced] - 1) & 0xFF
        frame = self._frame(operation.opcode, encode(message), Flag.RETRY)
        return (frame if self.channel is None else self.channel.seal(frame)).to_wire()

    def opened(self, frames: Sequence[Frame]) -> bytes:
        """The payload of the one answer, which must be sealed if there is a session; AUTH's is the first to be.

        Events that came with it are put aside.
        """
        self.events += [frame for frame in frames if Flag.EVENT in frame.flags]
        (frame,) = [frame for frame in frames if Flag.EVENT not in frame.flags]
        channel = self.channel or (self._pending if Flag.SECURED in frame.flags else None)
        if channel is None:
            assert Flag.SECURED not in frame.flags
            return frame.payload
        payload = channel.open(frame)
        assert payload is not None, "an answer was not sealed in this session"
        return payload

    def ask(self, message: object) -> Any:
        """The answer, which must be granted."""
        payload = self.opened(self.send(self.request(message)))
        assert payload[0] == OK, Nak.decode(payload)
        return decode(operation_of(message).answer, payload[1:])

    def outlast(self) -> None:
        """Let the pump come to the end of a slow request. What it says of it on the line is put aside unread."""
        self.device.advance(self.device.now_us + LONGEST_US)
        self.device.data_to_send(self.device.now_us, port=self.port)

    def verdict(self, wire: bytes) -> NakCode | None:
        """What a request is answered with, None for OK."""
        payload = self.opened(self.send(wire))
        return None if payload[0] == OK else Nak.decode(payload).code

    def wanted(self, *, takeover: bool = False) -> SessionWanted:
        """The session that this host wants, under a challenge that it never uses again."""
        self.challenges += 1
        challenge = bytes((self.role, self.port)) + self.challenges.to_bytes(6, "little")
        key = self.key or test_keys(self.device.serial_number).of_role[self.role]
        return SessionWanted(self.role, self.host_id, key, challenge, takeover)

    def open(self, wanted: SessionWanted) -> OpenAnswer | Nak:
        """OPEN, with the session's keys worked out from its answer."""
        greeting = self.send(self.plain(HELLO))[0].payload[1:]
        (frame,) = self.send(self.plain(wanted.request()))
        if frame.payload[0] != OK:
            return Nak.decode(frame.payload)
        answer = decode(OpenAnswer, frame.payload[1:])
        self.auth_request, session_keys = answer_challenge(
            wanted, answer, serial_number=self.device.serial_number, hello_hash=hello_hash(greeting)
        )
        self._pending = HostChannel(session_keys)
        return answer

    def auth(self) -> AuthAnswer | Nak:
        """AUTH with what the last OPEN was answered with."""
        assert self.auth_request is not None, "no OPEN was answered"
        (frame,) = self.send(self.plain(self.auth_request))
        if Flag.SECURED not in frame.flags:
            return Nak.decode(frame.payload)
        self.channel, self._pending = self._pending, None
        assert self.channel is not None
        payload = self.channel.open(frame)
        assert payload is not None
        self.txns = {True: 0, False: 0}
        return decode(AuthAnswer, payload[1:])

    def connect(self, *, takeover: bool = False) -> "HandHost":
        """OPEN and AUTH, both granted."""
        assert isinstance(self.open(self.wanted(takeover=takeover)), OpenAnswer)
        assert isinstance(self.auth(), AuthAnswer)
        return self

    def _frame(self, opcode: int, payload: bytes, flags: Flag = NO_FLAGS) -> Frame:
        operation = by_opcode.get(opcode)
        sequenced = operation is None or operation.sequenced
        self.txns[sequenced] = (self.txns[sequenced] + 1) & 0xFF
        return Frame(
            opcode=opcode,
            txn=self.txns[sequenced],
            address=self.device.serial_number,
            payload=payload,
            flags=flags,
        )
