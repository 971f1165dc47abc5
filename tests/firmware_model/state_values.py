"""Values of every kind that state is made of, for the tests of its encoding."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag
from typing import Any, NamedTuple

from hypothesis import strategies as st
from msgspec import Struct

from firmware_model.state import DERIVED, WIRING
from firmware_model.state_reading import Classes


class Colour(IntEnum):
    RED = 1
    BLUE = 2


class Shade(IntEnum):
    """Equal to a colour for Python."""

    DARK = 1


class Word(Enum):
    TORN = "torn"
    LATE = "late"


class Signs(IntFlag):
    HOT = 1
    WET = 4


class Point(NamedTuple):
    left: Any
    right: Any


class Spot(NamedTuple):
    left: Any
    right: Any


@dataclass
class Pair:
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Fixed:
    left: Any
    right: Any


class Firm(Struct, frozen=True):
    left: Any
    right: Any


class Loose(Struct, kw_only=True):
    left: Any
    right: Any


@dataclass(slots=True)
class Wired:
    """With a neighbour and a cache between its fields."""

    count: Any
    neighbour: Any = field(default=None, metadata=WIRING)
    half: int | None = field(default=None, metadata=DERIVED)
    cache: list[int] = field(default_factory=list, metadata=DERIVED)
    rest: Any = ()


@dataclass(slots=True)
class Nothing:
    """Without a field."""


ALL = (Colour, Shade, Word, Signs, Point, Spot, Pair, Fixed, Firm, Loose, Wired, Nothing)
CLASSES = Classes(ALL)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-300, 300),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.binary(max_size=5).map(bytearray),
    st.sampled_from([*Colour, *Shade, *Word]),
    st.integers(0, 15).map(Signs),
    st.builds(Nothing),
)


def _wired(count: Any, rest: Any) -> Wired:
    """As it comes back: its neighbour is not set."""
    wired = Wired(count, rest=rest)
    del wired.neighbour
    return wired


def _holding(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(inner, max_size=4)
    records = [st.builds(cls, left=inner, right=inner) for cls in (Point, Spot, Pair, Fixed, Firm, Loose)]
    return st.one_of(
        items,
        items.map(tuple),
        items.map(deque),
        items.map(lambda held: deque(held, len(held))),
        items.map(lambda held: deque(held, 7)),
        st.builds(_wired, inner, inner),
        *records,
    )


values = st.recursive(leaves, _holding, max_leaves=8)

# So few that two of them are often equal, or equal but for a type.
near_leaves = st.sampled_from([None, False, True, 0, 1, "", b"", Colour.RED, Shade.DARK, Signs(1)])
near_values = st.recursive(near_leaves | st.builds(bytearray), _holding, max_leaves=3)
