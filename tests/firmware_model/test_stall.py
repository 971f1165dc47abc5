"""The motor stall: what is believed before it is found, what is said when it is, and what happens when it ends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import AlarmCleared, CountersAnswer, ReadCounters, Reason
from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, Mode, OpState, RunState
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.quantities import US_PER_DAY, ceil_div
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import changed, shipped

PROFILE = shipped("reference-20")
STEP_NL, RATE = PROFILE.motor.step_volume_nl, PROFILE.therapy.rate_nl_per_day
SAMPLE_US = PROFILE.stall.sample_s * SECOND
BAD, GOOD = PROFILE.stall.bad_samples, PROFILE.stall.good_samples
HOUR_S = 3_600


def truly(bedside: Bedside) -> int:
    """The steps that the rotor has made."""
    return bedside.pump.plant.motor.steps


def believed(bedside: Bedside) -> int:
    """The steps that the firmware counts as delivered."""
    return bedside.status().delivered_nl // STEP_NL


def logged(bedside: Bedside, kind: LogType) -> list[LogRecord]:
    return [record for record in bedside.log() if record.type is kind]


def raised_at_s(bedside: Bedside) -> list[int]:
    return [alarm.elapsed_s for alarm in bedside.alarms() if alarm.type is AlarmType.MOTOR_STALL]


def stalled_pulses(bedside: Bedside) -> int:
    reply = bedside.ask(ReadCounters())
    assert isinstance(reply, CountersAnswer)
    return reply.stalled_pulses


# --- properties -----------------------------------------------------------------------------------------------------


def first_pulse_after_us(rate: int, instant_us: int) -> int:
    """When a base rate that has flowed since 0 next gives a pulse."""
    a_pulse = STEP_NL * US_PER_DAY
    return ceil_div((rate * instant_us // a_pulse + 1) * a_pulse, rate)


@settings(max_examples=60, deadline=None)
@given(st.integers(48, 24_000).map(lambda quanta: quanta * 1_000), st.integers(0, 2 * HOUR_S * SECOND))
def test_it_is_found_at_the_fourth_sample_that_can_show_it_and_not_sooner(rate: int, stalled_us: int) -> None:
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=rate)))
    bedside.pump.advance(stalled_us)
    bedside.fault("stall")
    shows_us = ceil_div(first_pulse_after_us(rate, stalled_us), SAMPLE_US) * SAMPLE_US
    found_us = shows_us + (BAD - 1) * SAMPLE_US
    bedside.pump.advance(found_us - 1)
    assert not bedside.alarms()
    bedside.pump.advance(found_us)
    assert raised_at_s(bedside) == [found_us // SECOND]
    assert found_us - stalled_us <= (BAD + 1) * SAMPLE_US


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 * HOUR_S * SECOND), st.integers(0, 3 * HOUR_S * SECOND), st.integers(400, 2_000))
def test_a_bolus_that_it_ends_is_partial_and_the_truth_lies_between_least_and_most(
    begun_us: int, stalled_us: int, steps: int
) -> None:
    """At least what it had given at the last sample that showed motion, at most what was commanded."""
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, mode=Mode.PERIODIC_BOLUS, **NO_BASE)))
    bedside.pump.advance(begun_us)
    bolus = bedside.bolus(steps * STEP_NL, 4 * HOUR_S)
    bedside.pump.advance(begun_us + stalled_us)
    given = truly(bedside)
    bedside.fault("stall")
    bedside.wait(HOUR_S)
    entry = bedside.query(bolus.op_id).entry
    assert entry is not None
    assert entry.state in (OpState.PARTIAL, OpState.REJECTED)
    assert entry.min_nl <= given * STEP_NL <= entry.max_nl
    assert entry.max_nl == believed(bedside) * STEP_NL, "belief is what was commanded until the alarm"
    last_good_us = max(begun_us, (begun_us + stalled_us) // SAMPLE_US * SAMPLE_US)
    assert entry.min_nl == steps * (last_good_us - begun_us) // (4 * HOUR_S * SECOND) * STEP_NL
    (ended,) = logged(bedside, LogType.BOLUS_ENDED)
    assert (ended.detail["reason"], ended.detail["delivered_max_nl"]) == (BolusEnd.STALL, entry.max_nl)


NO_BASE = {"rate_nl_per_day": 0, "dose_volume_nl": 1_000, "dose_duration_s": 86_400, "dose_interval_s": 30 * 86_400}
"""A program that gives nothing for a month."""


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3 * HOUR_S * SECOND), st.integers(400, 2_000))
def test_of_the_programs_own_dose_the_same_is_said(stalled_us: int, steps: int) -> None:
    bedside = Bedside(PROFILE)
    dose = {"dose_volume_nl": steps * STEP_NL, "dose_duration_s": 4 * HOUR_S}
    granted(bedside.program(new_program(PROFILE, mode=Mode.SINGLE_BOLUS, **dose)))
    bedside.pump.advance(stalled_us)
    given_nl = truly(bedside) * STEP_NL
    bedside.fault("stall")
    bedside.wait(HOUR_S)
    (ended,) = logged(bedside, LogType.BOLUS_ENDED)
    assert ended.detail["reason"] == BolusEnd.STALL
    assert ended.detail["delivered_min_nl"] <= given_nl <= ended.detail["delivered_max_nl"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8 * HOUR_S), st.integers(1, 8 * HOUR_S)), min_size=1, max_size=4))
def test_what_was_commanded_is_counted_once_as_delivered_or_as_stalled(stalls: list[tuple[int, int]]) -> None:
    """However often the rotor stands and turns again; and no pulse is made up for."""
    bedside = Bedside(PROFILE)
    for turning_s, standing_s in stalls:
        bedside.wait(turning_s)
        bedside.fault("stall", lasts=standing_s)
        bedside.wait(standing_s)
        for alarm in bedside.alarms():
            bedside.clear(alarm.instance)
    bedside.wait(HOUR_S)
    commanded = RATE * bedside.now // (STEP_NL * US_PER_DAY)
    assert bedside.pump.plant.motor.pulses == commanded
    assert believed(bedside) + stalled_pulses(bedside) == commanded
    began = [alarm for alarm in logged(bedside, LogType.ALARM_RAISED) if alarm.detail["type"] == AlarmType.MOTOR_STALL]
    assert len(logged(bedside, LogType.STALL_ENDED)) <= len(began)


# --- before it is found ---------------------------------------------------------------------------------------------


def test_until_the_alarm_the_pump_believes_that_it_delivers() -> None:
    """The time before the alarm, in which a programmer shows a pump that runs, and the patient gets nothing."""
    bedside = Bedside(PROFILE)
    bedside.wait(HOUR_S + 1)
    bedside.fault("stall")
    steps, counted = truly(bedside), believed(bedside)
    bedside.wait(BAD * PROFILE.stall.sample_s - 2)
    status = bedside.status()
    assert (status.run_state, status.base_rate_nl_per_day, bedside.alarms()) == (RunState.RUNNING, RATE, ())
    assert (truly(bedside) - steps, believed(bedside) - counted) == (0, 344)
    bedside.wait(1)
    (alarm,) = bedside.alarms()
    assert (alarm.type, alarm.state, alarm.steps) == (AlarmType.MOTOR_STALL, AlarmState.RAISED, counted + 344)


def test_a_bolus_between_two_samples_is_reported_as_given_although_nothing_came() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("stall")
    bolus = bedside.bolus(50_000, 600)
    bedside.wait(600)
    entry = bedside.query(bolus.op_id).entry
    assert entry is not None
    assert (entry.state, entry.min_nl, entry.max_nl, truly(bedside)) == (OpState.DONE, 50_000, 50_000, 0)


def test_one_that_is_shorter_than_the_samples_is_never_found() -> None:
    """Periods of a quarter of an hour, three times a day (as in Riordan 2014): a thirtieth of the dose is missing."""
    bedside = Bedside(PROFILE)
    bedside.fault("intermittent-stall", lasts=900, every=8 * HOUR_S, count=9)
    bedside.wait(3 * 86_400)
    missing = 9 * 900 * RATE // 86_400 // STEP_NL
    assert abs(believed(bedside) - truly(bedside) - missing) <= 9
    assert bedside.alarms() == ()


def test_a_stopped_pump_notices_nothing() -> None:
    """Stopping the pump before a scan delays the detection of a stall (Medtronic, MRI guidelines)."""
    bedside = Bedside(PROFILE)
    granted(bedside.stop())
    bedside.fault("stall")
    bedside.wait(86_400)
    assert bedside.alarms() == ()
    granted(bedside.start())
    bedside.wait((BAD + 1) * PROFILE.stall.sample_s)
    assert len(raised_at_s(bedside)) == 1


# --- while it is known ----------------------------------------------------------------------------------------------


def known_stall(profile_rate: int = RATE) -> Bedside:
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=profile_rate)))
    bedside.fault("stall")
    bedside.wait(HOUR_S)
    assert len(raised_at_s(bedside)) == 1
    return bedside


def test_the_motor_goes_on_trying_and_its_pulses_are_not_called_delivered() -> None:
    bedside = known_stall()
    counted, reservoir_nl = believed(bedside), bedside.status().reservoir_nl
    before = stalled_pulses(bedside)
    bedside.wait(86_400)
    assert (believed(bedside), bedside.status().reservoir_nl, truly(bedside)) == (counted, reservoir_nl, 0)
    assert stalled_pulses(bedside) - before == RATE // STEP_NL
    assert bedside.status().base_rate_nl_per_day == RATE


def test_nothing_can_be_promised_of_a_bolus_and_so_it_is_refused() -> None:
    bedside = known_stall()
    assert refused(bedside.prepare(50_000, 600)).reason is Reason.STALLED
    once = new_program(PROFILE, mode=Mode.SINGLE_BOLUS, dose_volume_nl=50_000, dose_duration_s=600)
    assert refused(bedside.program(once)).reason is Reason.STALLED
    granted(bedside.stop())
    assert refused(bedside.program(once)).reason is Reason.STALLED, "stopped or not"
    granted(bedside.start())
    bedside.clear_faults()
    bedside.wait(HOUR_S)
    assert bedside.prepared(50_000, 600).volume_nl == 50_000


def test_of_a_periodic_program_the_turn_of_a_dose_passes() -> None:
    bedside = Bedside(PROFILE)
    doses = {"dose_volume_nl": 50_000, "dose_duration_s": 600, "dose_interval_s": 2 * HOUR_S}
    granted(bedside.program(new_program(PROFILE, mode=Mode.PERIODIC_BOLUS, rate_nl_per_day=RATE, **doses)))
    bedside.fault("stall", lasts=5 * HOUR_S)
    bedside.wait(9 * HOUR_S)
    assert [record.elapsed_s for record in logged(bedside, LogType.BOLUS_STARTED)] == [6 * HOUR_S, 8 * HOUR_S]


def test_cleared_while_the_rotor_stands_the_alarm_comes_back() -> None:
    bedside = known_stall()
    (alarm,) = bedside.alarms()
    assert bedside.clear(alarm.instance) == AlarmCleared(alarm.instance, AlarmState.CLEARED, alarm.instance + 1)


# --- when it ends ---------------------------------------------------------------------------------------------------


def test_recovery_is_logged_with_what_was_lost_and_there_is_no_burst() -> None:
    bedside = known_stall()
    bedside.wait(HOUR_S)
    bedside.clear_faults()
    lost = bedside.pump.plant.motor.pulses
    bedside.wait(HOUR_S)
    (ended,) = logged(bedside, LogType.STALL_ENDED)
    assert ended.elapsed_s == 2 * HOUR_S + GOOD * PROFILE.stall.sample_s
    assert ended.detail["pulses"] == stalled_pulses(bedside)
    assert truly(bedside) == bedside.pump.plant.motor.pulses - lost
    assert abs(truly(bedside) - RATE * HOUR_S // 86_400 // STEP_NL) <= 1
    (alarm,) = bedside.alarms()
    assert alarm.state is AlarmState.RAISED, "what has happened is to be seen, though it is over"
    assert bedside.clear(alarm.instance) == AlarmCleared(alarm.instance, AlarmState.CLEARED, 0)


def test_a_second_stall_is_told_although_the_first_has_not_been_cleared() -> None:
    """Seen and put aside, the alarm of Monday's stall must not keep Tuesday's from being heard."""
    bedside = known_stall()
    (first,) = bedside.alarms()
    bedside.acknowledge(first.instance)
    bedside.clear_faults()
    bedside.wait(HOUR_S)
    bolus = bedside.bolus(500_000, 6 * HOUR_S)
    bedside.wait(HOUR_S)
    bedside.events()
    bedside.fault("stall")
    bedside.wait(HOUR_S)
    words = bedside.words()
    assert {"tone", "ALARM_RAISED", "BOLUS_ENDED"} <= set(words)
    *_, second = bedside.alarms()
    assert (second.type, second.state) == (AlarmType.MOTOR_STALL, AlarmState.RAISED)
    assert second.instance > first.instance
    assert bedside.query(bolus.op_id).state is OpState.PARTIAL


# --- magnets, gears and liars ---------------------------------------------------------------------------------------


def test_a_field_holds_the_rotor_may_turn_it_back_and_let_go_of_it_late() -> None:
    """A scan of 40 minutes, a rotor that goes on three hours later; reverse turning was seen in SynchroMed EL."""
    bedside = Bedside(PROFILE)
    bedside.wait(86_400)
    steps, true_nl = truly(bedside), bedside.pump.plant.reservoir.volume_nl
    bedside.fault("field", lasts=2_400, recovery=3 * HOUR_S * SECOND, reverse=200)
    assert truly(bedside) == steps - 200
    assert bedside.pump.plant.reservoir.volume_nl == true_nl + 200 * STEP_NL
    bedside.wait(2_399)
    assert bedside.pump.truth()["field_on"]
    bedside.wait(1)
    truth = bedside.pump.truth()
    assert (truth["field_on"], truth["rotor_stalled"]) == (False, True)
    bedside.wait(3 * HOUR_S - 1)
    assert truly(bedside) == steps - 200
    bedside.wait(HOUR_S)
    assert truly(bedside) > steps - 200
    assert believed(bedside) >= steps, "no pump of this kind feels that its rotor was turned back"
    assert len(logged(bedside, LogType.STALL_ENDED)) == 1


def test_missed_steps_make_too_little_and_nobody_knows() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("missed-steps", one_in=20)
    bedside.wait(86_400)
    commanded = RATE // STEP_NL
    assert (truly(bedside), believed(bedside)) == (commanded - commanded // 20, commanded)
    assert bedside.alarms() == ()


def test_a_gear_is_worn_after_so_many_pulses() -> None:
    worn = changed(PROFILE, "motor", wear_pulses=10_000, wear_miss_every=100)
    bedside = Bedside(worn)
    bedside.wait(86_400)
    commanded = RATE // STEP_NL
    assert (truly(bedside), believed(bedside)) == (commanded - (commanded - 10_000) // 100, commanded)


def test_a_back_emf_that_shows_a_standstill_is_believed() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("emf-lie", shows=0)
    bedside.wait(86_400)
    commanded = RATE // STEP_NL
    assert truly(bedside) == commanded
    assert believed(bedside) == BAD * PROFILE.stall.sample_s * RATE // 86_400 // STEP_NL
    assert len(raised_at_s(bedside)) == 1


def test_a_back_emf_that_shows_motion_hides_a_stall_for_ever() -> None:
    bedside = Bedside(PROFILE)
    bedside.fault("emf-lie", shows=1)
    bedside.fault("stall")
    bedside.wait(20 * 86_400)
    assert (truly(bedside), believed(bedside)) == (0, 20 * RATE // STEP_NL)
    assert bedside.alarms() == ()
