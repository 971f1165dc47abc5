"""Everything that a payload can be: which message, of which operation, in which direction."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from protocol.fields import Field, layout_of, table_of
from protocol.frame import RESPONSE_BIT
from protocol.messages.log import LogRecord
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS, Announcement, Operation
from protocol.messages.program import BLOCKS

_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Way(enum.Enum):
    """Which of an operation's payloads it is. An answer's message stands behind the result byte 0F."""

    REQUEST = "request"
    ANSWER = "answer"
    REDUCED = "answer without a session"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Carried:
    """A message and what carries it."""

    operation: Operation | Announcement
    way: Way
    cls: type[Any]

    @property
    def is_answer(self) -> bool:
        return self.way in (Way.ANSWER, Way.REDUCED)

    @property
    def wire_opcode(self) -> int:
        """As the header has it, bit 15 included."""
        return self.operation.opcode | (RESPONSE_BIT if self.is_answer else 0)

    @property
    def name(self) -> str:
        return f"{self.operation.name} {self.way.value}"

    def txn(self, payload: bytes, asked: int) -> int:
        """That of the request; an event's is the low byte of its stream sequence, with which its payload begins."""
        return payload[0] if self.way is Way.EVENT and payload else asked


def _carried() -> Iterator[Carried]:
    for operation in OPERATIONS:
        by_way = {
            Way.REQUEST: operation.request,
            Way.ANSWER: operation.answer,
            Way.REDUCED: operation.reduced,
        }
        yield from (Carried(operation, way, cls) for way, cls in by_way.items() if cls is not None)
    yield from (Carried(event, Way.EVENT, event.message) for event in ANNOUNCEMENTS.values())


CARRIED: Final[tuple[Carried, ...]] = tuple(_carried())
carried_by_class: Final[Mapping[type, Carried]] = MappingProxyType({row.cls: row for row in CARRIED})


def all_classes() -> tuple[type[Any], ...]:
    """Every class that has a table, each once, the items of another one before it."""
    found: dict[type[Any], None] = {}
    for cls in (*(row.cls for row in CARRIED), *BLOCKS.values(), LogRecord, *DATA_OF.values()):
        _with_items(cls, found)
    return tuple(found)


def _with_items(cls: type[Any], found: dict[type[Any], None]) -> None:
    for field in table_of(cls):
        if field.item is not None:
            _with_items(field.item, found)
    found.setdefault(cls)


def flags_field_of(cls: type[Any], bit: enum.IntFlag) -> Field:
    """The field of a message that has such a bit."""
    return next(field for field in table_of(cls) if field.enum is type(bit))


def is_there(cls: type[Any], field: Field, values: Mapping[str, Any]) -> bool:
    """Whether a field is there, by the values of those before it."""
    bit = field.present
    return bit is None or bool(bit & values[flags_field_of(cls, bit).name])


def snake(name: str) -> str:
    """`BolusPrepareRequest` as `bolus_prepare_request`: how foreign descriptions name types."""
    return _WORD_START.sub("_", name).lower()


def reduced_size(operation: Operation) -> int | None:
    """By how many bytes of fields the answer without a session is told from the whole one."""
    return layout_of(operation.reduced).fixed_size if operation.reduced is not None else None
