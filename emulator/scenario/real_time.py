"""The time of a stage by the wall clock while a programmer is at a task; what comes of it differs from run to run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from emulator.pacing import Pacer
from emulator.scenario.stage import Stage

CHUNK_NS: Final = 50_000_000
"""So long at most the stage is moved at once; a speed that cannot be computed is held back."""


@dataclass(slots=True)
class RealTime:
    """Moves a stage by `speed` virtual seconds in a second. `wake` is called when something may be due."""

    stage: Stage
    speed: Fraction
    wake: Callable[[], None]
    _pacer: Pacer | None = None
    _timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def begin(self) -> None:
        """Time passes from now on."""
        self._pacer = Pacer(self.speed, self.speed, time.monotonic_ns(), self.stage.now_us)
        self.go_on()

    def end(self) -> None:
        """It stands still."""
        self._pacer = None
        if self._timer is not None:
            self._timer.cancel()

    def catch_up(self) -> None:
        """Let pass what has passed by the wall clock; it ends early with an order. Raises OutOfTime."""
        if self._pacer is None:
            return
        wall_ns = time.monotonic_ns()
        enough_ns = wall_ns + CHUNK_NS
        self.stage.pass_until(self._pacer.now_us(wall_ns), until=lambda: time.monotonic_ns() > enough_ns)
        self._pacer.hold_back(self.stage.now_us, wall_ns)

    def go_on(self) -> None:
        """Go on from where the stage is, which may be beyond the wall clock, and wake when something may be due."""
        if self._pacer is None:
            return
        wall_ns = time.monotonic_ns()
        if self.stage.now_us > self._pacer.now_us(wall_ns):
            self._pacer.go_on_from(self.stage.now_us, wall_ns)
        if self._timer is not None:
            self._timer.cancel()
        delay_ns = self._pacer.wall_delay_ns(self.stage.next_stop_us(), wall_ns)
        if delay_ns is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_ns / 1e9, self.wake)
