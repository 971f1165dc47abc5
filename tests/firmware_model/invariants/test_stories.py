"""What the machines have found, each told as a story."""

from __future__ import annotations

from dataclasses import replace

from firmware_model.commands import OpOutcome, Reason
from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, Mode, OpState, RunState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import PatientBolusSetting, Program, first_program
from firmware_model.memory import CutMode
from firmware_model.pump import Recorded
from firmware_model.write_faults import Region
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.hand import Hand
from tests.firmware_model.invariants.machine import STOPPING
from tests.firmware_model.pump_profiles import SMALL, changed
from tests.firmware_model.random_histories import ROOMY

HOUR, DAY = 3_600, 86_400
LONG_BOLUS = changed(ROOMY, "bolus", duration_max_s=DAY)
SINGLE = replace(
    first_program(ROOMY), mode=Mode.SINGLE_BOLUS, rate_nl_per_day=0, dose_volume_nl=5_000, dose_duration_s=60
)
PERIODIC = replace(SINGLE, mode=Mode.PERIODIC_BOLUS, dose_interval_s=DAY)
PATIENT = replace(first_program(ROOMY), patient=PatientBolusSetting(2_000, 60, 1_800, DAY, 10))


def running(program: Program) -> Bedside:
    bedside = Bedside(ROOMY)
    assert isinstance(Hand(bedside).change_program(program), OpOutcome)
    return bedside


def after_a_stall(bedside: Bedside) -> Bedside:
    """A stall that was noticed and has ended; nobody has cleared its alarm."""
    bedside.fault("stall", lasts=DAY)
    bedside.wait(2 * DAY)
    assert [alarm.type for alarm in bedside.alarms()] == [AlarmType.MOTOR_STALL]
    assert bedside.pump.firmware.counting
    bedside.words()
    return bedside


def in_a_stall(bedside: Bedside) -> Bedside:
    bedside.fault("stall")
    bedside.wait(DAY)
    assert not bedside.pump.firmware.counting
    bedside.words()
    return bedside


def standing(bedside: Bedside) -> list[AlarmType]:
    return [alarm.type for alarm in bedside.alarms() if alarm.state is not AlarmState.CLEARED]


def test_a_second_stall_is_told_and_ends_the_bolus_although_the_first_ones_alarm_still_stands() -> None:
    bedside = after_a_stall(Bedside(LONG_BOLUS))
    op_id = bedside.bolus(20_000, 4 * HOUR).op_id
    bedside.fault("stall")
    bedside.wait(5 * HOUR)
    assert bedside.words() == ["BOLUS_STARTED", "stall began", "tone", "ALARM_CLEARED", "ALARM_RAISED", "BOLUS_ENDED"]
    entry = bedside.query(op_id).entry
    assert entry is not None
    assert (entry.state, entry.min_nl) == (OpState.PARTIAL, 0)
    assert standing(bedside) == [AlarmType.MOTOR_STALL]


def test_while_a_stall_is_known_no_bolus_is_given() -> None:
    bedside = in_a_stall(running(PATIENT))
    assert refused(bedside.prepare(2_000, 60)).reason is Reason.STALLED
    assert refused(bedside.patient_bolus()).reason is Reason.STALLED


def test_a_bolus_that_was_prepared_before_the_stall_is_not_given_in_it() -> None:
    bedside = Bedside(changed(ROOMY, "bolus", lease_s=2 * DAY))
    lease = bedside.prepared(2_000, 60)
    in_a_stall(bedside)
    rev = bedside.therapy_rev()
    assert refused(bedside.execute(lease.bolus_id, lease.volume_nl, lease.duration_s, rev=rev)).reason is Reason.STALLED


def test_while_a_stall_is_known_doses_have_no_turn_and_a_single_one_is_not_begun() -> None:
    bedside = running(replace(PERIODIC, dose_interval_s=HOUR))
    in_a_stall(bedside)
    bedside.wait(DAY)
    assert "BOLUS_STARTED" not in bedside.words()
    assert refused(Hand(bedside).change_program(SINGLE)).reason is Reason.STALLED


def test_a_stop_that_comes_again_does_not_leave_a_program_silently_abandoned() -> None:
    bedside = Bedside(STOPPING)
    granted(bedside.stop(1))
    granted(bedside.start())
    bedside.begin()
    granted(bedside.stop(1))
    assert bedside.status().stop_reason is StopReason.PROGRAM_INCOMPLETE
    assert standing(bedside) == [AlarmType.PROGRAM_INCOMPLETE]


def test_a_stop_of_its_own_ends_the_transaction_and_no_alarm_follows() -> None:
    bedside = Bedside(STOPPING)
    bedside.begin()
    granted(bedside.stop())
    bedside.pump.end_session(1, bedside.now)
    assert bedside.status().stop_reason is StopReason.COMMANDED
    assert standing(bedside) == []


def test_no_program_runs_while_an_alarm_forbids_flow() -> None:
    """The single bolus was over, then the reservoir was found to be empty: a new program does not draw on it."""
    bedside = running(SINGLE)
    bedside.wait(HOUR)
    begun = bedside.begin_refill()
    granted(bedside.commit_refill(begun.refill_id, 0, 40_000))  # type: ignore[union-attr]
    bedside.wait(1)
    assert AlarmType.EMPTY_RESERVOIR in standing(bedside)
    assert isinstance(Hand(bedside).change_program(first_program(ROOMY)), OpOutcome)
    status = bedside.status()
    assert (status.run_state, status.stop_reason) == (RunState.STOPPED, StopReason.EMPTY_RESERVOIR)


def test_a_stop_keeps_the_reason_that_only_a_refill_ends() -> None:
    bedside = Bedside(SMALL)
    bedside.wait(HOUR)
    assert bedside.status().stop_reason is StopReason.EMPTY_RESERVOIR
    granted(bedside.stop())
    assert bedside.status().stop_reason is StopReason.EMPTY_RESERVOIR


def test_power_cuts_bring_no_dose_nearer() -> None:
    """Elapsed time goes ahead at each boot; a dose that is due once a day is not due earlier for it."""
    bedside = running(PERIODIC)
    for _ in range(30):
        bedside.cut_power()
        bedside.restore_power()
    bedside.wait(DAY - 1)
    assert "BOLUS_STARTED" not in bedside.words()
    bedside.wait(60 * 30 + 1)
    assert "BOLUS_STARTED" in bedside.words()


def test_boots_that_are_cut_short_do_not_wear_the_lockout_off() -> None:
    bedside = running(PATIENT)
    bedside.wait(HOUR)
    granted(bedside.patient_bolus())
    for _ in range(40):
        bedside.cut_power()
        bedside.cut_power_at(3, CutMode.TORN)
        bedside.restore_power()
    bedside.restore_power()
    assert refused(bedside.patient_bolus()).reason is Reason.LOCKOUT


def test_a_clock_that_falls_below_its_first_second_labels_records_with_nothing() -> None:
    bedside = Bedside(ROOMY)
    bedside.wait(2 * DAY)
    granted(bedside.set_time(5))
    bedside.fault("clock-jump", s=-2 * DAY)
    bedside.wait(DAY)
    assert bedside.log()[-1].rtc_unix_s == 0


def test_a_write_that_goes_wrong_in_a_boot_that_is_cut_leaves_a_pump_that_boots() -> None:
    bedside = Bedside(ROOMY)
    bedside.wait(HOUR)
    for at_write in range(1, 120):
        bedside.fault("write-fault", at=1, kind=1)
        bedside.cut_power()
        bedside.cut_power_at(at_write)
        bedside.restore_power()
        bedside.pump.disarm_power_cut()
        bedside.restore_power()
        assert bedside.pump.powered


def test_the_tone_of_an_alarm_is_told_when_it_sounds() -> None:
    bedside = Bedside(ROOMY)
    bedside.wait(HOUR)
    bedside.fault("write-fault", at=1, kind=1)
    bedside.stop()
    told = bedside.events()
    assert {event.at_us for event in told} == {0, bedside.now}
    assert bedside.pump.next_event() is None
    bedside.wait(1)
    assert bedside.words() == []


def test_what_is_logged_after_memory_has_fallen_back_by_a_commit_is_told() -> None:
    """The boot's record has the number of one that was told before and is lost; observers hear of it all the same."""
    bedside = Bedside(ROOMY)
    for _ in range(2):
        # Alarms for a reset and for a lost copy stand, so that a boot logs nothing but itself.
        lose_newest_copy(bedside)
        bedside.cut_power()
        bedside.restore_power()
    granted(bedside.set_time(1_893_456_000))
    lose_newest_copy(bedside)
    bedside.events()
    bedside.cut_power()
    bedside.restore_power()
    boots = [event for event in bedside.events() if isinstance(event, Recorded) and event.record.type is LogType.BOOT]
    assert [event.record.sequence for event in boots] == [bedside.log_range().last]


def lose_newest_copy(bedside: Bedside) -> None:
    memory = bedside.pump.memory
    copies = {generation: place for place, (_, generation) in enumerate(memory.control.copies())}
    newest = copies[max(copies)]
    memory.flip_bit(Region.CONTROL, 8 * (newest * memory.control.slot_bytes + 20))


def test_a_bolus_that_a_stall_ends_says_stall() -> None:
    bedside = Bedside(LONG_BOLUS)
    bedside.bolus(20_000, 4 * HOUR)
    in_a_stall(bedside)
    ended = [record for record in bedside.log() if record.type is LogType.BOLUS_ENDED]
    assert [record.detail["reason"] for record in ended] == [BolusEnd.STALL]
