"""Bits turn over while the power is away: either copy of a record does, and without any the pump stands still."""

from collections import Counter

import pytest

from firmware_model.commands import Refusal
from firmware_model.firmware.codes import AlarmType, OpState, RunState, StopReason
from firmware_model.write_faults import Region
from tests.conftest import Counted
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.lead_ups import BOLUS_NL, BOLUS_S, copy_lost, full_ledger
from tests.firmware_model.memory_campaigns import FLIPPED_BEHIND, SHARES, flip_bits
from tests.firmware_model.pump_profiles import SMALL


@pytest.mark.parametrize("name", FLIPPED_BEHIND)
def test_a_flipped_bit_costs_one_copy_and_is_told(name: str, counted: Counted) -> None:
    """One bit in 24; `scripts/soak bitflips` turns each."""
    figures: Counter[str] = Counter()
    flip_bits(SHARES // 2 * len(FLIPPED_BEHIND) + FLIPPED_BEHIND.index(name), figures)
    counted(f"flipped bits, each with a boot: {name}", figures.total())


def test_with_one_copy_of_the_record_lost_the_other_is_used_and_the_log_says_so() -> None:
    door = Doorway(SMALL)
    full_ledger(door)
    status = door.status()
    door.cut_power()
    copy_lost(Region.CONTROL)(door)
    door.restore_power()
    boot = next(record for record in reversed(door.log()) if record.type.name == "BOOT")
    assert boot.detail["memory"] == 1
    assert [alarm.type for alarm in door.alarms()] == [AlarmType.RESET, AlarmType.MEMORY_REPAIRED]
    assert door.status().run_state is status.run_state
    assert door.ops().entries[-1].op_id == 4


@pytest.mark.parametrize("bolus", [False, True], ids=["at rest", "with a bolus running"])
def test_with_both_copies_lost_the_pump_stays_stopped_with_an_alarm_and_knows_nothing(bolus: bool) -> None:
    door = Doorway(SMALL)
    if bolus:
        door.bolus(BOLUS_NL, BOLUS_S)
    door.wait(25)
    door.cut_power()
    steps = door.pump.plant.motor.steps
    pair = door.pump.memory.control
    pair.region[20] ^= 1
    pair.region[pair.slot_bytes + 20] ^= 1
    kept = bytes(pair.region)
    door.restore_power()
    door.wait(10_000)
    status = door.status()
    assert (status.run_state, status.stop_reason) == (RunState.FAILED, StopReason.MEMORY_FAILURE)
    assert status.base_rate_nl_per_day == 0
    assert [alarm.type for alarm in door.alarms()] == [AlarmType.MEMORY_FAILURE]
    assert door.query(1).state is OpState.UNKNOWN_EVICTED
    for reply in (
        door.stop(9),
        door.start(9),
        door.prepare(5_000, 10),
        door.execute(1, BOLUS_NL, BOLUS_S, 9),
        door.patient_bolus(9),
        door.cancel(1, 9),
        door.acknowledge(1),
        door.begin(),
        door.begin_refill(),
        door.set_time(1_900_000_000, op_id=9),
    ):
        assert isinstance(reply, Refusal)
        assert reply.reason.name == "MEMORY_FAILURE"
    assert door.pump.plant.motor.steps == steps
    assert (door.log_range().first, door.log_range().last) == (0, 0)
    assert bytes(pair.region) == kept, "nothing may be written over what others may still read"
