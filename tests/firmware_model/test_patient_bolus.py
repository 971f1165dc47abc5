"""The patient's own bolus: a dose of the clinician's choice, and never sooner, oftener or more than he allowed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import AllowanceAnswer, BegunBolus, OpOutcome, ReadAllowance, Reason, RefillBegun, Refusal
from firmware_model.firmware.codes import AlarmType, BolusKind, OpKind, OpState, Role
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import PatientBolusSetting
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
HOUR_S, DAY_S = 3_600, 86_400
VOLUME_NL, DURATION_S, LOCKOUT_S, MOST = 50_000, 600, 2 * HOUR_S, 4
SETTING = PatientBolusSetting(VOLUME_NL, DURATION_S, LOCKOUT_S, DAY_S, MOST)


def at_bedside(setting: PatientBolusSetting = SETTING, **values: int) -> Bedside:
    """A pump that has just been programmed with a patient bolus."""
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, patient=setting, **values)))
    return bedside


def ready(setting: PatientBolusSetting = SETTING, **values: int) -> Bedside:
    """The same, with the lockout behind the programming over."""
    bedside = at_bedside(setting, **values)
    bedside.wait(setting.lockout_s)
    return bedside


def steps(bedside: Bedside) -> int:
    return bedside.pump.plant.motor.steps


def allowance(bedside: Bedside) -> AllowanceAnswer:
    reply = bedside.ask(ReadAllowance(bedside.origin(operation="LIMITS")))
    assert isinstance(reply, AllowanceAnswer), reply
    return reply


def seconds(bedside: Bedside) -> int:
    """The pump's own time."""
    return bedside.status().elapsed_us // 1_000_000


# --- properties -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.integers(300, DAY_S),
    st.integers(HOUR_S, DAY_S),
    st.integers(1, 6),
    st.lists(st.integers(60, 30_000), min_size=1, max_size=24),
)
def test_a_press_is_granted_when_lockout_and_window_allow_it_and_else_refused(
    lockout_s: int, window_s: int, most: int, waits_s: list[int]
) -> None:
    """Against a list of all presses that were granted."""
    bedside = at_bedside(PatientBolusSetting(1_000, 60, lockout_s, window_s, most))
    free_s = lockout_s
    granted_s: list[int] = []
    for wait_s in waits_s:
        bedside.wait(wait_s)
        now_s = seconds(bedside)
        lately = [start_s for start_s in granted_s if start_s > now_s - window_s]
        left_s = max(free_s - now_s, lately[0] + window_s - now_s if len(lately) >= most else 0)
        told = allowance(bedside)
        assert (told.lockout_left_s, told.activations_left) == (max(0, left_s), most - len(lately))
        reply = bedside.patient_bolus()
        if left_s <= 0:
            assert granted(reply).state is OpState.EXECUTING
            granted_s.append(now_s)
            free_s = now_s + lockout_s
        else:
            assert refused(reply).reason is Reason.LOCKOUT
            assert refused(reply).detail == (free_s - now_s if free_s > now_s else left_s)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1_000, 24_000).map(lambda quanta: quanta * 100),
    st.integers(100_000, 1_500_000),
    st.lists(st.tuples(st.integers(0, 10 * HOUR_S), st.integers(1_000, 1_000_000), st.booleans()), max_size=14),
)
def test_no_24_hours_ever_hold_more_than_the_limit(rate: int, room_nl: int, asked: list[tuple[int, int, bool]]) -> None:
    """Base rate, the clinician's boluses and the patient's together, in every window and not only in the past one."""
    rate -= rate % PROFILE.therapy.rate_quantum_nl_per_day
    limit_nl = rate + room_nl
    bedside = at_bedside(PatientBolusSetting(VOLUME_NL, DURATION_S, 300, HOUR_S, 24), rate_nl_per_day=rate)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=rate, window_max_nl=limit_nl, patient=SETTING)))
    flowed_nl = [0]

    def wait(seconds_: int) -> None:
        for _ in range(seconds_ // 600):
            bedside.wait(600)
            flowed_nl.append(steps(bedside) * bedside.step_nl)

    for wait_s, volume_nl, by_patient in asked:
        wait(wait_s)
        if by_patient:
            bedside.patient_bolus()
        elif not isinstance(bedside.prepare(volume_nl, HOUR_S), Refusal):
            bedside.bolus(volume_nl, HOUR_S)
    wait(2 * DAY_S)
    ticks = DAY_S // 600
    worst_nl = max(later - before for before, later in zip(flowed_nl, flowed_nl[ticks:], strict=False))
    assert worst_nl <= limit_nl + bedside.step_nl


@settings(max_examples=40, deadline=None)
@given(st.integers(0, LOCKOUT_S), st.integers(0, 400), st.integers(1, 3))
def test_a_reset_only_ever_lengthens_a_lockout(wait_s: int, off_s: int, resets: int) -> None:
    """Elapsed time goes ahead by up to a minute at a reset, and stands still without power."""
    bedside = ready()
    granted(bedside.patient_bolus())
    bedside.wait(wait_s)
    for _ in range(resets):
        left_s = LOCKOUT_S - wait_s
        before_s = allowance(bedside).lockout_left_s
        bedside.cut_power()
        bedside.wait(off_s)
        bedside.restore_power()
        assert left_s <= before_s <= allowance(bedside).lockout_left_s <= before_s + 60
        if wait_s < LOCKOUT_S:
            assert refused(bedside.patient_bolus()).reason is Reason.LOCKOUT


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3_000_000), st.sampled_from([(HOUR_S, 10), (300, 1)]))
def test_neither_lockout_nor_window_is_over_a_moment_too_early(odd_us: int, limits: tuple[int, int]) -> None:
    lockout_s, most = limits
    bedside = ready(PatientBolusSetting(1_000, 60, lockout_s, HOUR_S, most))
    bedside.pump.advance(bedside.now + odd_us)
    granted(bedside.patient_bolus())
    pressed_us = bedside.now
    bedside.pump.advance(pressed_us + HOUR_S * 1_000_000 - 1)
    assert refused(bedside.patient_bolus()).reason is Reason.LOCKOUT
    bedside.wait(1)
    granted(bedside.patient_bolus())


# --- lockout --------------------------------------------------------------------------------------------------------


def test_the_lockout_counts_from_the_press_to_the_second() -> None:
    bedside = ready()
    outcome = granted(bedside.patient_bolus())
    assert outcome.begun == BegunBolus(1, VOLUME_NL, DURATION_S)
    bedside.wait(LOCKOUT_S - 1)
    assert refused(bedside.patient_bolus()) == Refusal(Reason.LOCKOUT, detail=1)
    bedside.wait(1)
    assert granted(bedside.patient_bolus()).state is OpState.EXECUTING


def test_a_bolus_gives_its_volume_beside_the_base_rate_and_stands_in_the_patients_ledger() -> None:
    bedside = ready(rate_nl_per_day=240_000)
    before = steps(bedside)
    outcome = granted(bedside.patient_bolus())
    bedside.wait(HOUR_S)
    assert steps(bedside) - before == (VOLUME_NL + 10_000) // bedside.step_nl
    told = bedside.query(outcome.op_id, Role.PATIENT)
    assert (told.state, told.entry and told.entry.max_nl) == (OpState.DONE, VOLUME_NL)
    clinicians = bedside.query(outcome.op_id).entry
    assert clinicians is not None
    assert clinicians.kind is OpKind.PROGRAM, "the same number, another ledger"
    begun, ended = bedside.log()[-2:]
    assert (begun.detail["kind"], begun.detail["role"]) == (BolusKind.PATIENT, Role.PATIENT)
    assert (ended.type, ended.detail["delivered_max_nl"]) == (LogType.BOLUS_ENDED, VOLUME_NL)


def test_programming_and_refilling_begin_a_lockout() -> None:
    """As the clinics have it (Medtronic UK, optimizing therapy): the first press is not while the visit lasts."""
    bedside = at_bedside()
    assert refused(bedside.patient_bolus()) == Refusal(Reason.LOCKOUT, detail=LOCKOUT_S)
    bedside.wait(LOCKOUT_S + 100)
    bedside.refill(20_000_000)
    assert refused(bedside.patient_bolus()) == Refusal(Reason.LOCKOUT, detail=LOCKOUT_S)
    bedside.wait(100)
    granted(bedside.program(new_program(PROFILE, patient=PatientBolusSetting(VOLUME_NL, 600, 300, DAY_S, 1))))
    assert refused(bedside.patient_bolus()) == Refusal(Reason.LOCKOUT, detail=LOCKOUT_S - 100), "the longer one stays"


def test_neither_the_clock_nor_a_stop_shortens_a_lockout() -> None:
    bedside = ready()
    granted(bedside.patient_bolus())
    bedside.wait(HOUR_S)
    granted(bedside.set_time(2_000_000_000))
    bedside.stop()
    bedside.start()
    bedside.wait(LOCKOUT_S - HOUR_S - 1)
    assert refused(bedside.patient_bolus()) == Refusal(Reason.LOCKOUT, detail=1)


def test_a_refused_press_delivers_nothing_and_starts_no_lockout() -> None:
    bedside = ready()
    granted(bedside.patient_bolus())
    bedside.wait(LOCKOUT_S - 10)
    before, made = bedside.pump.digest(), steps(bedside)
    assert [refused(bedside.patient_bolus()).detail for _ in range(3)] == [10] * 3
    assert (bedside.pump.digest(), steps(bedside)) == (before, made)
    bedside.wait(10)
    assert granted(bedside.patient_bolus()).state is OpState.EXECUTING


def test_the_same_press_sent_twice_is_one_bolus() -> None:
    bedside = ready()
    first = granted(bedside.patient_bolus(1))
    bedside.wait(LOCKOUT_S)
    again = granted(bedside.patient_bolus(1, rev=0))
    assert (again.repeated, again.state, again.max_nl) == (True, OpState.DONE, VOLUME_NL)
    assert again.log_sequence == first.log_sequence
    assert bedside.status().bolus_id == 0
    assert granted(bedside.patient_bolus(2)).repeated is False


# --- windows --------------------------------------------------------------------------------------------------------


def test_in_a_window_there_are_so_many_presses_and_the_next_is_told() -> None:
    bedside = ready()
    for _ in range(MOST):
        granted(bedside.patient_bolus())
        bedside.wait(LOCKOUT_S)
    left_s = DAY_S - MOST * LOCKOUT_S
    assert refused(bedside.patient_bolus()) == Refusal(Reason.LOCKOUT, element=MOST, detail=left_s)
    told = allowance(bedside)
    assert (told.activations_left, told.lockout_left_s) == (0, left_s)
    bedside.wait(left_s - 1)
    assert refused(bedside.patient_bolus()).detail == 1
    bedside.wait(1)
    assert granted(bedside.patient_bolus()).state is OpState.EXECUTING
    bedside.wait(LOCKOUT_S - 1)
    assert refused(bedside.patient_bolus()).element == 0, "now it is the lockout"


def test_the_limit_of_24_hours_reserves_what_the_program_still_gives() -> None:
    """The hole in Open PCA's rule (Vasicek et al., ICLP 2024, doi 10.1017/S1471068424000280).

    The rule counts what has been given in the last 24 hours. This pump is new and has given nothing, so the rule admits
    a bolus of 1 mL under a limit of 3 mL; the base rate of 2.4 mL a day then brings the day to 3.4 mL. What the
    program gives in any 24 hours belongs to the limit before it has flowed.
    """
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=2_400_000, window_max_nl=3_000_000)))
    assert steps(bedside) == 0
    assert refused(bedside.prepare(1_000_000, HOUR_S)) == Refusal(Reason.WINDOW_LIMIT, "volume_nl", detail=600_000)
    assert allowance(bedside).window_left_nl == 600_000
    bedside.bolus(600_000, HOUR_S)
    bedside.wait(DAY_S)
    assert steps(bedside) * bedside.step_nl == 3_000_000
    assert refused(bedside.prepare(1_000, 60)).detail == 0, "its last drops flowed 23 hours ago"
    bedside.wait(HOUR_S)
    assert bedside.prepared(600_000, HOUR_S).available_nl == 600_000


def test_a_cancelled_bolus_counts_with_what_it_has_given() -> None:
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=2_400_000, window_max_nl=3_000_000)))
    bedside.bolus(600_000, HOUR_S)
    bedside.wait(HOUR_S / 4)
    granted(bedside.cancel(1))
    assert allowance(bedside).window_left_nl == 450_000


# --- refusals and their limits --------------------------------------------------------------------------------------


def refill_to(bedside: Bedside, volume_nl: int) -> None:
    """Only said, so that the computed reservoir is so low."""
    begun = bedside.begin_refill()
    assert isinstance(begun, RefillBegun)
    granted(bedside.commit_refill(begun.refill_id, 0, volume_nl))


def test_without_a_setting_there_is_no_patient_bolus() -> None:
    assert refused(Bedside(PROFILE).patient_bolus()) == Refusal(Reason.CONDITIONS)


@pytest.mark.parametrize("case", ["stopped", "bolus", "held", "reservoir", "window"])
def test_what_stands_in_the_way_is_said_with_its_limit(case: str) -> None:
    most_in_a_day = PROFILE.therapy.rate_nl_per_day + VOLUME_NL
    bedside = ready(window_max_nl=most_in_a_day)
    expected: Refusal
    match case:
        case "stopped":
            bedside.stop()
            expected = Refusal(Reason.PUMP_STOPPED)
        case "bolus":
            bolus = bedside.bolus(10_000, HOUR_S).begun
            assert bolus is not None
            expected = Refusal(Reason.BOLUS_RUNNING, detail=bolus.bolus_id)
        case "held":
            refill_to(bedside, PROFILE.reservoir.empty_nl)
            low, empty = bedside.alarms()
            assert (low.type, empty.type) == (AlarmType.LOW_RESERVOIR, AlarmType.EMPTY_RESERVOIR)
            expected = Refusal(Reason.ALARM_BLOCKS, element=AlarmType.EMPTY_RESERVOIR, detail=empty.instance)
        case "reservoir":
            refill_to(bedside, PROFILE.reservoir.empty_nl + VOLUME_NL + 600_000 * LOCKOUT_S // DAY_S)
            bedside.wait(LOCKOUT_S)
            left_nl = allowance(bedside).reservoir_left_nl
            assert left_nl < VOLUME_NL
            expected = Refusal(Reason.RESERVOIR, detail=left_nl)
        case _:
            bedside.bolus(10_000, 60)
            bedside.wait(60)
            expected = Refusal(Reason.WINDOW_LIMIT, detail=VOLUME_NL - 10_000)
    before = bedside.pump.digest()
    assert refused(bedside.patient_bolus()) == expected
    assert bedside.pump.digest() == before


def test_a_dose_that_no_window_could_remember_is_not_given() -> None:
    """With room for 24 boluses, all of them within two days; then nothing is left of the window, and it is said so."""
    large = shipped("reference-40")
    bedside = Bedside(large)
    setting = PatientBolusSetting(2_000, 90, 600, 172_800, 20)
    granted(bedside.program(new_program(large, patient=setting)))
    for _ in range(large.memory.dose_history):
        bedside.bolus(2_000, 90)
        bedside.wait(6_000)
    assert allowance(bedside).window_left_nl == 0
    assert refused(bedside.prepare(2_000, 90)) == Refusal(Reason.WINDOW_LIMIT, "volume_nl", detail=0)
    assert refused(bedside.patient_bolus()) == Refusal(Reason.WINDOW_LIMIT, detail=0)
    bedside.wait(172_800 + 90 - large.memory.dose_history * 6_000)
    assert bedside.prepared(2_000, 90).volume_nl == 2_000


def test_while_a_stall_is_known_the_patient_is_told_so() -> None:
    bedside = ready()
    bedside.fault("stall")
    bedside.wait(HOUR_S)
    before = allowance(bedside)
    assert refused(bedside.patient_bolus()) == Refusal(Reason.STALLED)
    assert allowance(bedside) == before


def test_a_lost_ledger_says_of_no_press_that_it_was_never_made() -> None:
    bedside = ready()
    bedside.cut_power()
    pair = bedside.pump.memory.control
    for place in range(len(pair.region)):
        pair.region[place] ^= 1
    bedside.restore_power()
    reply = bedside.patient_bolus(1)
    assert not isinstance(reply, OpOutcome)
    assert refused(reply) == Refusal(Reason.MEMORY_FAILURE)
