"""What memory holds is believed no more than what a host sends, and looked after while the pump runs."""

from dataclasses import replace

import pytest

from firmware_model.firmware.codes import AlarmState, AlarmType, Mode, RunState
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import Program
from firmware_model.firmware.supervisor import SelfTestPart
from tests.firmware_model.bedside import Bedside, granted
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
DAY_S = 86_400


def standing(bedside: Bedside) -> list[AlarmType]:
    return [alarm.type for alarm in bedside.alarms() if alarm.state is not AlarmState.CLEARED]


def replaced_in_memory(bedside: Bedside, before: bytes, after: bytes) -> None:
    """Somebody writes other bytes into both copies of the record, in its own form and with its own check."""
    bedside.cut_power()
    memory = bedside.pump.memory
    stored = memory.control.read()
    assert stored is not None
    assert stored.body.count(before) == 1
    for _ in range(2):
        memory.commit(memory.control, stored.body.replace(before, after))
    bedside.restore_power()


def bad_programs() -> dict[str, bytes]:
    good = new_program(PROFILE)
    too_fast = replace(good, rate_nl_per_day=PROFILE.therapy.rate_max_nl_per_day + 1_000)
    image = good.image()
    return {
        "no mode at all": image.replace(bytes([Mode.SIMPLE_CONTINUOUS]), b"\0", 1),
        "a rate above the pump's": too_fast.image(),
    }


@pytest.mark.parametrize("case", bad_programs())
def test_a_program_that_no_host_could_commit_does_not_run_from_memory_either(case: str) -> None:
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE)))
    replaced_in_memory(bedside, new_program(PROFILE).image(), bad_programs()[case])
    assert bedside.status().run_state is RunState.FAILED
    assert standing(bedside) == [AlarmType.MEMORY_FAILURE]
    steps = bedside.pump.plant.motor.pulses
    bedside.fault("clock-loss")
    bedside.wait(30 * DAY_S)
    assert bedside.pump.plant.motor.pulses == steps
    assert standing(bedside) == [AlarmType.MEMORY_FAILURE], "nothing else is noticed without a record"


def test_another_program_in_memory_that_is_a_good_one_runs() -> None:
    """The check is of what it says, not of where it comes from."""
    other: Program = new_program(PROFILE, rate_nl_per_day=100_000)
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE)))
    replaced_in_memory(bedside, new_program(PROFILE).image(), other.image())
    assert bedside.status().base_rate_nl_per_day == 100_000


@pytest.mark.parametrize("copies", [1, 2])
def test_copies_that_go_bad_while_the_pump_runs_are_made_anew_the_next_day(copies: int) -> None:
    """What it runs on is in its volatile memory as well; it is written again before anyone misses it."""
    bedside = Bedside(PROFILE)
    bedside.wait(DAY_S / 2)
    pair = bedside.pump.memory.control
    for slot in range(copies):
        bedside.fault("memory-flip", region=0, bit=8 * pair.slot_bytes * slot + 99)
    failed = bedside.self_test()
    assert getattr(failed, "failed", None) == SelfTestPart.MEMORY
    bedside.wait(DAY_S / 2)
    assert bedside.pump.memory.check(bedside.pump.memory.control) == 0
    (told,) = (record for record in bedside.log() if record.type is LogType.MEMORY_REPAIRED)
    assert (told.detail["repairs"], told.elapsed_s) == (copies, DAY_S)
    assert standing(bedside) == [AlarmType.MEMORY_REPAIRED]
    bedside.wait(3 * DAY_S)
    bedside.fault("reset")
    assert bedside.status().run_state is RunState.RUNNING
    assert [record.type for record in bedside.log()].count(LogType.MEMORY_REPAIRED) == 1


def test_a_security_record_that_has_lost_a_copy_is_mended_and_told_of_once() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("memory-flip", region=1, bit=99)
    bedside.wait(5 * DAY_S)
    assert bedside.pump.memory.check(bedside.pump.memory.security) == 0
    assert [record.type for record in bedside.log()].count(LogType.MEMORY_REPAIRED) == 1
