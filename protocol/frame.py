"""The frame: the twelve bytes of its header, its flags, and the rules that a body must keep to be one."""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.framing import HEADER_SIZE, LineFault, encode_wire
from protocol.makers import maker_of

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


NO_FLAGS: Final = Flag(0)
# The only combinations that mean something: a request, its retry, an answer, an event; and each of them secured.
SECURED_OF: Final[Mapping[Flag, Flag]] = MappingProxyType(
    {plain: plain | Flag.SECURED for plain in (NO_FLAGS, Flag.RETRY, Flag.RESP, Flag.EVENT)}
)
_SECURED: Final = frozenset(SECURED_OF.values())
_ADMITTED: Final = _SECURED | SECURED_OF.keys()
REQUEST_FLAGS: Final = frozenset({NO_FLAGS, Flag.RETRY, SECURED_OF[NO_FLAGS], SECURED_OF[Flag.RETRY]})
ANSWER_FLAGS: Final = frozenset({Flag.RESP, SECURED_OF[Flag.RESP]})
EVENT_FLAGS: Final = frozenset({Flag.EVENT, SECURED_OF[Flag.EVENT]})
_BY_NIBBLE: Final[Mapping[int, Flag]] = MappingProxyType({int(flags): flags for flags in _ADMITTED})
_NIBBLE: Final = 0x0F
# What flags make of the first byte and of the opcode.
_MARKS: Final[Mapping[Flag, tuple[int, int]]] = MappingProxyType(
    {flags: (int(flags), RESPONSE_BIT if flags in ANSWER_FLAGS else 0) for flags in _ADMITTED}
)


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
    flags: Flag = NO_FLAGS
    major: int = MAJOR
    sealed: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.opcode < RESPONSE_BIT:
            raise ValueError(f"opcode {self.opcode:#x} does not fit 15 bits")
        if len(self.payload) > MAX_PAYLOAD:
            raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(self.payload)}")
        if self.flags not in _ADMITTED:
            raise ValueError(f"{self.flags!r} is no direction of a frame")
        secured = self.secured
        if secured != (self.session_id != 0) or len(self.sealed) != (SEAL_SIZE if secured else 0):
            raise ValueError("session id, counter and tag come with SECURED, and only with it")

    @property
    def secured(self) -> bool:
        """Whether SECURED is set."""
        return self.flags in _SECURED

    def header(self) -> bytes:
        """The first twelve bytes, which a secured frame authenticates."""
        return pack_header(
            self.flags, self.txn, self.opcode, self.address, self.session_id, len(self.payload), self.major
        )

    def to_body(self) -> bytes:
        return self.header() + self.payload + self.sealed

    def to_wire(self) -> bytes:
        return encode_wire(self.to_body())


def pack_header(
    flags: Flag, txn: int, opcode: int, address: int, session_id: int, length: int, major: int = MAJOR
) -> bytes:
    """The twelve bytes of a header, for flags that a frame can have; the rest in the order on the wire."""
    nibble, response_bit = _MARKS[flags]
    return _HEADER.pack(major << 4 | nibble, txn, opcode | response_bit, address, session_id, length)


def parse_body(body: bytes) -> Frame:
    """The frame in a body without CRC. An unknown major is not refused here: HELLO must be readable in every one."""
    if len(body) < HEADER_SIZE:
        raise FrameError(LineFault.SHORT)
    first, txn, wire_opcode, address, session_id, length = _HEADER.unpack_from(body)
    flags = _BY_NIBBLE.get(first & _NIBBLE)
    if flags is None:
        raise FrameError(LineFault.FLAGS)
    secured = flags in _SECURED
    if (flags in ANSWER_FLAGS) != (wire_opcode >= RESPONSE_BIT) or secured != (session_id != 0):
        raise FrameError(LineFault.FLAGS)
    end = HEADER_SIZE + length
    if length > MAX_PAYLOAD or len(body) != (end + SEAL_SIZE if secured else end):
        raise FrameError(LineFault.LENGTH)
    return _checked(
        opcode=wire_opcode & ~RESPONSE_BIT,
        txn=txn,
        address=address,
        payload=body[HEADER_SIZE:end],
        session_id=session_id,
        flags=flags,
        major=first >> 4,
        sealed=body[end:],
    )


# A frame whose rules have been looked at.
_checked = maker_of(Frame)


def check_addressed(frame: Frame, address: int, *, greets: bool) -> None:
    """Raise FrameError unless a frame is a request to this pump. One that greets may be for any, in any version."""
    if frame.flags not in REQUEST_FLAGS:
        raise FrameError(LineFault.FLAGS)
    if frame.address != address and not (frame.address == ANY_ADDRESS and greets):
        raise FrameError(LineFault.ADDRESS)
    if frame.major != MAJOR and not greets:
        raise FrameError(LineFault.VERSION)
