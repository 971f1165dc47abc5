"""Crossing from one side's word to the other's of the same name."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import Any, TypeVar

from protocol.fields import UNKNOWN_U32

E = TypeVar("E", bound=IntEnum)
F = TypeVar("F", bound=IntFlag)


def word(words: type[E], word: IntEnum) -> E:
    """The other side's word of the same name."""
    same: E = _same_name(words, word)
    return same


# Each of the few hundred words is looked up once. Typed, for words of two enumerations can be equal as numbers.
@lru_cache(maxsize=None, typed=True)
def _same_name(words: type[IntEnum], word: IntEnum) -> Any:
    return words[word.name]


def flags(words: type[F], flags: IntFlag) -> F:
    """The other side's flags of the same names."""
    found = words(0)
    for flag in flags:
        found |= words[str(flag.name)]
    return found


def known_u32(number: int | None) -> int:
    """A u32 as the wire says it: FFFFFFFF for what is not known or never comes; a greater number stays below it."""
    return UNKNOWN_U32 if number is None else min(number, UNKNOWN_U32 - 1)
