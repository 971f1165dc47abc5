"""How messages of the wire read: as JSON with the wire's own field names, and as text with units for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum, IntFlag
from typing import Any

from emulator.cli.guards import INSECURE, TEST_KEYS
from emulator.cli.quantities import UNKNOWN_U32, US_PER_S, format_duration_us, format_rate, format_volume_nl
from protocol.access import access_of
from protocol.fields import Field, FormatError, table_of
from protocol.messages.codes import LogType, Marks, Role
from protocol.messages.log import LogRecord
from protocol.messages.log_records import data_of
from protocol.messages.operations import operation_of
from protocol.refusals import NO_FIELD, REFUSALS, Nak, NakCode

LOUD_MARKS: Mapping[Marks, str] = {
    Marks.INSECURE: INSECURE,
    Marks.TEST_KEYS: TEST_KEYS,
}
"""What a person must not overlook, wherever a pump shows itself."""

_SERIAL_NUMBER = "serial_number"
# Names of things rather than amounts: a person compares them with what another sentence says.
IN_HEX = frozenset({_SERIAL_NUMBER, "host_id", "from_host_id", "crc32"})
_UNKNOWN_U16 = 0xFFFF
_NANOLITRES = re.compile(r"\b([0-9]+) nl\b", re.ASCII)
_SECONDS = re.compile(r"\b([0-9]+) s\b", re.ASCII)


def document_of(message: object) -> dict[str, Any]:
    """A message as JSON values under the wire's field names; enumerations as lower-case names, bytes as hex.

    Fields that an event does not tell are left out.
    """
    document = {}
    for field in _fields_there(message):
        value = getattr(message, field.name)
        document[field.name] = f"{value:08X}" if field.name == _SERIAL_NUMBER else _json_value(value)
    return document


def _fields_there(message: object) -> list[Field]:
    return [
        field for field in table_of(type(message)) if field.present is None or getattr(message, field.name) is not None
    ]


def document_of_record(record: LogRecord) -> dict[str, Any]:
    """A log record as JSON values; its data by the fields of its type, or as hex where they are not known."""
    document = document_of(record)
    document["type"] = record_type_name(record)
    try:
        data = data_of(record)
    except FormatError:
        data = None
    document["data"] = record.data[: record.data_length].hex() if data is None else document_of(data)
    return document


def record_type_name(record: LogRecord) -> str:
    """The name of a record's type, or its number for one that a later version writes."""
    try:
        return LogType(record.type).name.lower()
    except ValueError:
        return f"type {record.type:04x}"


def _json_value(value: Any) -> Any:
    if isinstance(value, IntFlag):
        return names_of(value)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [document_of(item) for item in value]
    return value


def names_of(flags: IntFlag) -> list[str]:
    """The names of the set bits; a bit that a later version gave a meaning appears as its number."""
    known = [member for member in type(flags) if member & flags]
    names = [str(member.name).lower() for member in known]
    rest = int(flags) & ~sum(int(member) for member in known)
    return [*names, f"{rest:#x}"] if rest else names


def text_of(value: Any, unit: str = "", name: str = "") -> str:
    """One field's value for people."""
    if name in IN_HEX:
        return f"{value:08X}"
    if isinstance(value, IntFlag):
        return ", ".join(names_of(value)) or "none"
    if isinstance(value, IntEnum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return "[" + "; ".join(summary_of(item) for item in value) + "]"
    if unit == "mV" and value == _UNKNOWN_U16:
        return "unknown"
    return _number_text(value, unit) if isinstance(value, int) else str(value)


def _number_text(value: int, unit: str) -> str:
    if unit and value == UNKNOWN_U32:
        return "unknown"
    match unit:
        case "nl":
            return format_volume_nl(value)
        case "nl/d":
            return format_rate(value)
        case "s":
            return format_duration_us(value * US_PER_S)
        case _:
            return f"{value} {unit}".strip()


def summary_of(message: object) -> str:
    """All fields of a message in one line."""
    parts = []
    for field in _fields_there(message):
        if field.complement_of is None:
            parts.append(f"{field.name}={text_of(getattr(message, field.name), field.unit, field.name)}")
    return " ".join(parts)


def summary_of_nak(nak: Nak) -> str:
    """A NAK in one line."""
    field = "" if nak.field == NO_FIELD else f" field={nak.field}"
    return f"NAK {nak.code:02X} {nak.code.name}{field} element={nak.element} detail={nak.detail}"


def table_rows(message: object, skip: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The fields of a message as rows of a table."""
    return [
        (field.name, text_of(getattr(message, field.name), field.unit, field.name))
        for field in _fields_there(message)
        if field.name not in skip
    ]


def aligned(rows: Sequence[tuple[str, ...]], indent: str = "") -> list[str]:
    """Rows as lines whose columns stand under each other."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def in_peoples_units(sentence: str) -> str:
    """A sentence of the programmer, which speaks in the wire's units, with volumes and seconds as people write them."""
    sentence = _NANOLITRES.sub(lambda found: format_volume_nl(int(found[1])), sentence)
    return _SECONDS.sub(lambda found: format_duration_us(int(found[1]) * US_PER_S), sentence)


def refusal_sentence(nak: Nak, request: object, role: Role | None = None) -> str:
    """Why the pump refused a request, with the limit that it named, in units, and what to do about it.

    `role`: as whom it was asked, where that is known.
    """
    refusal = REFUSALS[nak.code]
    name = operation_of(request).name
    if nak.code == NakCode.ROLE and role is not None:
        needed = " or ".join(each.name.lower() for each in sorted(access_of(name).roles))
        return f"role {role.name.lower()} may not do {name} (ROLE); that needs role {needed}, see --role."
    table = table_of(type(request))
    field = table[nak.field] if nak.field < len(table) else None
    parts = [refusal.meaning.partition(";")[0]]
    if field is not None and field.item is None:
        parts.append(f"{field.name} is {text_of(getattr(request, field.name), field.unit, field.name)}")
    # Some limits are zero, which is a limit as well; of a fact, zero means that there is none to name.
    if refusal.detail and (nak.detail or "limit" in refusal.detail or "available" in refusal.detail):
        parts.append(f"{refusal.detail}: {limit_text(nak, field.unit if field is not None else '')}")
    cure = refusal.cure
    if nak.code == NakCode.UNRESOLVED:
        cure = "see what became of it with 'vpump op', then run the command again"
    return f"the pump refused {name} ({nak.code.name}): {', '.join(parts)}; {cure}."


def limit_text(nak: Nak, unit: str) -> str:
    """What a NAK names, in the unit that its code or its field gives it."""
    detail = REFUSALS[nak.code].detail
    if detail.startswith("nl"):
        unit = "nl"
    elif detail.startswith("seconds"):
        unit = "s"
    return _number_text(nak.detail, unit)
