"""Quantities on the command line: the words of `emulator.quantities` as the parameters of commands."""

from __future__ import annotations

from collections.abc import Callable

import click

from emulator.quantities import (
    CONCENTRATION_UNITS_NG_PER_ML,
    DURATION_UNITS_US,
    MAX_CONCENTRATION_NG_PER_ML,
    MAX_DURATION_US,
    MAX_RATE_NL_PER_DAY,
    MAX_VOLUME_NL,
    PER_DAY,
    S_PER_DAY,
    UNKNOWN_U32,
    US_PER_S,
    VOLUME_UNITS_NL,
    QuantityError,
    format_concentration,
    format_dose_a_day,
    format_duration_us,
    format_rate,
    format_volume_nl,
    parse_concentration_ng_per_ml,
    parse_duration_us,
    parse_level_nl,
    parse_rate_nl_per_day,
    parse_volume_nl,
)

__all__ = [
    "CONCENTRATION_UNITS_NG_PER_ML",
    "DURATION",
    "DURATION_UNITS_US",
    "MAX_CONCENTRATION_NG_PER_ML",
    "MAX_DURATION_US",
    "MAX_RATE_NL_PER_DAY",
    "MAX_VOLUME_NL",
    "PER_DAY",
    "RATE",
    "S_PER_DAY",
    "UNKNOWN_U32",
    "US_PER_S",
    "VOLUME",
    "VOLUME_UNITS_NL",
    "Quantity",
    "QuantityError",
    "format_concentration",
    "format_dose_a_day",
    "format_duration_us",
    "format_rate",
    "format_volume_nl",
    "parse_concentration_ng_per_ml",
    "parse_duration_us",
    "parse_level_nl",
    "parse_rate_nl_per_day",
    "parse_volume_nl",
]


# Generic only in newer releases of click; older ones cannot be given the type.
class Quantity(click.ParamType):  # type: ignore[type-arg]
    """A parameter of a command that is a quantity with a unit."""

    def __init__(self, name: str, parse: Callable[[str], int]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The exact integer; an integer (a default in code) passes as it is."""
        if isinstance(value, int):
            return value
        try:
            return self._parse(str(value))
        except QuantityError as error:
            self.fail(str(error), param, ctx)


VOLUME = Quantity("volume", parse_volume_nl)
DURATION = Quantity("duration", parse_duration_us)
RATE = Quantity("rate", parse_rate_nl_per_day)
