"""What a tester can ask of a running pump: each operation of the control plane, its body and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from emulator import VERSION
from emulator.control.armed import armed_document
from emulator.control.awaited import event_predicate
from emulator.control.bodies import (
    AdvanceBody,
    Body,
    EmptyBody,
    FaultBody,
    KeysBody,
    PowerBody,
    RequestError,
    RunUntilBody,
    SyringeBody,
    read_body,
)
from emulator.control.contract import Serving
from emulator.control.time_moves import TimeMoves
from emulator.events import Event, SyringeUsed
from emulator.faults.arming import arming, as_written
from emulator.inputs import Action, ClearFaults, CutPower, ReplaceKeys, RestorePower, UseSyringe

Answer = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method on one path does."""

    method: str
    path: str
    does: str
    act: Callable[[bytes], Awaitable[Answer]]
    body: type[Body] = EmptyBody
    afterwards: Callable[[], object] | None = None

    def as_json(self) -> dict[str, object]:
        """Its line in the list of routes."""
        names = [described.encode_name for described in msgspec.structs.fields(self.body)]
        fields = {name: self.body.ALLOWED[name] for name in names}
        return {"method": self.method, "path": self.path, "does": self.does, "fields": fields}


class ControlPlane:
    """The operations on one pump."""

    def __init__(self, serving: Serving, moves: TimeMoves) -> None:
        self._serving = serving
        self._moves = moves
        self.operations = (
            Operation("GET", "/", "says what this is, and lists the routes", self.describe),
            Operation("POST", "/advance", "lets virtual time pass", self.advance, AdvanceBody),
            Operation("POST", "/run-until", "lets time pass up to an event", self.run_until, RunUntilBody),
            Operation("GET", "/faults", "lists the armed faults of line and pump", self.list_faults),
            Operation("POST", "/faults", "arms a fault of line or pump", self.arm_fault, FaultBody),
            Operation("DELETE", "/faults", "ends and disarms all faults and power cuts", self.clear_faults),
            Operation("POST", "/syringe", "withdraws from the reservoir, and injects", self.use_syringe, SyringeBody),
            Operation("POST", "/power", "cuts or restores the pump's power", self.change_power, PowerBody),
            Operation("PUT", "/keys", "gives the pump other keys; its sessions end", self.replace_keys, KeysBody),
            Operation("GET", "/truth", "says what is physically so", self.tell_truth),
            # After the answer, which the client could otherwise miss.
            Operation("POST", "/shutdown", "ends the pump", self.shut_down, afterwards=serving.shutdown),
        )

    async def describe(self, raw: bytes) -> Answer:
        """GET /"""
        read_body(raw, EmptyBody)
        routes = [operation.as_json() for operation in self.operations]
        return {"name": "vpump", "version": VERSION, "now_us": self._serving.now_us(), "routes": routes}

    async def advance(self, raw: bytes) -> Answer:
        """POST /advance"""
        body = read_body(raw, AdvanceBody)

        async def move() -> None:
            await self._serving.jump(body.duration_us)

        _, now_us = await self._moves.run(move())
        return {"now_us": now_us}

    async def run_until(self, raw: bytes) -> Answer:
        """POST /run-until"""
        body = read_body(raw, RunUntilBody)
        predicate = event_predicate(body.event, body.match)

        async def move() -> Answer | None:
            event = await self._serving.run_until(predicate, body.limit_us)
            return None if event is None else event.as_json()

        event, now_us = await self._moves.run(move())
        return {"now_us": now_us, "event": event, "reached": event is not None}

    async def list_faults(self, raw: bytes) -> Answer:
        """GET /faults"""
        read_body(raw, EmptyBody)
        return self._armed()

    async def arm_fault(self, raw: bytes) -> Answer:
        """POST /faults"""
        body = read_body(raw, FaultBody)
        try:
            action = arming(body.fault, self._serving.fault_names)
        except ValueError as error:
            raise RequestError(400, str(error), field="fault", allowed=FaultBody.ALLOWED["fault"]) from None
        self._apply(action)
        # What strikes at once is not armed any more, so the answer says what was understood.
        return {"fault": as_written(action), **self._armed()}

    async def clear_faults(self, raw: bytes) -> Answer:
        """DELETE /faults"""
        read_body(raw, EmptyBody)
        self._apply(ClearFaults())
        return self._armed()

    async def use_syringe(self, raw: bytes) -> Answer:
        """POST /syringe"""
        body = read_body(raw, SyringeBody)
        body.check()
        drugs = tuple((drug.name, drug.concentration_ng_per_ml) for drug in body.drugs)
        withdraw_nl = None if body.withdraw_nl == "all" else body.withdraw_nl
        happened = self._apply(UseSyringe(withdraw_nl, body.inject_nl, drugs))
        used = next(event for event in happened if isinstance(event, SyringeUsed))
        return {"withdrawn_nl": used.withdrawn_nl, "injected_nl": used.injected_nl, "now_us": used.at_us}

    async def change_power(self, raw: bytes) -> Answer:
        """POST /power"""
        body = read_body(raw, PowerBody)
        body.check()
        if body.change == "restore":
            self._apply(RestorePower())
            return {"change": "restore", "now_us": self._serving.now_us()}
        cut = CutPower(at_write=body.at_write)
        if body.mode is not None:
            cut = CutPower(at_write=body.at_write, mode=body.mode, torn_bytes=body.torn_bytes or cut.torn_bytes)
        self._apply(cut)
        return {"change": "cut", "at_write": cut.at_write, "mode": cut.mode.value, "now_us": self._serving.now_us()}

    async def replace_keys(self, raw: bytes) -> Answer:
        """PUT /keys"""
        keys = read_body(raw, KeysBody).keys()
        self._apply(ReplaceKeys(keys))
        return {"keys": "own" if keys else "test", "now_us": self._serving.now_us()}

    async def tell_truth(self, raw: bytes) -> Answer:
        """GET /truth"""
        read_body(raw, EmptyBody)
        return self._serving.truth()

    async def shut_down(self, raw: bytes) -> Answer:
        """POST /shutdown"""
        read_body(raw, EmptyBody)
        return {"now_us": self._serving.now_us()}

    def _apply(self, action: Action) -> list[Event]:
        """Do one act of the tester; returns what happened with it."""
        happened: list[Event] = []
        forget = self._serving.observe(happened.append)
        try:
            self._serving.apply(action)
        except ValueError as error:
            raise RequestError(409, str(error)) from None
        finally:
            forget()
        return happened

    def _armed(self) -> dict[str, object]:
        return {"armed": armed_document(self._serving.armed_faults())}
