"""A program as a TOML file: read and checked, laid over the program that a pump has, and written.

What a file does not say stays as it is in the pump. A file that cannot be used is a ProgramFileError: one sentence with
the file, the line, the field and what is allowed.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from emulator.cli.quantities import (
    QuantityError,
    format_concentration,
    format_rate,
    format_volume_nl,
    parse_concentration_ng_per_ml,
    parse_level_nl,
    parse_rate_nl_per_day,
    parse_volume_nl,
)
from emulator.programmer.program_image import Program
from emulator.programmer.toml_lines import KeyPath, key_lines
from protocol.fields import table_of
from protocol.messages.codes import Block, Mode
from protocol.messages.link import CapsAnswer
from protocol.messages.program import BLOCKS, DRUGS_MAX, DrugEntry

MAX_FILE_BYTES: Final = 65_536
DRUG_NAME_LENGTH: Final = next(field.size for field in table_of(DrugEntry) if field.name == "name") or 0
MODES: Final[Mapping[str, Mode]] = MappingProxyType({mode.name.lower().replace("_", " "): mode for mode in Mode})
SAYABLE: Final = (
    "[[drug]] with name and concentration (or drugs = [] for none), [infusion] with mode and rate, [limits] with "
    "rate_max and bolus_max, [alarms] with low_reservoir"
)

_MAX_QUOTED: Final = 40
_MAX_VALUE_LENGTH: Final = 256
_AT_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$")


class ProgramFileError(Exception):
    """A file that cannot be used. One sentence: which file and line, which field, what is allowed."""


@dataclass(frozen=True, slots=True)
class FileField:
    """A field of a file: the section and name that it has there, and the program's attribute that it says."""

    section: str
    name: str
    attribute: str
    read: Callable[[str], Any]
    show: Callable[[Any], str]
    example: str

    @property
    def path(self) -> str:
        """How people call it."""
        return f"{self.section}.{self.name}"


def mode_text(mode: Mode) -> str:
    """A mode as a file says it."""
    return next(text for text, each in MODES.items() if each == mode)


def drug_text(drug: DrugEntry) -> str:
    """A drug with its concentration."""
    return f"{drug.name} {format_concentration(drug.concentration_ng_per_ml)}"


def _read_mode(text: str) -> Mode:
    if text not in MODES:
        raise QuantityError(f"{_quoted(text)} is no mode{_meant(text, MODES)}; allowed are {', '.join(MODES)}")
    return MODES[text]


def _read_name(text: str) -> str:
    if not text or len(text) > DRUG_NAME_LENGTH or not text.isascii() or not text.isprintable():
        raise QuantityError(f"{_quoted(text)} is not 1 to {DRUG_NAME_LENGTH} characters of printable ASCII")
    return text


FIELDS: Final = (
    FileField("infusion", "mode", "mode", _read_mode, mode_text, "simple continuous"),
    FileField("infusion", "rate", "rate_nl_per_day", parse_rate_nl_per_day, format_rate, "0.62mL/day"),
    FileField("limits", "rate_max", "rate_max_nl_per_day", parse_rate_nl_per_day, format_rate, "5mL/day"),
    FileField("limits", "bolus_max", "bolus_volume_max_nl", parse_volume_nl, format_volume_nl, "100uL"),
    FileField("alarms", "low_reservoir", "low_reservoir_nl", parse_level_nl, format_volume_nl, "2mL"),
)
BY_ATTRIBUTE: Final[Mapping[str, FileField]] = MappingProxyType({field.attribute: field for field in FIELDS})
_NAME: Final = FileField("drug", "name", "name", _read_name, str, "baclofen")
_CONCENTRATION: Final = FileField(
    "drug", "concentration", "concentration", parse_concentration_ng_per_ml, format_concentration, "500ug/mL"
)
_DRUG: Final = {"name": _NAME, "concentration": _CONCENTRATION}
_SECTIONS: Final[Mapping[str, Mapping[str, FileField]]] = MappingProxyType(
    {
        section: {field.name: field for field in FIELDS if field.section == section}
        for section in dict.fromkeys(field.section for field in FIELDS)
    }
)
_TOP: Final = ("drugs", "drug", *_SECTIONS)


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """What a file says: values by the attribute of a Program, and the line on which each key stands."""

    name: str
    said: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def line(self, *key: str | int) -> int | None:
        """The line of a key, or of the nearest thing around it that has one."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return self.lines[key[:length]]
        return None

    def line_of(self, attribute: str) -> int | None:
        """The line on which an attribute of the program is said; None if it is not."""
        if attribute not in self.said:
            return None
        if attribute == "drugs":
            return self.lines.get(("drug",), self.lines.get(("drugs",)))
        return self.line(BY_ATTRIBUTE[attribute].section, BY_ATTRIBUTE[attribute].name)

    def place(self, line: int | None) -> str:
        """The file, and a line in it."""
        return self.name if line is None else f"{self.name}, line {line}"

    def error(self, complaint: str, *key: str | int) -> ProgramFileError:
        """A complaint about a key, which begins with its name."""
        return ProgramFileError(f"{self.place(self.line(*key))}: {complaint}.")

    def field_error(self, field: FileField, complaint: str) -> ProgramFileError:
        """A complaint about a field, which goes on behind its name."""
        return self.error(f"{field.path} {complaint}", field.section, field.name)


def load_program_file(path: Path) -> ProgramFile:
    """The program in a file of the disk."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ProgramFileError(f"{path} cannot be read: {reason}.") from error
    return read_program_file(str(path), data)


def read_program_file(name: str, data: bytes) -> ProgramFile:
    """The program in a file's bytes."""
    document, lines = _document(name, data)
    file = ProgramFile(name, {}, lines)
    said: dict[str, Any] = {}
    for key, value in document.items():
        if key in _SECTIONS:
            said |= _section(file, key, value)
        elif key not in _TOP:
            kind = f"section [{key}]" if isinstance(value, dict) else f"field {_quoted(key)}"
            raise file.error(f"there is no {_clip(kind)}{_meant(key, _TOP)}; a program may say {SAYABLE}", key)
    if "drug" in document or "drugs" in document:
        said["drugs"] = _drugs(file, document)
    if not said:
        raise ProgramFileError(f"{name} says nothing; a program may say {SAYABLE}.")
    file = replace(file, said=MappingProxyType(said))
    mode = said.get("mode", Mode.SIMPLE_CONTINUOUS)
    if "rate_nl_per_day" in said and mode != Mode.SIMPLE_CONTINUOUS:
        raise _rate_without_mode(file, f"infusion.mode is {mode_text(mode)}")
    return file


def program_text(program: Program) -> str:
    """A program as the text of a file that says all of it."""
    sections = ["drugs = []\n"] if not program.drugs else []
    for drug in program.drugs:
        concentration = json.dumps(format_concentration(drug.concentration_ng_per_ml))
        # The names are printable ASCII, of which JSON makes what TOML reads.
        sections.append(f"[[drug]]\nname = {json.dumps(drug.name)}\nconcentration = {concentration}\n")
    for section, fields in _SECTIONS.items():
        rows = [
            f"{field.name} = {json.dumps(field.show(getattr(program, field.attribute)))}\n"
            for field in fields.values()
            if field.attribute != "rate_nl_per_day" or program.mode == Mode.SIMPLE_CONTINUOUS
        ]
        sections.append(f"[{section}]\n{''.join(rows)}")
    return "\n".join(sections)


def wanted_program(file: ProgramFile, active: Program, caps: CapsAnswer) -> Program:
    """What a file asks of a pump, laid over the program that the pump has; a pump that cannot do it is an error."""
    program = replace(active, **file.said)
    if program.mode != Mode.SIMPLE_CONTINUOUS:
        if "rate_nl_per_day" in file.said:
            raise _rate_without_mode(file, f"the pump's mode is {mode_text(program.mode)}")
        program = replace(program, rate_nl_per_day=0)
    elif active.mode != Mode.SIMPLE_CONTINUOUS and "rate_nl_per_day" not in file.said:
        raise file.field_error(
            BY_ATTRIBUTE["mode"], f'is {mode_text(program.mode)}, which needs a rate, such as rate = "0.62mL/day"'
        )
    _check_drugs(file, program, caps)
    _check_ranges(file, program, caps)
    _check_rate(file, program, caps)
    return program


def _document(name: str, data: bytes) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    if len(data) > MAX_FILE_BYTES:
        raise ProgramFileError(f"{name} is larger than {MAX_FILE_BYTES} bytes, the most that a program may have.")
    try:
        # Some editors begin a file with a byte order mark, which is no part of it.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad_line = data[: error.start].count(b"\n") + 1
        raise ProgramFileError(f"{name}, line {bad_line}: this is not UTF-8 text.") from None
    try:
        return tomllib.loads(text, parse_float=_Number), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
        raise ProgramFileError(f"{name}, line {line}: this is no TOML: {_AT_PLACE.sub('', str(error))}.") from None
    except RecursionError:
        raise ProgramFileError(f"{name} is nested too deeply; a program may say {SAYABLE}.") from None
    except ValueError:
        raise ProgramFileError(f"{name} has a number that is too long; write quantities as text with a unit.") from None


class _Number(str):
    """A number with a point or an exponent, as it stands in the file: nothing here is a float."""

    __slots__ = ()


def _section(file: ProgramFile, section: str, entries: object) -> dict[str, Any]:
    fields = _SECTIONS[section]
    if not isinstance(entries, dict):
        raise file.error(f"{section} must be a section: write [{section}], and below it {_listed(fields)}", section)
    return {fields[key].attribute: value for key, value in _values(file, fields, section, entries, (section,)).items()}


def _values(
    file: ProgramFile, fields: Mapping[str, FileField], section: str, entries: Mapping[str, object], at: KeyPath
) -> dict[str, Any]:
    """The values of one section by their names."""
    values = {}
    for key, value in entries.items():
        if key not in fields:
            what = _clip(f"{section}.{key}")
            raise file.error(f"there is no {what}{_meant(key, fields)}; {section} has {_listed(fields)}", *at, key)
        values[key] = _value(file, fields[key], value, (*at, key))
    return values


def _value(file: ProgramFile, field: FileField, value: object, at: KeyPath) -> Any:
    is_number = isinstance(value, int | _Number) and not isinstance(value, bool)
    quantity = field.read not in (_read_mode, _read_name)
    if not isinstance(value, str | int) or isinstance(value, bool) or (is_number and not quantity):
        kind = "a number" if is_number else _KINDS.get(type(value), "a time")
        raise file.error(f'{field.path} is {kind}, but must be text in quotes, such as "{field.example}"', *at)
    text = str(value)
    if len(text) > _MAX_VALUE_LENGTH or not text.isprintable():
        raise file.error(f'{field.path} is {_quoted(text)}; write something such as "{field.example}"', *at)
    try:
        return field.read(text)
    except QuantityError as error:
        in_quotes = f', in quotes: {field.name} = "{field.example}"' if is_number else ""
        raise file.error(f"{field.path}: {error}{in_quotes}", *at) from None


_KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {bool: "true or false", list: "a list", dict: "a section", int: "a number", _Number: "a number"}
)


def _drugs(file: ProgramFile, document: Mapping[str, Any]) -> tuple[DrugEntry, ...]:
    sections = document.get("drug", [])
    if "drugs" in document and (document["drugs"] != [] or sections):
        raise file.error("drugs can only be [], which says: none; write each drug as a section [[drug]]", "drugs")
    is_array = isinstance(sections, list) and all(isinstance(entry, dict) for entry in sections)
    if not is_array or ("drug" in document and not sections):
        raise file.error("write each drug as a section [[drug]], with two brackets; drugs = [] says: none", "drug")
    if len(sections) > DRUGS_MAX:
        raise file.error(f"this is drug {DRUGS_MAX + 1}, and a program has at most {DRUGS_MAX}", "drug", DRUGS_MAX)
    drugs: list[DrugEntry] = []
    for number, entries in enumerate(sections):
        at = ("drug", number)
        values = _values(file, _DRUG, "drug", entries, at)
        for field in _DRUG.values():
            if field.name not in values:
                raise file.error(f'this drug has no {field.name}; write {field.name} = "{field.example}"', *at)
        if values["name"] in (drug.name for drug in drugs):
            raise file.error(f"drug.name: {_quoted(values['name'])} is there twice", *at, "name")
        drugs.append(DrugEntry(name=values["name"], concentration_ng_per_ml=values["concentration"]))
    return tuple(drugs)


def _rate_without_mode(file: ProgramFile, because: str) -> ProgramFileError:
    wanted = mode_text(Mode.SIMPLE_CONTINUOUS)
    return file.field_error(
        BY_ATTRIBUTE["rate_nl_per_day"],
        f'is only for the mode {wanted}, and {because}; write mode = "{wanted}", or leave the rate out',
    )


def _check_drugs(file: ProgramFile, program: Program, caps: CapsAnswer) -> None:
    if "drugs" not in file.said:
        return
    if len(program.drugs) > caps.drugs_max:
        raise file.error(
            f"this is drug {caps.drugs_max + 1}, but this pump allows {caps.drugs_max}", "drug", caps.drugs_max
        )
    for number, drug in enumerate(program.drugs):
        if drug.concentration_ng_per_ml > caps.concentration_max_ng_per_ml:
            most = format_concentration(caps.concentration_max_ng_per_ml)
            shown = format_concentration(drug.concentration_ng_per_ml)
            complaint = f"{_CONCENTRATION.path} is {shown}, but this pump allows at most {most}"
            raise file.error(complaint, "drug", number, "concentration")


def _check_ranges(file: ProgramFile, program: Program, caps: CapsAnswer) -> None:
    ranges = {
        "rate_max_nl_per_day": (caps.rate_min_nl_per_day, caps.rate_max_nl_per_day),
        "bolus_volume_max_nl": (caps.bolus_volume_min_nl, caps.bolus_volume_max_nl),
        "low_reservoir_nl": (caps.empty_reservoir_nl, caps.reservoir_capacity_nl),
    }
    for attribute, (lowest, highest) in ranges.items():
        if attribute in file.said and not lowest <= getattr(program, attribute) <= highest:
            raise _out_of_range(file, program, attribute, lowest, highest)


def _check_rate(file: ProgramFile, program: Program, caps: CapsAnswer) -> None:
    if program.mode != Mode.SIMPLE_CONTINUOUS:
        return
    if "rate_nl_per_day" in file.said:
        quantum = max(1, caps.rate_quantum_nl_per_day)
        # A rate that is rounded down must not come to lie below the least one.
        lowest = -(-caps.rate_min_nl_per_day // quantum) * quantum
        highest = min(caps.rate_max_nl_per_day, program.rate_max_nl_per_day)
        if not lowest <= program.rate_nl_per_day <= highest:
            why = " by limits.rate_max" if program.rate_max_nl_per_day < caps.rate_max_nl_per_day else ""
            raise _out_of_range(file, program, "rate_nl_per_day", lowest, highest, why)
    elif "rate_max_nl_per_day" in file.said and program.rate_nl_per_day > program.rate_max_nl_per_day:
        limit, rate = format_rate(program.rate_max_nl_per_day), format_rate(program.rate_nl_per_day)
        raise file.field_error(
            BY_ATTRIBUTE["rate_max_nl_per_day"],
            f"is {limit}, but the rate in the pump, which stays, is {rate}; allow at least that, or write a lower "
            "infusion.rate",
        )


def _out_of_range(
    file: ProgramFile, program: Program, attribute: str, lowest: int, highest: int, why: str = ""
) -> ProgramFileError:
    field = BY_ATTRIBUTE[attribute]
    shown = field.show(getattr(program, attribute))
    allowed = f"{field.show(lowest)} to {field.show(highest)} is allowed{why}"
    return file.field_error(field, f"is {shown}, but {allowed} on this pump")


def field_of_block(block: Block, index: int) -> str | None:
    """The program's attribute that a pump means by a block and the index of a field in its table."""
    table = table_of(BLOCKS[block]) if block in BLOCKS else ()
    return table[index].name if index < len(table) else None


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)


def _meant(word: str, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(word.lower()[:_MAX_QUOTED], list(allowed), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _clip(text: str) -> str:
    """A name out of a file, so that it fits into a sentence and does nothing to a terminal."""
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= _MAX_QUOTED else f"{shown[:_MAX_QUOTED]}…"


def _quoted(text: str) -> str:
    return f"'{_clip(text)}'"
