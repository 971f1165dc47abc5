"""A whole pump under acts that a fuzzer chooses: lines, handshakes, frames under each role's own keys, time, power,
what is around it, and another pump in its place.

Nothing that comes over a line is an exception, every answer is one that a programmer can read, every queue stays
within its bound, and whoever has no right to change what is delivered does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from emulator.device import Device
from emulator.events import FrameSeen
from emulator.inputs import CutPower, LineChange, RestorePower, RestoreState, SetEnvironment, SwapPump
from emulator.lines import OUTPUT_LIMIT
from emulator.vpump_wire import VpumpWire
from firmware_model.plant.condition import HIGHEST_CC, LOWEST_CC
from protocol.channel import Direction, Opener, Sealer, TagWrong
from protocol.explain import explain
from protocol.fields import decode, encode
from protocol.frame import MAX_PAYLOAD, Flag, Frame, parse_body
from protocol.framing import StreamReader, encode_wire
from protocol.host_session import CryptogramWrong, SessionWanted, answer_challenge
from protocol.keys import hello_hash, test_keys
from protocol.messages.codes import Role
from protocol.messages.link import OpenAnswer
from protocol.messages.operations import by_name
from protocol.refusals import OK
from tests.device.desk import HELLO, HOST_ID, SECOND, SERIAL, happened
from tests.device.hand_host import recorded_device
from tests.fuzz.acts import acts_of, number
from tests.fuzz.end_keys import PORTS, ROLES, keys_of

STRANGERS_PORT: Final = len(ROLES)
MOST_PASSED_US: Final = 100 * SECOND


@dataclass
class _Client:
    """The host's side of a session that stands from the beginning."""

    session_id: int
    port: int
    requests: Sealer
    answers: Opener
    txn: int = 0


@dataclass
class FuzzedPump:
    """A pump with a session of each role, each on its own line, and a line for strangers."""

    device: Device = field(default_factory=recorded_device)
    clients: dict[Role, _Client] = field(default_factory=dict)
    challenges: int = 0
    undisturbed: str = ""
    saved: bytes = b""

    def __post_init__(self) -> None:
        for port in range(STRANGERS_PORT + 1):
            self.device.line(LineChange.OPENED, 0, port)
        self.begin_sessions()

    def begin_sessions(self) -> None:
        """A session of each role, as if its handshake had been."""
        device = self.device
        assert isinstance(device.wire, VpumpWire)
        sessions, now = device.wire._end._sessions, device.now_us
        for role in ROLES:
            begun = sessions.begin(
                session_id=int(role), port=PORTS[role], role=role, host_id=HOST_ID, now=now, keys=keys_of(role)
            )
            self.clients[role] = _Client(
                begun.session_id,
                begun.port,
                Sealer(keys_of(role), Direction.HOST_TO_PUMP),
                Opener(keys_of(role), Direction.PUMP_TO_HOST),
            )
        device.advance(now)
        happened(device)

    def act(self, verb: int, argument: bytes) -> None:
        """One act, and what must hold behind it."""
        do, may_change_delivery = VERBS[verb]
        if may_change_delivery:
            self.check()
            self.undisturbed = ""
        elif not self.undisturbed:
            self.undisturbed = self.device.pump.delivery_digest()
        do(self, argument)
        for event in happened(self.device):
            if isinstance(event, FrameSeen):
                str(event.summary)
        for port in range(STRANGERS_PORT + 1):
            self.take_answers(port)

    def check(self) -> None:
        """Behind acts of those who have no right: they have changed nothing."""
        if self.undisturbed:
            assert self.device.pump.delivery_digest() == self.undisturbed, "delivery was changed without a right"

    def take_answers(self, port: int) -> list[Frame]:
        """What the pump says on a line: frames that a programmer can read, every one."""
        now = self.device.now_us
        data = self.device.data_to_send(now, 2 * OUTPUT_LIMIT, port)
        assert len(data) <= OUTPUT_LIMIT
        frames = []
        for piece in StreamReader().feed(data):
            assert piece.fault is None
            if piece.body is None:
                continue
            frame = parse_body(piece.body)
            frames.append(frame)
            plain = self._plain(port, frame)
            if plain is not None or Flag.SECURED not in frame.flags:
                assert not (problem := explain(piece.body, plain).problem), problem
        return frames

    def _plain(self, port: int, frame: Frame) -> bytes | None:
        """An answer in the clear, if it belongs to a session whose keys are known here."""
        for client in self.clients.values():
            if (client.session_id, client.port) == (frame.session_id, port) and Flag.SECURED in frame.flags:
                try:
                    return client.answers.look(frame)
                except TagWrong:
                    return None
        return None

    def receive(self, data: bytes, port: int) -> None:
        self.device.receive(data, self.device.now_us, port)

    def raw(self, argument: bytes) -> None:
        """Bytes to a line."""
        if argument:
            self.receive(argument[1:], argument[0] % (STRANGERS_PORT + 1))

    def body(self, argument: bytes) -> None:
        """A body under a CRC that fits it."""
        if len(argument) >= 13:
            self.receive(encode_wire(argument[1:250]), argument[0] % (STRANGERS_PORT + 1))

    def clear(self, argument: bytes) -> None:
        """A request in the clear, of whatever operation: port, txn, opcode, payload."""
        if len(argument) >= 4:
            port, txn, opcode = argument[0] % (STRANGERS_PORT + 1), argument[1], number(argument[2:4]) & 0x7FFF
            self.receive(Frame(opcode=opcode, txn=txn, address=SERIAL, payload=argument[4:228]).to_wire(), port)

    def sealed(self, role: Role, argument: bytes) -> None:
        """A request under a role's keys: how it stands to the last txn, opcode, payload."""
        if len(argument) < 3:
            return
        client = self.clients[role]
        how, opcode, payload = argument[0], number(argument[1:3]) & 0x7FFF, argument[3 : 3 + MAX_PAYLOAD]
        if how != 1:
            client.txn = client.txn + 1 & 0xFF if how == 0 else how
        flags = Flag.RETRY if how == 1 else Flag(0)
        frame = client.requests.seal(
            opcode=opcode,
            txn=client.txn,
            address=SERIAL,
            session_id=client.session_id,
            payload=payload,
            flags=flags,
        )
        self.receive(frame.to_wire(), client.port)

    def forged(self, argument: bytes) -> None:
        """A frame of a session under whatever counter and tag: role, then counter and tag, opcode, payload."""
        if len(argument) < 16:
            return
        client = self.clients[ROLES[argument[0] % len(ROLES)]]
        frame = Frame(
            opcode=number(argument[14:16]) & 0x7FFF,
            txn=client.txn + 1 & 0xFF,
            address=SERIAL,
            payload=argument[16 : 16 + MAX_PAYLOAD],
            session_id=client.session_id,
            flags=Flag.SECURED,
            sealed=argument[1:14],
        )
        self.receive(frame.to_wire(), client.port)

    def handshake(self, argument: bytes) -> None:
        """OPEN and AUTH on a line, with the right key or a wrong one: port, role, flags, how many times AUTH comes."""
        if len(argument) < 4:
            return
        port, role = argument[0] % (STRANGERS_PORT + 1), ROLES[argument[1] % len(ROLES)]
        self.challenges += 1
        challenge = bytes((port,)) + self.challenges.to_bytes(7, "little")
        key = test_keys(SERIAL).of_role[role] if argument[2] & 2 else bytes(16)
        wanted = SessionWanted(role, HOST_ID + (argument[2] >> 2), key, challenge, takeover=bool(argument[2] & 1))
        answers = [*self._ask("HELLO", encode(HELLO), port), *self._ask("OPEN", encode(wanted.request()), port)]
        if [answer.payload[:1] for answer in answers] != [bytes((OK,))] * 2:
            return
        greeting, answer = answers
        try:
            request, _ = answer_challenge(
                wanted,
                decode(OpenAnswer, answer.payload[1:]),
                serial_number=SERIAL,
                hello_hash=hello_hash(greeting.payload[1:]),
            )
            cryptogram = encode(request)
        except CryptogramWrong:
            cryptogram = argument[4:12].ljust(8, b"\0")
        for _ in range(argument[3] % 4):
            self._ask("AUTH", cryptogram, port)

    def _ask(self, name: str, payload: bytes, port: int) -> list[Frame]:
        self.receive(Frame(opcode=by_name[name].opcode, txn=1, address=SERIAL, payload=payload).to_wire(), port)
        return [frame for frame in self.take_answers(port) if frame.opcode == by_name[name].opcode]

    def wait(self, argument: bytes) -> None:
        """Time passes."""
        self.device.advance(self.device.now_us + min(number(argument[:4]) * 1_000, MOST_PASSED_US))

    def line(self, argument: bytes) -> None:
        """A line closes, opens, or is not read."""
        changes = tuple(LineChange)
        if len(argument) >= 2:
            change = changes[argument[1] % len(changes)]
            self.device.line(change, self.device.now_us, argument[0] % (STRANGERS_PORT + 1))

    def power(self, argument: bytes) -> None:
        """The power goes; it comes back unless the argument says otherwise, or with a later act of this kind."""
        if self.device.has_power:
            self.device.control(CutPower(), self.device.now_us)
        if not argument:
            self.device.control(RestorePower(), self.device.now_us)

    def around(self, argument: bytes) -> None:
        """Another temperature, and a magnetic field or none."""
        temperature_cc = LOWEST_CC + number(argument[:2]) % (HIGHEST_CC - LOWEST_CC + 1)
        change = SetEnvironment(temperature_cc, field_on=bool(number(argument[2:3]) & 1))
        self.device.control(change, self.device.now_us)

    def swap(self, argument: bytes) -> None:
        """Another pump, of the same serial number or of the next one."""
        self.device.control(SwapPump(SERIAL + number(argument[:1]) % 2, number(argument[1:5])), self.device.now_us)
        self.begin_sessions()

    def state(self, argument: bytes) -> None:
        """A save-state is made; or, with an argument, the one that was made is restored."""
        if not argument:
            self.saved = self.device.save_state()
        elif self.saved:
            self.device.control(RestoreState(self.saved, number(argument[:4])), self.device.now_us)
            if self.device.has_power:
                self.begin_sessions()


Verb = tuple[Callable[[FuzzedPump, bytes], None], bool]
"""What is done, and whether it may change what is delivered."""
# The place of a verb is a part of every committed seed: new ones come behind the last.
VERBS: Final[tuple[Verb, ...]] = (
    (FuzzedPump.raw, False),
    (FuzzedPump.body, False),
    (FuzzedPump.clear, False),
    (lambda pump, argument: pump.sealed(Role.READER, argument), False),
    (lambda pump, argument: pump.sealed(Role.PATIENT, argument), True),
    (lambda pump, argument: pump.sealed(Role.CLINICIAN, argument), True),
    (FuzzedPump.forged, False),
    # A session that ends takes its stages and leases with it.
    (FuzzedPump.handshake, True),
    (FuzzedPump.wait, True),
    (FuzzedPump.line, True),
    (FuzzedPump.power, True),
    (FuzzedPump.around, True),
    (FuzzedPump.swap, True),
    (FuzzedPump.state, True),
)
RAW, BODY, CLEAR, READER, PATIENT, CLINICIAN, FORGED, HANDSHAKE, WAIT, LINE, POWER, AROUND, SWAP, STATE = range(
    len(VERBS)
)


def device(data: bytes) -> None:
    """Acts on a pump that has just been made."""
    pump = FuzzedPump()
    for verb, argument in acts_of(data, len(VERBS)):
        pump.act(verb, argument)
    pump.check()
