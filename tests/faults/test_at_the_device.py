"""Line faults between a client and a pump: a lost request is not a lost answer."""

import pytest

from emulator.events import FaultFired, FrameSeen, Logged, SessionChanged
from emulator.faults.line import TooManyFaults
from emulator.inputs import ClearFaults
from protocol.host_end import Answered, NoAnswer
from protocol.messages.codes import OpState, RunState
from protocol.messages.deliver import StartRequest
from protocol.messages.op import OpListRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import StatusRequest
from tests.device.desk import Desk, arm, execute, frame_of, frames_in, happened, new_device, of_kind, verdicts_in


def at_desk() -> Desk:
    desk = Desk(new_device())
    desk.open()
    return desk


def prepared_execute(desk: Desk, txn: int) -> tuple[bytes, bytes]:
    """An EXECUTE that the pump would take, and its retry."""
    lease, rev = desk.prepared(10_000, 100), desk.rev()
    message = execute(lease, 1, rev)
    return frame_of(message, txn), frame_of(message, txn, retry=True)


def test_a_dropped_request_is_one_that_the_pump_has_never_seen() -> None:
    desk = at_desk()
    first, retry = prepared_execute(desk, 3)
    arm(desk.device, "drop request BOLUS_EXECUTE")
    happened(desk.device)
    digest = desk.device.digest()
    assert desk.raw(first) == b""
    assert desk.device.digest() == digest
    (fired,) = of_kind(happened(desk.device), FaultFired)
    assert (fired.fault, fired.port, fired.raw) == ("drop request BOLUS_EXECUTE nth=1 count=1", 0, first)
    assert desk.device.armed_faults() == ()
    assert verdicts_in(desk.raw(retry)) == ["OK"]
    assert [event.type for event in of_kind(happened(desk.device), Logged)] == ["bolus_started"]


def test_a_dropped_answer_is_one_whose_effect_has_happened_and_the_retry_gets_it_to_the_byte() -> None:
    desk, undisturbed = at_desk(), at_desk()
    first, retry = prepared_execute(desk, 3)
    assert prepared_execute(undisturbed, 3) == (first, retry)
    answer = undisturbed.raw(first)
    arm(desk.device, "drop answer BOLUS_EXECUTE")
    happened(desk.device)
    assert desk.raw(first) == b""
    assert [event.type for event in of_kind(happened(desk.device), Logged)] == ["bolus_started"]
    digest = desk.device.digest()
    assert desk.raw(retry) == answer
    assert desk.device.digest() == digest, "the cache has answered, nothing moved"
    assert frames_in(answer)[0].txn == 3


@pytest.mark.parametrize("direction", ["request", "answer"])
def test_a_client_that_retries_comes_through_either_loss_with_one_effect(direction: str) -> None:
    desk = at_desk()
    desk.stop(1)
    rev = desk.rev()
    arm(desk.device, f"drop {direction} START count=3")
    assert isinstance(desk.exchange(StartRequest(op_id=2, therapy_rev=rev)), Answered)
    assert desk.query(2).state is OpState.DONE
    assert desk.rev() == rev + 1
    assert [event.type for event in of_kind(happened(desk.device), Logged)].count("therapy_started") == 1


def test_when_every_retry_is_lost_the_two_losses_differ_in_what_has_become_true() -> None:
    for direction, state, running in (
        ("request", OpState.NOT_SEEN, RunState.STOPPED),
        ("answer", OpState.DONE, RunState.RUNNING),
    ):
        desk = at_desk()
        desk.stop(1)
        start = StartRequest(op_id=2, therapy_rev=desk.rev())
        arm(desk.device, f"drop {direction} START count=4")
        assert isinstance(desk.exchange(start), NoAnswer)
        assert desk.query(2).state is state
        assert desk.ask(StatusRequest()).run_state is running


def test_a_fault_strikes_on_every_line_and_counts_them_together() -> None:
    device = new_device()
    first, second = Desk(device, 0), Desk(device, 1)
    first.open()
    arm(device, "drop request any nth=2 count=1")
    assert first.raw(frame_of(TimeReadRequest(), 1)) != b""
    second.open()
    assert second.raw(frame_of(TimeReadRequest(), 1)) == b""
    assert [event.port for event in of_kind(happened(device), FaultFired)] == [1]


def test_a_lost_request_does_not_break_the_silence() -> None:
    desk = at_desk()
    desk.wait(100)
    arm(desk.device, "drop request any")
    desk.raw(frame_of(TimeReadRequest(), 1))
    desk.wait(80)
    assert not desk.has_session()


def test_frames_behind_a_dropped_one_in_the_same_bytes_arrive() -> None:
    desk = at_desk()
    arm(desk.device, "drop request OP_LIST")
    both = frame_of(OpListRequest(page=0), 1) + frame_of(TimeReadRequest(), 1)
    (answer,) = frames_in(desk.raw(both))
    assert answer.opcode == 0x0801


def test_damaged_bytes_are_no_match() -> None:
    desk = at_desk()
    arm(desk.device, "drop request any")
    good = frame_of(TimeReadRequest(), 1)
    desk.raw(good[:5] + b"\x7e" + good[6:])
    assert desk.device.armed_faults() == ("drop request any nth=1 count=1",)


def test_armed_faults_are_listed_and_all_are_cleared_at_once() -> None:
    desk = at_desk()
    arm(desk.device, "drop answer status nth=2")
    arm(desk.device, "drop request any count=3")
    assert desk.device.armed_faults() == ("drop answer STATUS nth=2 count=1", "drop request any nth=1 count=3")
    desk.device.control(ClearFaults(), 0)
    assert desk.device.armed_faults() == ()
    assert desk.raw(frame_of(TimeReadRequest(), 1)) != b""
    kinds = [event.kind for event in happened(desk.device)]
    assert kinds[-5:] == ["fault-armed", "fault-armed", "faults-cleared", "frame", "frame"]


def test_one_fault_too_many_is_refused_and_not_told_as_armed() -> None:
    desk = at_desk()
    for _ in range(64):
        arm(desk.device, "drop answer STOP")
    happened(desk.device)
    with pytest.raises(TooManyFaults):
        arm(desk.device, "drop answer STOP")
    assert happened(desk.device) == []
    assert len(desk.device.armed_faults()) == 64


def in_session() -> Desk:
    desk = Desk(new_device(insecure=False))
    desk.open()
    desk.open_session()
    happened(desk.device)
    return desk


@pytest.mark.parametrize("direction", ["request", "answer"])
def test_in_a_session_a_sealed_frame_is_struck_by_the_name_in_its_header(direction: str) -> None:
    desk = in_session()
    desk.stop(1)
    rev = desk.rev()
    arm(desk.device, f"drop {direction} START count=3")
    assert isinstance(desk.exchange(StartRequest(op_id=2, therapy_rev=rev)), Answered)
    assert desk.device.armed_faults() == ()
    assert desk.query(2).state is OpState.DONE
    assert [event.type for event in of_kind(happened(desk.device), Logged)].count("therapy_started") == 1


def test_an_answer_from_the_cache_is_sealed_anew_and_says_the_same() -> None:
    desk = in_session()
    arm(desk.device, "drop answer TIME_READ")
    assert isinstance(desk.exchange(TimeReadRequest()), Answered)
    lost, again = (event for event in of_kind(happened(desk.device), FrameSeen) if event.direction == "answer")
    assert lost.raw != again.raw
    assert str(lost.summary) == str(again.summary)


@pytest.mark.parametrize("step", ["OPEN", "AUTH"])
@pytest.mark.parametrize("direction", ["request", "answer"])
def test_a_handshake_comes_through_the_loss_of_any_of_its_frames(step: str, direction: str) -> None:
    """The repeated OPEN and AUTH get the same bytes again; one session begins, and no attempt is counted twice."""
    desk = Desk(new_device(insecure=False))
    desk.open()
    arm(desk.device, f"drop {direction} {step} count=3")
    ready = desk.open_session()
    assert ready.answer.failed_attempts == 0
    events = happened(desk.device)
    assert [event.change for event in of_kind(events, SessionChanged)] == ["opened"]
    answers = {event.raw for event in of_kind(events, FrameSeen) if (event.name, event.direction) == (step, "answer")}
    assert len({answer[-20:] for answer in answers}) == 1
    assert desk.stop(1).state is OpState.DONE


def test_a_session_whose_every_answer_was_lost_gives_its_place_to_the_same_hosts_next_one() -> None:
    desk = Desk(new_device(insecure=False))
    desk.open()
    arm(desk.device, "drop answer AUTH count=4")
    assert isinstance(desk.try_session(), NoAnswer)
    assert desk.has_session(), "which the host does not know"
    desk.open_session()
    changes = [(event.change, event.reason) for event in of_kind(happened(desk.device), SessionChanged)]
    assert changes == [("opened", ""), ("ended", "replaced"), ("opened", "")]
