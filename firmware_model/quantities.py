"""Units of the model and the constants that join them: microseconds, nanolitres, steps."""

from __future__ import annotations

from collections.abc import Callable

US_PER_SECOND = 1_000_000
SECONDS_PER_DAY = 86_400
US_PER_DAY = SECONDS_PER_DAY * US_PER_SECOND
US_PER_MINUTE = 60 * US_PER_SECOND
HIGHEST_U32 = 0xFFFF_FFFE
"""Where 32-bit numbers of seconds stay: FFFFFFFF would say that nothing is known."""


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient rounded up, exact for integers of any size."""
    return -(-dividend // divisor)


def whole_seconds(microseconds: int) -> int:
    """Seconds as records and answers hold them, in 32 bits."""
    return min(microseconds // US_PER_SECOND, HIGHEST_U32)


def first_instant(latest: int, holds: Callable[[int], bool]) -> int:
    """The first whole number from 0 on at which something holds that never ceases to; at `latest` it holds."""
    low, high = 0, latest
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
