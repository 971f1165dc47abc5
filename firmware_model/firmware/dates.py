"""When the reservoir must be refilled: by volume, with all boluses that the patient may take, by stability."""

from __future__ import annotations

from firmware_model.commands import RefillDates
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.core import CompiledProgram, Firmware
from firmware_model.firmware.program import Program
from firmware_model.firmware.schedule import WEEK_US, volume_nl_us
from firmware_model.profile import Profile
from firmware_model.quantities import HIGHEST_U32, SECONDS_PER_DAY, US_PER_DAY, US_PER_SECOND, ceil_div, first_instant


def refill_dates(firmware: Firmware, compiled: CompiledProgram) -> RefillDates:
    """The dates under a program, from now on, as if therapy ran."""
    program = compiled.program
    return RefillDates(
        low_in_s=_low_in_s(firmware, compiled, 0),
        refill_in_s=_low_in_s(firmware, compiled, allotted_nl_per_day(program)),
        stability_in_s=_stability_in_s(firmware, program),
    )


def allotted_nl_per_day(program: Program) -> int:
    """What a day has on average if the patient takes every bolus that the program allows, rounded up."""
    patient = program.patient
    if not patient.activations_max:
        return 0
    return ceil_div(patient.volume_nl * boluses_per_window(program) * SECONDS_PER_DAY, patient.window_s)


def allotted_peak_nl(program: Program) -> int:
    """The most that the patient's boluses can add in any 24 hours."""
    return boluses_per_day(program) * program.patient.volume_nl


def boluses_per_day(program: Program) -> int:
    """The most patient boluses in any 24 hours."""
    patient = program.patient
    if not patient.activations_max:
        return 0
    by_window = boluses_per_window(program) * ceil_div(SECONDS_PER_DAY, patient.window_s)
    return min(by_window, ceil_div(SECONDS_PER_DAY, patient.lockout_s)) if patient.lockout_s else by_window


def boluses_per_window(program: Program) -> int:
    """The most patient boluses in a window: as many as are allowed, and as the lockout leaves room for."""
    patient = program.patient
    if not patient.lockout_s:
        return patient.activations_max
    return min(patient.activations_max, ceil_div(patient.window_s, patient.lockout_s))


def mean_nl_per_day(compiled: CompiledProgram, profile: Profile) -> int:
    """What a program gives in a day on average over a week, rounded down."""
    program = compiled.program
    base_nl = _constant_rate(program, profile)
    if program.mode is Mode.FLEX:
        base_nl = volume_nl_us(compiled.week, 0, WEEK_US) // WEEK_US
    return base_nl + _dosed_nl_per_day(program)


def _low_in_s(firmware: Firmware, compiled: CompiledProgram, extra_nl_per_day: int) -> int | None:
    """Whole seconds until the computed reservoir comes down to the program's level; None for never."""
    program = compiled.program
    step_nl = firmware.flow.step_volume_nl
    steps = ceil_div(firmware.reservoir_nl - program.low_reservoir_nl, step_nl)
    if steps <= 0:
        return 0
    # What has to flow, in nanolitres a day times microseconds; the step under way has part of it already.
    flow = steps * step_nl * US_PER_DAY - firmware.flow.base.phase
    constant = _constant_rate(program, firmware.profile) + _dosed_nl_per_day(program) + extra_nl_per_day
    if program.mode is not Mode.FLEX or not firmware.record.clock_valid:
        return _seconds(ceil_div(flow, constant)) if constant else None
    constant = extra_nl_per_day
    week, local_us = compiled.week, firmware.local_us
    per_week = volume_nl_us(week, local_us, WEEK_US) + constant * WEEK_US
    if not per_week:
        return None
    weeks = flow // per_week
    rest = flow - weeks * per_week
    last_us = first_instant(
        WEEK_US, lambda elapsed_us: volume_nl_us(week, local_us, elapsed_us) + constant * elapsed_us >= rest
    )
    return _seconds(weeks * WEEK_US + last_us)


def _constant_rate(program: Program, profile: Profile) -> int:
    if program.mode is Mode.MINIMUM_RATE:
        return profile.therapy.rate_min_nl_per_day
    return program.rate_nl_per_day if program.mode in (Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS) else 0


def _dosed_nl_per_day(program: Program) -> int:
    if program.mode is not Mode.PERIODIC_BOLUS:
        return 0
    return ceil_div(program.dose_volume_nl * SECONDS_PER_DAY, program.dose_interval_s)


def _stability_in_s(firmware: Firmware, program: Program) -> int | None:
    """Until the first of the drugs is no longer stable, counted from the last refill; None where nobody has said."""
    days = [drug.stability_days for drug in program.drugs if drug.stability_days]
    if not days:
        return None
    due_s = firmware.record.refilled_s + min(days) * SECONDS_PER_DAY
    return max(0, due_s - firmware.elapsed_s)


def _seconds(duration_us: int) -> int:
    return min(ceil_div(duration_us, US_PER_SECOND), HIGHEST_U32)
