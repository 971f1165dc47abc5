"""Programs that a pump of a profile takes: every mode, within all limits, in steps that it can do without rounding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from emulator.quantities import (
    S_PER_DAY,
    US_PER_S,
    format_concentration,
    format_duration_us,
    format_rate,
    format_volume_nl,
)
from emulator.strategies.facts import parameters_of

MINUTES_PER_DAY = 1_440
MOST_CHANGES = 4
"""Of the rate in a day; a pump takes up to 13."""
LONGEST_INTERVAL_S = 30 * S_PER_DAY
MOST_NAME_CHARACTERS = 16
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STOPPED, MINIMUM, CONTINUOUS, FLEX, SINGLE, PERIODIC = MODES = (
    "stopped",
    "minimum rate",
    "simple continuous",
    "flex",
    "single bolus",
    "periodic bolus",
)


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug of the mixture."""

    name: str
    concentration_ng_per_ml: int


@dataclass(frozen=True, slots=True)
class Change:
    """A rate from a minute of the day on."""

    start_min: int
    rate_nl_per_day: int


@dataclass(frozen=True, slots=True)
class PatientBolus:
    """What the patient may ask for."""

    volume_nl: int
    duration_s: int
    lockout_s: int
    activations_max: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program: what a mode does not use is None. `schedule`: the changes of seven days, from Monday on."""

    mode: str
    rate_max_nl_per_day: int
    bolus_volume_max_nl: int
    window_max_nl: int
    low_reservoir_nl: int
    drugs: tuple[Drug, ...] = ()
    rate_nl_per_day: int | None = None
    schedule: tuple[tuple[Change, ...], ...] = ()
    dose_volume_nl: int | None = None
    dose_duration_s: int | None = None
    dose_interval_s: int | None = None
    patient: PatientBolus | None = None

    @property
    def toml(self) -> str:
        """The file for `vpump program`, which says all of it: a pump has then this program, whatever it had before."""
        return "\n".join(_toml(self)) + "\n"


def programs(profile: str = "reference-20", *, modes: tuple[str, ...] = MODES) -> st.SearchStrategy[Program]:
    """Programs that a pump of the profile (its name, or its file) takes. They shrink towards a stopped pump."""
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown or not modes:
        raise ValueError(f"modes is {modes!r}, but allowed are {', '.join(MODES)}")
    return st.deferred(lambda: _programs(_Limits(parameters_of(profile)), modes))


class _Limits:
    """The limits of a profile; all ends are allowed. And what is drawn of them alone, made once."""

    def __init__(self, of: Mapping[str, int]) -> None:
        self.of = of
        self.step_nl = max(1, of["motor.step_volume_nl"])
        self.rate_step = max(1, of["therapy.rate_quantum_nl_per_day"])
        self.rate_min = _up(of["therapy.rate_min_nl_per_day"], self.rate_step)
        self.rate_max = of["therapy.rate_max_nl_per_day"]
        self.bolus_min_nl = _up(of["bolus.volume_min_nl"], self.step_nl)
        self.bolus_max_nl = of["bolus.volume_max_nl"]
        self.bolus_rate_max = of["bolus.rate_max_nl_per_day"]
        self.duration_max_s = of["bolus.duration_max_s"]
        self.window_nl = of["therapy.window_max_nl"]
        self.flow_max = of["motor.rate_max_nl_per_day"]
        self.highest_rate = min(self.rate_max, self.flow_max, self.window_nl)
        self.weeks = _weeks(_multiples(self.rate_step, self.rate_min, self.highest_rate))
        self.mixtures = _mixtures(of["therapy.concentration_max_ng_per_ml"], of["therapy.drugs_max"])

    def largest_bolus_nl(self, fastest: int) -> int:
        """The largest that can be given in time."""
        return min(self.bolus_max_nl, self.window_nl, fastest * self.duration_max_s // S_PER_DAY)

    def durations_s(self, volume_nl: int, fastest: int) -> st.SearchStrategy[int]:
        """In which a volume can be given."""
        shortest_s = max(self.of["bolus.duration_min_s"], -(-volume_nl * S_PER_DAY // fastest))
        return st.integers(shortest_s, self.duration_max_s)

    def within(self, least: str, most: str) -> st.SearchStrategy[int]:
        """Between two of the profile's own numbers."""
        return st.integers(self.of[least], self.of[most])


@st.composite
def _programs(draw: st.DrawFn, limits: _Limits, modes: tuple[str, ...]) -> Program:
    def multiple(step: int, least: int, most: int) -> int:
        return draw(st.integers(_up(least, step) // step, most // step)) * step

    mode = draw(st.sampled_from(modes))
    dose = _dose(draw, limits, mode) if mode in (SINGLE, PERIODIC) else _Dose()
    beside_doses = min(limits.highest_rate, limits.flow_max - dose.rate_nl_per_day, limits.window_nl - dose.in_a_day_nl)
    has_rate = mode in (CONTINUOUS, FLEX) or (
        mode == PERIODIC and beside_doses >= limits.rate_min and draw(st.booleans())
    )
    rate = multiple(limits.rate_step, limits.rate_min, beside_doses) if has_rate else None
    schedule = draw(limits.weeks) if mode == FLEX else ()
    rates = [change.rate_nl_per_day for day in schedule for change in day] + [rate or 0]
    base = limits.rate_min if mode == MINIMUM else max(rates)
    patient = _patient(draw, limits, base) if draw(st.booleans()) else None
    largest_nl = max(limits.bolus_min_nl, dose.volume_nl or 0, patient.volume_nl if patient else 0)
    return Program(
        mode=mode,
        rate_max_nl_per_day=multiple(limits.rate_step, max(limits.rate_min, *rates), limits.rate_max),
        bolus_volume_max_nl=multiple(limits.step_nl, largest_nl, limits.bolus_max_nl),
        window_max_nl=multiple(limits.step_nl, max(1, base + dose.in_a_day_nl), limits.window_nl),
        low_reservoir_nl=multiple(limits.step_nl, limits.of["reservoir.empty_nl"], limits.of["reservoir.capacity_nl"]),
        drugs=draw(limits.mixtures),
        rate_nl_per_day=rate,
        schedule=schedule,
        dose_volume_nl=dose.volume_nl,
        dose_duration_s=dose.duration_s,
        dose_interval_s=dose.interval_s,
        patient=patient,
    )


@dataclass(frozen=True, slots=True)
class _Dose:
    """A programmed dose, or none."""

    volume_nl: int | None = None
    duration_s: int | None = None
    interval_s: int | None = None

    @property
    def in_a_day_nl(self) -> int:
        """The most of it in any 24 hours; a dose that only reaches into them counts whole."""
        if self.volume_nl is None or self.duration_s is None:
            return 0
        doses = 1 if self.interval_s is None else -(-(S_PER_DAY + self.duration_s) // self.interval_s)
        return doses * self.volume_nl

    @property
    def rate_nl_per_day(self) -> int:
        """How fast it flows."""
        if self.volume_nl is None or self.duration_s is None:
            return 0
        return -(-self.volume_nl * S_PER_DAY // self.duration_s)


def _dose(draw: st.DrawFn, limits: _Limits, mode: str) -> _Dose:
    fastest = limits.bolus_rate_max
    volume_nl = draw(_multiples(limits.step_nl, limits.bolus_min_nl, limits.largest_bolus_nl(fastest)))
    duration_s = draw(limits.durations_s(volume_nl, fastest))
    if mode == SINGLE:
        return _Dose(volume_nl, duration_s)
    shortest_s = max(duration_s, -(-(S_PER_DAY + duration_s) // (limits.window_nl // volume_nl)))
    return _Dose(volume_nl, duration_s, draw(st.integers(shortest_s, max(shortest_s, LONGEST_INTERVAL_S))))


def _patient(draw: st.DrawFn, limits: _Limits, base: int) -> PatientBolus | None:
    """What the patient may ask for beside a base rate; None where the motor has no room for any."""
    fastest = min(limits.bolus_rate_max, limits.flow_max - base)
    largest_nl = limits.largest_bolus_nl(max(0, fastest))
    if largest_nl < limits.bolus_min_nl:
        return None
    volume_nl = draw(_multiples(limits.step_nl, limits.bolus_min_nl, largest_nl))
    return PatientBolus(
        volume_nl,
        draw(limits.durations_s(volume_nl, fastest)),
        draw(limits.within("patient.lockout_min_s", "patient.lockout_max_s")),
        draw(st.integers(1, limits.of["patient.activations_max"])),
        draw(limits.within("patient.window_min_s", "patient.window_max_s")),
    )


def _weeks(rates: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[tuple[Change, ...], ...]]:
    later = st.lists(
        st.builds(Change, st.integers(1, MINUTES_PER_DAY - 1), rates),
        max_size=MOST_CHANGES - 1,
        unique_by=lambda change: change.start_min,
    )
    first = st.builds(Change, st.just(0), rates)
    day = st.builds(lambda start, changes: (start, *sorted(changes, key=lambda each: each.start_min)), first, later)
    return st.one_of(day.map(lambda every_day: (every_day,) * len(WEEKDAYS)), st.tuples(*[day] * len(WEEKDAYS)))


def _mixtures(strongest_ng_per_ml: int, most: int) -> st.SearchStrategy[tuple[Drug, ...]]:
    names = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=MOST_NAME_CHARACTERS)
    drugs = st.builds(Drug, names, st.integers(1, strongest_ng_per_ml))
    return st.lists(drugs, max_size=most, unique_by=lambda drug: drug.name).map(tuple)


def _multiples(step: int, least: int, most: int) -> st.SearchStrategy[int]:
    """Multiples of a step in a range that has one."""
    return st.integers(_up(least, step) // step, most // step).map(lambda count: count * step)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _toml(program: Program) -> Iterator[str]:
    if not program.drugs:
        yield "drugs = []"
    if program.patient is None:
        yield "patient = false"
    for drug in program.drugs:
        yield "[[drug]]"
        yield _said("name", drug.name)
        yield _said("concentration", format_concentration(drug.concentration_ng_per_ml))
    yield "[infusion]"
    yield _said("mode", program.mode)
    if program.rate_nl_per_day is not None:
        yield _said("rate", format_rate(program.rate_nl_per_day))
    elif program.mode == PERIODIC:
        yield _said("rate", "none")
    if program.dose_volume_nl is not None:
        yield _said("dose", format_volume_nl(program.dose_volume_nl))
    for name, duration_s in (("over", program.dose_duration_s), ("every", program.dose_interval_s)):
        if duration_s is not None:
            yield _said(name, _seconds(duration_s))
    if program.schedule:
        yield "[schedule]"
    for weekday, day in zip(WEEKDAYS, program.schedule, strict=False):
        changes = (
            f'{{ at = "{change.start_min // 60:02d}:{change.start_min % 60:02d}", '
            f'rate = "{format_rate(change.rate_nl_per_day)}" }}'
            for change in day
        )
        yield f"{weekday} = [{', '.join(changes)}]"
    if program.patient is not None:
        yield "[patient]"
        yield _said("bolus", format_volume_nl(program.patient.volume_nl))
        yield _said("over", _seconds(program.patient.duration_s))
        yield _said("lockout", _seconds(program.patient.lockout_s))
        yield f"most = {program.patient.activations_max}"
        yield _said("window", _seconds(program.patient.window_s))
    yield "[limits]"
    yield _said("rate_max", format_rate(program.rate_max_nl_per_day))
    yield _said("bolus_max", format_volume_nl(program.bolus_volume_max_nl))
    yield _said("window_max", format_volume_nl(program.window_max_nl))
    yield "[alarms]"
    yield _said("low_reservoir", format_volume_nl(program.low_reservoir_nl))


def _said(name: str, text: str) -> str:
    return f"{name} = {json.dumps(text)}"


def _seconds(duration_s: int) -> str:
    return format_duration_us(duration_s * US_PER_S)
