"""Messages in one go: whatever is read or written, the verdict is that of the table, field by field."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.export.examples import EXAMPLES
from protocol.field_types import CodedType, IntegerType
from protocol.fields import (
    FormatError,
    PlacesType,
    decode,
    decode_by_table,
    encode,
    encode_by_table,
    layout_of,
    table_of,
)
from protocol.messages.codes import RunState
from protocol.messages.read import StatusAnswer, StatusRequest
from tests.protocol.message_strategies import MESSAGES, messages

EXAMPLE_OF: dict[type, Any] = {type(example): example for example in EXAMPLES}
FIXED = [cls for cls in MESSAGES if layout_of(cls).fixed_size is not None]


def packed_of(cls: type) -> Any:
    return cls.__packed_codec__  # type: ignore[attr-defined]  # set by the decorator


def told(call: Callable[[], object]) -> object:
    """What a call gives, or all that its refusal says."""
    try:
        return call()
    except FormatError as error:
        return "refused", error.code, error.field, error.element, error.reason
    except ValueError as error:
        return "refused", str(error)


def written(message: object) -> object:
    return told(partial(encode, message))


def read(cls: type, payload: bytes) -> object:
    return told(partial(decode, cls, payload))


def test_every_message_of_fixed_size_is_packed_but_for_those_made_of_messages_or_with_a_crc() -> None:
    varies = {cls for cls in MESSAGES if layout_of(cls).fixed_size is None}
    of_messages = {cls for cls in MESSAGES if any(isinstance(row.kind, PlacesType) for row in table_of(cls))}
    with_crc = {cls for cls in MESSAGES if layout_of(cls).ends_with_crc32}
    assert {cls for cls in MESSAGES if packed_of(cls) is None} == varies | of_messages | with_crc
    assert packed_of(StatusAnswer).encode(EXAMPLE_OF[StatusAnswer]) == encode_by_table(EXAMPLE_OF[StatusAnswer])
    assert len(FIXED) > 60


@given(st.sampled_from(MESSAGES).flatmap(messages))
def test_a_message_is_written_and_read_back_as_its_table_does(message: Any) -> None:
    image = encode(message)
    assert image == encode_by_table(message)
    assert decode(type(message), image) == decode_by_table(type(message), image) == message
    assert type(decode(type(message), image)) is type(message)


@given(st.data())
def test_any_bytes_are_read_or_refused_as_the_table_says(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from(FIXED))
    size = layout_of(cls).fixed_size or 0
    payload = data.draw(st.binary(min_size=max(0, size - 1), max_size=size + 2))
    assert read(cls, payload) == told(partial(decode_by_table, cls, payload))


@given(st.data())
def test_a_good_message_with_a_byte_turned_is_read_or_refused_as_the_table_says(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from([cls for cls in FIXED if table_of(cls)]))
    payload = bytearray(encode(data.draw(messages(cls))))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    turned = bytes(payload)
    assert read(cls, turned) == told(partial(decode_by_table, cls, turned))


NUMBERS: list[Any] = [True, False, -1, 0, 1, 0xFF, 1 << 16, 1 << 32, 1 << 64, 1.0, RunState.FAILED]
BLOCKS: list[Any] = ["", "x", "µ", "a\x00", "x" * 17, b"", b"x", bytes(8), bytes(17), None, ()]


@given(st.data())
def test_odd_values_are_written_or_refused_as_the_table_says(data: st.DataObject) -> None:
    cls = data.draw(st.sampled_from([cls for cls in FIXED if table_of(cls)]))
    row = data.draw(st.sampled_from(table_of(cls)))
    odd = data.draw(st.sampled_from(NUMBERS + BLOCKS))
    message = replace(data.draw(messages(cls)), **{row.name: odd})
    assert written(message) == told(partial(encode_by_table, message))


@pytest.mark.parametrize("cls", [cls for cls in FIXED if cls in EXAMPLE_OF])
def test_limits_of_every_number_and_code_are_kept_to_the_last_value(cls: type) -> None:
    for row in table_of(cls):
        if isinstance(row.kind, IntegerType):
            near: list[Any] = [row.kind.minimum - 1, row.kind.minimum, row.kind.maximum, row.kind.maximum + 1]
        elif isinstance(row.kind, CodedType):
            near = [*row.kind.code, *map(int, row.kind.code), max(row.kind.code) + 1]
        else:
            continue
        for value in near:
            message = replace(EXAMPLE_OF[cls], **{row.name: value})
            assert written(message) == told(partial(encode_by_table, message))


def test_what_is_read_is_a_message_like_any_other() -> None:
    made = EXAMPLE_OF[StatusAnswer]
    found = decode(StatusAnswer, encode(made))
    assert (found, hash(found), repr(found)) == (made, hash(made), repr(made))
    assert replace(found, boot=9).boot == 9
    with pytest.raises(AttributeError):
        found.boot = 9  # type: ignore[misc]  # it is frozen
    assert decode(StatusRequest, b"") == StatusRequest()
