"""A recording may be endless: what is kept of it is not."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.capture.explainer import MOST_STREAMS, Explained, Explainer, PacketExplainer
from emulator.capture.reader import CapturedPacket, Interface
from emulator.vpump_decoder import VpumpDecoder
from tests.capture.damaged_recordings import explain_damaged

HELLO = bytes.fromhex("000210070101ffffffff01020202010547b8454200")


def packet(number: int, data: bytes, interface: int = 0, comments: tuple[str, ...] = ()) -> CapturedPacket:
    return CapturedPacket(
        number=number, interface=Interface(interface, 147), at_us=number, data=data, comments=comments
    )


def test_bytes_without_an_end_are_not_kept() -> None:
    explainer = Explainer(VpumpDecoder())
    for _ in range(100):
        assert len(list(explainer.feed(b"\x11" * 10_000))) <= 1
        assert len(explainer._held) < 512


def test_of_many_lines_only_the_latest_are_remembered() -> None:
    explainer = PacketExplainer(VpumpDecoder())
    for number in range(3 * MOST_STREAMS):
        assert not list(explainer.feed(packet(number, HELLO[:5], interface=number)))
    assert len(explainer._streams) == len(explainer._last) == MOST_STREAMS
    assert len(list(explainer.rest())) == MOST_STREAMS


@given(st.lists(st.integers(1, 30), max_size=8))
def test_however_a_line_was_cut_into_packets_it_is_explained_alike(sizes: list[int]) -> None:
    stream = 3 * HELLO + bytes.fromhex("00051100") + HELLO
    cuts = [0, *(sum(sizes[:count]) for count in range(1, len(sizes) + 1)), len(stream)]
    explainer = PacketExplainer(VpumpDecoder())
    found: list[Explained] = []
    for number, (start, end) in enumerate(itertools.pairwise(cuts), start=1):
        found += explainer.feed(packet(number, stream[start:end], comments=("said once",)))
    assert [(each.raw, each.name, each.rejected) for each in found if each.words or each.rejected] == [
        (each.raw, each.name, each.rejected) for each in Explainer(VpumpDecoder()).feed(stream)
    ]
    assert sum(len(each.comments) for each in found) == len(cuts) - 1, "each comment once"


@given(st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_what_chance_has_damaged_is_explained_as_far_as_it_goes(chance: Random) -> None:
    explain_damaged(chance, Counter())
