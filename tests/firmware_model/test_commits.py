"""COMMIT: program, run state, ledger, revision and log change at once, or nothing does."""

from dataclasses import replace

import pytest
from msgspec import structs

from firmware_model.commands import ProgramPart, ProgramValidated, Reason, Refusal
from firmware_model.firmware.codes import (
    AlarmState,
    AlarmType,
    Block,
    Mode,
    OpKind,
    OpState,
    Role,
    RunState,
    StopReason,
)
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import IMAGE_BYTES, Drug, Program
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.copied import Snapshot
from tests.firmware_model.cut_points import every_cut
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.drug_programs import new_program, wire_image
from tests.firmware_model.lead_ups import PROFILE, PROGRAMS, commit_program, full_ledger

FASTER = new_program(rate_nl_per_day=17_280_000, bolus_volume_max_nl=20_000)
"""One step in five seconds instead of ten, and smaller boluses."""
RATES = {
    Mode.STOPPED: 0,
    Mode.MINIMUM_RATE: 1,
    Mode.SIMPLE_CONTINUOUS: 2,
    Mode.FLEX: 4,
    Mode.SINGLE_BOLUS: 0,
    Mode.PERIODIC_BOLUS: 0,
}
"""What flows under each of the programs."""
GONE = Refusal(Reason.NOTHING_STAGED, "stage_id")


def test_a_commit_changes_program_ledger_revision_and_log_at_once() -> None:
    bedside = Bedside()
    bedside.wait(7)
    rev, records = bedside.therapy_rev(), len(bedside.log())
    stage_id, told = bedside.validated(FASTER)
    outcome = granted(bedside.commit(stage_id, told.crc32, 5))
    assert (outcome.state, outcome.max_nl, outcome.repeated) == (OpState.DONE, 0, False)
    held = bedside.query(5).entry
    assert held is not None
    assert (held.kind, held.state, held.log_sequence) == (OpKind.PROGRAM, OpState.DONE, outcome.log_sequence)
    assert bedside.therapy_rev() == rev + 1
    (record,) = bedside.log()[records:]
    assert (record.type, record.op_id, record.sequence) == (LogType.PROGRAM_CHANGED, 5, outcome.log_sequence)
    assert dict(record.detail) == {
        "role": Role.CLINICIAN,
        "host_id": 7,
        "crc32": told.crc32,
        "mode": Mode.SIMPLE_CONTINUOUS,
        "rate_nl_per_day": 17_280_000,
    }
    assert bedside.status().programmed_rate_nl_per_day == 17_280_000
    # The rotor does not turn back: seven tenths of a step had been made, and the rest comes twice as fast.
    bedside.wait(1.499_999)
    assert bedside.pump.plant.motor.steps == 0
    bedside.wait(0.000_001)
    assert bedside.pump.plant.motor.steps == 1

    assert bedside.commit(stage_id, told.crc32) == GONE
    again = granted(bedside.commit(stage_id, told.crc32, 5, rev=0))
    assert again == structs.replace(outcome, repeated=True)
    assert bedside.therapy_rev() == rev + 1


def read_image(bedside: Bedside) -> bytes:
    """The active program, read part by part."""
    image = b""
    while len(image) < IMAGE_BYTES:
        part = bedside.read_program(offset=len(image))
        assert isinstance(part, ProgramPart)
        assert part.data
        image += part.data
    return image


def test_a_program_outlives_power() -> None:
    bedside = Bedside()
    program = replace(FASTER, drugs=(Drug("baclofen", 500_000), Drug("morphine", 10_000_000)))
    granted(bedside.program(program))
    bedside.cut_power()
    bedside.restore_power()
    assert read_image(bedside) == wire_image(program)
    assert bedside.status().base_rate_nl_per_day == 17_280_000


@pytest.mark.parametrize("new", PROGRAMS, ids=lambda program: program.mode.name)
def test_a_cut_at_any_write_of_a_commit_leaves_the_old_program_or_the_new(new: Program) -> None:
    door = Doorway(PROFILE)
    full_ledger(door)
    door.validated(new)
    old, flows = door.pump.firmware.record.program, (1, RATES[new.mode])
    seen: dict[object, bool] = {}
    for off in every_cut(Snapshot(door), commit_program):
        memory = off.again().pump.memory
        left = tuple(memory.control.copies())
        if left in seen:
            continue
        door = off.again()
        door.restore_power()
        taken = seen[left] = door.query(5).state is OpState.DONE
        program, status = door.pump.firmware.record.program, door.status()
        assert program == (new if taken else old)
        changed = [record.op_id for record in door.log() if record.type is LogType.PROGRAM_CHANGED]
        assert changed == [5] * taken
        # The one dose of a program of one dose does not come again.
        stopped = taken and new.mode in (Mode.STOPPED, Mode.SINGLE_BOLUS)
        assert (status.run_state is RunState.STOPPED) == stopped
        assert status.base_rate_nl_per_day == flows[taken]
    assert list(seen.values()) == [False, False, True], "old, the other copy lost, new"


def test_the_checks_of_a_commit_come_in_their_order() -> None:
    """One COMMIT that is wrong in every way; what is wrong first is put right, and the next refusal shows."""
    bedside = Bedside()
    bedside.bolus(10_000, 100, 1)
    assert refused(bedside.commit(9, 9, 1, role=Role.READER, rev=0)).reason is Reason.ROLE
    assert refused(bedside.commit(9, 9, 1, rev=0)).reason is Reason.OP_ID_REUSED
    assert refused(bedside.commit(9, 9, 1_002, rev=0)).reason is Reason.OP_ID_ABOVE_WINDOW
    assert refused(bedside.commit(9, 9, 2, rev=0)).reason is Reason.UNRESOLVED
    assert bedside.commit(9, 9, 2) == Refusal(Reason.BOLUS_RUNNING, detail=1)
    bedside.cancel(1, 2)
    assert bedside.commit(9, 9, 3) == GONE
    stage_id = bedside.staged(FASTER)
    assert bedside.commit(stage_id, 9, 3) == GONE
    told = bedside.validate(stage_id)
    assert isinstance(told, ProgramValidated)
    assert bedside.commit(stage_id, told.crc32 ^ 1, 3) == Refusal(Reason.STAGE_CHANGED, "crc32")
    assert bedside.commit(stage_id, told.crc32, 3, session=2) == GONE
    assert bedside.op_high() == 2, "no refusal has entered anything"
    assert granted(bedside.commit(stage_id, told.crc32, 3)).op_id == 3


def test_what_was_validated_before_a_change_of_therapy_is_validated_anew() -> None:
    """The host may quote the newest revision: what it was shown was true under another."""
    bedside = Bedside()
    stage_id, told = bedside.validated(FASTER)
    granted(bedside.program(replace(FASTER, low_reservoir_nl=60_000)))
    stage_id, told = bedside.validated(FASTER)
    bedside.bolus(5_000, 10)
    bedside.wait(10)
    assert bedside.commit(stage_id, told.crc32) == Refusal(Reason.STAGE_CHANGED)
    assert isinstance(bedside.validate(stage_id), ProgramValidated)
    bedside.wait(1_190)
    assert len(bedside.alarms()) == 1
    bedside.acknowledge(1)
    bedside.prepare(5_000, 10)
    assert granted(bedside.commit(stage_id, told.crc32)).state is OpState.DONE, "alarms and leases change no therapy"


def test_limits_are_checked_again_at_commit() -> None:
    """A stage lies in volatile memory; should it change there, nothing outside the limits comes to run."""
    bedside = Bedside()
    stage_id, _ = bedside.validated(FASTER)
    (stage,) = bedside.pump.firmware.stages
    beyond = replace(FASTER, rate_nl_per_day=24_000_001)
    bedside.pump.firmware.stages = [replace(stage, validated=beyond)]
    assert bedside.commit(stage_id, beyond.crc32()) == Refusal(
        Reason.ABOVE_MAXIMUM, "rate_nl_per_day", element=Block.INFUSION, detail=24_000_000
    )


def test_the_limit_of_a_bolus_is_the_programs_from_the_commit_on_and_leases_of_before_are_void() -> None:
    bedside = Bedside()
    lease = bedside.prepared(30_000, 60)
    assert lease.available_nl == 200_000
    granted(bedside.program(FASTER))
    assert refused(bedside.execute(lease.bolus_id, 30_000, 60)).reason is Reason.LEASE_EXPIRED
    assert bedside.prepare(30_000, 60) == Refusal(Reason.ABOVE_MAXIMUM, "volume_nl", detail=20_000)
    assert bedside.prepared(20_000, 60).available_nl == 20_000


def run_state(bedside: Bedside) -> tuple[RunState, StopReason, int]:
    status = bedside.status()
    return status.run_state, status.stop_reason, status.base_rate_nl_per_day


def test_a_program_stops_the_pump_and_the_next_one_lets_it_run() -> None:
    bedside = Bedside()
    granted(bedside.program(new_program(mode=Mode.STOPPED)))
    assert run_state(bedside) == (RunState.STOPPED, StopReason.PROGRAMMED, 0)
    assert refused(bedside.start()).reason is Reason.CONDITIONS, "there is nothing to start"
    bedside.cut_power()
    bedside.restore_power()
    assert run_state(bedside) == (RunState.STOPPED, StopReason.PROGRAMMED, 0)
    granted(bedside.program(new_program(mode=Mode.MINIMUM_RATE)))
    assert run_state(bedside) == (RunState.RUNNING, StopReason.NONE, 1)
    assert bedside.status().programmed_rate_nl_per_day == 1


@pytest.mark.parametrize("order", ["stop first", "stop while the program says so"])
def test_a_commanded_stop_outlives_programs_that_stop_and_programs_that_deliver(order: str) -> None:
    bedside = Bedside()
    stopping = new_program(mode=Mode.STOPPED)
    if order == "stop first":
        bedside.stop()
        granted(bedside.program(stopping))
    else:
        granted(bedside.program(stopping))
        bedside.stop()
    assert run_state(bedside) == (RunState.STOPPED, StopReason.COMMANDED, 0)
    assert refused(bedside.start()).reason is Reason.CONDITIONS, "there is nothing to start"
    granted(bedside.program(FASTER))
    assert run_state(bedside) == (RunState.STOPPED, StopReason.COMMANDED, 0)
    granted(bedside.start())
    assert bedside.log()[-1].detail["rate_nl_per_day"] == 17_280_000
    assert run_state(bedside) == (RunState.RUNNING, StopReason.NONE, 17_280_000)


def test_no_program_lets_a_pump_run_whose_reservoir_is_empty() -> None:
    """Neither at once nor by way of a program that stops it."""
    bedside = Bedside()
    bedside.wait(2_500)
    empty = (RunState.STOPPED, StopReason.EMPTY_RESERVOIR, 0)
    granted(bedside.program(FASTER))
    assert run_state(bedside) == empty
    granted(bedside.program(new_program(mode=Mode.STOPPED)))
    assert run_state(bedside) == empty
    granted(bedside.program(FASTER))
    assert run_state(bedside) == empty
    bedside.wait(1_000)
    assert bedside.pump.plant.motor.steps == 250


def test_the_low_reservoir_alarm_follows_the_programs_level() -> None:
    """It goes with a program whose level is lower, and comes again when that one is reached."""
    bedside = Bedside()
    granted(bedside.program(new_program(low_reservoir_nl=200_000)))
    bedside.wait(999)
    assert bedside.alarms() == ()
    bedside.wait(1)
    (low,) = bedside.alarms()
    assert (low.type, low.reservoir_nl) == (AlarmType.LOW_RESERVOIR, 200_000)
    granted(bedside.program(new_program(low_reservoir_nl=60_000)))
    (gone,) = bedside.alarms()
    assert gone == low._replace(state=AlarmState.CLEARED)
    bedside.wait(1_399)
    assert bedside.alarms() == (gone,)
    bedside.wait(1)
    (_, again) = bedside.alarms()
    assert (again.type, again.state, again.reservoir_nl) == (AlarmType.LOW_RESERVOIR, AlarmState.RAISED, 60_000)


def test_a_level_above_what_is_left_raises_the_alarm_at_once_even_while_nothing_flows() -> None:
    bedside = Bedside()
    granted(bedside.program(new_program(mode=Mode.STOPPED, low_reservoir_nl=300_000)))
    bedside.wait(0)
    assert [alarm.type for alarm in bedside.alarms()] == [AlarmType.LOW_RESERVOIR]
