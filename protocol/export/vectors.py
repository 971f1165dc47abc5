"""Check vectors: fixed frames byte for byte, which every implementation must meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.channel import SessionKeys

# The key of both directions, and the salt, of the secured vectors.
VECTOR_KEYS: Final = SessionKeys(
    host_to_pump=bytes(range(16)), pump_to_host=bytes(range(16)), salt=bytes(range(0xA0, 0xA8))
)


@dataclass(frozen=True, slots=True)
class Vector:
    """A frame as it must be: its body with the CRC-32, and its bytes on the wire."""

    title: str
    body: bytes
    wire: bytes


def _vector(title: str, body: str, wire: str) -> Vector:
    return Vector(title, bytes.fromhex(body), bytes.fromhex(wire))


# These do not follow from the code: they were computed apart from it, and the code must meet them.
CHECK_VECTORS: Final[tuple[Vector, ...]] = (
    _vector(
        "HELLO, any pump",
        "10 00 01 01 ff ff ff ff 00 00 02 00 01 00 47 b8 45 42",
        "00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00",
    ),
    _vector(
        "STATUS, no session",
        "10 07 01 02 ee ff c0 00 00 00 00 00 7f 1e 46 8a",
        "00 08 10 07 01 02 ee ff c0 01 01 01 01 05 7f 1e 46 8a 00",
    ),
    _vector(
        "an OK answer (framing only: its payload is cut after two bytes)",
        "11 07 01 82 ee ff c0 00 00 00 03 00 0f 33 00 5a c1 b9 8a",
        "00 08 11 07 01 82 ee ff c0 01 01 02 03 03 0f 33 05 5a c1 b9 8a 00",
    ),
    _vector(
        "NAK 34 AUTH_REQUIRED to BOLUS_PREPARE",
        "11 08 03 84 ee ff c0 00 00 00 08 00 34 ff 00 00 00 00 00 00 2c 17 16 bb",
        "00 08 11 08 03 84 ee ff c0 01 01 02 08 03 34 ff 01 01 01 01 01 05 2c 17 16 bb 00",
    ),
    _vector(
        "secured KEEPALIVE (payload aa 55), session 1234, counter 1; both keys 00 01 .. 0f, salt a0 .. a7",
        "18 09 05 01 ee ff c0 00 34 12 02 00 7d e4 01 00 00 00 00 f7 4f 58 94 a3 e0 95 1e 32 30 f0 25",
        "00 08 18 09 05 01 ee ff c0 04 34 12 02 04 7d e4 01 01 01 01 0d f7 4f 58 94 a3 e0 95 1e 32 30 f0 25 00",
    ),
    _vector(
        "its answer OK (payload 0f), counter 1; the same keys and salt",
        "19 09 05 81 ee ff c0 00 34 12 01 00 02 01 00 00 00 00 95 3e 6e 9a 3b e2 77 cd 53 e3 01 9f",
        "00 08 19 09 05 81 ee ff c0 04 34 12 01 03 02 01 01 01 01 0d 95 3e 6e 9a 3b e2 77 cd 53 e3 01 9f 00",
    ),
)
