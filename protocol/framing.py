"""Framing: COBS, CRC-32, and the stream reader that cuts a byte stream to frames and line errors."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Iterator
from typing import Final

from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types
from msgspec import Struct

DELIMITER: Final = b"\x00"
CRC_SIZE: Final = 4
HEADER_SIZE: Final = 12
# Header, 224 bytes of payload, counter and tag, CRC: below 254, so COBS adds exactly one byte and never an FF block.
BODY_MAX: Final = 249
ENCODED_MAX: Final = BODY_MAX + CRC_SIZE + 1
# Bytes that are skipped after an oversize frame leave in pieces of this size, so that nothing grows with the garbage.
SKIP_PIECE: Final = 255
# So much of a long chunk is looked at together.
WINDOW: Final = 4096


class LineFault(enum.Enum):
    """Why bytes on the line were dropped in silence; each kind has its counter `<value>_errors` in LINK_STATS."""

    COBS = "cobs"
    CRC = "crc"
    SHORT = "short"
    LENGTH = "length"
    FLAGS = "flags"
    OVERSIZE = "oversize"
    VERSION = "version"
    ADDRESS = "address"
    TAG = "tag"
    COUNTER = "counter"


class Piece(Struct, frozen=True, gc=False):
    """A stretch of the byte stream: a frame with its delimiters, a line error, or nothing (a spare 00, skipped bytes).

    `body` runs from header to tag, its CRC verified and removed. The `raw` of all pieces, joined, is the stream.
    """

    raw: bytes
    body: bytes | None = None
    fault: LineFault | None = None


_SPARE_DELIMITER: Final = Piece(DELIMITER)


crc32: Final = zlib.crc32
# The CRC-32 of anything with its own CRC-32 behind it.
_RESIDUE: Final = crc32(crc32(b"").to_bytes(CRC_SIZE, "little"))


def encode_wire(body_without_crc: bytes) -> bytes:
    """The bytes on the wire for a body (header to tag)."""
    if not HEADER_SIZE <= len(body_without_crc) <= BODY_MAX:
        raise ValueError(f"a body has {HEADER_SIZE} to {BODY_MAX} bytes, not {len(body_without_crc)}")
    checked = body_without_crc + crc32(body_without_crc).to_bytes(CRC_SIZE, "little")
    encoded: bytes = cobs.encode(checked)
    return DELIMITER + encoded + DELIMITER


class StreamReader:
    """Cuts a stream to pieces, the same ones however it is chunked; holds at most one delimiter and one frame.

    There is no gap timer: a partial frame waits for its 00, and is dropped at its 255th byte without one. However much
    is fed at once, a reader needs memory for a frame, a window and one piece.
    """

    def __init__(self) -> None:
        self._held = b""
        self._skipping = False

    @property
    def pending(self) -> int:
        """How many bytes are held back for a piece that is not finished."""
        return len(self._held)

    def reset(self) -> None:
        """Forget the unfinished rest, as after a line that was opened anew."""
        self._held = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The pieces that are complete with these bytes, each cut when it is taken. Take all before feeding more."""
        for start in range(0, len(data), WINDOW):
            stream = self._held + data[start : start + WINDOW]
            at = 0
            while (piece := self._cut(stream, at)) is not None:
                yield piece
                at += len(piece.raw)
            self._held = stream[at:]

    def _cut(self, stream: bytes, at: int) -> Piece | None:
        """The piece that begins there; None when more bytes are needed."""
        if self._skipping:
            return self._skip(stream, at)
        start = at + stream.startswith(DELIMITER, at)
        end = stream.find(DELIMITER, start, start + ENCODED_MAX + 1)
        if end >= 0:
            if end == start:
                # Of two 00 in a row, the second may be the beginning of the next frame.
                return _SPARE_DELIMITER
            return _piece(stream[at : end + 1], stream[start:end])
        if len(stream) - start <= ENCODED_MAX:
            return None
        self._skipping = True
        return Piece(stream[at : start + ENCODED_MAX + 1], None, LineFault.OVERSIZE)

    def _skip(self, stream: bytes, at: int) -> Piece | None:
        end = stream.find(DELIMITER, at, at + SKIP_PIECE)
        if end < 0:
            if len(stream) - at < SKIP_PIECE:
                return None
            return Piece(stream[at : at + SKIP_PIECE])
        self._skipping = False
        return Piece(stream[at:end]) if end > at else self._cut(stream, at)


def _piece(raw: bytes, encoded: bytes) -> Piece:
    try:
        checked = cobs.decode(encoded)
    except cobs.DecodeError:
        return Piece(raw, None, LineFault.COBS)
    if len(checked) < HEADER_SIZE + CRC_SIZE:
        return Piece(raw, None, LineFault.SHORT)
    if crc32(checked) != _RESIDUE:
        return Piece(raw, None, LineFault.CRC)
    return Piece(raw, checked[:-CRC_SIZE])
