"""The canonical encoding of state, and its digest.

Every value is a tag byte, then its content: `N` none, `T`/`F` booleans, `I` a signed big-endian integer, `B` bytes, `S`
UTF-8 text, `L` a sequence, `D` a dataclass (its class name, then each field in declaration order). Contents of varying
size are preceded by their length or count as u32. There is no float, and no set or mapping, whose order could differ.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import fields, is_dataclass
from enum import Enum

from firmware_model import MODEL_VERSION


def canonical(value: object) -> bytes:
    """The canonical encoding of a value. Raises TypeError for a value that has none."""
    out = bytearray()
    _append(out, value)
    return bytes(out)


def digest(value: object) -> str:
    """SHA-256 in hex over the model version and the canonical encoding."""
    return hashlib.sha256(struct.pack(">I", MODEL_VERSION) + canonical(value)).hexdigest()


def _append(out: bytearray, value: object) -> None:
    if value is None:
        out += b"N"
    elif isinstance(value, bool):
        out += b"T" if value else b"F"
    elif isinstance(value, Enum):
        _append(out, value.value)
    elif isinstance(value, int):
        content = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
        _sized(out, b"I", content)
    elif isinstance(value, bytes | bytearray):
        _sized(out, b"B", value)
    elif isinstance(value, str):
        _sized(out, b"S", value.encode())
    elif isinstance(value, tuple | list):
        out += b"L" + struct.pack(">I", len(value))
        for item in value:
            _append(out, item)
    elif is_dataclass(value):
        _sized(out, b"D", type(value).__name__.encode())
        for described in fields(value):
            _append(out, getattr(value, described.name))
    else:
        raise TypeError(f"{type(value).__name__} has no canonical encoding")


def _sized(out: bytearray, tag: bytes, content: bytes | bytearray) -> None:
    out += tag + struct.pack(">I", len(content)) + content
