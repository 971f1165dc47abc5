"""Crossing from one side's word to the other's of the same name."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TypeVar

E = TypeVar("E", bound=IntEnum)
F = TypeVar("F", bound=IntFlag)


def word(words: type[E], word: IntEnum) -> E:
    """The other side's word of the same name."""
    return words[word.name]


def flags(words: type[F], flags: IntFlag) -> F:
    """The other side's flags of the same names."""
    found = words(0)
    for flag in flags:
        found |= words[str(flag.name)]
    return found
