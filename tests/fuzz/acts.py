"""The language of a fuzzer's input: a row of acts, each a verb, a length and an argument; any bytes are such a row."""

from __future__ import annotations

from collections.abc import Iterator

MOST_ACTS = 24
"""What lies behind them is not read, so that no input takes long."""


def act(verb: int, argument: bytes = b"") -> bytes:
    """One act, for a seed."""
    return bytes((verb, len(argument))) + argument


def acts_of(data: bytes, verbs: int) -> Iterator[tuple[int, bytes]]:
    """The acts of an input, of so many verbs. The last argument may be cut short by the end."""
    at = 0
    for _ in range(MOST_ACTS):
        if at + 2 > len(data):
            return
        verb, size = data[at] % verbs, data[at + 1]
        yield verb, data[at + 2 : at + 2 + size]
        at += 2 + size


def number(argument: bytes) -> int:
    """A number from an argument's bytes; 0 from none."""
    return int.from_bytes(argument, "little")
