"""What each line fault does to a client that keeps the rules: a real host end at a real device."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.events import (
    BytesRejected,
    FaultFired,
    FrameInjected,
    FrameSeen,
    LineChanged,
    Logged,
    PowerChanged,
    SessionChanged,
)
from emulator.faults.acts import MOST_PIECES
from emulator.faults.registry import REGISTRY
from emulator.inputs import ClearFaults
from emulator.lines import NO_CLIENT, LineBreak
from protocol.host_end import Answered, NoAnswer
from protocol.messages.codes import OpState, RunState
from protocol.messages.deliver import StopRequest
from protocol.messages.op import OpListRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import StatusRequest
from tests.device.desk import HELLO, SECOND, Desk, arm, frame_of, frames_in, happened, new_device, of_kind

STOP = StopRequest(op_id=1, therapy_rev=0)
RETRY_US = 600_000
"""When a programmer that keeps the rules asks again, at the latest."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(new_device())
    desk.open()
    yield desk
    desk.device.control(ClearFaults(), desk.device.now_us)
    assert isinstance(desk.exchange(StatusRequest()), Answered), "and then it is over"


def stops(desk: Desk) -> int:
    return [event.type for event in of_kind(happened(desk.device), Logged)].count("therapy_stopped")


def took_us(desk: Desk, message: object) -> int:
    """How long it takes until a request has its answer."""
    begun = desk.device.now_us
    assert isinstance(desk.exchange(message), Answered)
    return desk.device.now_us - begun


RETRIED = [
    "drop request STOP",
    "drop answer STOP",
    "corrupt request STOP",
    "corrupt answer STOP",
    "truncate request STOP",
    "truncate answer STOP",
    "corrupt answer STOP where=anywhere seed=7",
    "corrupt request STOP burst=40",
    "hang request STOP lasting=100ms",
    "baud-mismatch request STOP",
    "baud-mismatch answer STOP sent=9600 heard=115200",
]


@pytest.mark.parametrize("fault", RETRIED)
def test_what_is_lost_or_hurt_is_asked_for_again_and_stops_once(desk: Desk, fault: str) -> None:
    arm(desk.device, fault)
    assert took_us(desk, STOP) > 0
    assert stops(desk) == 1


@pytest.mark.parametrize(
    "fault",
    [
        "duplicate request STOP copies=3",
        "duplicate answer STOP copies=3 gap=10ms",
        "echo request STOP",
        "echo answer STOP",
        "insert request STOP bytes=40",
        "insert answer STOP where=behind",
    ],
)
def test_what_comes_with_a_frame_changes_nothing_for_a_host_that_looks_at_it(desk: Desk, fault: str) -> None:
    arm(desk.device, fault)
    assert took_us(desk, STOP) == 0
    desk.wait(1)
    told = happened(desk.device)
    assert of_kind(told, FrameInjected)
    assert [event.type for event in of_kind(told, Logged)].count("therapy_stopped") == 1


def test_a_frame_that_comes_twice_is_heard_twice(desk: Desk) -> None:
    arm(desk.device, "duplicate request STATUS copies=2 gap=1s")
    frame = frame_of(StatusRequest(), 1)
    assert len(frames_in(desk.raw(frame))) == 1
    for _ in range(2):
        desk.wait(1)
        assert len(frames_in(desk.raw(b""))) == 1


def test_a_late_answer_comes_behind_its_request_and_all_behind_it_waits(desk: Desk) -> None:
    arm(desk.device, "delay answer STATUS by=2s")
    begun = desk.device.now_us
    assert desk.raw(frame_of(StatusRequest(), 1) + frame_of(TimeReadRequest(), 2)) == b""
    assert desk.device.next_deadline() is not None
    desk.device.advance(begun + 2 * SECOND - 1)
    assert desk.raw(b"") == b""
    desk.device.advance(begun + 2 * SECOND)
    assert [frame.txn for frame in frames_in(desk.raw(b""))] == [1, 2]


def test_who_loses_his_patience_before_the_late_answer_asks_again(desk: Desk) -> None:
    arm(desk.device, "delay answer STOP by=700ms")
    assert RETRY_US >= 500_000
    assert took_us(desk, STOP) > 0
    assert stops(desk) == 1


def test_a_request_later_than_all_patience_takes_effect_when_nobody_waits_for_it_any_more(desk: Desk) -> None:
    arm(desk.device, "delay request STOP by=1min")
    assert isinstance(desk.exchange(STOP), NoAnswer)
    assert stops(desk) == 0
    desk.wait(60)
    assert stops(desk) == 1


def test_an_overtaken_answer_comes_behind_the_next_one(desk: Desk) -> None:
    arm(desk.device, "reorder answer STATUS by=2s")
    both = desk.raw(frame_of(StatusRequest(), 1) + frame_of(TimeReadRequest(), 2))
    assert [frame.txn for frame in frames_in(both)] == [2, 1]


def test_what_is_held_to_be_overtaken_waits_for_what_was_sent_behind_it(desk: Desk) -> None:
    arm(desk.device, "reorder answer STATUS by=2s count=2")
    desk.raw(frame_of(StatusRequest(), 1))
    desk.wait(1)
    desk.raw(frame_of(StatusRequest(), 2))
    desk.wait(1)
    assert [frame.txn for frame in frames_in(desk.raw(b""))] == [1], "the first has not overtaken the second"
    desk.wait(0.5)
    assert [frame.txn for frame in frames_in(desk.raw(frame_of(TimeReadRequest(), 3)))] == [3, 2]


@pytest.mark.parametrize("verb", ["stale", "replay"])
def test_the_first_frame_has_none_before_it_that_could_come_again(desk: Desk, verb: str) -> None:
    arm(desk.device, f"{verb} answer STATUS")
    assert took_us(desk, StatusRequest()) == 0
    assert not of_kind(happened(desk.device), FaultFired)
    desk.exchange(StatusRequest())
    assert of_kind(happened(desk.device), FaultFired)


def test_an_answer_that_nothing_overtakes_comes_in_the_end(desk: Desk) -> None:
    arm(desk.device, "reorder answer STATUS by=2s")
    assert desk.raw(frame_of(StatusRequest(), 1)) == b""
    desk.wait(2)
    assert [frame.txn for frame in frames_in(desk.raw(b""))] == [1]


@pytest.mark.parametrize("way", ["request", "answer"])
def test_a_frame_in_two_parts_is_one_when_both_are_there(desk: Desk, way: str) -> None:
    arm(desk.device, f"split {way} STOP at=5 gap=100ms")
    desk.raw(frame_of(STOP, 1))
    assert stops(desk) == (way == "answer")
    desk.wait(0.1)
    assert desk.device.pump.truth()["now_us"] == 100_000
    assert stops(desk) == (way == "request")


def test_a_dripping_answer_comes_byte_by_byte(desk: Desk) -> None:
    whole = desk.raw(frame_of(StatusRequest(), 1))
    arm(desk.device, "slow answer STATUS gap=10ms")
    came = desk.raw(frame_of(StatusRequest(), 1, retry=True))
    assert came == whole[:1]
    for at in range(1, len(whole)):
        desk.wait(0.01)
        assert desk.raw(b"") == whole[at : at + 1]


def test_a_dripping_answer_is_taken_when_it_is_whole(desk: Desk) -> None:
    arm(desk.device, "slow answer STATUS bytes=8 gap=10ms")
    assert isinstance(desk.exchange(StatusRequest()), Answered)


def test_an_old_answer_in_the_place_of_the_new_one_is_not_taken_for_it(desk: Desk) -> None:
    arm(desk.device, "stale answer STATUS nth=2")
    assert desk.ask(StatusRequest()).run_state is RunState.RUNNING
    desk.stop(1)
    begun = desk.device.now_us
    assert desk.ask(StatusRequest()).run_state is RunState.STOPPED
    assert desk.device.now_us > begun, "the old one was let pass, and the question repeated"


def test_an_old_request_that_comes_once_more_stops_nothing_again(desk: Desk) -> None:
    arm(desk.device, "replay request STOP nth=2")
    desk.stop(1)
    desk.start(2)
    desk.ask(StopRequest(op_id=3, therapy_rev=0))
    assert len(of_kind(told := happened(desk.device), FrameInjected)) == 1
    assert [event.type for event in of_kind(told, Logged)].count("therapy_stopped") == 2


def test_a_silent_line_carries_nothing_either_way_until_it_is_over(desk: Desk) -> None:
    arm(desk.device, "hang request STATUS lasting=1h")
    for message in (StatusRequest(), STOP):
        assert isinstance(desk.exchange(message), NoAnswer)
    told = happened(desk.device)
    assert len(of_kind(told, FaultFired)) == 8
    assert [event.type for event in of_kind(told, Logged)] == ["boot"]
    desk.wait(3_600)
    assert isinstance(desk.exchange(STOP), Answered)


@pytest.mark.parametrize(("way", "stopped", "state"), [("request", 0, OpState.NOT_SEEN), ("answer", 1, OpState.DONE)])
def test_a_crash_is_before_the_effect_or_behind_it(desk: Desk, way: str, stopped: int, state: OpState) -> None:
    arm(desk.device, f"crash {way} STOP off=5s")
    assert isinstance(desk.exchange(STOP), NoAnswer)
    desk.wait(5)
    told = happened(desk.device)
    assert [(event.change, event.at_us) for event in of_kind(told, PowerChanged)] == [
        ("cut", 0),
        ("restored", 5 * SECOND),
    ]
    assert [event.type for event in of_kind(told, Logged)].count("therapy_stopped") == stopped
    assert desk.query(1).state is state


def test_what_comes_together_with_the_frame_at_which_a_line_breaks_is_lost_with_it() -> None:
    desk = Desk(new_device())
    desk.open()
    arm(desk.device, "disconnect request STATUS lasting=5s")
    assert desk.raw(frame_of(StatusRequest(), 1) + frame_of(STOP, 2)) == b""
    told = happened(desk.device)
    assert [frame.name for frame in of_kind(told, FrameSeen)] == ["STATUS"]
    assert of_kind(told, BytesRejected) == []


@pytest.mark.parametrize(("way", "stopped", "state"), [("request", 0, OpState.NOT_SEEN), ("answer", 1, OpState.DONE)])
def test_a_line_breaks_before_the_effect_or_behind_it_and_can_be_opened_again(
    way: str, stopped: int, state: OpState
) -> None:
    desk = Desk(new_device())
    desk.open()
    arm(desk.device, f"disconnect {way} STOP lasting=5s")
    assert desk.raw(frame_of(STOP, 1)) == b""
    assert desk.device.next_line_break() == LineBreak(0, broken=True)
    desk.wait(4)
    desk.open()
    assert desk.raw(frame_of(StatusRequest(), 2)) == b""
    desk.wait(1)
    assert desk.device.next_line_break() == LineBreak(0, broken=False)
    assert desk.raw(frame_of(StatusRequest(), 3)) == b"", "it is whole, and nobody has opened it"
    told = happened(desk.device)
    assert [(event.change, event.at_us) for event in of_kind(told, LineChanged)] == [
        ("opened", 0),
        ("broken", 0),
        ("mended", 5 * SECOND),
    ]
    assert [event.reason for event in of_kind(told, BytesRejected)] == [NO_CLIENT]
    assert [event.reason for event in of_kind(told, SessionChanged)] == ["", "line"]
    assert [event.type for event in of_kind(told, Logged)].count("therapy_stopped") == stopped
    desk.open()
    assert desk.query(1).state is state


def test_a_broken_line_is_mended_by_the_testers_hand_and_breaks_no_other() -> None:
    desk, other = Desk(device := new_device(insecure=False)), Desk(device, port=1)
    for each in (desk, other):
        each.open()
    arm(device, "disconnect answer HELLO lasting=1h")
    assert desk.raw(frame_of(HELLO, 1)) == b""
    assert isinstance(other.exchange(HELLO), Answered)
    device.control(ClearFaults(), device.now_us)
    assert list(iter(device.next_line_break, None)) == [LineBreak(0, broken=True), LineBreak(0, broken=False)]
    desk.open()
    assert isinstance(desk.exchange(HELLO), Answered)
    assert device.next_deadline() != 3_600 * SECOND


def test_several_faults_strike_one_frame_in_the_order_of_arming(desk: Desk) -> None:
    for fault in ("corrupt answer STATUS", "duplicate answer STATUS", "delay answer STATUS by=1s"):
        arm(desk.device, fault)
    assert desk.raw(frame_of(StatusRequest(), 1)) == b""
    desk.wait(1)
    told = happened(desk.device)
    assert [event.fault.split()[0] for event in of_kind(told, FaultFired)] == ["corrupt", "duplicate", "delay"]
    first, second = of_kind(told, FrameInjected)
    assert first.raw == second.raw != first.struck
    assert first.late_us == second.late_us == SECOND
    assert desk.raw(b"") == first.raw * 2


def test_a_window_opens_and_closes(desk: Desk) -> None:
    arm(desk.device, "drop answer STATUS count=9 after=10s for=5s")
    answered = []
    for _ in range(4):
        answered.append(bool(desk.raw(frame_of(StatusRequest(), 1))))
        desk.wait(5)
    assert answered == [True, True, False, True]
    assert desk.device.armed_faults() == ()


def test_chance_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def losses(seed: int) -> list[bool]:
        desk = Desk(new_device())
        desk.open()
        arm(desk.device, f"drop answer STATUS chance=30% seed={seed} count=1000")
        return [not desk.raw(frame_of(StatusRequest(), txn % 256)) for txn in range(200)]

    assert losses(1) == losses(1) != losses(2)
    assert 30 < sum(losses(1)) < 90


def test_garbage_that_is_no_frame_is_rejected_and_the_frame_behind_it_is_heard(desk: Desk) -> None:
    arm(desk.device, "insert request STATUS bytes=20 seed=3")
    assert len(frames_in(desk.raw(frame_of(StatusRequest(), 1)))) == 1
    assert of_kind(happened(desk.device), BytesRejected)


def in_session() -> Desk:
    desk = Desk(new_device(insecure=False))
    desk.open()
    desk.open_session()
    return desk


@pytest.mark.parametrize(
    "fault",
    [
        "stale answer STATUS nth=2",
        "replay request STATUS nth=2",
        "duplicate request STATUS",
        "reorder answer STATUS by=700ms",
        "delay answer STATUS by=700ms",
        "slow request STATUS gap=5ms",
        "corrupt answer STATUS where=anywhere seed=5",
        "echo request STATUS",
    ],
)
def test_a_session_with_keys_lives_through_what_old_and_late_frames_do_to_it(fault: str) -> None:
    desk = in_session()
    arm(desk.device, fault)
    desk.ask(StatusRequest())
    desk.stop(1)
    assert desk.ask(StatusRequest()).run_state is RunState.STOPPED
    assert of_kind(happened(desk.device), FaultFired)
    assert desk.has_session()


def test_what_is_under_way_when_the_line_is_a_new_one_never_arrives() -> None:
    desk = Desk(new_device())
    desk.open()
    arm(desk.device, "delay answer STATUS by=2s")
    arm(desk.device, "truncate request OP_LIST lost=9")
    desk.raw(frame_of(StatusRequest(), 1))
    desk.raw(frame_of(OpListRequest(page=0), 2))
    desk.open()
    assert desk.device.next_deadline() != 2 * SECOND
    desk.wait(3)
    assert desk.raw(b"") == b""
    assert len(frames_in(desk.raw(frame_of(StatusRequest(), 3)))) == 1
    assert not of_kind(happened(desk.device), BytesRejected)


def test_the_end_that_a_request_has_lost_is_made_up_by_the_beginning_of_the_next(desk: Desk) -> None:
    """Its own delimiter is missing, so the pump hears it when that of the next one comes."""
    arm(desk.device, "truncate request STATUS lost=1")
    assert desk.raw(frame_of(StatusRequest(), 1)) == b""
    assert [frame.txn for frame in frames_in(desk.raw(frame_of(TimeReadRequest(), 2)))] == [1, 2]


def test_however_many_pieces_faults_make_of_a_frame_there_is_an_end(desk: Desk) -> None:
    for _ in range(6):
        arm(desk.device, "duplicate answer STATUS copies=16 gap=1s")
    desk.raw(frame_of(StatusRequest(), 1))
    desk.wait(200)
    assert len(of_kind(happened(desk.device), FrameInjected)) == MOST_PIECES - 1


def test_every_verb_has_its_story_here() -> None:
    stories = Path(__file__).parent.glob("test_*verbs_at_a_client.py")
    text = "".join(page.read_text(encoding="utf-8") for page in stories)
    ways = ("answer", "request", "{way}")
    assert [verb for verb in REGISTRY if not any(f"{verb} {way}" in text for way in ways)] == []


@pytest.mark.parametrize("verb", REGISTRY)
def test_a_fault_that_strikes_nothing_changes_no_byte_and_no_digest(verb: str) -> None:
    outcomes = []
    for fault in (None, f"{verb} answer OP_LIST nth=9", f"{verb} request any after=1h"):
        desk = Desk(new_device())
        desk.open()
        if fault is not None:
            arm(desk.device, fault)
        sent = [
            desk.raw(frame_of(message, txn))
            for txn, message in enumerate((STOP, StatusRequest(), OpListRequest(page=0)))
        ]
        desk.wait(60)
        outcomes.append((sent, desk.device.digest()))
    assert outcomes[0] == outcomes[1] == outcomes[2]
