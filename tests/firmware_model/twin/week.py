"""What a program gives, minute by minute: its rate at an instant, its peaks, its mean."""

from __future__ import annotations

from functools import lru_cache

from firmware_model.firmware.codes import Mode
from firmware_model.firmware.program import Program
from firmware_model.firmware.schedule import Week
from firmware_model.profile import Profile

MINUTE = 60_000_000
WEEK_MIN = 7 * 1_440
# Minutes are counted from a Monday at 00:00; Unix time begins on a Thursday.
_THURSDAY_MIN = 3 * 1_440


@lru_cache(maxsize=64)
def minutes_of(week: Week) -> tuple[int, ...]:
    """The rate of each minute of a week."""
    rates: list[int] = []
    for day in week:
        for minute in range(1_440):
            rates.append([rate for start, rate in day if start <= minute][-1] if day else rates[-1])
    return tuple(rates)


def minute_of(local_us: int) -> int:
    """The minute of the week."""
    return (local_us // MINUTE + _THURSDAY_MIN) % WEEK_MIN


@lru_cache(maxsize=64)
def changes_of(week: Week) -> tuple[int, ...]:
    """The minutes that have another rate than the one before them; before Monday there is Sunday."""
    rates = minutes_of(week)
    return tuple(minute for minute in range(WEEK_MIN) if rates[minute] != rates[minute - 1])


def next_change_us(week: Week, local_us: int) -> int | None:
    """The local time of the next minute with another rate than the one before it."""
    now = minute_of(local_us)
    ahead = [(change - now - 1) % WEEK_MIN + 1 for change in changes_of(week)]
    return (local_us // MINUTE + min(ahead)) * MINUTE if ahead else None


def constant_rate(program: Program, profile: Profile) -> int:
    """What flows when no schedule says otherwise."""
    match program.mode:
        case Mode.MINIMUM_RATE:
            return profile.therapy.rate_min_nl_per_day
        case Mode.SIMPLE_CONTINUOUS | Mode.FLEX | Mode.PERIODIC_BOLUS:
            return program.rate_nl_per_day
    return 0


def mean_nl_per_day(program: Program, profile: Profile) -> int:
    if program.mode is Mode.FLEX:
        return sum(minutes_of(program.schedule)) // WEEK_MIN
    doses_nl = 0
    if program.mode is Mode.PERIODIC_BOLUS:
        doses_nl = ceil_of(program.dose_volume_nl * 86_400, program.dose_interval_s)
    return constant_rate(program, profile) + doses_nl


def fastest(program: Program, profile: Profile) -> int:
    """The fastest base rate at any minute."""
    rates = minutes_of(program.schedule) if program.mode is Mode.FLEX else ()
    return max(constant_rate(program, profile), *rates, 0)


def dose_rate(program: Program) -> int:
    dosed = program.mode in (Mode.SINGLE_BOLUS, Mode.PERIODIC_BOLUS)
    return ceil_of(program.dose_volume_nl * 86_400, program.dose_duration_s) if dosed else 0


def doses_in_a_day(program: Program) -> int:
    match program.mode:
        case Mode.SINGLE_BOLUS:
            return 1
        case Mode.PERIODIC_BOLUS:
            return ceil_of(86_400 + program.dose_duration_s, program.dose_interval_s)
    return 0


def peak_day_nl(program: Program, profile: Profile) -> int:
    """The most that flows by itself within any 24 hours."""
    base_nl = constant_rate(program, profile)
    if program.mode is Mode.FLEX:
        # The clock may be lost: then the constant rate flows all day.
        base_nl = max(base_nl, ceil_of(_fullest_day(program.schedule), 1_440))
    return base_nl + doses_in_a_day(program) * program.dose_volume_nl


@lru_cache(maxsize=64)
def _fullest_day(week: Week) -> int:
    """The greatest sum of the rates of 1,440 minutes in a row, wherever they begin."""
    rates = minutes_of(week)
    window = greatest = sum(rates[:1_440])
    for start in range(WEEK_MIN):
        window += rates[(start + 1_440) % WEEK_MIN] - rates[start]
        greatest = max(greatest, window)
    return greatest


def ceil_of(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
