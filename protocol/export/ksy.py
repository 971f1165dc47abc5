"""The Kaitai Struct description (.ksy): a frame behind COBS, and every payload, block and log record in it.

Bits of flags are declared with `bit-endian: le`, so that the first one is the least significant one. What Kaitai's
expressions cannot say stays with the reader: COBS, the CRC-32, the cipher.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from protocol.export.catalogue import CARRIED, Way, all_classes, flags_field_of, reduced_size, snake
from protocol.export.yaml_text import yaml_text
from protocol.field_types import INTEGERS, BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.fields import Field, PlacesType, RecordsType, layout_of, table_of
from protocol.frame import MAJOR, MAX_PAYLOAD, RESPONSE_BIT
from protocol.messages.codes import CODE_TABLES
from protocol.messages.log import LogRecord
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import OPERATIONS
from protocol.messages.program import BLOCKS
from protocol.refusals import OK, REFUSALS, NakCode

Entry = dict[str, Any]

_INTEGERS: Final[Mapping[str, str]] = MappingProxyType(
    {"u8": "u1", "u16": "u2", "u32": "u4", "u64": "u8", "i16": "s2", "i32": "s4"}
)
# Added to an opcode, so that one number chooses the type of a payload.
_EVENT_KEY: Final = 0x1_0000
_REDUCED_KEY: Final = 0x2_0000
# Kaitai's runtime for JavaScript reads at most 32 bits at once.
_BITS_MAX: Final = 32

_DOC: Final = """A frame of the vpump wire protocol, which docs/protocol.md of the project specifies.
Generated from the tables that the pump itself runs by (`vpump spec --format ksy`).

On the line stands 00, COBS(body), 00. This description begins with the body: cut the stream at each 00, undo COBS,
compare the last four bytes with the CRC-32 (the one of zlib) of all before them, then parse. A log record ends with a
CRC-32 of its own. The payload of a secured frame is enciphered; in the clear, parse it with the type `payload`, whose
parameters are the frame's opcode, event, secured and major."""


def ksy() -> str:
    """The whole description."""
    return yaml_text(
        {
            "meta": {
                "id": "vpump",
                "title": "vpump wire protocol",
                "license": "Apache-2.0",
                "ks-version": 0.11,
                "endian": "le",
                "bit-endian": "le",
            },
            "doc": _DOC,
            "seq": _FRAME,
            "instances": _FRAME_INSTANCES,
            "types": {"payload": _payload(), **_FIXED_TYPES, **_flag_types(), **_message_types()},
            "enums": _enums(),
        }
    )


_FRAME: Final[list[Entry]] = [
    {"id": "resp", "type": "b1", "doc": "an answer; then bit 15 of the opcode is set, too"},
    {"id": "event", "type": "b1", "valid": {"expr": "not (_ and resp)"}, "doc": "an event"},
    {"id": "retry", "type": "b1", "valid": {"expr": "not (_ and (resp or event))"}, "doc": "a request, sent again"},
    {"id": "secured", "type": "b1", "doc": "the payload is enciphered, counter and tag follow it"},
    {"id": "major", "type": "b4", "doc": f"major version, {MAJOR}; of another one only HELLO is understood"},
    {"id": "txn", "type": "u1", "doc": "an answer has that of its request"},
    {
        "id": "opcode",
        "type": "u2",
        "valid": {"expr": f"(_ >= 0x{RESPONSE_BIT:x}) == resp"},
        "doc": "service in the high byte, operation in the low one; bit 15 in answers",
    },
    {"id": "address", "type": "u4", "doc": "the pump's serial number; FFFFFFFF in HELLO: any pump"},
    {"id": "session_id", "type": "u2", "valid": {"expr": "(_ != 0) == secured"}, "doc": "0 = no session"},
    {"id": "len_payload", "type": "u2", "valid": {"max": MAX_PAYLOAD}},
    {
        "id": "payload",
        "type": "payload(opcode, event, secured, major)",
        "size": "len_payload",
        "if": "not secured",
    },
    {"id": "sealed_payload", "size": "len_payload", "if": "secured", "doc": "enciphered with AES-CCM"},
    {"id": "counter_low", "type": "u4", "if": "secured", "doc": "the low 32 bits of the counter"},
    {"id": "counter_high", "type": "u1", "if": "secured", "doc": "its high 8 bits"},
    {"id": "tag", "size": 8, "if": "secured", "doc": "of AES-CCM"},
    {"id": "crc32", "type": "u4", "doc": "over all bytes before it; to be compared by the reader"},
    {"id": "behind", "size-eos": True, "valid": {"expr": "_.length == 0"}, "doc": "nothing may stand here"},
]
_FRAME_INSTANCES: Final[Entry] = {
    "counter": {"value": "counter_low + counter_high * 0x100000000", "if": "secured"},
    "operation": {"value": f"opcode & 0x{RESPONSE_BIT - 1:x}", "doc": "the opcode without bit 15"},
}
_FIXED_TYPES: Final[Entry] = {
    "unknown_payload": {
        "doc": "Of an operation or a major version that this description does not know.",
        "seq": [{"id": "raw", "size-eos": True}],
    },
    "refusal": {
        "doc": "A NAK behind its code, which is the result byte.",
        "seq": [
            {"id": "field", "type": "u1", "doc": "index of the request's field that is at fault; FF = none"},
            {"id": "element", "type": "u2", "doc": "a second detail, where the code names one; else 0"},
            {"id": "detail", "type": "u4", "doc": "the limit, value or state that the code names; else 0"},
        ],
    },
    "text": {
        "doc": "Printable ASCII, filled up with 00.",
        "seq": [
            {
                "id": "characters",
                "type": "u1",
                "repeat": "eos",
                "valid": {
                    "expr": "_ == 0 or (_ >= 0x20 and _ <= 0x7e and (_index == 0 or characters[_index - 1] != 0))"
                },
            }
        ],
        "instances": {"value": {"pos": 0, "type": "strz", "encoding": "ASCII", "size-eos": True}},
    },
}


def _payload() -> Entry:
    """A payload in the clear: an answer's begins with its result byte, and only a granted one has a message."""
    reduced = " or ".join(
        f"(opcode == 0x{operation.opcode | RESPONSE_BIT:x} and _io.size == {1 + size})"
        for operation in OPERATIONS
        if (size := reduced_size(operation)) is not None
    )
    growing = " or ".join(f"key == 0x{key:x}" for key, cls in _classes_by_key() if layout_of(cls).extensible)
    cases: dict[str, str] = {f"0x{key:x}": snake(cls.__name__) for key, cls in _classes_by_key()}
    return {
        "params": [
            {"id": "opcode", "type": "u2", "doc": "as the header has it, bit 15 included"},
            {"id": "event", "type": "bool"},
            {"id": "secured", "type": "bool", "doc": "whether it came in a secured frame"},
            {"id": "major", "type": "u1"},
        ],
        "seq": [
            {
                "id": "result",
                "type": "u1",
                "enum": "result",
                "valid": {"in-enum": True},
                "if": "is_answer",
                "doc": "0F = OK; anything else is the code of a refusal",
            },
            {"id": "refusal", "type": "refusal", "if": "is_refusal"},
            {
                "id": "message",
                "type": {"switch-on": "key", "cases": {**cases, "_": "unknown_payload"}},
                "if": "not is_refusal",
            },
            {
                "id": "later_fields",
                "size-eos": True,
                "valid": {"expr": "_.length == 0 or may_grow"},
                "doc": "of a later minor version; to be skipped",
            },
        ],
        "instances": {
            "is_answer": {"value": f"major == {MAJOR} and opcode >= 0x{RESPONSE_BIT:x}"},
            "is_refusal": {"value": "is_answer and result != result::ok"},
            "is_reduced": {"value": f"not secured and ({reduced})", "doc": "the answer to who has no session"},
            "key": {
                "value": f"major != {MAJOR} ? 0 : event ? opcode + 0x{_EVENT_KEY:x} : "
                f"is_reduced ? opcode + 0x{_REDUCED_KEY:x} : opcode",
                "doc": f"the opcode; of an event plus {_EVENT_KEY:X}, of an answer without a session {_REDUCED_KEY:X}",
            },
            "may_grow": {"value": f"not is_refusal and ({growing})"},
        },
    }


def _classes_by_key() -> Iterator[tuple[int, type[Any]]]:
    added = {Way.EVENT: _EVENT_KEY, Way.REDUCED: _REDUCED_KEY}
    return ((row.wire_opcode + added.get(row.way, 0), row.cls) for row in CARRIED)


def _message_types() -> Entry:
    types = {snake(cls.__name__): _message_type(cls) for cls in all_classes()}
    types["program_image"] = {
        "doc": "The canonical image of a program: all its blocks, with nothing between or behind them.",
        "seq": [{"id": block.name.lower(), "type": snake(cls.__name__)} for block, cls in BLOCKS.items()],
    }
    return types


def _message_type(cls: type[Any]) -> Entry:
    layout = layout_of(cls)
    seq = [{**entry, **_condition(cls, field)} for field in layout.fields for entry in _field(field)]
    if layout.ends_with_crc32:
        seq.append({"id": "crc32", "type": "u4", "doc": "over all bytes of it before; to be compared by the reader"})
    doc = cls.__doc__ or ""
    # A dataclass without a docstring has its signature for one.
    made: Entry = {} if not doc or doc.startswith(f"{cls.__name__}(") else {"doc": " ".join(doc.split())}
    made["seq"] = seq
    if cls is LogRecord:
        made["instances"] = {"record": _record()}
    return made


def _condition(cls: type[Any], field: Field) -> Entry:
    bit = field.present
    return {} if bit is None else {"if": f"{flags_field_of(cls, bit).name}.{(bit.name or '').lower()}"}


def _record() -> Entry:
    at = next(field.offset for field in table_of(LogRecord) if field.name == "data")
    cases = {f"0x{code:x}": snake(data.__name__) for code, data in DATA_OF.items()}
    return {
        "pos": at,
        "size": "data_length",
        "type": {"switch-on": "type", "cases": cases},
        "doc": "the data, by the table of its type; as bytes where the type is not known",
    }


def _field(field: Field) -> Iterator[Entry]:
    doc = field.meaning + (f" [{field.unit}]" if field.unit else "")
    kind = field.kind
    match kind:
        case RecordsType():
            yield {"id": f"num_{field.name}", "type": "u1", "valid": {"max": kind.maximum}}
            yield {
                "id": field.name,
                **_item(kind.item),
                "repeat": "expr",
                "repeat-expr": f"num_{field.name}",
                "doc": doc,
            }
        case PlacesType():
            yield {"id": field.name, **_item(kind.item), "repeat": "expr", "repeat-expr": kind.count, "doc": doc}
        case BlobType():
            yield {"id": f"len_{field.name}", "type": "u1", "valid": {"max": kind.maximum}}
            yield {"id": field.name, "size": f"len_{field.name}", "doc": doc}
        case _ if field.complement_of:
            # A sum, not an exclusive or: JavaScript's has 32 bits and a sign.
            whole = {"expr": f"_ + {field.complement_of} == 0xffffffff"}
            yield {"id": field.name, "type": "u4", "valid": whole, "doc": doc}
        case _:
            yield {"id": field.name, **_scalar(kind), "doc": doc}


def _item(item: type[Any]) -> Entry:
    name = snake(item.__name__)
    # Only in a stream of its own can a record look back at its data.
    return {"type": name, "size": layout_of(item).fixed_size} if item is LogRecord else {"type": name}


def _scalar(kind: FieldType) -> Entry:
    match kind:
        case IntegerType():
            whole = INTEGERS[kind.layout_name]
            valid: Entry = {}
            if kind.minimum > whole.minimum:
                valid["min"] = kind.minimum
            if kind.maximum < whole.maximum:
                valid["max"] = kind.maximum
            return {"type": _INTEGERS[kind.layout_name], **({"valid": valid} if valid else {})}
        case CodedType() if issubclass(kind.code, enum.IntFlag):
            return {"type": snake(kind.code.__name__)}
        case CodedType():
            named = snake(kind.code.__name__)
            return {"type": _INTEGERS[kind.integer.layout_name], "enum": named, "valid": {"in-enum": True}}
        case BytesType():
            return {"size": kind.length}
        case TextType():
            return {"type": "text", "size": kind.length}
    raise TypeError(kind)


def _flag_types() -> Entry:
    """A type for each set of flags: a bit for each, the least significant first, and the rest of the integer."""
    found: Entry = {}
    for field in (field for cls in all_classes() for field in table_of(cls)):
        kind = field.kind
        if isinstance(kind, CodedType) and issubclass(kind.code, enum.IntFlag):
            found.setdefault(snake(kind.code.__name__), {"seq": list(_bits(kind))})
    return found


def _bits(kind: CodedType) -> Iterator[Entry]:
    meanings = next(table.meanings for table in CODE_TABLES if table.code is kind.code)
    width, at = 8 * kind.size, 0
    admitted = {bit for bit in range(width) if _admits(kind, 1 << bit)}
    named = {int(flag).bit_length() - 1: flag for flag in kind.code}
    while at < width:
        if at in named:
            yield {"id": (named[at].name or "").lower(), "type": "b1", "doc": meanings[named[at]]}
            at += 1
            continue
        # Up to the next bit that has a name, or to the end of 32.
        ends = [bit for bit in (*named, width, at - at % _BITS_MAX + _BITS_MAX) if bit > at]
        spare: Entry = {"id": f"unknown_from_{at}", "type": f"b{min(ends) - at}"}
        if at not in admitted:
            spare["valid"] = False if min(ends) - at == 1 else 0
        yield spare
        at = min(ends)


def _admits(kind: CodedType, bit: int) -> bool:
    try:
        kind.code(bit)
    except ValueError:
        return False
    return True


def _enums() -> Entry:
    codes = {
        snake(table.code.__name__): {
            int(code): {"id": (code.name or "").lower(), "doc": table.meanings[code]} for code in table.code
        }
        for table in CODE_TABLES
        if not issubclass(table.code, enum.IntFlag)
    }
    refusals = {int(code): {"id": code.name.lower(), "doc": REFUSALS[code].meaning} for code in NakCode}
    return {"result": {OK: {"id": "ok", "doc": "granted"}, **refusals}, **codes}
