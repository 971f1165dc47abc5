"""The parameters of faults of either kind: how each is written, read, and told of, with the units that people use."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from emulator.faults.syntax import unknown, wrong_value
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
from firmware_model.faults import Parameter

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


def word_of(parameter: Parameter, value: int) -> str:
    """A parameter and its value, as they are written."""
    return f"{parameter.name}={value_text(parameter, value)}"


def read_value(text: str, parameter: Parameter, value: str) -> int:
    """The value that a word of a fault's line gives. Raises FaultSyntaxError."""
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
