"""What a line can make reader and decoders hold: a frame and a window, and no count that nobody has looked at."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any
from unittest.mock import patch

import construct
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.field_types import BlobType, BlockType, CodedType, IntegerType
from protocol.fields import Field, FormatError, PlacesType, RecordsType, blob, decode, encode, layout_of, records
from protocol.fields import message as declared_message
from protocol.frame import MAX_PAYLOAD
from protocol.framing import BODY_MAX, ENCODED_MAX, WINDOW, StreamReader, encode_wire
from protocol.host_end import HostEnd
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import OPERATIONS
from protocol.messages.program import BLOCKS
from protocol.messages.stream import StreamEvent
from protocol.refusals import NakCode
from tests.protocol.message_strategies import ANSWERS, MESSAGES

FRAME_ON_THE_WIRE = ENCODED_MAX + 2
MOST_HELD = FRAME_ON_THE_WIRE + 64 * 1024
LONG = 160_000
ADDRESS = 0x00C0FFEE

GARBAGE: dict[str, bytes] = {
    "without a zero": b"\x01" * LONG,
    "zeros": bytes(LONG // 4),
    "as many pieces as can be": b"\x01\x00" * (LONG // 8),
    "noise": Random(1).randbytes(LONG),  # noqa: S311 - noise, no secret
    "the longest frames": encode_wire(b"\x55" * BODY_MAX) * (LONG // 250),
    "the shortest frames": encode_wire(b"\x55" * 12) * (LONG // 40),
    "just too long": (b"\x01" * (ENCODED_MAX + 1) + b"\x00") * (LONG // 256),
}


def most_held(feed: Callable[[bytes], object], chunks: Iterator[bytes]) -> int:
    """The most memory that was held beyond what was held before, and beyond the chunk itself, while all were fed."""
    kept = list(chunks)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for chunk in kept:
            feed(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


def in_chunks(stream: bytes, size: int) -> Iterator[bytes]:
    return (stream[at : at + size] for at in range(0, len(stream), size))


@pytest.mark.parametrize("stream", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("size", [LONG, 4_096, 97])
def test_whatever_comes_the_reader_holds_a_frame_and_64_kib_at_most(stream: bytes, size: int) -> None:
    reader = StreamReader()

    def feed(chunk: bytes) -> None:
        for piece in reader.feed(chunk):
            assert len(piece.raw) <= FRAME_ON_THE_WIRE

    assert most_held(feed, in_chunks(stream, size)) <= MOST_HELD
    assert reader.pending < FRAME_ON_THE_WIRE


def test_a_line_without_end_is_held_no_more_than_a_short_one() -> None:
    reader = StreamReader()

    def feed(chunk: bytes) -> None:
        for _ in reader.feed(chunk):
            pass

    noise = Random(2).randbytes(WINDOW)  # noqa: S311 - noise, no secret
    short = most_held(feed, iter([noise] * 4))
    assert most_held(feed, iter([noise] * 100)) <= short + WINDOW


@pytest.mark.parametrize("stream", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_host_that_is_told_nonsense_at_one_go_holds_no_more(stream: bytes) -> None:
    host = HostEnd(address=ADDRESS)
    assert most_held(lambda chunk: host.receive(chunk, 0), iter([stream])) <= MOST_HELD
    assert host.next_event() is None


def test_this_would_find_a_reader_that_makes_all_pieces_at_once() -> None:
    reader = StreamReader()
    assert most_held(lambda chunk: list(reader.feed(chunk)), iter([GARBAGE["as many pieces as can be"]])) > MOST_HELD


def kinds_of(cls: type) -> Iterator[Any]:
    for field in layout_of(cls).fields:
        yield field.kind
        if field.item is not None:
            yield from kinds_of(field.item)


def test_every_field_of_every_table_is_of_a_kind_whose_size_is_known_or_counted_in_a_byte() -> None:
    for cls in MESSAGES:
        for kind in kinds_of(cls):
            match kind:
                case IntegerType() | CodedType() | BlockType() | PlacesType():
                    assert kind.size > 0
                    assert kind.subcon.sizeof() == kind.size, "construct would read another number of bytes"
                case RecordsType() | BlobType():
                    assert kind.size is None
                    assert kind.item_size > 0, "construct would loop without reading"
                    assert 0 < kind.maximum <= 0xFF
                    assert 1 + kind.maximum * kind.item_size < MAX_PAYLOAD
                case _:
                    pytest.fail(f"{cls.__name__}: nobody has said what bounds {kind!r}")


def test_a_record_holds_nothing_that_is_counted() -> None:
    """So a count is never within a count."""
    for cls in MESSAGES:
        for field in layout_of(cls).fields:
            if field.item is not None:
                assert layout_of(field.item).fixed_size is not None


def test_the_longest_of_every_message_fits_a_frame() -> None:
    in_frames = (*(operation.request for operation in OPERATIONS), *DATA_OF.values())
    for cls in in_frames:
        assert layout_of(cls).maximum_size <= MAX_PAYLOAD
    for cls in ANSWERS:
        assert 1 + layout_of(cls).maximum_size <= MAX_PAYLOAD, cls.__name__
    assert max(layout_of(cls).maximum_size for cls in BLOCKS.values()) <= 0xFFFF


COUNTED = [
    (cls, index) for cls in MESSAGES for index, field in enumerate(layout_of(cls).fields) if field.kind.size is None
]


@contextmanager
def what_construct_sees() -> Iterator[list[bytes]]:
    """Every payload that is given to construct meanwhile."""
    seen: list[bytes] = []

    def parse(codec: Any, data: bytes, **context: Any) -> Any:
        seen.append(data)
        return original(codec, data, **context)

    original = construct.Struct.parse
    with patch.object(construct.Struct, "parse", parse):
        yield seen


@pytest.mark.parametrize(("cls", "index"), COUNTED, ids=lambda value: getattr(value, "__name__", str(value)))
def test_construct_sees_no_count_above_its_bound_and_no_byte_that_it_does_not_cover(cls: type, index: int) -> None:
    """Every count there is, before every number of bytes behind it: refused before construct, or what it says."""
    layout = layout_of(cls)
    assert index == len(layout.fields) - 1, "what lies behind a counted field has no place of its own"
    kind = layout.fields[index].kind
    assert isinstance(kind, RecordsType | BlobType)
    assert all(field.present is None for field in layout.fields), "a count is not for a mask to take away"
    head = bytes(sum(field.size or 0 for field in layout.fields[:index]))
    with what_construct_sees() as seen:
        for count in range(0x100):
            for behind in (0, 1, kind.item_size, count * kind.item_size, MAX_PAYLOAD - len(head) - 1):
                seen.clear()
                payload = head + bytes((count,)) + bytes(max(0, behind))
                fits = count <= kind.maximum and behind >= count * kind.item_size
                with suppress(FormatError):
                    decode(cls, payload)
                outer = [data for data in seen if data.startswith(head) and len(data) > len(head)]
                if not fits:
                    assert seen == [], "construct has seen what does not fit"
                elif outer:
                    assert len(outer[0]) == len(head) + 1 + count * kind.item_size


MASKED = [cls for cls in MESSAGES if any(field.present is not None for field in layout_of(cls).fields)]


def test_a_field_that_a_mask_may_leave_out_is_bounded_by_its_kind_and_the_mask_stands_before_it() -> None:
    assert StreamEvent in MASKED
    for cls in MASKED:
        fields = layout_of(cls).fields
        for index, field in enumerate(fields):
            if field.present is not None:
                assert field.kind.size is not None, f"{cls.__name__}.{field.name} is both counted and left out"
                (mask,) = (at for at, row in enumerate(fields) if row.enum is type(field.present))
                assert mask < index
                assert fields[mask].offset is not None


def some_image(field: Field) -> bytes:
    """A value that the field admits, on the wire."""
    least = field.minimum if field.enum is None else min(field.enum)
    return int(least or 0).to_bytes(field.kind.size or 0, "little", signed=(least or 0) < 0)


@pytest.mark.parametrize("cls", MASKED, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("unknown", [False, True], ids=["known bits", "with all unknown bits"])
def test_every_presence_mask_bounds_the_message_at_every_byte_at_which_it_may_end(cls: type, unknown: bool) -> None:
    """It is refused before construct for the field in which it ends, or construct is shown what the mask covers."""
    layout = layout_of(cls)
    code = next(type(field.present) for field in layout.fields if field.present is not None)
    (mask,) = (index for index, field in enumerate(layout.fields) if field.enum is code)
    known = int(code(sum(code)))
    width = layout.fields[mask].kind.size or 0
    others = (1 << 8 * width) - 1 & ~known if unknown else 0
    assert known & known + 1 == 0, "the known bits are the lowest"
    with what_construct_sees() as seen:
        for bits in range(known + 1):
            images = {
                index: some_image(field)
                for index, field in enumerate(layout.fields)
                if field.present is None or field.present & bits
            }
            images[mask] = (bits | others).to_bytes(width, "little")
            payload = b"".join(images.values())
            ends_in = [index for index, image in images.items() for _ in image]
            seen.clear()
            for size, index in enumerate(ends_in):
                with pytest.raises(FormatError) as caught:
                    decode(cls, payload[:size])
                assert (caught.value.code, caught.value.field) == (NakCode.FORMAT, index)
            assert seen == [], "construct has seen what does not fit"
            told: object = decode(cls, payload + bytes(MAX_PAYLOAD - len(payload)))
            assert all(data == payload for data in seen)
            assert encode(told) == payload


@declared_message
class Nothing:
    """A record of no width, as a careless table might have one."""


@declared_message
class Counted:
    """A record whose width nobody knows before it is read."""

    data: bytes = blob(3, meaning="some bytes")


def test_a_record_of_no_width_or_of_any_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="Nothing is no record: its size varies or is 0"):

        @declared_message
        class Endless:
            items: tuple[Nothing, ...] = records(Nothing, maximum=3, meaning="endless")

    with pytest.raises(TypeError, match="Counted is no record: its size varies or is 0"):

        @declared_message
        class CountsWithinCounts:
            items: tuple[Counted, ...] = records(Counted, maximum=3, meaning="counts in a count")


@given(st.sampled_from(MESSAGES), st.binary(max_size=MAX_PAYLOAD))
def test_what_is_decoded_is_within_the_table_and_its_own_bytes(cls: type[Any], payload: bytes) -> None:
    with suppress(FormatError):
        assert payload.startswith(encode(decode(cls, payload)))
