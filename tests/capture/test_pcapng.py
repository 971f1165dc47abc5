"""What the writer writes, an independent reader of pcapng reads."""

import io

import pcapng as other  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.capture import pcapng
from emulator.capture.pcapng import Flow, Packet

# The other reader warns of its own tables.
pytestmark = pytest.mark.filterwarnings("ignore:Field type should not be:DeprecationWarning")

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)
PACKETS = st.builds(
    Packet,
    interface=st.integers(0, 1),
    at_us=st.integers(0, 2**53 - 1),
    data=st.binary(max_size=300),
    flow=st.sampled_from(Flow),
    comments=st.lists(TEXTS, max_size=3).map(tuple),
    lost_before=st.integers(0, 2**64 - 1),
)
HEADER = pcapng.section_header(hardware="a pump", application="a program", comments=("one", "zwei €"))
PORTS = pcapng.interface(name="pty", description="port 0") + pcapng.interface(name="tcp:h:1", description="port 1")


@given(st.lists(PACKETS, max_size=5))
def test_another_reader_finds_all_that_was_written(packets: list[Packet]) -> None:
    stream = HEADER + PORTS + b"".join(map(pcapng.packet, packets))
    assert len(stream) % 4 == 0
    header, first, second, *found = other.FileScanner(io.BytesIO(stream))
    assert header.options["shb_hardware"] == "a pump"
    assert header.options["shb_userappl"] == "a program"
    assert header.options.get_all("opt_comment") == ["one", "zwei €"]
    for described, name in ((first, "pty"), (second, "tcp:h:1")):
        assert (described.link_type, described.options["if_name"]) == (pcapng.LINKTYPE_USER0, name)
        assert described.timestamp_resolution == 1e-6
    for packet, block in zip(packets, found, strict=True):
        assert (block.interface_id, block.packet_data) == (packet.interface, packet.data)
        assert (block.timestamp_high << 32 | block.timestamp_low) == packet.at_us
        assert tuple(block.options.get_all("opt_comment") if packet.comments else ()) == packet.comments
        flow = block.options["epb_flags"].inout if packet.flow is not Flow.UNKNOWN else None
        assert flow == {Flow.INBOUND: "inbound", Flow.OUTBOUND: "outbound"}.get(packet.flow)
        assert ("epb_dropcount" in block.options) == bool(packet.lost_before)


@given(st.text(st.sampled_from("aé€😀"), min_size=400, max_size=2500))
@settings(max_examples=25)
def test_a_text_that_is_too_long_is_cut_between_two_characters(text: str) -> None:
    stream = pcapng.section_header(hardware=text, application="a")
    (header,) = other.FileScanner(io.BytesIO(stream))
    kept = header.options["shb_hardware"]
    assert len(kept.encode()) <= pcapng.MAX_TEXT_BYTES
    assert kept == text or text.startswith(kept.removesuffix("…"))
