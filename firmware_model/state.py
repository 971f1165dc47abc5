"""The canonical encoding of state, and its digest; `state_reading.py` reads it.

Every value is a tag byte, then its content:

    N T F   none, true, false
    I       integer: length, which is bit_length // 8 + 1, then signed big-endian
    S B Y   text in UTF-8, bytes, bytearray: length, content
    P L     tuple, list: count, then each item
    Q       deque: maxlen (FFFFFFFF: none), count, then each item
    E       member of an enum: name of its class, then its value
    R D     named tuple, dataclass: name of the class, count, then name and value of each field, as declared; a struct
            of msgspec that is frozen counts as a named tuple, another as a dataclass

Lengths, counts and maxlen are u32, big-endian; a name is an ASCII identifier behind its length u8. There is no float,
and no set or mapping, whose order could differ; nor a subclass of a plain type, which would come back as the plain
one. Each value has one encoding, and each encoding one value.

Two kinds of field of a dataclass are no state and not encoded: `WIRING`, a reference to a neighbour, which whoever
reads the state sets anew; and `DERIVED`, what can be worked out again, which begins with its default.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct

from firmware_model import MODEL_VERSION

MAX_DEPTH: Final = 64
"""How deep values may be nested; a pump's are nested some ten deep."""
MAX_VALUES: Final = 1 << 20
"""How many values there may be, one within another; a pump has some thousands."""
MAX_INTEGER_BYTES: Final = 256
"""The longest integer: more than any quantity, and short enough to be printed."""

WIRING: Final = MappingProxyType({"wiring": True})
"""Metadata of a field that refers to a neighbour: `field(metadata=WIRING)`."""
DERIVED: Final = MappingProxyType({"derived": True})
"""Metadata of a field that can be worked out again: `field(default=None, metadata=DERIVED)`."""

U32: Final = struct.Struct(">I")
NO_MAXLEN: Final = 0xFFFF_FFFF
_LONGEST_NAME: Final = 255


def canonical(value: object) -> bytes:
    """The canonical encoding of a value. Raises TypeError for a value that has none."""
    out = _Output()
    _append(out, value, 0)
    return bytes(out)


def digest(value: object) -> str:
    """SHA-256 in hex over the model version and the canonical encoding."""
    return hashlib.sha256(U32.pack(MODEL_VERSION) + canonical(value)).hexdigest()


class Shape(NamedTuple):
    """What is encoded of a record, and as what (`kind`): its fields by name; and which fields get their default."""

    kind: str
    names: tuple[str, ...]
    derived: tuple[Field[Any], ...] = ()


def shape_of(cls: type) -> Shape:
    """The shape of a class. Raises TypeError for one that has none."""
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return Shape("named tuple", cls._fields)
    if issubclass(cls, Struct):
        return Shape("named tuple" if cls.__struct_config__.frozen else "dataclass", cls.__struct_fields__)
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} has no canonical encoding")
    derived = tuple(each for each in fields(cls) if each.metadata.get("derived"))
    for each in derived:
        if each.default is MISSING and each.default_factory is MISSING:
            raise TypeError(f"{cls.__name__}.{each.name} is derived and has no default")
    encoded = (each for each in fields(cls) if not (each.metadata.get("derived") or each.metadata.get("wiring")))
    return Shape("dataclass", tuple(each.name for each in encoded), derived)


class _Output(bytearray):
    """An encoding that is being written, and how many values it has."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        super().__init__()
        self.values = 0


_Encode: TypeAlias = Callable[[_Output, Any, int], None]


def _append(out: _Output, value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TypeError(f"what is nested deeper than {MAX_DEPTH}, or holds itself, has no canonical encoding")
    out.values += 1
    if out.values > MAX_VALUES:
        raise TypeError(f"what has more than {MAX_VALUES:,} values has no canonical encoding")
    (_ENCODINGS.get(type(value)) or _learn(type(value)))(out, value, depth)


def _learn(cls: type) -> _Encode:
    """The encoding of a class that comes for the first time."""
    encoding = _member_encoding(cls) if issubclass(cls, Enum) else _record_encoding(cls)
    _ENCODINGS[cls] = encoding
    return encoding


def _member_encoding(cls: type) -> _Encode:
    head = b"E" + _name(cls.__name__)

    def encode(out: _Output, value: Enum, depth: int) -> None:
        out += head
        _append(out, value.value, depth + 1)

    return encode


def _record_encoding(cls: type) -> _Encode:
    shape = shape_of(cls)
    head = (b"R" if shape.kind == "named tuple" else b"D") + _name(cls.__name__) + U32.pack(len(shape.names))
    plan = [(name, _name(name)) for name in shape.names]

    def encode(out: _Output, value: object, depth: int) -> None:
        out += head
        for name, encoded_name in plan:
            out += encoded_name
            try:
                _append(out, getattr(value, name), depth + 1)
            except TypeError as error:
                error.add_note(f"in {cls.__name__}.{name}")
                raise

    return encode


def _name(name: str) -> bytes:
    if not is_name(name):
        raise TypeError(f"the name {name!r} has no canonical encoding")
    return bytes([len(name)]) + name.encode()


def is_name(text: str) -> bool:
    """Whether this may be the name of a class or a field."""
    return text.isascii() and text.isidentifier() and len(text) <= _LONGEST_NAME


def _append_none(out: _Output, _value: None, _depth: int) -> None:
    out += b"N"


def _append_boolean(out: _Output, value: bool, _depth: int) -> None:
    out += b"T" if value else b"F"


def _append_integer(out: _Output, value: int, _depth: int) -> None:
    length = integer_bytes(value)
    if length > MAX_INTEGER_BYTES:
        raise TypeError(f"an integer of more than {MAX_INTEGER_BYTES} bytes has no canonical encoding")
    out += b"I" + U32.pack(length) + value.to_bytes(length, "big", signed=True)


def integer_bytes(value: int) -> int:
    """How many bytes an integer takes."""
    return value.bit_length() // 8 + 1


def _append_text(out: _Output, value: str, _depth: int) -> None:
    try:
        content = value.encode()
    except UnicodeEncodeError:
        raise TypeError("text with half a surrogate pair has no canonical encoding") from None
    out += b"S" + U32.pack(len(content)) + content


def _append_bytes(out: _Output, value: bytes | bytearray, _depth: int) -> None:
    out += (b"B" if type(value) is bytes else b"Y") + U32.pack(len(value)) + value


def _append_sequence(out: _Output, value: tuple[object, ...] | list[object], depth: int) -> None:
    out += (b"P" if type(value) is tuple else b"L") + U32.pack(len(value))
    for item in value:
        _append(out, item, depth + 1)


def _append_deque(out: _Output, value: deque[object], depth: int) -> None:
    maxlen = NO_MAXLEN if value.maxlen is None else value.maxlen
    if value.maxlen is not None and maxlen >= NO_MAXLEN:
        raise TypeError("a deque of such a maxlen has no canonical encoding")
    out += b"Q" + U32.pack(maxlen) + U32.pack(len(value))
    for item in value:
        _append(out, item, depth + 1)


# All plain types, and each class of a state once it has come.
_ENCODINGS: Final[dict[type, _Encode]] = {
    type(None): _append_none,
    bool: _append_boolean,
    int: _append_integer,
    str: _append_text,
    bytes: _append_bytes,
    bytearray: _append_bytes,
    tuple: _append_sequence,
    list: _append_sequence,
    deque: _append_deque,
}
