"""What a serial receiver hears of bytes that come at another speed than its own: start bit, eight bits, stop bit.

A receiver begins a byte where the line falls, and looks at the middle of each of its own bit times. A byte whose stop
bit is not high is a framing error, which a line without parity hands on as the byte that it seems to be.
"""

from __future__ import annotations

from typing import Final

DATA_BITS: Final = 8
FRAME_BITS: Final = DATA_BITS + 2
LEAST_BAUD: Final = 50
MOST_BAUD: Final = 4_000_000


def heard_at(raw: bytes, sent_baud: int, heard_baud: int) -> bytes:
    """The bytes that a receiver makes of bytes that are sent without a pause."""
    levels = _levels(raw)
    heard = bytearray()
    # Times are in units of one over sent_baud x heard_baud: a bit that is sent lasts heard_baud, one heard sent_baud.
    start = _next_fall(levels, 0)
    while start is not None:
        begun = start * heard_baud
        byte = 0
        for bit in range(DATA_BITS):
            at = begun + sent_baud * (2 * bit + 3) // 2
            byte |= _level(levels, at // heard_baud) << bit
        heard.append(byte)
        over = begun + sent_baud * (2 * FRAME_BITS - 1) // 2
        # The first bit that begins then or later.
        start = _next_fall(levels, -(-over // heard_baud))
    return bytes(heard)


def _levels(raw: bytes) -> list[int]:
    """The line, one level for each bit that is sent; it is high before and behind."""
    levels: list[int] = []
    for byte in raw:
        levels += [0, *(byte >> bit & 1 for bit in range(DATA_BITS)), 1]
    return levels


def _level(levels: list[int], place: int) -> int:
    return levels[place] if place < len(levels) else 1


def _next_fall(levels: list[int], place: int) -> int | None:
    """Where the line next falls from high to low, at that bit or behind it."""
    for at in range(place, len(levels)):
        if levels[at] == 0 and (at == 0 or levels[at - 1] == 1):
            return at
    return None
