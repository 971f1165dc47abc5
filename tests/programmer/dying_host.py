"""A host that can die at any call, between a disk that forgets what is not durable and a line that loses frames."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from emulator.assembly import build_device
from emulator.events import Event, Logged
from emulator.inputs import CutPower, LineChange, RestorePower
from emulator.programmer import link as link_module
from emulator.programmer.book import Book, open_book
from emulator.programmer.disk import HostDisk
from emulator.programmer.effects import LineLost, NoPump, Procedure, Reply, run
from emulator.programmer.host_identity import kept_host_id, key_for
from emulator.programmer.ledger import Host
from emulator.programmer.link import LinkError, SerialLink
from emulator.programmer.rules import Report, close
from emulator.programmer.session import KeptSession
from protocol.messages.codes import Marks, Role

SERIAL_NUMBER = 0x00C0FFEE
DIRECTORY = Path("books")
POLL_US = 150_000
"""How long a read waits in vain: a quarter of the time-out of a try."""
PASSES, LOST, DOUBLED, LATE = "passes", "lost", "doubled", "late"

Command = Callable[[Host], Procedure[Report]]


class HostDied(Exception):
    """The process is gone: nothing that it would have done happens any more."""


@dataclass
class Mortality:
    """Counts every call of a host to the outside, and ends it at the n-th from now."""

    left: int | None = None
    calls: int = 0

    def call(self) -> None:
        self.calls += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise HostDied


@dataclass
class _File:
    now: bytes
    durable: bytes


@dataclass
class ForgetfulDisk:
    """A HostDisk in memory: what was not synchronised is gone after `lose_power`."""

    mortality: Mortality
    names: dict[Path, _File] = field(default_factory=dict)
    durable_names: dict[Path, _File] = field(default_factory=dict)

    def make_directory(self, path: Path) -> None:
        del path
        self.mortality.call()

    def read(self, path: Path) -> bytes | None:
        self.mortality.call()
        found = self.names.get(path)
        return found.now if found is not None else None

    def write(self, path: Path, data: bytes) -> None:
        file = self.names.setdefault(path, _File(b"", b""))
        # A host may die with half of a file written.
        file.now = data[: len(data) // 2]
        self.mortality.call()
        file.now = data

    def sync(self, path: Path) -> None:
        self.mortality.call()
        if path == DIRECTORY:
            self.durable_names = dict(self.names)
        else:
            self.names[path].durable = self.names[path].now

    def rename(self, old: Path, new: Path) -> None:
        self.mortality.call()
        self.names[new] = self.names.pop(old)

    @contextlib.contextmanager
    def lock(self, path: Path, patience_s: float) -> Iterator[None]:
        del path, patience_s
        self.mortality.call()
        yield

    def lose_power(self) -> None:
        for file in self.names.values():
            file.now = file.durable
        self.names = dict(self.durable_names)


@dataclass
class Chance:
    """In the place of `secrets`: what must not come twice does not, and every run of a test is the same."""

    drawn: int = 0

    def randbelow(self, limit: int) -> int:
        self.drawn += 77
        return self.drawn % limit

    def token_bytes(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "little")


class WorldLine:
    """The programmer's end of the serial line, as pyserial has it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._port = world.port
        self._received = b""
        # What the last process wrote and nobody has read yet lies before us in the line.
        world.device.line(LineChange.OPENED, world.now, self._port)
        world.deliver(b"", self._port)

    @property
    def in_waiting(self) -> int:
        return len(self._received)

    def write(self, data: bytes) -> None:
        self._world.mortality.call()
        self._world.send(data, self._port)
        self._world.mortality.call()

    def read(self, size: int) -> bytes:
        if not self._received:
            self._received = self._world.listen(self._port)
        if not self._received:
            self._world.pause(POLL_US)
            self._received = self._world.listen(self._port)
        data, self._received = self._received[:size], self._received[size:]
        return data

    def close(self) -> None:
        self._world.device.line(LineChange.CLOSED, self._world.now, self._port)


@dataclass
class World:
    """A pump, a line with the fates of its frames (then all pass), and a host that begins anew after each death.

    reports                 what a person has been told
    calls_before_told       how many calls the last run made until it told its outcome
    events                  what has happened at the pump
    port                    which of the pump's ports the next line is opened to
    """

    fates: Iterator[str] = field(default_factory=lambda: iter(()))
    insecure: bool = False
    profile: str = "reference-20"
    mortality: Mortality = field(default_factory=Mortality)
    now: int = 0
    told: list[str] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    calls_before_told: int = 0
    chance: Chance = field(default_factory=Chance)
    events: list[Event] = field(default_factory=list)
    port: int = 0
    _late: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.device = build_device(self.profile, 0, SERIAL_NUMBER, insecure=self.insecure, session_floor=0)
        self.disk = ForgetfulDisk(self.mortality)
        self._session: KeptSession | None = None

    def open_line(self, url: str = "world") -> WorldLine:
        """In the place of `link.open_line`."""
        del url
        return WorldLine(self)

    @contextlib.contextmanager
    def as_serial_port(self) -> Iterator[None]:
        """While this lasts, SerialLink opens our line."""
        with patch.multiple(link_module, open_line=self.open_line, _now_us=lambda: self.now, secrets=self.chance):
            yield

    def run_once(self, command: Command) -> Report:
        """One run of a command from its beginning, as the command line does it."""
        with self.at_work() as host:
            report = run(command(host), self)
            self.calls_before_told = self.mortality.calls
            self.mortality.call()
            self.reports.append(report)
            self.mortality.call()
            run(close(host, report), self)
        return report

    @contextlib.contextmanager
    def at_work(self, role: Role = Role.CLINICIAN) -> Iterator[Host]:
        """The line, the book and a session: then this is the hands for procedures."""
        with self.as_serial_port():
            try:
                link = SerialLink("world")
                with open_book(self.disk, DIRECTORY, SERIAL_NUMBER, 1.0) as book_file:
                    self.book_file = book_file
                    open_session(link, self.disk, role)
                    self._session = KeptSession(link)
                    yield Host(book_file.book, link.role, link.host_id)
                # A host that dies takes no leave.
                link.close()
            except LinkError as error:
                raise NoPump(str(error)) from error

    def started(self) -> int:
        """How many boluses the pump has ever begun, by its log."""
        self.collect()
        return sum(isinstance(event, Logged) and event.type == "bolus_started" for event in self.events)

    def collect(self) -> None:
        """Take what has happened at the pump."""
        while (event := self.device.next_event()) is not None:
            self.events.append(event)

    def power_cycle(self, at_write: int | None = None) -> None:
        """Cut the power now, or at a memory write from now; the next silence gives it back."""
        self.device.control(CutPower(at_write), self.now)

    def ask(self, message: object) -> Reply:
        assert self._session is not None
        try:
            return self._session.ask(message)
        except LinkError as error:
            return LineLost(str(error))

    def keep(self, book: Book) -> None:
        self.book_file.keep(book)

    def pause(self, duration_us: int) -> None:
        self.mortality.call()
        self.now += max(0, duration_us)
        self.device.advance(self.now)
        if not self.device.has_power:
            self.device.control(RestorePower(), self.now)
        self.collect()

    def tell(self, sentence: str) -> None:
        self.mortality.call()
        self.told.append(sentence)

    def send(self, data: bytes, port: int) -> None:
        match next(self.fates, PASSES):
            case "lost":
                pass
            case "doubled":
                self.deliver(data + data, port)
            case "late":
                self._late[port] = self._late.get(port, b"") + data
            case _:
                self.deliver(data, port)

    def deliver(self, data: bytes, port: int) -> None:
        """A line keeps the order: what is late comes before what follows it."""
        arriving = self._late.pop(port, b"") + data
        if arriving:
            self.device.receive(arriving, self.now, port)
        self.collect()

    def listen(self, port: int) -> bytes:
        answers = self.device.data_to_send(self.now, port=port)
        return answers if answers and next(self.fates, PASSES) != LOST else b""


def open_session(link: SerialLink, disk: HostDisk, role: Role) -> None:
    """What the command line does before it goes to work."""
    if Marks.INSECURE in link.hello.marks:
        return
    held = key_for(link.hello, role, None)
    link.open_session(role, held.key, kept_host_id(disk, DIRECTORY), source=held.source)
