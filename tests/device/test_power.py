"""Power under the whole device: no answer without it, and what a client finds when it is back."""

from emulator.events import BytesRejected, FrameSeen, PowerChanged, SessionChanged
from emulator.inputs import ClearFaults, CutPower, LineChange, RestorePower
from emulator.lines import NO_POWER
from firmware_model.memory import CutMode
from protocol.messages.codes import OpState, RunState
from protocol.messages.deliver import StopRequest
from protocol.messages.link import LinkStatsRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import StatusRequest
from protocol.refusals import NakCode
from tests.device.desk import SECOND, Desk, execute, frame_of, happened, new_device, of_kind, verdicts_in


def at_desk() -> Desk:
    desk = Desk(new_device())
    desk.open()
    return desk


def cut(desk: Desk) -> None:
    desk.device.control(CutPower(), desk.device.now_us)


def restore(desk: Desk) -> None:
    desk.device.control(RestorePower(), desk.device.now_us)


def test_a_pump_without_power_answers_nothing_and_the_reason_is_told() -> None:
    desk = at_desk()
    cut(desk)
    happened(desk.device)
    frame = frame_of(TimeReadRequest(), 1)
    assert desk.raw(frame + b"\x00\x01\x00") == b""
    events = happened(desk.device)
    assert [event.reason for event in of_kind(events, BytesRejected)] == [NO_POWER, NO_POWER]
    assert of_kind(events, BytesRejected)[0].raw == frame
    assert of_kind(events, FrameSeen) == []
    assert desk.device.next_deadline() is None
    assert not desk.has_session()


def test_the_cut_ends_the_session_and_the_next_good_frame_on_the_open_line_begins_another() -> None:
    desk = at_desk()
    desk.ask(TimeReadRequest())
    cut(desk)
    restore(desk)
    changes = [(event.change, event.reason) for event in of_kind(happened(desk.device), SessionChanged)]
    assert changes == [("opened", ""), ("ended", "power")]
    assert not desk.has_session()
    # Any txn is a new session's first, and nothing is left in its cache.
    assert verdicts_in(desk.raw(frame_of(TimeReadRequest(), 1))) == ["OK"]
    assert desk.has_session()
    assert desk.ask(LinkStatsRequest()).frames_received == 2


def test_power_changes_are_told_in_order() -> None:
    desk = at_desk()
    cut(desk)
    restore(desk)
    restore(desk)
    told = [(event.change, event.write) for event in of_kind(happened(desk.device), PowerChanged)]
    assert told == [("cut", ""), ("restored", "")]


def test_a_client_that_comes_while_there_is_no_power_finds_a_pump_when_it_is_back() -> None:
    """It waits for longer than a session's silence; nothing that was not there has run out."""
    desk = at_desk()
    desk.close()
    cut(desk)
    happened(desk.device)
    desk.open()
    assert of_kind(happened(desk.device), SessionChanged) == [], "a pump without power opens no session"
    desk.wait(200)
    restore(desk)
    desk.wait(1)
    assert desk.ask(StatusRequest()).boot == 2
    (opened,) = of_kind(happened(desk.device), SessionChanged)
    assert opened.change == "opened"


def test_a_line_that_is_opened_without_power_displaces_the_other_all_the_same() -> None:
    desk = at_desk()
    other = Desk(desk.device, 1)
    cut(desk)
    other.open()
    restore(desk)
    assert desk.refusal(StatusRequest()).code is NakCode.NO_SUCH_SESSION
    assert other.ask(StatusRequest()).boot == 2


def test_half_a_frame_from_before_the_cut_is_lost_with_power() -> None:
    """What the pump had received was in volatile memory: its other half makes no STOP of it."""
    desk = at_desk()
    frame = frame_of(StopRequest(op_id=1, therapy_rev=0), 1)
    desk.raw(frame[:12])
    cut(desk)
    restore(desk)
    assert desk.raw(frame[12:]) == b""
    assert desk.ask(StatusRequest()).run_state is RunState.RUNNING


def test_half_a_frame_that_came_without_power_is_lost_too() -> None:
    desk = at_desk()
    frame = frame_of(StopRequest(op_id=1, therapy_rev=0), 1)
    cut(desk)
    desk.raw(frame[:12])
    restore(desk)
    assert desk.raw(frame[12:]) == b""
    assert desk.ask(StatusRequest()).run_state is RunState.RUNNING


def test_a_cut_within_a_command_takes_its_answer_and_the_frames_behind_it() -> None:
    desk = at_desk()
    desk.device.control(CutPower(at_write=3, mode=CutMode.TORN, torn_bytes=5), 0)
    happened(desk.device)
    both = frame_of(StopRequest(op_id=1, therapy_rev=0), 1) + frame_of(TimeReadRequest(), 1)
    assert desk.raw(both) == b""
    events = happened(desk.device)
    assert [event.write for event in of_kind(events, PowerChanged)] == ["log.record"]
    assert [event.reason for event in of_kind(events, BytesRejected)] == [NO_POWER]
    restore(desk)
    assert desk.query(1).state is OpState.NOT_SEEN
    assert desk.ask(StatusRequest()).run_state is RunState.RUNNING


def test_a_cut_behind_the_commit_leaves_an_effect_whose_answer_never_comes() -> None:
    desk = at_desk()
    counted = at_desk()
    counted.device.pump.memory.watched = True
    before = counted.device.pump.memory.primitives
    counted.stop(1)
    writes = counted.device.pump.memory.primitives - before
    desk.device.control(CutPower(at_write=writes, mode=CutMode.AFTER), 0)
    assert desk.raw(frame_of(StopRequest(op_id=1, therapy_rev=0), 1)) == b""
    restore(desk)
    assert desk.query(1).state is OpState.DONE
    assert desk.ask(StatusRequest()).run_state is RunState.STOPPED


def test_an_armed_cut_can_be_cleared() -> None:
    desk = at_desk()
    desk.device.control(CutPower(at_write=1), 0)
    desk.device.control(ClearFaults(), 0)
    assert desk.stop(1).state is OpState.DONE
    assert desk.device.has_power


def test_a_boot_can_be_cut_and_the_next_one_comes_through() -> None:
    desk = at_desk()
    cut(desk)
    desk.device.control(CutPower(at_write=2), 0)
    restore(desk)
    assert not desk.device.has_power
    restore(desk)
    assert desk.ask(StatusRequest()).boot == 2
    told = [(event.change, event.write) for event in of_kind(happened(desk.device), PowerChanged)]
    assert told == [("cut", ""), ("cut", "log.record"), ("restored", "")]


def test_without_power_time_passes_and_nothing_flows() -> None:
    desk = at_desk()
    desk.wait(25)
    cut(desk)
    desk.wait(3_600)
    assert desk.device.now_us == 3_625 * SECOND
    assert desk.device.truth()["motor_steps"] == 2
    restore(desk)
    desk.wait(10)
    assert desk.device.truth()["motor_steps"] == 3


def test_a_lease_from_before_the_cut_is_void() -> None:
    desk = at_desk()
    lease = desk.prepared(10_000, 100)
    cut(desk)
    restore(desk)
    assert desk.refusal(execute(lease, 1, desk.rev())).code is NakCode.LEASE_EXPIRED


def test_a_line_that_closes_without_power_is_closed_when_it_is_back() -> None:
    desk = at_desk()
    cut(desk)
    desk.device.line(LineChange.CLOSED, 0)
    restore(desk)
    assert desk.raw(frame_of(TimeReadRequest(), 1)) == b""
