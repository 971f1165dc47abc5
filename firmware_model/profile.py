"""A profile: every parameter of one device model, with its unit, its range and where its value comes from.

A profile is TOML. Each parameter is a table `{ value = …, found = "source" }` or `{ value = …, chosen = "reason" }`:
*found* in a public document, or *chosen* because nothing public exists. `extends = "NAME"` takes all that is not said
from another profile. Nothing here reads a file: texts are passed in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

MOST_EXTENDS = 8
"""How long a chain of `extends` may be."""
U32 = 0xFFFF_FFFE


class ProfileError(Exception):
    """A profile that cannot be used. One sentence: which file and line, which field, what is allowed."""


def number(unit: str, minimum: int, maximum: int, meaning: str) -> Any:
    """Declare an integer parameter."""
    return field(metadata={"unit": unit, "minimum": minimum, "maximum": maximum, "meaning": meaning})


def text(longest: int, meaning: str) -> Any:
    """Declare a text parameter of printable ASCII."""
    return field(metadata={"unit": "", "longest": longest, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """Who the pump says that it is."""

    model: str = text(16, "model name")
    firmware_version: str = text(16, "version of the firmware")


@dataclass(frozen=True, slots=True)
class MotorModel:
    """The stepper motor."""

    step_volume_nl: int = number("nl", 1, 10_000, "volume moved by one motor step")
    journal_interval_steps: int = number("steps", 1, 10_000, "steps between two writes of the step counters to memory")


@dataclass(frozen=True, slots=True)
class ReservoirModel:
    """The reservoir and its alarm levels."""

    capacity_nl: int = number("nl", 1_000_000, 100_000_000, "volume of a full reservoir")
    initial_volume_nl: int = number("nl", 0, 100_000_000, "volume at first power-up")
    low_nl: int = number("nl", 0, 100_000_000, "computed volume at which the low-reservoir alarm is raised")
    empty_nl: int = number("nl", 0, 100_000_000, "computed volume at which the pump stops: empty reservoir")


@dataclass(frozen=True, slots=True)
class TherapyModel:
    """The programmed infusion and its range."""

    rate_nl_per_day: int = number("nl/24h", 1, U32, "simple continuous rate at first power-up")
    rate_min_nl_per_day: int = number("nl/24h", 1, U32, "lowest therapeutic rate")
    rate_max_nl_per_day: int = number("nl/24h", 1, U32, "highest rate")
    rate_quantum_nl_per_day: int = number("nl/24h", 1, 1_000_000, "what a rate is a multiple of")
    concentration_max_ng_per_ml: int = number("ng/mL", 1, U32, "highest concentration of a drug")


@dataclass(frozen=True, slots=True)
class BolusLimits:
    """The pump's own limits of a bolus."""

    volume_min_nl: int = number("nl", 1, U32, "least volume of a bolus")
    volume_max_nl: int = number("nl", 1, U32, "most volume of a bolus")
    duration_min_s: int = number("s", 1, 604_800, "least duration of a bolus")
    duration_max_s: int = number("s", 1, 604_800, "most duration of a bolus")
    rate_max_nl_per_day: int = number("nl/24h", 1, U32, "highest rate of a bolus")
    lease_s: int = number("s", 1, 3_600, "how long a prepared bolus may be executed")


@dataclass(frozen=True, slots=True)
class MemoryModel:
    """Sizes of what the control record holds."""

    ledger_entries_per_role: int = number("entries", 2, 64, "operations that the ledger keeps per role")
    alarm_capacity: int = number("alarms", 4, 64, "alarm instances that the pump keeps")


@dataclass(frozen=True, slots=True)
class LogModel:
    """The ring of the event log."""

    pages: int = number("pages", 3, 4_096, "erasable pages of the ring")
    # All pages but one must hold the three records of one commit: empty reservoir, stop, end of the bolus.
    records_per_page: int = number("records", 2, 64, "records in a page")


@dataclass(frozen=True, slots=True)
class ClockModel:
    """The clock that labels records."""

    start_unix_s: int = number("s", 1, U32, "what the clock shows at first power-up, in Unix time")
    offset_min: int = number("min", -1_440, 1_440, "offset of local time from UTC")


@dataclass(frozen=True, slots=True)
class CellModel:
    """The battery."""

    voltage_mv: int = number("mV", 0, 10_000, "voltage of the cell")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: `kind` is found or chosen, `text` the source or the reason."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Profile:
    """All parameters of one device model."""

    name: str
    device: DeviceModel
    motor: MotorModel
    reservoir: ReservoirModel
    therapy: TherapyModel
    bolus: BolusLimits
    memory: MemoryModel
    log: LogModel
    clock: ClockModel
    cell: CellModel
    sources: Mapping[str, Source]


SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "device": DeviceModel,
        "motor": MotorModel,
        "reservoir": ReservoirModel,
        "therapy": TherapyModel,
        "bolus": BolusLimits,
        "memory": MemoryModel,
        "log": LogModel,
        "clock": ClockModel,
        "cell": CellModel,
    }
)

ORDERED = (
    ("reservoir.empty_nl", "reservoir.low_nl"),
    ("reservoir.low_nl", "reservoir.capacity_nl"),
    ("reservoir.initial_volume_nl", "reservoir.capacity_nl"),
    ("therapy.rate_min_nl_per_day", "therapy.rate_nl_per_day"),
    ("therapy.rate_nl_per_day", "therapy.rate_max_nl_per_day"),
    ("bolus.volume_min_nl", "bolus.volume_max_nl"),
    ("bolus.duration_min_s", "bolus.duration_max_s"),
)
"""Pairs of parameters of which the first may not be greater than the second."""


def parse_profile(name: str, content: str, find: Callable[[str], str | None]) -> Profile:
    """The profile that a TOML text describes; `find` gives the text of a profile named by `extends`, or None.

    Raises ProfileError.
    """
    merged: dict[str, tuple[object, Source, str]] = {}
    texts = _chain(name, content, find)
    for origin, origin_text, document in reversed(texts):
        merged |= _parameters(origin, origin_text, document)
    sections: dict[str, object] = {}
    for section, model in SECTIONS.items():
        values: dict[str, object] = {}
        for described in fields(model):
            key = f"{section}.{described.name}"
            if key not in merged:
                raise ProfileError(f"profile {name}: {key} is missing ({described.metadata['meaning']})")
            values[described.name] = merged[key][0]
        sections[section] = model(**values)
    for lesser, greater in ORDERED:
        low, high = merged[lesser][0], merged[greater][0]
        if isinstance(low, int) and isinstance(high, int) and low > high:
            # The profile itself is at fault, not one that it extends.
            if lesser in _said(texts[0][2]):
                raise ProfileError(f"{merged[lesser][2]}: {lesser} is {low}, but at most {high} is allowed ({greater})")
            raise ProfileError(f"{merged[greater][2]}: {greater} is {high}, but at least {low} is allowed ({lesser})")
    sources = {key: source for key, (_, source, _) in sorted(merged.items())}
    # Each section has been made by its own class, which the table of sections does not tell a type checker.
    return Profile(name=name, sources=MappingProxyType(sources), **sections)  # type: ignore[arg-type]


def _said(document: Mapping[str, Mapping[str, object]]) -> set[str]:
    """The parameters that a document itself gives."""
    return {f"{section}.{key}" for section, entries in document.items() for key in entries}


def _chain(name: str, content: str, find: Callable[[str], str | None]) -> list[tuple[str, str, dict[str, Any]]]:
    """The profile's document and those that it extends, nearest first."""
    chain: list[tuple[str, str, dict[str, Any]]] = []
    while True:
        try:
            document = tomllib.loads(content)
        except tomllib.TOMLDecodeError as error:
            raise ProfileError(f"profile {name} is not valid TOML: {error}") from None
        chain.append((name, content, document))
        base = document.pop("extends", None)
        if base is None:
            return chain
        found = find(base) if isinstance(base, str) else None
        if found is None:
            raise ProfileError(f"{_place(name, content, '', 'extends')}: extends {base!r}, which is no profile")
        if len(chain) == MOST_EXTENDS:
            raise ProfileError(f"profile {chain[0][0]}: more than {MOST_EXTENDS} profiles extend one another")
        name, content = base, found


def _parameters(name: str, content: str, document: dict[str, Any]) -> dict[str, tuple[object, Source, str]]:
    parameters: dict[str, tuple[object, Source, str]] = {}
    for section, entries in document.items():
        model = SECTIONS.get(section)
        if model is None or not isinstance(entries, dict):
            place = _place(name, content, "", section)
            raise ProfileError(f"{place}: {section!r} is no section; allowed are {', '.join(SECTIONS)}")
        described = {item.name: item for item in fields(model)}
        for key, entry in entries.items():
            place = _place(name, content, section, key)
            if key not in described:
                allowed = ", ".join(described)
                raise ProfileError(f"{place}: {section}.{key} is no parameter; [{section}] has {allowed}")
            value, source = _entry(place, f"{section}.{key}", entry)
            _check_value(place, f"{section}.{key}", value, described[key].metadata)
            parameters[f"{section}.{key}"] = (value, source, place)
    return parameters


def _entry(place: str, key: str, entry: object) -> tuple[object, Source]:
    kinds = [kind for kind in ("found", "chosen") if isinstance(entry, dict) and kind in entry]
    if not isinstance(entry, dict) or "value" not in entry or len(kinds) != 1 or len(entry) != 2:
        form = '{ value = …, found = "source" } or { value = …, chosen = "reason" }'
        raise ProfileError(f"{place}: {key} must be {form}")
    said = entry[kinds[0]]
    if not isinstance(said, str) or not said.strip():
        raise ProfileError(f"{place}: {key} says nothing under {kinds[0]!r}")
    return entry["value"], Source(kinds[0], said)


def _check_value(place: str, key: str, value: object, declared: Mapping[str, Any]) -> None:
    if "longest" in declared:
        longest = declared["longest"]
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > longest:
            raise ProfileError(
                f"{place}: {key} is {value!r}, but allowed is printable ASCII of up to {longest} characters"
            )
        return
    low, high, unit = declared["minimum"], declared["maximum"], declared["unit"]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ProfileError(f"{place}: {key} is {value!r}, but allowed is a whole number from {low} to {high} {unit}")


def _place(name: str, content: str, section: str, key: str) -> str:
    """Profile and line where a key stands; the TOML reader does not say, so the line is looked for."""
    current = ""
    for number_, line in enumerate(content.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.strip("[] \t").split("]")[0].strip()
            if not section and current == key:
                return f"profile {name}, line {number_}"
        elif current == section and stripped.split("=")[0].strip().strip('"') == key:
            return f"profile {name}, line {number_}"
    return f"profile {name}"
