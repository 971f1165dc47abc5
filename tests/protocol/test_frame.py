"""The header's rules, and the check vectors of the specification."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.channel import Direction, Sealer
from protocol.export.vectors import CHECK_VECTORS, VECTOR_KEYS, Vector
from protocol.fields import encode
from protocol.frame import ANY_ADDRESS, Flag, Frame, FrameError, parse_body
from protocol.framing import LineFault, StreamReader, encode_wire
from protocol.messages.link import HelloRequest
from protocol.messages.operations import by_name
from protocol.refusals import OK, Nak, NakCode

ADDRESS = 0x00C0FFEE

FRAMES = (
    Frame(opcode=0x0101, txn=0, address=ANY_ADDRESS, payload=encode(HelloRequest(major=1, minor=0))),
    Frame(opcode=by_name["STATUS"].opcode, txn=7, address=ADDRESS, payload=b""),
    Frame(opcode=0x0201, txn=7, address=ADDRESS, payload=b"\x0f\x33\x00", flags=Flag.RESP),
    Frame(
        opcode=by_name["BOLUS_PREPARE"].opcode,
        txn=8,
        address=ADDRESS,
        payload=Nak(NakCode.AUTH_REQUIRED).encode(),
        flags=Flag.RESP,
    ),
    Sealer(VECTOR_KEYS, Direction.HOST_TO_PUMP).seal(
        opcode=by_name["KEEPALIVE"].opcode, txn=9, address=ADDRESS, session_id=0x1234, payload=b"\xaa\x55"
    ),
    Sealer(VECTOR_KEYS, Direction.PUMP_TO_HOST).seal(
        opcode=by_name["KEEPALIVE"].opcode,
        txn=9,
        address=ADDRESS,
        session_id=0x1234,
        payload=bytes((OK,)),
        flags=Flag.RESP,
    ),
)


@pytest.mark.parametrize("vector", CHECK_VECTORS, ids=lambda vector: vector.title)
def test_check_vectors_are_met_in_both_directions(vector: Vector) -> None:
    assert encode_wire(vector.body[:-4]) == vector.wire
    (piece,) = StreamReader().feed(vector.wire)
    assert piece.body == vector.body[:-4]
    assert parse_body(piece.body).to_wire() == vector.wire


@pytest.mark.parametrize(("frame", "vector"), list(zip(FRAMES, CHECK_VECTORS, strict=True)))
def test_check_vectors_say_what_they_are_called(frame: Frame, vector: Vector) -> None:
    assert frame.to_wire() == vector.wire


def test_a_secured_frame_keeps_its_seal_apart_from_its_payload() -> None:
    (vector,) = (vector for vector in CHECK_VECTORS if vector.title.startswith("secured KEEPALIVE"))
    frame = parse_body(vector.body[:-4])
    assert frame.header() == vector.body[:12]
    assert (frame.session_id, frame.flags) == (0x1234, Flag.SECURED)
    assert frame.payload == bytes.fromhex("7d e4")
    assert frame.sealed == bytes.fromhex("01 00 00 00 00 f7 4f 58 94 a3 e0 95 1e")


def body(first: int = 0x10, opcode: int = 0x0201, session: int = 0, length: int = 0, rest: bytes = b"") -> bytes:
    return struct.pack("<BBHIHH", first, 1, opcode, ADDRESS, session, length) + rest


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        pytest.param(body()[:-1], LineFault.SHORT, id="no whole header"),
        pytest.param(body(length=1), LineFault.LENGTH, id="length above the actual"),
        pytest.param(body(rest=b"\x00"), LineFault.LENGTH, id="length below the actual"),
        pytest.param(body(length=225, rest=bytes(225)), LineFault.LENGTH, id="above 224"),
        pytest.param(body(0x18, session=5), LineFault.LENGTH, id="secured without a seal"),
        pytest.param(body(0x11), LineFault.FLAGS, id="RESP without bit 15"),
        pytest.param(body(opcode=0x8201), LineFault.FLAGS, id="bit 15 without RESP"),
        pytest.param(body(0x18, rest=bytes(13)), LineFault.FLAGS, id="secured without session"),
        pytest.param(body(session=5), LineFault.FLAGS, id="session without secured"),
        pytest.param(body(0x13, 0x8201), LineFault.FLAGS, id="RESP and EVENT"),
        pytest.param(body(0x15, 0x8201), LineFault.FLAGS, id="RESP and RETRY"),
        pytest.param(body(0x16), LineFault.FLAGS, id="EVENT and RETRY"),
    ],
)
def test_a_body_that_breaks_a_rule_is_no_frame(wrong: bytes, fault: LineFault) -> None:
    with pytest.raises(FrameError) as caught:
        parse_body(wrong)
    assert caught.value.fault is fault


def test_the_header_of_another_major_version_can_be_read() -> None:
    assert parse_body(body(0x20)).major == 2


@given(st.binary(max_size=249))
def test_any_body_is_a_frame_that_reads_back_or_a_named_fault(any_body: bytes) -> None:
    try:
        frame = parse_body(any_body)
    except FrameError:
        return
    assert frame.to_body() == any_body


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"opcode": 0x8201}, "15 bits"),
        ({"payload": bytes(225)}, "at most 224"),
        ({"flags": Flag.RESP | Flag.EVENT}, "no direction"),
        ({"session_id": 1}, "come with SECURED"),
        ({"sealed": bytes(13)}, "come with SECURED"),
    ],
)
def test_a_frame_that_no_one_could_read_is_not_made(changes: dict[str, object], complaint: str) -> None:
    fields: dict[str, object] = {"opcode": 0x0201, "txn": 1, "address": 1, "payload": b""}
    with pytest.raises(ValueError, match=complaint):
        Frame(**(fields | changes))  # type: ignore[arg-type]
