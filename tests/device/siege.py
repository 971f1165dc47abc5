"""A pump with all its doors prepared, besieged by those who may not go through them, and its undisturbed twin.

On one line the clinician has a session with a validated stage, a lease and a refill begun, so that one frame that was
let through would change what is delivered. On the others are strangers without a session and a reader with a live one.
Their frames come from the grammar of the field tables, in the clear and sealed, and in ruins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from types import MappingProxyType
from typing import Any, Final

from emulator.device import Device
from emulator.events import FrameSeen, SessionChanged
from emulator.lines import OUTPUT_LIMIT
from protocol.access import PumpState
from protocol.channel import Direction, Sealer, SessionKeys
from protocol.fields import encode
from protocol.frame import ANY_ADDRESS, Flag, Frame, parse_body
from protocol.framing import encode_wire
from protocol.messages import program
from protocol.messages.codes import Block, OpenFlag, Role
from protocol.messages.link import AuthRequest, KeepaliveRequest, OpenRequest
from protocol.messages.operations import OPERATIONS, Operation
from protocol.sessions import WRONG_TAGS_MAX
from tests.device.desk import HELLO, HOST_ID, SECOND, SERIAL, happened
from tests.device.hand_host import HandHost, body_of, live_sessions, standing
from tests.device.payload_grammar import PAYLOADS, PayloadGrammar
from tests.device.pump_states import PART, WellMeant, pump_in

CLINICIANS_PORT, READERS_PORT, STRANGERS_PORT, OTHER_PORT = range(4)
ATTACKED: Final = (READERS_PORT, STRANGERS_PORT, OTHER_PORT)
FRAMES_OF_ROUND: Final = 1_000
CHECKED_EVERY: Final = 50
ROUND_US: Final = 20 * SECOND
"""Shorter than a lease, so that what the clinician has prepared stays to be had."""
KEPT: Final = 200
"""Frames that are kept to come again, on any line."""
STATES: Final = tuple(PumpState)
_SEAL_SIZE: Final = 13
_UNKNOWN_OPCODES: Final = (0x0000, 0x0100, 0x01FF, 0x0406, 0x0701, 0x0704, 0x0B01, 0x7F7F, 0x7FFF)
_SELDOM_SEALED: Final = frozenset({"CLOSE"})
"""What ends the reader's own session, and with it all that he could do in it."""


def _meant_well(host: HandHost) -> dict[str, object]:
    """For each operation what the clinician could send next, and have it granted where his pump's state admits it."""
    well = WellMeant(host)
    execute, refill, commit = well.execute(), well.refill(), well.commit()
    of_stage = {"stage_id": commit.stage_id}
    made: dict[str, object] = {
        "BOLUS_EXECUTE": execute,
        "REFILL_COMMIT": refill,
        "PROGRAM_COMMIT": commit,
        "PROGRAM_VALIDATE": program.ProgramValidateRequest(**of_stage),
        "PROGRAM_ABORT": program.ProgramAbortRequest(**of_stage),
        "STAGE_READ": program.StageReadRequest(block=Block.IMAGE, offset=0, length=PART, **of_stage),
        "PROGRAM_WRITE": program.ProgramWriteRequest(block=Block.CATHETER, offset=0, data=bytes(4), **of_stage),
        "AUTH": AuthRequest(host_cryptogram=bytes(8)),
    }
    for operation in OPERATIONS:
        if operation.name not in made:
            made[operation.name] = well.request(operation.name)
    return made


@dataclass
class Besieged:
    """One of the twins: the device, and the clinician at it with what he has prepared."""

    state: PumpState
    device: Device = field(init=False)
    clinician: HandHost = field(init=False)
    well_meant: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        self.device = pump_in(self.state)
        self.clinician = HandHost(self.device, port=CLINICIANS_PORT).open_line().connect()
        self.well_meant = _meant_well(self.clinician)
        happened(self.device)

    def deliver_what_was_prepared(self) -> list[object]:
        """The clinician does what he had prepared: which of it is granted, and how delivery stands behind each."""
        done: list[object] = []
        for name in ("KEEPALIVE", "BOLUS_EXECUTE", "PROGRAM_COMMIT", "STOP"):
            message = KeepaliveRequest() if name == "KEEPALIVE" else self.well_meant[name]
            done += [self.clinician.verdict(self.clinician.sealed(message)), self.device.pump.delivery_digest()]
        return done


@dataclass
class Siege:
    """A round of frames at one pump; all that is sent follows from the seed and the number of the round."""

    seed: int
    round: int
    checked_every: int = CHECKED_EVERY
    operations: tuple[Operation, ...] = OPERATIONS
    sent: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    here: Besieged = field(init=False)
    twin: Besieged = field(init=False)
    random: Random = field(init=False)
    reader: HandHost = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed} {self.round}")  # noqa: S311 - a siege that can be repeated
        state = STATES[self.round % len(STATES)]
        self.here, self.twin = Besieged(state), Besieged(state)
        self.grammar = PayloadGrammar(self.random, self.here.well_meant)
        for port in ATTACKED:
            HandHost(self.device, port=port).open_line()
        self.reader = HandHost(self.device, Role.READER, HOST_ID + 1, READERS_PORT)
        self.connect_reader()
        self.kept: list[bytes] = []
        self.wrong_tags = 0

    @property
    def device(self) -> Device:
        return self.here.device

    @property
    def clinicians_session_id(self) -> int:
        return next(each.session_id for each in live_sessions(self.device) if each.port == CLINICIANS_PORT)

    def connect_reader(self) -> None:
        """A session for the reader, whatever stands half sent on his line."""
        self.reader.channel = None
        self.reader.send(b"\x00")
        self.reader.connect()
        happened(self.device)

    def run(self, frames: int = FRAMES_OF_ROUND) -> None:
        """So many frames, with what must hold between them, and at the end the clinician's own turn."""
        began_us = self.device.now_us
        for number in range(frames):
            kind, port, wire = self.next_frame()
            self.sent[kind] += 1
            self.deliver(wire, port)
            if number % self.checked_every == self.checked_every - 1:
                self.pass_time(began_us + ROUND_US * number // frames)
                self.check()
        self.check()
        assert self.here.deliver_what_was_prepared() == self.twin.deliver_what_was_prepared()
        self.pass_time(self.device.now_us + 90 * SECOND)
        assert self.device.pump.delivery_digest() == self.twin.device.pump.delivery_digest()

    def next_frame(self) -> tuple[str, int, bytes]:
        """What it is, on which line it comes, and its bytes."""
        kind = self.random.choice(_KINDS)
        port, wire = ATTACKS[kind](self)
        if len(self.kept) < KEPT:
            self.kept.append(wire)
        else:
            self.kept[self.random.randrange(KEPT)] = wire
        return kind, port, wire

    def deliver(self, wire: bytes, port: int) -> None:
        """At once, or in pieces between which another line is heard."""
        device = self.device
        if self.random.random() < 0.8:
            device.receive(wire, device.now_us, port)
        else:
            at = 0
            while at < len(wire):
                size = self.random.choice((1, 2, 7, len(wire)))
                device.receive(wire[at : at + size], device.now_us, port)
                device.receive(b"\x00", device.now_us, self.random.choice([each for each in ATTACKED if each != port]))
                at += size
        for each in (CLINICIANS_PORT, *ATTACKED):
            answers = device.data_to_send(device.now_us, 2 * OUTPUT_LIMIT, each)
            assert len(answers) <= OUTPUT_LIMIT
        self._watch()

    def _watch(self) -> None:
        for event in happened(self.device):
            match event:
                case FrameSeen(direction="answer"):
                    if event.port != READERS_PORT:
                        flags = parse_body(body_of(event.raw)).flags
                        assert Flag.SECURED not in flags, f"a session has answered on line {event.port}: {self.where()}"
                    words = str(event.summary)
                    verdict = words[words.index("NAK") :].split(":")[0] if "NAK" in words else "OK"
                    self.met[f"{event.name} {verdict}"] += 1
                case SessionChanged(change="ended", role="reader"):
                    # He has spoilt his own session; the next one is his as well.
                    self.met[f"reader ended {event.reason}"] += 1
                    if event.port == READERS_PORT:
                        self.reader.channel = None

    def pass_time(self, until_us: int) -> None:
        until_us = max(until_us, self.device.now_us)
        self.device.advance(until_us)
        self.twin.device.advance(until_us)

    def check(self) -> None:
        """What no frame of theirs may have touched."""
        here, twin = self.device.pump, self.twin.device.pump
        assert here.delivery_digest() == twin.delivery_digest(), f"delivery has been changed: {self.where()}"
        assert self._clinicians(self.device) == self._clinicians(self.twin.device), f"he was hurt: {self.where()}"

    def where(self) -> str:
        """For whoever looks for it: what has come so far, of which the last frames were not yet checked."""
        frames = sum(self.sent[kind] for kind in ATTACKS)
        return f"seed {self.seed}, round {self.round}, among {self.checked_every} frames up to the {frames}th"

    @staticmethod
    def _clinicians(device: Device) -> list[object]:
        _, sessions = standing(device)
        assert isinstance(sessions, list)
        return [each for each in sessions if each[1] == CLINICIANS_PORT]

    def operation(self) -> Operation:
        return self.random.choice(self.operations)

    def payload(self, operation: Operation) -> bytes:
        kind = self.random.choice(tuple(PAYLOADS))
        self.sent[f"payload {kind}"] += 1
        return PAYLOADS[kind](self.grammar, operation)

    def a_port(self) -> int:
        return self.random.choice(ATTACKED)

    def clear(self) -> tuple[int, bytes]:
        """A request of any operation, in the clear, on any line."""
        operation = self.operation()
        flags = self.random.choice((Flag(0), Flag(0), Flag.RETRY))
        frame = Frame(
            opcode=operation.opcode,
            txn=self.random.randrange(256),
            address=SERIAL,
            payload=self.payload(operation),
            flags=flags,
        )
        return self.a_port(), frame.to_wire()

    def sealed_frame(self, opcode: int, payload: bytes) -> Frame:
        """Under the reader's keys, as the next of his session; with another txn now and then, or as a retry."""
        if self.reader.channel is None:
            self.connect_reader()
        assert self.reader.channel is not None
        session = next(each for each in live_sessions(self.device) if each.port == READERS_PORT)
        last = session.last.txn if session.last else 0
        txn = self.random.choice((last + 1, last + 1, last + 1, last + 1, last + 1, last, self.random.randrange(256)))
        flags = self.random.choice((Flag(0), Flag(0), Flag.RETRY))
        return self.reader.channel.seal(
            Frame(opcode=opcode, txn=txn & 0xFF, address=SERIAL, payload=payload, flags=flags)
        )

    def sealed(self) -> tuple[int, bytes]:
        """A request of any operation in the reader's session."""
        operation = self.operation()
        if operation.name in _SELDOM_SEALED and self.random.random() < 0.95:
            operation = self.operation()
        return READERS_PORT, self.sealed_frame(operation.opcode, self.payload(operation)).to_wire()

    def sealed_retry(self) -> tuple[int, bytes]:
        """What the reader asked last, sealed anew."""
        session = next((each for each in live_sessions(self.device) if each.port == READERS_PORT), None)
        if session is None or session.last is None or self.reader.channel is None:
            return self.sealed()
        frame = Frame(
            opcode=session.last.opcode,
            txn=session.last.txn,
            address=SERIAL,
            payload=session.last.payload,
            flags=Flag.RETRY,
        )
        return READERS_PORT, self.reader.channel.seal(frame).to_wire()

    def sealed_unknown(self) -> tuple[int, bytes]:
        """An opcode that there is none of, in the reader's session."""
        opcode = self.random.choice((*_UNKNOWN_OPCODES, self.random.randrange(0x8000)))
        return READERS_PORT, self.sealed_frame(opcode, self.payload(self.operation())).to_wire()

    def sealed_elsewhere(self) -> tuple[int, bytes]:
        """A request of the reader's session on another line."""
        operation = self.operation()
        frame = self.sealed_frame(operation.opcode, self.payload(operation))
        return self.random.choice((STRANGERS_PORT, OTHER_PORT)), frame.to_wire()

    def sealed_and_bent(self) -> tuple[int, bytes]:
        """A sealed request of the reader with one bit turned, under a CRC that fits it again."""
        port, wire = self.sealed()
        body = bytearray(body_of(wire))
        body[self.random.randrange(len(body))] ^= 1 << self.random.randrange(8)
        self.wrong_tags += 1
        return port, encode_wire(bytes(body))

    def forged(self) -> tuple[int, bytes]:
        """A request in the reader's or the clinician's session, also on its own line, by one who has not its keys.

        It may be sealed with other keys, or lie there in the clear under a tag that is made up.
        """
        if self.wrong_tags > WRONG_TAGS_MAX // 2:
            return self.clear()
        self.wrong_tags += 1
        operation = self.operation()
        payload = self.payload(operation)
        forger = Sealer(SessionKeys(self.random.randbytes(16), bytes(16), bytes(8)), Direction.HOST_TO_PUMP)
        forger.counter = self.random.choice((0, 1_000, 1 << 30, (1 << 39) - 2))
        port, victim = self.random.choice(
            ((CLINICIANS_PORT, CLINICIANS_PORT), (READERS_PORT, READERS_PORT), (OTHER_PORT, CLINICIANS_PORT))
        )
        session = next((each for each in live_sessions(self.device) if each.port == victim), None)
        if session is None:
            return self.clear()
        frame = forger.seal(
            opcode=operation.opcode,
            txn=(session.last.txn if session.last else 0) + 1 & 0xFF,
            address=SERIAL,
            session_id=session.session_id,
            payload=payload,
        )
        return port, (frame if self.random.random() < 0.5 else replace(frame, payload=payload)).to_wire()

    def headed_wrongly(self) -> tuple[int, bytes]:
        """A request with another length, flags, address, version or session than it should have; the CRC is right."""
        operation = self.operation()
        payload = self.payload(operation)
        body = bytearray(Frame(opcode=operation.opcode, txn=1, address=SERIAL, payload=payload).to_body())
        what = self.random.randrange(6)
        if what == 0:
            body[10:12] = self.random.choice((0, len(payload) + 1, 225, 0xFFFF)).to_bytes(2, "little")
        elif what == 1:
            body[0] = self.random.randrange(256)
        elif what == 2:
            body[4:8] = self.random.choice((bytes(4), ANY_ADDRESS.to_bytes(4, "little"), self.random.randbytes(4)))
        elif what == 3:
            body[8:10] = self.clinicians_session_id.to_bytes(2, "little")
            body[0] |= self.random.choice((0, Flag.SECURED))
        elif what == 4:
            body[3] |= 0x80
            body[0] |= self.random.choice((0, Flag.RESP, Flag.EVENT))
        else:
            del body[self.random.randrange(12, len(body) + 1) :]
        return self.a_port(), encode_wire(bytes(body))

    def handshake(self) -> tuple[int, bytes]:
        """HELLO, OPEN of any role, or AUTH with a cryptogram that is wrong."""
        message: Any = self.random.choice(
            (
                HELLO,
                OpenRequest(
                    role=self.random.choice(tuple(Role)),
                    flags=self.random.choice((OpenFlag(0), OpenFlag.TAKEOVER)),
                    host_id=self.random.choice((1, HOST_ID, 0xFFFFFFFF)),
                    host_challenge=self.random.randbytes(8),
                ),
                AuthRequest(host_cryptogram=self.random.randbytes(8)),
            )
        )
        operation = next(each for each in OPERATIONS if each.request is type(message))
        frame = Frame(opcode=operation.opcode, txn=self.random.randrange(4), address=SERIAL, payload=encode(message))
        # On the reader's own line wrong cryptograms would keep him out, once his session has ended.
        return self.random.choice((STRANGERS_PORT, OTHER_PORT)), frame.to_wire()

    def again(self) -> tuple[int, bytes]:
        """A frame that has come before, on any line."""
        return self.a_port(), self.random.choice(self.kept) if self.kept else b"\x00"

    def in_ruins(self) -> tuple[int, bytes]:
        """A frame of another kind, cut off, run together with the next, or with a byte of it another."""
        _, port, wire = self.next_frame()
        ruin = bytearray(wire)
        if ruin:
            what = self.random.randrange(3)
            at = self.random.randrange(len(ruin))
            if what == 0:
                del ruin[at:]
            elif what == 1:
                ruin[at] ^= self.random.randrange(1, 256)
            else:
                ruin[at:at] = self.random.randbytes(self.random.choice((1, 300)))
        return port, bytes(ruin)

    def answer_like(self) -> tuple[int, bytes]:
        """What a pump would say, said to the pump."""
        operation = self.operation()
        flags = self.random.choice((Flag.RESP, Flag.EVENT))
        frame = Frame(opcode=operation.opcode, txn=1, address=SERIAL, payload=self.payload(operation), flags=flags)
        return self.a_port(), frame.to_wire()


ATTACKS: Final[Mapping[str, Callable[[Siege], tuple[int, bytes]]]] = MappingProxyType(
    {
        "clear": Siege.clear,
        "sealed": Siege.sealed,
        "sealed retry": Siege.sealed_retry,
        "sealed unknown": Siege.sealed_unknown,
        "sealed elsewhere": Siege.sealed_elsewhere,
        "sealed and bent": Siege.sealed_and_bent,
        "forged": Siege.forged,
        "headed wrongly": Siege.headed_wrongly,
        "handshake": Siege.handshake,
        "again": Siege.again,
        "in ruins": Siege.in_ruins,
        "answer-like": Siege.answer_like,
    }
)
_WEIGHTS: Final[Mapping[str, int]] = MappingProxyType({"clear": 4, "sealed": 8})
_KINDS: Final = tuple(kind for kind in ATTACKS for _ in range(_WEIGHTS.get(kind, 1)))


def besiege(seed: int, round_number: int, figures: Counter[str], frames: int = FRAMES_OF_ROUND) -> Siege:
    """A round, and what it comes to."""
    siege = Siege(seed, round_number)
    siege.run(frames)
    as_reader = sum(siege.sent[kind] for kind in ATTACKS if kind.startswith("sealed"))
    figures.update(
        {
            "frames": sum(siege.sent[kind] for kind in ATTACKS),
            "sealed as reader": as_reader,
            "granted": sum(count for words, count in siege.met.items() if words.endswith(" OK")),
            "refused": sum(count for words, count in siege.met.items() if " NAK " in words),
        }
    )
    return siege
