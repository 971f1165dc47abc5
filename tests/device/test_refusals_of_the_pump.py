"""What a pump tells a host that it will not do: every refusal that state, ledger, limits, memory or log make."""

from __future__ import annotations

from dataclasses import replace

from emulator.device import Device
from firmware_model.profile import Profile
from protocol.access import PumpState
from protocol.messages import alarm, codes, deliver, log, program, pump_time, read, routine
from protocol.refusals import REFUSALS, Nak, NakCode
from tests.device import test_refusals_at_the_line as at_the_line
from tests.device.care_requests import drugs, nak, press, refill, self_tested, wait
from tests.device.desk import HOST_ID, SECOND, arm, execute, new_device, prepare
from tests.device.hand_host import HandHost
from tests.device.pump_states import (
    BOLUS_NL,
    BOLUS_S,
    PATIENT_BOLUS,
    UNIX_S,
    commit_program,
    host_of,
    therapy_rev,
    validated,
)
from tests.device.refusal_story import STORIES, Told, story
from tests.firmware_model.drug_programs import new_program, wire_blocks
from tests.firmware_model.pump_profiles import LONG_LOG, SMALL, changed, shipped

OP_ID_WINDOW = 1_000
RESTART_MV = LONG_LOG.cell.restart_mv
EMPTY_RESERVOIR_ALARM = 2


def clinician(state: PumpState = PumpState.RUNNING) -> HandHost:
    return host_of(state, codes.Role.CLINICIAN)


def at_new_pump(profile: Profile = LONG_LOG) -> HandHost:
    return HandHost(new_device(profile, insecure=False)).open_line().connect()


def start(host: HandHost, op_id: int = 3) -> deliver.StartRequest:
    return deliver.StartRequest(op_id=op_id, therapy_rev=therapy_rev(host))


def stop(op_id: int) -> deliver.StopRequest:
    return deliver.StopRequest(op_id=op_id, therapy_rev=0)


def bolus(host: HandHost, op_id: int, volume_nl: int = BOLUS_NL, duration_s: int = BOLUS_S) -> int:
    """A bolus that runs; gives its id."""
    given = host.ask(execute(host.ask(prepare(volume_nl, duration_s)), op_id, therapy_rev(host)))
    bolus_id: int = given.bolus_id
    return bolus_id


# --- the state of the pump ------------------------------------------------------------------------------------------


@story(NakCode.CONDITIONS)
def test_a_program_that_gives_nothing_cannot_be_started() -> Told:
    host = clinician(PumpState.IDLE)
    return nak(host, start(host)), Nak(NakCode.CONDITIONS)


@story(NakCode.CONDITIONS)
def test_a_bridge_is_wanted_though_no_other_drug_was_programmed() -> Told:
    host = at_new_pump()
    commit_program(host, 1, new_program(catheter_nl=20_000))
    wanted = deliver.BolusPrepareRequest(
        kind=codes.BolusKind.BRIDGE, volume_nl=0, volume_complement=0xFFFF_FFFF, duration_s=0
    )
    return nak(host, wanted), Nak(NakCode.CONDITIONS, field=0)


@story(NakCode.ALREADY_IN_STATE)
def test_a_running_pump_is_told_to_start() -> Told:
    host = clinician()
    return nak(host, start(host)), Nak(NakCode.ALREADY_IN_STATE)


@story(NakCode.PUMP_STOPPED)
def test_a_bolus_is_wanted_of_a_pump_that_was_stopped() -> Told:
    return nak(clinician(PumpState.STOPPED), prepare(BOLUS_NL, BOLUS_S)), Nak(NakCode.PUMP_STOPPED)


@story(NakCode.ALARM_BLOCKS)
def test_an_empty_pump_is_told_to_start_and_says_which_alarm_forbids_it() -> Told:
    host = clinician(PumpState.HELD)
    expected = Nak(NakCode.ALARM_BLOCKS, element=codes.AlarmType.EMPTY_RESERVOIR, detail=EMPTY_RESERVOIR_ALARM)
    return nak(host, start(host)), expected


@story(NakCode.BOLUS_RUNNING)
def test_a_second_bolus_is_wanted_while_the_first_one_runs() -> Told:
    host = clinician()
    running = bolus(host, 2)
    return nak(host, prepare(BOLUS_NL, BOLUS_S)), Nak(NakCode.BOLUS_RUNNING, detail=running)


@story(NakCode.STALLED)
def test_a_bolus_is_wanted_of_a_motor_that_stands_still_and_is_known_to() -> Told:
    profile = shipped("reference-20")
    host = at_new_pump(profile)
    arm(host.device, "stall")
    wait(host, profile.stall.sample_s * (profile.stall.bad_samples + 1))
    return nak(host, prepare(BOLUS_NL, BOLUS_S)), Nak(NakCode.STALLED)


# --- the limits of a bolus ------------------------------------------------------------------------------------------


@story(NakCode.BELOW_MINIMUM)
def test_a_bolus_is_smaller_than_the_smallest() -> Told:
    return nak(clinician(), prepare(999, 60)), Nak(NakCode.BELOW_MINIMUM, field=1, detail=1_000)


@story(NakCode.BELOW_MINIMUM)
def test_a_bolus_is_to_flow_faster_than_the_motor_can_beside_the_program() -> Told:
    # (4,200,000,000 - 8,640,000) nl a day are 48.5 nl a millisecond: 194 uL take 4 s, rounded up.
    return nak(at_new_pump(), prepare(194_000, 3)), Nak(NakCode.BELOW_MINIMUM, field=3, detail=5)


@story(NakCode.ABOVE_MAXIMUM)
def test_a_bolus_is_greater_than_the_greatest() -> Told:
    return nak(clinician(), prepare(200_001, BOLUS_S)), Nak(NakCode.ABOVE_MAXIMUM, field=1, detail=200_000)


@story(NakCode.NOT_QUANTIZABLE)
def test_a_bolus_is_less_than_one_step_of_the_motor() -> Told:
    fine = at_new_pump(changed(LONG_LOG, "bolus", volume_min_nl=1))
    return nak(fine, prepare(999, 60)), Nak(NakCode.NOT_QUANTIZABLE, field=1, detail=1_000)


@story(NakCode.RESERVOIR)
def test_a_bolus_is_more_than_the_reservoir_can_give() -> Told:
    host = clinician()
    left_nl = host.ask(read.ReservoirRequest()).volume_nl - LONG_LOG.reservoir.empty_nl
    return nak(host, prepare(200_000, BOLUS_S)), Nak(NakCode.RESERVOIR, field=1, detail=left_nl)


@story(NakCode.WINDOW_DOSE_LIMIT)
def test_a_bolus_would_be_an_overdose_with_what_the_program_gives_in_a_day() -> Told:
    host = at_new_pump()
    daily_nl = LONG_LOG.therapy.rate_nl_per_day
    commit_program(host, 1, new_program(window_max_nl=daily_nl + 30_000))
    bolus(host, 2, 20_000, 60)
    wait(host, 60)
    return nak(host, prepare(11_000, 60)), Nak(NakCode.WINDOW_DOSE_LIMIT, field=1, detail=10_000)


@story(NakCode.LOCKOUT)
def test_a_patient_presses_again_before_his_lockout_is_over() -> Told:
    patient = host_of(PumpState.RUNNING, codes.Role.PATIENT)
    patient.ask(press(patient, 1))
    wait(patient, 100)
    return nak(patient, press(patient, 2)), Nak(NakCode.LOCKOUT, detail=PATIENT_BOLUS.lockout_s - 100)


# --- the lease of a bolus, and its end ------------------------------------------------------------------------------


@story(NakCode.LEASE_EXPIRED)
def test_a_person_thinks_for_longer_than_the_pump_waits() -> Told:
    host = clinician()
    lease = host.ask(prepare(BOLUS_NL, BOLUS_S))
    wait(host, lease.lease_s)
    return nak(host, execute(lease, 2, therapy_rev(host))), Nak(NakCode.LEASE_EXPIRED, field=0)


@story(NakCode.NO_SUCH_BOLUS)
def test_a_bolus_is_to_be_cancelled_that_never_was() -> Told:
    cancel = deliver.BolusCancelRequest(bolus_id=99, op_id=2, therapy_rev=0)
    return nak(clinician(), cancel), Nak(NakCode.NO_SUCH_BOLUS, field=0)


@story(NakCode.ALREADY_ENDED)
def test_a_bolus_is_to_be_cancelled_that_is_over() -> Told:
    host = clinician()
    bolus_id = bolus(host, 2, 2_000, 60)
    wait(host, 60)
    cancel = deliver.BolusCancelRequest(bolus_id=bolus_id, op_id=3, therapy_rev=0)
    return nak(host, cancel), Nak(NakCode.ALREADY_ENDED, field=0)


@story(NakCode.RANGE)
def test_a_host_executes_more_than_it_was_promised() -> Told:
    host = clinician()
    lease = host.ask(prepare(BOLUS_NL, BOLUS_S))
    more = execute(replace(lease, volume_nl=BOLUS_NL + 1), 2, therapy_rev(host))
    return nak(host, more), Nak(NakCode.RANGE, field=1, detail=BOLUS_NL)


# --- the ledger -----------------------------------------------------------------------------------------------------


@story(NakCode.RANGE)
def test_a_host_takes_an_op_id_far_above_all_that_were() -> Told:
    host = clinician()
    return nak(host, start(host, 1 + OP_ID_WINDOW + 1)), Nak(NakCode.RANGE, field=0, detail=1 + OP_ID_WINDOW)


@story(NakCode.UNRESOLVED)
def test_a_host_commands_past_an_outcome_that_it_has_not_read() -> Told:
    host = clinician()
    read_before = therapy_rev(host)
    host.ask(stop(2))
    late = deliver.StartRequest(op_id=3, therapy_rev=read_before)
    return nak(host, late), Nak(NakCode.UNRESOLVED, field=1, element=codes.Role.CLINICIAN, detail=2)


@story(NakCode.OP_ID_REUSED)
def test_a_host_takes_an_op_id_for_another_intention() -> Told:
    host = clinician()
    host.ask(stop(2))
    return nak(host, start(host, 2)), Nak(NakCode.OP_ID_REUSED, field=0)


@story(NakCode.OP_ID_STALE)
def test_a_host_sends_again_what_the_ledger_has_long_forgotten() -> Told:
    host = at_new_pump()
    first = start(host, 2)
    host.ask(stop(1))
    for op_id in range(2, 2 + 2 * LONG_LOG.memory.ledger_entries_per_role, 2):
        host.ask(start(host, op_id))
        host.ask(stop(op_id + 1))
    return nak(host, first), Nak(NakCode.OP_ID_STALE, field=0, detail=op_id + 1)


# --- programs, refills, the clock -----------------------------------------------------------------------------------


@story(NakCode.BLOCK_SEQUENCE)
def test_a_part_of_a_program_was_lost_and_the_pump_says_which_it_waits_for() -> Told:
    host = clinician()
    stage_id = host.ask(program.ProgramBeginRequest()).stage_id
    block, content = next(iter(wire_blocks(new_program()).items()))
    first, third = (
        program.ProgramWriteRequest(
            stage_id=stage_id, block=codes.Block[block.name], offset=offset, data=content[offset : offset + 32]
        )
        for offset in (0, 64)
    )
    host.ask(first)
    return nak(host, third), Nak(NakCode.BLOCK_SEQUENCE, field=2, element=block, detail=32)


@story(NakCode.NOTHING_STAGED)
def test_a_program_is_to_be_committed_that_nobody_has_sent() -> Told:
    host = clinician()
    wanted = program.ProgramCommitRequest(stage_id=9, crc32=1, op_id=2, therapy_rev=therapy_rev(host))
    return nak(host, wanted), Nak(NakCode.NOTHING_STAGED, field=0)


@story(NakCode.STAGE_CHANGED)
def test_a_clinician_was_shown_another_program_than_the_one_that_he_commits() -> Told:
    host = clinician()
    stage_id, crc32 = validated(host, new_program())
    wanted = program.ProgramCommitRequest(stage_id=stage_id, crc32=crc32 ^ 1, op_id=2, therapy_rev=therapy_rev(host))
    return nak(host, wanted), Nak(NakCode.STAGE_CHANGED, field=1)


@story(NakCode.STAGE_CHANGED)
def test_a_bolus_came_between_what_a_clinician_was_shown_and_his_yes() -> Told:
    host = clinician()
    stage_id, crc32 = validated(host, new_program())
    bolus(host, 2, 2_000, 60)
    wait(host, 60)
    wanted = program.ProgramCommitRequest(stage_id=stage_id, crc32=crc32, op_id=3, therapy_rev=therapy_rev(host))
    return nak(host, wanted), Nak(NakCode.STAGE_CHANGED)


@story(NakCode.CONCENTRATION_MISMATCH)
def test_a_pump_is_started_that_holds_another_drug_than_its_program_names() -> Told:
    host = clinician(PumpState.STOPPED)
    refill_id = host.ask(routine.RefillBeginRequest()).refill_id
    host.ask(refill(host, refill_id, drugs=drugs(("baclofen", 2_000_000))))
    return nak(host, start(host, 4)), Nak(NakCode.CONCENTRATION_MISMATCH)


@story(NakCode.CLOCK_INVALID)
def test_a_host_knows_an_offset_that_is_nowhere_on_earth() -> Told:
    host = clinician()
    wanted = pump_time.TimeSetRequest(unix_s=UNIX_S, offset_min=1_441, op_id=2, therapy_rev=therapy_rev(host))
    return nak(host, wanted), Nak(NakCode.CLOCK_INVALID, field=1)


# --- alarms, log, memory, cell --------------------------------------------------------------------------------------


@story(NakCode.NO_SUCH_ALARM)
def test_an_alarm_is_acknowledged_that_was_never_raised() -> Told:
    return nak(clinician(), alarm.AlarmAckRequest(instance=42)), Nak(NakCode.NO_SUCH_ALARM, field=0)


@story(NakCode.RECORD_OVERWRITTEN)
def test_a_host_reads_the_log_so_late_that_its_beginning_is_gone() -> Told:
    host = at_new_pump(SMALL)
    for op_id in range(1, 21, 2):
        host.ask(stop(op_id))
        host.ask(start(host, op_id + 1))
    held = host.ask(log.LogStatusRequest())
    assert held.first > 1
    wanted = log.LogReadRequest(epoch=held.epoch, from_sequence=1, maximum=4)
    return nak(host, wanted), Nak(NakCode.RECORD_OVERWRITTEN, field=1, detail=held.first)


@story(NakCode.RECORD_CORRUPT)
def test_no_record_of_the_log_can_be_read_any_more_so_no_time_is_found_in_it() -> Told:
    host = clinician()
    spoil_log(host.device)
    held = host.ask(log.LogStatusRequest())
    records = host.ask(log.LogReadRequest(epoch=held.epoch, from_sequence=held.first, maximum=4)).records
    assert {record.type for record in records} == {codes.LogType.CORRUPT}
    wanted = log.LogFindByElapsedRequest(epoch=held.epoch, elapsed_s=0)
    return nak(host, wanted), Nak(NakCode.RECORD_CORRUPT, detail=held.first)


def spoil_log(device: Device) -> None:
    """Some bit of each of its records falls over."""
    ring = device.pump.memory.log
    for at in range(0, len(ring), 48):
        ring[at] ^= 1


@story(NakCode.LOG_EPOCH)
def test_a_host_asks_for_a_record_of_a_log_that_was_begun_anew() -> Told:
    wanted = log.LogReadRequest(epoch=7, from_sequence=1, maximum=4)
    return nak(clinician(), wanted), Nak(NakCode.LOG_EPOCH, field=0, detail=1)


@story(NakCode.MEMORY_FAILURE)
def test_a_pump_that_has_lost_its_memory_takes_no_command() -> Told:
    host = host_of(PumpState.FAILED, codes.Role.CLINICIAN)
    return nak(host, deliver.StartRequest(op_id=3, therapy_rev=0)), Nak(NakCode.MEMORY_FAILURE)


@story(NakCode.MEMORY_FAILURE)
def test_a_stop_that_could_not_be_written_down_has_halted_all_the_same() -> Told:
    host = clinician()
    arm(host.device, "write-fault kind=stuck writes=100000")
    told = nak(host, stop(2))
    steps = host.device.truth()["motor_steps"]
    host.device.advance(host.device.now_us + 3_600 * SECOND)
    assert host.device.truth()["motor_steps"] == steps
    return told, Nak(NakCode.MEMORY_FAILURE)


def weaken_cell(host: HandHost) -> None:
    """The cell still holds the electronics up; after a reset it would not."""
    arm(host.device, f"cell-sag mv={host.ask(read.BatteryRequest()).loaded_mv - RESTART_MV + 1}")
    assert LONG_LOG.cell.brownout_mv < host.ask(read.BatteryRequest()).loaded_mv < RESTART_MV


@story(NakCode.BATTERY_LOW)
def test_a_bolus_is_wanted_of_a_pump_whose_cell_gives_out_and_what_flows_flows_on() -> Told:
    host = clinician()
    weaken_cell(host)
    assert self_tested(host) == codes.SelfTestPart.CELL
    assert host.ask(read.StatusRequest()).run_state is codes.RunState.RUNNING
    return nak(host, prepare(BOLUS_NL, BOLUS_S)), Nak(NakCode.BATTERY_LOW, detail=RESTART_MV)


@story(NakCode.BATTERY_LOW)
def test_a_patient_presses_at_a_pump_whose_cell_gives_out() -> Told:
    patient = host_of(PumpState.RUNNING, codes.Role.PATIENT)
    weaken_cell(patient)
    return nak(patient, press(patient, 1)), Nak(NakCode.BATTERY_LOW, detail=RESTART_MV)


@story(NakCode.BATTERY_LOW)
def test_the_cell_gives_out_between_a_persons_question_and_his_yes() -> Told:
    host = clinician()
    lease = host.ask(prepare(BOLUS_NL, BOLUS_S))
    weaken_cell(host)
    return nak(host, execute(lease, 2, therapy_rev(host))), Nak(NakCode.BATTERY_LOW, detail=RESTART_MV)


@story(NakCode.BATTERY_LOW)
def test_a_stopped_pump_whose_cell_gives_out_is_not_started() -> Told:
    host = clinician(PumpState.STOPPED)
    weaken_cell(host)
    return nak(host, start(host)), Nak(NakCode.BATTERY_LOW, detail=RESTART_MV)


@story(NakCode.BATTERY_LOW)
def test_nor_does_a_program_start_it() -> Told:
    host = clinician(PumpState.IDLE)
    weaken_cell(host)
    stage_id, crc32 = validated(host, new_program())
    wanted = program.ProgramCommitRequest(stage_id=stage_id, crc32=crc32, op_id=3, therapy_rev=therapy_rev(host))
    return nak(host, wanted), Nak(NakCode.BATTERY_LOW, detail=RESTART_MV)


def test_on_a_weak_cell_a_running_pump_takes_another_rate_and_a_stop() -> None:
    host = clinician()
    weaken_cell(host)
    commit_program(host, 2, new_program(rate_nl_per_day=4_320_000))
    assert host.ask(read.StatusRequest()).base_rate_nl_per_day == 4_320_000
    assert host.ask(stop(3)).state is codes.OpState.DONE


# --- all of them ----------------------------------------------------------------------------------------------------


def test_every_refusal_has_its_story_and_every_story_its_refusal() -> None:
    assert at_the_line.STRANGER != HOST_ID
    assert set(STORIES) == set(NakCode) == set(REFUSALS)
