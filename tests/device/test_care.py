"""Care over the line: the patient's own bolus, a refill, the clock, alarms, the self-test, and what can be read."""

from dataclasses import asdict
from typing import Any

import pytest

from emulator import dispatcher
from firmware_model import commands
from firmware_model.firmware import codes as model
from firmware_model.firmware.supervisor import SelfTestPart
from protocol.access import PumpState
from protocol.fields import UNKNOWN_U32, decode, encode
from protocol.messages import alarm, codes, deliver, log, op, pump_time, read, routine
from protocol.messages.operations import by_name
from protocol.messages.program import ProgramValidateAnswer
from protocol.refusals import Nak, NakCode
from tests.device.care_requests import NO_DRUG, drugs, nak, press, refill, self_tested, wait
from tests.device.desk import Desk, new_device
from tests.device.hand_host import HandHost
from tests.device.pump_states import ALARM, PATIENT_BOLUS, REFILL_NL, UNIX_S, host_of, therapy_rev
from tests.firmware_model.pump_profiles import LONG_LOG, shipped


def test_a_patient_presses_and_is_told_what_flows_and_what_is_left() -> None:
    patient = host_of(PumpState.RUNNING, codes.Role.PATIENT)
    before = patient.ask(read.LimitsRequest())
    assert (before.activations_max, before.activations_left, before.lockout_left_s) == (4, 4, 0)
    given = patient.ask(press(patient, 1))
    assert (given.state, given.volume_nl, given.duration_s) == (codes.OpState.EXECUTING, 5_000, 60)
    assert patient.ask(read.StatusRequest()).bolus_id == given.bolus_id
    after = patient.ask(read.LimitsRequest())
    assert (after.activations_left, after.lockout_left_s) == (3, PATIENT_BOLUS.lockout_s)
    assert before.window_left_nl - after.window_left_nl == 5_000
    wait(patient, 60)
    (entry,) = (entry for entry in patient.ask(op.OpListRequest(page=0)).ops if entry.role is codes.Role.PATIENT)
    assert (entry.opcode, entry.state) == (by_name["PATIENT_BOLUS"].opcode, codes.OpState.DONE)
    assert (entry.delivered_min_nl, entry.delivered_max_nl) == (5_000, 5_000)


def test_a_press_that_comes_again_gives_nothing_again_and_does_not_invent_which_bolus_it_was() -> None:
    patient = host_of(PumpState.RUNNING, codes.Role.PATIENT)
    first = press(patient, 1)
    patient.ask(first)
    wait(patient, 60)
    delivered_nl = patient.ask(read.StatusRequest()).bolus_delivered_nl
    again = patient.ask(first)
    assert (again.state, again.flags) == (codes.OpState.DONE, codes.OpFlag.REPEATED)
    assert (again.bolus_id, again.volume_nl, again.duration_s) == (UNKNOWN_U32,) * 3
    assert patient.ask(read.StatusRequest()).bolus_delivered_nl == delivered_nl == 0


def test_a_locked_out_patient_reads_how_long_and_a_refusal_begins_no_lockout_anew() -> None:
    patient = host_of(PumpState.RUNNING, codes.Role.PATIENT)
    running = patient.ask(press(patient, 1)).bolus_id
    assert nak(patient, press(patient, 2)) == Nak(NakCode.BOLUS_RUNNING, detail=running)
    wait(patient, 100)
    for left_s in (200, 150, 100):
        assert nak(patient, press(patient, 2)) == Nak(NakCode.LOCKOUT, detail=left_s)
        assert patient.ask(read.LimitsRequest()).lockout_left_s == left_s
        wait(patient, 50)
    wait(patient, 50)
    patient.ask(press(patient, 2))


def test_when_all_activations_are_used_up_the_refusal_says_how_many_and_when_the_next_is_free() -> None:
    profile_s = PATIENT_BOLUS.window_s
    patient = host_of(PumpState.RUNNING, codes.Role.PATIENT)
    patient.device.pump.firmware.record.reservoir_nl = LONG_LOG.reservoir.capacity_nl
    for op_id in range(1, PATIENT_BOLUS.activations_max + 1):
        patient.ask(press(patient, op_id))
        wait(patient, PATIENT_BOLUS.lockout_s)
    left_s = profile_s - PATIENT_BOLUS.activations_max * PATIENT_BOLUS.lockout_s
    refused = nak(patient, press(patient, 9))
    assert refused == Nak(NakCode.LOCKOUT, element=PATIENT_BOLUS.activations_max, detail=left_s)
    limits = patient.ask(read.LimitsRequest())
    assert (limits.activations_left, limits.lockout_left_s) == (0, left_s)


def test_a_program_without_a_patient_bolus_refuses_every_press() -> None:
    patient = HandHost(new_device(insecure=False), codes.Role.PATIENT).open_line().connect()
    assert nak(patient, press(patient, 1)) == Nak(NakCode.CONDITIONS)
    limits = patient.ask(read.LimitsRequest())
    assert (limits.patient_volume_nl, limits.activations_max, limits.activations_left, limits.lockout_left_s) == (
        0,
    ) * 4


def test_a_refill_ends_the_alarm_and_start_lets_the_pump_run_again() -> None:
    clinician = host_of(PumpState.HELD, codes.Role.CLINICIAN)
    begun = clinician.ask(routine.RefillBeginRequest())
    assert begun.computed_nl == clinician.ask(read.ReservoirRequest()).volume_nl == LONG_LOG.reservoir.empty_nl
    done = clinician.ask(refill(clinician, begun.refill_id))
    assert done.state is codes.OpState.DONE
    now = clinician.ask(read.ReservoirRequest())
    assert (now.volume_nl, now.filled_nl, now.discrepancy_nl) == (REFILL_NL, REFILL_NL, 40_000 - begun.computed_nl)
    assert now.refilled_s == clinician.ask(pump_time.TimeReadRequest()).elapsed_s
    assert clinician.ask(read.StatusRequest()).alarms_raised == 0
    assert clinician.ask(op.OpListRequest(page=0)).ops[-1].opcode == by_name["REFILL_COMMIT"].opcode
    clinician.ask(deliver.StartRequest(op_id=4, therapy_rev=therapy_rev(clinician)))
    assert clinician.ask(read.StatusRequest()).run_state is codes.RunState.RUNNING


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"volume_nl": 1_000_001}, Nak(NakCode.ABOVE_MAXIMUM, field=2, detail=1_000_000)),
        ({"refill_id": 7}, Nak(NakCode.NOTHING_STAGED, field=0)),
        ({"drugs": (NO_DRUG, *drugs(("baclofen", 1))[:4])}, Nak(NakCode.FORMAT, field=4)),
        ({"drugs": drugs(("baclofen", 1), ("baclofen", 2))}, Nak(NakCode.FORMAT, field=4)),
        ({"drugs": drugs(("baclofen", 0))}, Nak(NakCode.BELOW_MINIMUM, field=4, detail=1)),
    ],
    ids=["too much", "another refill", "a place left out", "one drug twice", "no concentration"],
)
def test_a_refill_that_cannot_be_says_what_is_wrong(values: dict[str, Any], refused: Nak) -> None:
    clinician = host_of(PumpState.RUNNING, codes.Role.CLINICIAN)
    refill_id = clinician.ask(routine.RefillBeginRequest()).refill_id
    assert nak(clinician, refill(clinician, **{"refill_id": refill_id} | values)) == refused


def test_a_refill_of_other_drugs_than_the_programs_is_noticed_at_start() -> None:
    clinician = host_of(PumpState.STOPPED, codes.Role.CLINICIAN)
    refill_id = clinician.ask(routine.RefillBeginRequest()).refill_id
    clinician.ask(refill(clinician, refill_id, drugs=drugs(("baclofen", 2_000_000))))
    start = deliver.StartRequest(op_id=4, therapy_rev=therapy_rev(clinician))
    assert nak(clinician, start) == Nak(NakCode.CONCENTRATION_MISMATCH)


def test_the_clock_is_set_and_what_flows_by_it_is_told() -> None:
    clinician = host_of(PumpState.RUNNING, codes.Role.CLINICIAN)
    elapsed_s = clinician.ask(pump_time.TimeReadRequest()).elapsed_s
    wanted = pump_time.TimeSetRequest(unix_s=UNIX_S, offset_min=-90, op_id=3, therapy_rev=therapy_rev(clinician))
    answer = clinician.ask(wanted)
    assert answer.base_rate_nl_per_day == clinician.ask(read.StatusRequest()).base_rate_nl_per_day
    wait(clinician, 10)
    now = clinician.ask(pump_time.TimeReadRequest())
    assert (now.elapsed_s, now.rtc_unix_s, now.offset_min) == (elapsed_s + 10, UNIX_S + 10, -90)
    again = clinician.ask(wanted)
    assert (again.flags, again.base_rate_nl_per_day) == (codes.OpFlag.REPEATED, UNKNOWN_U32)
    assert clinician.ask(pump_time.TimeReadRequest()).rtc_unix_s == UNIX_S + 10


@pytest.mark.parametrize(("unix_s", "offset_min", "field"), [(0, 0, 0), (1, 1_441, 1), (1, -1_441, 1)])
def test_a_time_that_no_clock_shows_is_refused(unix_s: int, offset_min: int, field: int) -> None:
    clinician = host_of(PumpState.RUNNING, codes.Role.CLINICIAN)
    wanted = pump_time.TimeSetRequest(unix_s=unix_s, offset_min=offset_min, op_id=3, therapy_rev=therapy_rev(clinician))
    assert nak(clinician, wanted) == Nak(NakCode.CLOCK_INVALID, field=field)


def test_an_alarm_is_silenced_seen_and_cleared_and_comes_back_with_its_cause() -> None:
    clinician = host_of(PumpState.RUNNING, codes.Role.CLINICIAN)
    (listed,) = clinician.ask(alarm.AlarmListRequest(from_instance=0)).alarms
    shown = clinician.ask(alarm.AlarmSnapshotRequest(instance=ALARM))
    assert asdict(shown) == asdict(listed)
    assert (shown.type, shown.state, shown.silent_until_s) == (
        codes.AlarmType.LOW_RESERVOIR,
        codes.AlarmState.RAISED,
        0,
    )
    silenced = clinician.ask(alarm.AlarmSilenceRequest(instance=ALARM))
    now_s = clinician.ask(pump_time.TimeReadRequest()).elapsed_s
    assert silenced.silent_until_s == now_s + LONG_LOG.tones.silence_min * 60
    assert clinician.ask(alarm.AlarmSnapshotRequest(instance=ALARM)).state is codes.AlarmState.RAISED
    clinician.ask(alarm.AlarmAckRequest(instance=ALARM))
    assert nak(clinician, alarm.AlarmSilenceRequest(instance=ALARM)).code is NakCode.ALREADY_IN_STATE
    cleared = clinician.ask(alarm.AlarmClearRequest(instance=ALARM))
    assert cleared.state is codes.AlarmState.CLEARED
    again = clinician.ask(alarm.AlarmSnapshotRequest(instance=cleared.raised_again))
    assert (again.type, again.state) == (codes.AlarmType.LOW_RESERVOIR, codes.AlarmState.RAISED)
    assert nak(clinician, alarm.AlarmSnapshotRequest(instance=99)) == Nak(NakCode.NO_SUCH_ALARM, field=0)


def test_the_log_is_entered_at_any_time_without_reading_what_was_before() -> None:
    desk = Desk(new_device())
    desk.open()
    for op_id in range(1, 40, 2):
        desk.wait(op_id * 7 % 5)
        desk.stop(op_id)
        desk.start(op_id + 1)
    records = desk.log()
    for elapsed_s in range(records[-1].elapsed_s + 2):
        found = desk.ask(log.LogFindByElapsedRequest(epoch=1, elapsed_s=elapsed_s)).sequence
        later = [record.sequence for record in records if record.elapsed_s >= elapsed_s]
        assert found == (later[0] if later else records[-1].sequence + 1)
    refused = desk.refusal(log.LogFindByElapsedRequest(epoch=2, elapsed_s=0))
    assert refused == Nak(NakCode.LOG_EPOCH, field=0, detail=1)


def test_counters_and_status_tell_the_same_life() -> None:
    reader = host_of(PumpState.RUNNING, codes.Role.READER)
    counters, status = reader.ask(read.CountersRequest()), reader.ask(read.StatusRequest())
    assert counters.delivered_nl == status.delivered_nl == counters.steps * LONG_LOG.motor.step_volume_nl
    assert (counters.dead_volume_nl, counters.stalled_pulses, counters.repairs) == (0, 0, 0)
    assert counters.boots == status.boot == 1


def test_a_new_cell_lasts_to_the_end_of_the_pumps_life_and_has_no_replacement_date() -> None:
    reader = host_of(PumpState.RUNNING, codes.Role.READER)
    cell = reader.ask(read.BatteryRequest())
    assert cell.replacement_since_s == UNKNOWN_U32
    assert cell.end_of_service_s == LONG_LOG.cell.life_max_days * 86_400
    assert cell.loaded_mv < cell.idle_mv
    assert cell.temperature_cc == 3_700


def test_a_reservoir_that_was_never_refilled_has_no_date_of_it_and_no_stability() -> None:
    reader = HandHost(new_device(shipped("reference-20"), insecure=False), codes.Role.READER).open_line().connect()
    told = reader.ask(read.ReservoirRequest())
    assert (told.volume_nl, told.capacity_nl, told.refilled_s) == (20_000_000, 20_000_000, UNKNOWN_U32)
    assert told.low_in_s == told.refill_in_s == pytest.approx(18_000_000 * 86_400 / 620_000, abs=4)
    assert told.stability_in_s == UNKNOWN_U32


def test_a_sound_pump_passes_its_self_test_and_each_failed_part_has_its_bit() -> None:
    clinician = host_of(PumpState.RUNNING, codes.Role.CLINICIAN)
    assert self_tested(clinician) == codes.SelfTestPart(0)
    tell = dispatcher.ANSWERS[commands.SelfTestDone]
    for part in SelfTestPart:
        answer: Any = tell(None, commands.SelfTestDone(part))  # type: ignore[arg-type]
        assert answer == routine.SelftestAnswer(failed=codes.SelfTestPart[str(part.name)])


def test_more_patient_boluses_a_day_than_can_be_said_are_told_as_the_most_that_can() -> None:
    """A profile may allow windows of a few seconds."""
    validated = commands.ProgramValidated(
        crc32=1,
        image_size=715,
        mode=model.Mode.STOPPED,
        rate_nl_per_day=0,
        steps_per_day=0,
        low_reservoir_in_s=None,
        low_reservoir_unix_s=None,
        warnings=model.ProgramWarning(0),
        window_peak_nl=0,
        boluses_per_day_max=250 * 86_400,
        refill_in_s=1 << 40,
        refill_unix_s=None,
        stability_in_s=None,
    )
    answer: Any = dispatcher.ANSWERS[commands.ProgramValidated](None, validated)  # type: ignore[arg-type]
    told = decode(ProgramValidateAnswer, encode(answer))
    assert told.boluses_per_day_max == 0xFFFF
    assert (told.refill_in_s, told.refill_unix_s) == (UNKNOWN_U32 - 1, UNKNOWN_U32)
