"""OPEN and AUTH at the pump's end: what is asked of the pump, what is counted, and what a repetition gets."""

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol import keys
from protocol.errands import AttemptToConfirm, AttemptToCount, FailureToNote, SessionNumberWanted
from protocol.fields import decode, encode
from protocol.frame import Flag
from protocol.messages.codes import Role
from protocol.messages.link import AuthAnswer, AuthRequest, OpenAnswer
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import SessionOpened
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import ADDRESS, ALARM_ACK, TIME_READ, Named, PumpLine, Reply, frame_of, hello_of

WRONG = ("AUTH", bytes(8))
REFUSED_KEY = Nak(NakCode.KEY)
NO_OPENING = Nak(NakCode.CONDITIONS)
CHALLENGE = b"challeng"


@pytest.fixture
def pump() -> PumpLine:
    return PumpLine(insecure=False)


@pytest.fixture
def host(pump: PumpLine) -> Host:
    return Host(pump)


def replies_to(pump: PumpLine, named: Named, txn: int = 1) -> list[Reply]:
    pump.send(named, txn)
    pump.serve()
    return pump.replies()


def opened_by_hand(host: Host) -> Host:
    """An OPEN was answered; AUTH is the host's next."""
    assert isinstance(host.open(host.wanted()), OpenAnswer)
    return host


def test_open_and_auth_begin_a_session_whose_first_frame_is_the_answer(pump: PumpLine, host: Host) -> None:
    opened_by_hand(host).send_auth(9)
    pump.serve()
    (wire,) = pump.wires()
    frame = frame_of(wire)
    assert (frame.flags, frame.txn, frame.session_id) == (Flag.RESP | Flag.SECURED, 9, 1)
    assert host.take_auth(wire) == AuthAnswer(silence_s=180, failed_attempts=0)
    assert host.opener.last == 1
    assert pump.events() == [SessionOpened(0, 1, 1, Role.CLINICIAN, 7)]
    host.send(ALARM_ACK, 200)
    request = pump.asked()
    assert (request.session, request.role, request.host_id) == (1, Role.CLINICIAN, 7)


def test_the_pump_numbers_then_counts_then_confirms_and_nothing_leaves_before(pump: PumpLine, host: Host) -> None:
    wanted = host.wanted()
    pump.send(("OPEN", encode(wanted.request())), 1)
    assert pump.end.next_errand() == SessionNumberWanted(1, Role.CLINICIAN, 0)
    assert pump.wires() == []
    pump.end.number_session(1, 1)
    assert len(pump.wires()) == 1

    # The same again gives the host the same challenge; what it computes then is what it would have computed before.
    opened = host.open(wanted)
    assert isinstance(opened, OpenAnswer)
    host.send_auth()
    assert pump.end.next_errand() == AttemptToCount(2, Role.CLINICIAN, 0)
    pump.end.check_attempt(2, 0)
    assert pump.end.next_errand() == AttemptToConfirm(2, Role.CLINICIAN, 0, 7, None)
    assert (pump.wires(), pump.live()) == ([], [])
    pump.end.open_session(2, 300)
    (wire,) = pump.wires()
    assert host.take_auth(wire) == AuthAnswer(silence_s=180, failed_attempts=255)
    assert pump.end.next_errand() is None


def test_the_same_open_gets_the_same_answer_until_an_attempt_was_checked(pump: PumpLine, host: Host) -> None:
    wanted = host.wanted()
    first = host.open(wanted)
    for txn in (1, 2, 200):
        assert host.open(wanted, txn) == first
    assert pump.session_counter == 1
    assert pump.end.stats(0).duplicates == 3
    assert isinstance(host.auth(), AuthAnswer)
    assert host.open(wanted) not in (first, None)
    assert pump.session_counter == 2


def test_a_wrong_attempt_uses_up_its_opening_too(pump: PumpLine, host: Host) -> None:
    wanted = host.wanted()
    first = host.open(wanted)
    assert replies_to(pump, WRONG, 5) == [(5, REFUSED_KEY)]
    assert host.auth(6) == NO_OPENING
    assert host.open(wanted) != first
    assert isinstance(host.auth(7), AuthAnswer)


def test_another_open_takes_the_place_of_the_first(pump: PumpLine) -> None:
    first, second = Host(pump, host_id=7), Host(pump, host_id=8)
    opened_by_hand(first)
    opened_by_hand(second)
    assert isinstance(second.auth(), AuthAnswer)
    assert first.auth() == NO_OPENING
    opened_by_hand(second)
    opened_by_hand(first)
    assert second.auth(3) == REFUSED_KEY
    assert [session.host_id for session in pump.end.sessions()] == [8]


def test_lines_have_handshakes_of_their_own(pump: PumpLine) -> None:
    pump.end.line_opened(1, 0)
    first, second = Host(pump, host_id=7), Host(pump, Role.READER, port=1)
    opened_by_hand(first)
    opened_by_hand(second)
    assert isinstance(first.auth(), AuthAnswer)
    assert isinstance(second.auth(), AuthAnswer)


def test_an_attempt_without_an_opening_is_not_counted(pump: PumpLine) -> None:
    assert replies_to(pump, WRONG) == [(1, NO_OPENING)]
    assert pump.served == []


@pytest.mark.parametrize(("delay_s", "nak"), [(0, REFUSED_KEY), (30, Nak(NakCode.ATTEMPTS, detail=30))])
def test_a_wrong_cryptogram_is_counted_noted_and_told_its_delay(
    pump: PumpLine, host: Host, delay_s: int, nak: Nak
) -> None:
    opened_by_hand(host)
    pump.delay_s = delay_s
    assert replies_to(pump, WRONG, 5) == [(5, nak)]
    assert pump.served[1:] == [AttemptToCount(2, Role.CLINICIAN, 0), FailureToNote(0, Role.CLINICIAN)]
    assert pump.live() == []


@given(st.binary(min_size=8, max_size=8))
def test_no_other_cryptogram_opens_a_session(cryptogram: bytes) -> None:
    pump = PumpLine(insecure=False)
    host = opened_by_hand(Host(pump))
    assume(host.auth_request != AuthRequest(host_cryptogram=cryptogram))
    assert replies_to(pump, ("AUTH", cryptogram)) == [(1, REFUSED_KEY)]
    assert pump.live() == []


def test_the_pumps_own_cryptogram_is_no_hosts(pump: PumpLine, host: Host) -> None:
    answer = host.open(host.wanted())
    assert isinstance(answer, OpenAnswer)
    assert replies_to(pump, ("AUTH", answer.device_cryptogram)) == [(1, REFUSED_KEY)]


def test_a_refused_attempt_is_answered_again_and_not_counted_again(pump: PumpLine, host: Host) -> None:
    opened_by_hand(host)
    assert replies_to(pump, WRONG, 5) == replies_to(pump, WRONG, 5) == [(5, REFUSED_KEY)]
    assert pump.attempts() == 1
    assert replies_to(pump, WRONG, 6) == [(6, NO_OPENING)]
    opened_by_hand(host)
    assert replies_to(pump, WRONG, 5) == [(5, REFUSED_KEY)]
    assert pump.attempts() == 2


def test_the_same_attempt_gets_the_same_bytes_while_its_session_lives(pump: PumpLine, host: Host) -> None:
    opened_by_hand(host).send_auth(9)
    pump.serve()
    (first,) = pump.wires()
    host.take_auth(first)
    host.exchange(5)
    reader = opened_by_hand(Host(pump, Role.READER))
    for _ in range(2):
        host.send_auth(9)
        pump.serve()
        assert pump.wires() == [first]
    # Not even the reader's opening has felt that.
    assert isinstance(reader.auth(), AuthAnswer)
    host.send_auth(9)
    assert pump.wires() == [first]
    assert pump.attempts() == 2
    host.exchange(6)
    pump.end.advance(180_000_000)
    pump.now = 180_000_000
    assert host.auth(9) == NO_OPENING
    assert pump.live() == []


def test_an_attempt_is_known_again_on_its_own_line_only(pump: PumpLine, host: Host) -> None:
    pump.end.line_opened(1, 0)
    host.connect()
    host.port = 1
    assert host.auth() == NO_OPENING
    assert pump.attempts() == 1


def test_a_refused_attempt_is_forgotten_with_its_line(pump: PumpLine, host: Host) -> None:
    opened_by_hand(host)
    assert replies_to(pump, WRONG) == [(1, REFUSED_KEY)]
    pump.end.line_opened(0, 0)
    assert replies_to(pump, WRONG) == [(1, NO_OPENING)]


def test_a_delay_refuses_an_opening_with_its_seconds(pump: PumpLine, host: Host) -> None:
    delayed = Nak(NakCode.DELAY, detail=12)
    wanted = host.wanted()
    pump.send(("OPEN", encode(wanted.request())), 4)
    errand = pump.end.next_errand()
    assert isinstance(errand, SessionNumberWanted)
    pump.end.refuse(errand.token, delayed)
    assert pump.replies() == [(4, delayed)]
    assert isinstance(host.open(wanted), OpenAnswer)


@pytest.mark.parametrize("nak", [Nak(NakCode.DELAY, detail=12), Nak(NakCode.MEMORY_FAILURE)])
@pytest.mark.parametrize("checked", [False, True])
def test_an_attempt_that_the_pump_cannot_take_leaves_the_opening(
    pump: PumpLine, host: Host, nak: Nak, checked: bool
) -> None:
    opened_by_hand(host).send_auth(9)
    errand = pump.end.next_errand()
    assert isinstance(errand, AttemptToCount)
    if checked:
        pump.end.check_attempt(errand.token, 0)
        assert isinstance(pump.end.next_errand(), AttemptToConfirm)
    pump.end.refuse(errand.token, nak)
    assert pump.replies() == [(9, nak)]
    assert isinstance(host.auth(9), AuthAnswer)


@pytest.mark.parametrize(
    ("payload", "nak"),
    [
        pytest.param(b"\x04\x00" + b"\x07\x00\x00\x00" + bytes(8), Nak(NakCode.FORMAT, field=0), id="service"),
        pytest.param(b"\x00\x00" + b"\x07\x00\x00\x00" + bytes(8), Nak(NakCode.FORMAT, field=0), id="no role"),
        pytest.param(b"\x03\x02" + b"\x07\x00\x00\x00" + bytes(8), Nak(NakCode.FORMAT, field=1), id="flag"),
        pytest.param(b"\x03\x00" + bytes(4) + bytes(8), Nak(NakCode.FORMAT, field=2), id="host 0"),
        pytest.param(b"\x03\x00" + b"\x07\x00\x00\x00" + bytes(7), Nak(NakCode.FORMAT, field=3), id="short"),
    ],
)
def test_what_is_no_opening_is_refused_and_wants_no_number(pump: PumpLine, payload: bytes, nak: Nak) -> None:
    assert replies_to(pump, ("OPEN", payload)) == [(1, nak)]
    assert pump.served == []


def test_while_the_pump_is_at_an_opening_its_copy_gets_pending_and_an_attempt_busy(pump: PumpLine, host: Host) -> None:
    wanted = host.wanted()
    for _ in range(2):
        pump.send(("OPEN", encode(wanted.request())), 1)
    pump.send(WRONG, 1)
    assert pump.replies() == [(1, Nak(NakCode.PENDING)), (1, Nak(NakCode.BUSY))]
    pump.serve()
    assert pump.replies() == [(1, OK)]
    assert isinstance(host.open(wanted), OpenAnswer)
    assert (pump.session_counter, pump.attempts()) == (1, 0)


def test_while_the_pump_is_at_an_attempt_its_copy_gets_pending_and_another_busy(pump: PumpLine, host: Host) -> None:
    wanted = host.wanted()
    opened = host.open(wanted)
    for txn in (5, 5, 6):
        host.send_auth(txn)
    assert pump.replies() == [(5, Nak(NakCode.PENDING)), (6, Nak(NakCode.BUSY))]
    # The same OPEN is no new one, and only a late copy.
    pump.send(("OPEN", encode(wanted.request())), 1)
    pump.serve()
    again, wire = pump.wires()
    assert decode(OpenAnswer, frame_of(again).payload[1:]) == opened
    assert isinstance(host.take_auth(wire), AuthAnswer)
    assert (pump.session_counter, pump.attempts(), pump.live()) == (1, 1, [1])


@pytest.mark.parametrize("step", ["to number", "to count", "to confirm"])
def test_another_opening_ends_the_step_that_the_pump_is_at(pump: PumpLine, host: Host, step: str) -> None:
    if step == "to number":
        pump.send(("OPEN", encode(host.wanted().request())), 1)
    else:
        opened_by_hand(host).send_auth()
    errand = pump.end.next_errand()
    assert errand is not None
    if step == "to confirm":
        pump.end.check_attempt(errand.token, 0)
    other = opened_by_hand(Host(pump, host_id=8))
    pump.end.number_session(errand.token, 99)
    pump.end.check_attempt(errand.token, 0)
    pump.end.open_session(errand.token, 0)
    assert (pump.wires(), pump.live()) == ([], [])
    assert isinstance(other.auth(), AuthAnswer)


def lose_power(pump: PumpLine) -> None:
    pump.end.power_lost()


def open_the_line_anew(pump: PumpLine) -> None:
    pump.end.line_opened(0, 0)


def replace_the_keys(pump: PumpLine) -> None:
    pump.role_keys = keys.test_keys(1)
    pump.end.replace_keys(hello_of(ADDRESS), pump.role_keys)


@pytest.mark.parametrize("happens", [lose_power, open_the_line_anew, replace_the_keys])
@pytest.mark.parametrize("step", ["to number", "to count", "to confirm"])
def test_a_handshake_dies_with_its_line_with_power_and_with_its_keys(
    pump: PumpLine, host: Host, happens: Callable[[PumpLine], None], step: str
) -> None:
    if step == "to number":
        pump.send(("OPEN", encode(host.wanted().request())), 1)
    else:
        opened_by_hand(host).send_auth()
    errand = pump.end.next_errand()
    assert errand is not None
    if step == "to confirm":
        pump.end.check_attempt(errand.token, 0)
    happens(pump)
    assert pump.end.next_errand() is None
    pump.end.number_session(errand.token, 5)
    pump.end.check_attempt(errand.token, 0)
    pump.end.open_session(errand.token, 0)
    assert (pump.wires(), pump.live()) == ([], [])
    assert replies_to(pump, WRONG) == [(1, NO_OPENING)]
    assert isinstance(Host(pump, host_id=8).connect().exchange(1), bytes)


def test_the_same_challenge_never_gives_the_same_keys_again(host: Host) -> None:
    wanted = host.wanted(challenge=CHALLENGE)
    answers, derived = set(), set()
    for _ in range(20):
        answer = host.open(wanted)
        assert isinstance(answer, OpenAnswer)
        assert host.keys is not None
        answers.add(answer.device_challenge)
        derived |= {host.keys.host_to_pump, host.keys.pump_to_host, host.keys.salt}
        assert isinstance(host.auth(), AuthAnswer)
    assert (len(answers), len(derived)) == (20, 60)


def test_a_recorded_handshake_opens_nothing(pump: PumpLine, host: Host) -> None:
    wanted = host.wanted()
    recorded = [("OPEN", encode(wanted.request()))]
    host.open(wanted)
    assert host.auth_request is not None
    recorded.append(("AUTH", encode(host.auth_request)))
    assert isinstance(host.auth(), AuthAnswer)
    host.exchange(5)
    pump.end.line_opened(0, 0)
    assert replies_to(pump, recorded[0]) == [(1, OK)]
    assert replies_to(pump, recorded[1], 2) == [(2, REFUSED_KEY)]
    assert pump.live() == []


def test_a_handshake_asks_for_no_order_and_leaves_live_sessions_alone(pump: PumpLine, host: Host) -> None:
    host.connect().exchange(5)
    host.send(TIME_READ, 6)
    token = pump.asked().token
    reader = Host(pump, Role.READER).connect()
    assert replies_to(pump, WRONG, 99) == [(99, NO_OPENING)]
    pump.end.refuse(token, Nak(NakCode.CONDITIONS))
    assert host.replies() == [(6, Nak(NakCode.CONDITIONS))]
    host.exchange(7)
    reader.exchange(1)
