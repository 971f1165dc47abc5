"""A frame as our own codec reads it, in the shape that the foreign decoders of these tests report in.

Names have no underscores and no capitals, for each language writes them in its own way; a message has its class under
`#`; a frame that must not be read is REJECTED.
"""

from __future__ import annotations

import enum
from typing import Any

from protocol.export.catalogue import CARRIED, Way, reduced_size
from protocol.field_types import BlobType, CodedType
from protocol.fields import FormatError, RecordsType, decode, encode, layout_of, table_of
from protocol.frame import MAJOR, Flag, Frame, FrameError, parse_body
from protocol.framing import StreamReader, crc32
from protocol.messages.log import LogRecord
from protocol.messages.log_records import data_of
from protocol.messages.operations import by_opcode
from protocol.refusals import OK, Nak

REJECTED: dict[str, Any] = {"rejected": True}
_CLASS_OF = {(row.wire_opcode, row.way): row.cls for row in CARRIED}


def read(wire: bytes) -> dict[str, Any]:
    """What a frame holds, header and payload; REJECTED if anything in it is not as the specification has it."""
    (piece,) = StreamReader().feed(wire)
    try:
        frame = parse_body(piece.body or b"")
    except FrameError:
        return REJECTED
    secured = Flag.SECURED in frame.flags
    told: dict[str, Any] = {
        "#": "Vpump",
        "resp": Flag.RESP in frame.flags,
        "event": Flag.EVENT in frame.flags,
        "retry": Flag.RETRY in frame.flags,
        "secured": secured,
        "major": frame.major,
        "txn": frame.txn,
        "opcode": frame.opcode | (0x8000 if Flag.RESP in frame.flags else 0),
        "address": frame.address,
        "sessionid": frame.session_id,
        "lenpayload": len(frame.payload),
        "crc32": crc32(frame.to_body()),
        "behind": "",
    }
    if secured:
        counter = int.from_bytes(frame.sealed[:5], "little")
        told |= {"counterlow": counter & 0xFFFFFFFF, "counterhigh": counter >> 32, "tag": frame.sealed[5:].hex()}
        return {**told, "sealedpayload": frame.payload.hex()}
    try:
        return {**told, "payload": _payload(frame)}
    except (FormatError, ValueError):
        return REJECTED


def _payload(frame: Frame) -> dict[str, Any]:
    payload = frame.payload
    is_event = Flag.EVENT in frame.flags
    opcode = frame.opcode | (0x8000 if Flag.RESP in frame.flags else 0)
    told: dict[str, Any] = {"#": "Payload", "opcode": opcode, "event": is_event, "secured": False, "major": frame.major}
    told["laterfields"] = ""
    if frame.major != MAJOR:
        return {**told, "message": {"#": "UnknownPayload", "raw": payload.hex()}}
    way = Way.EVENT if is_event else Way.REQUEST
    if Flag.RESP in frame.flags:
        if not payload:
            raise ValueError("an answer without its result byte")
        told["result"] = payload[0]
        if payload[0] != OK:
            nak = Nak.decode(payload)
            refusal = {"#": "Refusal", "field": nak.field, "element": nak.element, "detail": nak.detail}
            return {**told, "refusal": refusal}
        payload = payload[1:]
        operation = by_opcode.get(frame.opcode)
        reduced = operation is not None and reduced_size(operation) == len(payload)
        way = Way.REDUCED if reduced else Way.ANSWER
    cls = _CLASS_OF.get((opcode, way))
    if cls is None:
        return {**told, "message": {"#": "UnknownPayload", "raw": payload.hex()}}
    message = decode(cls, payload)
    return {**told, "message": fields(message), "laterfields": payload[len(encode(message)) :].hex()}


def fields(message: object) -> dict[str, Any]:
    """A message with its counts, and without the fields that are not there."""
    told: dict[str, Any] = {"#": type(message).__name__}
    for field in table_of(type(message)):
        name, value = field.name.replace("_", ""), getattr(message, field.name)
        if value is None:
            continue
        if isinstance(field.kind, RecordsType):
            told[f"num{name}"] = len(value)
        if isinstance(field.kind, BlobType):
            told[f"len{name}"] = len(value)
        if isinstance(field.kind, CodedType) and issubclass(field.kind.code, enum.IntFlag):
            told[name] = bits_of(field.kind, int(value))
        else:
            told[name] = _plain(value)
    if layout_of(type(message)).ends_with_crc32:
        told["crc32"] = int.from_bytes(encode(message)[-4:], "little")
    if isinstance(message, LogRecord):
        told["record"] = _record(message)
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [fields(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str) else int(value)


def _record(record: LogRecord) -> dict[str, Any] | None:
    try:
        data = data_of(record)
    except FormatError:
        return None
    return None if data is None else fields(data)


def bits_of(kind: CodedType, value: int) -> dict[str, Any]:
    """Flags by their names, and the unknown bits above them in one number for each 32 bits."""
    told: dict[str, Any] = {"#": kind.code.__name__}
    told |= {(flag.name or "").lower().replace("_", ""): bool(value & flag) for flag in kind.code}
    at, width = max(kind.code).bit_length(), 8 * kind.size
    while at < width:
        end = min(width, at - at % 32 + 32)
        told[f"unknownfrom{at}"] = value >> at & (1 << end - at) - 1
        at = end
    return told
