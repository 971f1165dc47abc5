"""The order of txn at the pump's end, in INSECURE mode and with keys: what is new, repeated, or too early."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.device_end import UNSEQUENCED_REQUESTS_MAX
from protocol.frame import Flag, Frame
from protocol.messages.codes import Role
from protocol.messages.operations import by_name, payload_hash
from protocol.refusals import OK, Nak, NakCode
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import (
    ADDRESS,
    ALARM_ACK,
    HELLO,
    KEEPALIVE,
    OP_QUERY,
    STATUS,
    STOP,
    TIME,
    TIME_READ,
    Named,
    PumpLine,
)


def insecure() -> Host:
    return Host(PumpLine(insecure=True))


def sealed() -> Host:
    return Host(PumpLine(insecure=False)).connect()


@pytest.fixture(params=[insecure, sealed])
def host(request: pytest.FixtureRequest) -> Host:
    made: Host = request.param()
    return made


def nothing_is_asked_of(pump: PumpLine) -> bool:
    return pump.end.next_errand() is None


def test_a_request_reaches_the_pump_with_all_that_is_known_about_it(host: Host) -> None:
    host.send(ALARM_ACK, 9)
    request = host.pump.asked()
    assert (request.port, request.session, request.role) == (0, 1, Role.CLINICIAN)
    assert request.host_id == host.session.host_id
    assert (request.operation, request.txn, request.message.instance) == (by_name["ALARM_ACK"], 9, 5)
    assert request.payload_hash == payload_hash(request.operation.opcode, request.message)
    assert nothing_is_asked_of(host.pump)


def test_the_first_txn_is_any_and_the_next_one_is_new(host: Host) -> None:
    for txn in (254, 255, 0, 1):
        host.exchange(txn)


def test_a_new_txn_with_retry_is_new_all_the_same(host: Host) -> None:
    host.exchange(5)
    host.send(TIME_READ, 6, flags=Flag.RETRY)
    assert host.pump.asked().txn == 6


@pytest.mark.parametrize("flags", [Flag(0), Flag.RETRY])
def test_a_lost_answer_is_given_again_and_the_pump_hears_nothing(host: Host, flags: Flag) -> None:
    payload = host.exchange(5)
    host.send(TIME_READ, 5, flags=flags)
    assert host.answers() == [(5, payload)]
    assert nothing_is_asked_of(host.pump)
    assert host.pump.end.stats(0).duplicates == 1


def test_a_refusal_is_cached_as_an_answer_is(host: Host) -> None:
    nak = Nak(NakCode.NO_SUCH_ALARM, field=0)
    host.send(ALARM_ACK, 5)
    host.pump.end.refuse(host.pump.asked().token, nak)
    host.send(ALARM_ACK, 5)
    assert host.replies() == [(5, nak)] * 2
    assert nothing_is_asked_of(host.pump)


@pytest.mark.parametrize("txn", [4, 7, 250])
def test_a_txn_out_of_sequence_is_refused_and_named(host: Host, txn: int) -> None:
    host.exchange(5)
    host.send(TIME_READ, txn)
    assert host.replies() == [(txn, Nak(NakCode.SEQUENCE, detail=5))]
    assert host.pump.end.stats(0).sequence_refusals == 1
    host.exchange(6)


@pytest.mark.parametrize("other", [STATUS, ALARM_ACK])
def test_the_last_txn_with_another_request_is_out_of_sequence(host: Host, other: Named) -> None:
    payload = host.exchange(5)
    host.send(other, 5)
    assert host.replies() == [(5, Nak(NakCode.SEQUENCE, detail=5))]
    host.send(TIME_READ, 5)
    assert host.answers() == [(5, payload)]


def test_while_a_request_is_unanswered_its_copy_gets_pending_and_others_busy(host: Host) -> None:
    host.exchange(4)
    host.send(TIME_READ, 5)
    token = host.pump.asked().token
    host.send(TIME_READ, 5, flags=Flag.RETRY)
    host.send(STATUS, 6)
    host.send(STATUS, 5)
    assert host.replies() == [(5, Nak(NakCode.PENDING)), (6, Nak(NakCode.BUSY)), (5, Nak(NakCode.BUSY))]
    host.pump.end.answer(token, TIME)
    first = host.answers()
    host.send(TIME_READ, 5)
    assert host.answers() == first
    host.exchange(6)


def test_a_pump_that_refuses_with_busy_moves_nothing(host: Host) -> None:
    payload = host.exchange(4)
    host.send(STATUS, 5)
    host.pump.end.refuse(host.pump.asked().token, Nak(NakCode.BUSY))
    assert host.replies() == [(5, Nak(NakCode.BUSY))]
    host.send(TIME_READ, 4)
    assert host.answers() == [(4, payload)]
    host.exchange(5)


def test_a_pump_that_says_pending_still_owes_the_answer(host: Host) -> None:
    host.send(TIME_READ, 5)
    token = host.pump.asked().token
    host.pump.end.refuse(token, Nak(NakCode.PENDING))
    host.pump.end.answer(token, TIME)
    assert host.replies() == [(5, Nak(NakCode.PENDING)), (5, OK)]
    host.send(TIME_READ, 5)
    assert host.replies() == [(5, OK)]


def test_stop_query_and_keepalive_pass_a_request_that_is_unanswered(host: Host) -> None:
    host.exchange(4)
    host.send(TIME_READ, 5)
    waiting = host.pump.asked().token
    for named, txn in ((STOP, 77), (OP_QUERY, 78), (KEEPALIVE, 79), (HELLO, 80)):
        host.send(named, txn)
    assert host.replies() == [(79, OK), (80, OK)]
    stop, query = host.pump.asked(), host.pump.asked()
    assert (stop.operation.name, query.operation.name) == ("STOP", "OP_QUERY")
    host.pump.end.refuse(waiting, Nak(NakCode.PUMP_STOPPED))
    host.pump.end.refuse(stop.token, Nak(NakCode.MEMORY_FAILURE))
    assert host.replies() == [(5, Nak(NakCode.PUMP_STOPPED)), (77, Nak(NakCode.MEMORY_FAILURE))]
    host.exchange(6)


def test_a_stop_is_never_answered_from_the_cache(host: Host) -> None:
    for _ in range(2):
        host.send(STOP, 77)
        host.pump.end.refuse(host.pump.asked().token, Nak(NakCode.MEMORY_FAILURE))
    assert host.replies() == [(77, Nak(NakCode.MEMORY_FAILURE))] * 2


def test_requests_outside_the_sequence_are_bounded_and_leave_room_for_others(host: Host) -> None:
    host.send(TIME_READ, 4)
    waiting = host.pump.asked().token
    for txn in range(UNSEQUENCED_REQUESTS_MAX):
        host.send(STOP, txn)
    host.send(STOP, 200)
    assert host.replies() == [(200, Nak(NakCode.BUSY))]
    tokens = [host.pump.asked().token for _ in range(UNSEQUENCED_REQUESTS_MAX)]
    host.pump.end.answer(waiting, TIME)
    assert host.replies() == [(4, OK)]
    host.exchange(5)
    host.pump.end.refuse(tokens[0], Nak(NakCode.MEMORY_FAILURE))
    host.send(STOP, 201)
    assert host.replies() == [(0, Nak(NakCode.MEMORY_FAILURE))]
    assert host.pump.asked().txn == 201


@pytest.mark.parametrize(
    ("opcode", "payload", "nak"),
    [
        pytest.param(0x1F01, b"", Nak(NakCode.UNKNOWN_SERVICE), id="service"),
        pytest.param(0x0704, b"", Nak(NakCode.UNKNOWN_OP), id="what only a pump sends"),
        pytest.param(0x0108, b"", Nak(NakCode.UNKNOWN_OP), id="an operation that is not built"),
        pytest.param(0x0201, b"\x00", Nak(NakCode.FORMAT), id="trailing byte"),
        pytest.param(0x0502, b"\x00", Nak(NakCode.FORMAT, field=0), id="truncated"),
        pytest.param(0x0403, b"\x33" + bytes(12), Nak(NakCode.REDUNDANCY_MISMATCH, field=2), id="complement"),
    ],
)
def test_what_is_no_request_is_refused_in_sequence(host: Host, opcode: int, payload: bytes, nak: Nak) -> None:
    def send(txn: int) -> None:
        host.pump.send_body(host.frame_of_opcode(opcode, payload, txn).to_body())

    host.exchange(4)
    send(9)
    assert host.replies() == [(9, Nak(NakCode.SEQUENCE, detail=4))]
    send(5)
    send(5)
    assert host.replies() == [(5, nak)] * 2
    assert host.pump.end.stats(0).duplicates == 1
    host.exchange(6)


def test_a_stop_in_a_wrong_format_is_refused_outside_the_sequence(host: Host) -> None:
    host.exchange(4)
    host.send(("STOP", bytes(8)), 200)
    assert host.replies() == [(200, Nak(NakCode.FORMAT, field=0))]
    host.exchange(5)


def test_what_the_end_answers_itself_takes_part_in_the_order(host: Host) -> None:
    host.exchange(4)
    host.send(("LINK_STATS", b""), 9)
    assert host.replies() == [(9, Nak(NakCode.SEQUENCE, detail=4))]
    host.send(("LINK_STATS", b""), 5)
    ((_, first),) = host.answers()
    host.send(("LINK_STATS", b""), 5)
    assert host.answers() == [(5, first)]
    host.exchange(6)


def test_hello_is_answered_at_any_time_and_takes_no_part(host: Host) -> None:
    host.exchange(4)
    host.send(HELLO, 200)
    host.send(HELLO, 200)
    assert host.replies() == [(200, OK)] * 2
    host.exchange(5)


def test_answers_to_unknown_tokens_are_ignored_and_wrong_answers_are_our_error(host: Host) -> None:
    end = host.pump.end
    end.answer(99, TIME)
    end.refuse(99, Nak(NakCode.CONDITIONS))
    end.number_session(99, 5)
    end.check_attempt(99, 0)
    end.open_session(99, 0)
    host.send(STATUS, 1)
    token = host.pump.asked().token
    with pytest.raises(TypeError, match="STATUS is answered by StatusAnswer"):
        end.answer(token, TIME)
    assert host.replies() == []


@given(
    st.sampled_from([insecure, sealed]).map(lambda make: make()),
    st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 2, 255]), st.sampled_from([TIME_READ, ALARM_ACK])), max_size=30),
)
def test_a_request_is_taken_exactly_when_it_is_the_first_or_last_plus_one(
    host: Host, steps: list[tuple[int, Named]]
) -> None:
    """`steps`: by how much a txn is above the last one that counted, and what it asks."""
    last: tuple[int, Named] | None = None
    for step, named in steps:
        txn = ((last[0] if last else 250) + step) & 0xFF
        host.send(named, txn)
        request = host.pump.next_request()
        assert (request is not None) == (last is None or step == 1)
        if request is not None:
            host.pump.end.refuse(request.token, Nak(NakCode.CONDITIONS, detail=txn))
            last = (txn, named)
        assert last is not None
        repeated = (txn, named) == last
        expected = Nak(NakCode.CONDITIONS, detail=txn) if repeated else Nak(NakCode.SEQUENCE, detail=last[0])
        assert host.replies() == [(txn, expected)]


def test_hello_may_be_longer_and_of_another_major_version() -> None:
    pump = PumpLine()
    pump.send_body(Frame(opcode=0x0101, txn=1, address=ADDRESS, payload=b"\x02\x07\x55", major=2).to_body())
    assert pump.replies() == [(1, OK)]
    assert pump.end.stats(0).version_errors == 0
