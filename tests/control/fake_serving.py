"""A stand-in for the running pump, and a thread that serves its control plane."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from emulator.control.server import ControlHandle, start_control
from emulator.events import Event, Logged, PowerChanged, SyringeUsed
from emulator.faults.registry import line_fault_text
from emulator.inputs import Action, ArmDeviceFault, ArmFault, ClearFaults, UseSyringe
from emulator.wire import FaultNames, operation_names
from firmware_model.faults import ArmedFault, FaultBoard
from firmware_model.plant.condition import Environment

PATIENCE_S = 20  # only a broken test waits this long
RESERVOIR_NL = 18_500_000
ROOM_NL = 20_000_000


class FakeServing:
    """Records what it is asked, and tells a fixed story of events."""

    fault_names = FaultNames(operation_names(["BOLUS_PREPARE", "BOLUS_EXECUTE", "GET_STATUS"]))

    def __init__(self) -> None:
        self.time_us = 0
        self.actions: list[Action] = []
        self.armed: list[str] = []
        self.board = FaultBoard()
        self.observers: list[Callable[[Event], None]] = []
        self.moves: list[str] = []
        self.move_began = threading.Event()
        # A move waits for this while it is set.
        self.hold: asyncio.Event | None = None
        self.refusal: ValueError | None = None
        self.defect: Exception | None = None
        self.was_shut_down = threading.Event()
        self.story: list[Event] = [
            Logged(
                number=1, at_us=5, sequence=1, type="bolus_started", op_id=7, detail=MappingProxyType({"bolus_id": 40})
            ),
            PowerChanged(number=2, at_us=8, change="cut", write="log.record"),
            Logged(number=3, at_us=9, sequence=2, type="bolus_ended", op_id=7),
        ]

    def now_us(self) -> int:
        return self.time_us

    async def jump(self, delta_us: int) -> int:
        self.moves.append("begin")
        self.move_began.set()
        if self.hold is not None:
            await self.hold.wait()
        self.time_us += delta_us
        self.moves.append("end")
        return self.time_us

    async def run_until(self, predicate: Callable[[Event], bool], limit_us: int) -> Event | None:
        end_us = self.time_us + limit_us
        for event in self.story:
            if self.time_us <= event.at_us <= end_us and predicate(event):
                self.time_us = event.at_us
                return event
        self.time_us = end_us
        return None

    def apply(self, action: Action) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.actions.append(action)
        match action:
            case ArmFault(fault):
                self.armed.append(line_fault_text(fault))
            case ArmDeviceFault(fault):
                self.board.arm(fault, self.time_us)
                self._strike()
            case ClearFaults():
                self.armed.clear()
                self.board.armed.clear()
            case UseSyringe():
                self._use_syringe(action)

    def _strike(self) -> None:
        """Faults that are due begin; one that resets is over at once."""
        while (due := self.board.due(self.time_us)) is not None:
            due.turn()
            due.active = due.fault.verb != "reset"
            self.board.drop_spent()

    def _use_syringe(self, action: UseSyringe) -> None:
        withdrawn_nl = RESERVOIR_NL if action.withdraw_nl is None else action.withdraw_nl
        injected_nl = min(action.inject_nl, ROOM_NL)
        used = SyringeUsed(number=4, at_us=self.time_us, withdrawn_nl=withdrawn_nl, injected_nl=injected_nl)
        for observer in self.observers:
            observer(used)

    def observe(self, observer: Callable[[Event], None]) -> Callable[[], None]:
        self.observers.append(observer)

        def forget() -> None:
            # A pump that is made new in place has forgotten by itself.
            if observer in self.observers:
                self.observers.remove(observer)

        return forget

    def armed_faults(self) -> list[str | ArmedFault]:
        return [*self.armed, *self.board.armed]

    serial_number = 7
    environment = Environment()

    def save_state(self) -> bytes:
        return b"a state"

    def truth(self) -> dict[str, object]:
        if self.defect is not None:
            raise self.defect
        return {
            "at_us": self.time_us,
            "reservoir": {"volume_nl": RESERVOIR_NL, "empty": False},
            "rate_nl_per_day": 500_000,
            "tip_ng_per_ml": {"baclofen": 500_000},
            "tip_fg": {"x_nl": 1_500_000_000, "y.z": 12},
            "pocket_fg": {},
            "next_at_tip_in_nl": None,
            "cell_charge_ppm": 985_000,
            "cell_mv": 2_950,
            "temperature_cc": 3_705,
        }

    def shutdown(self) -> None:
        self.was_shut_down.set()


class Answer:
    """What came back for one request."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.raw)
        assert isinstance(document, dict)
        return document


class ServedControl:
    """A control plane on a loop in a thread of its own."""

    def __init__(self, spec: str) -> None:
        self.serving = FakeServing()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="control plane", daemon=True)
        self._thread.start()
        try:
            self.handle: ControlHandle = self.call(start_control(spec, self.serving))
        except BaseException:
            self._end()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def hold_moves(self) -> None:
        """Let moves begin and not end, until they are released."""
        self.serving.hold = asyncio.Event()

    def release_moves(self) -> None:
        """Let held moves go on."""
        hold = self.serving.hold
        assert hold is not None
        self.loop.call_soon_threadsafe(hold.set)

    def stop(self) -> None:
        """Stop the control plane and its loop."""
        self.call(self.handle.stop())
        self._end()

    def connect(self) -> socket.socket:
        """A plain connection to it."""
        url: str = self.handle.url
        if url.startswith("unix:"):
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(url.removeprefix("unix:"))
        else:
            host, _, port = url.removeprefix("http://").rpartition(":")
            connected = socket.create_connection((host.strip("[]"), int(port)))
        connected.settimeout(PATIENCE_S)
        return connected

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        authorized: bool = True,
    ) -> Answer:
        """One request, and its answer."""
        content = raw if raw is not None or body is None else json.dumps(body).encode()
        everything = dict(headers or {})
        if authorized and self.handle.token is not None:
            everything.setdefault("Authorization", f"Bearer {self.handle.token}")
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.connect()
        try:
            connection.request(method, path, content, everything)
            return Answer(connection.getresponse())
        finally:
            connection.close()
