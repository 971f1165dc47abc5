"""The programmer's side of the line: when it asks again, when it gives up, and which answer it believes."""

import pytest

from protocol.fields import encode
from protocol.frame import ANY_ADDRESS, Flag, Frame, parse_body
from protocol.framing import StreamReader
from protocol.host_end import Answered, HostEnd, NoAnswer, Refused
from protocol.messages.codes import Capability, Marks, Role
from protocol.messages.deliver import StopRequest
from protocol.messages.link import HelloAnswer, HelloRequest
from protocol.messages.op import OpQueryRequest
from protocol.messages.operations import operation_of
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest
from protocol.refusals import OK, Nak, NakCode

ADDRESS = 0x00C0FFEE
TIMEOUT_US = 600_000
TIME = TimeReadAnswer(elapsed_s=5, rtc_unix_s=0, offset_min=0)
HELLO = HelloAnswer(
    major=1,
    minor=0,
    capabilities=Capability(0),
    model="m",
    serial_number=ADDRESS,
    firmware_hash=bytes(8),
    max_payload=224,
    marks=Marks.EMULATOR,
)


@pytest.fixture
def host() -> HostEnd:
    return HostEnd(address=ADDRESS)


def sent(host: HostEnd) -> Frame | None:
    pieces = list(StreamReader().feed(host.data_to_send()))
    if not pieces:
        return None
    (piece,) = pieces
    assert piece.body is not None
    return parse_body(piece.body)


def sent_frame(host: HostEnd) -> Frame:
    frame = sent(host)
    assert frame is not None, "nothing was sent"
    return frame


def answer_to(frame: Frame, reply: object, *, address: int = ADDRESS) -> bytes:
    payload = reply.encode() if isinstance(reply, Nak) else bytes((OK,)) + encode(reply)
    return Frame(opcode=frame.opcode, txn=frame.txn, address=address, payload=payload, flags=Flag.RESP).to_wire()


def test_hello_teaches_the_address() -> None:
    host = HostEnd()
    with pytest.raises(ValueError, match="TIME_READ needs the pump's address: ask HELLO first"):
        host.request(TimeReadRequest(), 0)
    host.request(HelloRequest(major=1, minor=0), 0)
    frame = sent_frame(host)
    assert (frame.address, frame.txn, frame.flags) == (ANY_ADDRESS, 1, Flag(0))
    host.receive(answer_to(frame, HELLO), 5)
    assert host.next_event() == Answered(HELLO, 1)
    assert host.address == ADDRESS
    assert (host.busy, host.next_deadline(), host.next_event(), sent(host)) == (False, None, None, None)


def test_one_request_at_a_time(host: HostEnd) -> None:
    host.request(TimeReadRequest(), 0)
    with pytest.raises(RuntimeError, match="TIME_READ is still unanswered"):
        host.request(TimeReadRequest(), 0)


def test_a_retry_is_the_same_frame_with_its_flag_and_the_fourth_silence_is_the_last(host: HostEnd) -> None:
    host.request(TimeReadRequest(), 0)
    first = sent_frame(host)
    for copy in range(1, 4):
        host.advance(copy * TIMEOUT_US - 1)
        assert sent(host) is None
        host.advance(copy * TIMEOUT_US)
        retry = sent_frame(host)
        assert (retry.txn, retry.opcode, retry.payload, retry.flags) == (first.txn, first.opcode, b"", Flag.RETRY)
    host.advance(4 * TIMEOUT_US)
    assert (host.next_event(), host.busy, sent(host)) == (NoAnswer(1), False, None)
    host.request(TimeReadRequest(), 4 * TIMEOUT_US)
    assert sent_frame(host).txn == 2


def test_sequenced_requests_and_the_others_count_apart() -> None:
    host = HostEnd(address=ADDRESS, first_txn=255)
    txns = []
    for message in (
        TimeReadRequest(),
        StopRequest(op_id=1, therapy_rev=0),
        TimeReadRequest(),
        OpQueryRequest(role=Role.CLINICIAN, op_id=1),
        TimeReadRequest(),
    ):
        host.request(message, 0)
        frame = sent_frame(host)
        host.receive(answer_to(frame, Nak(NakCode.CONDITIONS)), 0)
        assert host.next_event() == Refused(Nak(NakCode.CONDITIONS), frame.txn)
        txns.append((operation_of(message).sequenced, frame.txn))
    assert txns == [(True, 255), (False, 255), (True, 0), (False, 0), (True, 1)]


def test_only_the_answer_to_the_newest_request_counts(host: HostEnd) -> None:
    host.request(TimeReadRequest(), 0)
    frame = sent_frame(host)
    wrong = [
        answer_to(frame, TIME, address=ADDRESS + 1),
        answer_to(Frame(opcode=frame.opcode, txn=9, address=ADDRESS, payload=b""), TIME),
        answer_to(Frame(opcode=0x0201, txn=frame.txn, address=ADDRESS, payload=b""), TIME),
        frame.to_wire(),
        Frame(opcode=frame.opcode, txn=1, address=ADDRESS, payload=b"", flags=Flag.RESP).to_wire(),
        Frame(opcode=frame.opcode, txn=1, address=ADDRESS, payload=b"\x0f\x00", flags=Flag.RESP).to_wire(),
        Frame(opcode=frame.opcode, txn=1, address=ADDRESS, payload=bytes(8), flags=Flag.RESP).to_wire(),
        b"\x00\x05noise\x00",
    ]
    for count, data in enumerate(wrong, 1):
        host.receive(data, 0)
        assert (host.busy, host.ignored) == (True, count)
    for byte in answer_to(frame, TIME):
        host.receive(bytes((byte,)), 0)
    assert host.next_event() == Answered(TIME, 1)
    host.receive(answer_to(frame, TIME), 0)
    assert (host.next_event(), host.ignored) == (None, len(wrong) + 1)


def test_pending_gives_more_time_five_times(host: HostEnd) -> None:
    host.request(TimeReadRequest(), 0)
    frame = sent_frame(host)
    for count in range(1, 8):
        host.receive(answer_to(frame, Nak(NakCode.PENDING)), count)
        assert host.next_deadline() == min(count, 5) + 5_000_000
    assert sent(host) is None
    host.receive(answer_to(frame, TIME), 10)
    assert host.next_event() == Answered(TIME, 1)


def test_busy_is_asked_again_after_a_while_until_the_retries_are_used(host: HostEnd) -> None:
    host.request(TimeReadRequest(), 0)
    busy = answer_to(sent_frame(host), Nak(NakCode.BUSY))
    for copy in range(3):
        host.receive(busy, copy * 100_000)
        assert sent(host) is None
        host.advance((copy + 1) * 100_000)
        assert (frame := sent_frame(host)).flags == Flag.RETRY
        assert frame.txn == 1
    host.receive(busy, 300_000)
    assert host.next_event() == Refused(Nak(NakCode.BUSY), 1)


def test_a_pump_that_counts_otherwise_is_followed_three_times(host: HostEnd) -> None:
    host.request(TimeReadRequest(), 0)
    for last in (40, 255, 7):
        host.receive(answer_to(sent_frame(host), Nak(NakCode.SEQUENCE, detail=last)), 0)
        host.advance(0)
    frame = sent_frame(host)
    assert (frame.txn, frame.flags) == (8, Flag(0))
    host.receive(answer_to(frame, Nak(NakCode.SEQUENCE, detail=1)), 0)
    assert host.next_event() == Refused(Nak(NakCode.SEQUENCE, detail=1), 8)
    host.request(TimeReadRequest(), 0)
    assert sent_frame(host).txn == 9


def test_a_stop_is_not_renumbered(host: HostEnd) -> None:
    host.request(StopRequest(op_id=1, therapy_rev=0), 0)
    host.receive(answer_to(sent_frame(host), Nak(NakCode.SEQUENCE, detail=4)), 0)
    assert host.next_event() == Refused(Nak(NakCode.SEQUENCE, detail=4), 1)
