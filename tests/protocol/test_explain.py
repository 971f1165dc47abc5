"""A frame in words: whatever a frame holds, it is told, and what is wrong with it is told too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.channel import Direction, Sealer
from protocol.explain import explain
from protocol.export.vectors import VECTOR_KEYS
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.messages.alarm import AlarmAckAnswer
from protocol.messages.codes import AlarmState, Block, OpenFlag, Role, RunState
from protocol.messages.link import OpenRequest
from protocol.messages.log import LogReadAnswer, LogRecord
from protocol.messages.operations import OPERATIONS
from protocol.messages.program import ProgramWriteRequest
from protocol.messages.read import ReducedStatusAnswer
from protocol.refusals import OK, Nak, NakCode

ADDRESS = 0x00C0FFEE
ACKNOWLEDGED = AlarmAckAnswer(instance=3, state=AlarmState.ACKNOWLEDGED)


def told(opcode: int, payload: bytes, flags: Flag = Flag.RESP, major: int = 1) -> str:
    frame = Frame(opcode=opcode, txn=7, address=ADDRESS, payload=payload, flags=flags, major=major)
    return explain(frame.to_body()).summary


def test_a_granted_answer_names_its_fields_and_enumerations() -> None:
    assert told(0x0502, bytes((OK,)) + encode(ACKNOWLEDGED)) == "txn=7 OK instance=3 state=ACKNOWLEDGED"


def test_a_refusal_names_the_field_and_the_limit() -> None:
    nak = Nak(NakCode.ABOVE_MAXIMUM, field=1, detail=1_000_000)
    assert told(0x0403, nak.encode()) == (
        "txn=7 NAK A1 ABOVE_MAXIMUM: above the most possible; field=volume_nl detail=1000000"
    )


def test_bytes_blocks_and_flags_are_told() -> None:
    write = ProgramWriteRequest(stage_id=3, block=Block.INFUSION, offset=0, data=b"\x01\x02")
    assert told(0x0302, encode(write), Flag(0)) == "txn=7 stage_id=3 block=INFUSION offset=0 data=0102"
    opening = OpenRequest(role=Role.CLINICIAN, flags=OpenFlag.TAKEOVER, host_id=81, host_challenge=bytes(8))
    assert told(0x0102, encode(opening), Flag(0)) == (
        "txn=7 role=CLINICIAN flags=TAKEOVER host_id=81 host_challenge=0000000000000000"
    )


def test_a_status_without_a_session_is_told_by_what_it_has() -> None:
    reduced = ReducedStatusAnswer(run_state=RunState.RUNNING, alarm_present=1)
    assert told(0x0201, bytes((OK,)) + encode(reduced)) == "txn=7 OK run_state=RUNNING alarm_present=1"


def test_a_sealed_frame_is_told_by_its_session_and_in_full_to_who_can_open_it() -> None:
    plain = bytes((OK,)) + encode(ACKNOWLEDGED)
    sealed = Sealer(VECTOR_KEYS, Direction.PUMP_TO_HOST).seal(
        opcode=0x0502, txn=7, address=ADDRESS, session_id=0x1234, payload=plain, flags=Flag.RESP
    )
    shut = explain(sealed.to_body())
    assert (shut.name, shut.message, shut.problem) == ("ALARM_ACK", None, "secured")
    assert shut.summary.startswith("txn=7 session=1234 payload=")
    opened = explain(sealed.to_body(), plain)
    assert (opened.message, opened.problem) == (ACKNOWLEDGED, "")
    assert opened.summary == "txn=7 session=1234 OK instance=3 state=ACKNOWLEDGED"
    refused = explain(sealed.to_body(), Nak(NakCode.NO_SUCH_ALARM).encode())
    assert refused.nak == Nak(NakCode.NO_SUCH_ALARM)


@pytest.mark.parametrize(
    ("opcode", "payload", "flags", "major", "problem"),
    [
        (0x0201, b"", Flag.RESP, 1, "an answer without its result byte"),
        (0x0201, b"\x42", Flag.RESP, 1, "no known NAK"),
        (0x0201, b"\x01", Flag(0), 1, "no StatusRequest"),
        (0x7F01, b"\x01", Flag(0), 1, "unknown operation"),
        (0x0705, b"\x01", Flag.EVENT, 1, "unknown event"),
        (0x0704, b"\x01", Flag.EVENT, 1, "no StreamEvent"),
        (0x0704, b"", Flag(0), 1, "unknown operation"),
        (0x0201, b"", Flag(0), 2, "major version 2, not 1"),
    ],
)
def test_what_is_wrong_is_told(opcode: int, payload: bytes, flags: Flag, major: int, problem: str) -> None:
    assert problem in told(opcode, payload, flags, major)


def test_a_log_record_with_a_length_that_cannot_be_is_told_as_it_is() -> None:
    record = LogRecord(
        sequence=1,
        epoch=1,
        boot=1,
        elapsed_s=0,
        rtc_unix_s=0,
        type=0x0103,
        flags=0,
        data_length=3,
        op_id=1,
        data=bytes(20),
    )
    answer = LogReadAnswer(next_sequence=2, records=(record,))
    assert "data_length=3" in told(0x0602, bytes((OK,)) + encode(answer))


@given(
    st.sampled_from(OPERATIONS), st.binary(max_size=224), st.sampled_from([Flag(0), Flag.RETRY, Flag.RESP, Flag.EVENT])
)
def test_any_payload_is_told(operation: object, payload: bytes, flags: Flag) -> None:
    opcode = getattr(operation, "opcode", 0)
    assert told(opcode, payload, flags).startswith("txn=7")
