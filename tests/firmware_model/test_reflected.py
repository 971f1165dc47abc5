"""The walker that compares two graphs of objects is as good as what it finds: each kind of loss is tried."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from firmware_model.state import DERIVED
from tests.firmware_model.reflected import Difference, differences


class Way(IntEnum):
    FORWARD = 1
    BACK = 2


class Word(Enum):
    ON = "on"


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(slots=True)
class Rotor:
    steps: int = 0
    way: Way = Way.FORWARD
    worn: bytearray = field(default_factory=lambda: bytearray(4))
    turns: deque[int] = field(default_factory=lambda: deque([1, 2], 5))
    seen: dict[str, list[int]] = field(default_factory=lambda: {"a": [1], "b": [2]})
    owner: Any = None
    sum: int = field(default=0, metadata=DERIVED)


class Plain:
    def __init__(self, rotor: Rotor) -> None:
        self.rotor = rotor
        self.pair = Pair(rotor, (1, 2))
        self.act: Callable[[], object] = lambda: rotor

    def turn(self) -> None:
        self.rotor.steps += 1


class Hidden(Plain):
    __slots__ = ("__secret",)

    def __init__(self, rotor: Rotor, secret: int) -> None:
        super().__init__(rotor)
        self.__secret = secret


def graph() -> Plain:
    """Two objects that know each other, one of them from several sides."""
    plain = Plain(Rotor())
    plain.rotor.owner = plain
    return plain


def losing(change: Callable[[Plain], object]) -> list[Difference]:
    """What is found when the second of two equal graphs is changed."""
    one, other = graph(), graph()
    change(other)
    return differences(one, other)


def test_equal_graphs_do_not_differ_though_they_are_cycles() -> None:
    assert differences(graph(), graph()) == []
    assert losing(lambda _: None) == []


def put(value: object, *path: str) -> Callable[[Plain], object]:
    def change(plain: Plain) -> None:
        target: Any = plain
        for name in path[:-1]:
            target = getattr(target, name)
        setattr(target, path[-1], value)

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (put(1, "rotor", "steps"), Difference("rotor.steps", "0", "1")),
        (put(False, "rotor", "steps"), Difference("rotor.steps", "0", "False")),
        (put(Way.BACK, "rotor", "way"), Difference("rotor.way", repr(Way.FORWARD), repr(Way.BACK))),
        (put(1, "rotor", "way"), Difference("rotor.way", repr(Way.FORWARD), "1")),
        (
            put(bytearray(b"\0\0\0\1"), "rotor", "worn"),
            Difference("rotor.worn[:]", repr(bytes(4)), r"b'\x00\x00\x00\x01'"),
        ),
        (put(bytes(4), "rotor", "worn"), Difference("rotor.worn", "a bytearray", repr(bytes(4)))),
        (put(deque([1, 2], 6), "rotor", "turns"), Difference("rotor.turns.maxlen", "5", "6")),
        (put(deque([1], 5), "rotor", "turns"), Difference("rotor.turns[1]", "2", "absent")),
        (put([1, 2], "rotor", "turns"), Difference("rotor.turns", "a deque", "a list")),
        (lambda plain: plain.rotor.seen.pop("b"), Difference("rotor.seen['b']", "a tuple", "absent")),
        (lambda plain: plain.rotor.seen["b"].append(3), Difference("rotor.seen['b'][1][1]", "absent", "3")),
        (lambda plain: delattr(plain.rotor, "steps"), Difference("rotor.steps", "0", "absent")),
        (lambda plain: delattr(plain, "act"), Difference("act", "a function", "absent")),
        (lambda plain: plain.__dict__.update(more=1), Difference("more", "absent", "1")),
        (lambda plain: put(Pair(plain.rotor, [1, 2]), "pair")(plain), Difference("pair.right", "a tuple", "a list")),
        (lambda plain: put((plain.rotor, (1, 2)), "pair")(plain), Difference("pair", "a Pair", "a tuple")),
        (put(5, "rotor", "sum"), Difference("rotor.sum", "0", "5")),
    ],
    ids=lambda value: value.path if isinstance(value, Difference) else "",
)
def test_a_single_loss_is_found_where_it_is(change: Callable[[Plain], object], found: Difference) -> None:
    assert losing(change) == [found]


def test_the_order_of_a_mapping_counts() -> None:
    def turn_round(plain: Plain) -> None:
        plain.rotor.seen = dict(reversed(plain.rotor.seen.items()))

    assert [each.path for each in losing(turn_round)] == ["rotor.seen"]


def test_a_private_slot_of_a_class_with_a_dict_is_not_overlooked() -> None:
    paths = [each.path for each in differences(Hidden(Rotor(), 1), Hidden(Rotor(), 2))]
    assert paths == ["_Hidden__secret"]


def test_one_object_in_two_places_is_not_two_equal_ones() -> None:
    """A copy whose parts are equal but no longer wired to each other."""
    found = losing(lambda plain: put(Pair(deepcopy(plain.rotor), (1, 2)), "pair")(plain))
    assert "pair.left" in [each.path for each in found]
    shared = [1]
    assert [each.path for each in differences([[1], [1]], [shared, shared])] == ["[1]"]
    assert [each.path for each in differences([shared, shared], [[1], [1]])] == ["[1]"]


def test_an_object_that_both_have_is_found_where_it_can_change() -> None:
    shared: list[int] = []
    assert differences((shared,), (shared,)) == [Difference("[0]", "shared with the other", "shared with the other")]
    frozen = (1, "a", MappingProxyType({Way.BACK: 2}), Word.ON)
    assert differences((frozen,), (frozen,)) == []


def holding(value: object) -> Callable[[], object]:
    return lambda: value


def test_functions_are_compared_by_name_and_by_what_they_hold() -> None:
    assert differences(holding([1]), holding([1])) == []
    assert [each.path for each in differences(holding([1]), holding([2]))] == ["__closure__[0].cell_contents[0]"]
    assert [each.path for each in differences(graph, holding)] == ["__qualname__"]
    assert differences(graph().turn, graph().turn) == []
    assert differences(partial(holding, 1), partial(holding, 2)) == [Difference("args[0]", "1", "2")]
    assert [each.path for each in differences([].append, [1].append)] == ["__self__[0]"]


def test_a_function_that_still_acts_on_the_first_graph_is_found() -> None:
    one, other = graph(), graph()
    other.act = one.act
    assert differences(one, other) == [
        Difference("act.__closure__[0].cell_contents", "shared with the other", "shared with the other")
    ]


def test_what_cannot_be_looked_into_is_equal_to_itself_alone() -> None:
    opaque = object()
    assert [each.path for each in differences(iter([1]), iter([1]))] == ["."]
    assert differences((opaque,), (opaque,)) == [Difference("[0]", "shared with the other", "shared with the other")]


def test_what_is_derived_may_be_left_out() -> None:
    assert differences(Rotor(sum=1), Rotor(sum=2), derived=False) == []
    assert [each.path for each in differences(Rotor(sum=1, steps=1), Rotor(), derived=False)] == ["steps"]


class Length(int):
    pass


def test_a_number_of_a_class_of_its_own_is_a_number_still() -> None:
    assert differences(Length(3), Length(3)) == []
    assert differences(Length(3), Length(4)) == [Difference("()", repr("3"), repr("4"))]


def test_sets_and_numbers_are_compared_with_their_types() -> None:
    assert differences(({1, 2}, 1.0, 2j), ({2, 1}, 1.0, 2j)) == []
    assert [each.path for each in differences(({1}, 1), ({2}, 1.0))] == ["[0]{}[0]", "[1]"]
