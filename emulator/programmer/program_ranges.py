"""What a pump allows of each field of a program, worked out from its CAPS, before anything is staged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from emulator.programmer.program_image import (
    MINUTES_PER_DAY,
    RATE,
    S_PER_DAY,
    USES,
    Program,
    Week,
)
from protocol.fields import UNKNOWN_U32
from protocol.messages.codes import Mode
from protocol.messages.link import CapsAnswer
from protocol.messages.program import WEEKDAYS

OPEN_END: Final = UNKNOWN_U32 - 1
"""The highest value of a range that has no end but that of its numbers."""
_MINUTES_PER_WEEK: Final = len(WEEKDAYS) * MINUTES_PER_DAY


class Range(NamedTuple):
    """A value of the program, and what is allowed of it. Both ends are allowed.

    `attribute` is the program's, or the weekday; then `change` is the place of the change in its day. `narrowed_by` is
    the program's own limit that counts, where the pump's alone would allow more.
    """

    attribute: str
    value: int
    lowest: int
    highest: int
    narrowed_by: str | None = None
    change: int = 0

    @property
    def holds(self) -> bool:
        return self.lowest <= self.value <= self.highest


def ranges(program: Program, caps: CapsAnswer) -> Iterator[Range]:
    """All of them, lazily, what depends on other fields behind those: whoever takes one has found the others to hold.

    The drugs are not among them.
    """
    yield Range("rate_max_nl_per_day", program.rate_max_nl_per_day, _least_rate(caps), caps.rate_max_nl_per_day)
    yield Range("bolus_volume_max_nl", program.bolus_volume_max_nl, _least_bolus(caps), caps.bolus_volume_max_nl)
    if "dose_volume_nl" in USES[program.mode]:
        yield from _dose_ranges(program, caps)
    if RATE in USES[program.mode]:
        yield from _rate_ranges(program, caps)
    if program.patient_volume_nl:
        yield from _patient_ranges(program, caps)
    least = max(1, peak_day_nl(program, caps))
    yield Range("window_max_nl", program.window_max_nl, least, caps.window_max_nl)
    yield Range("low_reservoir_nl", program.low_reservoir_nl, caps.empty_reservoir_nl, caps.reservoir_capacity_nl)
    for attribute in ("critical_repeat_min", "non_critical_repeat_min"):
        repeat_min = getattr(program, attribute)
        if repeat_min:
            yield Range(attribute, repeat_min, caps.tone_repeat_min_min, caps.tone_repeat_max_min)


def peak_day_nl(program: Program, caps: CapsAnswer) -> int:
    """The most that the program gives by itself in any 24 hours, a dose that only reaches into them counted whole."""
    base = program.base_nl_per_day(caps)
    if program.mode == Mode.FLEX:
        base = max(base, -(-_fullest_day(program.schedule) // MINUTES_PER_DAY))
    return base + _doses_in_a_day(program) * program.dose_volume_nl


def _dose_ranges(program: Program, caps: CapsAnswer) -> Iterator[Range]:
    fastest = caps.bolus_rate_max_nl_per_day
    yield _volume_range("dose_volume_nl", program, caps, fastest, caps.window_max_nl)
    yield _duration_range("dose_duration_s", "dose_volume_nl", program, caps, fastest)
    if program.mode == Mode.PERIODIC_BOLUS:
        doses = caps.window_max_nl // program.dose_volume_nl
        shortest_s = max(program.dose_duration_s, -(-(S_PER_DAY + program.dose_duration_s) // doses))
        yield Range("dose_interval_s", program.dose_interval_s, shortest_s, OPEN_END)


def _rate_ranges(program: Program, caps: CapsAnswer) -> Iterator[Range]:
    lowest, dose_rate = _least_rate(caps), 0
    if program.mode == Mode.PERIODIC_BOLUS:
        dose_rate = -(-program.dose_volume_nl * S_PER_DAY // program.dose_duration_s)
    beside_doses = min(
        caps.flow_max_nl_per_day - dose_rate,
        caps.window_max_nl - _doses_in_a_day(program) * program.dose_volume_nl,
    )
    highest = min(caps.rate_max_nl_per_day, beside_doses)
    narrowed_by = "rate_max_nl_per_day" if program.rate_max_nl_per_day < highest else None
    highest = min(highest, program.rate_max_nl_per_day)
    if program.mode == Mode.PERIODIC_BOLUS and not (program.rate_nl_per_day and highest >= lowest):
        # Between doses there may be no flow at all.
        lowest, highest = 0, highest if highest >= lowest else 0
    yield Range(RATE, program.rate_nl_per_day, lowest, highest, narrowed_by)
    for weekday, day in zip(WEEKDAYS, program.schedule, strict=True):
        for place, change in enumerate(day):
            yield Range(weekday, change.rate_nl_per_day, lowest, highest, narrowed_by, place)


def _patient_ranges(program: Program, caps: CapsAnswer) -> Iterator[Range]:
    rates = [change.rate_nl_per_day for day in program.schedule for change in day]
    base = max(program.base_nl_per_day(caps), *rates, 0)
    fastest = min(caps.bolus_rate_max_nl_per_day, caps.flow_max_nl_per_day - base)
    yield _volume_range("patient_volume_nl", program, caps, fastest)
    yield _duration_range("patient_duration_s", "patient_volume_nl", program, caps, fastest)
    lockouts = (caps.patient_lockout_min_s, caps.patient_lockout_max_s)
    yield Range("patient_lockout_s", program.patient_lockout_s, *lockouts)
    yield Range("patient_window_s", program.patient_window_s, caps.patient_window_min_s, caps.patient_window_max_s)
    yield Range("patient_activations_max", program.patient_activations_max, 1, caps.patient_activations_max)


def _volume_range(
    attribute: str, program: Program, caps: CapsAnswer, fastest_nl_per_day: int, room_nl: int = OPEN_END
) -> Range:
    in_time = max(0, fastest_nl_per_day) * caps.bolus_duration_max_s // S_PER_DAY
    highest = min(caps.bolus_volume_max_nl, room_nl, in_time)
    narrowed_by = "bolus_volume_max_nl" if program.bolus_volume_max_nl < highest else None
    highest = min(highest, program.bolus_volume_max_nl)
    return Range(attribute, getattr(program, attribute), _least_bolus(caps), highest, narrowed_by)


def _duration_range(
    attribute: str, volume_attribute: str, program: Program, caps: CapsAnswer, fastest_nl_per_day: int
) -> Range:
    shortest_s = -(-getattr(program, volume_attribute) * S_PER_DAY // max(1, fastest_nl_per_day))
    lowest = max(caps.bolus_duration_min_s, shortest_s)
    return Range(attribute, getattr(program, attribute), lowest, caps.bolus_duration_max_s)


def _doses_in_a_day(program: Program) -> int:
    if program.mode == Mode.PERIODIC_BOLUS:
        return -(-(S_PER_DAY + program.dose_duration_s) // program.dose_interval_s)
    return 1 if program.mode == Mode.SINGLE_BOLUS else 0


def _fullest_day(schedule: Week) -> int:
    """The most that flows in any 24 hours, in rates (nl a day) times minutes."""
    rates: list[int] = []
    for day in schedule:
        ends = [change.start_min for change in day[1:]] + [MINUTES_PER_DAY]
        for change, end in zip(day, ends, strict=True):
            rates += [change.rate_nl_per_day] * (end - change.start_min)
    flowing = sum(rates[:MINUTES_PER_DAY])
    fullest = flowing
    for minute in range(_MINUTES_PER_WEEK):
        flowing += rates[(minute + MINUTES_PER_DAY) % _MINUTES_PER_WEEK] - rates[minute]
        fullest = max(fullest, flowing)
    return fullest


def _least_rate(caps: CapsAnswer) -> int:
    """A rate that is rounded down must not come to lie below the least one."""
    return _rounded_up(caps.rate_min_nl_per_day, max(1, caps.rate_quantum_nl_per_day))


def _least_bolus(caps: CapsAnswer) -> int:
    return _rounded_up(caps.bolus_volume_min_nl, max(1, caps.volume_quantum_nl))


def _rounded_up(value: int, quantum: int) -> int:
    return -(-value // quantum) * quantum
