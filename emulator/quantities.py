"""Quantities as people write them: text with a unit to exact integers, and back to text.

Volumes are nanolitres, durations microseconds, rates nanolitres a day, concentrations nanograms a millilitre. A value
that is no whole number of those is an error, never rounded. What the `format_…` functions print, the parsers read as
the same quantity; a dose a day alone is only shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

US_PER_S = 1_000_000
S_PER_DAY = 86_400

UNKNOWN_U32 = 0xFFFF_FFFF  # on the wire: "unknown", so no quantity reaches it
MAX_VOLUME_NL = UNKNOWN_U32 - 1
MAX_RATE_NL_PER_DAY = UNKNOWN_U32 - 1
MAX_DURATION_US = (UNKNOWN_U32 - 1) * US_PER_S
MAX_CONCENTRATION_NG_PER_ML = UNKNOWN_U32 - 1
MAX_TEXT_LENGTH = 64  # far above any quantity that is meant

MICRO_SIGNS = ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}")

VOLUME_UNITS_NL: Mapping[str, int] = {"nL": 1, "uL": 1_000, "mL": 1_000_000}
DURATION_UNITS_US: Mapping[str, int] = {
    "d": S_PER_DAY * US_PER_S,
    "h": 3_600 * US_PER_S,
    "min": 60 * US_PER_S,
    "s": US_PER_S,
    "ms": 1_000,
    "us": 1,
}
CONCENTRATION_UNITS_NG_PER_ML: Mapping[str, int] = {"ng/mL": 1, "ug/mL": 1_000, "mg/mL": 1_000_000}
MICROGRAM = "mcg"  # how prescriptions write ug
MASS_UNITS_FG: Mapping[str, int] = {"fg": 1, "pg": 10**3, "ng": 10**6, "ug": 10**9, "mg": 10**12}
VOLTAGE_UNITS_MV: Mapping[str, int] = {"mV": 1, "V": 1_000}
RESISTANCE_UNITS_MOHM: Mapping[str, int] = {"mohm": 1, "ohm": 1_000, "kohm": 1_000_000}
CURRENT_UNITS_NA: Mapping[str, int] = {"nA": 1, "uA": 1_000, "mA": 1_000_000, "A": 1_000_000_000}
SHARE_UNITS_PPM: Mapping[str, int] = {"ppm": 1, "%": 10_000}
TEMPERATURE_UNITS_CC: Mapping[str, int] = {"C": 100}
# One nl of 1 ng/mL holds a femtogram, so that a dose a day is a whole number of them.
DOSE_UNITS_FG: Mapping[str, int] = {"ug/day": 10**9, "mg/day": 10**12}
PER_DAY: Mapping[str, int] = {"day": 1, "d": 1, "h": 24, "min": 1_440}

_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_QUANTITY = re.compile(rf"(?P<number>{_NUMBER}) ?(?P<unit>[A-Za-z/]*)")
_SIGNED_NUMBER = re.compile(rf"[+-]?(?:{_NUMBER})(?:[eE][+-]?[0-9]+)?")
_SIGNS: Mapping[str, str] = {
    **dict.fromkeys(MICRO_SIGNS, "u"),
    "\N{OHM SIGN}": "ohm",
    "\N{GREEK CAPITAL LETTER OMEGA}": "ohm",
    "\N{DEGREE SIGN}": "",
    "\N{MINUS SIGN}": "-",
}
_AMOUNT = re.compile(rf"(?P<sign>[+-]?)(?P<number>{_NUMBER}) ?(?P<unit>[A-Za-z%]*)")


class QuantityError(ValueError):
    """A text that is no quantity of the wanted kind; its message is one clause for people."""


def parse_volume_nl(text: str) -> int:
    """`50uL`, `0.05mL` or `50000nL` to nanolitres."""
    number, unit = _one_quantity(text, _VOLUME_HINT)
    return _whole(text, number * _volume_unit_nl(text, unit, _VOLUME_HINT), "nL", MAX_VOLUME_NL, format_volume_nl)


def parse_duration_us(text: str) -> int:
    """`30d`, `90s`, `250ms` or a sum with falling units such as `1d12h` to microseconds."""
    cleaned = _clean(text, _DURATION_HINT)
    total, place, last_factor = Fraction(0), 0, None
    while place < len(cleaned):
        match = _QUANTITY.match(cleaned, place)
        if match is None:
            raise QuantityError(f"'{text}' is no duration; {_DURATION_HINT}")
        factor = DURATION_UNITS_US.get(match["unit"])
        if factor is None:
            raise _wrong_unit(text, match["unit"], _DURATION_HINT)
        if last_factor is not None and factor >= last_factor:
            raise QuantityError(f"'{text}' has its units in the wrong order; write the larger ones first, as in 1d12h")
        total, last_factor = total + Fraction(_decimal(match["number"])) * factor, factor
        place = match.end()
        place += cleaned.startswith(" ", place)
    return _whole(text, total, "us", MAX_DURATION_US, format_duration_us)


def parse_rate_nl_per_day(text: str) -> int:
    """`0.5mL/day` or `20uL/h` to nanolitres a day."""
    number, unit = _one_quantity(text, _RATE_HINT)
    volume_unit, slash, time_unit = unit.partition("/")
    if not slash or time_unit not in PER_DAY:
        raise _wrong_unit(text, unit, _RATE_HINT)
    rate = number * _volume_unit_nl(text, volume_unit, _RATE_HINT) * PER_DAY[time_unit]
    return _whole(text, rate, "nL/day", MAX_RATE_NL_PER_DAY, format_rate)


def parse_level_nl(text: str) -> int:
    """A volume that may be zero, such as the level of an alarm."""
    number, unit = _one_quantity(text, _VOLUME_HINT)
    level = number * _volume_unit_nl(text, unit, _VOLUME_HINT)
    return _whole(text, level, "nL", MAX_VOLUME_NL, format_volume_nl) if level else 0


def parse_concentration_ng_per_ml(text: str) -> int:
    """`500ug/mL`, `500mcg/mL` or `0.5mg/mL` to nanograms a millilitre."""
    number, unit = _one_quantity(text, _CONCENTRATION_HINT)
    mass, slash, volume = unit.partition("/")
    if volume == "ml":
        volume = "mL"
    factor = CONCENTRATION_UNITS_NG_PER_ML.get(f"{'ug' if mass == MICROGRAM else mass}{slash}{volume}")
    if factor is None:
        raise _wrong_unit(text, unit, _CONCENTRATION_HINT)
    return _whole(text, number * factor, "ng/mL", MAX_CONCENTRATION_NG_PER_ML, format_concentration)


def parse_amount(text: str, units: Mapping[str, int]) -> int:
    """A number with one of these units, or without one in the smallest; it may have a sign: `-0.4V` is -400 mV."""
    cleaned = text.strip()
    for sign, letters in _SIGNS.items():
        cleaned = cleaned.replace(sign, letters)
    match = _AMOUNT.fullmatch(cleaned) if len(cleaned) <= MAX_TEXT_LENGTH else None
    hint = f"write a number with a unit {', '.join(units)}"
    if match is None:
        shown = text if len(text) <= MAX_TEXT_LENGTH else f"{text[:16]}…"
        raise QuantityError(f"'{shown}' is no amount; {hint}")
    # `ml` is as common as `mL`, here too.
    factor = units.get(re.sub("l$", "L", match["unit"])) if match["unit"] else 1
    if factor is None:
        raise _wrong_unit(text, match["unit"], hint)
    amount = Fraction(_decimal(match["number"])) * factor
    if amount.denominator != 1:
        raise QuantityError(f"'{text}' is finer than the smallest step there is; {hint}")
    return -amount.numerator if match["sign"] == "-" else amount.numerator


def format_volume_nl(volume_nl: int) -> str:
    """A volume in the largest unit that keeps it at or above 1, exactly: `50 uL`; `unknown` for the wire's unknown."""
    if volume_nl == UNKNOWN_U32:
        return "unknown"
    return _scaled(volume_nl, VOLUME_UNITS_NL)


def format_duration_us(duration_us: int) -> str:
    """A duration as a sum of whole units, exactly: `1d 12h`."""
    if duration_us == 0:
        return "0s"
    parts, rest = [], abs(duration_us)
    for unit, factor in DURATION_UNITS_US.items():
        count, rest = divmod(rest, factor)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if duration_us < 0 else "") + " ".join(parts)


def format_rate(rate_nl_per_day: int) -> str:
    """A rate a day, exactly: `500 uL/day`; `unknown` for the wire's unknown."""
    if rate_nl_per_day == UNKNOWN_U32:
        return "unknown"
    return f"{_scaled(rate_nl_per_day, VOLUME_UNITS_NL)}/day"


def format_concentration(concentration_ng_per_ml: int) -> str:
    """A concentration, exactly: `500 ug/mL`; `unknown` for the wire's unknown."""
    if concentration_ng_per_ml == UNKNOWN_U32:
        return "unknown"
    return _scaled(concentration_ng_per_ml, CONCENTRATION_UNITS_NG_PER_ML)


def format_dose_a_day(dose_fg: int) -> str:
    """A dose a day, exactly: `310 ug/day`."""
    return _scaled(dose_fg, DOSE_UNITS_FG)


def format_amount(amount: int, units: Mapping[str, int]) -> str:
    """An amount in the largest of these units that keeps it at or above 1, exactly: `2 mA`."""
    return _scaled(amount, units)


_VOLUME_HINT = "write a volume with its unit nL, uL or mL, such as 50uL"
_DURATION_HINT = "write a duration with its unit d, h, min, s, ms or us, such as 90s or 1d12h"
_RATE_HINT = "write a rate with a volume (nL, uL, mL) and a time (day, h, min), such as 0.5mL/day"
_CONCENTRATION_HINT = "write a concentration with its unit ng/mL, ug/mL or mg/mL, such as 500ug/mL"


def _clean(text: str, hint: str) -> str:
    cleaned = text.strip()
    for sign in MICRO_SIGNS:
        cleaned = cleaned.replace(sign, "u")
    if len(cleaned) > MAX_TEXT_LENGTH:
        raise QuantityError(f"'{cleaned[:16]}…' is too long for a quantity; {hint}")
    if not cleaned:
        raise QuantityError(f"it is empty; {hint}")
    if "," in cleaned:
        raise QuantityError(f"'{text}' has a comma; write a decimal point and no separators, such as 0.5")
    if cleaned.startswith(("-", "\N{MINUS SIGN}")):
        raise QuantityError(f"'{text}' is negative; it must be above zero")
    if _SIGNED_NUMBER.fullmatch(cleaned):
        raise QuantityError(f"'{text}' has no unit; {hint}")
    return cleaned


def _one_quantity(text: str, hint: str) -> tuple[Fraction, str]:
    match = _QUANTITY.fullmatch(_clean(text, hint))
    if match is None:
        raise QuantityError(f"'{text}' is not a number with a unit; {hint}")
    return Fraction(_decimal(match["number"])), match["unit"]


def _decimal(number: str) -> str:
    """A number as `Fraction` takes it: before Python 3.12 it does not take `5.`."""
    return number.removesuffix(".")


def _volume_unit_nl(text: str, unit: str, hint: str) -> int:
    # `ml` is as common as `mL`; `ML` would be something else altogether.
    factor = VOLUME_UNITS_NL.get(unit[:-1] + "L" if unit.endswith("l") else unit)
    if factor is None:
        raise _wrong_unit(text, unit, hint)
    return factor


def _wrong_unit(text: str, unit: str, hint: str) -> QuantityError:
    if not unit:
        return QuantityError(f"'{text}' has a number without a unit; {hint}")
    return QuantityError(f"'{text}' has the unit '{unit}', which is not known here; {hint}")


def _whole(text: str, value: Fraction, unit: str, maximum: int, show: Callable[[int], str]) -> int:
    if value == 0:
        raise QuantityError(f"'{text}' is zero; it must be above zero")
    if value > maximum:
        raise QuantityError(f"'{text}' is too large; at most {show(maximum)} is allowed")
    if value.denominator != 1:
        raise QuantityError(f"'{text}' is finer than 1 {unit}, the smallest step there is")
    return value.numerator


def _scaled(value: int, units: Mapping[str, int]) -> str:
    unit, factor = next(iter(units.items()))
    for name, candidate in units.items():
        if abs(value) >= candidate:
            unit, factor = name, candidate
    whole, rest = divmod(abs(value), factor)
    digits = f"{rest:0{len(str(factor)) - 1}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole}{'.' + digits if digits else ''} {unit}"
