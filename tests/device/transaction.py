"""A programming transaction at the whole device, recorded frame by frame, and what a new session finds afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from emulator.device import Device
from emulator.events import FrameSeen
from emulator.programmer.book import Book
from emulator.programmer.effects import Procedure, Reply, T, run
from emulator.programmer.ledger import Host
from emulator.programmer.program_file import ProgramFile
from emulator.programmer.programming import Staged, commit_program, prepare_program, require_active
from emulator.programmer.rules import close, stop
from emulator.vpump_wire import VpumpWire
from firmware_model.pump import Pump
from protocol.host_end import HostEvent, KeyWrong, SessionReady
from protocol.keys import device_challenge, test_keys
from protocol.messages.alarm import AlarmListRequest
from protocol.messages.codes import AlarmType, Block, Role
from protocol.messages.link import CloseRequest
from protocol.messages.log import LogRecord
from protocol.messages.op import OpEntry, OpQueryAnswer
from protocol.messages.operations import by_opcode
from protocol.messages.program import BLOCK_PART_MAX, ProgramCommitRequest
from protocol.messages.read import StatusAnswer, StatusRequest, TherapyReadRequest
from tests.device.desk import HOST_ID, SERIAL, Desk, frames_in, happened, new_device, of_kind
from tests.firmware_model.pump_profiles import SMALL

BEGINS_AT_S = 13.5
WATCHED_S = 400
"""How long the flow is watched: a few tens of steps."""
_CLINICIANS_KEY = test_keys(SERIAL).of_role[Role.CLINICIAN]
_COUNTER_OF = {device_challenge(_CLINICIANS_KEY, counter, SERIAL): counter for counter in range(1, 100)}
"""The session counter behind a challenge, as who holds the key can tell."""


@dataclass(frozen=True, eq=False)
class Transaction:
    """What a person wants of a pump.

    before   the program that it has been given by then
    stops    a STOP comes between VALIDATE and COMMIT: it is the command that is taken, and the program stays
    """

    name: str
    before: Mapping[str, Any]
    said: Mapping[str, Any]
    stops: bool = False

    @property
    def command(self) -> str:
        """The operation whose op id the transaction is about."""
        return "STOP" if self.stops else "PROGRAM_COMMIT"


@dataclass(frozen=True)
class Moment:
    """A frame of the host, and the device just before it: only to be copied. `given`: the last session counter."""

    name: str
    device: Device
    frame: bytes
    given: int


@dataclass(frozen=True)
class Recording:
    """A transaction from the greeting to CLOSE. `op_id`: of its command; `decisive`: the moment of that command."""

    transaction: Transaction
    moments: tuple[Moment, ...]
    old: bytes
    new: bytes
    op_id: int

    @property
    def decisive(self) -> int:
        return [moment.name for moment in self.moments].index(self.transaction.command)


@dataclass(frozen=True)
class Found:
    """What a new session has found. `steps`: of the motor, while it was watched; `counter`: the session's own."""

    image: bytes
    crc32: int
    status: StatusAnswer
    op: OpQueryAnswer
    ops: tuple[OpEntry, ...]
    log: tuple[LogRecord, ...]
    alarms: frozenset[AlarmType]
    steps: int
    counter: int


@dataclass
class Programmer(Desk):
    """The reference programmer at a desk, and everything that it sends."""

    book: Book = field(default_factory=lambda: Book(serial_number=SERIAL))
    moments: list[Moment] = field(default_factory=list)
    given: int = 0

    def finish(self) -> HostEvent:
        """Carry the request in hand to its end, on a line that loses nothing."""
        while (event := self.host.next_event()) is None:
            frame = self.host.data_to_send()
            name = by_opcode[frames_in(frame)[0].opcode].name
            self.moments.append(Moment(name, copy_of(self.device), frame, self.given))
            self.host.receive(self.raw(frame), self.device.now_us)
            self.given = max([self.given, *counters_in(self.device)])
        return event

    def run(self, procedure: Procedure[T]) -> T:
        return run(procedure, _Hands(self))

    def program(self, said: Mapping[str, Any], *, stops: bool = False) -> int:
        """A program, committed and read back; with `stops` a STOP comes between. Gives the op id of what was taken."""
        host = Host(self.book, host_id=HOST_ID)
        staged = self.run(prepare_program(host, ProgramFile("a test", said, {})))
        assert isinstance(staged, Staged)
        if not stops:
            report = self.run(commit_program(host, staged))
            self.run(require_active(staged.new))
            self.run(close(host, report))
            return report.intention.op_id
        listing = host.book.op_list
        assert listing is not None
        report = self.run(stop(host))
        self.refusal(
            ProgramCommitRequest(
                stage_id=staged.stage_id,
                crc32=staged.summary.crc32,
                op_id=report.intention.op_id + 1,
                therapy_rev=listing.therapy_rev,
            )
        )
        return report.intention.op_id


@dataclass(frozen=True)
class _Hands:
    """Carries out the effects of a programmer's procedure."""

    programmer: Programmer

    def ask(self, message: object) -> Reply:
        event = self.programmer.exchange(message)
        assert not isinstance(event, SessionReady | KeyWrong)
        return event

    def keep(self, book: Book) -> None:
        self.programmer.book = book

    def pause(self, duration_us: int) -> None:
        raise AssertionError(f"nothing makes this programmer wait for {duration_us} us")

    def tell(self, sentence: str) -> None:
        raise AssertionError(f"nothing goes wrong here, and yet {sentence}")


def recorded(transaction: Transaction) -> Recording:
    """The transaction, undisturbed, behind a history that has filled the ledger and a page of the log."""
    programmer = Programmer(new_device(SMALL, insecure=False))
    programmer.open()
    programmer.open_session()
    for op_id in (1, 3):
        programmer.stop(op_id)
        programmer.start(op_id + 1)
    programmer.program(transaction.before)
    old, _ = image_read_at(programmer)
    programmer.close()
    programmer.wait(BEGINS_AT_S)

    programmer.moments.clear()
    programmer.open()
    programmer.open_session()
    op_id = programmer.program(transaction.said, stops=transaction.stops)
    programmer.ask(CloseRequest())
    moments = tuple(programmer.moments)
    programmer.open_session()
    new, _ = image_read_at(programmer)
    return Recording(transaction, moments, old, new, op_id)


def image_read_at(desk: Desk) -> tuple[bytes, int]:
    """The canonical image of the active program, part by part, and its checksum."""
    image, size, crc32 = b"", 1, 0
    while len(image) < size:
        part = desk.ask(TherapyReadRequest(block=Block.IMAGE, offset=len(image), length=BLOCK_PART_MAX))
        image, size, crc32 = image + part.data, part.block_size, part.crc32
    return image, crc32


def copy_of(device: Device) -> Device:
    """The same device once more, in every respect but what it has told and not told."""
    wire = device.wire
    assert isinstance(wire, VpumpWire)
    end, pump = wire._end, device.pump
    firmware = pump.firmware
    channels = [each.channel for each in (*end._sessions.live, *end._sessions._ended) if each.channel is not None]
    ciphers = [part._cipher for channel in channels for part in (channel.requests, channel.answers, channel.sent)]
    shared = [*ciphers, end._role_keys, end._hello, pump.profile, firmware.record.program, firmware.compiled]
    memo: dict[int, Any] = {id(each): each for each in shared}
    memo[id(pump._events)] = deque[object]()
    memo[id(device._told._events)] = deque[object]()
    return deepcopy(device, memo)


def copy_of_dead(pump: Pump) -> Pump:
    """The same pump without power once more. Its firmware is gone, and what it has told is left behind."""
    assert not pump.powered
    memo: dict[int, Any] = {id(gone): gone for gone in (pump.profile, pump.firmware)}
    memo[id(pump._events)] = deque[object]()
    return deepcopy(pump, memo)


def counters_in(device: Device) -> list[int]:
    """The session counters of all challenges that the device has given since it was asked last."""
    answers = [event.raw for event in of_kind(happened(device), FrameSeen) if event.direction == "answer"]
    opened = [frame for raw in answers for frame in frames_in(raw) if by_opcode[frame.opcode & 0x7FFF].name == "OPEN"]
    return [_COUNTER_OF[frame.payload[1:9]] for frame in opened if len(frame.payload) == 17]


def found_by(desk: Desk, op_id: int) -> Found:
    """Everything that a host looks at, in the session that it has open; then the flow is watched."""
    (counter,) = counters_in(desk.device)
    image, crc32 = image_read_at(desk)
    status = desk.ask(StatusRequest())
    op, ops, log = desk.query(op_id), desk.ops(), desk.log(max(1, status.log_last - 4))
    alarms = frozenset(alarm.type for alarm in desk.ask(AlarmListRequest(from_instance=0)).alarms)
    steps = desk.device.truth()["motor_steps"]
    desk.wait(WATCHED_S)
    passed = desk.device.truth()["motor_steps"]
    assert isinstance(steps, int)
    assert isinstance(passed, int)
    return Found(image, crc32, status, op, tuple(ops), tuple(log), alarms, passed - steps, counter)
