"""A wand over a pump: a programmer that keeps no rules but those of half-duplex, on the device's own time."""

from __future__ import annotations

from dataclasses import dataclass

from wand_pump import PLUGIN
from wand_pump.frames import frame_of, parts_of
from wand_pump.messages import ANSWER_BIT, OPERATIONS, fields_in, pack

from emulator.assembly import build_device
from emulator.device import Device
from emulator.events import Event
from emulator.inputs import LineChange
from emulator.protocols import InstalledProtocol

PATIENCE_US = 500_000
"""How long a wand waits for an answer: all that there are are out in a fifth of it."""
WAND = InstalledProtocol("wand", "these tests", PLUGIN)
SERIAL = 0x0000_1984


def new_device(profile: str = "reference-20") -> Device:
    return build_device(profile, 0, SERIAL, insecure=False, session_floor=0, protocol=WAND)


def request(operation: int, *values: int) -> bytes:
    """A request as it goes over the air."""
    return frame_of(operation, pack(OPERATIONS[operation].request, values))


@dataclass(frozen=True)
class Said:
    """What came back: ACK or NAK, and its numbers by name."""

    verdict: str
    values: dict[str, int]


def read(raw: bytes) -> Said:
    operation, data = parts_of(raw)
    assert operation & ANSWER_BIT
    verdict, _, values = fields_in(operation, data)
    assert values is not None
    return Said(verdict, values)


@dataclass
class Wand:
    """One programmer at one line of the pump."""

    device: Device
    port: int = 0

    def open(self) -> None:
        self.device.line(LineChange.OPENED, self.device.now_us, self.port)

    def send(self, raw: bytes) -> bytes:
        """Bytes over the air, and what has come back when a wand loses its patience."""
        self.device.receive(raw, self.device.now_us, self.port)
        self.device.advance(self.device.now_us + PATIENCE_US)
        return self.device.data_to_send(self.device.now_us, port=self.port)

    def ask(self, operation: int, *values: int) -> dict[str, int]:
        """The answer, which must be an ACK."""
        said = read(self.send(request(operation, *values)))
        assert said.verdict == "ACK", said
        return said.values

    def refusal(self, operation: int, *values: int) -> dict[str, int]:
        said = read(self.send(request(operation, *values)))
        assert said.verdict == "NAK", said
        return said.values

    def wait(self, seconds: int) -> None:
        self.device.advance(self.device.now_us + seconds * 1_000_000)

    def events(self) -> list[Event]:
        """All since this was asked last."""
        found = []
        while (event := self.device.next_event()) is not None:
            found.append(event)
        return found

    def delivered_nl(self) -> int:
        given = self.device.truth()["delivered_nl"]
        assert isinstance(given, int)
        return given
