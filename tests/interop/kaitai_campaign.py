"""Frames without end, read by both of Kaitai's parsers and by us: `scripts/soak kaitai`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests.interop.foreign_frames import wires
from tests.interop.kaitai_parsers import LANGUAGES, Parsers, WholeFrame, missing, same
from tests.interop.our_reading import REJECTED, read

FRAMES_OF_SEED = 2_500


def read_alike(seed: int, count: int, figures: Counter[str], tick: Callable[[], None]) -> None:
    """Compare so many frames, a seed for each FRAMES_OF_SEED; AssertionError names one that is read otherwise."""
    reason = missing()
    if reason is not None:
        raise RuntimeError(reason)
    parsers = Parsers()
    for at, begin in enumerate(range(0, count, FRAMES_OF_SEED)):
        frames = list(wires(seed + at, min(FRAMES_OF_SEED, count - begin)))
        ours = [read(wire) for wire in frames]
        for language in LANGUAGES:
            theirs = parsers.read(language, [WholeFrame(wire) for wire in frames])
            for wire, mine, other in zip(frames, ours, theirs, strict=True):
                assert same(mine, other), f"{wire.hex()} is read by {language} as {other}, by us as {mine}"
            figures[f"read by {language}"] += len(frames)
        figures["rejected by all"] += sum(reading == REJECTED for reading in ours)
        for _ in frames:
            tick()
