"""The pump's side of the line, told as stories: the order of txn, who has the line, and what is counted."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device_end import (
    FRAMES_HELD_MAX,
    SILENCE_US,
    UNSEQUENCED_REQUESTS_MAX,
    DeviceEnd,
    SessionEnded,
    SessionOpened,
)
from protocol.frame import ANY_ADDRESS, Flag, Frame
from protocol.framing import LineFault, Piece, StreamReader
from protocol.messages.codes import Role
from protocol.messages.link import LinkStatsAnswer
from protocol.messages.operations import by_name, payload_hash
from protocol.refusals import OK, Nak, NakCode
from tests.protocol.pump_line import ADDRESS, ALARM_ACK, HELLO, OP_QUERY, STATUS, STOP, TIME, TIME_READ, PumpLine


@pytest.fixture
def pump() -> PumpLine:
    return PumpLine()


def test_a_request_reaches_the_pump_with_all_that_is_known_about_it(pump: PumpLine) -> None:
    pump.send(ALARM_ACK, 9)
    request = pump.asked()
    assert (request.port, request.session, request.role, request.host_id) == (0, 1, Role.CLINICIAN, 0)
    assert (request.operation, request.txn, request.message.instance) == (by_name["ALARM_ACK"], 9, 5)
    assert request.payload_hash == payload_hash(request.operation.opcode, request.message)
    assert pump.end.next_request() is None


def test_the_first_txn_is_any_and_the_next_one_is_new(pump: PumpLine) -> None:
    for txn in (254, 255, 0, 1):
        pump.exchange(txn)


def test_a_new_txn_with_retry_is_new_all_the_same(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.send(TIME_READ, 6, flags=Flag.RETRY)
    assert pump.asked().txn == 6


@pytest.mark.parametrize("flags", [Flag(0), Flag.RETRY])
def test_a_lost_answer_is_sent_again_to_the_byte_and_the_pump_hears_nothing(pump: PumpLine, flags: Flag) -> None:
    wire = pump.exchange(5)
    pump.send(TIME_READ, 5, flags=flags)
    assert pump.wires() == [wire]
    assert pump.end.next_request() is None
    assert pump.end.stats(0).duplicates == 1


def test_a_refusal_is_cached_as_an_answer_is(pump: PumpLine) -> None:
    pump.send(ALARM_ACK, 5)
    pump.end.refuse(pump.asked().token, Nak(NakCode.NO_SUCH_ALARM, field=0))
    first = pump.wires()
    pump.send(ALARM_ACK, 5)
    assert pump.wires() == first
    assert pump.end.next_request() is None


@pytest.mark.parametrize("txn", [4, 7, 250])
def test_a_txn_out_of_sequence_is_refused_and_named(pump: PumpLine, txn: int) -> None:
    pump.exchange(5)
    pump.send(TIME_READ, txn)
    assert pump.replies() == [(txn, Nak(NakCode.SEQUENCE, detail=5))]
    assert pump.end.stats(0).sequence_refusals == 1
    pump.exchange(6)


@pytest.mark.parametrize("other", [STATUS, ALARM_ACK])
def test_the_last_txn_with_another_request_is_out_of_sequence(pump: PumpLine, other: tuple[str, bytes]) -> None:
    pump.exchange(5)
    pump.send(other, 5)
    assert pump.replies() == [(5, Nak(NakCode.SEQUENCE, detail=5))]


def test_while_a_request_is_unanswered_its_copy_gets_pending_and_others_busy(pump: PumpLine) -> None:
    pump.exchange(4)
    pump.send(TIME_READ, 5)
    token = pump.asked().token
    pump.send(TIME_READ, 5, flags=Flag.RETRY)
    pump.send(STATUS, 6)
    pump.send(STATUS, 5)
    assert pump.replies() == [(5, Nak(NakCode.PENDING)), (6, Nak(NakCode.BUSY)), (5, Nak(NakCode.BUSY))]
    pump.end.answer(token, TIME)
    (wire,) = pump.wires()
    pump.send(TIME_READ, 5)
    assert pump.wires() == [wire]
    pump.exchange(6)


def test_a_pump_that_refuses_with_busy_moves_nothing(pump: PumpLine) -> None:
    wire = pump.exchange(4)
    pump.send(STATUS, 5)
    pump.end.refuse(pump.asked().token, Nak(NakCode.BUSY))
    assert pump.replies() == [(5, Nak(NakCode.BUSY))]
    pump.send(TIME_READ, 4)
    assert pump.wires() == [wire]
    pump.exchange(5)


def test_a_pump_that_says_pending_still_owes_the_answer(pump: PumpLine) -> None:
    pump.send(TIME_READ, 5)
    token = pump.asked().token
    pump.end.refuse(token, Nak(NakCode.PENDING))
    pump.end.answer(token, TIME)
    assert pump.replies() == [(5, Nak(NakCode.PENDING)), (5, OK)]


def test_stop_and_query_pass_a_request_that_is_unanswered(pump: PumpLine) -> None:
    pump.exchange(4)
    pump.send(TIME_READ, 5)
    waiting = pump.asked().token
    pump.send(STOP, 77)
    pump.send(OP_QUERY, 78)
    stop, query = pump.asked(), pump.asked()
    assert (stop.operation.name, query.operation.name) == ("STOP", "OP_QUERY")
    pump.end.refuse(waiting, Nak(NakCode.PUMP_STOPPED))
    pump.end.refuse(stop.token, Nak(NakCode.MEMORY_FAILURE))
    assert pump.replies() == [(5, Nak(NakCode.PUMP_STOPPED)), (77, Nak(NakCode.MEMORY_FAILURE))]
    pump.exchange(6)


def test_a_stop_is_never_answered_from_the_cache(pump: PumpLine) -> None:
    for _ in range(2):
        pump.send(STOP, 77)
        pump.end.refuse(pump.asked().token, Nak(NakCode.MEMORY_FAILURE))


def test_requests_outside_the_sequence_are_bounded(pump: PumpLine) -> None:
    for _ in range(UNSEQUENCED_REQUESTS_MAX):
        pump.send(HELLO, 1)
    pump.send(HELLO, 2)
    assert pump.replies() == [(2, Nak(NakCode.BUSY))]


@pytest.mark.parametrize(
    ("opcode", "payload", "nak"),
    [
        pytest.param(0x1F01, b"", Nak(NakCode.UNKNOWN_SERVICE), id="service"),
        pytest.param(0x0301, b"", Nak(NakCode.UNKNOWN_OP), id="a service that is not built"),
        pytest.param(0x0102, b"", Nak(NakCode.UNKNOWN_OP), id="an operation that is not built"),
        pytest.param(0x0201, b"\x00", Nak(NakCode.FORMAT), id="trailing byte"),
        pytest.param(0x0502, b"\x00", Nak(NakCode.FORMAT, field=0), id="truncated"),
        pytest.param(0x0403, b"\x33" + bytes(12), Nak(NakCode.REDUNDANCY_MISMATCH, field=2), id="complement"),
    ],
)
def test_what_is_no_request_is_refused_in_sequence(pump: PumpLine, opcode: int, payload: bytes, nak: Nak) -> None:
    pump.exchange(4)
    body = Frame(opcode=opcode, txn=9, address=ADDRESS, payload=payload).to_body()
    pump.send_body(body)
    assert pump.replies() == [(9, Nak(NakCode.SEQUENCE, detail=4))]
    body = Frame(opcode=opcode, txn=5, address=ADDRESS, payload=payload).to_body()
    pump.send_body(body)
    first = pump.wires()
    pump.send_body(body)
    assert pump.wires() == first
    pump.send_body(body)
    assert pump.replies() == [(5, nak)]
    pump.exchange(6)


def test_a_stop_in_a_wrong_format_is_refused_outside_the_sequence(pump: PumpLine) -> None:
    pump.exchange(4)
    pump.send(("STOP", bytes(8)), 200)
    assert pump.replies() == [(200, Nak(NakCode.FORMAT, field=0))]
    pump.exchange(5)


def test_hello_is_answered_at_any_time_and_takes_no_part(pump: PumpLine) -> None:
    pump.exchange(4)
    pump.send(TIME_READ, 5)
    pump.asked()
    pump.send(HELLO, 200, address=ANY_ADDRESS)
    pump.end.refuse(pump.asked().token, Nak(NakCode.CONDITIONS))
    pump.send(HELLO, 200)
    assert pump.asked().operation.name == "HELLO"
    assert pump.replies() == [(200, Nak(NakCode.CONDITIONS))]


def test_hello_may_be_longer_and_of_another_major_version(pump: PumpLine) -> None:
    body = Frame(opcode=0x0101, txn=1, address=ANY_ADDRESS, payload=b"\x02\x07\x55", major=2).to_body()
    pump.send_body(body)
    assert (pump.asked().message.major, pump.end.stats(0).version_errors) == (2, 0)


def header(first: int, opcode: int, address: int, session: int = 0) -> bytes:
    return struct.pack("<BBHIHH", first, 1, opcode, address, session, 0)


@pytest.mark.parametrize(
    ("body", "counter"),
    [
        pytest.param(header(0x20, 0x0201, ADDRESS), "version_errors", id="another major version"),
        pytest.param(header(0x10, 0x0201, ADDRESS + 1), "address_errors", id="another pump"),
        pytest.param(header(0x10, 0x0201, ANY_ADDRESS), "address_errors", id="any pump, but not HELLO"),
        pytest.param(header(0x11, 0x8201, ADDRESS), "flags_errors", id="an answer"),
        pytest.param(header(0x12, 0x0201, ADDRESS), "flags_errors", id="an event"),
        pytest.param(header(0x10, 0x0201, ADDRESS, 7), "flags_errors", id="session without seal"),
        pytest.param(header(0x10, 0x0201, ADDRESS) + b"\x00", "length_errors", id="length"),
    ],
)
def test_a_frame_that_is_not_for_us_is_dropped_in_silence_and_counted(
    pump: PumpLine, body: bytes, counter: str
) -> None:
    fault = pump.send_body(body)
    assert fault is not None
    assert f"{fault.value}_errors" == counter
    assert pump.wires() == []
    assert pump.end.next_request() is None
    stats = pump.end.stats(0)
    assert (getattr(stats, counter), stats.frames_received) == (1, 0)


def test_every_line_error_has_its_counter(pump: PumpLine) -> None:
    for fault in LineFault:
        assert pump.fault(Piece(b"\x00", None, fault)) is fault
    answer = pump.end.stats(0).to_answer()
    assert isinstance(answer, LinkStatsAnswer)
    assert all(getattr(answer, f"{fault.value}_errors") == 1 for fault in LineFault)
    assert pump.wires() == []


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_noise_is_never_answered(chunks: list[bytes]) -> None:
    pump, reader = PumpLine(), StreamReader()
    for chunk in chunks:
        for piece in reader.feed(chunk):
            pump.fault(piece)
    assert pump.wires() == []
    assert pump.end.next_request() is None


def test_a_secured_frame_names_no_session_that_is_known(pump: PumpLine) -> None:
    body = Frame(
        opcode=0x0201, txn=9, address=ADDRESS, payload=b"", session_id=7, flags=Flag.SECURED, sealed=bytes(13)
    ).to_body()
    pump.send_body(body)
    assert pump.replies() == [(9, Nak(NakCode.NO_SUCH_SESSION))]
    pump.exchange(200)


def test_an_opened_line_is_a_session_and_ends_with_its_line(pump: PumpLine) -> None:
    pump.send(TIME_READ, 1)
    token = pump.asked().token
    pump.end.line_closed(0, 5)
    assert not pump.end.session_open
    assert (pump.end.session_of(0), pump.end.next_deadline()) == (0, None)
    pump.end.line_opened(0, 6)
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    assert pump.events() == [SessionOpened(0, 1), SessionEnded(0, 1, "line"), SessionOpened(0, 2)]
    pump.exchange(77)


def test_a_line_that_is_opened_twice_has_a_new_session(pump: PumpLine) -> None:
    pump.end.line_opened(0, 5)
    assert pump.events()[1:] == [SessionEnded(0, 1, "line"), SessionOpened(0, 2)]


def test_a_closed_line_hears_nothing_and_sends_nothing(pump: PumpLine) -> None:
    pump.exchange(1)
    pump.send(TIME_READ, 1)
    pump.end.line_closed(0, 5)
    pump.end.line_closed(0, 5)
    pump.send(TIME_READ, 2)
    assert (pump.end.next_request(), pump.wires(), pump.wires(port=3)) == (None, [], [])
    assert pump.end.stats(0).frames_received == 2
    assert pump.end.stats(3).frames_received == 0


def test_a_newly_opened_line_displaces_the_other(pump: PumpLine) -> None:
    pump.send(TIME_READ, 1)
    token = pump.asked().token
    pump.end.line_opened(1, 5)
    assert pump.events() == [SessionOpened(0, 1), SessionEnded(0, 1, "displaced"), SessionOpened(1, 2)]
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    for named in (TIME_READ, STOP, OP_QUERY):
        pump.send(named, 2)
    assert pump.replies() == [(2, Nak(NakCode.NO_SUCH_SESSION))] * 3
    pump.exchange(9, port=1)

    pump.send(HELLO, 3)
    request = pump.asked()
    assert (request.session, request.role) == (0, None)
    pump.end.refuse(request.token, Nak(NakCode.CONDITIONS))
    assert pump.replies() == [(3, Nak(NakCode.CONDITIONS))]


def test_a_displaced_line_stays_so_until_it_is_opened_anew(pump: PumpLine) -> None:
    pump.end.line_opened(1, 5)
    pump.end.line_closed(1, 6)
    pump.send(TIME_READ, 2)
    assert pump.replies() == [(2, Nak(NakCode.NO_SUCH_SESSION))]
    assert not pump.end.session_open
    pump.end.line_opened(0, 7)
    pump.exchange(2)


def test_a_line_without_session_is_displaced_too(pump: PumpLine) -> None:
    pump.end.advance(SILENCE_US)
    pump.end.line_opened(1, SILENCE_US)
    pump.now = SILENCE_US
    pump.send(TIME_READ, 2)
    assert pump.replies() == [(2, Nak(NakCode.NO_SUCH_SESSION))]


def test_silence_ends_the_session_and_the_next_frame_opens_another(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.now = 1_000_000
    pump.exchange(6)
    assert pump.end.next_deadline() == 1_000_000 + SILENCE_US
    pump.end.advance(SILENCE_US + 999_999)
    assert pump.end.session_of(0) == 1
    pump.send(TIME_READ, 7)
    token = pump.asked().token
    pump.now = SILENCE_US + 1_000_000
    pump.exchange(200)
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    assert pump.events() == [SessionOpened(0, 1), SessionEnded(0, 1, "silence"), SessionOpened(0, 2)]


def test_line_errors_do_not_keep_a_session_alive(pump: PumpLine) -> None:
    pump.now = 5
    pump.fault(Piece(b"\x01\x00", None, LineFault.COBS))
    pump.send_body(header(0x10, 0x0201, ADDRESS + 1))
    assert pump.end.next_deadline() == SILENCE_US


def test_lost_power_forgets_all_and_the_next_frame_opens_a_session(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.send(TIME_READ, 5)
    pump.send(TIME_READ, 6)
    pump.end.power_lost()
    assert (pump.wires(), pump.end.next_request(), pump.end.next_deadline()) == ([], None, None)
    assert pump.end.stats(0).frames_received == 0
    pump.exchange(200)
    assert pump.events() == [SessionOpened(0, 1), SessionEnded(0, 1, "power"), SessionOpened(0, 2)]


def test_unknown_tokens_are_ignored_and_wrong_answers_are_our_error(pump: PumpLine) -> None:
    pump.end.answer(99, TIME)
    pump.end.refuse(99, Nak(NakCode.CONDITIONS))
    pump.send(STATUS, 1)
    token = pump.asked().token
    with pytest.raises(TypeError, match="STATUS is answered by StatusAnswer"):
        pump.end.answer(token, TIME)
    assert pump.wires() == []


def test_a_line_that_nobody_reads_holds_a_bounded_number_of_frames(pump: PumpLine) -> None:
    wire = pump.exchange(1)
    for _ in range(FRAMES_HELD_MAX + 5):
        pump.send(TIME_READ, 1)
    assert pump.wires() == [wire] * FRAMES_HELD_MAX


def test_without_insecure_only_hello_is_answered() -> None:
    pump = PumpLine(insecure=False)
    pump.send(("BOLUS_PREPARE", b""), 8)
    (wire,) = pump.wires()
    assert wire.hex() == "000811080384eeffc0010102080334ff0101010101052c1716bb00"
    pump.send(HELLO, 1, address=ANY_ADDRESS)
    assert pump.asked().session == 0
    assert not pump.end.session_open
    assert pump.events() == []


def test_two_ends_share_nothing() -> None:
    first, second = DeviceEnd(address=1), DeviceEnd(address=2)
    first.line_opened(0, 0)
    assert (first.session_open, second.session_open) == (True, False)
