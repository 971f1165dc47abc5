"""The real programmer at a pump that is kept in a file, through the serving that ships, on files that are watched."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random

from emulator.assembly import build_device
from emulator.cli.serve_opens import keeper
from emulator.host_files import HostFiles
from emulator.inputs import CutPower, RestorePower, UseSyringe
from emulator.pacing import Pacer
from emulator.ports.port import Sink
from emulator.ports.spec import parse_port
from emulator.programmer.effects import NoPump, PumpRefused
from emulator.programmer.rules import BolusOrder, NothingToCancel, cancel, deliver_bolus, start, stop
from emulator.serving import NotKept, Serving, ServingStopped
from emulator.state_file import StateFile
from protocol.messages.codes import BolusKind
from tests.durability.host_records import QuickFiles, Told
from tests.programmer.dying_host import SERIAL_NUMBER, Command, World

STATE = "pump.state"
ORDER = BolusOrder(BolusKind.SINGLE, 50_000, None)
MINUTE_US = 60_000_000
BOLUS: Command = lambda host: deliver_bolus(host, ORDER, None)  # noqa: E731


class HeldPort:
    """A port whose client is the test: what it was sent waits here, and is told of."""

    spec = parse_port("pty")
    url = "held"
    link = None

    def __init__(self, told: Callable[[], None]) -> None:
        self.sent = b""
        self._told = told

    def start(self, loop: object, sink: Sink) -> None:
        """See Port, as of all that follow."""

    def send(self, data: bytes) -> None:
        self._told()
        self.sent += data

    def break_line(self) -> None:
        pass

    def mend_line(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class KeptWorld(World):
    """A World whose pump lives in a file; `outside` hears whenever somebody is told something."""

    folder: Path = Path()
    files: HostFiles = field(default_factory=QuickFiles)
    outside: Callable[[Told], None] = lambda _told: None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.file: StateFile | None = None
        self.serving: Serving | None = None

    def boot(self) -> None:
        """What `vpump serve --state` does. Raises StateFileError and NotKept."""
        self.file = StateFile(self.folder / STATE, self.files)
        with ExitStack() as failed:
            failed.callback(self.file.close)
            self.device = build_device(
                "reference-20", 0, SERIAL_NUMBER, insecure=False, session_floor=self.now, kept=self.file.found
            )
            self.now = max(self.now, self.device.now_us)
            pacer = Pacer(Fraction(1), Fraction(1), self._wall_ns(), self.device.now_us)
            keep = keeper(self.file, self.device)
            self.held = HeldPort(self.say)
            self.serving = Serving(self.device, [self.held], pacer, [self.events.append], self._wall_ns, keep=keep)
            keep()
            failed.pop_all()
        self.say()

    def say(self) -> None:
        """Somebody outside is told something now."""
        self.outside(Told.by(self.device.pump))

    def end(self) -> None:
        """The process is gone."""
        if self.file is not None:
            self.file.close()

    @property
    def running(self) -> Serving:
        """The pump's process."""
        assert self.serving is not None
        return self.serving

    def deliver(self, data: bytes, port: int) -> None:
        if data:
            self.running.take_bytes(data, port)

    def listen(self, port: int) -> bytes:
        del port
        found, self.held.sent = self.held.sent, b""
        return found

    def pause(self, duration_us: int) -> None:
        self.now += max(0, duration_us)
        if not self.running.stopped:
            self.running.truth()

    def _wall_ns(self) -> int:
        return self.now * 1_000

    @property
    def failure(self) -> BaseException | None:
        """What ended the serving."""
        return self.running._failure


def commands_by_chance(random: Random, count: int) -> list[Command | str]:
    """What clinician and tester do."""
    choices: list[Command | str] = [BOLUS, stop, start, cancel, "syringe", "power", "wait"]
    return [BOLUS, *(random.choice(choices) for _ in range(count - 1))]


def live(world: KeptWorld, commands: list[Command | str]) -> None:
    """Boot, and do all that; whatever ends the serving ends it. Raises what `boot` raises."""
    world.boot()
    try:
        for command in commands:
            with suppress(NoPump, PumpRefused, NothingToCancel, ServingStopped):
                _do(world, command)
            if world.running.stopped:
                break
    finally:
        world.end()
    assert isinstance(world.failure, NotKept | None), world.failure


def _do(world: KeptWorld, command: Command | str) -> None:
    match command:
        case "syringe":
            world.running.apply(UseSyringe(None, 15_000_000))
        case "power":
            world.running.apply(CutPower())
            world.running.apply(RestorePower())
        case "wait":
            world.now += 30 * MINUTE_US
            world.running.truth()
        case _:
            assert callable(command)
            world.run_once(command)
            return
    world.say()
