"""What a maker makes is an instance like any other, whatever its class descends from."""

import copy
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from typing import Any

import pytest

from emulator.vpump_wire import VpumpFrame
from emulator.wire import Direction
from protocol.frame import Flag, Frame
from protocol.makers import maker_of
from protocol.messages.codes import OpState
from protocol.messages.deliver import StartAnswer, StopAnswer
from protocol.messages.read import StatusRequest
from tests.protocol.test_messages import EXAMPLE_OF

MADE: list[Any] = [
    Frame(opcode=0x0201, txn=7, address=5, payload=b"", flags=Flag.RESP),
    VpumpFrame(b"\x00", Direction.REQUEST, "STATUS"),
    EXAMPLE_OF[StopAnswer],
    EXAMPLE_OF[StartAnswer],
    StatusRequest(),
]


@pytest.mark.parametrize("one", MADE, ids=lambda one: type(one).__name__)
def test_it_is_equal_and_of_its_class_and_frozen_and_has_every_value(one: Any) -> None:
    cls = type(one)
    values = {field.name: getattr(one, field.name) for field in fields(cls)}
    for other in (maker_of(cls)(*values.values()), maker_of(cls)(**values)):
        assert type(other) is cls
        assert (other, hash(other), repr(other), copy.copy(other)) == (one, hash(one), repr(one), one)
        assert not hasattr(other, "__dict__")
        for name in values:
            with pytest.raises(FrozenInstanceError):
                setattr(other, name, 1)
            with pytest.raises(FrozenInstanceError):
                delattr(other, name)


def test_it_answers_to_its_class_and_its_bases_and_can_be_altered() -> None:
    stopped = maker_of(StopAnswer)(
        **{field.name: getattr(EXAMPLE_OF[StopAnswer], field.name) for field in fields(StopAnswer)}
    )
    assert all(isinstance(stopped, base) for base in StopAnswer.__mro__)
    assert replace(stopped, state=OpState.REJECTED).state is OpState.REJECTED


@dataclass(frozen=True, slots=True)
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("odd")


def test_what_has_a_default_may_be_left_out() -> None:
    bare = Frame(opcode=0x0201, txn=7, address=5, payload=b"x")
    assert maker_of(Frame)(opcode=0x0201, txn=7, address=5, payload=b"x") == bare


def test_it_wants_every_value_and_no_other_and_looks_at_none() -> None:
    make: Any = maker_of(Even)
    assert make(3).number == 3
    with pytest.raises(ValueError, match="odd"):
        Even(3)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'number'"):
        make()
    with pytest.raises(TypeError, match="unexpected keyword argument 'name'"):
        make(number=1, name="one")
