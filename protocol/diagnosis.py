"""What is wrong with bytes that are no frame, and at which of them: what was found, and what is allowed there."""

from __future__ import annotations

from dataclasses import dataclass

from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types

from protocol.frame import (
    LENGTH_OFFSET,
    MAX_PAYLOAD,
    OPCODE_OFFSET,
    RESPONSE_BIT,
    SEAL_SIZE,
    SESSION_ID_OFFSET,
    Flag,
    FrameError,
    parse_body,
)
from protocol.framing import CRC_SIZE, DELIMITER, HEADER_SIZE, LineFault, Piece, crc32


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong.

    fault  which rule is broken
    place  index of the byte that breaks it, counted in the piece's raw bytes from 0
    words  what is there, and what should be
    """

    fault: LineFault
    place: int
    words: str


def place_on_wire(piece: Piece, body_offset: int) -> int:
    """Where a byte of the body lies in the piece's raw bytes: COBS moves no byte of a body as short as ours."""
    return piece.raw.startswith(DELIMITER) + 1 + body_offset


def diagnose(piece: Piece) -> Diagnosis | None:
    """What is wrong with a piece of the stream; None for a frame, and for bytes that mean nothing."""
    match piece.fault:
        case LineFault.COBS:
            return _diagnose_cobs(piece)
        case LineFault.SHORT:
            size = len(_decoded(piece))
            return Diagnosis(
                LineFault.SHORT,
                len(piece.raw) - 1,
                f"{size} bytes, and a frame has {HEADER_SIZE + CRC_SIZE} at least",
            )
        case LineFault.CRC:
            return _diagnose_crc(piece)
        case LineFault.OVERSIZE:
            words = f"no 00 among {len(piece.raw)} bytes; all is skipped up to the next one"
            return Diagnosis(LineFault.OVERSIZE, len(piece.raw) - 1, words)
    if piece.body is None:
        return None
    try:
        parse_body(piece.body)
    except FrameError as error:
        broken = _broken_flags if error.fault is LineFault.FLAGS else _broken_length
        at, words = broken(piece.body)
        return Diagnosis(error.fault, place_on_wire(piece, at), words)
    return None


def flipped_bit(piece: Piece) -> str:
    """The one bit that makes a frame of bytes with a wrong CRC or broken COBS; empty if there is none or several."""
    encoded = _encoded(piece)
    first = piece.raw.startswith(DELIMITER)
    found = []
    for place, byte in enumerate(encoded):
        for bit in range(8):
            turned = byte ^ 1 << bit
            if turned and _is_sound(encoded[:place] + bytes((turned,)) + encoded[place + 1 :]):
                found.append(f"byte {first + place} as {turned:02x} instead of {byte:02x} would make it a frame")
    return found[0] if len(found) == 1 else ""


def _encoded(piece: Piece) -> bytes:
    return piece.raw.removeprefix(DELIMITER).removesuffix(DELIMITER)


def _decoded(piece: Piece) -> bytes:
    decoded: bytes = cobs.decode(_encoded(piece))
    return decoded


def _is_sound(encoded: bytes) -> bool:
    try:
        checked = cobs.decode(encoded)
    except cobs.DecodeError:
        return False
    return len(checked) >= HEADER_SIZE + CRC_SIZE and crc32(checked[:-CRC_SIZE]) == _number(checked[-CRC_SIZE:])


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _diagnose_cobs(piece: Piece) -> Diagnosis:
    """The code byte that leads beyond the end: the one thing that can be wrong between two delimiters."""
    encoded = _encoded(piece)
    at = 0
    while at + encoded[at] <= len(encoded):
        at += encoded[at]
    left = len(encoded) - at - 1
    words = f"code {encoded[at]:02x} says that {encoded[at] - 1} bytes follow, and {left} do"
    return Diagnosis(LineFault.COBS, piece.raw.startswith(DELIMITER) + at, words)


def _diagnose_crc(piece: Piece) -> Diagnosis:
    checked = _decoded(piece)
    at = len(checked) - CRC_SIZE
    expected = crc32(checked[:at]).to_bytes(CRC_SIZE, "little")
    words = f"{checked[at:].hex(' ')}, and what is before it has {expected.hex(' ')}"
    return Diagnosis(LineFault.CRC, place_on_wire(piece, at), words)


def _broken_flags(body: bytes) -> tuple[int, str]:
    """The first rule of the header's first nibble that is broken, at which offset of the body."""
    flags = Flag(body[0] & 0x0F)
    way = flags & ~Flag.SECURED
    if way not in (Flag(0), Flag.RESP, Flag.EVENT, Flag.RETRY):
        return 0, f"flags {_names(way)} exclude each other"
    answers = bool(_number(body[OPCODE_OFFSET : OPCODE_OFFSET + 2]) & RESPONSE_BIT)
    if answers != (Flag.RESP in flags):
        said = "set, and RESP is not" if answers else "not set, and RESP is"
        return OPCODE_OFFSET + 1, f"bit 15 of the opcode is {said}"
    session_id = _number(body[SESSION_ID_OFFSET : SESSION_ID_OFFSET + 2])
    said = "not 0, and SECURED is not set" if session_id else "0, and SECURED is set"
    return SESSION_ID_OFFSET, f"the session id is {said}"


def _broken_length(body: bytes) -> tuple[int, str]:
    said = _number(body[LENGTH_OFFSET : LENGTH_OFFSET + 2])
    secured = Flag.SECURED in Flag(body[0] & 0x0F)
    there = len(body) - HEADER_SIZE - (SEAL_SIZE if secured else 0)
    if said > MAX_PAYLOAD:
        return LENGTH_OFFSET, f"a payload of {said} bytes; at most {MAX_PAYLOAD} are allowed"
    if there < 0:
        return (
            LENGTH_OFFSET,
            f"{len(body) - HEADER_SIZE} bytes behind the header; a secured frame has {SEAL_SIZE} at least",
        )
    return LENGTH_OFFSET, f"a payload of {said} bytes, and {there} are there"


def _names(flags: Flag) -> str:
    return ", ".join(flag.name or "" for flag in Flag if flag in flags)
