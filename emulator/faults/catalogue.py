"""All faults of both kinds with their parameters, as the command line and docs/faults.md tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.faults.device_faults import parameters_of
from emulator.faults.parameters import DURATION, UNITS, form_of, value_text
from emulator.faults.registry import PARAMETERS, REGISTRY
from emulator.quantities import DURATION_UNITS_US
from firmware_model.faults import FAULTS, FaultKind, Parameter
from firmware_model.faults.registry import TIMES

LINE, DEVICE = "line", "device"


@dataclass(frozen=True, slots=True)
class ParameterEntry:
    """A parameter: its default as it is written, its range for people (`scope`), and in whole numbers of its unit.

    `units`: those that a value may have.
    """

    name: str
    meaning: str
    default: str
    scope: str
    unit: str
    minimum: int
    maximum: int
    choices: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultEntry:
    """A verb. `kind`: what it strikes, line or device; `lasts`: whether it is there for a time, or strikes at once."""

    verb: str
    kind: str
    meaning: str
    form: str
    example: str
    lasts: bool
    parameters: tuple[ParameterEntry, ...]


def catalogue() -> tuple[FaultEntry, ...]:
    """Every verb: those of the line, then those of the device."""
    lines = tuple(
        FaultEntry(
            verb=kind.verb,
            kind=LINE,
            meaning=kind.meaning,
            form=" ".join([kind.verb, "DIRECTION OPERATION", *_forms((*kind.parameters, *PARAMETERS))]),
            example=kind.example,
            lasts=False,
            parameters=(*map(_entry, kind.parameters), *line_parameters()),
        )
        for kind in REGISTRY.values()
    )
    return (*lines, *map(_device_fault, FAULTS.values()))


def line_parameters() -> tuple[ParameterEntry, ...]:
    """What every line fault takes."""
    return tuple(map(_entry, PARAMETERS))


def times() -> tuple[ParameterEntry, ...]:
    """What every device fault takes, with the usual defaults."""
    return tuple(map(_entry, TIMES))


def own_parameters(fault: FaultEntry) -> tuple[ParameterEntry, ...]:
    """What not every fault of its kind takes, or takes with another default."""
    shared = (*line_parameters(), *times())
    return tuple(parameter for parameter in fault.parameters if parameter not in shared)


def _device_fault(kind: FaultKind) -> FaultEntry:
    parameters = parameters_of(kind)
    return FaultEntry(
        verb=kind.verb,
        kind=DEVICE,
        meaning=kind.meaning,
        form=" ".join([kind.verb, *_forms(parameters)]),
        example=kind.example,
        lasts=kind.lasting is not None,
        parameters=tuple(map(_entry, parameters)),
    )


def _forms(parameters: Sequence[Parameter]) -> Sequence[str]:
    return [f"[{form_of(parameter)}]" for parameter in parameters]


def _entry(parameter: Parameter) -> ParameterEntry:
    units = DURATION_UNITS_US if parameter.unit == DURATION else UNITS.get(parameter.unit, ())
    return ParameterEntry(
        name=parameter.name,
        meaning=parameter.meaning,
        default=value_text(parameter, parameter.default),
        scope=_scope(parameter),
        unit=parameter.unit,
        minimum=parameter.minimum,
        maximum=parameter.maximum,
        choices=parameter.choices,
        units=tuple(units),
    )


def _scope(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(parameter.choices)
    scope = f"{value_text(parameter, parameter.minimum)} to {value_text(parameter, parameter.maximum)}"
    if parameter.unit == DURATION:
        return scope
    # A unit that is a number of another one would be read together with the number before it.
    unit = f"x {parameter.unit}" if parameter.unit[:1].isdigit() else parameter.unit
    others = ", ".join(each for each in UNITS.get(parameter.unit, ()) if each.lower() != parameter.unit.lower())
    return f"{scope} {unit}{f' (or in {others})' if others else ''}".rstrip()
