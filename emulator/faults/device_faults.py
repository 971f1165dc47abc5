"""Device faults as one line: the verbs of the model's registry in the grammar of faults, with units.

VERB [PARAMETER=VALUE …]        stall for=2h after=10min        gain-error ppm=15%
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from emulator.faults.syntax import FaultSyntaxError, split_parameters, unknown, wrong_value
from emulator.quantities import (
    CURRENT_UNITS_NA,
    DURATION_UNITS_US,
    RESISTANCE_UNITS_MOHM,
    SHARE_UNITS_PPM,
    TEMPERATURE_UNITS_CC,
    US_PER_S,
    VOLTAGE_UNITS_MV,
    VOLUME_UNITS_NL,
    QuantityError,
    format_duration_us,
    parse_amount,
    parse_duration_us,
)
from firmware_model.faults import FAULTS, DeviceFault, FaultKind, Parameter, device_fault
from firmware_model.faults.registry import TIMES, times_of

DURATION = "us"
"""The unit of a parameter that is a duration: its value has a unit, always."""
UNITS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "ppm": SHARE_UNITS_PPM,
        "nl": VOLUME_UNITS_NL,
        "mV": VOLTAGE_UNITS_MV,
        "mohm": RESISTANCE_UNITS_MOHM,
        "nA": CURRENT_UNITS_NA,
        "0.01 °C": TEMPERATURE_UNITS_CC,
        "s": {unit: us // US_PER_S for unit, us in DURATION_UNITS_US.items() if us >= US_PER_S},
    }
)
"""The units that a value may have, by the unit of its parameter; without one it is in the parameter's own."""
_USUAL_TIMES = {time.name: time.default for time in TIMES}


def parse_device_fault(text: str, verb: str, words: Sequence[str]) -> DeviceFault:
    """The fault that a line names, of which these are the words behind the verb. Raises FaultSyntaxError."""
    known = {parameter.name: parameter for parameter in parameters_of(FAULTS[verb])}
    said = split_parameters(text, words, {name: form_of(parameter) for name, parameter in known.items()})
    values = {name: _read(text, known[name], value) for name, value in said.items()}
    try:
        return device_fault(verb, **values)
    except ValueError as error:
        raise FaultSyntaxError(f"fault {text!r}: {str(error).removeprefix(f'{verb}: ')}") from None


def fault_text(fault: DeviceFault) -> str:
    """The fault as it is written: with all that is its own, and its times as far as they are not the usual ones."""
    kind, own = FAULTS[fault.verb], dict(fault.values)
    words = [_word(parameter, own[parameter.name]) for parameter in kind.parameters if parameter.name in own]
    times = {"after": fault.after_us, "for": fault.for_us, "every": fault.every_us, "count": fault.times}
    words += [
        _word(time, times[time.name])
        for time in usual_times_of(kind)
        if not times[time.name] == time.default == _USUAL_TIMES[time.name]
    ]
    return " ".join([fault.verb, *words])


def parameters_of(kind: FaultKind) -> tuple[Parameter, ...]:
    """All that a kind of fault takes: first what only it takes, then the times."""
    return (*kind.parameters, *usual_times_of(kind))


def usual_times_of(kind: FaultKind) -> tuple[Parameter, ...]:
    """When and how often a fault comes, with the defaults of its kind."""
    defaults = _USUAL_TIMES | {"for": kind.for_us, "every": kind.every_us, "count": kind.count}
    return tuple(replace(time, default=defaults[time.name]) for time in times_of(kind))


def form_of(parameter: Parameter) -> str:
    """How a parameter is written: `for=DURATION`, `mode=WORD`, `at=N`."""
    if parameter.choices:
        return f"{parameter.name}=WORD"
    return f"{parameter.name}={'DURATION' if parameter.unit == DURATION else 'N'}"


def value_text(parameter: Parameter, value: int) -> str:
    """A value as it is written."""
    if parameter.choices:
        return parameter.choices[value]
    return format_duration_us(value).replace(" ", "") if parameter.unit == DURATION else str(value)


def allowed_text(parameter: Parameter) -> str:
    """What a value may be, for people."""
    if parameter.choices:
        return ", ".join(parameter.choices)
    least, most = (value_text(parameter, value) for value in (parameter.minimum, parameter.maximum))
    if parameter.unit == DURATION:
        return f"a duration from {least} to {most} with its unit {_or(DURATION_UNITS_US)}, such as 90s or 1d12h"
    units = UNITS.get(parameter.unit)
    if units is None:
        return f"a whole number from {least} to {most}"
    return f"a whole number of {parameter.unit} from {least} to {most}, or a number with its unit {_or(units)}"


def _word(parameter: Parameter, value: int) -> str:
    return f"{parameter.name}={value_text(parameter, value)}"


def _read(text: str, parameter: Parameter, value: str) -> int:
    try:
        amount = _amount(parameter, value)
    except QuantityError:
        amount = None
    if amount is None or not parameter.minimum <= amount <= parameter.maximum:
        if parameter.choices:
            raise unknown(text, parameter.name, value, parameter.choices)
        raise wrong_value(text, parameter.name, value, allowed_text(parameter))
    return amount


def _amount(parameter: Parameter, value: str) -> int | None:
    if parameter.choices:
        return parameter.choices.index(value) if value in parameter.choices else None
    if parameter.unit == DURATION:
        return 0 if value == format_duration_us(0) else parse_duration_us(value)
    return parse_amount(value, UNITS.get(parameter.unit, {}))


def _or(units: Mapping[str, int]) -> str:
    *first, last = units
    return f"{', '.join(first)} or {last}" if first else last
