"""What is wrong with bytes is named with its place and its value, and named for whatever the reader calls wrong."""

from __future__ import annotations

import pytest
from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types
from hypothesis import given
from hypothesis import strategies as st

from protocol.diagnosis import Diagnosis, diagnose, flipped_bit, place_on_wire
from protocol.explain import reject_words
from protocol.frame import Frame
from protocol.framing import LineFault, Piece, StreamReader, crc32, encode_wire

STATUS = bytes.fromhex("000810070102eeffc001010101057f1e468a00")
BODY = bytes.fromhex("10070102eeffc00000000000")


def the_piece(wire: bytes) -> Piece:
    (piece,) = StreamReader().feed(wire)
    return piece


def changed(place: int, value: int, data: bytes = STATUS) -> bytes:
    return data[:place] + bytes((value,)) + data[place + 1 :]


def with_crc(body: bytes) -> bytes:
    """On the wire, whatever the body is."""
    encoded: bytes = cobs.encode(body + crc32(body).to_bytes(4, "little"))
    return b"\0" + encoded + b"\0"


@pytest.mark.parametrize(
    ("wire", "fault", "place", "words"),
    [
        (changed(1, 0x15), LineFault.COBS, 1, "code 15 says that 20 bytes follow, and 16 do"),
        (changed(13, 0x06), LineFault.COBS, 13, "code 06 says that 5 bytes follow, and 4 do"),
        (changed(3, 0x06), LineFault.CRC, 14, "7f 1e 46 8a, and what is before it has "),
        (changed(14, 0x7E), LineFault.CRC, 14, "7e 1e 46 8a, and what is before it has 7f 1e 46 8a"),
        (b"\0\x02\x11\0", LineFault.SHORT, 3, "1 bytes, and a frame has 16 at least"),
        (b"\0" + bytes(range(1, 256)), LineFault.OVERSIZE, 255, "no 00 among 256 bytes; all is skipped"),
        (encode_wire(changed(0, 0x13, BODY)), LineFault.FLAGS, 2, "flags RESP, EVENT exclude each other"),
        (encode_wire(changed(0, 0x11, BODY)), LineFault.FLAGS, 5, "bit 15 of the opcode is not set, and RESP is"),
        (encode_wire(changed(3, 0x82, BODY)), LineFault.FLAGS, 5, "bit 15 of the opcode is set, and RESP is not"),
        (encode_wire(changed(0, 0x18, BODY)), LineFault.FLAGS, 10, "the session id is 0, and SECURED is set"),
        (encode_wire(changed(9, 0x18, BODY)), LineFault.FLAGS, 10, "the session id is not 0, and SECURED is not set"),
        (encode_wire(changed(10, 3, BODY)), LineFault.LENGTH, 12, "a payload of 3 bytes, and 0 are there"),
        (encode_wire(changed(11, 1, BODY)), LineFault.LENGTH, 12, "a payload of 256 bytes; at most 224 are allowed"),
        (
            encode_wire(changed(8, 1, changed(0, 0x18, BODY))),
            LineFault.LENGTH,
            12,
            "0 bytes behind the header; a secured frame has 13 at least",
        ),
    ],
)
def test_what_is_wrong_and_where(wire: bytes, fault: LineFault, place: int, words: str) -> None:
    found = diagnose(the_piece(wire))
    assert found is not None
    assert (found.fault, found.place) == (fault, place)
    assert found.words.startswith(words)


def test_a_frame_and_a_spare_delimiter_have_nothing_wrong() -> None:
    assert diagnose(the_piece(STATUS)) is None
    assert diagnose(Piece(b"\0")) is None


def test_a_piece_without_its_first_delimiter_is_counted_from_its_own_beginning() -> None:
    _, second, *_ = StreamReader().feed(STATUS + changed(3, 0x06)[1:])
    assert not second.raw.startswith(b"\0")
    found = diagnose(second)
    assert found == Diagnosis(LineFault.CRC, 13, found.words if found else "")


@given(st.binary(max_size=600))
def test_all_that_is_rejected_is_diagnosed_within_its_bytes_and_nothing_else(stream: bytes) -> None:
    for piece in StreamReader().feed(stream):
        rejected = reject_words(piece.fault, piece.body)
        found = diagnose(piece)
        assert bool(rejected) == (found is not None)
        assert found is None or 0 <= found.place < len(piece.raw)


@given(st.binary(min_size=12, max_size=60))
def test_so_is_a_body_under_a_good_crc(body: bytes) -> None:
    piece = the_piece(with_crc(body))
    found = diagnose(piece)
    assert bool(reject_words(piece.fault, piece.body)) == (found is not None)
    for offset, byte in enumerate(body):
        assert piece.raw[place_on_wire(piece, offset)] == byte or byte == 0


@given(st.integers(1, len(STATUS) - 2), st.integers(0, 7))
def test_one_turned_bit_is_found_again(place: int, bit: int) -> None:
    turned = STATUS[place] ^ 1 << bit
    pieces = StreamReader().feed(changed(place, turned))
    if turned == 0:
        return
    (piece,) = pieces
    assert flipped_bit(piece) == f"byte {place} as {STATUS[place]:02x} instead of {turned:02x} would make it a frame"


def test_where_no_one_bit_is_to_blame_none_is() -> None:
    assert flipped_bit(the_piece(changed(3, 0x08, changed(4, 0x55)))) == ""
    assert flipped_bit(the_piece(Frame(opcode=1, txn=1, address=1, payload=b"").to_wire())) == ""
