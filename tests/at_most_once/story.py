"""One command on its way through a mishap: who gives it, what arrives, and what can be found out afterwards.

The pump is the real device, each frame is made by hand. A host learns from OP_QUERY, OP_LIST and the log only; whether
that is the truth, `Command.effects` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from emulator.device import Device
from emulator.inputs import Action
from protocol.channel import CounterOld
from protocol.fields import decode
from protocol.frame import Flag, Frame
from protocol.messages.codes import OpFlag, OpState, Role
from protocol.messages.log import LogReadRequest, LogRecord, LogStatusRequest
from protocol.messages.log_records import data_of
from protocol.messages.op import OpEntry, OpListRequest, OpQueryAnswer, OpQueryRequest
from protocol.messages.operations import operation_of, payload_hash
from protocol.refusals import OK, Nak, NakCode
from tests.at_most_once.commands import PUMP, PUMP_OF_SHORT_LOG, UNDOING, Command, Look, look
from tests.device.desk import HOST_ID, happened, new_device
from tests.device.hand_host import HandHost, live_sessions
from tests.device.pump_states import therapy_rev
from tests.device.transaction import copy_of

OTHER_HOST = 0x0C22
WITNESS = 0x0EAD
"""A reader at a port of its own, who looks what has become of it and disturbs nobody."""
RETRY_US = 600_000
TAKEN = frozenset({OpState.EXECUTING, OpState.DONE, OpState.PARTIAL, OpState.REJECTED})
NO_LEDGER_OP_ID = 9


class Who(Enum):
    """Who gives a command. SESSION_0 is a clinician of a pump that asks for no keys."""

    NOBODY = "nobody"
    READER = "reader"
    PATIENT = "patient"
    CLINICIAN = "clinician"
    SESSION_0 = "session 0"

    @property
    def role(self) -> Role | None:
        """The role of its session, None if it has none."""
        return _ROLE_OF.get(self)

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger for its role."""
        return self.role in (Role.PATIENT, Role.CLINICIAN)


_ROLE_OF = {
    Who.READER: Role.READER,
    Who.PATIENT: Role.PATIENT,
    Who.CLINICIAN: Role.CLINICIAN,
    Who.SESSION_0: Role.CLINICIAN,
}


@dataclass(frozen=True)
class Verdict:
    """What can be found out about an op id: by OP_QUERY, in OP_LIST, and in a log that has lost nothing since."""

    query: OpQueryAnswer
    entry: OpEntry | None
    records: tuple[LogRecord, ...]
    log_first: int

    @property
    def in_ledger(self) -> bool:
        """Whether the ledger says that it was taken."""
        return self.query.state in TAKEN


@cache
def _reached(command: Command, secured: bool, short_log: bool) -> Device:
    """A pump where the command is due, with all lines closed: only to be copied."""
    device = new_device(PUMP_OF_SHORT_LOG if short_log else PUMP, insecure=not secured)
    host = HandHost(device, host_id=OTHER_HOST).open_line()
    command.bring(host.connect() if secured else host)
    host.close_line()
    happened(device)
    return device


class Story:
    """A command that somebody gives, and everything that befalls it."""

    def __init__(self, command: Command, who: Who, *, short_log: bool = False) -> None:
        self.command, self.who = command, who
        self.secured = who is not Who.SESSION_0
        self.device = copy_of(_reached(command, self.secured, short_log))
        self.allowed = who.role is command.whose
        self.processes = 0
        self.log_begins = self.device.pump.firmware.record.log_next
        self.looks = [look(self.device, "before")]
        self.host = self.new_host()
        self.op_id = self._next_op_id()
        self.message = self._made(self.host)
        self.sent: list[bytes] = []
        self.hashes: set[bytes] = set()
        self.answers: list[bytes] = []
        self.steps_of_others = 0
        self.cut = self.taken = False

    # What its host does

    def new_host(self, port: int = 0) -> HandHost:
        """A process of the same host; it opens the line anew."""
        host = self._process(self.who.role or Role.CLINICIAN, HOST_ID, port)
        return host.connect(takeover=True) if self.secured and self.who.role else host

    def send(self) -> bytes:
        """The command's first frame, as it leaves its host."""
        return self._noted(self.host.request(self.message))

    def retry(self) -> bytes:
        """The same request once more, as its host sends it when no answer has come in time."""
        self.wait(RETRY_US)
        return self._noted(self.host.retried(self.message))

    def arrive(self, wire: bytes) -> list[Frame]:
        """A frame reaches the pump; what comes back is on the line."""
        return self.host.send(wire)

    def hear(self, frames: Sequence[Frame]) -> None:
        """What was on the line reaches the host, which believes what is sealed if it has a session."""
        for frame in frames:
            if self.host.channel is None:
                self.answers.append(frame.payload)
            elif Flag.SECURED in frame.flags:
                try:
                    payload = self.host.channel.open(frame)
                except CounterOld:
                    continue
                assert payload is not None
                self.answers.append(payload)

    def wait(self, microseconds: int) -> None:
        self.device.advance(self.device.now_us + microseconds)

    def control(self, action: Action) -> None:
        self.device.control(action, self.device.now_us)

    def look(self, by: str) -> None:
        """See what flows, and how often the command has had its effect so far: never twice."""
        self.looks.append(look(self.device, by))
        assert self.effects() <= 1, f"{self.command.name} has had its effect {self.effects()} times"

    def effects(self) -> int:
        """How often the pump has done what the command says, by what is true of the pump."""
        last = self.looks[-1]
        own = (*self.looks[:-1], _without(last, self.steps_of_others))
        return self.command.effects(own)

    # What can be found out

    def verdict(self) -> Verdict:
        """What a reader finds; without keys, whoever opens the line anew."""
        witness = self._process(Role.READER, WITNESS, 3).connect() if self.secured else self.new_host()
        query = witness.ask(OpQueryRequest(role=self.ledger_role, op_id=self.op_id))
        pages = [witness.ask(OpListRequest(page=0))]
        pages += [witness.ask(OpListRequest(page=page)) for page in range(1, pages[0].pages)]
        entries = [each for page in pages for each in page.ops]
        mine = [each for each in entries if (each.role, each.op_id) == (self.ledger_role, self.op_id)]
        assert len(mine) <= 1
        held = witness.ask(LogStatusRequest())
        records, at = [], max(held.first, self.log_begins)
        while at <= held.last:
            page = witness.ask(LogReadRequest(epoch=held.epoch, from_sequence=at, maximum=4))
            records += page.records
            at = page.next_sequence
        return Verdict(query, mine[0] if mine else None, tuple(filter(self._is_mine, records)), held.first)

    @property
    def ledger_role(self) -> Role:
        """The role whose ledger is asked: that of who gave the command, else that of whose command it is."""
        return self.who.role if self.who.has_ledger and self.who.role else self.command.whose

    def check(self, verdict: Verdict) -> None:
        """What the ledger says is what is so, and its list and the log say the same."""
        query, effects = verdict.query, self.effects()
        taken = verdict.in_ledger or (query.state is OpState.UNKNOWN_EVICTED and bool(verdict.records))
        self.taken = taken
        assert query.state is not OpState.PENDING
        assert (verdict.entry is not None) == verdict.in_ledger, "OP_LIST says something else"
        if verdict.entry is not None:
            listed = asdict(verdict.entry)
            assert listed == {name: value for name, value in asdict(query).items() if name in listed}
            assert (query.host_id, query.opcode) == (self.host_id, operation_of(self.message).opcode)
            assert query.payload_hash in self.hashes
        assert bool(verdict.records) == taken, "the log says something else"
        assert self.allowed or not (taken or effects)
        if not self.command.steps:
            assert effects == taken or (self.cut and self.command.resets and not taken)
        elif verdict.in_ledger:
            given_nl = self.own_steps * PUMP.motor.step_volume_nl
            assert query.delivered_min_nl <= given_nl <= query.delivered_max_nl
        else:
            assert effects == taken

    @property
    def own_steps(self) -> int:
        """What the motor has given since the beginning, without the boluses of others."""
        return self.looks[-1].steps - self.looks[0].steps - self.steps_of_others

    @property
    def host_id(self) -> int:
        return HOST_ID if self.secured else 0

    # What comes afterwards

    def again(self, verdict: Verdict) -> None:
        """The host comes back and keeps the rules: what was not taken it gives again under the same op id."""
        self.host = self.new_host()
        if verdict.query.state is OpState.NOT_SEEN:
            self.message = self._made(self.host)
        elif self.command.operation == "STOP":
            # A host that knows of its STOP does not repeat it.
            return
        payload = self.host.opened(self.host.send(self.send()))
        if not self.allowed:
            assert Nak.decode(payload).code in (NakCode.ROLE, NakCode.AUTH_REQUIRED)
        elif verdict.in_ledger:
            assert _flags(payload, self.message) == OpFlag.REPEATED
        elif verdict.query.state is not OpState.NOT_SEEN:
            assert Nak.decode(payload).code is NakCode.OP_ID_STALE
        elif payload[0] != OK:
            assert self.command.resets, Nak.decode(payload)
            assert Nak.decode(payload).code is NakCode.ALREADY_ENDED
        else:
            assert _flags(payload, self.message) == OpFlag(0)
            self.taken = True
        self.look("again")

    def undo(self) -> None:
        """A clinician does what makes a second effect visible, if there was a first one."""
        if not self.taken:
            return
        self.command.undo(self.host if self._has_place() else self.clinician())
        self.look(UNDOING)

    def clinician(self) -> HandHost:
        """Another host, which takes the clinician's place; without keys, whoever opens the line anew."""
        if not self.secured:
            return self.new_host()
        return self._process(Role.CLINICIAN, OTHER_HOST, 1).connect(takeover=True)

    def _has_place(self) -> bool:
        """Whether its host still has the clinician's session, in which copies of its frames may be under way."""
        channel, sessions = self.host.channel, live_sessions(self.device)
        return channel is not None and any(
            (each.session_id, each.role) == (channel.session_id, Role.CLINICIAN) for each in sessions
        )

    def come_late(self) -> None:
        """All frames of the command come once more.

        A STOP halts whenever it comes. Only the counters of a session kill its late copies.
        """
        if self.secured or self.command.operation != "STOP":
            for wire in self.sent:
                self.host.send(wire)
        self.look("late")

    def insist(self) -> None:
        """The host keeps no rules, and seals the very same once more."""
        if self.command.operation != "STOP":
            self.host = self.new_host()
            self.host.send(self.host.request(self.message))
        self.look("insisted")

    def _process(self, role: Role, host_id: int, port: int) -> HandHost:
        """A process opens a line. No challenge comes twice."""
        self.processes += 1
        return HandHost(self.device, role, host_id, port, challenges=self.processes << 8).open_line()

    def _noted(self, wire: bytes) -> bytes:
        self.sent.append(wire)
        self.hashes.add(payload_hash(operation_of(self.message).opcode, self.message))
        return wire

    def _made(self, host: HandHost) -> Any:
        rev = therapy_rev(host) if self.who.role else 1
        message = self.command.made(host, self.op_id, rev)
        assert self.who.role is None or therapy_rev(host) == rev, "what was prepared has moved the revision"
        return message

    def _next_op_id(self) -> int:
        if not self.who.has_ledger:
            return NO_LEDGER_OP_ID
        listing = self.host.ask(OpListRequest(page=0))
        high: int = listing.patient_op_high if self.who.role is Role.PATIENT else listing.clinician_op_high
        return high + 1

    def _is_mine(self, record: LogRecord) -> bool:
        if record.op_id != self.op_id:
            return False
        data: Any = data_of(record)
        return (data.role, data.host_id) == (self.ledger_role, self.host_id)


def _without(last: Look, steps: int) -> Look:
    return replace(last, steps=last.steps - steps)


def _flags(payload: bytes, message: object) -> OpFlag:
    assert payload[0] == OK, Nak.decode(payload)
    answer: Any = decode(operation_of(message).answer, payload[1:])
    flags: OpFlag = answer.flags
    return flags


def copied(story: Story) -> Story:
    """The same story once more, to go on differently."""
    other = Story.__new__(Story)
    other.__dict__.update(story.__dict__)
    other.device = copy_of(story.device)
    channel = story.host.channel
    other.host = HandHost(
        other.device, story.host.role, story.host.host_id, story.host.port, challenges=story.host.challenges
    )
    other.host.txns = dict(story.host.txns)
    if channel is not None:
        ciphers = [part._cipher for part in (channel._requests, channel._answers)]
        other.host.channel = deepcopy(channel, {id(each): each for each in ciphers})
    other.sent, other.answers, other.looks = list(story.sent), list(story.answers), list(story.looks)
    other.hashes = set(story.hashes)
    return other
