"""A host that can die at any call, between a disk that forgets what is not durable and a line that loses frames."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emulator.assembly import build_device
from emulator.device import Device
from emulator.events import Logged
from emulator.inputs import CutPower, LineChange, RestorePower
from emulator.programmer.book import Book, open_book
from emulator.programmer.effects import Procedure, Reply, run
from emulator.programmer.ledger import Host
from emulator.programmer.rules import Report, close
from protocol.host_end import HostEnd

SERIAL_NUMBER = 0x00C0FFEE
DIRECTORY = Path("books")
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
class World:
    """A pump, a line with the fates of its frames (then all pass), and a host that begins anew after each death.

    `reports` is what a person has been told.
    """

    fates: Iterator[str] = field(default_factory=lambda: iter(()))
    device: Device = field(default_factory=lambda: build_device("reference-20", 0, SERIAL_NUMBER))
    mortality: Mortality = field(default_factory=Mortality)
    now: int = 0
    told: list[str] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    _late: list[bytes] = field(default_factory=list)
    _end: HostEnd = field(default_factory=lambda: HostEnd(address=SERIAL_NUMBER))
    _first_txn: int = 0

    def __post_init__(self) -> None:
        self.disk = ForgetfulDisk(self.mortality)

    def run_once(self, command: Command) -> Report:
        """One run of a command from its beginning, as the command line does it."""
        # What the last process wrote and nobody has read yet lies before us in the line.
        self.device.line(LineChange.OPENED, self.now)
        self._deliver(b"")
        self._first_txn = (self._first_txn + 77) & 0xFF
        self._end = HostEnd(address=SERIAL_NUMBER, first_txn=self._first_txn)
        with open_book(self.disk, DIRECTORY, SERIAL_NUMBER, 1.0) as book_file:
            self.book_file = book_file
            host = Host(book_file.book)
            report = run(command(host), self)
            self.mortality.call()
            self.reports.append(report)
            self.mortality.call()
            run(close(host, report), self)
            return report

    def started(self) -> int:
        """How many boluses the pump has ever begun, by its log."""
        self._collect()
        return self._started

    _started: int = 0

    def _collect(self) -> None:
        while (event := self.device.next_event()) is not None:
            if isinstance(event, Logged) and event.type == "bolus_started":
                self._started += 1

    def power_cycle(self, at_write: int | None = None) -> None:
        """Cut the power now, or at a memory write from now; the next silence gives it back."""
        self.device.control(CutPower(at_write), self.now)

    def ask(self, message: object) -> Reply:
        self._end.request(message, self.now)
        while True:
            data = self._end.data_to_send()
            if data:
                self.mortality.call()
                self._send(data)
                self.mortality.call()
            self._listen()
            event = self._end.next_event()
            if event is not None:
                return event
            deadline = self._end.next_deadline()
            assert deadline is not None
            self.pause(deadline - self.now)
            self._listen()
            self._end.advance(self.now)

    def keep(self, book: Book) -> None:
        self.book_file.keep(book)

    def pause(self, duration_us: int) -> None:
        self.mortality.call()
        self.now += max(0, duration_us)
        self.device.advance(self.now)
        if not self.device.has_power:
            self.device.control(RestorePower(), self.now)
        self._collect()

    def tell(self, sentence: str) -> None:
        self.mortality.call()
        self.told.append(sentence)

    def _send(self, data: bytes) -> None:
        match next(self.fates, PASSES):
            case "lost":
                pass
            case "doubled":
                self._deliver(data + data)
            case "late":
                self._late.append(data)
            case _:
                self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        """A line keeps the order: what is late comes before what follows it."""
        arriving = b"".join(self._late) + data
        self._late.clear()
        if arriving:
            self.device.receive(arriving, self.now)
        self._collect()

    def _listen(self) -> None:
        answers = self.device.data_to_send(self.now)
        if answers and next(self.fates, PASSES) != LOST:
            self._end.receive(answers, self.now)
