"""Messages of fixed size in one go: one struct for all fields, made once from the message's table.

Rules of this file:

- It never refuses. What is not plainly as the table has it gives None; the verdict and its words are the table's.
- What it does give is what the table, field by field, gives for the same.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Generic, Protocol, TypeVar

from protocol.field_types import BlockType, CodedType, FieldType, IntegerType, TextType
from protocol.makers import maker_of

M = TypeVar("M")


class Row(Protocol):
    """What has to be known of a field. `size` is None where it varies, or where the field is not always there."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> FieldType: ...
    @property
    def size(self) -> int | None: ...
    @property
    def complement_of(self) -> str | None: ...


class PackedCodec(Generic[M]):
    """Bytes and values of one message class; what has to be looked at beyond the types is sorted out beforehand."""

    def __init__(self, cls: type[M], rows: Sequence[Row], *, extensible: bool) -> None:
        names = [row.name for row in rows]
        kinds = list(enumerate(row.kind for row in rows))
        coded = [(place, kind.code) for place, kind in kinds if isinstance(kind, CodedType)]
        self._make: Callable[..., M] = maker_of(cls)
        self._extensible = extensible
        self._struct = struct.Struct("<" + "".join(_format_of(kind) for _, kind in kinds))
        self._values_of = _getter_of(names)
        self._types = tuple(_type_of(kind) for _, kind in kinds)
        self._members = [
            (place, {member.value: member for member in code})
            for place, code in coded
            if not issubclass(code, enum.IntFlag)
        ]
        self._flags = [(place, code) for place, code in coded if issubclass(code, enum.IntFlag)]
        self._blocks = [(place, kind) for place, kind in kinds if isinstance(kind, BlockType)]
        self._narrow = [
            (place, kind.minimum, kind.maximum)
            for place, kind in kinds
            if isinstance(kind, IntegerType) and kind.is_narrow
        ]
        self._complements = [
            (place, names.index(row.complement_of)) for place, row in enumerate(rows) if row.complement_of
        ]
        self._admits_all = not (self._narrow or self._complements)

    def encode(self, message: M) -> bytes | None:
        """The bytes of a message."""
        values: Sequence[Any] = self._values_of(message)
        if tuple(map(type, values)) != self._types or not (self._admits_all or self._admits(values)):
            return None
        try:
            if self._blocks:
                values = images = list(values)
                for place, kind in self._blocks:
                    images[place] = kind.to_wire(images[place])
            return self._struct.pack(*values)
        except (ValueError, struct.error):
            return None

    def decode(self, payload: bytes) -> M | None:
        """The message that a payload is, or that an extensible one begins with."""
        behind = len(payload) - self._struct.size
        if behind and (behind < 0 or not self._extensible):
            return None
        values = list(self._struct.unpack_from(payload))
        try:
            for place, members in self._members:
                values[place] = members[values[place]]
            for place, code in self._flags:
                values[place] = code(values[place])
            for place, kind in self._blocks:
                values[place] = kind.from_wire(values[place])
        except (KeyError, ValueError):
            return None
        return self._make(*values) if self._admits_all or self._admits(values) else None

    def _admits(self, values: Sequence[Any]) -> bool:
        """Whether numbers of the right type are within their limits, and repeat each other where they should."""
        return all(least <= values[place] <= most for place, least, most in self._narrow) and all(
            values[place] ^ values[original] == 0xFFFFFFFF for place, original in self._complements
        )


def packed_codec(cls: type[M], rows: Sequence[Row], *, extensible: bool) -> PackedCodec[M] | None:
    """The codec of a message class; None where a field has no fixed size, or is made of messages."""
    packed = IntegerType | CodedType | BlockType
    if all(row.size is not None and isinstance(row.kind, packed) for row in rows):
        return PackedCodec(cls, rows, extensible=extensible)
    return None


def _format_of(kind: FieldType) -> str:
    """The kind in struct's letters."""
    match kind:
        case BlockType():
            return f"{kind.length}s"
        case IntegerType():
            return kind.letter
        case CodedType():
            return kind.integer.letter
    raise TypeError(f"{kind!r} has no letter")


def _type_of(kind: FieldType) -> type[Any]:
    """The type that a value has when nothing is odd about it."""
    if isinstance(kind, CodedType):
        return kind.code
    if isinstance(kind, BlockType):
        return str if isinstance(kind, TextType) else bytes
    return int


def _getter_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """All values of a message. attrgetter itself gives a tuple only for two names and more."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            get_one = attrgetter(name)
            return lambda message: (get_one(message),)
    return attrgetter(*names)
