"""Units of the model and the constants that join them: microseconds, nanolitres, steps."""

US_PER_SECOND = 1_000_000
SECONDS_PER_DAY = 86_400
US_PER_DAY = SECONDS_PER_DAY * US_PER_SECOND


def ceil_div(dividend: int, divisor: int) -> int:
    """The quotient rounded up, exact for integers of any size."""
    return -(-dividend // divisor)
