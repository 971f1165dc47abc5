"""The programmer's side of a session: which answers it believes, and what ends the session for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.channel import COUNTER_MAX
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.host_end import Answered, NoAnswer, Refused, SessionReady
from protocol.messages.codes import Role, RunState
from protocol.messages.link import CloseAnswer, CloseRequest, HelloRequest, KeepaliveAnswer, KeepaliveRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import ReducedStatusAnswer, StatusRequest
from protocol.refusals import NOT_TAKEN, OK, Nak, NakCode
from tests.protocol.joined_ends import JoinedEnds
from tests.protocol.pump_line import ADDRESS, TIME, frame_of

NO_SUCH_SESSION = Nak(NakCode.NO_SUCH_SESSION)
TIMEOUT_US = 600_000


@pytest.fixture
def ends() -> JoinedEnds:
    return JoinedEnds().connect()


def in_the_clear(asked: bytes, payload: bytes) -> bytes:
    """An answer to a frame that anybody could have made."""
    frame = frame_of(asked)
    return Frame(opcode=frame.opcode, txn=frame.txn, address=ADDRESS, payload=payload, flags=Flag.RESP).to_wire()


def asked_for_the_time(ends: JoinedEnds) -> bytes:
    ends.host.request(TimeReadRequest(), ends.pump.now)
    return ends.host.data_to_send()


def test_in_a_session_requests_are_sealed_and_their_answers_read(ends: JoinedEnds) -> None:
    assert ends.ask(TimeReadRequest()) == Answered(TIME, 1)
    assert ends.ask(KeepaliveRequest()) == Answered(KeepaliveAnswer(), 4)
    assert ends.ask(CloseRequest()) == Answered(CloseAnswer(), 2)
    assert [frame_of(wire).session_id for wire in ends.sent] == [0, 0, 0, 1, 1, 1]
    assert [frame_of(wire).session_id for wire in ends.received] == [0, 0, 1, 1, 1, 1]


def test_a_retry_is_sealed_anew_with_its_flag_and_is_answered_from_the_store(ends: JoinedEnds) -> None:
    lost = [2]

    def losing(wire: bytes) -> bytes:
        lost[0] -= 1
        return b"" if lost[0] >= 0 else wire

    ends.to_host = losing
    assert ends.ask(TimeReadRequest()) is None
    assert ends.wait() is None
    assert ends.wait() == Answered(TIME, 1)
    frames = [frame_of(wire) for wire in ends.sent[-3:]]
    assert [(frame.txn, frame.flags) for frame in frames] == [
        (1, Flag.SECURED),
        (1, Flag.SECURED | Flag.RETRY),
        (1, Flag.SECURED | Flag.RETRY),
    ]
    assert len({frame.sealed for frame in frames}) == 3
    assert ends.pump.end.stats(0).duplicates == 2


def test_a_granted_answer_in_the_clear_is_not_believed(ends: JoinedEnds) -> None:
    asked = asked_for_the_time(ends)
    ends.host.receive(in_the_clear(asked, bytes((OK,)) + encode(TIME)), 0)
    assert (ends.host.busy, ends.host.ignored, ends.host.next_event()) == (True, 1, None)


@pytest.mark.parametrize("code", [code for code in NakCode if code != NakCode.NO_SUCH_SESSION])
def test_a_refusal_in_the_clear_is_not_believed(ends: JoinedEnds, code: NakCode) -> None:
    asked = asked_for_the_time(ends)
    deadline = ends.host.next_deadline()
    ends.host.receive(in_the_clear(asked, Nak(code, detail=77).encode()), 5)
    assert (ends.host.ignored, ends.host.next_event()) == (1, None)
    assert (ends.host.session_id, ends.host.next_deadline()) == (1, deadline)
    ends.pump.send_wire(asked)
    ends.pump.end.answer(ends.pump.asked().token, TIME)
    (answer,) = ends.pump.wires()
    ends.host.receive(answer, 10)
    assert ends.host.next_event() == Answered(TIME, 1)


@given(st.binary(max_size=30))
def test_nothing_in_the_clear_ends_a_request_but_that_there_is_no_session(payload: bytes) -> None:
    ends = JoinedEnds().connect()
    asked = asked_for_the_time(ends)
    ends.host.receive(in_the_clear(asked, payload), 0)
    event = ends.host.next_event()
    assert (event is None) == (len(payload) != 8 or payload[0] != NakCode.NO_SUCH_SESSION)
    assert ends.host.busy == (event is None)


def test_no_such_session_ends_it_for_the_host_and_resolves_nothing(ends: JoinedEnds) -> None:
    ends.pump.end.power_lost()
    assert ends.ask(TimeReadRequest()) == Refused(NO_SUCH_SESSION, 1)
    assert NO_SUCH_SESSION.code not in NOT_TAKEN
    assert (ends.host.session_id, ends.host.busy) == (0, False)
    assert isinstance(ends.open_session(ends.wanted()), SessionReady)
    assert ends.ask(TimeReadRequest()) == Answered(TIME, 2)


def test_a_hint_for_another_request_is_no_hint(ends: JoinedEnds) -> None:
    asked_for_the_time(ends)
    for frame in (
        Frame(opcode=0x0801, txn=9, address=ADDRESS, payload=NO_SUCH_SESSION.encode(), flags=Flag.RESP),
        Frame(opcode=0x0105, txn=1, address=ADDRESS, payload=NO_SUCH_SESSION.encode(), flags=Flag.RESP),
        Frame(opcode=0x0801, txn=1, address=9, payload=NO_SUCH_SESSION.encode(), flags=Flag.RESP),
    ):
        ends.host.receive(frame.to_wire(), 0)
    assert (ends.host.session_id, ends.host.ignored, ends.host.next_event()) == (1, 3, None)


def test_the_greeting_can_be_asked_beside_a_session(ends: JoinedEnds) -> None:
    event = ends.ask(HelloRequest(major=1, minor=0))
    assert event == Answered(ends.pump.hello, 4)
    assert frame_of(ends.sent[-1]).session_id == 0
    assert ends.ask(TimeReadRequest()) == Answered(TIME, 1)


def test_without_a_session_status_is_reduced() -> None:
    reduced = ReducedStatusAnswer(run_state=RunState.RUNNING, alarm_present=1)
    ends = JoinedEnds(grants={"STATUS": reduced}).greet()
    assert ends.ask(StatusRequest()) == Answered(reduced, 1)


def test_in_a_session_no_status_is_reduced(ends: JoinedEnds) -> None:
    ends.host.request(StatusRequest(), 0)
    asked = frame_of(ends.host.data_to_send())
    (session,) = ends.pump.end.sessions()
    assert session.channel is not None
    reduced = ReducedStatusAnswer(run_state=RunState.RUNNING, alarm_present=1)
    answer = session.channel.answers.seal(
        opcode=asked.opcode,
        txn=asked.txn,
        address=ADDRESS,
        session_id=1,
        payload=bytes((OK,)) + encode(reduced),
        flags=Flag.RESP,
    )
    ends.host.receive(answer.to_wire(), 0)
    assert (ends.host.busy, ends.host.ignored, ends.host.next_event()) == (True, 1, None)


def test_a_session_is_not_forgotten_while_a_request_is_unanswered(ends: JoinedEnds) -> None:
    asked_for_the_time(ends)
    with pytest.raises(RuntimeError, match="TIME_READ is still unanswered"):
        ends.host.forget_session()
    with pytest.raises(RuntimeError, match="TIME_READ is still unanswered"):
        ends.host.open_session(ends.wanted(), 0)
    assert ends.host.session_id == 1
    ends.host.advance(TIMEOUT_US)
    assert frame_of(ends.host.data_to_send()).session_id == 1


def test_a_session_that_is_forgotten_is_gone_for_the_host_alone(ends: JoinedEnds) -> None:
    ends.host.forget_session()
    assert ends.ask(TimeReadRequest()) == Refused(Nak(NakCode.AUTH_REQUIRED), 1)
    assert ends.pump.live() == [1]


def test_a_request_without_an_answer_leaves_the_session(ends: JoinedEnds) -> None:
    ends.to_pump = lambda _: b""
    event = ends.ask(TimeReadRequest())
    while event is None:
        event = ends.wait()
    assert event == NoAnswer(1)
    ends.to_pump = bytes
    assert ends.ask(TimeReadRequest()) == Answered(TIME, 2)


def test_a_host_whose_counter_is_used_up_sends_nothing_more(ends: JoinedEnds) -> None:
    channel = ends.host._channel
    assert channel is not None
    channel._requests.counter = COUNTER_MAX
    sent = len(ends.sent)
    assert ends.ask(TimeReadRequest()) == Refused(NO_SUCH_SESSION, 1)
    assert (len(ends.sent), ends.host.session_id, ends.host.busy) == (sent, 0, False)


def test_a_pump_whose_counter_is_used_up_answers_once_more(ends: JoinedEnds) -> None:
    (session,) = ends.pump.end.sessions()
    assert session.channel is not None
    session.channel.answers.counter = COUNTER_MAX - 1
    assert ends.ask(TimeReadRequest()) == Answered(TIME, 1)
    assert ends.ask(TimeReadRequest()) == Refused(NO_SUCH_SESSION, 2)


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_every_role_opens_its_session(role: Role) -> None:
    ends = JoinedEnds().greet()
    assert isinstance(ends.open_session(ends.wanted(role)), SessionReady)
    assert [session.role for session in ends.pump.end.sessions()] == [role]
