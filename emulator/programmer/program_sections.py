"""The sections of a program file but for the schedule: their fields, and the drugs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from emulator.programmer.program_fields import (
    BY_ATTRIBUTE,
    DRUG_FIELDS,
    NAME,
    NONE,
    PATIENT,
    SECTIONS,
    STABLE_FOR,
    FileField,
    Kind,
    clip,
    listed,
    meant,
    quoted,
)
from emulator.programmer.program_said import ProgramFile
from emulator.programmer.toml_lines import KeyPath
from emulator.quantities import QuantityError
from protocol.messages.program import DRUGS_MAX, DrugEntry

_MAX_VALUE_LENGTH: Final = 256


class Number(str):
    """A number with a point or an exponent, as it stands in the file: nothing here is a float."""

    __slots__ = ()


_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    list: "a list",
    dict: "a section",
    int: "a number",
    Number: "a number",
    str: "text",
}


def read_section(file: ProgramFile, section: str, entries: object) -> dict[str, Any]:
    """What a section says, by the attributes of a program."""
    fields = SECTIONS[section]
    if section == "patient" and entries is False:
        return dict.fromkeys(PATIENT, 0)
    if not isinstance(entries, dict):
        no_boluses = ", or patient = false for no patient boluses" if section == "patient" else ""
        raise file.error(
            f"{section} must be a section: write [{section}], and below it {listed(fields)}{no_boluses}", section
        )
    values = read_fields(file, fields, section, entries, (section,))
    if section == "patient" and values.get("bolus") == 0:
        others = [name for name in values if name != "bolus"]
        if others:
            bolus = BY_ATTRIBUTE["patient_volume_nl"]
            raise file.error(
                f'patient.{others[0]} is there, but patient.bolus is "{NONE}"; write a bolus such as '
                f"{bolus.assignment}, or leave the rest out",
                section,
                others[0],
            )
        return dict.fromkeys(PATIENT, 0)
    return {fields[key].attribute: value for key, value in values.items()}


def read_fields(
    file: ProgramFile, fields: Mapping[str, FileField], section: str, entries: Mapping[str, object], at: KeyPath
) -> dict[str, Any]:
    """The values of one section by their names."""
    values = {}
    for key, value in entries.items():
        if key not in fields:
            what = clip(f"{section}.{key}")
            raise file.error(f"there is no {what}{meant(key, fields)}; {section} has {listed(fields)}", *at, key)
        values[key] = _read_value(file, fields[key], value, (*at, key))
    return values


def _read_value(file: ProgramFile, field: FileField, value: object, at: KeyPath) -> Any:
    is_number = isinstance(value, int | Number) and not isinstance(value, bool)
    kind = _KINDS.get(type(value), "a time")
    if field.kind is Kind.COUNT:
        if not isinstance(value, int) or isinstance(value, bool):
            raise file.error(f"{field.path} is {kind}, but must be a whole number, such as {field.example}", *at)
    elif not isinstance(value, str | int) or isinstance(value, bool) or (is_number and field.kind is Kind.WORD):
        raise file.error(f"{field.path} is {kind}, but must be text in quotes, such as {field.quoted_example}", *at)
    text = str(value)
    if len(text) > _MAX_VALUE_LENGTH or not text.isprintable():
        raise file.error(f"{field.path} is {quoted(text)}; write something such as {field.quoted_example}", *at)
    try:
        return field.read(text)
    except QuantityError as error:
        in_quotes = f", in quotes: {field.assignment}" if is_number and field.kind is Kind.QUANTITY else ""
        raise file.error(f"{field.path}: {error}{in_quotes}", *at) from None


def read_drugs(file: ProgramFile, document: Mapping[str, Any]) -> tuple[DrugEntry, ...]:
    """The mixture that a file says: all of it, or that there is none."""
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
        values = read_fields(file, DRUG_FIELDS, "drug", entries, at)
        for field in DRUG_FIELDS.values():
            if field.name not in values and field is not STABLE_FOR:
                raise file.error(f"this drug has no {field.name}; write {field.assignment}", *at)
        if values[NAME.name] in (drug.name for drug in drugs):
            raise file.error(f"{NAME.path}: {quoted(values[NAME.name])} is there twice", *at, NAME.name)
        said = {DRUG_FIELDS[name].attribute: value for name, value in values.items()}
        drugs.append(DrugEntry(**({STABLE_FOR.attribute: 0} | said)))
    return tuple(drugs)
