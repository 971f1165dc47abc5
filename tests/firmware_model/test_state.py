"""The canonical encoding of state: one for each value, the same everywhere, and back again without a loss."""

from __future__ import annotations

import hashlib
import re
import struct
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model import MODEL_VERSION, state, state_reading
from firmware_model.state import DERIVED, MAX_DEPTH, MAX_INTEGER_BYTES, MAX_VALUES, WIRING, canonical, digest
from firmware_model.state_reading import Branch, Classes, Member, StateError, restore, tree
from tests.firmware_model import state_values
from tests.firmware_model.reflected import differences
from tests.firmware_model.state_values import (
    ALL,
    CLASSES,
    Colour,
    Firm,
    Fixed,
    Loose,
    Nothing,
    Pair,
    Point,
    Shade,
    Signs,
    Wired,
    Word,
    near_values,
    values,
)


def from_classes(data: bytes) -> object:
    return restore(data, CLASSES)


@given(values)
def test_what_went_in_comes_out_types_included(value: object) -> None:
    encoded = canonical(value)
    assert differences(from_classes(encoded), value) == []
    assert canonical(from_classes(encoded)) == encoded


@given(near_values, near_values)
def test_two_values_have_one_encoding_only_if_nothing_tells_them_apart(one: object, other: object) -> None:
    assert (canonical(one) == canonical(other)) == (differences(one, other) == [])


@given(st.lists(near_values, max_size=5), st.lists(near_values, max_size=5))
def test_no_sequence_reads_as_another(one: list[object], other: list[object]) -> None:
    """Also where the joined contents are equal: lengths and counts stand before them."""
    assert (canonical(one) == canonical(other)) == (differences(one, other) == [])


def test_what_python_finds_equal_is_told_apart() -> None:
    alike = [1, True, Colour.RED, Shade.DARK, Signs.HOT]
    assert all(one == other for one in alike for other in alike)
    assert len({canonical(value) for value in alike}) == len(alike)
    pairs = [(1, 2), [1, 2], deque([1, 2]), deque([1, 2], 2), Point(1, 2), Pair(1, 2), Fixed(1, 2)]
    assert len({canonical(value) for value in pairs}) == len(pairs)
    assert canonical(b"") != canonical(bytearray()) != canonical("")


def test_the_encoding_is_what_is_written_down() -> None:
    """By hand, from the table in the module's first lines."""
    value: tuple[Any, ...] = (
        *(None, True, False, 0, 255, -1, "é", b"\x01\x02", bytearray(b"\x03")),
        *([Colour.RED], deque([None]), deque(maxlen=4), Point("", -128), Pair(Word.TORN, ())),
    )
    by_hand = (
        b"P\0\0\0\x0e"
        b"N"
        b"T"
        b"F"
        b"I\0\0\0\x01\x00"
        b"I\0\0\0\x02\x00\xff"
        b"I\0\0\0\x01\xff"
        b"S\0\0\0\x02\xc3\xa9"
        b"B\0\0\0\x02\x01\x02"
        b"Y\0\0\0\x01\x03"
        b"L\0\0\0\x01E\x06ColourI\0\0\0\x01\x01"
        b"Q\xff\xff\xff\xff\0\0\0\x01N"
        b"Q\0\0\0\x04\0\0\0\x00"
        b"R\x05Point\0\0\0\x02\x04leftS\0\0\0\x00\x05rightI\0\0\0\x02\xff\x80"
        b"D\x04Pair\0\0\0\x02\x04leftE\x04WordS\0\0\0\x04torn\x05rightP\0\0\0\x00"
    )
    assert canonical(value) == by_hand
    assert digest(value) == hashlib.sha256(struct.pack(">I", MODEL_VERSION) + by_hand).hexdigest()


def test_a_struct_is_told_as_what_it_is_like() -> None:
    """One that cannot change as a named tuple, one that can as a dataclass: what knows neither class reads it so."""
    fields = b"\0\0\0\x02\x04leftN\x05rightT"
    assert canonical(Firm(None, True)) == b"R\x04Firm" + fields
    assert canonical(Loose(left=None, right=True)) == b"D\x05Loose" + fields


class Length(int):
    pass


class Maß(Enum):
    EINS = 1


@pytest.mark.parametrize(
    "value",
    [1.5, {1: 2}, {1}, object(), (1, 2.0), Pair(1, {}), OrderedDict(), Length(1), len, canonical],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_order_or_no_exact_value_has_no_encoding(value: object) -> None:
    with pytest.raises(TypeError, match=r"^\w+ has no canonical encoding(\nin Pair\.right)?$"):
        canonical(value)


@pytest.mark.parametrize(
    "value",
    ["\ud800", 1 << 8 * MAX_INTEGER_BYTES, deque(maxlen=0xFFFF_FFFF), Maß.EINS],
    ids=["text", "integer", "deque", "name"],
)
def test_what_is_too_large_or_no_unicode_has_no_encoding(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical encoding"):
        canonical(value)


def test_the_largest_integers_come_back() -> None:
    for value in ((1 << 8 * MAX_INTEGER_BYTES - 1) - 1, 1 - (1 << 8 * MAX_INTEGER_BYTES - 1)):
        assert restore(canonical(value), CLASSES) == value


def test_an_error_tells_in_which_field() -> None:
    with pytest.raises(TypeError) as caught:
        canonical([Pair(1, Fixed(2, {}))])
    assert caught.value.__notes__ == ["in Fixed.right", "in Pair.right"]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_depth_is_bounded_both_ways() -> None:
    deepest = nested(MAX_DEPTH)
    assert restore(canonical(deepest), CLASSES) == deepest
    with pytest.raises(TypeError, match="nested deeper than 64"):
        canonical([deepest])
    one_more = b"L\0\0\0\x01" + canonical(deepest)
    with pytest.raises(StateError, match="nested deeper than 64"):
        restore(one_more, CLASSES)
    with pytest.raises(StateError, match="nested deeper than 64"):
        tree(b"L\0\0\0\x01" * 1_000_000)


def test_the_number_of_values_is_bounded_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    most, one_more = [[1], Pair(2, 3)], [[1], Pair(2, (3,))]
    encoded = canonical(one_more)
    assert MAX_VALUES == 1024 * 1024
    for module in (state, state_reading):
        monkeypatch.setattr(module, "MAX_VALUES", 6)
    assert restore(canonical(most), CLASSES) == most
    with pytest.raises(TypeError, match="more than 6 values has no canonical encoding"):
        canonical(one_more)
    for read in (from_classes, tree):
        with pytest.raises(StateError, match="it has more than 6 values"):
            read(encoded)


def test_what_holds_itself_has_no_encoding() -> None:
    pair = Pair(1, None)
    pair.right = pair
    with pytest.raises(TypeError, match="holds itself"):
        canonical(pair)


def test_wiring_and_caches_are_no_state() -> None:
    used = Wired(3, neighbour=len, half=1, cache=[1, 2], rest="r")
    assert canonical(used) == canonical(Wired(3, rest="r"))
    back = restore(canonical(used), CLASSES)
    assert (back.count, back.rest, back.half, back.cache) == (3, "r", None, [])
    assert not hasattr(back, "neighbour")
    assert back.cache is not restore(canonical(used), CLASSES).cache


def test_a_class_that_works_out_its_own_fields_comes_back_as_it_was() -> None:
    """Nothing is begun anew: `__init__` and `__post_init__` are for first power-ups."""

    @dataclass(slots=True)
    class Begun:
        steps: int = field(init=False)

        def __post_init__(self) -> None:
            self.steps = 0

    begun = Begun()
    begun.steps = 7
    assert restore(canonical(begun), Classes([Begun])).steps == 7


def test_classes_are_told_by_one_name_each() -> None:
    assert restore(canonical(Pair(1, 2)), Classes([Pair, Pair, Colour])) == Pair(1, 2)
    another = type("Pair", (Pair,), {})
    with pytest.raises(ValueError, match="two classes are named Pair"):
        Classes([Pair, another])


def test_a_class_that_no_state_is_made_of_is_refused_at_once() -> None:
    @dataclass
    class Bottomless:
        cache: int = field(metadata=DERIVED)

    with pytest.raises(TypeError, match=r"Bottomless\.cache is derived and has no default"):
        Classes([Bottomless])
    with pytest.raises(TypeError, match="int has no canonical encoding"):
        Classes([int])


@dataclass
class Renamed:
    port: int
    right: int


Renamed.__name__ = "Pair"


class Recoloured(IntEnum):
    GREEN = 3


Recoloured.__name__ = "Colour"


@dataclass
class Unwired:
    count: int
    neighbour: Any
    rest: Any = field(metadata=WIRING)


Unwired.__name__ = "Wired"


@pytest.mark.parametrize(
    ("value", "classes", "said"),
    [
        (Pair(1, 2), [], "the state has a Pair, which no state is made of here."),
        (Colour.RED, [], "the state has a Colour, which no state is made of here."),
        (Pair(1, 2), [Renamed], "the state has a Pair of other fields than it has here."),
        (Wired(1), [Unwired], "the state has a Wired of other fields than it has here."),
        (Colour.RED, [Recoloured], "the state has a member of Colour that there is none of here."),
        (Point(1, 2), [type("Point", (Pair,), {})], "the state has a Point of other fields than it has here."),
        (Pair(1, 2), [Enum("Pair", {"A": 1})], "the state has a Pair of other fields than it has here."),
        (Word.TORN, [type("Word", (Pair,), {})], "the state has a member of Word that there is none of here."),
    ],
)
def test_state_of_other_classes_is_refused(value: object, classes: list[type], said: str) -> None:
    with pytest.raises(StateError) as caught:
        restore(canonical(value), Classes(classes))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        (b"", "it ends before what it announces."),
        (b"NN", "1 bytes follow its end."),
        (b"X", "byte 58 begins no value, before byte 1."),
        (b"B\xff\xff\xff\xffabc", "it ends before what it announces."),
        (b"L\xff\xff\xff\xffNNN", "it ends before what it announces."),
        (b"D\x04Pair\xff\xff\xff\xff\x04left", "it ends before what it announces."),
        (b"I\0\0\0\0", "an integer is too long, before byte 5."),
        (b"I\0\0\0\2\0\1", "an integer is too long, before byte 7."),
        (b"I\0\0\1\1\1" + bytes(256), "an integer is too long, before byte 262."),
        (b"S\0\0\0\1\xff", "a text is not UTF-8, before byte 6."),
        (b"S\0\0\0\3\xed\xa0\x80", "a text is not UTF-8, before byte 8."),
        (b"Q\0\0\0\1\0\0\0\2NN", "a deque holds more than it can, before byte 11."),
        (b"E\0N", "a name is none, before byte 2."),
        (b"E\2a\nN", "a name is none, before byte 4."),
        (b"E\2\xc3\xa9N", "a name is none, before byte 4."),
        (b"D\1A\0\0\0\2\1bN\1bN", "two fields of a A have one name, before byte 13."),
    ],
)
@pytest.mark.parametrize("read", [tree, from_classes])
def test_damage_is_said_in_one_sentence(read: Callable[[bytes], object], encoded: bytes, said: str) -> None:
    with pytest.raises(StateError) as caught:
        read(encoded)
    assert str(caught.value) == f"the state is damaged: {said}"


@pytest.mark.parametrize(
    "encoded",
    [
        *(b"E\x06ColourT", b"E\x06ColourI\0\0\0\x01\x07", b"E\x06ColourP\0\0\0\0", b"E\x06ColourL\0\0\0\0"),
        *(b"E\x05SignsI\0\0\0\x01\xff", b"E\x05SignsN", b"E\x04WordI\0\0\0\x01\x01"),
    ],
)
def test_a_member_is_its_value_exactly(encoded: bytes) -> None:
    with pytest.raises(StateError, match="that there is none of here"):
        from_classes(encoded)


edits = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.one_of(st.binary(max_size=3), st.sampled_from(b"NTFISBYPLQERD").map(lambda tag: bytes([tag]))),
    ),
    min_size=1,
    max_size=4,
)


def damaged(encoded: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, removed, put in changes:
        start = at % (len(encoded) + 1)
        encoded = encoded[:start] + put + encoded[start + removed :]
    return encoded


def read_whatever(data: bytes) -> None:
    """It is refused, or it is the encoding of what it is read as."""
    for read, encode in ((from_classes, canonical), (tree, encoding_of_tree)):
        said = ""
        try:
            assert encode(read(data)) == data
        except StateError as error:
            said = str(error)
        assert re.fullmatch(r"|the state .*\.", said)


def encoding_of_tree(value: Any) -> bytes:
    """By hand once more: a tree has lost nothing of an encoding."""
    match value:
        case Member():
            return b"E" + name_bytes(value.name) + encoding_of_tree(value.value)
        case Branch(kind="named tuple" | "dataclass"):
            head = (b"R" if value.kind == "named tuple" else b"D") + name_bytes(value.name)
            items = zip(value.fields, value.items, strict=True)
            held = [name_bytes(name) + encoding_of_tree(item) for name, item in items]
            return head + struct.pack(">I", len(held)) + b"".join(held)
        case Branch():
            head = {"tuple": b"P", "list": b"L", "deque": b"Q"}[value.kind]
            if value.kind == "deque":
                head += struct.pack(">I", 0xFFFF_FFFF if value.maxlen is None else value.maxlen)
            return head + struct.pack(">I", len(value.items)) + b"".join(map(encoding_of_tree, value.items))
    return canonical(value)


def name_bytes(name: str) -> bytes:
    return bytes([len(name)]) + name.encode()


@given(values, edits)
def test_any_damage_is_refused_or_makes_another_value(value: object, changes: list[tuple[int, int, bytes]]) -> None:
    read_whatever(damaged(canonical(value), changes))


@given(
    st.one_of(
        st.binary(max_size=60), st.lists(st.sampled_from([*b"NTFISBYPLQERD\0\1\2\3\xff"]), max_size=40).map(bytes)
    )
)
def test_any_bytes_are_refused_or_are_a_value(data: bytes) -> None:
    read_whatever(data)


@given(values)
def test_no_beginning_of_an_encoding_is_one(value: object) -> None:
    encoded = canonical(value)
    for length in range(len(encoded)):
        with pytest.raises(StateError):
            restore(encoded[:length], CLASSES)


@given(values)
def test_a_tree_needs_no_classes_and_loses_nothing(value: object) -> None:
    encoded = canonical(value)
    assert encoding_of_tree(tree(encoded)) == encoded


def test_a_tree_has_plain_names_and_values() -> None:
    value = [Wired(Colour.BLUE, rest=Point(b"a", bytearray(b"b"))), deque([None], 3), Nothing()]
    assert tree(canonical(value)) == Branch(
        "list",
        "",
        (),
        (
            Branch(
                "dataclass",
                "Wired",
                ("count", "rest"),
                (Member("Colour", 2), Branch("named tuple", "Point", ("left", "right"), (b"a", bytearray(b"b")))),
            ),
            Branch("deque", "", (), (None,), 3),
            Branch("dataclass", "Nothing", (), ()),
        ),
    )


def test_the_values_of_these_tests_are_of_every_class_there_is() -> None:
    here = [
        held
        for held in vars(state_values).values()
        if isinstance(held, type) and held.__module__ == state_values.__name__
    ]
    assert set(here) == set(ALL)
