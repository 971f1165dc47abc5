"""The stream reader finds the same frames however the bytes arrive, and nothing but frames."""

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.export.examples import EXAMPLES, example_wire
from protocol.frame import Frame
from protocol.framing import BODY_MAX, LineFault, Piece, StreamReader, encode_wire

BODIES = st.binary(min_size=12, max_size=BODY_MAX)
# Mostly frames and their ruins, so that the reader's every state is met often.
STRETCHES = st.one_of(
    BODIES.map(encode_wire),
    BODIES.map(encode_wire).map(lambda wire: wire[1:]),
    BODIES.map(encode_wire).map(lambda wire: wire[: len(wire) // 2]),
    st.binary(max_size=40),
    st.integers(0, 700).map(lambda count: b"\x55" * count),
    st.integers(0, 4).map(bytes),
)
STREAMS = st.lists(STRETCHES, max_size=6).map(b"".join)


def read(*chunks: bytes) -> list[Piece]:
    reader = StreamReader()
    return [piece for chunk in chunks for piece in reader.feed(chunk)]


def test_a_frame_comes_with_its_delimiters() -> None:
    body = bytes(range(20))
    assert read(encode_wire(body)) == [Piece(encode_wire(body), body)]


def test_frames_may_share_a_delimiter() -> None:
    first, second = encode_wire(b"a" * 12), encode_wire(b"b" * 12)
    assert [piece.body for piece in read(first[:-1] + second)] == [b"a" * 12, b"b" * 12]


def test_spare_delimiters_are_nothing() -> None:
    pieces = read(b"\x00\x00" + encode_wire(b"a" * 12))
    assert [(piece.body, piece.fault) for piece in pieces] == [(None, None), (None, None), (b"a" * 12, None)]


def test_the_longest_body_fits_and_a_longer_one_is_refused() -> None:
    longest = b"\x01" * BODY_MAX
    assert [piece.body for piece in read(encode_wire(longest))] == [longest]
    for wrong in (b"\x01" * (BODY_MAX + 1), b"\x01" * 11):
        with pytest.raises(ValueError, match="a body has 12 to 249 bytes"):
            encode_wire(wrong)


@pytest.mark.parametrize(
    ("stretch", "fault"),
    [
        pytest.param(b"\x09\x01\x02\x00", LineFault.COBS, id="code points behind the end"),
        pytest.param(b"\x03\x01\x02\x00", LineFault.SHORT, id="two bytes"),
        pytest.param(b"\x11" + b"\x01" * 16 + b"\x00", LineFault.CRC, id="wrong checksum"),
        pytest.param(b"\x01" * 255, LineFault.OVERSIZE, id="255 bytes without a zero"),
    ],
)
def test_each_line_error_is_named(stretch: bytes, fault: LineFault) -> None:
    assert [piece.fault for piece in read(b"\x00" + stretch)] == [fault]


def test_an_oversize_frame_is_dropped_at_its_255th_byte_and_skipped_to_the_next_zero() -> None:
    reader = StreamReader()
    assert list(reader.feed(b"\x00" + b"\x01" * 254)) == []
    assert [piece.fault for piece in reader.feed(b"\x01")] == [LineFault.OVERSIZE]
    assert [piece.fault for piece in reader.feed(b"\x01" * 1000)] == [None] * 3
    assert [piece.body for piece in reader.feed(encode_wire(b"a" * 12))] == [None, b"a" * 12]


def test_reset_forgets_the_unfinished_rest() -> None:
    reader = StreamReader()
    assert [piece.fault for piece in reader.feed(b"\x00" + b"\x01" * 300)] == [LineFault.OVERSIZE]
    reader.reset()
    assert reader.pending == 0
    assert [piece.body for piece in reader.feed(encode_wire(b"a" * 12)[1:])] == [b"a" * 12]


@given(STREAMS, st.lists(st.integers(0, 2000)))
def test_chunking_makes_no_difference(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    whole = read(stream)
    assert read(*chunks) == whole
    assert read(*(bytes((byte,)) for byte in stream)) == whole


@given(STREAMS)
def test_the_pieces_and_the_rest_are_the_stream(stream: bytes) -> None:
    reader = StreamReader()
    raw = b"".join(piece.raw for piece in reader.feed(stream))
    assert stream.startswith(raw)
    assert len(raw) + reader.pending == len(stream)
    assert reader.pending <= 255


@given(STREAMS, BODIES)
def test_after_any_garbage_and_a_zero_the_next_frame_is_read(garbage: bytes, body: bytes) -> None:
    assert read(garbage + b"\x00" + encode_wire(body))[-1].body == body


def test_a_megabyte_of_anything_is_read_quickly_and_hardly_any_of_it_is_held() -> None:
    noise = random.Random(1).randbytes(1_000_000)  # noqa: S311 - noise, not a secret
    for stream in (noise, bytes(200_000), b"\x01" * 1_000_000, encode_wire(b"a" * 200) * 5_000):
        reader = StreamReader()
        started = time.perf_counter()
        pieces = list(reader.feed(stream))
        assert time.perf_counter() - started < 2
        assert reader.pending <= 255
        assert max(len(piece.raw) for piece in pieces) <= 256


def test_no_single_flipped_bit_turns_a_frame_into_another() -> None:
    for example in EXAMPLES:
        wire = example_wire(example)
        (frame,) = read(wire)
        for bit in range(len(wire) * 8):
            flipped = bytearray(wire)
            flipped[bit // 8] ^= 1 << bit % 8
            # A flipped delimiter leaves the frame unfinished, or finished without its leading zero.
            found = {piece.body for piece in read(bytes(flipped), b"\x00")} - {None}
            assert found <= {frame.body}, f"bit {bit} of {wire.hex(' ')}"


@given(st.binary(max_size=600))
def test_random_bytes_are_never_a_frame(noise: bytes) -> None:
    assert all(piece.body is None for piece in read(noise, b"\x00"))


def test_a_frame_on_the_wire_holds_no_zero_inside() -> None:
    wire = Frame(opcode=0x0201, txn=0, address=0, payload=bytes(224)).to_wire()
    assert wire[0] == wire[-1] == 0
    assert 0 not in wire[1:-1]
