"""Programs: none runs outside the pump's limits, each refusal names a way out, and what runs is rounded down."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.program import (
    CATHETER_MAX_NL,
    NO_PATIENT_BOLUS,
    Drug,
    PatientBolusSetting,
    Program,
    check_limits,
    first_program,
    peak_day_nl,
    peak_rate_nl_per_day,
    quantised,
    used,
)
from firmware_model.firmware.schedule import Change, compile_week, volume_nl_us
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_DAY, US_PER_SECOND
from tests.firmware_model.drug_programs import (
    FLEX_DAY,
    any_programs,
    mended,
    mended_for,
    new_program,
    programs_near,
    same_every_day,
)
from tests.firmware_model.pump_profiles import LONG_LOG, changed, shipped

ODD_QUANTUM = changed(LONG_LOG, "therapy", rate_quantum_nl_per_day=1_000, rate_min_nl_per_day=1_234_567)
# Little more than a base rate and a dose at once, and a bolus at most; a day that is full sooner than its rates are.
NARROW = changed(
    changed(shipped("reference-20"), "motor", rate_max_nl_per_day=24_000_000), "therapy", window_max_nl=1_500_000
)
PROFILES = {
    "reference-20": shipped("reference-20"),
    "reference-40": shipped("reference-40"),
    "odd": ODD_QUANTUM,
    "narrow": NARROW,
}
pumps = st.sampled_from(list(PROFILES))
pumps_and_programs = pumps.flatmap(lambda pump: st.tuples(st.just(pump), programs_near(PROFILES[pump])))
PATIENT = PatientBolusSetting(20_000, 600, 7_200, 86_400, 6)


@given(st.one_of(any_programs, pumps_and_programs.map(lambda pair: pair[1])), pumps)
def test_quantisation_rounds_down_leaves_out_and_touches_nothing_else(program: Program, pump: str) -> None:
    profile = PROFILES[pump]
    runs, quantum = quantised(program, profile), profile.therapy.rate_quantum_nl_per_day
    step_nl = profile.motor.step_volume_nl
    assert quantised(runs, profile) == used(runs) == runs
    rounded = ([(program.rate_nl_per_day, runs.rate_nl_per_day, quantum)] if runs.rate_nl_per_day else []) + [
        (asked.rate_nl_per_day, kept.rate_nl_per_day, quantum)
        for asked_day, day in zip(program.schedule, runs.schedule, strict=True)
        for asked, kept in zip(asked_day, day, strict=False)
    ]
    rounded += [(program.dose_volume_nl, runs.dose_volume_nl, step_nl)] if runs.dose_volume_nl else []
    rounded.append((program.patient.volume_nl, runs.patient.volume_nl, step_nl))
    for asked, kept, unit in rounded:
        assert kept % unit == 0
        assert 0 <= asked - kept < unit
    untouched = replace(
        runs,
        rate_nl_per_day=program.rate_nl_per_day,
        dose_volume_nl=program.dose_volume_nl,
        dose_duration_s=runs.dose_duration_s or program.dose_duration_s,
        dose_interval_s=runs.dose_interval_s or program.dose_interval_s,
        schedule=program.schedule,
        patient=replace(runs.patient, volume_nl=program.patient.volume_nl),
    )
    assert untouched == program


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        (Mode.STOPPED, ()),
        (Mode.MINIMUM_RATE, ()),
        (Mode.SIMPLE_CONTINUOUS, ("rate_nl_per_day",)),
        (Mode.FLEX, ("rate_nl_per_day", "schedule")),
        (Mode.SINGLE_BOLUS, ("dose_volume_nl", "dose_duration_s")),
        (Mode.PERIODIC_BOLUS, ("rate_nl_per_day", "dose_volume_nl", "dose_duration_s", "dose_interval_s")),
    ],
)
def test_what_a_mode_does_not_use_is_left_out(mode: Mode, kept: tuple[str, ...]) -> None:
    of_modes: dict[str, object] = {
        "rate_nl_per_day": 620_000,
        "dose_volume_nl": 100_000,
        "dose_duration_s": 1_800,
        "dose_interval_s": 21_600,
        "schedule": same_every_day(*FLEX_DAY),
    }
    program = new_program(LONG_LOG, **{"mode": mode, "patient": PATIENT} | of_modes)
    left = {name: value for name, value in of_modes.items() if name in kept}
    assert used(program) == new_program(LONG_LOG, **{"mode": mode, "patient": PATIENT, "rate_nl_per_day": 0} | left)


def rates_of(program: Program) -> list[int]:
    """Every base rate that a program makes."""
    return [program.rate_nl_per_day, *(change.rate_nl_per_day for day in program.schedule for change in day)]


@settings(max_examples=150)
@given(pumps_and_programs)
def test_nothing_that_is_admitted_is_outside_the_limits(pump: tuple[str, Program]) -> None:
    profile, asked = PROFILES[pump[0]], pump[1]
    runs = quantised(mended_for(asked, profile), profile)
    therapy, bolus, reservoir, motor = profile.therapy, profile.bolus, profile.reservoir, profile.motor
    assert all(1 <= drug.concentration_ng_per_ml <= therapy.concentration_max_ng_per_ml for drug in runs.drugs)
    assert therapy.rate_min_nl_per_day <= runs.rate_max_nl_per_day <= therapy.rate_max_nl_per_day
    assert bolus.volume_min_nl <= runs.bolus_volume_max_nl <= bolus.volume_max_nl
    assert 1 <= runs.window_max_nl <= therapy.window_max_nl
    assert reservoir.empty_nl <= runs.low_reservoir_nl <= reservoir.capacity_nl
    assert runs.catheter_nl <= CATHETER_MAX_NL
    for repeat_min in (runs.critical_repeat_min, runs.non_critical_repeat_min):
        assert repeat_min == 0 or profile.tones.repeat_min_min <= repeat_min <= profile.tones.repeat_max_min
    none_allowed = {Mode.STOPPED, Mode.MINIMUM_RATE, Mode.SINGLE_BOLUS, Mode.PERIODIC_BOLUS}
    for rate in rates_of(runs):
        assert rate or runs.mode in none_allowed
        assert rate == 0 or therapy.rate_min_nl_per_day <= rate <= runs.rate_max_nl_per_day
    for volume_nl, duration_s in ((runs.dose_volume_nl, runs.dose_duration_s), astuple(runs.patient)[:2]):
        if duration_s:
            assert bolus.volume_min_nl <= volume_nl <= runs.bolus_volume_max_nl
            assert bolus.duration_min_s <= duration_s <= bolus.duration_max_s
            assert volume_nl * SECONDS_PER_DAY <= bolus.rate_max_nl_per_day * duration_s
            assert (
                max(rates_of(runs)) * duration_s + volume_nl * SECONDS_PER_DAY <= motor.rate_max_nl_per_day * duration_s
            )
    if runs.mode is Mode.PERIODIC_BOLUS:
        assert runs.dose_duration_s <= runs.dose_interval_s
    if runs.patient != NO_PATIENT_BOLUS:
        assert profile.patient.lockout_min_s <= runs.patient.lockout_s <= profile.patient.lockout_max_s
        assert profile.patient.window_min_s <= runs.patient.window_s <= profile.patient.window_max_s
        assert 1 <= runs.patient.activations_max <= profile.patient.activations_max
    assert peak_rate_nl_per_day(runs, profile) <= motor.rate_max_nl_per_day
    assert peak_day_nl(runs, profile) <= runs.window_max_nl
    # What has been admitted and rounded down is admitted again: at VALIDATE, at COMMIT and at each boot.
    assert check_limits(runs, profile) is None


@settings(max_examples=100)
@given(pumps_and_programs)
def test_who_does_what_a_refusal_says_gets_there(pump: tuple[str, Program]) -> None:
    """No field is refused for ever, however many of them were wrong."""
    profile = PROFILES[pump[0]]
    assert check_limits(mended_for(pump[1], profile), profile) is None


FLEX = {"mode": Mode.FLEX, "schedule": same_every_day(*FLEX_DAY)}
SINGLE = {"mode": Mode.SINGLE_BOLUS, "dose_volume_nl": 100_000, "dose_duration_s": 1_800}
PERIODIC = {
    "mode": Mode.PERIODIC_BOLUS,
    "rate_nl_per_day": 0,
    "dose_volume_nl": 100_000,
    "dose_duration_s": 1_800,
    "dose_interval_s": 21_600,
}
BELOW, ABOVE = Reason.BELOW_MINIMUM, Reason.ABOVE_MAXIMUM


def flex_with(rate: int) -> dict[str, object]:
    week = list(same_every_day(*FLEX_DAY))
    week[2] = (Change(0, 500_000), Change(720, rate))
    return {"mode": Mode.FLEX, "schedule": tuple(week)}


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"drugs": (Drug("baclofen", 0),)}, (BELOW, "drugs", Block.DRUGS, 1)),
        ({"drugs": (Drug("a", 5), Drug("b", 100_000_001))}, (ABOVE, "drugs", Block.DRUGS, 100_000_000)),
        ({"rate_nl_per_day": 47_999}, (BELOW, "rate_nl_per_day", Block.INFUSION, 48_000)),
        ({"rate_nl_per_day": 24_000_001}, (ABOVE, "rate_nl_per_day", Block.INFUSION, 24_000_000)),
        ({"rate_max_nl_per_day": 619_999}, (ABOVE, "rate_nl_per_day", Block.INFUSION, 619_999)),
        ({"rate_max_nl_per_day": 47_999}, (BELOW, "rate_max_nl_per_day", Block.LIMITS, 48_000)),
        ({"rate_max_nl_per_day": 24_000_001}, (ABOVE, "rate_max_nl_per_day", Block.LIMITS, 24_000_000)),
        ({"bolus_volume_max_nl": 999}, (BELOW, "bolus_volume_max_nl", Block.LIMITS, 1_000)),
        ({"bolus_volume_max_nl": 1_000_001}, (ABOVE, "bolus_volume_max_nl", Block.LIMITS, 1_000_000)),
        ({"window_max_nl": 30_000_001}, (ABOVE, "window_max_nl", Block.LIMITS, 30_000_000)),
        # The program itself gives 0.62 mL in 24 hours; stopped, it gives none, but some limit there must be.
        ({"window_max_nl": 619_999}, (BELOW, "window_max_nl", Block.LIMITS, 620_000)),
        ({"window_max_nl": 0, "mode": Mode.STOPPED}, (BELOW, "window_max_nl", Block.LIMITS, 1)),
        ({"low_reservoir_nl": 999_999}, (BELOW, "low_reservoir_nl", Block.ALARMS, 1_000_000)),
        ({"low_reservoir_nl": 20_000_001}, (ABOVE, "low_reservoir_nl", Block.ALARMS, 20_000_000)),
        ({"critical_repeat_min": 4}, (BELOW, "critical_repeat_min", Block.ALARMS, 5)),
        ({"non_critical_repeat_min": 241}, (ABOVE, "non_critical_repeat_min", Block.ALARMS, 240)),
        ({"catheter_nl": 10_000_001}, (ABOVE, "catheter_nl", Block.CATHETER, 10_000_000)),
        (flex_with(47_999), (BELOW, "wednesday", Block.SCHEDULE, 48_000)),
        (flex_with(0), (BELOW, "wednesday", Block.SCHEDULE, 48_000)),
        (flex_with(24_000_001), (ABOVE, "wednesday", Block.SCHEDULE, 24_000_000)),
        (FLEX | {"rate_max_nl_per_day": 899_999}, (ABOVE, "monday", Block.SCHEDULE, 899_999)),
        (FLEX | {"rate_nl_per_day": 0}, (BELOW, "rate_nl_per_day", Block.INFUSION, 48_000)),
        # 14 hours of 0.9, 8 of 0.5 and 2 of 0.6 mL/day are 741,667 nl.
        (FLEX | {"window_max_nl": 741_666}, (BELOW, "window_max_nl", Block.LIMITS, 741_667)),
        (PERIODIC | {"dose_volume_nl": 999}, (BELOW, "dose_volume_nl", Block.INFUSION, 1_000)),
        (PERIODIC | {"bolus_volume_max_nl": 99_999}, (ABOVE, "dose_volume_nl", Block.INFUSION, 99_999)),
        # 0.1 mL at 24 mL a day take six minutes.
        (PERIODIC | {"dose_duration_s": 359}, (BELOW, "dose_duration_s", Block.INFUSION, 360)),
        (PERIODIC | {"dose_duration_s": 86_401}, (ABOVE, "dose_duration_s", Block.INFUSION, 86_400)),
        (PERIODIC | {"dose_interval_s": 1_799}, (BELOW, "dose_interval_s", Block.INFUSION, 1_800)),
        (PERIODIC | {"rate_nl_per_day": 47_999}, (BELOW, "rate_nl_per_day", Block.INFUSION, 48_000)),
        # Five doses can reach into the same 24 hours, though no more than the volume of four falls within them.
        (PERIODIC | {"window_max_nl": 499_999}, (BELOW, "window_max_nl", Block.LIMITS, 500_000)),
        (SINGLE | {"window_max_nl": 99_999}, (BELOW, "window_max_nl", Block.LIMITS, 100_000)),
        ({"patient": replace(PATIENT, volume_nl=0)}, (BELOW, "volume_nl", Block.PATIENT, 1_000)),
        ({"patient": PATIENT, "bolus_volume_max_nl": 19_999}, (ABOVE, "volume_nl", Block.PATIENT, 19_999)),
        ({"patient": replace(PATIENT, duration_s=71)}, (BELOW, "duration_s", Block.PATIENT, 72)),
        ({"patient": replace(PATIENT, lockout_s=299)}, (BELOW, "lockout_s", Block.PATIENT, 300)),
        ({"patient": replace(PATIENT, lockout_s=86_401)}, (ABOVE, "lockout_s", Block.PATIENT, 86_400)),
        ({"patient": replace(PATIENT, window_s=3_599)}, (BELOW, "window_s", Block.PATIENT, 3_600)),
        ({"patient": replace(PATIENT, window_s=86_401)}, (ABOVE, "window_s", Block.PATIENT, 86_400)),
        ({"patient": replace(PATIENT, activations_max=0)}, (BELOW, "activations_max", Block.PATIENT, 1)),
        ({"patient": replace(PATIENT, activations_max=25)}, (ABOVE, "activations_max", Block.PATIENT, 24)),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_refusal_names_field_block_and_limit(
    values: dict[str, object], refusal: tuple[Reason, str, Block, int]
) -> None:
    profile = PROFILES["reference-20"]
    reason, field, block, limit = refusal
    found = check_limits(new_program(profile, **values), profile)
    assert found == Refusal(reason, field, element=block, detail=limit)


HALF = {"mode": Mode.PERIODIC_BOLUS, "dose_volume_nl": 500_000, "dose_duration_s": 3_600}


@pytest.mark.parametrize(
    ("values", "field", "reason", "limit"),
    [
        # The day has room for 1.5 mL: for a dose of 0.5 mL and a base rate of 1 mL/day.
        ({"rate_nl_per_day": 1_000_001, "dose_interval_s": 172_800}, "rate_nl_per_day", ABOVE, 1_000_000),
        # Or for three doses, of which no fourth may reach into the same 24 hours.
        ({"rate_nl_per_day": 0, "dose_interval_s": 29_999}, "dose_interval_s", BELOW, 30_000),
    ],
)
def test_base_and_doses_share_the_day(values: dict[str, object], field: str, reason: Reason, limit: int) -> None:
    program = new_program(NARROW, **HALF, **values)
    refusal = Refusal(reason, field, element=Block.INFUSION, detail=limit)
    assert check_limits(program, NARROW) == refusal
    assert check_limits(mended(program, refusal), NARROW) is None


def test_base_and_doses_share_the_motor() -> None:
    """It makes 24 mL/day, of which a dose of 0.5 mL in half an hour and a second takes 23,986,674 nl/d."""
    program = new_program(NARROW, **HALF | {"dose_duration_s": 1_801}, dose_interval_s=172_800, rate_nl_per_day=100_000)
    assert check_limits(program, NARROW) == Refusal(ABOVE, "rate_nl_per_day", element=Block.INFUSION, detail=0)
    assert check_limits(replace(program, rate_nl_per_day=0), NARROW) is None
    assert check_limits(replace(program, dose_duration_s=1_900), NARROW) is None


def test_a_patients_bolus_shares_the_motor_with_the_fastest_base_rate() -> None:
    """Beside a base of 1.2 mL/day the motor has 22.8 mL/day left, of which 0.1 mL take 379 s."""
    week, patient = same_every_day((0, 500_000), (720, 1_200_000)), replace(PATIENT, volume_nl=100_000, duration_s=378)
    program = new_program(NARROW, mode=Mode.FLEX, schedule=week, patient=patient)
    assert check_limits(program, NARROW) == Refusal(BELOW, "duration_s", element=Block.PATIENT, detail=379)


def test_a_rate_that_rounding_would_bring_below_the_minimum_is_below_it() -> None:
    """The least rate is 1,234,567; in quanta of 1,000 that is 1,235,000."""
    for rate in (1_234_567, 1_234_999):
        refusal = check_limits(new_program(ODD_QUANTUM, rate_nl_per_day=rate), ODD_QUANTUM)
        assert refusal == Refusal(BELOW, "rate_nl_per_day", element=Block.INFUSION, detail=1_235_000)
    admitted = new_program(ODD_QUANTUM, rate_nl_per_day=1_235_999)
    assert check_limits(admitted, ODD_QUANTUM) is None
    assert quantised(admitted, ODD_QUANTUM) == replace(admitted, rate_nl_per_day=1_235_000)


def test_a_volume_that_rounding_would_bring_below_the_minimum_is_below_it() -> None:
    """The least bolus is 1,010 nl; in steps of 25 nl that is 1,025."""
    profile = changed(PROFILES["reference-20"], "bolus", volume_min_nl=1_010)
    program = new_program(profile, mode=Mode.SINGLE_BOLUS, dose_volume_nl=1_024, dose_duration_s=60)
    assert check_limits(program, profile) == Refusal(BELOW, "dose_volume_nl", element=Block.INFUSION, detail=1_025)
    assert check_limits(replace(program, dose_volume_nl=1_049), profile) is None
    assert quantised(replace(program, dose_volume_nl=1_049), profile).dose_volume_nl == 1_025


@settings(max_examples=150)
@given(pumps_and_programs, st.integers(0, 2 * 604_800), st.integers(1, SECONDS_PER_DAY))
def test_no_day_holds_more_than_the_peak_whenever_it_begins(
    pump: tuple[str, Program], start_s: int, length_s: int
) -> None:
    """Base and doses second by second of their rules, the first dose one interval after the start."""
    profile, asked = PROFILES[pump[0]], pump[1]
    program = quantised(mended_for(asked, profile), profile)
    end_s = start_s + length_s
    volume_nl = program.flow_nl_per_day(profile) * length_s // SECONDS_PER_DAY
    if program.mode is Mode.FLEX:
        week = compile_week(program.schedule)
        volume_nl = volume_nl_us(week, start_s * US_PER_SECOND, length_s * US_PER_SECOND) // US_PER_DAY
    starts = {Mode.SINGLE_BOLUS: [0]}.get(program.mode, [])
    if program.mode is Mode.PERIODIC_BOLUS:
        first = max(1, (start_s - program.dose_duration_s) // program.dose_interval_s)
        last = end_s // program.dose_interval_s
        starts = [number * program.dose_interval_s for number in range(first, last + 1)]
    within = [start for start in starts if start < end_s and start + program.dose_duration_s > start_s]
    volume_nl += len(within) * program.dose_volume_nl
    assert volume_nl <= peak_day_nl(program, profile)


def test_the_peaks_of_each_mode() -> None:
    profile = PROFILES["reference-20"]

    def peaks(**values: object) -> tuple[int, int]:
        program = new_program(profile, **values)
        return peak_rate_nl_per_day(program, profile), peak_day_nl(program, profile)

    assert peaks(mode=Mode.STOPPED) == (0, 0)
    assert peaks(mode=Mode.MINIMUM_RATE) == (48_000, 48_000)
    assert peaks() == (620_000, 620_000)
    assert peaks(**FLEX) == (900_000, 741_667)
    # While the clock is lost the one rate flows, and it may be the greater one.
    assert peaks(**FLEX, rate_nl_per_day=950_000) == (950_000, 950_000)
    assert peaks(**SINGLE) == (4_800_000, 100_000)
    assert peaks(**PERIODIC | {"rate_nl_per_day": 100_000}) == (4_900_000, 600_000)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_what_a_new_pump_runs_is_admitted(profile: Profile) -> None:
    first = first_program(profile)
    assert check_limits(first, profile) is None
    assert quantised(first, profile) == first
    assert (first.patient, first.window_max_nl) == (NO_PATIENT_BOLUS, profile.therapy.window_max_nl)
