"""A programmer at a desk: the host's end of the protocol on one line of a device, on the device's own time."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from emulator.device import Device
from emulator.events import Event
from emulator.faults.arming import arming
from emulator.inputs import LineChange
from emulator.vpump_wire import VpumpWire
from firmware_model.profile import Profile
from firmware_model.pump import Pump
from protocol.fields import encode
from protocol.frame import Flag, Frame, parse_body
from protocol.framing import StreamReader
from protocol.host_end import Answered, HostEnd, HostEvent, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import RoleKeys, test_keys
from protocol.messages.codes import BolusKind, Role
from protocol.messages.deliver import (
    BolusCancelRequest,
    BolusExecuteAnswer,
    BolusExecuteRequest,
    BolusPrepareAnswer,
    BolusPrepareRequest,
    StartRequest,
    StopRequest,
)
from protocol.messages.link import HelloRequest
from protocol.messages.log import LogReadRequest, LogRecord, LogStatusRequest
from protocol.messages.op import OpEntry, OpListRequest, OpQueryAnswer, OpQueryRequest
from protocol.messages.operations import operation_of
from protocol.refusals import OK, Nak
from tests.firmware_model.pump_profiles import LONG_LOG

SECOND = 1_000_000
SERIAL = 0x00C0FFEE
HOST_ID = 0x0C11
HELLO = HelloRequest(major=1, minor=0)
A = TypeVar("A")


def new_device(
    profile: Profile = LONG_LOG, *, insecure: bool = True, keys: RoleKeys | None = None, serial_number: int = SERIAL
) -> Device:
    wire = VpumpWire(profile, serial_number, insecure=insecure, keys=keys)
    return Device(Pump(profile, serial_number), wire)


def arm(device: Device, fault: str) -> None:
    device.control(arming(fault, device.fault_names), device.now_us)


def happened(device: Device) -> list[Event]:
    """All events since this was asked last."""
    events = []
    while (event := device.next_event()) is not None:
        events.append(event)
    return events


def of_kind(events: list[Event], kind: type[A]) -> list[A]:
    return [event for event in events if isinstance(event, kind)]


def frame_of(message: object, txn: int, *, address: int = SERIAL, retry: bool = False) -> bytes:
    """A request as it goes on the wire."""
    operation = operation_of(message)
    flags = Flag.RETRY if retry else Flag(0)
    return Frame(opcode=operation.opcode, txn=txn, address=address, payload=encode(message), flags=flags).to_wire()


def frames_in(data: bytes) -> list[Frame]:
    return [parse_body(piece.body) for piece in StreamReader().feed(data) if piece.body is not None]


def verdicts_in(data: bytes) -> list[str]:
    """OK, or the NAK's name, of each answer."""
    return ["OK" if frame.payload[0] == OK else Nak.decode(frame.payload).code.name for frame in frames_in(data)]


def turned(value: int) -> int:
    return value ^ 0xFFFF_FFFF


def prepare(volume_nl: int, duration_s: int) -> BolusPrepareRequest:
    return BolusPrepareRequest(
        kind=BolusKind.SINGLE, volume_nl=volume_nl, volume_complement=turned(volume_nl), duration_s=duration_s
    )


def execute(lease: BolusPrepareAnswer, op_id: int, therapy_rev: int) -> BolusExecuteRequest:
    return BolusExecuteRequest(
        bolus_id=lease.bolus_id,
        volume_nl=lease.volume_nl,
        volume_complement=turned(lease.volume_nl),
        duration_s=lease.duration_s,
        op_id=op_id,
        therapy_rev=therapy_rev,
    )


@dataclass
class Desk:
    """One client. Opening its line and closing it are things that it does; without INSECURE, opening a session too."""

    device: Device
    port: int = 0
    host: HostEnd = field(default_factory=lambda: HostEnd(address=SERIAL))
    challenges: int = 0

    def open(self) -> None:
        """The line, and a new end of it: what the old one knew is gone."""
        self.host = HostEnd(address=SERIAL)
        self.device.line(LineChange.OPENED, self.device.now_us, self.port)

    def close(self) -> None:
        self.device.line(LineChange.CLOSED, self.device.now_us, self.port)

    def has_session(self) -> bool:
        return self.device.session_open

    def wait(self, seconds: float) -> None:
        self.device.advance(self.device.now_us + round(seconds * SECOND))

    def open_session(
        self, role: Role = Role.CLINICIAN, *, key: bytes | None = None, host_id: int = HOST_ID, takeover: bool = False
    ) -> SessionReady:
        """A session on the open line, which must be granted."""
        event = self.try_session(role, key=key, host_id=host_id, takeover=takeover)
        assert isinstance(event, SessionReady), event
        return event

    def try_session(
        self, role: Role = Role.CLINICIAN, *, key: bytes | None = None, host_id: int = HOST_ID, takeover: bool = False
    ) -> HostEvent:
        """OPEN and AUTH with this key, or with the published one, under a challenge that is never used again."""
        greeted = self.exchange(HELLO)
        if not isinstance(greeted, Answered):
            return greeted
        self.challenges += 1
        challenge = bytes((self.port,)) + self.challenges.to_bytes(7, "little")
        key = key or test_keys(self.device.serial_number).of_role[role]
        self.host.open_session(SessionWanted(role, host_id, key, challenge, takeover), self.device.now_us)
        return self.finish()

    def exchange(self, message: object) -> HostEvent:
        """Ask, and retry as the rules say, until the request has its end."""
        self.host.request(message, self.device.now_us)
        return self.finish()

    def finish(self) -> HostEvent:
        """Carry the request in hand to its end: what there is to send, or else the wait for an answer."""
        device, host = self.device, self.host
        while (event := host.next_event()) is None:
            frame = host.data_to_send()
            if frame:
                host.receive(self.raw(frame), device.now_us)
                continue
            deadline = host.next_deadline()
            assert deadline is not None
            device.advance(deadline)
            host.receive(device.data_to_send(device.now_us, port=self.port), device.now_us)
            host.advance(deadline)
        return event

    def ask(self, message: object) -> Any:
        """The answer, which must be one."""
        event = self.exchange(message)
        assert isinstance(event, Answered), event
        return event.message

    def refusal(self, message: object) -> Nak:
        event = self.exchange(message)
        assert isinstance(event, Refused), event
        return event.nak

    def raw(self, data: bytes) -> bytes:
        """Bytes in, bytes out, at this instant."""
        self.device.receive(data, self.device.now_us, self.port)
        return self.device.data_to_send(self.device.now_us, port=self.port)

    def rev(self) -> int:
        revision: int = self.ask(OpListRequest(page=0)).therapy_rev
        return revision

    def ops(self) -> list[OpEntry]:
        first = self.ask(OpListRequest(page=0))
        entries = list(first.ops)
        for page in range(1, first.pages):
            entries += self.ask(OpListRequest(page=page)).ops
        return entries

    def query(self, op_id: int) -> OpQueryAnswer:
        answer = self.ask(OpQueryRequest(role=Role.CLINICIAN, op_id=op_id))
        assert isinstance(answer, OpQueryAnswer)
        return answer

    def prepared(self, volume_nl: int, duration_s: int) -> BolusPrepareAnswer:
        answer = self.ask(prepare(volume_nl, duration_s))
        assert isinstance(answer, BolusPrepareAnswer)
        return answer

    def bolus(self, volume_nl: int, duration_s: int, op_id: int) -> BolusExecuteAnswer:
        answer = self.ask(execute(self.prepared(volume_nl, duration_s), op_id, self.rev()))
        assert isinstance(answer, BolusExecuteAnswer)
        return answer

    def stop(self, op_id: int) -> Any:
        return self.ask(StopRequest(op_id=op_id, therapy_rev=0))

    def start(self, op_id: int) -> Any:
        return self.ask(StartRequest(op_id=op_id, therapy_rev=self.rev()))

    def cancel(self, bolus_id: int, op_id: int) -> Any:
        return self.ask(BolusCancelRequest(bolus_id=bolus_id, op_id=op_id, therapy_rev=0))

    def log(self, from_sequence: int = 1) -> list[LogRecord]:
        held = self.ask(LogStatusRequest())
        records: list[LogRecord] = []
        following = from_sequence
        while following <= held.last:
            page = self.ask(LogReadRequest(epoch=held.epoch, from_sequence=following, maximum=4))
            records += page.records
            following = page.next_sequence
        return records
