"""The real device, served: its time, its deadlines and its events, behind a pacer."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest

from emulator.assembly import build_device
from emulator.events import Event, Logged, PowerChanged
from emulator.inputs import CutPower, RestorePower
from emulator.pacing import Pacer
from emulator.serving import Serving
from emulator.wire import Direction

YEAR_US = 365 * 86_400_000_000


@pytest.mark.parametrize("seed", [0, 1])
def test_a_pump_jumps_a_year_and_survives_the_testers_hand(seed: int) -> None:
    async def run() -> None:
        device = build_device("reference-20", seed, 1, insecure=False, session_floor=0)
        events: list[Event] = []
        serving = Serving(device, [], Pacer(Fraction(0), Fraction(0), 0), [events.append])
        serving.start()
        assert any(isinstance(event, Logged) for event in events)
        assert await serving.jump(YEAR_US) == device.now_us == YEAR_US
        serving.apply(CutPower())
        assert await serving.run_until(lambda event: isinstance(event, Logged), YEAR_US) is None
        assert device.now_us == 2 * YEAR_US
        serving.apply(RestorePower())
        assert [event.change for event in events if isinstance(event, PowerChanged)] == ["cut", "restored"]
        assert serving.truth()
        assert "HELLO" in serving.fault_names.of[Direction.REQUEST]
        assert [event.number for event in events] == list(range(1, len(events) + 1))

    asyncio.run(run())
