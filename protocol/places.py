"""Where everything in a frame lies: each field, from header to CRC, with its offset in the body, its size and unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from protocol.channel import COUNTER_SIZE, TAG_SIZE, counter_of
from protocol.explain import Explained
from protocol.field_types import BlobType
from protocol.fields import Field, FormatError, PlacesType, RecordsType, encode, layout_of, table_of
from protocol.frame import LENGTH_OFFSET, OPCODE_OFFSET, RESPONSE_BIT, SESSION_ID_OFFSET, Flag, Frame
from protocol.framing import CRC_SIZE, HEADER_SIZE, crc32
from protocol.messages.log import LogRecord
from protocol.messages.log_records import data_of
from protocol.refusals import OK, Nak

_COUNT_SIZE: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A field where it lies.

    offset  in the body, which begins with the header and ends with the CRC
    value   as its message has it; bytes that are no field are bytes
    """

    offset: int
    size: int
    name: str
    value: Any
    unit: str = ""


def places_of(told: Explained, plain: bytes | None = None) -> tuple[Place, ...]:
    """All places of a frame in the order of their bytes; `plain` is the payload of a secured frame in the clear.

    A payload that cannot be read is one place, and so is what stands behind the last field that this version knows.
    """
    frame = told.frame
    secured = Flag.SECURED in frame.flags
    places = [*_header(frame)]
    if secured and plain is None:
        places.append(Place(HEADER_SIZE, len(frame.payload), "sealed", frame.payload))
    else:
        places += _payload(told, frame.payload if plain is None else plain)
    end = HEADER_SIZE + len(frame.payload)
    if secured:
        places.append(Place(end, COUNTER_SIZE, "counter", counter_of(frame)))
        places.append(Place(end + COUNTER_SIZE, TAG_SIZE, "tag", frame.sealed[COUNTER_SIZE:]))
        end += len(frame.sealed)
    places.append(Place(end, CRC_SIZE, "crc32", crc32(frame.to_body())))
    return tuple(place for place in places if place.size)


def behind_known_fields(told: Explained, plain: bytes) -> bytes:
    """What stands behind the last field that this version knows, in the payload in the clear."""
    if told.message is None:
        return b""
    message = plain[1:] if told.direction == "answer" else plain
    return message[layout_of(type(told.message)).measure(message) :]


def message_places(message: object, at: int = 0, prefix: str = "") -> Iterator[Place]:
    """The fields of a message that begins at an offset; those of a record within it are named `ops[0].role`."""
    for field in table_of(type(message)):
        value = getattr(message, field.name)
        size = _size(field, value)
        name = prefix + field.name
        if isinstance(field.kind, RecordsType | PlacesType):
            first = at
            if isinstance(field.kind, RecordsType):
                yield Place(at, _COUNT_SIZE, f"{name}.count", len(value))
                first += _COUNT_SIZE
            for index, item in enumerate(value):
                item_size = (size - (first - at)) // len(value)
                yield from message_places(item, first + index * item_size, f"{name}[{index}].")
        elif isinstance(field.kind, BlobType):
            yield Place(at, _COUNT_SIZE, f"{name}.count", len(value))
            yield Place(at + _COUNT_SIZE, size - _COUNT_SIZE, name, value, field.unit)
        elif isinstance(message, LogRecord) and field.name == "data":
            yield from _log_data(message, at, name)
        else:
            yield Place(at, size, name, value, field.unit)
        at += size
    if layout_of(type(message)).ends_with_crc32:
        yield Place(at, CRC_SIZE, f"{prefix}crc32", int.from_bytes(encode(message)[-CRC_SIZE:], "little"))


def _size(field: Field, value: Any) -> int:
    if value is None:
        # A field that is there in some messages only.
        return 0
    if field.kind.size is not None:
        return field.kind.size
    assert isinstance(field.kind, RecordsType | BlobType)  # noqa: S101 - nothing else has a size of its own
    return _COUNT_SIZE + len(value) * field.kind.item_size


def _log_data(record: LogRecord, at: int, name: str) -> Iterator[Place]:
    """The fields that a record's type gives its data; the bytes themselves if it gives none."""
    try:
        data = data_of(record)
    except FormatError:
        data = None
    if data is None:
        yield Place(at, len(record.data), name, record.data)
        return
    end = at
    for place in message_places(data, at, f"{name}."):
        yield place
        end = place.offset + place.size
    if end - at < len(record.data):
        yield Place(end, len(record.data) - (end - at), f"{name} (unused)", record.data[end - at :])


def _header(frame: Frame) -> Iterator[Place]:
    yield Place(0, 1, "version", frame.major)
    yield Place(0, 1, "flags", frame.flags)
    yield Place(1, 1, "txn", frame.txn)
    yield Place(OPCODE_OFFSET, 2, "opcode", frame.opcode | (RESPONSE_BIT if Flag.RESP in frame.flags else 0))
    yield Place(4, 4, "address", frame.address)
    yield Place(SESSION_ID_OFFSET, 2, "session id", frame.session_id)
    yield Place(LENGTH_OFFSET, 2, "length", len(frame.payload), "bytes")


def _payload(told: Explained, payload: bytes) -> Iterator[Place]:
    at = HEADER_SIZE
    if told.nak is not None:
        yield from _nak(told.nak, at)
        at += len(told.nak.encode())
    else:
        if told.direction == "answer" and payload[:1] == bytes((OK,)):
            yield Place(at, 1, "result", "OK")
            at += 1
        if told.message is not None:
            for place in message_places(told.message, at):
                yield place
                at = place.offset + place.size
    rest = payload[at - HEADER_SIZE :]
    name = "behind the last known field" if told.message is not None or told.nak is not None else "payload"
    yield Place(at, len(rest), name, rest)


def _nak(nak: Nak, at: int) -> Iterator[Place]:
    yield Place(at, 1, "result", f"NAK {nak.code:02X} {nak.code.name}")
    yield Place(at + 1, 1, "field", nak.field)
    yield Place(at + 2, 2, "element", nak.element)
    yield Place(at + 4, 4, "detail", nak.detail)
