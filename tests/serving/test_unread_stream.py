"""A real pump on a real pseudo-terminal streams to a client that does not read: events are dropped, answers are not."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from emulator.assembly import build_device
from emulator.events import Event, FrameSeen, LineChanged
from emulator.pacing import Pacer
from emulator.ports.port import QUEUE_LIMIT
from emulator.ports.pty import PtyPort
from emulator.ports.spec import PtySpec
from emulator.serving import Serving
from protocol.fields import decode, encode
from protocol.frame import Flag, Frame, parse_body
from protocol.framing import StreamReader
from protocol.messages.link import KeepaliveRequest
from protocol.messages.operations import operation_of
from protocol.messages.stream import StreamEvent, SubscribeRequest
from protocol.streams import ALL_FIELDS
from tests.ports.recording_sink import DEADLINE_S, readable

SERIAL = 1
PERIOD_S, STEP_S = 2, 150
MOST_STEPS = 60
SECOND = 1_000_000


@dataclass
class Client:
    """Writes, and reads only when it is told to."""

    serving: Serving
    port: PtyPort
    fd: int = -1
    asked: int = 0
    events: list[Event] = field(default_factory=list)
    read: bytes = b""

    def __post_init__(self) -> None:
        self.serving.observe(self.events.append)
        self.serving.start()
        self.fd = os.open(self.port.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    @property
    def changes(self) -> list[str]:
        return [event.change for event in self.events if isinstance(event, LineChanged)]

    async def ask(self, message: object) -> None:
        """A request, which the pump has answered when this returns."""
        opcode = operation_of(message).opcode
        txn = self.asked & 0xFF
        self.asked += 1
        os.write(self.fd, Frame(opcode=opcode, txn=txn, address=SERIAL, payload=encode(message)).to_wire())
        async with asyncio.timeout(DEADLINE_S):
            while self._answers_seen() < self.asked:
                await asyncio.sleep(0)

    async def wait(self, seconds: int) -> None:
        await self.serving.jump(seconds * SECOND)

    async def read_all(self) -> list[Frame]:
        """Until nothing waits any more, and the event that comes then."""
        async with asyncio.timeout(DEADLINE_S):
            while self.changes[-1] != "flowing" or self._told()[-1] < self._last_told():
                await readable(self.fd)
                self.read += os.read(self.fd, 65_536)
                await asyncio.sleep(0)
        return self._frames()

    def _answers_seen(self) -> int:
        return sum(isinstance(event, FrameSeen) and event.direction == "answer" for event in self.events)

    def _last_told(self) -> int:
        """The number of the last event that the pump has sent."""
        sent = [event for event in self.events if isinstance(event, FrameSeen) and event.direction == "event"]
        return int(str(sent[-1].summary).partition("stream_sequence=")[2].split()[0])

    def _frames(self) -> list[Frame]:
        return [parse_body(piece.body) for piece in StreamReader().feed(self.read) if piece.body is not None]

    def _told(self) -> list[int]:
        return told_in(self._frames()) or [0]


def told_in(frames: list[Frame]) -> list[int]:
    return [decode(StreamEvent, each.payload).stream_sequence for each in frames if Flag.EVENT in each.flags]


def test_who_does_not_read_loses_events_and_no_answer() -> None:
    async def run() -> None:
        device = build_device("reference-20", 0, SERIAL, insecure=True, session_floor=0)
        port = PtyPort(PtySpec("pty"))
        serving = Serving(device, [port], Pacer(Fraction(0), Fraction(0), 0))
        client = Client(serving, port)
        await client.ask(SubscribeRequest(fields=ALL_FIELDS, period_s=PERIOD_S))
        while "held" not in client.changes:
            await client.wait(STEP_S)
            await client.ask(KeepaliveRequest())
            assert client.asked < MOST_STEPS
        waiting = len(port._queue)
        for _ in range(20):
            await client.wait(STEP_S)
            await client.ask(KeepaliveRequest())
        assert len(port._queue) < waiting + 20 * 30, "nothing but answers was added"
        assert len(port._queue) < QUEUE_LIMIT
        frames = await client.read_all()
        told = told_in(frames)
        assert sum(Flag.RESP in frame.flags for frame in frames) == client.asked, "not one answer is missing"
        (gap,) = [later - earlier - 1 for earlier, later in pairwise(told) if later != earlier + 1]
        assert gap == told[-1] - len(told) >= 20 * STEP_S // PERIOD_S
        await client.wait(PERIOD_S)
        assert told_in(await client.read_all())[-1] == told[-1] + 1
        os.close(client.fd)
        serving.shutdown()
        await serving.run()

    asyncio.run(run())
