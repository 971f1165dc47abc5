"""The bodies of control requests, whatever the bytes are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.control.bodies import (
    MAX_BODY_BYTES,
    MAX_DURATION_US,
    MAX_MATCH_FIELDS,
    AdvanceBody,
    Body,
    EmptyBody,
    FaultBody,
    PowerBody,
    RunUntilBody,
    SyringeBody,
)
from emulator.control.refusal import RequestError
from emulator.control.request_reading import read_request

KINDS = (AdvanceBody, EmptyBody, FaultBody, PowerBody, RunUntilBody, SyringeBody)
NAMES = st.sampled_from(
    [
        "duration_us",
        "event",
        "match",
        "limit_us",
        "fault",
        "change",
        "at_write",
        "mode",
        "torn_bytes",
        "withdraw_nl",
        "inject_nl",
        "drugs",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(KINDS),
    st.binary(max_size=60) | st.dictionaries(NAMES, VALUES).map(lambda d: json.dumps(d).encode()),
)
def test_any_bytes_are_a_body_or_refused(kind: type[Body], raw: bytes) -> None:
    refused: RequestError | None = None
    try:
        assert isinstance(read_request(raw, kind), kind)
    except RequestError as error:
        refused = error
    if refused is not None:
        assert refused.status == 400
        assert refused.error


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(RequestError, match="nested too deeply"):
        read_request(b"[" * MAX_BODY_BYTES, AdvanceBody)


def test_every_field_says_what_is_allowed() -> None:
    for kind in KINDS:
        assert set(kind.ALLOWED) == set(kind.__struct_fields__)


@pytest.mark.parametrize("duration_us", [1, MAX_DURATION_US])
def test_durations_within_bounds(duration_us: int) -> None:
    assert read_request(json.dumps({"duration_us": duration_us}).encode(), AdvanceBody).duration_us == duration_us


@pytest.mark.parametrize("duration_us", [0, -1, MAX_DURATION_US + 1, 1.5, 2.0, True, "1", None, 10**30, [1]])
def test_other_durations_are_refused_with_field_value_and_bounds(duration_us: object) -> None:
    with pytest.raises(RequestError) as caught:
        read_request(json.dumps({"duration_us": duration_us}).encode(), AdvanceBody)
    assert caught.value.field == "duration_us"
    assert f"is {json.dumps(duration_us)}" in caught.value.error
    assert "from 1 to 3155760000000000 (100 years)" in (caught.value.allowed or "")


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(RequestError) as caught:
        read_request(json.dumps({"duration_us": "x" * 1000}).encode(), AdvanceBody)
    assert len(caught.value.error) < 250


def test_the_number_of_matched_fields_is_bounded() -> None:
    match = {f"detail.x{index}": index for index in range(MAX_MATCH_FIELDS + 1)}
    with pytest.raises(RequestError, match="at most 16 fields"):
        read_request(json.dumps({"event": "log", "limit_us": 1, "match": match}).encode(), RunUntilBody)
    match.popitem()
    assert (
        read_request(json.dumps({"event": "log", "limit_us": 1, "match": match}).encode(), RunUntilBody).match == match
    )
