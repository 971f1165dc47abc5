"""Frames without end, read by Kaitai's parsers, by tshark and by us: `scripts/soak foreign`."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.interop import kaitai_parsers, wireshark
from tests.interop.foreign_frames import wires
from tests.interop.kaitai_parsers import Parsers, WholeFrame, same
from tests.interop.our_reading import REJECTED, read

FRAMES_OF_SEED = 2_500


def read_alike(seed: int, count: int, figures: Counter[str], tick: Callable[[], None]) -> None:
    """Compare so many frames, a seed for each FRAMES_OF_SEED; AssertionError names one that is read otherwise."""
    for reason in (kaitai_parsers.missing(), wireshark.missing()):
        if reason is not None:
            raise RuntimeError(reason)
    parsers = Parsers()
    for at, begin in enumerate(range(0, count, FRAMES_OF_SEED)):
        frames = list(wires(seed + at, min(FRAMES_OF_SEED, count - begin)))
        ours = [read(wire) for wire in frames]
        for reader, theirs in _readers(parsers, frames):
            for wire, mine, other in zip(frames, ours, theirs, strict=True):
                assert same(mine, other), f"{wire.hex()} is read by {reader} as {other}, by us as {mine}"
            figures[f"read by {reader}"] += len(frames)
        figures["rejected by all"] += sum(reading == REJECTED for reading in ours)
        for _ in frames:
            tick()


def _readers(parsers: Parsers, frames: Sequence[bytes]) -> Iterator[tuple[str, Iterator[Any]]]:
    for language in kaitai_parsers.LANGUAGES:
        yield language, parsers.read(language, [WholeFrame(wire) for wire in frames])
    with tempfile.TemporaryDirectory(prefix="vpump-foreign-") as directory:
        packets = wireshark.dissect(frames, Path(directory))
        yield "tshark", (frame.reading for packet in packets for frame in packet)
