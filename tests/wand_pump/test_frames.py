"""The frames of the older pump: whole ones are found however they arrive, and all else is a rejected piece."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wand_pump.frames import LENGTH_MAX, PAUSE_US, Cutter, frame_of, parts_of
from wand_pump.messages import ANSWER_BIT, OPERATIONS, RATE, SET_RATE, STATUS, STOP, fields_in, pack, unpack
from wand_pump.recordings import Recordings

from emulator.capture.explainer import Explained, PacketExplainer
from emulator.capture.pcapng import LINKTYPE_USER0, Flow
from emulator.capture.reader import CapturedPacket, Interface
from emulator.wire import DecoderSetting, Direction, FieldRow, WireFrame

BODIES = st.tuples(st.integers(0, 0xFF), st.binary(max_size=LENGTH_MAX - 1))
HELD_MAX = 2 + LENGTH_MAX + 2


def cut(cutter: Cutter, data: bytes, size: int | None = None, now: int = 0) -> list[WireFrame]:
    size = size or len(data) or 1
    return [piece for at in range(0, len(data), size) for piece in cutter.feed(data[at : at + size], now)]


def test_a_frame_by_hand() -> None:
    raw = bytes.fromhex("02 03 03 00 0c 87 c0")
    assert raw == frame_of(SET_RATE, b"\x00\x0c")
    (piece,) = cut(Cutter(Direction.REQUEST), raw)
    assert piece == WireFrame(raw, Direction.REQUEST, "SET_RATE", "therapy", "rate=12 x 0.1 uL/h")


@given(BODIES)
def test_what_is_framed_is_found_again(body: tuple[int, bytes]) -> None:
    raw = frame_of(*body)
    (piece,) = cut(Cutter(None), raw)
    assert (piece.raw, piece.rejected, parts_of(piece.raw)) == (raw, "", body)
    assert piece.direction is (Direction.ANSWER if body[0] & ANSWER_BIT else Direction.REQUEST)


@given(st.lists(BODIES, max_size=6), st.integers(1, 40))
def test_frames_are_found_however_they_arrive(bodies: list[tuple[int, bytes]], size: int) -> None:
    frames = [frame_of(*body) for body in bodies]
    assert [piece.raw for piece in cut(Cutter(None), b"".join(frames), size)] == frames


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from([1, 2, 3, 4, 16, 17]), max_size=200).map(bytes)))
def test_garbage_is_rejected_pieces_and_nothing_else(data: bytes) -> None:
    for direction in (*Direction, None):
        cutter = Cutter(direction)
        joined = b""
        for at in range(len(data)):
            joined += b"".join(piece.raw for piece in cutter.feed(data[at : at + 1], 0))
            assert data.startswith(joined)
            assert at + 1 - len(joined) <= HELD_MAX, "what is held back is one frame at most"
        decoder = Recordings(DecoderSetting())
        for piece in cut(Cutter(direction), data):
            assert piece.rejected or decoder.explain(piece).direction == piece.direction.value


@given(BODIES, st.data())
def test_no_single_wrong_bit_passes(body: tuple[int, bytes], data: st.DataObject) -> None:
    raw = bytearray(frame_of(*body))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    assert all(piece.rejected for piece in cut(Cutter(None), bytes(raw)))


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ("02 03 03 00 0c 87 c1", "wrong checksum"),
        ("fe fd", "noise"),
        ("02 00", "a length of 0"),
        ("02 11", "a length of 17"),
    ],
)
def test_what_is_no_frame_says_why_and_the_next_one_is_found(spoilt: str, reason: str) -> None:
    good = frame_of(STOP, b"")
    wrong, right = cut(Cutter(Direction.REQUEST), bytes.fromhex(spoilt) + good)
    assert (wrong.raw, wrong.rejected) == (bytes.fromhex(spoilt), reason)
    assert (right.raw, right.name, right.rejected) == (good, "STOP", "")


def test_a_pause_ends_a_frame_that_has_begun() -> None:
    raw, cutter = frame_of(STOP, b""), Cutter(Direction.REQUEST)
    assert cut(cutter, raw[:3], now=0) == []
    assert [piece.name for piece in cut(cutter, raw[3:], now=PAUSE_US)] == ["STOP"]
    assert cut(cutter, raw[:3], now=PAUSE_US) == []
    late, whole = cut(cutter, raw, now=2 * PAUSE_US + 1)
    assert (late.raw, late.rejected) == (raw[:3], "a pause within a frame")
    assert whole.name == "STOP"


def test_what_goes_the_wrong_way_is_rejected() -> None:
    asked, answered = frame_of(STOP, b""), frame_of(STOP | ANSWER_BIT, b"\x06")
    (piece,) = cut(Cutter(Direction.REQUEST), answered)
    assert piece.rejected == "an answer from the side that asks"
    (piece,) = cut(Cutter(Direction.ANSWER), asked)
    assert piece.rejected == "a request from the side that answers"


@given(st.sampled_from(sorted(OPERATIONS)), st.data())
def test_numbers_come_back_from_their_bytes(operation: int, data: st.DataObject) -> None:
    known = OPERATIONS[operation]
    for fields, head in ((known.request, None), (known.answer, b"\x06")):
        values = tuple(data.draw(st.integers(0, field.maximum)) for field in fields)
        packed = pack(fields, values)
        assert unpack(fields, packed) == dict(zip([field.name for field in fields], values, strict=True))
        seen = fields_in(operation, packed) if head is None else fields_in(operation | ANSWER_BIT, head + packed)
        assert seen == ("ACK" if head else "", fields, unpack(fields, packed))
        assert unpack(fields, packed + b"\x00") is None


def test_a_number_that_is_too_large_is_the_largest_there_is() -> None:
    assert pack([RATE], [70_000]) == b"\xff\xff"


def test_an_operation_that_nobody_knows_has_its_number() -> None:
    (piece,) = cut(Cutter(None), frame_of(0x55, b"\x01"))
    assert (piece.name, piece.effect, piece.rejected) == ("55", "", "")
    words = Recordings(DecoderSetting()).explain(piece)
    assert (words.problem, words.document) == ("the data is not what its fields are", {"verdict": None, "fields": None})


def test_a_recording_in_words() -> None:
    decoder = Recordings(DecoderSetting())
    answer = frame_of(STATUS | ANSWER_BIT, bytes.fromhex("06 01 00 0c 00 c8 00 0a 00"))
    (piece,) = cut(decoder.cutter(None), answer)
    words = decoder.explain(piece)
    assert words.direction == "answer"
    assert words.words == "ACK running=1 rate=12 x 0.1 uL/h reservoir=200 x 0.1 mL bolus_left=10 uL alarms=0"
    assert words.document["fields"] == {"running": 1, "rate": 12, "reservoir": 200, "bolus_left": 10, "alarms": 0}
    rows = Recordings(DecoderSetting(thorough=True)).explain(piece).rows
    assert rows[:2] == (FieldRow(4, "running", "1"), FieldRow(5, "rate", "12", "x 0.1 uL/h"))
    assert [row.offset for row in rows] == [4, 5, 7, 9, 11], "behind the ACK"
    assert decoder.unfinished(b"\x02") == "unfinished: 1 bytes of a frame"


@pytest.mark.parametrize(("pause_us", "found"), [(PAUSE_US, ["STOP"]), (PAUSE_US + 1, ["", ""])])
def test_a_pause_counts_in_a_capture_as_on_the_line(pause_us: int, found: list[str]) -> None:
    raw, interface = frame_of(STOP, b""), Interface(0, LINKTYPE_USER0)
    explainer = PacketExplainer(Recordings(DecoderSetting()))
    explained: list[Explained] = []
    for number, (at_us, data) in enumerate(((7, raw[:2]), (7 + pause_us, raw[2:])), start=1):
        packet = CapturedPacket(number=number, interface=interface, at_us=at_us, data=data, flow=Flow.INBOUND)
        explained += explainer.feed(packet)
    assert [each.name for each in (*explained, *explainer.rest())] == found
