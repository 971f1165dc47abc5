"""Payloads made from the field tables with a seed: well meant, at every edge of the table, and each way beyond it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any, Final

from protocol.field_types import BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.fields import Field, PlacesType, RecordsType, encode, layout_of, table_of
from protocol.frame import MAX_PAYLOAD
from protocol.messages.operations import Operation, by_name

_COMPLEMENT: Final = 0xFFFFFFFF
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F)))


def value_of(kind: FieldType, random: Random) -> Any:
    """A value that the table admits, mostly one at its edge."""
    match kind:
        case IntegerType():
            edges = (kind.minimum, kind.minimum + 1, kind.maximum - 1, kind.maximum)
            return random.choice((*edges, random.randint(kind.minimum, kind.maximum)))
        case CodedType() if issubclass(kind.code, enum.IntFlag):
            code = kind.code
            return code(sum(flag for flag in code if random.random() < 0.5))
        case CodedType():
            return random.choice(list(kind.code))
        case BytesType():
            return random.choice((bytes(kind.length), b"\xff" * kind.length, random.randbytes(kind.length)))
        case TextType():
            return "".join(random.choices(_PRINTABLE, k=random.choice((0, 1, kind.length))))
        case BlobType():
            return random.randbytes(random.choice((0, 1, kind.maximum, random.randint(0, kind.maximum))))
        case PlacesType():
            return tuple(message_of(kind.item, random) for _ in range(kind.count))
        case RecordsType():
            return tuple(message_of(kind.item, random) for _ in range(random.choice((0, 1, kind.maximum))))
    raise TypeError(kind)


def message_of(cls: type[Any], random: Random) -> Any:
    """Any message of a class that the table admits."""
    table = table_of(cls)
    values = {field.name: value_of(field.kind, random) for field in table if not field.complement_of}
    for field in table:
        if field.complement_of:
            values[field.name] = values[field.complement_of] ^ _COMPLEMENT
    return cls(**values)


def _fields(operation: Operation) -> list[tuple[Field, int]]:
    """Those whose place in the payload is known, and that place."""
    table = table_of(operation.request)
    return [(field, field.offset) for field in table if field.offset is not None]


class PayloadGrammar:
    """Payloads of requests. `well_meant` has for an operation what would be granted to whoever has the right to it."""

    def __init__(self, random: Random, well_meant: Mapping[str, object]) -> None:
        self._random = random
        self._well_meant = well_meant

    def meant_well(self, operation: Operation) -> bytes:
        """What the session with the right to it would send next."""
        message = self._well_meant.get(operation.name)
        return self.admitted(operation) if message is None else encode(message)

    def admitted(self, operation: Operation) -> bytes:
        """All that the table admits, edges first."""
        return encode(message_of(operation.request, self._random))

    def one_field_else(self, operation: Operation) -> bytes:
        """Meant well, but for one field, which has another value that the table admits."""
        message: Any = self._well_meant.get(operation.name)
        table = [field for field in table_of(operation.request) if not field.complement_of]
        if message is None or not table:
            return self.admitted(operation)
        changed = self._random.choice(table)
        values: dict[str, Any] = {changed.name: value_of(changed.kind, self._random)}
        for field in table_of(operation.request):
            if field.complement_of == changed.name:
                values[field.name] = values[changed.name] ^ _COMPLEMENT
        return encode(replace(message, **values))

    def one_field_wrong(self, operation: Operation) -> bytes:
        """Meant well, but the bytes of one field are others: out of its range, no member, no text, no complement."""
        payload, fields = bytearray(self.meant_well(operation)), _fields(operation)
        if not fields:
            return self._random.randbytes(self._random.randint(1, 8))
        field, at = self._random.choice(fields)
        size = field.size or 1
        payload[at : at + size] = self._random.choice(
            (bytes(size), b"\xff" * size, b"\x00" * (size - 1) + b"\x80", self._random.randbytes(size))
        )
        return bytes(payload)

    def count_wrong(self, operation: Operation) -> bytes:
        """A count that says more, or less, than follows; of an operation without one, a byte turned."""
        payload, fields = bytearray(self.meant_well(operation)), _fields(operation)
        counted = [at for field, at in fields if field.size is None]
        if counted:
            payload[counted[0]] = self._random.choice((0, 1, payload[counted[0]] + 1 & 0xFF, 0x7F, 0xFF))
        elif payload:
            payload[self._random.randrange(len(payload))] ^= 1 << self._random.randrange(8)
        return bytes(payload)

    def cut_short(self, operation: Operation) -> bytes:
        """Meant well, and not to its end."""
        payload = self.meant_well(operation)
        return payload[: self._random.randrange(len(payload))] if payload else b"\x00"

    def with_more(self, operation: Operation) -> bytes:
        """Meant well, and bytes behind it, up to the longest payload that there can be."""
        payload = self.meant_well(operation)
        room = MAX_PAYLOAD - len(payload)
        return payload + self._random.randbytes(self._random.choice((1, room // 2, room)))

    def of_another(self, operation: Operation) -> bytes:
        """What another operation would be sent."""
        other = self._random.choice([name for name in self._well_meant if name != operation.name])
        return self.meant_well(by_name[other])

    def anything(self, operation: Operation) -> bytes:
        """Any bytes, as many as the message has or any number of them."""
        size = self._random.choice((layout_of(operation.request).maximum_size, self._random.randint(0, MAX_PAYLOAD)))
        return self._random.randbytes(size)


PAYLOADS: Final[Mapping[str, Callable[[PayloadGrammar, Operation], bytes]]] = MappingProxyType(
    {
        "meant well": PayloadGrammar.meant_well,
        "admitted": PayloadGrammar.admitted,
        "one field else": PayloadGrammar.one_field_else,
        "one field wrong": PayloadGrammar.one_field_wrong,
        "count wrong": PayloadGrammar.count_wrong,
        "cut short": PayloadGrammar.cut_short,
        "with more": PayloadGrammar.with_more,
        "of another": PayloadGrammar.of_another,
        "anything": PayloadGrammar.anything,
    }
)
"""The productions, by name."""
