"""Hypothesis strategies for messages, derived from their field tables."""

import enum
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from protocol.field_types import BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.fields import PlacesType, RecordsType, table_of
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS
from protocol.messages.program import BLOCKS

REQUESTS: tuple[type, ...] = tuple(operation.request for operation in OPERATIONS)
REDUCED: tuple[type, ...] = tuple(operation.reduced for operation in OPERATIONS if operation.reduced is not None)
ANSWERS: tuple[type, ...] = tuple(operation.answer for operation in OPERATIONS) + REDUCED
EVENTS: tuple[type, ...] = tuple(row.message for row in ANNOUNCEMENTS.values())
MESSAGES: tuple[type, ...] = REQUESTS + ANSWERS + EVENTS + tuple(DATA_OF.values()) + tuple(BLOCKS.values())


def values_of(kind: FieldType) -> st.SearchStrategy[Any]:
    match kind:
        case IntegerType():
            return st.integers(kind.minimum, kind.maximum)
        case CodedType() if issubclass(kind.code, enum.IntFlag):
            code = kind.code
            return st.sets(st.sampled_from(list(code))).map(lambda bits: code(sum(bits)))
        case CodedType():
            return st.sampled_from(list(kind.code))
        case BytesType():
            return st.binary(min_size=kind.length, max_size=kind.length)
        case TextType():
            return st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=kind.length)
        case BlobType():
            return st.binary(max_size=kind.maximum)
        case PlacesType():
            return st.tuples(*(messages(kind.item),) * kind.count)
        case RecordsType():
            return st.lists(messages(kind.item), max_size=kind.maximum).map(tuple)
    raise TypeError(kind)


def messages(cls: type) -> st.SearchStrategy[Any]:
    """Any message of a class."""
    table = table_of(cls)
    flags_of = {each.enum: each.name for each in table}
    free = {field.name: values_of(field.kind) for field in table if not field.complement_of}
    complements = {field.name: field.complement_of for field in table if field.complement_of}

    def build(values: Mapping[str, Any]) -> Any:
        turned = {name: values[original] ^ 0xFFFFFFFF for name, original in complements.items()}
        absent = {
            row.name: None for row in table if row.present and not row.present & values[flags_of[type(row.present)]]
        }
        return cls(**{**values, **turned, **absent})

    return st.fixed_dictionaries(free).map(build)
