"""The fields of a program file: where each is said, which attribute of the program it says, and how it is written."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from emulator.programmer.program_image import attribute_of
from emulator.quantities import (
    S_PER_DAY,
    US_PER_S,
    QuantityError,
    format_concentration,
    format_duration_us,
    format_rate,
    format_volume_nl,
    parse_concentration_ng_per_ml,
    parse_duration_us,
    parse_level_nl,
    parse_rate_nl_per_day,
    parse_volume_nl,
)
from protocol.fields import table_of
from protocol.messages.codes import Block, Mode
from protocol.messages.program import BLOCKS, DrugEntry

DRUG_NAME_LENGTH: Final = next(field.size for field in table_of(DrugEntry) if field.name == "name") or 0
MODES: Final[Mapping[str, Mode]] = MappingProxyType({mode.name.lower().replace("_", " "): mode for mode in Mode})
NONE: Final = "none"
MAX_STABLE_DAYS: Final = 36_500
_HIGHEST_U16: Final = 0xFFFF
_MAX_QUOTED: Final = 40
_S_PER_MIN: Final = 60


class Kind(enum.Enum):
    """What a field takes in TOML."""

    WORD = "text"
    QUANTITY = "text with a number and a unit"
    COUNT = "a whole number"


@dataclass(frozen=True, slots=True)
class FileField:
    """A field of a file: the section and name that it has there, and the program's attribute that it says.

    `zero` is the word that a file says for 0, where 0 is no quantity but something else.
    """

    section: str
    name: str
    attribute: str
    parse: Callable[[str], Any]
    format: Callable[[Any], str]
    example: str
    kind: Kind = Kind.QUANTITY
    zero: str | None = None

    @property
    def path(self) -> str:
        """How people call it."""
        return f"{self.section}.{self.name}"

    @property
    def assignment(self) -> str:
        """An example of it, as a file says it."""
        return f"{self.name} = {self.example if self.kind is Kind.COUNT else self.quoted_example}"

    @property
    def quoted_example(self) -> str:
        """An example of its value."""
        return f'"{self.example}"'

    def read(self, text: str) -> Any:
        """The value of a text; QuantityError says in a clause what is wrong with it."""
        if text == self.zero:
            return 0
        try:
            return self.parse(text)
        except QuantityError as error:
            if self.zero is None:
                raise
            raise QuantityError(f'{error}, or "{self.zero}"') from None

    def show(self, value: Any) -> str:
        """A value as a file says it."""
        return self.zero if value == 0 and self.zero else self.format(value)


def mode_text(mode: Mode) -> str:
    """A mode as a file says it."""
    return mode.name.lower().replace("_", " ")


def drug_text(drug: DrugEntry) -> str:
    """A drug with its concentration, and for how long it is stable if somebody has said so."""
    stable = f", stable for {days_text(drug.stability_days)}" if drug.stability_days else ""
    return f"{drug.name} {format_concentration(drug.concentration_ng_per_ml)}{stable}"


def seconds_text(duration_s: int) -> str:
    """A duration in seconds, exactly."""
    return format_duration_us(duration_s * US_PER_S)


def minutes_text(duration_min: int) -> str:
    """A duration in minutes, exactly."""
    return seconds_text(duration_min * _S_PER_MIN)


def days_text(duration_days: int) -> str:
    """A duration in days, exactly."""
    return seconds_text(duration_days * S_PER_DAY)


def read_seconds(text: str) -> int:
    """`30min` or `1d12h` to seconds."""
    return _in_units_of(1, text, "1s")


def _read_minutes(text: str) -> int:
    return _at_most(_HIGHEST_U16, _in_units_of(_S_PER_MIN, text, "1min"), text, minutes_text)


def _read_days(text: str) -> int:
    return _at_most(MAX_STABLE_DAYS, _in_units_of(S_PER_DAY, text, "1d"), text, days_text)


def _in_units_of(unit_s: int, text: str, smallest: str) -> int:
    count, rest = divmod(parse_duration_us(text), unit_s * US_PER_S)
    if rest:
        raise QuantityError(f"{quoted(text)} is no whole number of {smallest}, the smallest step there is")
    return count


def _at_most(most: int, count: int, text: str, show: Callable[[int], str]) -> int:
    if count > most:
        raise QuantityError(f"{quoted(text)} is too large; at most {show(most)} is allowed")
    return count


def _read_count(text: str) -> int:
    if not 1 <= int(text) <= _HIGHEST_U16:
        raise QuantityError(f"{quoted(text)} is no number from 1 to {_HIGHEST_U16}")
    return int(text)


def _read_mode(text: str) -> Mode:
    if text not in MODES:
        raise QuantityError(f"{quoted(text)} is no mode{meant(text, MODES)}; allowed are {', '.join(MODES)}")
    return MODES[text]


def _read_name(text: str) -> str:
    if not text or len(text) > DRUG_NAME_LENGTH or not text.isascii() or not text.isprintable():
        raise QuantityError(f"{quoted(text)} is not 1 to {DRUG_NAME_LENGTH} characters of printable ASCII")
    return text


_RATE: Final = (parse_rate_nl_per_day, format_rate)
_VOLUME: Final = (parse_volume_nl, format_volume_nl)
_SECONDS: Final = (read_seconds, seconds_text)
_MINUTES: Final = (_read_minutes, minutes_text)

FIELDS: Final = (
    FileField("infusion", "mode", "mode", _read_mode, mode_text, "simple continuous", Kind.WORD),
    FileField("infusion", "rate", "rate_nl_per_day", *_RATE, "0.62mL/day", zero=NONE),
    FileField("infusion", "dose", "dose_volume_nl", *_VOLUME, "100uL"),
    FileField("infusion", "over", "dose_duration_s", *_SECONDS, "30min"),
    FileField("infusion", "every", "dose_interval_s", *_SECONDS, "6h"),
    FileField("patient", "bolus", "patient_volume_nl", *_VOLUME, "20uL", zero=NONE),
    FileField("patient", "over", "patient_duration_s", *_SECONDS, "10min"),
    FileField("patient", "lockout", "patient_lockout_s", *_SECONDS, "2h", zero=NONE),
    FileField("patient", "most", "patient_activations_max", _read_count, str, "6", Kind.COUNT),
    FileField("patient", "window", "patient_window_s", *_SECONDS, "24h"),
    FileField("limits", "rate_max", "rate_max_nl_per_day", *_RATE, "5mL/day"),
    FileField("limits", "bolus_max", "bolus_volume_max_nl", *_VOLUME, "100uL"),
    FileField("limits", "window_max", "window_max_nl", *_VOLUME, "2mL"),
    FileField("alarms", "low_reservoir", "low_reservoir_nl", parse_level_nl, format_volume_nl, "2mL"),
    FileField("alarms", "critical_repeat", "critical_repeat_min", *_MINUTES, "10min", zero="default"),
    FileField("alarms", "non_critical_repeat", "non_critical_repeat_min", *_MINUTES, "1h", zero="default"),
    FileField("catheter", "volume", "catheter_nl", *_VOLUME, "178uL", zero="unknown"),
)
"""The fields that say one attribute each. Beside them a file has drugs and a schedule."""
BY_ATTRIBUTE: Final[Mapping[str, FileField]] = MappingProxyType({field.attribute: field for field in FIELDS})
SECTIONS: Final[Mapping[str, Mapping[str, FileField]]] = MappingProxyType(
    {
        section: MappingProxyType({field.name: field for field in FIELDS if field.section == section})
        for section in dict.fromkeys(field.section for field in FIELDS)
    }
)
PATIENT: Final = tuple(field.attribute for field in FIELDS if field.section == "patient")

NAME: Final = FileField("drug", "name", "name", _read_name, str, "baclofen", Kind.WORD)
CONCENTRATION: Final = FileField(
    "drug",
    "concentration",
    "concentration_ng_per_ml",
    parse_concentration_ng_per_ml,
    format_concentration,
    "500ug/mL",
)
STABLE_FOR: Final = FileField("drug", "stable_for", "stability_days", _read_days, days_text, "180d")
DRUG_FIELDS: Final[Mapping[str, FileField]] = MappingProxyType(
    {field.name: field for field in (NAME, CONCENTRATION, STABLE_FOR)}
)


def field_of_block(block: Block, index: int) -> str | None:
    """The program's attribute that a pump means by a block and the index of a field in its table."""
    table = table_of(BLOCKS[block]) if block in BLOCKS else ()
    return attribute_of(block, table[index].name) if index < len(table) else None


def listed(names: Iterable[str], last: str = "and") -> str:
    """Names in a sentence."""
    *others, final = names
    return f"{', '.join(others)} {last} {final}" if others else final


def meant(word: str, allowed: Iterable[str]) -> str:
    """What somebody may have meant by a word that is not allowed."""
    close = difflib.get_close_matches(word.lower()[:_MAX_QUOTED], list(allowed), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def clip(text: str) -> str:
    """A name out of a file, so that it fits into a sentence and does nothing to a terminal."""
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= _MAX_QUOTED else f"{shown[:_MAX_QUOTED]}…"


def quoted(text: str) -> str:
    """A text out of a file, in quotes."""
    return f"'{clip(text)}'"
