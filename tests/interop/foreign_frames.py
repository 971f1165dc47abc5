"""Frames for foreign decoders: good ones of every message, and whatever is wrong with others, from a seed."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from random import Random
from typing import Any

from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types

from protocol.export.catalogue import CARRIED, Carried, Way, is_there
from protocol.export.vector_document import payload_of
from protocol.field_types import BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.fields import PlacesType, RecordsType, table_of
from protocol.frame import MAX_PAYLOAD, RESPONSE_BIT, SEAL_SIZE, Flag
from protocol.framing import crc32
from protocol.messages.log import LogRecord
from protocol.messages.log_records import DATA_OF, log_record
from protocol.refusals import Nak, NakCode

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
# Of a hundred frames so many are spoilt somewhere behind COBS and CRC-32, and so many before them.
_SPOILT, _BROKEN = 35, 5


def wires(seed: int, count: int) -> Iterator[bytes]:
    """So many frames from delimiter to delimiter, the same ones from the same seed."""
    random = Random(seed)  # noqa: S311 - a repeatable search, no secret
    for _ in range(count):
        body = _body(random)
        chance = random.randrange(100)
        if chance < _SPOILT:
            body = _spoilt(random, body)
        checked = body + crc32(body).to_bytes(4, "little")
        coded = bytearray(cobs.encode(checked))
        if chance >= 100 - _BROKEN:
            coded[random.randrange(len(coded))] = random.randrange(1, 256)
        yield b"\x00" + bytes(coded) + b"\x00"


def _body(random: Random) -> bytes:
    chance = random.randrange(100)
    if chance < 8:
        return _sealed(random)
    carried = random.choice(CARRIED)
    if chance < 16 and carried.is_answer:
        nak = Nak(
            random.choice(list(NakCode)), random.randrange(256), random.randrange(1 << 16), random.getrandbits(32)
        )
        return _header(random, carried, len(nak.encode())) + nak.encode()
    payload = payload_of(carried, message(random, carried.cls))
    return _header(random, carried, len(payload)) + payload


def _header(random: Random, carried: Carried, length: int) -> bytes:
    flags = {Way.REQUEST: random.choice((Flag(0), Flag.RETRY)), Way.EVENT: Flag.EVENT}.get(carried.way, Flag.RESP)
    major = 1 if random.randrange(50) else random.randrange(16)
    opcode = (
        carried.wire_opcode if random.randrange(50) else random.getrandbits(15) | (carried.wire_opcode & RESPONSE_BIT)
    )
    return _packed(major << 4 | flags, random, opcode, 0, length)


def _sealed(random: Random) -> bytes:
    flags = random.choice((Flag(0), Flag.RETRY, Flag.RESP, Flag.EVENT))
    opcode = random.choice(CARRIED).operation.opcode | (RESPONSE_BIT if Flag.RESP in flags else 0)
    length = random.randrange(MAX_PAYLOAD + 1)
    session_id = random.randrange(1, 1 << 16)
    return _packed(0x18 | flags, random, opcode, session_id, length) + random.randbytes(length + SEAL_SIZE)


def _packed(first: int, random: Random, opcode: int, session_id: int, length: int) -> bytes:
    numbers = (
        (first, 1),
        (random.randrange(256), 1),
        (opcode, 2),
        (random.getrandbits(32), 4),
        (session_id, 2),
        (length, 2),
    )
    return b"".join(number.to_bytes(size, "little") for number, size in numbers)


def _spoilt(random: Random, body: bytes) -> bytes:
    """One change: a bit, a byte, the end, the length; the header's length is set right again most of the time."""
    changed = bytearray(body)
    match random.randrange(4):
        case 0:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        case 1:
            changed[random.randrange(len(changed))] = random.choice((0, 1, 0x0F, 0x33, 0x7F, 0xFF))
        case 2:
            del changed[max(12, len(changed) - random.randrange(1, 5)) :]
        case _:
            changed += random.randbytes(random.randrange(1, 4))
    if random.randrange(8) and len(changed) <= 12 + MAX_PAYLOAD and not changed[0] & Flag.SECURED:
        changed[10:12] = (len(changed) - 12).to_bytes(2, "little")
    return bytes(changed[:249])


def message(random: Random, cls: type[Any]) -> Any:
    """Any message of a class that its table admits."""
    if cls is LogRecord:
        return _record(random)
    values: dict[str, Any] = {}
    for field in table_of(cls):
        turned = field.complement_of
        if turned:
            values[field.name] = values[turned] ^ 0xFFFFFFFF
        else:
            values[field.name] = _value(random, field.kind) if is_there(cls, field, values) else None
    return cls(**values)


def _record(random: Random) -> LogRecord:
    record = log_record(
        message(random, random.choice(list(DATA_OF.values()))),
        sequence=random.getrandbits(32),
        epoch=random.getrandbits(16),
        boot=random.getrandbits(16),
        elapsed_s=random.getrandbits(32),
        op_id=random.getrandbits(32),
    )
    chance = random.randrange(8)
    if chance > 1:
        return record
    # Of a type that nobody knows, or shorter than its type says.
    changed = {"type": random.getrandbits(16)} if chance else {"data_length": random.randrange(21)}
    return LogRecord(**{field.name: getattr(record, field.name) for field in table_of(LogRecord)} | changed)


def _value(random: Random, kind: FieldType) -> Any:
    match kind:
        case IntegerType():
            return random.choice((kind.minimum, kind.maximum, random.randint(kind.minimum, kind.maximum)))
        case CodedType() if issubclass(kind.code, enum.IntFlag):
            named = kind.code(sum(code for code in kind.code if random.randrange(2)))
            return kind.code(_with_unknown(random, kind, named))
        case CodedType():
            return random.choice(list(kind.code))
        case BytesType():
            return random.randbytes(kind.length)
        case BlobType():
            return random.randbytes(random.randrange(kind.maximum + 1))
        case TextType():
            return "".join(random.choices(_PRINTABLE, k=random.randrange(kind.length + 1)))
        case RecordsType():
            return tuple(message(random, kind.item) for _ in range(random.randrange(kind.maximum + 1)))
        case PlacesType():
            return tuple(message(random, kind.item) for _ in range(kind.count))
    raise TypeError(kind)


def _with_unknown(random: Random, kind: CodedType, value: int) -> int:
    """Flags that keep what they do not know get unknown bits now and then."""
    keeps = kind.code.__dict__.get("_boundary_", None) is enum.KEEP
    return value | (random.getrandbits(8 * kind.size) if keeps and not random.randrange(4) else 0)
