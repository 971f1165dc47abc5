"""What a pump makes of a program: its limits, what of it will run, its peaks, and the program of a new pump.

Its fields and its image stand in `program_image.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.program_image import (
    BLOCK_BYTES,
    CHANGES_PER_DAY,
    DRUG_NAME_BYTES,
    DRUG_PLACES,
    IMAGE_BYTES,
    NO_PATIENT_BOLUS,
    WRITABLE_BLOCKS,
    Drug,
    PatientBolusSetting,
    Program,
    check_image,
    unpack_program,
)
from firmware_model.firmware.schedule import NO_SCHEDULE, WEEKDAYS, compile_week, peak_window
from firmware_model.profile import Profile
from firmware_model.quantities import HIGHEST_U32, SECONDS_PER_DAY, US_PER_DAY, ceil_div

__all__ = [
    "BLOCK_BYTES",
    "CATHETER_MAX_NL",
    "CHANGES_PER_DAY",
    "CONCENTRATION_MIN_NG_PER_ML",
    "DRUG_NAME_BYTES",
    "DRUG_PLACES",
    "IMAGE_BYTES",
    "NO_PATIENT_BOLUS",
    "WRITABLE_BLOCKS",
    "Drug",
    "PatientBolusSetting",
    "Program",
    "check_image",
    "check_limits",
    "first_program",
    "peak_day_nl",
    "peak_rate_nl_per_day",
    "quantised",
    "unpack_program",
    "used",
]

CONCENTRATION_MIN_NG_PER_ML = 1
CATHETER_MAX_NL = 10_000_000
"""The largest catheter that a program can name: chosen, far above any that is implanted, so it bounds typing errors."""

_WITH_A_RATE = frozenset({Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS})
_WITH_A_DOSE = frozenset({Mode.SINGLE_BOLUS, Mode.PERIODIC_BOLUS})


def first_program(profile: Profile) -> Program:
    """What a pump runs when it leaves the factory."""
    return Program(
        drugs=(),
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=profile.therapy.rate_nl_per_day,
        rate_max_nl_per_day=profile.therapy.rate_max_nl_per_day,
        bolus_volume_max_nl=profile.bolus.volume_max_nl,
        window_max_nl=profile.therapy.window_max_nl,
        low_reservoir_nl=profile.reservoir.low_nl,
    )


def used(program: Program) -> Program:
    """The program without what its mode does not use."""
    mode = program.mode
    dosed, periodic = mode in _WITH_A_DOSE, mode is Mode.PERIODIC_BOLUS
    return replace(
        program,
        rate_nl_per_day=program.rate_nl_per_day if mode in _WITH_A_RATE else 0,
        dose_volume_nl=program.dose_volume_nl if dosed else 0,
        dose_duration_s=program.dose_duration_s if dosed else 0,
        dose_interval_s=program.dose_interval_s if periodic else 0,
        schedule=program.schedule if mode is Mode.FLEX else NO_SCHEDULE,
    )


def quantised(program: Program, profile: Profile) -> Program:
    """What will really run: rates rounded down to the quantum, volumes to whole motor steps, the unused left out."""
    quantum, step_nl = profile.therapy.rate_quantum_nl_per_day, profile.motor.step_volume_nl
    used_program, patient = used(program), program.patient
    return replace(
        used_program,
        rate_nl_per_day=_rounded(used_program.rate_nl_per_day, quantum),
        dose_volume_nl=_rounded(used_program.dose_volume_nl, step_nl),
        schedule=tuple(
            tuple(change._replace(rate_nl_per_day=_rounded(change.rate_nl_per_day, quantum)) for change in day)
            for day in used_program.schedule
        ),
        patient=replace(patient, volume_nl=_rounded(patient.volume_nl, step_nl)),
    )


def peak_rate_nl_per_day(program: Program, profile: Profile) -> int:
    """The fastest flow that the program makes by itself: base and dose together."""
    return _base_peak(program, profile) + _dose_rate(program)


def peak_day_nl(program: Program, profile: Profile) -> int:
    """The most that the program gives by itself in any 24 hours, a dose that only reaches into them counted whole."""
    base = program.flow_nl_per_day(profile)
    if program.mode is Mode.FLEX:
        # With the clock lost the base is one rate; what is reserved must do for both.
        base = max(base, ceil_div(peak_window(compile_week(program.schedule), US_PER_DAY), US_PER_DAY))
    return base + _doses_in_a_day(program) * program.dose_volume_nl


def check_limits(program: Program, profile: Profile) -> Refusal | None:
    """Why this pump cannot run a program, with the limit that would do; None when it can.

    A refusal names block and field; of the schedule, the weekday. The program's own limits are checked before what they
    limit, and what depends on other fields after those.
    """
    drugs_max = profile.therapy.drugs_max
    if len(program.drugs) > drugs_max:
        return Refusal(Reason.TOO_MANY_DRUGS, "drugs", element=Block.DRUGS, detail=drugs_max)
    refusals = (allowed.refusal() for allowed in _ranges(used(program), profile))
    return next((refusal for refusal in refusals if refusal is not None), None)


class _Range(NamedTuple):
    """A value of a field, and what a pump allows of it."""

    block: Block
    field: str
    value: int
    lowest: int
    highest: int

    def refusal(self) -> Refusal | None:
        if self.value < self.lowest:
            return Refusal(Reason.BELOW_MINIMUM, self.field, element=self.block, detail=self.lowest)
        if self.value > self.highest:
            return Refusal(Reason.ABOVE_MAXIMUM, self.field, element=self.block, detail=self.highest)
        return None


def _ranges(program: Program, profile: Profile) -> Iterator[_Range]:
    """What is allowed, lazily: whoever sees a range knows that the values before it are within theirs."""
    therapy, bolus, reservoir, tones = profile.therapy, profile.bolus, profile.reservoir, profile.tones
    for drug in program.drugs:
        concentration = drug.concentration_ng_per_ml
        highest = therapy.concentration_max_ng_per_ml
        yield _Range(Block.DRUGS, "drugs", concentration, CONCENTRATION_MIN_NG_PER_ML, highest)
    rate_max, bolus_max = program.rate_max_nl_per_day, program.bolus_volume_max_nl
    yield _Range(Block.LIMITS, "rate_max_nl_per_day", rate_max, _least_rate(profile), therapy.rate_max_nl_per_day)
    yield _Range(Block.LIMITS, "bolus_volume_max_nl", bolus_max, _least_bolus(profile), bolus.volume_max_nl)
    yield from _dose_ranges(program, profile)
    yield from _rate_ranges(program, profile)
    if program.patient != NO_PATIENT_BOLUS:
        yield from _patient_ranges(program, profile)
    window_max, least = program.window_max_nl, max(1, peak_day_nl(program, profile))
    yield _Range(Block.LIMITS, "window_max_nl", window_max, least, therapy.window_max_nl)
    levels = (reservoir.empty_nl, reservoir.capacity_nl)
    yield _Range(Block.ALARMS, "low_reservoir_nl", program.low_reservoir_nl, *levels)
    for field in ("critical_repeat_min", "non_critical_repeat_min"):
        repeat_min = getattr(program, field)
        if repeat_min:
            yield _Range(Block.ALARMS, field, repeat_min, tones.repeat_min_min, tones.repeat_max_min)
    yield _Range(Block.CATHETER, "catheter_nl", program.catheter_nl, 0, CATHETER_MAX_NL)


def _dose_ranges(program: Program, profile: Profile) -> Iterator[_Range]:
    if program.mode not in _WITH_A_DOSE:
        return
    room_nl = profile.therapy.window_max_nl
    volumes = _volumes(program, profile, profile.bolus.rate_max_nl_per_day)
    volume_nl, duration_s = program.dose_volume_nl, program.dose_duration_s
    yield _Range(Block.INFUSION, "dose_volume_nl", volume_nl, volumes[0], min(volumes[1], room_nl))
    durations = _durations(profile, volume_nl, profile.bolus.rate_max_nl_per_day)
    yield _Range(Block.INFUSION, "dose_duration_s", duration_s, *durations)
    if program.mode is Mode.PERIODIC_BOLUS:
        # So many doses that reach into 24 hours are no more than the pump gives in them.
        shortest_s = ceil_div(SECONDS_PER_DAY + duration_s, room_nl // volume_nl)
        interval_s = program.dose_interval_s
        yield _Range(Block.INFUSION, "dose_interval_s", interval_s, max(duration_s, shortest_s), HIGHEST_U32)


def _rate_ranges(program: Program, profile: Profile) -> Iterator[_Range]:
    if program.mode not in _WITH_A_RATE:
        return
    therapy, lowest = profile.therapy, _least_rate(profile)
    beside_doses = min(
        profile.motor.rate_max_nl_per_day - _dose_rate(program),
        therapy.window_max_nl - _doses_in_a_day(program) * program.dose_volume_nl,
    )
    highest = min(therapy.rate_max_nl_per_day, program.rate_max_nl_per_day, beside_doses)
    rate = program.rate_nl_per_day
    if program.mode is Mode.PERIODIC_BOLUS:
        # Between doses there may be no flow at all.
        lowest, highest = (lowest, highest) if rate and highest >= lowest else (0, highest if highest >= lowest else 0)
    yield _Range(Block.INFUSION, "rate_nl_per_day", rate, lowest, highest)
    for weekday, day in zip(WEEKDAYS, program.schedule, strict=True):
        for change in day:
            yield _Range(Block.SCHEDULE, weekday, change.rate_nl_per_day, lowest, highest)


def _patient_ranges(program: Program, profile: Profile) -> Iterator[_Range]:
    setting, limits = program.patient, profile.patient
    fastest = min(profile.bolus.rate_max_nl_per_day, profile.motor.rate_max_nl_per_day - _base_peak(program, profile))
    yield _Range(Block.PATIENT, "volume_nl", setting.volume_nl, *_volumes(program, profile, fastest))
    yield _Range(Block.PATIENT, "duration_s", setting.duration_s, *_durations(profile, setting.volume_nl, fastest))
    yield _Range(Block.PATIENT, "lockout_s", setting.lockout_s, limits.lockout_min_s, limits.lockout_max_s)
    yield _Range(Block.PATIENT, "window_s", setting.window_s, limits.window_min_s, limits.window_max_s)
    yield _Range(Block.PATIENT, "activations_max", setting.activations_max, 1, limits.activations_max)


def _volumes(program: Program, profile: Profile, fastest_nl_per_day: int) -> tuple[int, int]:
    """The least and the greatest bolus that a program may hold; it must be possible in the longest time there is."""
    bolus = profile.bolus
    in_time = max(0, fastest_nl_per_day) * bolus.duration_max_s // SECONDS_PER_DAY
    return _least_bolus(profile), min(bolus.volume_max_nl, program.bolus_volume_max_nl, in_time)


def _durations(profile: Profile, volume_nl: int, fastest_nl_per_day: int) -> tuple[int, int]:
    """The shortest and the longest time over which a volume may be given."""
    shortest_s = ceil_div(volume_nl * SECONDS_PER_DAY, max(1, fastest_nl_per_day))
    return max(profile.bolus.duration_min_s, shortest_s), profile.bolus.duration_max_s


def _least_rate(profile: Profile) -> int:
    """The least rate that may be asked for: one that would be rounded down below the minimum is below it."""
    return _rounded_up(profile.therapy.rate_min_nl_per_day, profile.therapy.rate_quantum_nl_per_day)


def _least_bolus(profile: Profile) -> int:
    """The least volume that may be asked for: whole motor steps, like the rates."""
    return _rounded_up(profile.bolus.volume_min_nl, profile.motor.step_volume_nl)


def _base_peak(program: Program, profile: Profile) -> int:
    rates = [change.rate_nl_per_day for day in program.schedule for change in day] if program.mode is Mode.FLEX else []
    return max(program.flow_nl_per_day(profile), *rates, 0)


def _dose_rate(program: Program) -> int:
    if program.mode not in _WITH_A_DOSE:
        return 0
    return ceil_div(program.dose_volume_nl * SECONDS_PER_DAY, program.dose_duration_s)


def _doses_in_a_day(program: Program) -> int:
    """The most doses of the program of which any part lies within the same 24 hours."""
    if program.mode is not Mode.PERIODIC_BOLUS:
        return 1 if program.mode is Mode.SINGLE_BOLUS else 0
    return ceil_div(SECONDS_PER_DAY + program.dose_duration_s, program.dose_interval_s)


def _rounded(value: int, quantum: int) -> int:
    return value - value % quantum


def _rounded_up(value: int, quantum: int) -> int:
    return ceil_div(value, quantum) * quantum
