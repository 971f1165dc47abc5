"""An attack at full line rate on one port, a clinician who looks after the pump on another, and an undisturbed twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

from emulator.device import Device
from emulator.events import BytesRejected, FrameSeen, Logged, SessionChanged
from emulator.lines import OUTPUT_LIMIT
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.framing import encode_wire
from protocol.messages.codes import LogType, OpenFlag, Role
from protocol.messages.link import AuthRequest, KeepaliveRequest, OpenRequest
from protocol.messages.operations import by_opcode, operation_of
from protocol.messages.read import StatusRequest
from tests.device.desk import HELLO, SECOND, SERIAL, execute, new_device, prepare
from tests.device.hand_host import HandHost, live_sessions
from tests.firmware_model.pump_profiles import shipped

LINE_BYTES_PER_S = 11_520
"""115,200 baud, 8N1."""
CHUNKS_PER_S = 10
CHUNK_BYTES = LINE_BYTES_PER_S // CHUNKS_PER_S
MINUTE_S = 60
RECORDS_PER_HOUR = 61
SECURITY_RECORDS = frozenset(
    kind.name.lower() for kind in (LogType.AUTHENTICATION_FAILED, LogType.SESSION_TAKEN_OVER, LogType.KEYS_REPLACED)
)
BOLUS_NL, BOLUS_S = 500_000, 3_000
KEPT_FRAMES = 64
"""Frames that are made once of each kind that needs no new ones: the pump does not know that it has seen them."""
SEAL_SIZE = 13


@dataclass
class Attacker:
    """Whoever has the second line for himself, the reader's key and no other. All that he sends follows from a seed."""

    device: Device
    seed: int
    port: int = 1
    clinicians_session: int = 0
    random: Random = field(init=False)
    reader: HandHost = field(init=False)
    readers_session: int = 0
    frames: Counter[str] = field(default_factory=Counter)
    _kept: dict[str, list[bytes]] = field(default_factory=dict)
    _unsent: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - an attack that can be repeated
        self.reader = HandHost(self.device, Role.READER, 0x0BAD, self.port).open_line()

    def next_frame(self) -> bytes:
        kind = self.random.choice(_KINDS)
        self.frames[kind] += 1
        make, fresh = ATTACKS[kind]
        if fresh:
            return make(self)
        kept = self._kept.setdefault(kind, [])
        if len(kept) < KEPT_FRAMES:
            kept.append(make(self))
            return kept[-1]
        return self.random.choice(kept)

    def chunk(self, size: int) -> bytes:
        """So many bytes as the line carries, cut wherever it may be."""
        while len(self._unsent) < size:
            self._unsent += self.next_frame()
        data = bytes(self._unsent[:size])
        del self._unsent[:size]
        return data

    def open_readers_session(self) -> None:
        """A real one, whose tags can then be wrong; nothing of his own stands half sent before it on the line."""
        self._unsent.clear()
        self.reader.send(b"\x00")
        self.reader.channel = None
        self.reader.connect()
        self.readers_session = next(
            session.session_id for session in live_sessions(self.device) if session.port == self.port
        )
        # Those that were made for the session before.
        self._kept.pop("bad tag", None)

    def in_the_clear(self, message: object) -> bytes:
        operation = operation_of(message)
        txn = self.random.randrange(256)
        return Frame(opcode=operation.opcode, txn=txn, address=SERIAL, payload=encode(message)).to_wire()

    def command(self) -> bytes:
        """Any operation, in the clear, with any bytes."""
        opcode = self.random.choice(_OPCODES)
        payload = self.random.randbytes(self.random.randrange(40))
        return Frame(opcode=opcode, txn=self.random.randrange(256), address=SERIAL, payload=payload).to_wire()

    def open(self) -> bytes:
        """For the roles that he has no key of: wrong cryptograms would lock him out of his own."""
        return self.in_the_clear(
            OpenRequest(
                role=self.random.choice((Role.PATIENT, Role.CLINICIAN)),
                flags=self.random.choice((OpenFlag(0), OpenFlag.TAKEOVER)),
                host_id=self.random.randrange(1, 1 << 32),
                host_challenge=self.random.randbytes(8),
            )
        )

    def secured(self, session_id: int) -> bytes:
        """A frame of a session, with whatever counter and tag."""
        return Frame(
            opcode=self.random.choice(_OPCODES),
            txn=self.random.randrange(256),
            address=SERIAL,
            payload=self.random.randbytes(self.random.randrange(40)),
            session_id=session_id,
            flags=Flag.SECURED,
            sealed=self.random.randbytes(4) + b"\x00" + self.random.randbytes(SEAL_SIZE - 5),
        ).to_wire()

    def noise(self) -> bytes:
        return self.random.randbytes(self.random.randrange(1, 300))

    def broken_cobs(self) -> bytes:
        """A good frame of which one byte is another one."""
        wire = bytearray(self.in_the_clear(StatusRequest()))
        wire[self.random.randrange(len(wire))] ^= self.random.randrange(1, 256)
        return bytes(wire)

    def random_body(self) -> bytes:
        return encode_wire(self.random.randbytes(self.random.randrange(12, 60)))


Attack = tuple[Callable[[Attacker], bytes], bool]
"""How a frame is made, and whether each must be a new one."""
ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        "greeting": (lambda attacker: attacker.in_the_clear(HELLO), False),
        "status": (lambda attacker: attacker.in_the_clear(StatusRequest()), False),
        "open": (Attacker.open, True),
        "wrong auth": (
            lambda attacker: attacker.in_the_clear(AuthRequest(host_cryptogram=attacker.random.randbytes(8))),
            True,
        ),
        "command": (Attacker.command, False),
        "unknown session": (lambda attacker: attacker.secured(attacker.random.randrange(0x8000, 0x1_0000)), False),
        "clinician's session": (lambda attacker: attacker.secured(attacker.clinicians_session), False),
        "bad tag": (lambda attacker: attacker.secured(attacker.readers_session or 1), True),
        "noise": (Attacker.noise, True),
        "zeros": (lambda attacker: bytes(attacker.random.randrange(1, 60)), False),
        "broken COBS": (Attacker.broken_cobs, True),
        "random body": (Attacker.random_body, True),
    }
)
_KINDS = tuple(ATTACKS)
_OPCODES = (*sorted(by_opcode), 0x0406, 0x0701, 0x0B01)


@dataclass
class Clinician:
    """A pump with a running infusion and a bolus, and the one who looks in once a minute."""

    device: Device = field(default_factory=lambda: new_device(shipped("reference-20"), insecure=False))
    host: HandHost = field(init=False)

    def __post_init__(self) -> None:
        self.host = HandHost(self.device).open_line().connect()
        self.host.ask(execute(self.host.ask(prepare(BOLUS_NL, BOLUS_S)), 1, 1))

    def look_in(self) -> None:
        self.host.ask(KeepaliveRequest())

    @property
    def steps(self) -> int:
        return int(str(self.device.truth()["motor_steps"]))


class FloodedPump:
    """The flood, minute by minute, with what must hold at the end of each."""

    def __init__(self, seed: int) -> None:
        self.here, self.twin = Clinician(), Clinician()
        (session,) = live_sessions(self.here.device)
        self.session = session
        self.attacker = Attacker(self.here.device, seed, clinicians_session=session.session_id)
        self.minutes = 0
        self.sent_bytes = 0
        self.answered_bytes = 0
        self.log: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self._watch()

    def pass_minute(self) -> None:
        """A minute at full line rate; the clinician looks in at its end."""
        device, began_us = self.here.device, self.here.device.now_us
        self.attacker.open_readers_session()
        for number in range(1, MINUTE_S * CHUNKS_PER_S + 1):
            data = self.attacker.chunk(CHUNK_BYTES)
            now = began_us + number * SECOND // CHUNKS_PER_S
            device.receive(data, now, self.attacker.port)
            self.sent_bytes += len(data)
            # He reads what is answered during every other second: in between it heaps up.
            if number // CHUNKS_PER_S % 2:
                self._drain(now)
            self._watch()
        self._drain(device.now_us)
        self.twin.device.advance(device.now_us)
        self.here.look_in()
        self.twin.look_in()
        self._watch()
        self.minutes += 1
        self.check()

    def check(self) -> None:
        """What the flood must not touch."""
        assert self.here.steps == self.twin.steps, f"{self.here.steps} motor steps, and {self.twin.steps} without flood"
        assert self.session in live_sessions(self.here.device), "the clinician's session is gone"
        assert self.here.device.pump.delivery_digest() == self.twin.device.pump.delivery_digest()
        records = sum(self.log[kind] for kind in SECURITY_RECORDS)
        hours = -(-self.minutes // 60)
        assert records <= RECORDS_PER_HOUR * hours, f"{records} security records in {self.minutes} minutes"
        assert set(self.log) <= set(self._others()) | SECURITY_RECORDS, f"the flood has written {self.log}"

    @property
    def frames(self) -> int:
        return sum(self.attacker.frames.values())

    def _others(self) -> set[str]:
        return {"boot", "bolus_started", "bolus_ended"}

    def _drain(self, now: int) -> None:
        answers = self.here.device.data_to_send(now, limit=2 * OUTPUT_LIMIT, port=self.attacker.port)
        assert len(answers) <= OUTPUT_LIMIT, "the output is bounded"
        self.answered_bytes += len(answers)

    def _watch(self) -> None:
        while (event := self.here.device.next_event()) is not None:
            match event:
                case Logged():
                    self.log[event.type] += 1
                case BytesRejected():
                    self.seen[event.reason] += 1
                case FrameSeen():
                    self.seen[event.direction] += 1
                case SessionChanged():
                    self.seen[f"{event.role} {event.change} {event.reason}".rstrip()] += 1
