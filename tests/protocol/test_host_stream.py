"""The programmer's side of a stream: what comes beside answers, what is missing, and what is not believed."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errands import TelemetryWanted
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.host_end import Answered, HostEnd
from protocol.host_stream import TOLD_HELD_MAX, HostStream, Told
from protocol.messages.codes import Role, TelemetryField
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.stream import StreamEvent, SubscribeRequest
from tests.protocol.joined_ends import JoinedEnds
from tests.protocol.pump_line import ADDRESS, event_of, flipped, frame_of

WATCH = SubscribeRequest(fields=TelemetryField(0), period_s=10)


def event(number: int) -> StreamEvent:
    return event_of(TelemetryWanted(0, Role.READER, TelemetryField(0), number))


def told_by(host: HostEnd | HostStream) -> list[tuple[int, int]]:
    """Number of each event that was handed out, and how many were missing before it."""
    told = []
    while (each := host.next_told()) is not None:
        told.append((each.event.stream_sequence, each.missed))
    return told


def joined() -> JoinedEnds:
    ends = JoinedEnds().connect()
    ends.pump.tells = True
    return ends


def sent(ends: JoinedEnds) -> list[bytes]:
    """What the pump has for the host, which has not got it yet."""
    ends.pump.serve()
    return ends.pump.wires()


def raise_flag(ends: JoinedEnds) -> bytes:
    ends.pump.end.streams.flag_set(Role.CLINICIAN)
    (wire,) = sent(ends)
    return wire


def test_events_are_handed_out_apart_from_answers() -> None:
    ends = joined()
    assert isinstance(ends.ask(WATCH), Answered)
    assert told_by(ends.host) == [(1, 0)]
    ends.host.receive(raise_flag(ends), 0)
    assert ends.host.next_event() is None
    assert told_by(ends.host) == [(2, 0)]
    assert told_by(ends.host) == []


def test_an_event_that_comes_before_the_answer_neither_answers_nor_delays_it() -> None:
    ends = joined()
    ends.ask(WATCH)
    ends.host.request(TimeReadRequest(), 0)
    deadline = ends.host.next_deadline()
    ends.host.receive(raise_flag(ends), 100)
    assert (ends.host.busy, ends.host.next_deadline(), ends.host.next_event()) == (True, deadline, None)
    assert isinstance(ends.settle(), Answered)
    assert told_by(ends.host) == [(1, 0), (2, 0)]


def test_a_lost_event_is_counted_with_the_next_one() -> None:
    ends = joined()
    ends.ask(WATCH)
    lost = [raise_flag(ends) for _ in range(3)]
    ends.host.receive(raise_flag(ends), 0)
    assert told_by(ends.host) == [(1, 0), (5, 3)]
    ignored = ends.host.ignored
    for late in lost:
        ends.host.receive(late, 0)
    assert told_by(ends.host) == [], "their counters are old by now"
    assert ends.host.ignored == ignored + 3


def test_an_answer_to_subscribe_that_was_lost_costs_no_false_gap() -> None:
    ends = joined()
    drop = [True]

    def lossy(wire: bytes) -> bytes:
        if Flag.RESP in frame_of(wire).flags and drop:
            drop.clear()
            return b""
        return wire

    ends.to_host = lossy
    assert ends.ask(WATCH) is None
    assert told_by(ends.host) == [(1, 0)]
    assert isinstance(ends.wait(), Answered), "from the cache; it says that 1 comes next, which has come"
    ends.host.receive(raise_flag(ends), 0)
    assert told_by(ends.host) == [(2, 0)]


def test_another_subscribe_hides_no_gap() -> None:
    ends = joined()
    ends.ask(WATCH)
    told_by(ends.host)
    for _ in range(4):
        raise_flag(ends)
    ends.to_host = lambda wire: wire if Flag.RESP in frame_of(wire).flags else b""
    assert isinstance(ends.ask(WATCH), Answered)
    ends.host.receive(raise_flag(ends), 0)
    assert told_by(ends.host) == [(7, 5)], "4, and the first of the new one"


def test_an_insecure_pump_that_has_begun_anew_costs_no_false_gap() -> None:
    """Its session 0 ended by silence, and the next frame has begun another one."""
    stream = HostStream()
    for number in range(1, 31):
        stream.take(event(number))
    stream.subscribing()
    stream.subscribed(1)
    stream.take(event(1))
    stream.take(event(2))
    assert told_by(stream)[-3:] == [(30, 0), (1, 0), (2, 0)]


def test_a_new_session_begins_anew() -> None:
    ends = joined()
    ends.ask(WATCH)
    old = raise_flag(ends)
    ends.open_session(ends.wanted())
    assert told_by(ends.host) == [], "what nobody took belongs to a session that is gone"
    ends.host.receive(old, 0)
    assert told_by(ends.host) == []
    ends.ask(WATCH)
    assert told_by(ends.host) == [(1, 0)]


def unsealed(frame: Frame) -> bytes:
    return Frame(
        opcode=frame.opcode, txn=frame.txn, address=frame.address, payload=encode(event(2)), flags=Flag.EVENT
    ).to_wire()


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda wire: unsealed(frame_of(wire)), id="in the clear"),
        pytest.param(lambda wire: flipped(wire, 8), id="another txn"),
        pytest.param(lambda wire: flipped(wire, 16), id="another opcode"),
        pytest.param(lambda wire: flipped(wire, 32), id="another address"),
        pytest.param(lambda wire: flipped(wire, 64), id="another session"),
        pytest.param(lambda wire: flipped(wire, 12 * 8), id="another payload"),
        pytest.param(lambda wire: flipped(flipped(flipped(wire, 0), 1), 31), id="as an answer"),
    ],
)
def test_what_the_pump_has_not_sealed_as_an_event_is_none(forge: Callable[[bytes], bytes]) -> None:
    ends = joined()
    ends.ask(WATCH)
    told_by(ends.host)
    wire = raise_flag(ends)
    ignored = ends.host.ignored
    ends.host.receive(forge(wire), 0)
    assert (told_by(ends.host), ends.host.ignored) == ([], ignored + 1)
    ends.host.receive(wire, 0)
    ends.host.receive(wire, 0)
    assert told_by(ends.host) == [(2, 0)], "once"


def test_in_the_clear_an_event_must_bear_the_pumps_address_and_its_own_number() -> None:
    host = HostEnd(address=ADDRESS)
    good = Frame(opcode=0x0704, txn=1, address=ADDRESS, payload=encode(event(1)), flags=Flag.EVENT)
    for wrong in (
        replace(good, address=ADDRESS + 1),
        replace(good, txn=2),
        replace(good, opcode=0x0705),
        replace(good, payload=good.payload[:-1]),
        replace(good, flags=Flag.RESP),
    ):
        host.receive(wrong.to_wire(), 0)
    assert (told_by(host), host.ignored) == ([], 5)
    host.receive(good.to_wire(), 0)
    assert told_by(host) == [(1, 0)]
    stranger = HostEnd()
    stranger.receive(good.to_wire(), 0)
    assert told_by(stranger) == [], "a host that does not know its pump believes nobody"


def test_a_copy_in_the_clear_is_dropped() -> None:
    host = HostEnd(address=ADDRESS)
    wires = [
        Frame(opcode=0x0704, txn=number, address=ADDRESS, payload=encode(event(number)), flags=Flag.EVENT).to_wire()
        for number in range(1, 101)
    ]
    for wire in wires:
        host.receive(wire, 0)
        host.receive(wire, 0)
    assert [missed for _, missed in told_by(host)] == [36] + [0] * 63
    assert host.ignored == 100
    host.receive(wires[99 - 63], 0)
    assert (told_by(host), host.ignored) == ([], 101)


def test_what_nobody_takes_is_dropped_from_the_oldest_on_and_counted() -> None:
    stream = HostStream()
    for number in range(1, TOLD_HELD_MAX + 11):
        if number != 5:
            stream.take(event(number))
    told = told_by(stream)
    assert len(told) == TOLD_HELD_MAX
    assert told[0] == (11, 10)
    assert all(missed == 0 for _, missed in told[1:])


@given(st.integers(0, 0xFFFF), st.lists(st.booleans(), max_size=2 * TOLD_HELD_MAX), st.lists(st.booleans()))
def test_every_event_is_handed_out_or_counted(first: int, arrives: list[bool], takes: list[bool]) -> None:
    """Whatever is lost on the way, and however rarely somebody looks: numbers rise, and the gaps are the lost ones."""
    stream = HostStream(first)
    stream.subscribing()
    stream.subscribed(first)
    told: list[Told] = []
    for at, arrived in enumerate([*arrives, True]):
        if arrived:
            stream.take(event((first + at) & 0xFFFF))
        if at < len(takes) and takes[at]:
            told += filter(None, [stream.next_told()])
    while (each := stream.next_told()) is not None:
        told.append(each)
    expected = first
    for each in told:
        expected = (expected + each.missed) & 0xFFFF
        assert each.event.stream_sequence == expected
        expected = (expected + 1) & 0xFFFF
    assert expected == (first + len(arrives) + 1) & 0xFFFF
    assert sum(each.missed + 1 for each in told) == len(arrives) + 1
