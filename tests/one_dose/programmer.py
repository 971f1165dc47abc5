"""A programmer in the world: its disk, its ports, and, while its process lives, the rules and their session.

The rules are the real ones. The session is kept as `emulator.programmer.session` keeps it, but one frame at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from emulator.programmer.book import Book
from emulator.programmer.effects import Ask, Effect, LineLost, Pause, Procedure, Reply
from emulator.programmer.ledger import Host
from emulator.programmer.program_file import ProgramFile
from emulator.programmer.programming import Earlier, Staged, commit_program, prepare_program
from emulator.programmer.rules import Report, settle_one
from protocol.host_end import Answered, HostEnd, HostEvent, NoAnswer, Refused, SessionReady
from protocol.host_session import NO_SESSION, SessionWanted
from protocol.keys import test_keys
from protocol.messages import operations
from protocol.messages.codes import Role
from protocol.messages.link import HelloRequest
from protocol.refusals import NakCode

SERIAL_NUMBER = 0x00C0FFEE
KEYS = test_keys(SERIAL_NUMBER)
HELLO = HelloRequest(major=1, minor=0)
TIMEOUT_US = 600_000
WAIT_US = 20_000_000
"""How long a person waits before he tries again to get a place that another one holds."""
MAX_REOPENINGS = 3
# Another host has the place; power went again and again while our key was checked; it went between OPEN and AUTH.
_FOR_NOW = (NakCode.BUSY_OTHER_HOST, NakCode.DELAY, NakCode.CONDITIONS)
_AS_GOOD_TWICE = (operations.Effect.LINK, operations.Effect.READ, operations.Effect.ALARM)


@dataclass(frozen=True)
class Open:
    """Open a session; the result is what came of it."""

    wanted: SessionWanted


@dataclass(frozen=True)
class Wait:
    """Let others go on, and some time pass."""


Step = Effect | Open | Wait
Process = Generator[Step, Any, Report | None]
Command = Callable[[Host], Procedure[Report | None]]


class HostDied(Exception):
    """The host's process ended at a write of its book."""


@dataclass
class Programmer:
    """One host. Each of its processes opens a line to the other one of its two ports.

    takes_over  a person has told the process to take the place, should another host hold it
    waiting     a request is unanswered
    """

    number: int
    secured: bool
    disk: Book = field(default_factory=lambda: Book(serial_number=SERIAL_NUMBER))
    wishes: dict[str, Command] = field(default_factory=dict)
    processes: int = 0
    process: Process | None = None
    role: Role = Role.CLINICIAN
    keeper: Host = field(init=False)
    end: HostEnd | None = None
    line_open: bool = False
    takes_over: bool = False
    waiting: bool = False
    to_send: Any = None
    asked: object = None
    dies_at_keep: int = 0
    dies_after_keep: bool = False
    _challenges: int = 0
    _reopenings: int = 0
    _has_had_session: bool = False

    @property
    def host_id(self) -> int:
        """The number that it goes by: without keys that of all hosts, and as a reader a new one each time."""
        if not self.secured:
            return 0
        return self.number if self.role is Role.CLINICIAN else 0x1000 * self.processes + self.number

    @property
    def ports(self) -> tuple[int, int]:
        """Both of its ports."""
        return self.number, self.number + 2

    @property
    def port(self) -> int:
        """The port that the process uses."""
        return self.ports[self.processes % 2]

    def begin(self, command: Command, role: Role, first_txn: int, *, takes_over: bool) -> None:
        """A new process, on an open line; of an earlier one nothing is left but the disk."""
        self.role, self.takes_over = role, takes_over
        self.end = HostEnd(address=SERIAL_NUMBER, first_txn=first_txn, timeout_us=TIMEOUT_US)
        self.waiting, self.to_send, self._reopenings, self._has_had_session = False, None, 0, False
        self.keeper = Host(self.disk, role, self.host_id)
        self.process = self._process(self.keeper, command)

    def end_process(self) -> None:
        """It has died."""
        self.process = self.end = None
        self.waiting = False

    def ask(self, message: object, now_us: int) -> None:
        """Send a request; its reply will be awaited."""
        assert self.end is not None
        self.asked, self.waiting = message, True
        self.end.request(message, now_us)

    def open(self, wanted: SessionWanted, now_us: int) -> None:
        """Open a session; what comes of it will be awaited."""
        assert self.end is not None
        self.asked, self.waiting = wanted, True
        self.end.open_session(wanted, now_us)

    def _process(self, host: Host, command: Command) -> Process:
        """The procedure of a command, each of its requests within a session."""
        procedure, result = command(host), None
        while True:
            try:
                effect = procedure.send(result)
            except StopIteration as end:
                report: Report | None = end.value
                return report
            if isinstance(effect, Pause):
                self._reopenings = 0
            result = (yield from self._ask(effect.message)) if isinstance(effect, Ask) else (yield effect)

    def _ask(self, message: object) -> Generator[Step, Any, Reply]:
        if not self.secured:
            unsealed: Reply = yield Ask(message)
            return unsealed
        again = operations.operation_of(message).effect in _AS_GOOD_TWICE
        while True:
            if self._without_session():
                failed = yield from self._open()
                if failed is not None:
                    return failed
            reply: Reply = yield Ask(message)
            if not (again and self._without_session()) or isinstance(reply, LineLost):
                return reply

    def _without_session(self) -> bool:
        return self.end is None or self.end.session_id == NO_SESSION

    def _open(self) -> Generator[Step, Any, Reply | None]:
        """A session, or the reply to whatever was to be asked in it."""
        if self._reopenings >= MAX_REOPENINGS:
            return LineLost("the pump ends each session as soon as it is open")
        self._reopenings += self._has_had_session
        while True:
            hello: Reply = yield Ask(HELLO)
            if not isinstance(hello, Answered):
                return hello if isinstance(hello, LineLost) else NoAnswer(0)
            event: HostEvent | LineLost = yield Open(self._wanted())
            match event:
                case SessionReady():
                    # Who takes the place from us afterwards keeps it, until a person says otherwise.
                    self._has_had_session, self.takes_over = True, False
                    return None
                case LineLost():
                    return event
                case NoAnswer():
                    return NoAnswer(0)
                case Refused() if event.nak.code in _FOR_NOW:
                    yield Wait()
                case _:
                    raise AssertionError(f"a good key opens no session: {event!r}")

    def _wanted(self) -> SessionWanted:
        self._challenges += 1
        return SessionWanted(
            role=self.role,
            host_id=self.host_id,
            key=KEYS.of_role[self.role],
            challenge=bytes((self.number,)) + self._challenges.to_bytes(7, "little"),
            takeover=self.takes_over,
        )


def give_program(host: Host, file: ProgramFile) -> Procedure[Report | None]:
    """Program the pump as `vpump program --yes` does; None if it has this program already."""
    prepared = yield from prepare_program(host, file)
    match prepared:
        case Staged():
            return (yield from commit_program(host, prepared))
        case Earlier():
            return prepared.report
        case _:
            return None


def what_became(host: Host) -> Procedure[Report | None]:
    """Ask what became of the oldest intention that is unfinished, as `vpump op ID` does."""
    unfinished = host.book.unfinished
    return (yield from settle_one(host, unfinished[0])) if unfinished else None
