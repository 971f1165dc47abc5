"""The frame: the twelve bytes of its header, its flags, and the rules that a body must keep to be one."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final

from protocol.framing import HEADER_SIZE, LineFault, encode_wire

MAJOR: Final = 1
MINOR: Final = 0
ANY_ADDRESS: Final = 0xFFFFFFFF
MAX_PAYLOAD: Final = 224
RESPONSE_BIT: Final = 0x8000
# Where fields of the header lie in the body.
OPCODE_OFFSET: Final = 2
SESSION_ID_OFFSET: Final = 8
LENGTH_OFFSET: Final = 10
# A secured frame ends with its counter (5 bytes) and its tag (8 bytes).
SEAL_SIZE: Final = 13

_HEADER: Final = struct.Struct("<BBHIHH")


class Flag(enum.IntFlag):
    """The low nibble of the first byte."""

    RESP = 1
    EVENT = 2
    RETRY = 4
    SECURED = 8


_NO_FLAGS: Final = Flag(0)
# The only combinations that mean something, SECURED aside: a request and its retry, an answer, an event.
_DIRECTIONS: Final = frozenset({_NO_FLAGS, Flag.RETRY, Flag.RESP, Flag.EVENT})


class FrameError(Exception):
    """A body that is no frame: dropped in silence, and counted by its fault."""

    def __init__(self, fault: LineFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame, its opcode without bit 15. `payload` is as on the wire: enciphered in a secured frame."""

    opcode: int
    txn: int
    address: int
    payload: bytes
    session_id: int = 0
    flags: Flag = _NO_FLAGS
    major: int = MAJOR
    sealed: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.opcode < RESPONSE_BIT:
            raise ValueError(f"opcode {self.opcode:#x} does not fit 15 bits")
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(self.payload)}")
        if self.flags & ~Flag.SECURED not in _DIRECTIONS:
            raise ValueError(f"{self.flags!r} is no direction of a frame")
        secured = Flag.SECURED in self.flags
        if secured != (self.session_id != 0) or len(self.sealed) != (SEAL_SIZE if secured else 0):
            raise ValueError("session id, counter and tag come with SECURED, and only with it")

    def header(self) -> bytes:
        """The first twelve bytes, which a secured frame authenticates."""
        wire_opcode = self.opcode | (RESPONSE_BIT if Flag.RESP in self.flags else 0)
        first = self.major << 4 | self.flags
        return _HEADER.pack(first, self.txn, wire_opcode, self.address, self.session_id, len(self.payload))

    def to_body(self) -> bytes:
        return self.header() + self.payload + self.sealed

    def to_wire(self) -> bytes:
        return encode_wire(self.to_body())


def parse_body(body: bytes) -> Frame:
    """The frame in a body without CRC. An unknown major is not refused here: HELLO must be readable in every one."""
    if len(body) < HEADER_SIZE:
        raise FrameError(LineFault.SHORT)
    first, txn, wire_opcode, address, session_id, length = _HEADER.unpack_from(body)
    flags = Flag(first & 0x0F)
    secured = Flag.SECURED in flags
    if flags & ~Flag.SECURED not in _DIRECTIONS:
        raise FrameError(LineFault.FLAGS)
    if (Flag.RESP in flags) != bool(wire_opcode & RESPONSE_BIT) or secured != (session_id != 0):
        raise FrameError(LineFault.FLAGS)
    end = HEADER_SIZE + length
    if length > MAX_PAYLOAD or len(body) != end + (SEAL_SIZE if secured else 0):
        raise FrameError(LineFault.LENGTH)
    return Frame(
        opcode=wire_opcode & ~RESPONSE_BIT,
        txn=txn,
        address=address,
        payload=body[HEADER_SIZE:end],
        session_id=session_id,
        flags=flags,
        major=first >> 4,
        sealed=body[end:],
    )


def check_addressed(frame: Frame, address: int, *, greets: bool) -> None:
    """Raise FrameError unless a frame is a request to this pump. One that greets may be for any, in any version."""
    if frame.flags & (Flag.RESP | Flag.EVENT):
        raise FrameError(LineFault.FLAGS)
    if frame.address != address and not (frame.address == ANY_ADDRESS and greets):
        raise FrameError(LineFault.ADDRESS)
    if frame.major != MAJOR and not greets:
        raise FrameError(LineFault.VERSION)
