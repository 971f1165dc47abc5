"""The blocks of pcapng that a capture is made of, as bytes, and the numbers that a reader knows them by.

Source: PCAP Next Generation Capture File Format, draft-ietf-opsawg-pcapng. Everything is written little endian.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LINKTYPE_USER0: Final = 147
"""For private use: what is in its packets, only their reader knows."""
MICROSECONDS: Final = 6
"""The resolution of our time stamps, as a power of ten."""
MAX_TEXT_BYTES: Final = 2048
"""Of a text in a block; what is longer is cut."""

BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
VERSION: Final = (1, 0)
LENGTH_UNKNOWN: Final = 0xFFFF_FFFF_FFFF_FFFF
BLOCK_FRAME_BYTES: Final = 12
"""Type and length before what a block holds, and the length again behind it."""


class BlockType(enum.IntEnum):
    """The blocks that a packet, or what must be known of it, is found in. PACKET is obsolete, and read only."""

    INTERFACE = 0x00000001
    PACKET = 0x00000002
    SIMPLE_PACKET = 0x00000003
    ENHANCED_PACKET = 0x00000006
    SECTION_HEADER = 0x0A0D0D0A


OPTION_END: Final = 0
OPTION_COMMENT: Final = 1
"""The two options that every kind of block may have."""


class SectionOption(enum.IntEnum):
    """Options of a section header."""

    HARDWARE = 2
    APPLICATION = 4


class InterfaceOption(enum.IntEnum):
    """Options of the description of an interface."""

    NAME = 2
    DESCRIPTION = 3
    TIME_RESOLUTION = 9
    TIME_OFFSET = 14


class PacketOption(enum.IntEnum):
    """Options of an enhanced packet, and those two of an obsolete one."""

    FLAGS = 2
    LOST_BEFORE = 4


class Flow(enum.IntEnum):
    """Which way a packet goes, from where it was captured: ours are captured at the pump."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


FLOW_MASK: Final = 0b11
"""The bits of a packet's flags that say its flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet as it is written.

    interface    number of the interface that it passed, in the order of their descriptions
    at_us        when, in microseconds since the beginning of 1970
    comments     what whoever captured it says of it
    lost_before  how many were not captured between the packet before and this one
    """

    interface: int
    at_us: int
    data: bytes
    flow: Flow = Flow.UNKNOWN
    comments: tuple[str, ...] = ()
    lost_before: int = 0


def section_header(*, hardware: str, application: str, comments: Iterable[str] = ()) -> bytes:
    """The block that a file begins with."""
    options = _comments(comments)
    options += _text(SectionOption.HARDWARE, hardware) + _text(SectionOption.APPLICATION, application)
    return _block(BlockType.SECTION_HEADER, struct.pack("<IHHQ", BYTE_ORDER_MAGIC, *VERSION, LENGTH_UNKNOWN), options)


def interface(*, name: str, description: str) -> bytes:
    """The description of an interface of link type USER0; interfaces are numbered from 0, in their order."""
    options = _text(InterfaceOption.NAME, name) + _text(InterfaceOption.DESCRIPTION, description)
    options += _option(InterfaceOption.TIME_RESOLUTION, bytes((MICROSECONDS,)))
    return _block(BlockType.INTERFACE, struct.pack("<HHI", LINKTYPE_USER0, 0, 0), options)


def packet(packet: Packet) -> bytes:
    """An enhanced packet."""
    options = _comments(packet.comments)
    if packet.flow is not Flow.UNKNOWN:
        options += _option(PacketOption.FLAGS, struct.pack("<I", packet.flow))
    if packet.lost_before:
        options += _option(PacketOption.LOST_BEFORE, struct.pack("<Q", packet.lost_before))
    size = len(packet.data)
    high, low = divmod(packet.at_us, 1 << 32)
    fixed = struct.pack("<IIIII", packet.interface, high, low, size, size)
    return _block(BlockType.ENHANCED_PACKET, fixed + _padded(packet.data), options)


def _block(kind: BlockType, fixed: bytes, options: bytes) -> bytes:
    body = fixed + (options + _option(OPTION_END, b"") if options else b"")
    length = struct.pack("<I", len(body) + BLOCK_FRAME_BYTES)
    return struct.pack("<I", kind) + length + body + length


def _comments(texts: Iterable[str]) -> bytes:
    return b"".join(_text(OPTION_COMMENT, text) for text in texts)


def _text(code: int, text: str) -> bytes:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > MAX_TEXT_BYTES:
        ellipsis = "…".encode()
        encoded = encoded[: MAX_TEXT_BYTES - len(ellipsis)].decode("utf-8", "ignore").encode() + ellipsis
    return _option(code, encoded)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
