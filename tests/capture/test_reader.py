"""Captures are read however they were written and however they arrive; what is none is told where and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.capture import pcapng
from emulator.capture.pcapng import Flow, Packet
from emulator.capture.reader import MAX_BLOCK_BYTES, CapturedPacket, CaptureError, PcapngReader
from tests.capture.foreign_blocks import Writer

BOTH = [Writer("little"), Writer("big")]
HEADER = pcapng.section_header(hardware="h", application="a") + pcapng.interface(name="pty", description="port 0")
PACKETS = st.builds(
    Packet,
    interface=st.just(0),
    at_us=st.integers(0, 2**63 - 1),
    data=st.binary(max_size=80),
    flow=st.sampled_from(Flow),
    comments=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)).map(
        tuple
    ),
    lost_before=st.integers(0, 2**64 - 1),
)


def read(stream: bytes, size: int = 1 << 16) -> list[CapturedPacket]:
    reader = PcapngReader()
    found = [packet for start in range(0, len(stream), size) for packet in reader.feed(stream[start : start + size])]
    reader.end()
    return found


@given(st.lists(PACKETS, max_size=4), st.integers(1, 70))
def test_what_we_write_we_read_however_it_arrives(packets: list[Packet], size: int) -> None:
    found = read(HEADER + b"".join(map(pcapng.packet, packets)), size)
    assert [each.number for each in found] == list(range(1, len(packets) + 1))
    assert {each.interface.name for each in found} <= {"pty"}
    assert [
        Packet(
            interface=each.interface.number,
            at_us=each.at_us or 0,
            data=each.data,
            flow=each.flow,
            comments=each.comments,
            lost_before=each.lost_before,
        )
        for each in found
    ] == packets


@pytest.mark.parametrize("writer", BOTH)
def test_every_kind_of_packet_in_either_byte_order(writer: Writer) -> None:
    stream = writer.section() + writer.interface(((2, b"first"),)) + writer.interface(((2, b"second\0"),))
    stream += writer.enhanced(b"one", 5, ((2, writer.pack("I", 0x100 | 2)), (1, b"said")), interface=1, missing=9)
    stream += writer.simple(b"two") + writer.obsolete(b"three", 7, interface=1)
    one, two, three = read(stream)
    assert (one.interface.name, one.data, one.at_us, one.flow) == ("second", b"one", 5, Flow.OUTBOUND)
    assert (one.comments, one.missing) == (("said",), 9)
    assert (two.interface.name, two.data, two.at_us, two.flow) == ("first", b"two", None, Flow.UNKNOWN)
    assert (three.interface.name, three.data, three.at_us) == ("second", b"three", 7)


@pytest.mark.parametrize("writer", BOTH)
@pytest.mark.parametrize(
    ("resolution", "ticks", "at_us"),
    [(None, 1_500_000, 1_500_000), (3, 1_500, 1_500_000), (9, 1_500_000_999, 1_500_000), (0x80 | 10, 1536, 1_500_000)],
)
def test_any_resolution_of_time(writer: Writer, resolution: int | None, ticks: int, at_us: int) -> None:
    options = () if resolution is None else ((9, bytes((resolution,))),)
    (packet,) = read(writer.section() + writer.interface(options) + writer.enhanced(b"", ticks))
    assert packet.at_us == at_us


def test_an_offset_of_time() -> None:
    writer = Writer("big")
    (packet,) = read(
        writer.section() + writer.interface(((14, writer.pack("q", -3)),)) + writer.enhanced(b"", 5_000_000)
    )
    assert packet.at_us == 2_000_000


def test_a_simple_packet_is_as_long_as_its_interface_says() -> None:
    writer = Writer()
    block = writer.block(3, writer.pack("I", 100) + b"12345678")
    (packet,) = read(writer.section() + writer.interface(snap_bytes=6) + block)
    assert (packet.data, packet.missing) == (b"123456", 94)


@given(st.integers(1, 60))
def test_blocks_that_nobody_knows_are_skipped(size: int) -> None:
    writer = Writer()
    unknown = writer.block(0x0BAD, bytes(100)) + writer.block(4, b"") + writer.block(0x80000001, bytes(4000))
    stream = unknown.join((writer.section(), writer.interface(), writer.enhanced(b"x", 1), b""))
    assert [packet.data for packet in read(stream, size)] == [b"x"]


def test_a_second_section_begins_anew_and_may_turn_the_bytes() -> None:
    little, big = BOTH
    first = little.section() + little.interface(((2, b"a"),)) + little.interface() + little.enhanced(b"1", 1)
    second = big.section() + big.interface(((2, b"b"),)) + big.enhanced(b"2", 2)
    assert [(each.number, each.interface.name, each.data) for each in read(first + second)] == [
        (1, "a", b"1"),
        (2, "b", b"2"),
    ]
    with pytest.raises(CaptureError, match="a packet of interface 1, and 0 are described"):
        read(first + big.section() + big.enhanced(b"3", 3, interface=1))


def test_a_file_that_ends_early_gives_what_it_has_and_says_where_it_ends() -> None:
    writer = Writer()
    whole = writer.section() + writer.interface() + writer.enhanced(b"whole", 1)
    cut = writer.enhanced(b"cut off", 2)
    for left in range(1, len(cut)):
        reader = PcapngReader()
        assert [packet.data for packet in reader.feed(whole + cut[:left])] == [b"whole"]
        with pytest.raises(CaptureError, match=f"at offset {len(whole)}: the file ends within a block, after {left} "):
            reader.end()


def test_a_file_that_ends_in_a_block_that_is_skipped() -> None:
    writer = Writer()
    reader = PcapngReader()
    assert not list(reader.feed(writer.section() + writer.block(99, bytes(40))[:-2]))
    with pytest.raises(CaptureError, match="of a kind that is skipped"):
        reader.end()


GOOD = Writer().section() + Writer().interface()


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"no pcapng", "at offset 0: this is no pcapng: it begins with 6e6f2070, not with 0a0d0d0a."),
        (bytes.fromhex("d4c3b2a1") + bytes(20), "this is the older pcap; make pcapng of it with 'editcap -F pcapng"),
        (Writer().section()[:8] + b"abcd", "at offset 8: the byte-order magic is 61626364; allowed are"),
        (Writer().section(major=2), "pcapng version 2.0; read is 1.x"),
        (GOOD + Writer().pack("III", 6, 8, 0), "a block of 8 bytes; allowed are multiples of 4 from 12"),
        (GOOD + Writer().pack("III", 6, 41, 0), "a block of 41 bytes; allowed are multiples of 4 from 12"),
        (GOOD + Writer().pack("III", 6, MAX_BLOCK_BYTES + 4, 0), f"at most {MAX_BLOCK_BYTES} are read"),
        (GOOD + Writer().simple(b"x")[:-4] + bytes(4), "a block of 20 bytes ends with the length 0"),
        (GOOD + Writer().block(77, bytes(8))[:-4] + b"\1\0\0\0", "a block of 20 bytes ends with the length 1"),
        (GOOD + Writer().block(6, bytes(16)), "the block ends within its fields"),
        (GOOD + Writer().block(6, Writer().pack("IIIII", 0, 0, 0, 99, 99)), "within a packet of 99 bytes"),
        (GOOD + Writer().enhanced(b"", 0, interface=1), "a packet of interface 1, and 1 are described"),
        (GOOD + Writer().block(1, bytes(8) + Writer().pack("HH", 2, 9)), "the block ends within option 2 of 9 bytes"),
        (Writer().section() + Writer().simple(b"x"), "a packet of interface 0, and 0 are described"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(stream: bytes, words: str) -> None:
    with pytest.raises(CaptureError) as error:
        read(stream)
    assert words in str(error.value)


@given(st.binary(max_size=200), st.integers(0, 3), st.integers(1, 40))
def test_garbage_is_an_error_or_nothing(garbage: bytes, start: int, size: int) -> None:
    prefix = (b"", Writer().section(), GOOD, Writer("big").section() + Writer("big").interface())[start]
    try:
        read(prefix + garbage, size)
    except CaptureError as error:
        assert 0 <= error.offset <= len(prefix) + len(garbage)  # noqa: PT017 - most garbage is an error, some is none


def test_what_is_skipped_is_not_held() -> None:
    reader = PcapngReader()
    list(reader.feed(GOOD + Writer().pack("III", 99, 1 << 30, 0)))
    for _ in range(64):
        list(reader.feed(bytes(1 << 16)))
    assert len(reader._held) <= 1 << 16
