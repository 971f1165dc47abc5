"""What the frames say: operations and their fields, in the units of this pump, and its refusals.

Numbers are big endian and of whole units: tenths of a microlitre an hour, microlitres, minutes, tenths of a millilitre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

ANSWER_BIT = 0x80
ACK, NAK = 0x06, 0x15


@dataclass(frozen=True, slots=True)
class Field:
    """A number of so many bytes. `unit` is for people."""

    name: str
    size: int
    unit: str = ""

    @property
    def maximum(self) -> int:
        """The largest number that it can hold."""
        return (1 << 8 * self.size) - 1


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked. `effect` is the word that traces and observers have for it."""

    name: str
    effect: str
    request: tuple[Field, ...] = ()
    answer: tuple[Field, ...] = ()


RATE = Field("rate", 2, "x 0.1 uL/h")
VOLUME = Field("volume", 2, "uL")
DURATION = Field("duration", 1, "min")

IDENTIFY, STATUS, SET_RATE, BOLUS, STOP, START = range(1, 7)
OPERATIONS: Mapping[int, Operation] = MappingProxyType(
    {
        IDENTIFY: Operation("IDENTIFY", "link", answer=(Field("serial_number", 4),)),
        STATUS: Operation(
            "STATUS",
            "read",
            answer=(
                Field("running", 1),
                RATE,
                Field("reservoir", 2, "x 0.1 mL"),
                Field("bolus_left", 2, "uL"),
                Field("alarms", 1),
            ),
        ),
        SET_RATE: Operation("SET_RATE", "therapy", request=(RATE,), answer=(RATE,)),
        BOLUS: Operation("BOLUS", "therapy", request=(VOLUME, DURATION), answer=(VOLUME, DURATION)),
        STOP: Operation("STOP", "therapy"),
        START: Operation("START", "therapy"),
    }
)


class Why(IntEnum):
    """Why a request is refused."""

    FORMAT = 1
    TOO_LOW = 2
    TOO_HIGH = 3
    NOT_NOW = 4
    FAILURE = 5


REFUSAL = (Field("reason", 1), Field("limit", 2))
"""What follows NAK. The limit is in the unit of the field that is beyond it, 0 where there is none."""


def pack(fields: Sequence[Field], values: Sequence[int]) -> bytes:
    """Numbers as bytes; one that is too large for its field is the largest that it can hold."""
    return b"".join(
        min(value, field.maximum).to_bytes(field.size, "big") for field, value in zip(fields, values, strict=True)
    )


def unpack(fields: Sequence[Field], data: bytes) -> dict[str, int] | None:
    """Numbers by their names; None for data of another length."""
    if len(data) != sum(field.size for field in fields):
        return None
    values, at = {}, 0
    for field in fields:
        values[field.name] = int.from_bytes(data[at : at + field.size], "big")
        at += field.size
    return values


def name_of(operation: int) -> tuple[str, str]:
    """Name and effect of an operation, of a request or of its answer; one that nobody knows has its number."""
    known = OPERATIONS.get(operation & ~ANSWER_BIT)
    return (known.name, known.effect) if known else (f"{operation & ~ANSWER_BIT:02X}", "")


def fields_in(operation: int, data: bytes) -> tuple[str, tuple[Field, ...], dict[str, int] | None]:
    """How an answer ends (ACK, NAK; empty for a request), its fields, and their values, None if they do not fit."""
    known = OPERATIONS.get(operation & ~ANSWER_BIT, Operation("", ""))
    if not operation & ANSWER_BIT:
        return "", known.request, unpack(known.request, data)
    if data[:1] == bytes((NAK,)):
        return "NAK", REFUSAL, unpack(REFUSAL, data[1:])
    return "ACK", known.answer, unpack(known.answer, data[1:]) if data[:1] == bytes((ACK,)) else None


def summary_of(operation: int, data: bytes) -> str:
    """What a frame says, for people."""
    verdict, fields, values = fields_in(operation, data)
    if values is None:
        return f"data={data.hex()} (not what its fields are)"
    words = [f"{field.name}={values[field.name]}{f' {field.unit}' if field.unit else ''}" for field in fields]
    return " ".join([verdict, *words]).strip()
