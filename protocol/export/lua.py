"""The Wireshark dissector (.lua): the field tables as tables of Lua, and behind them the program that uses them."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from protocol.explain import FAULT_WORDS
from protocol.export.catalogue import CARRIED, Way, all_classes, flags_field_of, reduced_size, snake
from protocol.export.lua_declarations import DECLARATIONS
from protocol.export.lua_dissection import DISSECTION
from protocol.field_types import INTEGERS, BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.fields import Field, PlacesType, RecordsType, layout_of, table_of
from protocol.frame import MAJOR, MAX_PAYLOAD, RESPONSE_BIT
from protocol.framing import ENCODED_MAX, LineFault
from protocol.messages.codes import CODE_TABLES, CodeTable
from protocol.messages.log import LogRecord
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import OPERATIONS
from protocol.refusals import OK, NakCode

# Added to an opcode, so that one number chooses the type of a payload.
_EVENT_KEY: Final = 0x1_0000
_REDUCED_KEY: Final = 0x2_0000
# What bytes alone show; addresses, versions, counters and tags are a matter of who listens.
_SEEN_FAULTS: Final = (
    LineFault.COBS,
    LineFault.CRC,
    LineFault.SHORT,
    LineFault.LENGTH,
    LineFault.FLAGS,
    LineFault.OVERSIZE,
)

# Numbers that name something: a person compares them with what stands elsewhere.
_IN_HEX: Final = frozenset({"serial_number", "host_id", "from_host_id", "crc32", "opcode"})

_HEAD: Final = """\
-- A Wireshark dissector for the vpump wire protocol, which docs/protocol.md of the project specifies.
-- Generated from the tables that the pump itself runs by (`vpump spec --format lua`): change those.
--
-- It dissects captures of link type USER0 (147), one or more frames in each packet, from delimiter to delimiter:
--   tshark -X lua_script:vpump.lua -r capture.pcapng
-- or put it into Wireshark's folder of personal Lua plugins. Filters: vpump.operation, vpump.result, vpump.rejected,
-- vpump.unreadable, vpump.sealed, and every field of every message as vpump.<message>.<field>.
"""


def lua() -> str:
    """The whole dissector."""
    tables = {
        "MAJOR": MAJOR,
        "OK": OK,
        "MAX_PAYLOAD": MAX_PAYLOAD,
        "ENCODED_MAX": ENCODED_MAX,
        "EVENT_KEY": _EVENT_KEY,
        "REDUCED_KEY": _REDUCED_KEY,
        "OPERATIONS": {row.operation.opcode: row.operation.name for row in CARRIED},
        "RESULTS": {OK: "OK", **{int(code): code.name for code in NakCode}},
        "FAULTS": {fault.value: FAULT_WORDS[fault] for fault in _SEEN_FAULTS},
        "CODES": {_name(table): {int(code): code.name for code in table.code} for table in _code_tables()},
        "FLAGS": dict(_flags()),
        "TYPES": {snake(cls.__name__): _type(cls) for cls in all_classes()},
        "PAYLOADS": dict(_payloads()),
        "REDUCED": {
            operation.opcode | RESPONSE_BIT: size
            for operation in OPERATIONS
            if (size := reduced_size(operation)) is not None
        },
        "RECORD": _record(),
        "RECORD_DATA": {int(code): snake(data.__name__) for code, data in DATA_OF.items()},
    }
    declared = "\n".join(f"local {name} = {_lua(value)}" for name, value in tables.items())
    return f"{_HEAD}\n{declared}\n\n{DECLARATIONS}\n{DISSECTION}"


def _payloads() -> Iterator[tuple[int, str]]:
    added = {Way.EVENT: _EVENT_KEY, Way.REDUCED: _REDUCED_KEY}
    return ((row.wire_opcode + added.get(row.way, 0), snake(row.cls.__name__)) for row in CARRIED)


def _name(table: CodeTable) -> str:
    return snake(table.code.__name__)


def _code_tables() -> Iterator[CodeTable]:
    return (table for table in CODE_TABLES if not issubclass(table.code, enum.IntFlag))


def _flags() -> Iterator[tuple[str, Any]]:
    for table in CODE_TABLES:
        if issubclass(table.code, enum.IntFlag):
            named = [
                {"name": (flag.name or "").lower(), "mask": int(flag), "about": table.meanings[flag]}
                for flag in table.code
            ]
            yield _name(table), {"admitted": _admitted(table.code), "named": named}


def _admitted(code: type[enum.IntFlag]) -> int:
    """The bits that may be set, as a mask of 32."""
    try:
        code(0x80000000)
    except ValueError:
        return sum(code)
    return 0xFFFFFFFF


def _record() -> Mapping[str, Any]:
    at = {field.name: field.offset for field in table_of(LogRecord)}
    return {
        "name": snake(LogRecord.__name__),
        "type_at": at["type"],
        "length_at": at["data_length"],
        "data_at": at["data"],
    }


def _type(cls: type[Any]) -> Mapping[str, Any]:
    layout = layout_of(cls)
    ends = {"crc32": True} if layout.ends_with_crc32 else {}
    return {"grows": layout.extensible, **ends, "fields": [_field(cls, field) for field in layout.fields]}


def _field(cls: type[Any], field: Field) -> Mapping[str, Any]:
    row: dict[str, Any] = {"name": field.name, **_kind(field.kind)}
    bit = field.present
    if bit is not None:
        row |= {"present_in": flags_field_of(cls, bit).name, "present": int(bit)}
    if field.complement_of:
        row["complement_of"] = field.complement_of
    if field.name in _IN_HEX:
        row["hex"] = True
    if field.unit:
        row["unit"] = field.unit
    return {**row, "about": field.meaning}


def _kind(kind: FieldType) -> Mapping[str, Any]:
    match kind:
        case IntegerType():
            whole = INTEGERS[kind.layout_name]
            least = {"minimum": kind.minimum} if kind.minimum > whole.minimum else {}
            most = {"maximum": kind.maximum} if kind.maximum < whole.maximum else {}
            return {"kind": kind.layout_name, **least, **most}
        case CodedType():
            named = "flags" if issubclass(kind.code, enum.IntFlag) else "code"
            return {"kind": kind.integer.layout_name, named: snake(kind.code.__name__)}
        case BytesType():
            return {"kind": "raw", "size": kind.length}
        case TextType():
            return {"kind": "text", "size": kind.length}
        case BlobType():
            return {"kind": "blob", "maximum": kind.maximum}
        case RecordsType():
            return {"kind": "records", "of": snake(kind.item.__name__), "maximum": kind.maximum}
        case PlacesType():
            return {"kind": "places", "of": snake(kind.item.__name__), "count": kind.count}
    raise TypeError(kind)


def _lua(value: Any, indent: str = "") -> str:
    """A value as Lua writes it; a table of tables has a line for each of them."""
    if not isinstance(value, Mapping | list):
        # Text and numbers are written as in JSON, as far as the tables have any.
        return json.dumps(value, ensure_ascii=False)
    inner = indent + "    "
    if isinstance(value, list):
        items = [_lua(item, inner) for item in value]
        nested = bool(value)
    else:
        items = [f"{_key(key)} = {_lua(item, inner)}" for key, item in value.items()]
        nested = any(isinstance(item, Mapping | list) for item in value.values()) or len(value) > len("about")
    if not nested:
        return "{ " + ", ".join(items) + " }" if items else "{}"
    return "{\n" + "".join(f"{inner}{item},\n" for item in items) + indent + "}"


def _key(key: object) -> str:
    return f"[0x{key:02x}]" if isinstance(key, int) else str(key)
