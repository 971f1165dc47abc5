"""What the control plane answers, for people: armed faults, a syringe's work, and the truth in people's units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from emulator.cli.quantities import format_concentration, format_duration_us, format_rate, format_volume_nl
from emulator.quantities import MASS_UNITS_FG, SHARE_UNITS_PPM, VOLTAGE_UNITS_MV, format_amount

Document = Mapping[str, object]

_WORDINGS: Mapping[str, Callable[[int], str]] = {
    "_nl_per_day": format_rate,
    "_ng_per_ml": format_concentration,
    "_nl": format_volume_nl,
    "_us": format_duration_us,
    "_fg": lambda fg: format_amount(fg, MASS_UNITS_FG),
    "_mv": lambda mv: format_amount(mv, VOLTAGE_UNITS_MV),
    "_ppm": lambda ppm: format_amount(ppm, SHARE_UNITS_PPM),
    "_cc": lambda cc: format_amount(cc, {"°C": 100}),
}
"""How people write a number, by the unit that its name ends in."""


def armed_lines(armed: Sequence[Document]) -> Sequence[str]:
    """A line for each armed fault, or one that says that there is none."""
    return [f"armed: {fault.get('fault')}{_standing(fault)}" for fault in armed] or ["no fault is armed"]


def listed(value: object) -> list[Document]:
    """The documents of a list, as far as it is one."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def syringe_lines(answer: Document, asked_nl: int) -> Sequence[str]:
    """What a syringe took and gave, and what did not go where it was to go."""
    withdrawn_nl, injected_nl = answer.get("withdrawn_nl"), answer.get("injected_nl")
    lines = [f"withdrawn: {_volume(withdrawn_nl)}", f"injected: {_volume(injected_nl)}"]
    if isinstance(injected_nl, int) and injected_nl < asked_nl:
        lines.append(f"not in the reservoir: {format_volume_nl(asked_nl - injected_nl)} of what was to be injected")
    return lines


def truth_table(document: Document) -> Sequence[str]:
    """Names, exact values, and beside a value with a unit how people write it."""
    rows = [(name, "-" if value is None else str(value), _for_people(name, value)) for name, value in flat(document)]
    name_width = max((len(name) for name, _, _ in rows), default=0)
    value_width = max((len(value) for _, value, _ in rows), default=0)
    return [f"{name:<{name_width}}  {value:>{value_width}}  {people}".rstrip() for name, value, people in rows]


def flat(document: Document, prefix: str = "") -> Iterator[tuple[str, object]]:
    """All values with their names, those of nested objects as NAME.NAME; an empty object has the value None."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", None if isinstance(value, Mapping) else value


def _standing(fault: Document) -> str:
    """How a device fault stands: its number, and what will become of it when."""
    if "number" not in fault:
        return ""
    when_us = fault.get("next_change_us")
    when = format_duration_us(when_us) if isinstance(when_us, int) else None
    if fault.get("active"):
        standing = "active until it is cleared" if when is None else f"active until {when}"
    else:
        standing = f"begins at {when}"
    return f"  (number {fault['number']}, {standing})"


def _for_people(name: str, value: object) -> str:
    """A number as people write it. The outermost name that has a unit counts: inside stand the names of drugs."""
    if not isinstance(value, int) or isinstance(value, bool):
        return ""
    for part in name.split("."):
        for ending, wording in _WORDINGS.items():
            if part.endswith(ending):
                return wording(value)
    return ""


def _volume(value: object) -> str:
    return format_volume_nl(value) if isinstance(value, int) else "unknown"
