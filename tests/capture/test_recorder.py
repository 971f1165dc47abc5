"""What a capture says of the things that happen on a line, told as stories at a device."""

from collections.abc import Sequence

import pytest

from emulator.capture.pcapng import Flow, Packet
from emulator.capture.recorder import MOST_NOTES, Recorder, difference
from emulator.device import Device
from emulator.events import Event, FrameSeen, LineChanged
from emulator.inputs import CutPower, LineChange, RestorePower
from protocol.messages.read import StatusRequest
from tests.capture.recorded_sessions import a_session, capture_of
from tests.device.desk import Desk, arm, frame_of, happened, new_device

GARBAGE = bytes.fromhex("00051100")
HELLO = bytes.fromhex("0002100701 01ffffffff 0102020201 0547b8454200")
INBOUND, OUTBOUND = Flow.INBOUND, Flow.OUTBOUND


@pytest.fixture
def desk() -> Desk:
    desk = Desk(new_device(insecure=False))
    desk.open()
    return desk


def recorded(events: Sequence[Event]) -> list[Packet]:
    recorder = Recorder()
    packets = [packet for event in events for packet in recorder.take(event)]
    return packets + recorder.flush()


def captured(device: Device) -> list[Packet]:
    return recorded(happened(device))


def test_a_request_and_its_answer(desk: Desk) -> None:
    desk.wait(1.5)
    answer = desk.raw(HELLO)
    opened = "0d 00:00:00.000  port 0  line opened"
    assert captured(desk.device) == [
        Packet(interface=0, at_us=1_500_000, data=HELLO, flow=INBOUND, comments=(opened,)),
        Packet(interface=0, at_us=1_500_000, data=answer, flow=OUTBOUND),
    ]


def test_what_a_pump_sends_of_its_own_accord_comes_from_it() -> None:
    seen = FrameSeen(number=1, at_us=0, port=0, direction="event", name="E", effect="", summary="", raw=b"e")
    assert [packet.flow for packet in recorded([seen])] == [OUTBOUND]


def test_a_dropped_answer_is_in_the_capture_and_its_comment_says_so(desk: Desk) -> None:
    arm(desk.device, "drop answer HELLO")
    assert desk.raw(HELLO) == b""
    request, answer = captured(desk.device)
    assert request.comments[-1] == "0d 00:00:00.000  fault armed: drop answer HELLO nth=1 count=1"
    assert answer.comments == ("injected fault: drop answer HELLO nth=1 count=1 (the frame is lost on its way)",)
    assert answer.data
    assert answer.flow is OUTBOUND


def test_a_dropped_request_too(desk: Desk) -> None:
    arm(desk.device, "drop request HELLO")
    assert desk.raw(HELLO) == b""
    (request,) = captured(desk.device)
    assert (request.data, request.flow) == (HELLO, INBOUND)
    assert request.comments[-1].startswith("injected fault: drop request HELLO")


def test_bytes_that_are_no_frame_and_two_of_the_same(desk: Desk) -> None:
    captured(desk.device)
    desk.raw(GARBAGE + GARBAGE)
    packets = captured(desk.device)
    assert [packet.data for packet in packets] == [GARBAGE, GARBAGE]
    assert [packet.comments for packet in packets] == [("rejected: broken COBS coding",)] * 2
    assert {packet.flow for packet in packets} == {INBOUND}


def test_a_good_frame_that_the_pump_does_not_take_is_one_packet(desk: Desk) -> None:
    captured(desk.device)
    foreign = frame_of(StatusRequest(), 1, address=0xDEAD)
    desk.raw(foreign)
    (packet,) = captured(desk.device)
    assert (packet.data, packet.comments) == (foreign, ("rejected: another pump's address",))


def test_a_corrupt_request_is_there_as_it_was_sent_and_as_it_came(desk: Desk) -> None:
    captured(desk.device)
    arm(desk.device, "corrupt request HELLO byte=2")
    assert desk.raw(HELLO) == b""
    sent, came = captured(desk.device)
    assert sent.data == HELLO
    fault = "corrupt request HELLO byte=2 bit=0 burst=1 where=given nth=1 count=1"
    assert sent.comments[-1] == f"injected fault: {fault} (bits of the frame are turned over)"
    assert came.data == HELLO[:2] + b"\x11" + HELLO[3:]
    assert came.flow is INBOUND
    assert came.comments == (
        f"put on the line by the injected fault: {fault}; byte 2 is 11 instead of 10",
        "rejected: wrong CRC",
    )


@pytest.mark.parametrize("direction", ["request", "answer"])
def test_a_frame_that_comes_twice_is_there_twice(desk: Desk, direction: str) -> None:
    captured(desk.device)
    arm(desk.device, f"duplicate {direction} STATUS")
    desk.raw(frame_of(StatusRequest(), 1))
    said = [packet.comments for packet in captured(desk.device)]
    assert sum("a copy of the frame" in comment for comments in said for comment in comments) == 1
    assert len(said) == (4 if direction == "request" else 3), "the copy of a request is answered, too"


def test_a_cut_answer(desk: Desk) -> None:
    captured(desk.device)
    arm(desk.device, "truncate answer HELLO lost=4")
    received = desk.raw(HELLO)
    _, sent, came = captured(desk.device)
    assert came.data == received
    assert came.flow is OUTBOUND
    assert f"the frame, cut after {len(received)} of its {len(sent.data)} bytes" in came.comments[0]


def test_a_late_answer_is_there_when_it_was_sent_and_when_it_came(desk: Desk) -> None:
    captured(desk.device)
    arm(desk.device, "delay answer HELLO by=2s")
    assert desk.raw(HELLO) == b""
    desk.wait(3)
    _, sent, came = captured(desk.device)
    assert (came.at_us - sent.at_us, came.data) == (2_000_000, sent.data)
    assert came.comments[-1].endswith("a copy of the frame, as it was sent, 2s after it was sent")


def test_what_is_no_frame_is_told_on_the_next_packet(desk: Desk) -> None:
    captured(desk.device)
    desk.device.control(CutPower(None), 1_000_000)
    desk.device.control(RestorePower(), 2_000_000)
    desk.close()
    desk.open()
    desk.raw(HELLO)
    request, _ = captured(desk.device)
    assert [comment.partition("  ")[::2] for comment in request.comments] == [
        ("0d 00:00:01.000", "power cut"),
        ("0d 00:00:02.000", "power restored"),
        ("0d 00:00:02.000", "port 0  line closed"),
        ("0d 00:00:02.000", "port 0  line opened"),
    ]


def test_the_session_that_a_handshake_opened(desk: Desk) -> None:
    desk.open_session()
    packets = captured(desk.device)
    assert "session opened  0001 clinician host 00000C11" in packets[-1].comments[0]


def test_many_happenings_are_counted_not_kept() -> None:
    events: list[Event] = [LineChanged(number=n, at_us=n, port=0, change="opened") for n in range(1000)]
    recorder = Recorder()
    for event in events:
        assert recorder.take(event) == []
    device = new_device()
    device.line(LineChange.OPENED, 0)
    happened(device)
    device.receive(HELLO, 0)
    comments = recorder.take(happened(device)[0]) + recorder.flush()
    assert len(comments[0].comments) == MOST_NOTES + 1
    assert comments[0].comments[-1] == f"and {1000 - MOST_NOTES} more before this"


@pytest.mark.parametrize(
    ("sent", "instead", "words"),
    [
        (b"abc", b"abc", "a copy of the frame, as it was sent"),
        (b"abc", b"axc", "byte 1 is 78 instead of 62"),
        (b"abc", b"ab", "the frame, cut after 2 of its 3 bytes"),
        (b"abc", b"bcde", "4 bytes in place of 3"),
        (
            b"abcdef",
            b"ABCDEF",
            "byte 0 is 41 instead of 61, byte 1 is 42 instead of 62, byte 2 is 43 instead of 63, "
            "byte 3 is 44 instead of 64, and 2 more",
        ),
    ],
)
def test_what_a_fault_has_done_in_words(sent: bytes, instead: bytes, words: str) -> None:
    assert difference(sent, instead) == words


def test_equal_inputs_make_an_equal_capture() -> None:
    assert capture_of(a_session()) == capture_of(a_session())
