"""The control plane over a real pump: the parts fit, and time, truth, power and faults are the pump's."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest

from emulator.assembly import build_device
from emulator.control.client import ControlClient, ControlError
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
    steer_faults(pump)
    refill(pump)
    assert pump.replace_keys({role: bytes(16) for role in ("reader", "patient", "clinician")})["keys"] == "own"
    for wrong in ({"reader": bytes(16)}, dict.fromkeys(("reader", "patient", "clinician"), bytes(15))):
        with pytest.raises(ControlError, match=r"the key of READER has 15|missing: PATIENT, CLINICIAN") as refused:
            pump.replace_keys(wrong)
        assert refused.value.status == 409
    assert pump.replace_keys()["keys"] == "test"
    pump.shutdown()


def steer_faults(pump: ControlClient) -> None:
    """Both kinds of fault stand in one list; one of the pump has its event, and its effect on the truth."""
    pump.arm_fault(FAULT)
    assert pump.arm_fault("stall after=1h for=2h")["fault"] == "stall after=1h for=2h"
    line, device = pump.faults()
    assert line == {"fault": FAULT, "kind": "line"}
    assert (device["kind"], device["number"], device["active"]) == ("device", 1, False)
    answer = pump.run_until("device-fault", match={"change": "began"}, limit_us=DAY_US)
    assert answer["now_us"] == device["next_change_us"]
    assert pump.faults()[1]["active"] is True
    assert pump.truth()["rotor_stalled"] is True
    assert pump.clear_faults() == []
    assert pump.truth()["rotor_stalled"] is False


def refill(pump: ControlClient) -> None:
    """A syringe changes what is so, and nothing of what the pump believes."""
    before = pump.truth()
    used = pump.use_syringe(withdraw_nl="all", inject_nl=10_000_000, drugs={"baclofen": 500_000})
    after = pump.truth()
    held_nl, withdrawn_nl = before["reservoir_nl"], used["withdrawn_nl"]
    assert isinstance(held_nl, int)
    assert isinstance(withdrawn_nl, int)
    assert used["injected_nl"] == 10_000_000
    assert after["reservoir_nl"] == held_nl - withdrawn_nl + 10_000_000
    assert after["believed_reservoir_nl"] == before["believed_reservoir_nl"]
    assert set(after["reservoir_ng_per_ml"]) == {"baclofen"}


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
