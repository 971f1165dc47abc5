"""The tester's hand on a device in this process: the verbs of a control plane without a server, a port or a clock.

It owns the device's events: whoever drives the device otherwise, or takes its events, does so through this.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote

from emulator import VERSION
from emulator.capture.recorder import CaptureHeader
from emulator.control.artefacts import Artefacts, ArtefactSetting
from emulator.control.event_stream import EventStream
from emulator.control.operation import Plane
from emulator.control.operations import BY_PATH, OPERATIONS
from emulator.control.refusal import RequestError
from emulator.control.request_reading import read_request
from emulator.control.verbs import ControlError, PumpControl
from emulator.events import Event
from emulator.inputs import Action, LineChange
from emulator.serveable import Serveable
from emulator.serving import SLICE_US, ServingStopped
from emulator.wire import FaultNames
from firmware_model import MODEL_VERSION
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment

T = TypeVar("T")
MOST_LINES: Final = 16
"""Lines that a capture has a place for."""

Observer = Callable[[Event], None]


class LocalPump(PumpControl):
    """A device, its time, and its events. What a ControlClient can, this can, and one may stand for the other.

    Time passes only when it is told to. Sessions of a pump that comes in its place are numbered from above
    `session_floor`, so that the same calls always give the same.
    """

    url = "in this process"

    def __init__(self, device: Serveable, session_floor: int = 0, *, artefacts: Path | None = None) -> None:
        """`artefacts`: the folder that captures go to. Raises what the start of a device raises."""
        self.device = device
        self.remarks: list[str] = []
        """What a capture had to say, such as of a disk that is full."""
        self._hand = _Hand(device)
        stream = EventStream()
        self._hand.observe(stream.take)
        self._hand.settle()
        kept = None
        if artefacts is not None:
            kept = Artefacts(ArtefactSetting(artefacts, _header, self._hand.call_soon, self.remarks.append), self._hand)
        moves = _StraightMoves(self._hand)
        self._plane = Plane(self._hand, moves, OPERATIONS, stream, lambda: session_floor, kept)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call the observer with every event from now on; returns what ends that."""
        return self._hand.observe(observer)

    def line(self, change: LineChange, port: int = 0) -> None:
        """A line itself has changed."""
        self.device.line(change, self.device.now_us, port)
        self._hand.settle()

    def exchange(self, data: bytes, port: int = 0) -> bytes:
        """Bytes from a client; returns those for it. A broken line takes none until it is mended and opened."""
        self.device.receive(data, self.device.now_us, port)
        self._hand.settle()
        answers = bytearray()
        while more := self.device.data_to_send(self.device.now_us, port=port):
            answers += more
        return bytes(answers)

    def _answer(self, method: str, path: str, query: str, body: bytes | None) -> bytes:
        answered = self._carried_out(method, path, query, body)
        if isinstance(answered, AsyncIterator):
            raise ControlError("in this process nothing happens while somebody waits for it; leave out follow", 400)
        return answered if isinstance(answered, bytes) else json.dumps(answered).encode()

    def _lines(self, path: str, query: str) -> Iterator[bytes]:
        yield from self._answer("GET", path, query, None).splitlines()

    def _carried_out(
        self, method: str, path: str, query: str, body: bytes | None
    ) -> Mapping[str, object] | bytes | AsyncIterator[bytes]:
        template, named = _template(path)
        operation = BY_PATH[template][method]
        try:
            asked = read_request(body or b"", operation.body, named, parse_qsl(query.removeprefix("?")))
            answered = _at_once(operation.act(self._plane, asked))
        except RequestError as refused:
            raise ControlError(refused.error, refused.status, field=refused.field, allowed=refused.allowed) from None
        except ServingStopped:
            raise ControlError("the pump is shutting down", 409) from None
        if operation.afterwards is not None:
            operation.afterwards(self._plane)
        return answered


def _template(path: str) -> tuple[str, Mapping[str, str]]:
    """The path of an operation, and the name that stands in its place."""
    if path in BY_PATH:
        return path, {}
    head, _, name = path.rpartition("/")
    return f"{head}/{{name}}", {"name": unquote(name)}


class _Hand:
    """A device as the control plane wants a running pump, whose time moves at once."""

    def __init__(self, device: Serveable) -> None:
        self._device = device
        self._observers: list[Observer] = []
        self._stopped = False
        self._soon: list[Callable[[], None]] = []

    def now_us(self) -> int:
        return self._device.now_us

    @property
    def fault_names(self) -> FaultNames:
        return self._device.fault_names

    @property
    def serial_number(self) -> int:
        return self._device.serial_number

    @property
    def environment(self) -> Environment:
        return self._device.environment

    async def jump(self, delta_us: int) -> int:
        self._check_alive()
        self._move(self._device.now_us + delta_us, SLICE_US, lambda: False)
        return self._device.now_us

    async def run_until(self, predicate: Callable[[Event], bool], limit_us: int) -> Event | None:
        self._check_alive()
        found: list[Event] = []
        forget = self.observe(lambda event: found.append(event) if not found and predicate(event) else None)
        try:
            self._move(self._device.now_us + limit_us, 0, lambda: bool(found))
        finally:
            forget()
        return found[0] if found else None

    def apply(self, action: Action) -> None:
        self._check_alive()
        try:
            self._device.control(action, self._device.now_us)
        finally:
            self.settle()

    def armed_faults(self) -> Sequence[str | ArmedFault]:
        return self._device.armed_faults()

    def observe(self, observer: Observer) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def save_state(self) -> bytes:
        self._check_alive()
        return self._device.save_state()

    def truth(self) -> Mapping[str, object]:
        self._check_alive()
        return self._device.truth()

    def shutdown(self) -> None:
        self._stopped = True

    def settle(self) -> None:
        """Tell everybody what has happened."""
        while self._device.next_line_break() is not None:
            pass  # No port is here to be broken; that the line broke is an event.
        while (event := self._device.next_event()) is not None:
            for observer in tuple(self._observers):
                observer(event)
        soon, self._soon = self._soon, []
        for act in soon:
            act()

    def call_soon(self, act: Callable[[], None]) -> None:
        """When all that has happened has been told."""
        self._soon.append(act)

    def _move(self, target_us: int, slice_us: int, done: Callable[[], bool]) -> None:
        """As serving does: in slices that hold a bounded number of events."""
        while self._device.now_us < target_us and not done():
            deadline_us = self._device.next_deadline()
            far_us = target_us if deadline_us is None else max(deadline_us, self._device.now_us + slice_us)
            self._device.advance(min(target_us, far_us))
            self.settle()

    def _check_alive(self) -> None:
        if self._stopped:
            raise ServingStopped("The pump has been stopped.")


class _StraightMoves:
    """Moves that are over when they return."""

    def __init__(self, hand: _Hand) -> None:
        self._hand = hand

    async def run(self, move: Coroutine[Any, Any, T]) -> tuple[T, int]:
        return await move, self._hand.now_us()


def _header(serial_number: int) -> CaptureHeader:
    name = f"{serial_number:08X}"
    facts = (("serial number", name), ("model version", str(MODEL_VERSION)))
    return CaptureHeader(
        hardware=f"emulated pump {name}",
        application=f"vpump {VERSION}",
        facts=facts,
        ports=tuple(f"line {port}" for port in range(MOST_LINES)),
    )


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    coroutine.close()
    raise RuntimeError("an operation of the control plane waits for something in a process without a loop")
