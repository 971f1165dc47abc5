"""The canonical encoding of state: one encoding for each value, and the same digest everywhere."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model import MODEL_VERSION
from firmware_model.state import canonical, digest
from tests.firmware_model.bedside import Bedside


@dataclass
class Pair:
    left: object
    right: object


@dataclass
class Other:
    left: object
    right: object


class Colour(IntEnum):
    RED = 1


_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-300, 300), st.binary(max_size=5), st.text(max_size=5)
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.builds(Pair, inner, inner), st.builds(Other, inner, inner)
    ),
    max_leaves=8,
)


def typed(value: object) -> object:
    """A value with the types that == does not see: True is 1."""
    match value:
        case tuple():
            return ("tuple", *(typed(item) for item in value))
        case Pair() | Other():
            return (type(value).__name__, typed(value.left), typed(value.right))
    return type(value).__name__, value


@given(_values, _values)
def test_distinct_values_have_distinct_encodings(one: object, other: object) -> None:
    assert (canonical(one) == canonical(other)) == (typed(one) == typed(other))


@given(st.lists(_values, max_size=5), st.lists(_values, max_size=5))
def test_no_sequence_reads_as_another(one: list[object], other: list[object]) -> None:
    """Also where the joined contents are equal: lengths and counts stand before them."""
    assert (canonical(one) == canonical(other)) == (typed(tuple(one)) == typed(tuple(other)))


def test_the_encoding_is_what_is_written_down() -> None:
    """By hand, from the table in the module's first lines."""
    value = (None, True, False, 0, 255, -1, b"\x01\x02", "é", [Colour.RED], Pair("", -128))
    by_hand = (
        b"L\0\0\0\x0a"
        b"N"
        b"T"
        b"F"
        b"I\0\0\0\x01\x00"
        b"I\0\0\0\x02\x00\xff"
        b"I\0\0\0\x01\xff"
        b"B\0\0\0\x02\x01\x02"
        b"S\0\0\0\x02\xc3\xa9"
        b"L\0\0\0\x01I\0\0\0\x01\x01"
        b"D\0\0\0\x04PairS\0\0\0\x00I\0\0\0\x02\xff\x80"
    )
    assert canonical(value) == by_hand
    assert digest(value) == hashlib.sha256(b"\0\0\0\x02" + by_hand).hexdigest()
    assert MODEL_VERSION == 2


@pytest.mark.parametrize(
    "value", [1.5, {1: 2}, {1}, object(), (1, 2.0), Pair(1, {})], ids=lambda value: type(value).__name__
)
def test_what_has_no_order_or_no_exact_value_has_no_encoding(value: object) -> None:
    with pytest.raises(TypeError, match=r"^(float|dict|set|object) has no canonical encoding$"):
        canonical(value)


def test_two_pumps_are_told_apart_by_whatever_differs() -> None:
    digests = set()
    for change in range(6):
        bedside = Bedside()
        bedside.wait(25)
        match change:
            case 1:
                bedside.pump.memory.log[100] ^= 1
            case 2:
                bedside.prepare(10_000, 60)
            case 3:
                bedside.cut_power_at(99)
            case 4:
                bedside.pump.advance(bedside.now + 1)
            case 5:
                bedside.pump.plant.motor.steps += 1
        digests.add(bedside.pump.digest())
    assert len(digests) == 6
