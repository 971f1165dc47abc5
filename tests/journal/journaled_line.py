"""Sessions by chance at a real virtual serial port at speed 1, their journals in a file, and the replay in process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
import tty
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

from emulator.assembly import build_device
from emulator.faults.line import TooManyFaults
from emulator.inputs import Advance, Bytes, Control, Input, Line, LineChange
from emulator.journal.header import header_of
from emulator.journal.recording import JournaledDevice
from emulator.journal.sink import JournalSink
from emulator.pacing import Pacer
from emulator.ports.port import Port
from emulator.ports.spec import open_port, parse_port
from emulator.serving import Serving
from firmware_model.faults.board import TooManyDeviceFaults
from tests.device.desk import SERIAL
from tests.journal.journaled import PORTS, replay_of, session_by_chance

STEPS = 60
MOST_PAUSE_S = 0.005
"""Between two steps of a session, so that time passes between its inputs: whatever it does, the journal has it."""


class _Clients:
    """Who is at the ports. A line that breaks is let go, and opened again when there is something to be written."""

    def __init__(self, ports: list[Port]) -> None:
        self._ports = ports
        self._open: dict[int, int] = {}

    def write(self, port: int, data: bytes) -> None:
        self.open(port)
        with self._unless_broken(port):
            os.write(self._open[port], data)

    def open(self, port: int) -> None:
        if port not in self._open:
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(self._ports[port].url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                self._open[port] = fd
                tty.setraw(fd)

    def read(self) -> None:
        for port, fd in list(self._open.items()):
            with self._unless_broken(port):
                os.read(fd, 65_536)

    @contextlib.contextmanager
    def _unless_broken(self, port: int) -> Iterator[None]:
        try:
            yield
        except (BlockingIOError, KeyError):
            pass
        except OSError as error:
            assert error.errno == errno.EIO  # noqa: PT017 - anything else is no broken line
            self.close(port)

    def close(self, port: int) -> None:
        if port in self._open:
            os.close(self._open.pop(port))

    def close_all(self) -> None:
        for port in list(self._open):
            self.close(port)


def record_at_a_line(seed: int, path: Path) -> None:
    """Write the journal of a session by chance."""
    random = Random(seed)  # noqa: S311 - a session that can be repeated, but for when its bytes arrive
    asyncio.run(_live(random, session_by_chance(random, STEPS), path))


async def _live(random: Random, session: list[Input], path: Path) -> None:
    device = build_device("reference-20", 0, SERIAL, insecure=False, session_floor=0)
    header = header_of(
        device,
        protocol="vpump",
        profile_text=None,
        seed=0,
        session_floor=0,
        insecure=False,
        keys=None,
        ports=("pty",) * PORTS,
    )
    told: list[str] = []
    sink = JournalSink(path, header.line(), told.append)
    journaled = JournaledDevice(device, sink.put, PORTS)
    ports = [open_port(parse_port("pty")) for _ in range(PORTS)]
    serving = Serving(journaled, ports, Pacer(Fraction(1), Fraction(1), time.monotonic_ns()))
    serving.start()
    running = asyncio.ensure_future(serving.run())
    clients = _Clients(ports)
    try:
        for happening in session:
            await _do(serving, clients, happening)
            await asyncio.sleep(random.random() * MOST_PAUSE_S)
            if random.random() < 0.8:
                clients.read()
    finally:
        clients.close_all()
        serving.shutdown()
        await running
        journaled.close()
        sink.close()
    assert told == []


async def _do(serving: Serving, clients: _Clients, happening: Input) -> None:
    match happening:
        case Bytes(_, port, data):
            clients.write(port, data)
        case Line(_, port, LineChange.OPENED):
            clients.open(port)
        case Line(_, port, LineChange.CLOSED):
            clients.close(port)
        case Line(_, port, change):
            serving.take_line(change, port)
        case Control(_, action):
            with contextlib.suppress(TooManyFaults, TooManyDeviceFaults):
                serving.apply(action)
        case Advance(at_us):
            await serving.jump(max(0, at_us - serving.device.now_us))


def record_and_replay(seed: int, directory: Path, figures: Counter[str]) -> None:
    """One session, through a PTY and again from its journal."""
    path = directory / f"{seed}.journal"
    record_at_a_line(seed, path)
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    replayed = replay_of(lines)
    assert replayed.divergence is None, replayed.divergence.sentence()
    assert replayed.ended
    figures.update(
        {
            "inputs": replayed.inputs,
            "bytes sent": replayed.sent_bytes,
            "events": replayed.events,
            "line faults struck": sum(line.count('"fault ') for line in lines),
            "device faults begun": sum(line.count('"device-fault ') for line in lines),
        }
    )
