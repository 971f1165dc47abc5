"""A program that is begun and not finished: the old one runs, or the pump stands still and says so. Never silently.

Pumps of one kind go on until the new program is complete, those of the other stand still meanwhile; eight of the latter
were left stopped for days by updates that were given up (HSA 2021, HK 2020).
"""

from collections.abc import Callable

import pytest

from firmware_model.commands import ProgramValidated, Reason, Refusal, StageBegun
from firmware_model.firmware.codes import AlarmState, AlarmType, Mode, PumpState, RunState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import pump_state
from firmware_model.firmware.program import IMAGE_BYTES, Program
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.drug_programs import BLOCKS, new_program, wire_blocks
from tests.firmware_model.pump_profiles import shipped

GOES_ON, STANDS_STILL = "reference-20", "reference-40"
PROFILES = (GOES_ON, STANDS_STILL)
OLD_RATE, NEW_RATE = 300_000, 500_000


def running(name: str) -> Bedside:
    """A pump of this kind under a program of its own."""
    bedside = Bedside(shipped(name))
    granted(bedside.program(program(bedside, OLD_RATE)))
    bedside.wait(600)
    return bedside


def program(bedside: Bedside, rate: int) -> Program:
    return new_program(bedside.pump.profile, rate_nl_per_day=rate)


def incomplete(bedside: Bedside) -> list[AlarmState]:
    """The states of all alarms that say so."""
    return [alarm.state for alarm in bedside.alarms() if alarm.type is AlarmType.PROGRAM_INCOMPLETE]


STEPS = ["begun", *(block.name for block in BLOCKS), "validated", "read back"]
"""How far a host comes: behind BEGIN, behind each block, behind VALIDATE, behind what it has read back."""


def get_as_far_as(bedside: Bedside, last: str) -> tuple[int, int]:
    """Stage and CRC-32 (0 while there is none) of a program that a host has got so far with."""
    begun = bedside.begin()
    assert isinstance(begun, StageBegun), begun
    stage_id, crc32 = begun.stage_id, 0
    blocks = wire_blocks(program(bedside, NEW_RATE))
    for step in STEPS[1 : STEPS.index(last) + 1]:
        if step == "validated":
            told = bedside.validate(stage_id)
            assert isinstance(told, ProgramValidated)
            crc32 = told.crc32
        elif step == "read back":
            bedside.read_stage(stage_id)
        else:
            block = next(block for block in BLOCKS if block.name == step)
            bedside.write(stage_id, block, 0, blocks[block])
    return stage_id, crc32


def lose_power(bedside: Bedside) -> None:
    bedside.cut_power()
    bedside.wait(60)
    bedside.restore_power()


GIVEN_UP: dict[str, Callable[[Bedside, int], object]] = {
    "the session ends": lambda bedside, _: bedside.pump.end_session(1, bedside.now),
    "it is aborted": lambda bedside, stage_id: bedside.abort(stage_id),
    "power goes": lambda bedside, _: lose_power(bedside),
    "the pump resets": lambda bedside, _: bedside.fault("reset"),
}


@pytest.mark.parametrize("how", GIVEN_UP)
@pytest.mark.parametrize("last", STEPS)
@pytest.mark.parametrize("name", PROFILES)
def test_given_up_at_any_point_the_old_program_runs_or_the_pump_says_why_it_does_not(
    name: str, last: str, how: str
) -> None:
    bedside = running(name)
    old = bedside.pump.firmware.record.program
    stage_id, _ = get_as_far_as(bedside, last)
    GIVEN_UP[how](bedside, stage_id)
    assert bedside.pump.firmware.record.program == old
    status = bedside.status()
    if name == GOES_ON:
        assert (status.base_rate_nl_per_day, incomplete(bedside)) == (OLD_RATE, [])
        return
    assert (status.run_state, status.stop_reason) == (RunState.STOPPED, StopReason.PROGRAM_INCOMPLETE)
    assert incomplete(bedside) == [AlarmState.RAISED]
    bedside.wait(86_400)
    bedside.fault("reset")
    assert incomplete(bedside) == [AlarmState.RAISED], "for as long as nobody does anything about it"
    assert bedside.pump.firmware.flow.base.gain == 0
    granted(bedside.start())
    assert (bedside.status().base_rate_nl_per_day, incomplete(bedside)) == (OLD_RATE, [AlarmState.CLEARED])


@pytest.mark.parametrize("name", PROFILES)
def test_a_finished_one_runs_and_raises_nothing(name: str) -> None:
    bedside = running(name)
    stage_id, crc32 = get_as_far_as(bedside, "read back")
    granted(bedside.commit(stage_id, crc32))
    assert (bedside.status().base_rate_nl_per_day, bedside.alarms()) == (NEW_RATE, ())
    bedside.pump.end_session(1, bedside.now)
    bedside.fault("reset")
    assert incomplete(bedside) == []


def test_a_pump_of_the_one_kind_never_stops_for_it() -> None:
    bedside = running(GOES_ON)
    steps = bedside.pump.plant.motor.steps
    stage_id, crc32 = get_as_far_as(bedside, "validated")
    bedside.wait(86_400)
    assert bedside.pump.plant.motor.steps - steps == OLD_RATE // bedside.step_nl
    granted(bedside.commit(stage_id, crc32))


def test_a_pump_of_the_other_kind_stands_still_from_begin_to_commit_and_logs_both() -> None:
    bedside = running(STANDS_STILL)
    steps = bedside.pump.plant.motor.steps
    stage_id, crc32 = get_as_far_as(bedside, "validated")
    bedside.wait(3_600)
    assert (bedside.pump.plant.motor.steps, incomplete(bedside)) == (steps, []), "somebody is still at it"
    granted(bedside.commit(stage_id, crc32))
    begun, stopped, changed = bedside.log()[-3:]
    assert [record.type for record in (begun, stopped, changed)] == [
        LogType.PROGRAM_BEGUN,
        LogType.THERAPY_STOPPED,
        LogType.PROGRAM_CHANGED,
    ]
    assert stopped.detail["reason"] == StopReason.PROGRAM_INCOMPLETE
    assert begun.detail["crc32"] == program(bedside, OLD_RATE).crc32()


def test_a_commit_that_is_refused_leaves_it_to_the_host() -> None:
    bedside = running(STANDS_STILL)
    stage_id, crc32 = get_as_far_as(bedside, "validated")
    assert refused(bedside.commit(stage_id, crc32 ^ 1)).reason is Reason.STAGE_CHANGED
    assert (bedside.status().run_state, incomplete(bedside)) == (RunState.STOPPED, [])
    granted(bedside.commit(stage_id, crc32))
    assert bedside.status().base_rate_nl_per_day == NEW_RATE


def test_another_hosts_stage_keeps_the_pump_waiting_and_its_end_raises_the_alarm() -> None:
    bedside = running(STANDS_STILL)
    get_as_far_as(bedside, "begun")
    assert isinstance(bedside.begin(session=2), StageBegun)
    bedside.pump.end_session(1, bedside.now)
    assert incomplete(bedside) == []
    bedside.pump.end_session(2, bedside.now)
    assert incomplete(bedside) == [AlarmState.RAISED]


def test_a_program_begun_anew_in_the_same_session_is_not_given_up() -> None:
    bedside = running(STANDS_STILL)
    get_as_far_as(bedside, "INFUSION")
    stage_id, crc32 = get_as_far_as(bedside, "validated")
    assert incomplete(bedside) == []
    granted(bedside.commit(stage_id, crc32))
    assert bedside.status().base_rate_nl_per_day == NEW_RATE


def test_the_next_program_ends_the_alarm_as_well_as_a_start() -> None:
    bedside = running(STANDS_STILL)
    get_as_far_as(bedside, "begun")
    bedside.pump.end_session(1, bedside.now)
    granted(bedside.program(program(bedside, NEW_RATE)))
    assert (bedside.status().base_rate_nl_per_day, incomplete(bedside)) == (NEW_RATE, [AlarmState.CLEARED])


def test_a_start_in_the_middle_lets_the_old_program_run_and_voids_what_was_validated() -> None:
    bedside = running(STANDS_STILL)
    stage_id, crc32 = get_as_far_as(bedside, "validated")
    granted(bedside.start())
    assert bedside.status().base_rate_nl_per_day == OLD_RATE
    assert refused(bedside.commit(stage_id, crc32)) == Refusal(Reason.STAGE_CHANGED)
    bedside.pump.end_session(1, bedside.now)
    assert incomplete(bedside) == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_pump_that_a_command_has_stopped_stays_so_whatever_becomes_of_a_program(name: str) -> None:
    bedside = running(name)
    granted(bedside.stop())
    get_as_far_as(bedside, "validated")
    bedside.pump.end_session(1, bedside.now)
    assert (bedside.status().stop_reason, incomplete(bedside)) == (StopReason.COMMANDED, [])
    granted(bedside.program(program(bedside, NEW_RATE)))
    assert (bedside.status().run_state, bedside.status().stop_reason) == (RunState.STOPPED, StopReason.COMMANDED)


@pytest.mark.parametrize("name", PROFILES)
def test_a_stop_while_a_program_is_begun_is_a_stop_like_any_other(name: str) -> None:
    bedside = running(name)
    stage_id, _ = get_as_far_as(bedside, "validated")
    granted(bedside.stop())
    assert refused(bedside.validate(stage_id)).reason is Reason.NOTHING_STAGED
    bedside.pump.end_session(1, bedside.now)
    assert (bedside.status().stop_reason, incomplete(bedside)) == (StopReason.COMMANDED, [])


def test_a_running_bolus_is_not_sacrificed_to_a_program() -> None:
    bedside = running(STANDS_STILL)
    bedside.bolus(100_000, 3_600)
    assert refused(bedside.begin()) == Refusal(Reason.BOLUS_RUNNING, detail=1)
    assert pump_state(bedside.pump.firmware) is PumpState.BOLUS
    bedside.wait(3_600)
    assert isinstance(bedside.begin(), StageBegun)


def test_the_dose_of_a_program_ends_when_the_next_one_is_begun() -> None:
    bedside = Bedside(shipped(STANDS_STILL))
    once = new_program(bedside.pump.profile, mode=Mode.SINGLE_BOLUS, dose_volume_nl=100_000, dose_duration_s=3_600)
    granted(bedside.program(once))
    bedside.wait(900)
    get_as_far_as(bedside, "begun")
    assert bedside.pump.plant.delivered_nl == 25_000 - 25_000 % bedside.step_nl
    bedside.pump.end_session(1, bedside.now)
    assert incomplete(bedside) == [AlarmState.RAISED]
    assert refused(bedside.start()) == Refusal(Reason.CONDITIONS), "its one dose has been given, as far as it came"
    bedside.wait(3_600)
    assert bedside.pump.plant.delivered_nl == 25_000 - 25_000 % bedside.step_nl


def test_the_image_that_may_be_read_is_the_old_one_to_the_last_byte() -> None:
    bedside = running(STANDS_STILL)
    before = bedside.read_program(length=IMAGE_BYTES)
    get_as_far_as(bedside, "read back")
    assert bedside.read_program(length=IMAGE_BYTES) == before
