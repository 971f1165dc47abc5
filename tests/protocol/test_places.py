"""Each byte of a frame has one place, and the bytes at a place are those of its value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.channel import Direction, Sealer
from protocol.explain import explain
from protocol.export.vectors import VECTOR_KEYS
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.framing import crc32
from protocol.messages.codes import BolusKind, MemoryCondition, ResetReason
from protocol.messages.deliver import BolusPrepareRequest
from protocol.messages.log import LogReadAnswer
from protocol.messages.log_records import BootData, log_record
from protocol.messages.operations import OPERATIONS, Operation, by_name
from protocol.places import Place, places_of
from protocol.refusals import OK, Nak, NakCode
from tests.protocol.message_strategies import messages

ADDRESS = 0x00C0FFEE


def frame_of(operation: Operation, payload: bytes, flags: Flag) -> Frame:
    return Frame(opcode=operation.opcode, txn=7, address=ADDRESS, payload=payload, flags=flags)


def assert_gapless(places: tuple[Place, ...], body: bytes) -> None:
    """From the first byte to the last, each in one place, but for the first, whose halves are two."""
    assert [(place.offset, place.size) for place in places[:2]] == [(0, 1), (0, 1)]
    at = 1
    for place in places[2:]:
        assert place.offset == at, place
        if isinstance(place.value, bytes):
            assert body[at : at + place.size] == place.value
        elif isinstance(place.value, int):
            assert int.from_bytes(body[at : at + place.size], "little") == place.value % 256**place.size
        at += place.size
    assert at == len(body)


@given(st.data())
@pytest.mark.parametrize("answers", [False, True])
def test_every_message_has_its_places(answers: bool, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(OPERATIONS))
    message: Any = data.draw(messages(operation.answer if answers else operation.request))
    payload = (bytes((OK,)) if answers else b"") + encode(message)
    body = frame_of(operation, payload, Flag.RESP if answers else Flag(0)).to_body()
    told = explain(body)
    assert_gapless(places_of(told), body + crc32(body).to_bytes(4, "little"))


@given(st.binary(max_size=60), st.sampled_from(OPERATIONS), st.sampled_from([Flag(0), Flag.RESP, Flag.EVENT]))
def test_so_has_whatever_else_a_frame_holds(payload: bytes, operation: Operation, flags: Flag) -> None:
    body = frame_of(operation, payload, flags).to_body()
    told = explain(body)
    assert_gapless(places_of(told), body + crc32(body).to_bytes(4, "little"))
    assert told.problem_at is None or 0 <= told.problem_at <= len(body)


def rows(places: tuple[Place, ...]) -> list[tuple[int, str, object]]:
    return [(place.offset, place.name, place.value) for place in places]


def test_a_refusal() -> None:
    nak = Nak(NakCode.ABOVE_MAXIMUM, field=1, detail=1_000_000)
    told = explain(frame_of(by_name["BOLUS_PREPARE"], nak.encode(), Flag.RESP).to_body())
    assert rows(places_of(told))[7:11] == [
        (12, "result", "NAK A1 ABOVE_MAXIMUM"),
        (13, "field", 1),
        (14, "element", 0),
        (16, "detail", 1_000_000),
    ]


def test_the_fields_of_a_log_record_are_those_of_its_type() -> None:
    boot = BootData(reset_reason=ResetReason.POWER, memory=MemoryCondition.ONE_SLOT_LOST, generation=9)
    record = log_record(boot, sequence=1, epoch=1, boot=1, elapsed_s=0)
    answer = LogReadAnswer(next_sequence=2, records=(record,))
    told = explain(frame_of(by_name["LOG_READ"], bytes((OK,)) + encode(answer), Flag.RESP).to_body())
    names = [place.name for place in places_of(told)]
    assert names[7:10] == ["result", "next_sequence", "records.count"]
    assert names[-6:] == [
        "records[0].data.reset_reason",
        "records[0].data.memory",
        "records[0].data.generation",
        "records[0].data (unused)",
        "records[0].crc32",
        "crc32",
    ]


def test_what_stands_behind_the_last_known_field() -> None:
    payload = bytes((1, 0)) + b"later"
    told = explain(frame_of(by_name["HELLO"], payload, Flag(0)).to_body())
    assert rows(places_of(told))[-2] == (14, "behind the last known field", b"later")


def test_a_sealed_frame_has_the_places_of_its_message_for_who_can_open_it() -> None:
    request = BolusPrepareRequest(
        kind=BolusKind.SINGLE, volume_nl=50_000, volume_complement=50_000 ^ 0xFFFFFFFF, duration_s=300
    )
    plain = encode(request)
    sealed = Sealer(VECTOR_KEYS, Direction.HOST_TO_PUMP).seal(
        opcode=by_name["BOLUS_PREPARE"].opcode, txn=7, address=ADDRESS, session_id=0x1234, payload=plain
    )
    closed = places_of(explain(sealed.to_body()))
    assert rows(closed)[7:10] == [(12, "sealed", sealed.payload), (25, "counter", 1), (30, "tag", sealed.sealed[5:])]
    opened = places_of(explain(sealed.to_body(), plain), plain)
    assert [place.name for place in opened[7:11]] == ["kind", "volume_nl", "volume_complement", "duration_s"]
    assert rows(opened)[11:13] == rows(closed)[8:10]
    assert (opened[8].value, opened[8].unit) == (50_000, "nl")


def test_the_field_that_cannot_be_read_has_its_place() -> None:
    told = explain(frame_of(by_name["OPEN"], b"\x09" + bytes(13), Flag(0)).to_body())
    assert told.problem_at == 12
    told = explain(frame_of(by_name["OPEN"], b"\x01\x00" + bytes(12), Flag(0)).to_body())
    assert told.problem == "no OpenRequest: host_id: allowed is 1 to 4294967295"
    assert told.problem_at == 14
