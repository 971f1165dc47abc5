"""A pump that speaks of its own accord: what it tells, when, to whom, and what becomes of it on a bad day."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.device import Device
from emulator.events import FaultFired, FrameSeen, LineChanged, Logged
from emulator.inputs import CutPower, LineChange, RestorePower
from emulator.lines import EVENT_OUTPUT_LIMIT, OUTPUT_LIMIT
from firmware_model.pump_state import restored, save
from protocol.fields import table_of
from protocol.frame import Flag
from protocol.host_stream import Told
from protocol.messages.codes import ChangedFlag, Role, RunState, TelemetryField
from protocol.messages.deliver import StopRequest
from protocol.messages.link import KeepaliveRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import BatteryRequest, StatusRequest
from protocol.messages.stream import (
    ResetFlagsRequest,
    StreamEvent,
    SubscribeRequest,
    UnsubscribeRequest,
)
from protocol.refusals import NakCode
from protocol.streams import ALL_FIELDS
from tests.device.desk import SECOND, Desk, arm, frames_in, happened, new_device, of_kind
from tests.firmware_model.pump_profiles import LONG_LOG, shipped

ALL_FLAGS = ChangedFlag(sum(ChangedFlag))


def desk_at(device: Device, role: Role = Role.READER, port: int = 0, host_id: int = 1) -> Desk:
    desk = Desk(device, port)
    desk.open()
    desk.open_session(role, host_id=host_id)
    return desk


def subscribe(desk: Desk, period_s: int = 60, fields: TelemetryField = ALL_FIELDS) -> StreamEvent:
    """The event that comes at once."""
    desk.ask(SubscribeRequest(fields=fields, period_s=period_s))
    (told,) = take(desk)
    assert told.missed == 0
    return told.event


def take(desk: Desk) -> list[Told]:
    """What has come of the pump's own accord since."""
    desk.host.receive(desk.device.data_to_send(desk.device.now_us, port=desk.port), desk.device.now_us)
    told = []
    while (each := desk.host.next_told()) is not None:
        told.append(each)
    return told


def reset(desk: Desk, event: StreamEvent) -> ChangedFlag:
    """All that is set is read of, up to what the event told; what is still set then."""
    request = ResetFlagsRequest(changed=ALL_FLAGS, log_epoch=event.log_epoch, log_sequence=event.log_last)
    left: ChangedFlag = desk.ask(request).changed
    return left


def test_an_event_says_what_status_time_and_battery_answer_at_that_instant() -> None:
    desk = desk_at(new_device(insecure=False), Role.CLINICIAN)
    desk.bolus(20_000, 600, 1)
    desk.wait(77)
    event = subscribe(desk)
    known: dict[str, Any] = {}
    for message in (StatusRequest(), TimeReadRequest(), BatteryRequest()):
        answer = desk.ask(message)
        known |= {row.name: getattr(answer, row.name) for row in table_of(type(answer))}
    own = {"stream_sequence", "changed", "fields"}
    for row in table_of(StreamEvent):
        assert row.name in own or getattr(event, row.name) == known[row.name], row.name
    assert event.bolus_delivered_nl


def test_a_pump_tells_what_it_believes_not_what_is_so() -> None:
    """A worn rotor gives half as much again; nobody but the tester knows."""
    desk = desk_at(new_device(insecure=False))
    arm(desk.device, "gain-error ppm=500000")
    subscribe(desk, 100)
    desk.wait(100)
    (told,) = take(desk)
    truth: Any = desk.device.truth()
    given_nl = LONG_LOG.reservoir.initial_volume_nl - (told.event.reservoir_nl or 0)
    assert given_nl == told.event.delivered_nl
    assert LONG_LOG.reservoir.initial_volume_nl - truth["reservoir_nl"] > given_nl


def test_an_alarm_is_told_at_its_instant_and_not_with_the_period() -> None:
    desk = desk_at(new_device(insecure=False))
    desk.wait(7)
    reset(desk, subscribe(desk, 100))
    happened(desk.device)
    keep_alive_for(desk, 2_000)
    events = happened(desk.device)
    (raised,) = [event for event in of_kind(events, Logged) if event.type == "alarm_raised"]
    streamed = [event.at_us for event in of_kind(events, FrameSeen) if event.direction == "event"]
    assert raised.at_us in streamed
    assert set(streamed) - {raised.at_us} == {(7 + 100 * period) * SECOND for period in range(1, 21)}
    assert len(streamed) == 21


def keep_alive_for(desk: Desk, seconds: int) -> None:
    for _ in range(seconds // 50):
        desk.wait(50)
        desk.ask(KeepaliveRequest())


def test_a_flag_that_is_set_is_told_once_until_somebody_has_read_of_it() -> None:
    desk = desk_at(new_device(insecure=False), Role.CLINICIAN)
    first = subscribe(desk)
    assert first.changed == ALL_FLAGS
    assert reset(desk, first) == 0
    desk.stop(1)
    (stopped,) = take(desk)
    assert (stopped.event.changed, stopped.event.run_state) == (ChangedFlag.THERAPY, RunState.STOPPED)
    desk.start(2)
    assert take(desk) == [], "the flag is set already"
    assert reset(desk, stopped.event) == ChangedFlag.THERAPY, "and was set again since"
    desk.stop(3)
    assert take(desk) == []


def test_the_answer_comes_first_and_then_what_it_has_changed() -> None:
    desk = desk_at(new_device(insecure=False), Role.CLINICIAN)
    reset(desk, subscribe(desk))
    happened(desk.device)
    desk.stop(1)
    frames = of_kind(happened(desk.device), FrameSeen)
    assert [(frame.direction, frame.name) for frame in frames] == [
        ("request", "STOP"),
        ("answer", "STOP"),
        ("event", "EVENT"),
    ]


def test_what_the_testers_hand_brings_about_is_told_without_any_time_passing() -> None:
    desk = desk_at(new_device(insecure=False))
    reset(desk, subscribe(desk))
    arm(desk.device, "clock-loss")
    (told,) = take(desk)
    assert told.event.changed == ChangedFlag.ALARM


def test_each_role_has_flags_of_its_own_and_who_shares_a_role_shares_them() -> None:
    device = new_device(insecure=False)
    one, other = desk_at(device), desk_at(device, port=1, host_id=2)
    clinician = desk_at(device, Role.CLINICIAN, port=2, host_id=3)
    for desk in (one, other, clinician):
        subscribe(desk)
    assert reset(one, subscribe(one)) == 0
    assert subscribe(other).changed == 0, "the other reader must go by log_last"
    assert subscribe(clinician).changed == ALL_FLAGS
    clinician.stop(1)
    assert [told.event.changed for told in take(one)] == [ChangedFlag.THERAPY]
    assert [told.event.changed for told in take(other)] == [ChangedFlag.THERAPY]
    assert take(clinician) == [], "nothing is new to him"


def test_the_subscription_dies_with_power_and_the_flags_are_all_set() -> None:
    desk = desk_at(new_device(insecure=False))
    assert reset(desk, subscribe(desk)) == 0
    desk.device.control(CutPower(), desk.device.now_us)
    desk.wait(100)
    desk.device.control(RestorePower(), desk.device.now_us)
    desk.wait(100)
    assert take(desk) == []
    desk.open()
    desk.open_session(Role.READER)
    event = subscribe(desk)
    assert (event.stream_sequence, event.changed, event.boot) == (1, ALL_FLAGS, 2)


def test_a_pump_whose_memory_fails_says_so_at_once_and_forgets_nothing_any_more() -> None:
    desk = desk_at(new_device(insecure=False), Role.CLINICIAN)
    reset(desk, subscribe(desk))
    arm(desk.device, "write-fault kind=stuck writes=1000")
    assert desk.refusal(StopRequest(op_id=1, therapy_rev=0)).code == NakCode.MEMORY_FAILURE
    (told,) = take(desk)
    assert (told.event.changed, told.event.run_state, told.event.log_epoch) == (ALL_FLAGS, RunState.FAILED, 0)
    nak = desk.refusal(ResetFlagsRequest(changed=ALL_FLAGS, log_epoch=0, log_sequence=0))
    assert nak.code == NakCode.MEMORY_FAILURE
    desk.wait(60)
    assert [told.event.changed for told in take(desk)] == [ALL_FLAGS]


def test_flags_are_saved_with_the_pump_and_subscriptions_are_not() -> None:
    desk = desk_at(new_device(insecure=False))
    first = subscribe(desk)
    desk.ask(ResetFlagsRequest(changed=ChangedFlag.CLOCK, log_epoch=1, log_sequence=first.log_last))
    happened(desk.device)
    again = new_device(insecure=False)
    again.pump = restored(save(desk.device.pump), LONG_LOG)
    assert again.digest() == desk.device.digest()
    other = Desk(again)
    other.open()
    other.wait(200)
    assert take(other) == []
    other.open_session(Role.READER)
    assert subscribe(other).changed == ALL_FLAGS & ~ChangedFlag.CLOCK


def test_a_fault_of_the_line_strikes_events_by_their_own_direction() -> None:
    desk = desk_at(new_device(insecure=False))
    arm(desk.device, "drop event EVENT nth=2 count=3")
    subscribe(desk, 10)
    desk.wait(60)
    assert [(told.event.stream_sequence, told.missed) for told in take(desk)] == [(5, 3), (6, 0), (7, 0)]
    assert len(of_kind(happened(desk.device), FaultFired)) == 3


@pytest.mark.parametrize("fault", ["drop answer any", "drop request any"])
def test_a_fault_of_another_direction_does_not(fault: str) -> None:
    desk = desk_at(new_device(insecure=False))
    subscribe(desk, 10)
    arm(desk.device, fault)
    desk.wait(20)
    assert len(take(desk)) == 2


def test_who_does_not_read_is_sent_no_events_and_every_answer() -> None:
    desk = desk_at(new_device(insecure=False))
    subscribe(desk, 10)
    happened(desk.device)
    desk.device.line(LineChange.HELD, desk.device.now_us)
    desk.device.line(LineChange.HELD, desk.device.now_us)
    desk.wait(100)
    assert desk.ask(TimeReadRequest()).elapsed_s == 100
    assert take(desk) == []
    desk.device.line(LineChange.FLOWING, desk.device.now_us)
    (told,) = take(desk)
    assert (told.event.stream_sequence, told.missed, told.event.elapsed_s) == (12, 10, 100)
    assert [event.change for event in of_kind(happened(desk.device), LineChanged)] == ["held", "flowing"]
    desk.wait(10)
    assert [told.missed for told in take(desk)] == [0]


def test_a_line_that_nobody_has_opened_is_neither_held_nor_does_it_flow() -> None:
    device = new_device(insecure=False)
    happened(device)
    device.line(LineChange.HELD, 0, port=3)
    device.line(LineChange.FLOWING, 0, port=3)
    assert happened(device) == []


def test_events_that_no_driver_fetches_leave_room_for_answers() -> None:
    """A driver should say that a line is held. One that does not loses events, and no answer."""
    desk = desk_at(new_device(insecure=False))
    subscribe(desk, 2)
    for _ in range(10):
        desk.wait(50)
        desk.host.request(KeepaliveRequest(), desk.device.now_us)
        desk.device.receive(desk.host.data_to_send(), desk.device.now_us)
        desk.host._exchange = None
    frames = frames_in(desk.device.data_to_send(desk.device.now_us))
    events = [frame for frame in frames if Flag.EVENT in frame.flags]
    assert len(frames) - len(events) == 10
    assert sum(len(frame.to_wire()) for frame in events) <= EVENT_OUTPUT_LIMIT < OUTPUT_LIMIT
    assert len(events) < 250


@pytest.mark.parametrize("name", ["reference-20", "reference-40"])
def test_a_pump_grants_the_periods_that_its_caps_name(name: str) -> None:
    profile = shipped(name)
    desk = desk_at(new_device(profile, insecure=False))
    for period_s, limit, code in (
        (profile.stream.period_min_s - 1, profile.stream.period_min_s, NakCode.BELOW_MINIMUM),
        (profile.stream.period_max_s + 1, profile.stream.period_max_s, NakCode.ABOVE_MAXIMUM),
    ):
        nak = desk.refusal(SubscribeRequest(fields=ALL_FIELDS, period_s=period_s))
        assert (nak.code, nak.field, nak.detail) == (code, 1, limit)
    subscribe(desk, profile.stream.period_min_s)
    subscribe(desk, profile.stream.period_max_s)


def test_an_insecure_pump_streams_in_the_clear() -> None:
    desk = Desk(new_device(insecure=True))
    desk.open()
    event = subscribe(desk, 10)
    assert event.stream_sequence == 1
    desk.wait(10)
    assert [told.event.stream_sequence for told in take(desk)] == [2]
    desk.ask(UnsubscribeRequest())
    desk.wait(100)
    assert take(desk) == []
