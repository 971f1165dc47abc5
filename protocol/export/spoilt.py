"""Payloads that are no message, made from the tables: each spoilt in one place, with what it is to be refused with."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from protocol.export.samples import patterned
from protocol.field_types import INTEGERS, BlobType, CodedType, IntegerType, TextType
from protocol.fields import Field, PlacesType, RecordsType, encode, layout_of, table_of
from protocol.refusals import NO_FIELD, NakCode

# Of the items of a list the second one is spoilt, so that its number is not that of nothing.
_ELEMENT: Final = 1


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A payload, what is wrong with it, and the NAK that names it: code, index of the field (FF = none), element."""

    what: str
    payload: bytes
    code: NakCode
    field: int
    element: int = 0


def spoilt(cls: type[Any]) -> Iterator[Spoilt]:
    """Every way of being wrong that the table of a class knows, once for each field."""
    layout = layout_of(cls)
    message = patterned(cls)
    image = encode(message)
    there = [index for index, field in enumerate(layout.fields) if getattr(message, field.name) is not None]
    if there:
        # The CRC of a message that ends with one belongs to no field.
        ends_in = NO_FIELD if layout.ends_with_crc32 else there[-1]
        yield Spoilt("the last byte is missing", image[:-1], NakCode.FORMAT, ends_in)
    if not layout.extensible:
        yield Spoilt("a byte behind the last field", image + b"\x00", NakCode.FORMAT, NO_FIELD)
    for index, field in enumerate(layout.fields):
        # Behind what varies, and under a CRC, a change of one field cannot be told from others.
        if field.offset is not None and field.present is None and not layout.ends_with_crc32:
            yield from _field(index, field, image, field.offset)


def _field(index: int, field: Field, image: bytes, offset: int) -> Iterator[Spoilt]:
    for what, at, part in _parts(field, image[offset:]):
        payload = image[: offset + at] + part + image[offset + at + len(part) :]
        code = NakCode.REDUNDANCY_MISMATCH if field.complement_of else NakCode.FORMAT
        yield Spoilt(f"{field.name}: {what}", payload, code, index)
    if isinstance(field.kind, RecordsType | PlacesType):
        yield from _items(index, field.name, field.kind, image, offset)


def _parts(field: Field, image: bytes) -> Iterator[tuple[str, int, bytes]]:
    """What is wrong, where in the field, and the bytes that stand there then."""
    kind = field.kind
    if field.complement_of:
        yield "not the complement", 0, bytes((image[0] ^ 1,))
    elif isinstance(kind, IntegerType):
        layout = INTEGERS[kind.layout_name]
        for what, value in (("below its range", kind.minimum - 1), ("above its range", kind.maximum + 1)):
            if layout.minimum <= value <= layout.maximum:
                yield what, 0, value.to_bytes(layout.size, "little", signed=layout.minimum < 0)
    elif isinstance(kind, CodedType):
        yield from _unknown_code(kind)
    elif isinstance(kind, TextType):
        yield "a character that cannot be printed", 0, b"\x07"
        yield "a character that is not ASCII", 0, b"\xb5"
        yield "text behind its end", 0, b"\x00"
    elif isinstance(kind, RecordsType | BlobType) and kind.maximum < 0xFF:
        yield "more than its greatest count", 0, bytes((kind.maximum + 1,))


def _unknown_code(kind: CodedType) -> Iterator[tuple[str, int, bytes]]:
    if not issubclass(kind.code, enum.IntFlag):
        value = next(value for value in range(kind.integer.maximum + 1) if value not in set(kind.code))
        yield "an unknown code", 0, value.to_bytes(kind.size, "little")
        return
    bit = 1 << 8 * kind.size - 1
    try:
        kind.code(bit)
    except ValueError:
        yield "an unknown bit", 0, bit.to_bytes(kind.size, "little")


def _items(index: int, name: str, kind: RecordsType | PlacesType, image: bytes, offset: int) -> Iterator[Spoilt]:
    size = layout_of(kind.item).fixed_size or 0
    start = offset + isinstance(kind, RecordsType) + _ELEMENT * size
    if isinstance(kind, RecordsType) and kind.maximum <= _ELEMENT:
        return
    item = image[start : start + size]
    if layout_of(kind.item).ends_with_crc32:
        payload = image[:start] + bytes((item[0] ^ 1,)) + image[start + 1 :]
        yield Spoilt(f"{name}[{_ELEMENT}]: its CRC-32 does not match", payload, NakCode.FORMAT, index, _ELEMENT)
        return
    for each in (found for at, field in enumerate(table_of(kind.item)) for found in _in_item(at, field, item)):
        payload = image[:start] + each.payload + image[start + size :]
        yield replace(each, what=f"{name}[{_ELEMENT}].{each.what}", payload=payload, field=index, element=_ELEMENT)


def _in_item(at: int, field: Field, item: bytes) -> Iterator[Spoilt]:
    return _field(at, field, item, field.offset or 0)
