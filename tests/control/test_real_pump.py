"""The control plane over a real pump: the parts fit, and time, truth, power and faults are the pump's."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

from emulator.assembly import build_device
from emulator.control.client import ControlClient
from emulator.control.server import start_control
from emulator.pacing import Pacer
from emulator.serving import Serving

DAY_US = 86_400_000_000
FAULT = "drop answer any nth=1 count=1"


def steer(url: str) -> None:
    """What a test of somebody's software would do."""
    pump = ControlClient(url)
    assert pump.advance(2 * DAY_US) == 2 * DAY_US
    truth = pump.truth()
    assert truth["now_us"] == 2 * DAY_US
    assert isinstance(truth["delivered_nl"], int)
    assert truth["delivered_nl"] > 0
    answer = pump.run_until("log", match={"type": "alarm_raised"}, limit_us=400 * DAY_US)
    assert answer["reached"] is True
    assert pump.run_until("line", limit_us=DAY_US)["reached"] is False
    pump.cut_power()
    assert pump.truth()["powered"] is False
    pump.restore_power()
    assert pump.truth()["powered"] is True
    assert pump.arm_fault(FAULT) == [FAULT]
    assert pump.clear_faults() == []
    assert pump.replace_keys({role: bytes(16) for role in ("reader", "patient", "clinician")})["keys"] == "own"
    assert pump.replace_keys()["keys"] == "test"
    pump.shutdown()


def test_a_tester_steers_a_pump(socket_path: Path) -> None:
    async def serve() -> None:
        device = build_device("reference-20", 0, 0x00C0FFEE, insecure=False, session_floor=0)
        serving = Serving(device, [], Pacer(Fraction(0), Fraction(0), 0), wall_ns=lambda: 0)
        handle = await start_control(str(socket_path), serving)
        try:
            serving.start()
            await asyncio.gather(serving.run(), asyncio.to_thread(steer, handle.url))
        finally:
            await handle.stop()

    asyncio.run(serve())
    assert not socket_path.exists()
