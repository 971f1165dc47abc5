"""Units of the model and the constants that join them: microseconds, nanolitres, steps."""

US_PER_SECOND = 1_000_000
SECONDS_PER_DAY = 86_400
US_PER_DAY = SECONDS_PER_DAY * US_PER_SECOND
HIGHEST_U32 = 0xFFFF_FFFE
"""Where 32-bit numbers of seconds stay: FFFFFFFF would say that nothing is known."""


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient rounded up, exact for integers of any size."""
    return -(-dividend // divisor)


def whole_seconds(microseconds: int) -> int:
    """Seconds as records and answers hold them, in 32 bits."""
    return min(microseconds // US_PER_SECOND, HIGHEST_U32)
