"""Sample messages made from their tables: every byte another one, all values the least, all values the greatest."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from protocol.export.catalogue import is_there
from protocol.field_types import INTEGERS, BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.fields import PlacesType, RecordsType, table_of

_U32: Final = 0xFFFFFFFF
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
# Enough to see that a list is one, few enough that two lists fit a frame.
_SAMPLE_ITEMS: Final = 2
_SAMPLE_BYTES: Final = 5

Choice = Callable[[FieldType], Any]


def patterned(cls: type[Any]) -> Any:
    """A message whose bytes rise from 01 on, as far as its table admits: a field that is read elsewhere shows."""
    counted = (n % 0xFF + 1 for n in itertools.count())

    def choose(kind: FieldType) -> Any:
        match kind:
            case IntegerType():
                return _within(kind, _integer(kind, counted))
            case CodedType() if issubclass(kind.code, enum.IntFlag):
                return kind.code(int(list(kind.code)[next(counted) % len(kind.code)]))
            case CodedType():
                return list(kind.code)[next(counted) % len(kind.code)]
            case BytesType():
                return bytes(itertools.islice(counted, kind.length))
            case BlobType():
                return bytes(itertools.islice(counted, min(_SAMPLE_BYTES, kind.maximum)))
            case TextType():
                # One place stays free, so that the end of the text can be seen.
                return "".join(_LETTERS[next(counted) % len(_LETTERS)] for _ in range(kind.length - 1))
            case RecordsType():
                return tuple(_message(kind.item, choose) for _ in range(min(_SAMPLE_ITEMS, kind.maximum)))
            case PlacesType():
                return tuple(_message(kind.item, choose) for _ in range(kind.count))
        raise TypeError(kind)

    return _message(cls, choose)


def lowest(cls: type[Any]) -> Any:
    """Every value the least that is allowed, every list and every text empty."""

    def choose(kind: FieldType) -> Any:
        match kind:
            case IntegerType():
                return kind.minimum
            case CodedType() if issubclass(kind.code, enum.IntFlag):
                return kind.code(0)
            case CodedType():
                return min(kind.code)
            case BytesType():
                return bytes(kind.length)
            case BlobType():
                return b""
            case TextType():
                return ""
            case RecordsType():
                return ()
            case PlacesType():
                return (_message(kind.item, choose),) * kind.count
        raise TypeError(kind)

    return _message(cls, choose)


def highest(cls: type[Any]) -> Any:
    """Every value the greatest that is allowed, every list and every text full."""

    def choose(kind: FieldType) -> Any:
        match kind:
            case IntegerType():
                return kind.maximum
            case CodedType() if issubclass(kind.code, enum.IntFlag):
                return kind.code(sum(kind.code))
            case CodedType():
                return max(kind.code)
            case BytesType():
                return b"\xff" * kind.length
            case BlobType():
                return b"\xff" * kind.maximum
            case TextType():
                return "~" * kind.length
            case RecordsType():
                return (_message(kind.item, choose),) * kind.maximum
            case PlacesType():
                return (_message(kind.item, choose),) * kind.count
        raise TypeError(kind)

    return _message(cls, choose)


SAMPLES: Final[Mapping[str, Callable[[type[Any]], Any]]] = MappingProxyType(
    {"patterned": patterned, "lowest": lowest, "highest": highest}
)


def _message(cls: type[Any], choose: Choice) -> Any:
    values: dict[str, Any] = {}
    for field in table_of(cls):
        if field.complement_of:
            values[field.name] = values[field.complement_of] ^ _U32
        else:
            values[field.name] = choose(field.kind) if is_there(cls, field, values) else None
    return cls(**values)


def _integer(kind: IntegerType, counted: Iterator[int]) -> int:
    layout = INTEGERS[kind.layout_name]
    image = bytes(itertools.islice(counted, layout.size))
    return int.from_bytes(image, "little", signed=layout.minimum < 0)


def _within(kind: IntegerType, value: int) -> int:
    return kind.minimum + (value - kind.minimum) % (kind.maximum - kind.minimum + 1)
