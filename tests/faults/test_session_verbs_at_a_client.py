"""The line faults that know keys and sessions, at a real host end in a session with a real device."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.events import BytesRejected, FaultFired, FrameInjected, Logged, SessionChanged
from protocol.channel import COUNTER_MAX, counter_of
from protocol.explain import FAULT_WORDS
from protocol.frame import Frame
from protocol.framing import LineFault
from protocol.host_end import Answered, NoAnswer, Refused
from protocol.messages.codes import OpState
from protocol.messages.deliver import StopRequest
from protocol.messages.read import StatusRequest
from protocol.refusals import NakCode
from tests.device.desk import Desk, arm, frame_of, frames_in, happened, new_device, of_kind

STOP = StopRequest(op_id=1, therapy_rev=0)


def in_session() -> Desk:
    desk = Desk(new_device(insecure=False))
    desk.open()
    desk.open_session()
    happened(desk.device)
    return desk


def one_frame(raw: bytes) -> Frame:
    (frame,) = frames_in(raw)
    return frame


def stops(events: Sequence[object]) -> int:
    return sum(isinstance(event, Logged) and event.type == "therapy_stopped" for event in events)


@pytest.mark.parametrize("way", ["request", "answer"])
def test_a_frame_with_a_wrong_tag_is_dropped_by_who_gets_it_and_asked_for_again(way: str) -> None:
    desk = in_session()
    arm(desk.device, f"tag-flip {way} STOP")
    begun = desk.device.now_us
    assert isinstance(desk.exchange(STOP), Answered)
    assert desk.device.now_us > begun, "it was asked for again"
    told = happened(desk.device)
    assert stops(told) == 1
    (injected,) = of_kind(told, FrameInjected)
    was, is_now = one_frame(injected.struck), one_frame(injected.raw)
    assert (is_now.header(), is_now.payload, counter_of(is_now)) == (was.header(), was.payload, counter_of(was))
    assert is_now.sealed != was.sealed
    reasons = [event.reason for event in of_kind(told, BytesRejected)]
    assert reasons == ([FAULT_WORDS[LineFault.TAG]] if way == "request" else [])


def test_a_request_that_has_skipped_counters_is_taken_and_all_behind_it_are_old() -> None:
    desk = in_session()
    arm(desk.device, "counter-skip request STATUS by=1000")
    assert isinstance(desk.exchange(StatusRequest()), Answered)
    assert isinstance(desk.exchange(STOP), NoAnswer)
    told = happened(desk.device)
    assert stops(told) == 0
    (injected,) = of_kind(told, FrameInjected)
    assert counter_of(one_frame(injected.raw)) == counter_of(one_frame(injected.struck)) + 999
    assert {event.reason for event in of_kind(told, BytesRejected)} == {FAULT_WORDS[LineFault.COUNTER]}
    desk.open_session()
    assert isinstance(desk.exchange(STOP), Answered), "a new session begins to count anew"


def test_an_answer_that_has_skipped_counters_makes_a_host_deaf_to_those_behind_it() -> None:
    desk = in_session()
    arm(desk.device, "counter-skip answer STATUS by=1000")
    assert isinstance(desk.exchange(StatusRequest()), Answered)
    ignored = desk.host.ignored
    assert isinstance(desk.exchange(STOP), NoAnswer)
    assert desk.host.ignored > ignored
    desk.open_session()
    assert desk.query(1).state is OpState.DONE


@pytest.mark.parametrize("by", [0, -3])
@pytest.mark.parametrize("way", ["request", "answer"])
def test_a_counter_that_stands_still_or_goes_back_is_a_copy_and_asked_for_again(way: str, by: int) -> None:
    desk = in_session()
    arm(desk.device, f"counter-skip {way} STOP by={by}")
    assert isinstance(desk.exchange(STOP), Answered)
    told = happened(desk.device)
    assert (stops(told), len(of_kind(told, FaultFired))) == (1, 1)
    assert len(of_kind(told, BytesRejected)) == (way == "request")


@given(by=st.integers(-(10**6), 10**12))
@settings(max_examples=20)
def test_a_counter_is_what_the_fault_says_within_what_there_is(by: int) -> None:
    desk = in_session()
    arm(desk.device, f"counter-skip answer STATUS by={by}")
    desk.exchange(StatusRequest())
    for injected in of_kind(happened(desk.device), FrameInjected):
        wanted = counter_of(one_frame(injected.struck)) - 1 + by
        assert counter_of(one_frame(injected.raw)) == min(max(wanted, 0), COUNTER_MAX)


@pytest.mark.parametrize(("way", "stopped", "state"), [("request", 0, OpState.NOT_SEEN), ("answer", 1, OpState.DONE)])
def test_a_session_is_dropped_before_the_effect_or_behind_it(way: str, stopped: int, state: OpState) -> None:
    desk = in_session()
    arm(desk.device, f"session-drop {way} STOP")
    stop = desk.exchange(STOP)
    status = desk.exchange(StatusRequest())
    told = happened(desk.device)
    assert [(event.change, event.reason) for event in of_kind(told, SessionChanged)] == [("ended", "silence")]
    assert stops(told) == stopped
    refused = stop if way == "request" else status
    assert isinstance(refused, Refused)
    assert refused.nak.code is NakCode.NO_SUCH_SESSION
    assert isinstance(stop, Answered) == (way == "answer")
    desk.open_session()
    assert desk.query(1).state is state


def test_without_keys_the_session_that_is_dropped_is_begun_again_by_the_next_frame() -> None:
    desk = Desk(new_device())
    desk.open()
    arm(desk.device, "session-drop request STATUS")
    assert isinstance(desk.exchange(StatusRequest()), Answered)
    told = [(event.change, event.reason) for event in of_kind(happened(desk.device), SessionChanged)]
    assert told == [("opened", ""), ("ended", "silence"), ("opened", "")]


@pytest.mark.parametrize("verb", ["tag-flip", "counter-skip"])
def test_a_frame_that_is_not_sealed_is_none_of_theirs(verb: str) -> None:
    desk = Desk(new_device())
    desk.open()
    arm(desk.device, f"{verb} answer any")
    for txn in range(3):
        assert len(frames_in(desk.raw(frame_of(StatusRequest(), txn)))) == 1
    assert not of_kind(happened(desk.device), FaultFired)
    assert len(desk.device.armed_faults()) == 1


@pytest.mark.parametrize("verb", ["tag-flip", "counter-skip"])
def test_what_an_earlier_fault_has_hurt_cannot_be_sealed_again(verb: str) -> None:
    desk = in_session()
    arm(desk.device, "truncate answer STATUS")
    arm(desk.device, f"{verb} answer STATUS")
    assert isinstance(desk.exchange(StatusRequest()), Answered)
    first, *_ = of_kind(happened(desk.device), FrameInjected)
    assert first.struck.startswith(first.raw)
