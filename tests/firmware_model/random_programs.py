"""Random programs of every mode: most of them run, some of them ask for a little too much."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from firmware_model.firmware.codes import Mode
from firmware_model.firmware.program import (
    CHANGES_PER_DAY,
    NO_PATIENT_BOLUS,
    Drug,
    PatientBolusSetting,
    Program,
    first_program,
    peak_day_nl,
)
from firmware_model.firmware.schedule import MINUTES_PER_DAY, WEEKDAYS, Change, Day, Week
from firmware_model.profile import Profile

MIXTURES: tuple[tuple[Drug, ...], ...] = (
    (),
    (Drug("morphine", 10_000_000),),
    (Drug("morphine", 25_000_000, 90),),
    (Drug("baclofen", 500_000, 180), Drug("clonidine", 70_000)),
)
"""What is in the reservoir, and what programs are meant for."""
_MODES = (*Mode, Mode.FLEX, Mode.FLEX, Mode.PERIODIC_BOLUS, Mode.SINGLE_BOLUS)
_USUAL_NL_PER_DAY, _FASTEST_NL_PER_DAY = 1_000_000, 24_000_000


def any_scale(random: Random, lowest: int, highest: int) -> int:
    """A whole number of any size: small ones are as likely as great ones."""
    bits = random.randint(lowest.bit_length(), highest.bit_length())
    return min(max(lowest, random.getrandbits(bits)), highest)


def a_program(
    random: Random, profile: Profile, modes: tuple[Mode, ...] = _MODES, *, for_patient: bool = False
) -> Program:
    """A program, of which one in eight has a field that may be beyond its limits."""
    mode = random.choice(modes)
    program = replace(
        first_program(profile),
        drugs=random.choice(MIXTURES) if random.random() < 0.3 else MIXTURES[1],
        mode=mode,
        rate_nl_per_day=_a_rate(random, profile),
        low_reservoir_nl=random.randint(profile.reservoir.empty_nl, profile.reservoir.low_nl * 2),
        catheter_nl=random.choice((0, profile.catheter.catheter_nl, profile.catheter.catheter_nl, 1_500)),
        bolus_volume_max_nl=random.choice((profile.bolus.volume_max_nl, 20 * profile.motor.step_volume_nl)),
        patient=NO_PATIENT_BOLUS if not for_patient and random.random() < 0.4 else _a_patient_bolus(random, profile),
        critical_repeat_min=random.choice((0, 5, 60)),
    )
    if mode is Mode.FLEX:
        program = replace(program, schedule=_a_week(random, profile))
    if mode in (Mode.SINGLE_BOLUS, Mode.PERIODIC_BOLUS):
        program = _with_a_dose(random, program, profile)
    if random.random() < 0.6:
        # The window holds what the program gives by itself, and a few boluses beside it.
        room_nl = random.randint(0, 6) * max(program.patient.volume_nl, 3 * profile.motor.step_volume_nl)
        window_nl = min(peak_day_nl(program, profile) + room_nl, profile.therapy.window_max_nl)
        program = replace(program, window_max_nl=window_nl)
    return _spoilt(random, program) if random.random() < 0.125 else program


def _a_rate(random: Random, profile: Profile) -> int:
    fastest = _FASTEST_NL_PER_DAY if random.random() < 0.1 else _USUAL_NL_PER_DAY
    return any_scale(random, profile.therapy.rate_min_nl_per_day, fastest)


def _a_week(random: Random, profile: Profile) -> Week:
    patterns = [_a_day(random, profile) for _ in range(random.choice((1, 2, 7)))]
    return tuple(random.choice(patterns) for _ in WEEKDAYS)


def _a_day(random: Random, profile: Profile) -> Day:
    starts = random.sample(range(1, MINUTES_PER_DAY), random.choice((0, 1, 2, CHANGES_PER_DAY - 1)))
    least = profile.therapy.rate_min_nl_per_day
    return tuple(Change(start, any_scale(random, least, _USUAL_NL_PER_DAY)) for start in (0, *sorted(starts)))


def _with_a_dose(random: Random, program: Program, profile: Profile) -> Program:
    duration_s = random.choice((60, 600, 3_600, random.randint(1, profile.bolus.duration_max_s)))
    return replace(
        program,
        rate_nl_per_day=random.choice((0, 0, any_scale(random, 1, 1_000_000))),
        dose_volume_nl=random.randint(1, 20) * profile.motor.step_volume_nl + random.randint(0, 99),
        dose_duration_s=duration_s,
        dose_interval_s=duration_s + random.choice((0, 600, 7_200, random.randint(0, 400_000))),
    )


def _a_patient_bolus(random: Random, profile: Profile) -> PatientBolusSetting:
    return PatientBolusSetting(
        volume_nl=random.randint(1, 12) * profile.motor.step_volume_nl + random.randint(0, 99),
        duration_s=random.choice((60, 240, random.randint(1, 3_600))),
        lockout_s=random.choice((300, 301, random.randint(300, 20_000))),
        window_s=random.choice((3_600, 3_601, 86_400)),
        activations_max=random.choice((1, 2, 3, 24)),
    )


def _spoilt(random: Random, program: Program) -> Program:
    """A program of which one field may not be so."""
    field = random.choice(
        (
            "rate_nl_per_day",
            "rate_max_nl_per_day",
            "bolus_volume_max_nl",
            "window_max_nl",
            "low_reservoir_nl",
            "dose_volume_nl",
            "dose_duration_s",
            "dose_interval_s",
            "catheter_nl",
        )
    )
    return replace(program, **{field: any_scale(random, 0, 0xFFFF_FFFF)})  # type: ignore[arg-type] # a field's name
