"""A pump's serial number as people write it: up to eight hex digits."""

from __future__ import annotations

import string

ANY_PUMP = 0xFFFF_FFFF
"""What no pump's number is: in an address it stands for any of them."""


def read_serial_number(text: str) -> int | None:
    """The number that a text names, None for none: it is the pump's address, and the highest means any pump."""
    number = int(text, 16) if 1 <= len(text) <= 8 and all(digit in string.hexdigits for digit in text) else 0
    return number if 0 < number < ANY_PUMP else None
