"""What an expectation is of, and its limit: as they are written, checked, and in the units of the model.

    truth.FIELD          what is physically so, as `vpump control truth` shows it
    belief.FIELD         what the pump believes of itself
    told.FIELD           what the programmer reported of its last task; `where` has the word of the task
    alarms.COUNTED       the alarms that the pump holds
    FAMILY.COUNTED       events: of the families in FAMILIES
    run.elapsed_us       virtual time since the timeline began

COUNTED is `count`, or `first.FIELD`, `last.FIELD` or `sum.FIELD` of what matches `where`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from emulator.control.awaited import event_predicate, types_of_fields
from emulator.control.refusal import RequestError
from emulator.events import Event
from emulator.quantities import (
    DURATION_UNITS_US,
    MASS_UNITS_FG,
    VOLUME_UNITS_NL,
    QuantityError,
    format_amount,
    format_concentration,
    format_duration_us,
    format_rate,
    format_volume_nl,
    parse_amount,
    parse_concentration_ng_per_ml,
    parse_rate_nl_per_day,
)

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "traffic": "frame",
        "log": "log",
        "faults": "fault",
        "device_faults": "device-fault",
        "tones": "tone",
        "sessions": "session",
        "power": "power",
        "rejected": "rejected",
        "lines": "line",
        "injected": "injected",
    }
)
"""Families of events, each with the kind of its events."""
STATES = ("truth", "belief", "told")
ALARMS = "alarms"
RUN = "run.elapsed_us"
COUNTED = ("count", "first", "last", "sum")

Value = int | str | bool
US_PER_S = 1_000_000


class SubjectError(ValueError):
    """A subject or a limit that is none; one clause that says what is allowed."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: family, how of many (empty for a state), the field in it, and which of the many.

    `matches` is there for families of events.
    """

    family: str
    how: str
    field: str
    where: Mapping[str, Value]
    matches: Callable[[Event], bool] | None

    @property
    def text(self) -> str:
        """The subject as it is written."""
        return ".".join(part for part in (self.family, self.how, self.field) if part)

    @property
    def described(self) -> str:
        """The same, with which of the many are meant."""
        where = ", ".join(f"{name} {shown(name, value)}" for name, value in self.where.items())
        return f"{self.text} ({where})" if where else self.text


@dataclass(frozen=True, slots=True)
class Limit:
    """What a measurement must be: all that is not None. `same_as` another one, give or take `within`."""

    equals: Value | None = None
    min: int | None = None
    max: int | None = None
    one_of: tuple[Value, ...] | None = None
    contains: str | None = None
    lacks: str | None = None
    same_as: Subject | None = None
    within: int = 0


def read_subject(text: str, where: Mapping[str, Value]) -> Subject:
    """The subject that is written so. Raises SubjectError."""
    family, _, rest = text.partition(".")
    if text == RUN:
        return Subject("run", "", "elapsed_us", {}, None)
    if family in STATES and rest:
        return Subject(family, "", rest, _only(where, ("task",) if family == "told" else (), family), None)
    how, _, field = rest.partition(".")
    if (family in FAMILIES or family == ALARMS) and how in COUNTED and bool(field) == (how != "count"):
        if family == ALARMS:
            return Subject(family, how, field, where, None)
        return _of_events(family, how, field, {name: quantity(name, value) for name, value in where.items()})
    states = ", ".join(f"{state}.FIELD" for state in STATES)
    counted = ", ".join((*FAMILIES, ALARMS))
    raise SubjectError(
        f"{text!r} is no subject; allowed are {states}, {RUN}, and FAMILY.count, FAMILY.first.FIELD, FAMILY.last.FIELD "
        f"or FAMILY.sum.FIELD with FAMILY one of {counted}"
    )


def _of_events(family: str, how: str, field: str, where: Mapping[str, Value]) -> Subject:
    kind = FAMILIES[family]
    log_type = where.get("type")
    known = types_of_fields(kind, log_type)
    if field and field not in known:
        raise SubjectError(f"an event '{kind}' has no field {field!r}; allowed are {', '.join(known)}")
    try:
        matches = event_predicate(kind, where)
    except RequestError as error:
        raise SubjectError(str(error)) from None
    return Subject(family, how, field, where, matches)


def _only(where: Mapping[str, Value], allowed: tuple[str, ...], family: str) -> Mapping[str, Value]:
    for name in where:
        if name not in allowed:
            only = f"only {', '.join(allowed)}" if allowed else "nothing, for there is one only"
            raise SubjectError(f"where has {name!r}, but of {family} it may have {only}")
    return where


@dataclass(frozen=True, slots=True)
class _Unit:
    """How a field whose name has this in it is written and shown."""

    part: str
    parse: Callable[[str], int]
    show: Callable[[int], str]

    def of(self, name: str) -> bool:
        """Whether a field is of this unit: what comes behind the unit is a key, as in `tip_fg.baclofen`."""
        return any(word.endswith(self.part) for word in name.split("."))


def quantity(name: str, value: Value) -> Value:
    """A value of a field in the unit of that field's name: `500uL` of `volume_nl` is 500000. Raises SubjectError."""
    unit = _unit_of(name)
    if unit is None or not isinstance(value, str):
        return value
    try:
        return unit.parse(value)
    except QuantityError as error:
        raise SubjectError(str(error)) from None


def _parse_s(text: str) -> int:
    amount_us = parse_amount(text, DURATION_UNITS_US)
    if amount_us % US_PER_S:
        raise SubjectError(f"'{text}' is no whole number of seconds")
    return amount_us // US_PER_S


_UNITS = (
    _Unit("_nl_per_day", parse_rate_nl_per_day, format_rate),
    _Unit("_ng_per_ml", parse_concentration_ng_per_ml, format_concentration),
    _Unit("_nl", partial(parse_amount, units=VOLUME_UNITS_NL), format_volume_nl),
    _Unit("_fg", partial(parse_amount, units=MASS_UNITS_FG), partial(format_amount, units=MASS_UNITS_FG)),
    _Unit("_us", partial(parse_amount, units=DURATION_UNITS_US), format_duration_us),
    _Unit("_s", _parse_s, lambda value: format_duration_us(value * US_PER_S)),
)


def _unit_of(name: str) -> _Unit | None:
    return next((unit for unit in _UNITS if unit.of(name)), None)


def shown(name: str, value: object) -> str:
    """A measurement with its unit, for people."""
    if value is None:
        return "nothing"
    unit = _unit_of(name)
    if unit is not None and isinstance(value, int) and not isinstance(value, bool):
        return f"-{unit.show(-value)}" if value < 0 else unit.show(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
