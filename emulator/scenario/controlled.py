"""The pump of a scenario as a control plane wants a pump: the tester's hand of a programmer that moves time itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from emulator.events import Event
from emulator.inputs import Action
from emulator.scenario.stage import Stage
from emulator.serving import ServingStopped
from emulator.wire import FaultNames
from firmware_model.faults import ArmedFault
from firmware_model.plant.condition import Environment

CHUNK_NS: Final = 50_000_000
"""Other work of the loop waits no longer than this for a long way through virtual time."""

Observer = Callable[[Event], None]


class StagedPump:
    """A pump on its stage.

    act   does something on the stage, and what follows of it; False: the programmer has been killed, or the run is over
    stop  ends the run, with a sentence
    """

    def __init__(self, stage: Stage, act: Callable[[Callable[[], None]], bool], stop: Callable[[str], None]) -> None:
        self._stage = stage
        self._act = act
        self._stop = stop
        self._observers: list[Observer] = []
        watch = stage.watch

        def watch_too(event: Event) -> None:
            watch(event)
            for observer in tuple(self._observers):
                observer(event)

        stage.watch = watch_too

    def now_us(self) -> int:
        """The virtual time."""
        return self._stage.now_us

    @property
    def fault_names(self) -> FaultNames:
        """What a line fault may name, in each direction."""
        return self._stage.device.fault_names

    @property
    def serial_number(self) -> int:
        """The serial number of the pump that is there now."""
        return self._stage.device.serial_number

    @property
    def environment(self) -> Environment:
        """What is around the pump as long as no fault makes it another."""
        return self._stage.device.environment

    async def jump(self, delta_us: int) -> int:
        """Let that much virtual time pass, and do what is due on the way."""
        await self._move(self._stage.now_us + delta_us, lambda: False, closely=False)
        return self._stage.now_us

    async def run_until(self, predicate: Callable[[Event], bool], limit_us: int) -> Event | None:
        """Let virtual time pass up to an event, at most `limit_us`; None when no such event came."""
        found: list[Event] = []
        forget = self.observe(lambda event: found.append(event) if not found and predicate(event) else None)
        try:
            await self._move(self._stage.now_us + limit_us, lambda: bool(found), closely=True)
        finally:
            forget()
        return found[0] if found else None

    def apply(self, action: Action) -> None:
        """Do one act of the tester, now; a ValueError is the pump's refusal."""
        refusals: list[ValueError] = []

        def act() -> None:
            try:
                self._stage.control(action)
            except ValueError as refusal:
                refusals.append(refusal)

        self._do(act)
        if refusals:
            raise refusals[0]

    def armed_faults(self) -> Sequence[str | ArmedFault]:
        """The faults that are armed, also those of the scenario."""
        return self._stage.device.armed_faults()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Tell an observer of every event from now on; returns what ends that."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def save_state(self) -> bytes:
        """The save-state of the pump. Raises SaveStateError."""
        return self._stage.device.save_state()

    def truth(self) -> Mapping[str, object]:
        """What is physically so."""
        return self._stage.truth()

    def shutdown(self) -> None:
        """A scenario needs its pump to its end."""
        self._stop("the programmer has shut the pump down by the control plane")

    async def _move(self, target_us: int, done: Callable[[], bool], *, closely: bool) -> None:
        stage = self._stage
        while stage.now_us < target_us and not done():
            chunk_end_ns = time.monotonic_ns() + CHUNK_NS

            def is_enough(end_ns: int = chunk_end_ns) -> bool:
                return done() or time.monotonic_ns() >= end_ns

            self._do(lambda until=is_enough: stage.pass_until(target_us, until, closely=closely))  # type: ignore[misc]
            await asyncio.sleep(0)

    def _do(self, act: Callable[[], None]) -> None:
        if not self._act(act):
            raise ServingStopped("The programmer's task is over.")
