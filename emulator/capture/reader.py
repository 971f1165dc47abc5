"""Reads pcapng as it arrives, whoever wrote it: any byte order, any resolution of time, blocks that nobody knows.

Rules of this file:

- Bytes come in any pieces; held are those of one block that is not complete, and of no block that is skipped.
- What stands before an error is given before it is raised. An error names the offset in the file, and what is allowed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from emulator.capture.pcapng import (
    BLOCK_FRAME_BYTES,
    BYTE_ORDER_MAGIC,
    FLOW_MASK,
    OPTION_COMMENT,
    OPTION_END,
    VERSION,
    BlockType,
    Flow,
    InterfaceOption,
    PacketOption,
)

MAX_BLOCK_BYTES: Final = 1 << 20
"""Of a block whose content is looked at; any other may be as long as it likes."""
MOST_INTERFACES: Final = 4096
"""In one section."""

_ByteOrder = Literal["little", "big"]
SECTION_START: Final = BlockType.SECTION_HEADER.to_bytes(4, "little")  # reads the same both ways
_PREFIX_BYTES: Final = 8
_TRAILER_BYTES: Final = 4
_READ: Final = frozenset(BlockType)
PCAP_MAGICS: Final = frozenset(
    magic.to_bytes(4, order) for magic in (0xA1B2C3D4, 0xA1B23C4D) for order in ("little", "big")
)


class CaptureError(Exception):
    """Bytes that are no pcapng; the message is one sentence that names the offset."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"at offset {offset}: {problem}.")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Interface:
    """Where packets of a section were captured. `number` counts within its section, from 0."""

    number: int
    link_type: int
    name: str = ""
    ticks_per_s: int = 1_000_000
    offset_s: int = 0
    snap_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedPacket:
    """A packet as it was read.

    number       from 1, through all sections, as other tools number them
    at_us        microseconds since the beginning of 1970, None where the file does not say
    lost_before  how many were not captured between the packet before and this one
    missing      how many of its last bytes were not captured
    """

    number: int
    interface: Interface
    at_us: int | None
    data: bytes
    flow: Flow = Flow.UNKNOWN
    comments: tuple[str, ...] = ()
    lost_before: int = 0
    missing: int = 0


class PcapngReader:
    """Reads one stream of pcapng."""

    def __init__(self) -> None:
        # Of what is held, the first `_at` bytes are done with; `_offset` is where `_at` lies in the file.
        self._held = b""
        self._at = 0
        self._offset = 0
        # What is still to be skipped of a block, and the length that must stand behind it, 0 when none is skipped.
        self._to_skip = 0
        self._skipped_length = 0
        self._in_section = False
        self._order: _ByteOrder = "little"
        self._interfaces: list[Interface] = []
        self._packets = 0

    def feed(self, data: bytes) -> Iterator[CapturedPacket]:
        """The packets that are complete with these bytes; raises CaptureError behind the last good one."""
        self._held = self._held[self._at :] + data
        self._at = 0
        while (length := self._next_length()) is not None:
            packet = self._take_block(self._take(length))
            if packet is not None:
                yield packet

    def end(self) -> None:
        """Nothing more comes; raises CaptureError if something should."""
        left = len(self._held) - self._at
        if left or self._skipped_length:
            begun = f"after {left} of its bytes" if not self._skipped_length else "of a kind that is skipped"
            raise CaptureError(self._offset, f"the file ends within a block, {begun}")
        if not self._in_section:
            raise CaptureError(self._offset, "the file is empty; a capture begins with a section header")

    def _peek(self, start: int, size: int) -> bytes:
        return self._held[self._at + start : self._at + start + size]

    def _take(self, size: int) -> bytes:
        taken = self._peek(0, size)
        self._at += len(taken)
        self._offset += len(taken)
        return taken

    def _next_length(self) -> int | None:
        """The length of the block that is complete in what is held, None for none. Skips what nobody here reads."""
        while self._skip():
            left = len(self._held) - self._at
            if not self._in_section and not SECTION_START.startswith(self._peek(0, 4)):
                raise CaptureError(self._offset, _no_pcapng(self._peek(0, 4)))
            if left < _PREFIX_BYTES + 4:
                return None
            if self._peek(0, 4) == SECTION_START:
                self._order = self._byte_order(self._peek(_PREFIX_BYTES, 4))
            kind, length = (int.from_bytes(self._peek(start, 4), self._order) for start in (0, 4))
            if length < BLOCK_FRAME_BYTES or length % 4:
                allowed = f"allowed are multiples of 4 from {BLOCK_FRAME_BYTES}"
                raise CaptureError(self._offset, f"a block of {length} bytes; {allowed}")
            if kind in _READ:
                if length > MAX_BLOCK_BYTES:
                    raise CaptureError(self._offset, f"a block of {length} bytes; at most {MAX_BLOCK_BYTES} are read")
                return length if left >= length else None
            self._to_skip, self._skipped_length = length - _TRAILER_BYTES, length
        return None

    def _byte_order(self, magic: bytes) -> _ByteOrder:
        if int.from_bytes(magic, "little") == BYTE_ORDER_MAGIC:
            return "little"
        if int.from_bytes(magic, "big") == BYTE_ORDER_MAGIC:
            return "big"
        raise CaptureError(
            self._offset + _PREFIX_BYTES, f"the byte-order magic is {magic.hex()}; allowed are 1a2b3c4d and 4d3c2b1a"
        )

    def _skip(self) -> bool:
        """Go on over a block that is skipped; False while it is not over."""
        self._to_skip -= len(self._take(self._to_skip))
        if self._to_skip:
            return False
        if self._skipped_length:
            if len(self._held) - self._at < _TRAILER_BYTES:
                return False
            self._check_trailer(self._take(_TRAILER_BYTES), self._skipped_length)
            self._skipped_length = 0
        return True

    def _check_trailer(self, trailer: bytes, length: int) -> None:
        found = int.from_bytes(trailer, self._order)
        if found != length:
            raise CaptureError(self._offset - _TRAILER_BYTES, f"a block of {length} bytes ends with the length {found}")

    def _take_block(self, block: bytes) -> CapturedPacket | None:
        self._check_trailer(block[-_TRAILER_BYTES:], len(block))
        begins = self._offset - len(block)
        body = _Body(block[_PREFIX_BYTES:-_TRAILER_BYTES], self._order, begins + _PREFIX_BYTES)
        match BlockType(int.from_bytes(block[:4], self._order)):
            case BlockType.SECTION_HEADER:
                self._begin_section(body)
                return None
            case BlockType.INTERFACE:
                self._describe(body)
                return None
            case BlockType.ENHANCED_PACKET:
                number, high, low, size, whole = body.unpack("IIIII")
                return self._packet(body, number, high << 32 | low, size, whole)
            case BlockType.PACKET:
                number, _drops, high, low, size, whole = body.unpack("HHIIII")
                return self._packet(body, number, high << 32 | low, size, whole)
            case BlockType.SIMPLE_PACKET:
                (whole,) = body.unpack("I")
                size = min(whole, self._interface(0, body).snap_bytes or whole, len(body.rest))
                return self._packet(body, 0, None, size, whole)

    def _begin_section(self, body: _Body) -> None:
        _magic, major, minor, _length = body.unpack("IHHQ")
        if major != VERSION[0]:
            raise CaptureError(body.offset, f"pcapng version {major}.{minor}; read is {VERSION[0]}.x")
        self._in_section = True
        self._interfaces = []

    def _describe(self, body: _Body) -> None:
        interfaces = self._interfaces
        if len(interfaces) == MOST_INTERFACES:
            raise CaptureError(body.offset, f"more than {MOST_INTERFACES} interfaces in one section")
        link_type, _reserved, snap_bytes = body.unpack("HHI")
        options = body.options()
        resolution = options.get(InterfaceOption.TIME_RESOLUTION, [b""])[0][:1]
        offset_s = int.from_bytes(options.get(InterfaceOption.TIME_OFFSET, [b""])[0][:8], self._order, signed=True)
        name = _text(options.get(InterfaceOption.NAME, [b""])[0])
        interfaces.append(Interface(len(interfaces), link_type, name, _ticks_per_s(resolution), offset_s, snap_bytes))

    def _interface(self, number: int, body: _Body) -> Interface:
        interfaces = self._interfaces
        if number >= len(interfaces):
            raise CaptureError(body.offset, f"a packet of interface {number}, and {len(interfaces)} are described")
        return interfaces[number]

    def _packet(self, body: _Body, number: int, ticks: int | None, size: int, whole: int) -> CapturedPacket:
        interface = self._interface(number, body)
        data = body.take_padded(size)
        options = {} if ticks is None else body.options()
        order = body.order
        self._packets += 1
        return CapturedPacket(
            number=self._packets,
            interface=interface,
            at_us=None
            if ticks is None
            else ticks * 1_000_000 // interface.ticks_per_s + interface.offset_s * 1_000_000,
            data=data,
            flow=_flow(int.from_bytes(options.get(PacketOption.FLAGS, [b""])[0][:4], order)),
            comments=tuple(map(_text, options.get(OPTION_COMMENT, ()))),
            lost_before=int.from_bytes(options.get(PacketOption.LOST_BEFORE, [b""])[0][:8], order),
            missing=max(0, whole - size),
        )


class _Body:
    """What a block holds, taken from its beginning to its end."""

    def __init__(self, rest: bytes, order: _ByteOrder, offset: int) -> None:
        self.rest = rest
        self.order = order
        self.offset = offset

    def unpack(self, layout: str) -> tuple[int, ...]:
        """Integers, as `struct` has them."""
        form = struct.Struct(("<" if self.order == "little" else ">") + layout)
        return form.unpack(self._take(form.size, "its fields"))

    def take_padded(self, size: int) -> bytes:
        """Bytes, and what fills them up to a multiple of four."""
        return self._take(size + -size % 4, f"a packet of {size} bytes")[:size]

    def options(self) -> Mapping[int, Sequence[bytes]]:
        """The values of each option, in their order."""
        found: dict[int, list[bytes]] = {}
        while self.rest:
            code, size = self.unpack("HH")
            if code == OPTION_END:
                break
            value = self._take(size + -size % 4, f"option {code} of {size} bytes")[:size]
            found.setdefault(code, []).append(value)
        return found

    def _take(self, size: int, what: str) -> bytes:
        if size > len(self.rest):
            raise CaptureError(self.offset, f"the block ends within {what}")
        taken, self.rest = self.rest[:size], self.rest[size:]
        self.offset += size
        return taken


def _no_pcapng(start: bytes) -> str:
    if start in PCAP_MAGICS:
        return "this is the older pcap; make pcapng of it with 'editcap -F pcapng OLD NEW'"
    return f"this is no pcapng: it begins with {start.hex()}, not with {SECTION_START.hex()}"


def _ticks_per_s(resolution: bytes) -> int:
    if not resolution:
        return 1_000_000
    exponent = resolution[0] & 0x7F
    base = 2 if resolution[0] & 0x80 else 10
    return int(base**exponent)


def _flow(flags: int) -> Flow:
    return Flow(flags & FLOW_MASK) if flags & FLOW_MASK in (Flow.INBOUND, Flow.OUTBOUND) else Flow.UNKNOWN


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")
