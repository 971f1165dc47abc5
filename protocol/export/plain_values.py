"""The values of a message as JSON holds them, for readers in any language."""

from __future__ import annotations

from typing import Any

from protocol.field_types import INTEGERS, CodedType, FieldType, IntegerType
from protocol.fields import FormatError, table_of
from protocol.messages.log import LogRecord
from protocol.messages.log_records import TYPE_OF, data_of

# A reader that keeps numbers as floating point knows integers of 53 bits only.
_EXACT_SIZE = 4


def plain(message: object) -> dict[str, Any]:
    """Field names with their values: integers, codes and flags as numbers, of 64 bits as decimal text; bytes as hex.

    A field that is not there is None. A log record has its data a second time, as `record`, by the table of its type.
    """
    values = {field.name: _plain_value(field.kind, getattr(message, field.name)) for field in table_of(type(message))}
    if isinstance(message, LogRecord):
        values["record"] = _plain_data(message)
    return values


def _plain_value(kind: FieldType, value: Any) -> Any:
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, str):
        return value
    integer = kind.integer if isinstance(kind, CodedType) else kind
    exact = not isinstance(integer, IntegerType) or INTEGERS[integer.layout_name].size <= _EXACT_SIZE
    return int(value) if exact else str(int(value))


def _plain_data(record: LogRecord) -> dict[str, Any] | None:
    """None: this version knows no such type, or the data is not what its type says."""
    try:
        data = data_of(record)
    except FormatError:
        return None
    return None if data is None else {"type": TYPE_OF[type(data)].name, "fields": plain(data)}
