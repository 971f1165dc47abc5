"""What an attacker on the line can do to a session: turn bits, repeat, reflect, inject. None of it is ever taken."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.access import access_of
from protocol.frame import Flag, Frame
from protocol.framing import LineFault
from protocol.host_end import Answered, HostEnd, SessionReady
from protocol.messages.codes import Role
from protocol.messages.link import CloseRequest, KeepaliveRequest
from protocol.messages.operations import OPERATIONS, Operation, by_name
from protocol.messages.pump_time import TimeReadRequest
from protocol.refusals import Nak, NakCode
from tests.protocol.host_by_hand import Host
from tests.protocol.joined_ends import JoinedEnds
from tests.protocol.message_strategies import messages
from tests.protocol.pump_line import ADDRESS, TIME, PumpLine, bits_of, flipped, frame_of

NO_SUCH_SESSION = Nak(NakCode.NO_SUCH_SESSION)
NEVER_GOOD = {LineFault.TAG, LineFault.COUNTER, LineFault.FLAGS, LineFault.LENGTH, LineFault.VERSION, LineFault.ADDRESS}
# An operation, a request for it, and what it is answered.
Exchange = tuple[Operation, Any, Any]
# What a clinician may ask in a session. HELLO is answered in the clear.
CARRIED = tuple(
    operation
    for operation in OPERATIONS
    if Role.CLINICIAN in access_of(operation.name).roles and operation.name != "HELLO"
)
EXCHANGES = st.sampled_from(CARRIED).flatmap(
    lambda operation: st.tuples(st.just(operation), messages(operation.request), messages(operation.answer))
)
RESP_BITS = (0, 3 * 8 + 7)


def is_dropped_by(pump: PumpLine, wire: bytes, port: int = 0) -> bool:
    """Whether a frame leaves the pump as it was; it may be told that there is no such session."""
    before = pump.window()
    fault = pump.send_wire(wire, port)
    told = [Nak.decode(frame_of(reply).payload) for reply in pump.wires(port)]
    for session in pump.end.sessions():
        # Not what is asked here: a thousand of them would end the session.
        session.wrong_tags = 0
    nothing_asked = pump.next_request() is None
    said = fault in NEVER_GOOD if not told else fault is None and told == [NO_SUCH_SESSION]
    return nothing_asked and said and pump.window() == before


def is_dropped_by_host(host: HostEnd, wire: bytes) -> bool:
    """Whether a frame leaves the host waiting, in its session."""
    ignored, session_id = host.ignored, host.session_id
    host.receive(wire, 0)
    return host.busy and host.next_event() is None and (host.ignored, host.session_id) == (ignored + 1, session_id)


def attack_exchange(ends: JoinedEnds, exchange: Exchange, attack: Callable[[bytes], list[bytes]]) -> None:
    """One exchange; what `attack` makes of each frame comes first, and the frame itself is taken all the same."""
    operation, message, answer = exchange
    ends.host.request(message, 0)
    asked = ends.host.data_to_send()
    assert all(is_dropped_by(ends.pump, wire) for wire in attack(asked))
    assert ends.pump.send_wire(asked) is None
    request = ends.pump.next_request()
    if request is not None:
        assert (request.operation, request.message) == (operation, message)
        ends.pump.end.answer(request.token, answer)
    (answered,) = ends.pump.wires()
    assert all(is_dropped_by_host(ends.host, wire) for wire in attack(answered))
    ends.host.receive(answered, 0)
    event = ends.host.next_event()
    assert isinstance(event, Answered)
    assert request is None or event.message == answer


def every_bit(wire: bytes) -> list[bytes]:
    return [flipped(wire, bit) for bit in bits_of(wire)]


def test_any_single_bit_of_a_whole_session_that_is_turned_is_noticed() -> None:
    ends = JoinedEnds().connect()
    for name in ("KEEPALIVE", "TIME_READ", "TIME_READ", "LINK_STATS", "CLOSE"):
        operation = by_name[name]
        attack_exchange(ends, (operation, operation.request(), TIME), every_bit)
    assert ends.pump.live() == []


def test_any_single_bit_of_the_first_sealed_frame_that_is_turned_is_noticed() -> None:
    ends = JoinedEnds().greet()
    turned: list[bytes] = []

    def attack(wire: bytes) -> bytes:
        if Flag.SECURED in frame_of(wire).flags and not turned:
            turned.extend(every_bit(wire))
            assert all(is_dropped_by_host(ends.host, each) for each in turned)
        return wire

    ends.to_host = attack
    assert isinstance(ends.open_session(ends.wanted()), SessionReady)
    assert len(turned) > 25 * 8


@given(st.lists(EXCHANGES, min_size=1, max_size=3), st.lists(st.integers(0, 1 << 16), min_size=1, max_size=30))
def test_a_bit_that_is_turned_in_any_message_is_noticed(exchanges: list[Exchange], bits: list[int]) -> None:
    ends = JoinedEnds().connect()

    def attack(wire: bytes) -> list[bytes]:
        return [flipped(wire, bits_of(wire)[bit % len(bits_of(wire))]) for bit in bits]

    for exchange in exchanges:
        attack_exchange(ends, exchange, attack)
        if exchange[0].name == "CLOSE":
            break


@given(
    st.sampled_from(CARRIED),
    st.integers(0, 255),
    st.binary(max_size=40),
    st.binary(min_size=13, max_size=13),
    st.sampled_from([Flag(0), Flag.RETRY]),
)
def test_no_frame_is_taken_that_the_host_has_not_sealed(
    operation: Operation, txn: int, payload: bytes, sealed: bytes, flags: Flag
) -> None:
    host = Host(PumpLine(insecure=False)).connect()
    host.exchange(txn)
    frame = Frame(
        opcode=operation.opcode,
        txn=txn + 1 & 0xFF,
        address=ADDRESS,
        payload=payload,
        session_id=host.session_id,
        flags=flags | Flag.SECURED,
        sealed=sealed,
    )
    assert is_dropped_by(host.pump, frame.to_wire())


def recorded_session(pump: PumpLine, messages_asked: list[Any]) -> JoinedEnds:
    """A session in which so much was asked, on port 0."""
    ends = JoinedEnds(pump=pump).connect()
    for message in messages_asked:
        assert ends.ask(message) is not None
    return ends


def relabelled(session_id: int, address: int = ADDRESS) -> Callable[[bytes], bytes]:
    """The frame under another session's id, as an attacker would try it."""

    def relabel(wire: bytes) -> bytes:
        return dataclasses.replace(frame_of(wire), session_id=session_id, address=address).to_wire()

    return relabel


Replay = tuple[PumpLine, int, Callable[[bytes], bytes]]


def in_the_same_session(pump: PumpLine) -> Replay:
    return pump, 0, bytes


def in_another_session_of_the_line(pump: PumpLine) -> Replay:
    reader = Host(pump, Role.READER).connect()
    return pump, 0, relabelled(reader.session_id)


def in_a_later_session(pump: PumpLine) -> Replay:
    Host(pump).connect()
    return pump, 0, bytes


def in_a_later_session_under_its_id(pump: PumpLine) -> Replay:
    later = Host(pump).connect()
    return pump, 0, relabelled(later.session_id)


def in_a_later_session_that_has_the_same_id(pump: PumpLine) -> Replay:
    pump.end.line_opened(0, 0)
    pump.session_counter = 0x10000
    assert Host(pump).connect().session_id == 1
    return pump, 0, bytes


def on_another_port(pump: PumpLine) -> Replay:
    pump.end.line_opened(1, 0)
    return pump, 1, bytes


def on_another_port_under_its_session_id(pump: PumpLine) -> Replay:
    pump.end.line_opened(1, 0)
    other = Host(pump, Role.READER, port=1).connect()
    return pump, 1, relabelled(other.session_id)


def after_lost_power(pump: PumpLine) -> Replay:
    pump.end.power_lost()
    return pump, 0, bytes


def after_lost_power_in_a_session(pump: PumpLine) -> Replay:
    pump.end.power_lost()
    again = Host(pump).connect()
    return pump, 0, relabelled(again.session_id)


def to_another_pump(pump: PumpLine) -> Replay:
    other = PumpLine(insecure=False, address=7, role_keys=pump.role_keys)
    assert Host(other).connect().session_id == 1
    return other, 0, bytes


def to_another_pump_under_its_address(pump: PumpLine) -> Replay:
    other, port, _ = to_another_pump(pump)
    return other, port, relabelled(1, address=7)


@pytest.mark.parametrize(
    "place",
    [
        in_the_same_session,
        in_another_session_of_the_line,
        in_a_later_session,
        in_a_later_session_under_its_id,
        in_a_later_session_that_has_the_same_id,
        on_another_port,
        on_another_port_under_its_session_id,
        after_lost_power,
        after_lost_power_in_a_session,
        to_another_pump,
        to_another_pump_under_its_address,
    ],
)
@settings(max_examples=12)
@given(st.lists(EXCHANGES.map(lambda exchange: exchange[1]), min_size=1, max_size=4), st.randoms())
def test_a_recorded_frame_is_never_taken_again(
    place: Callable[[PumpLine], Replay], asked: list[Any], chance: Any
) -> None:
    asked = [message for message in asked if not isinstance(message, CloseRequest)]
    ends = recorded_session(PumpLine(insecure=False), [KeepaliveRequest(), *asked])
    pump, port, altered = place(ends.pump)
    recorded = [altered(wire) for wire in ends.sent if Flag.SECURED in frame_of(wire).flags]
    assert len(recorded) == len(asked) + 1
    chance.shuffle(recorded)
    assert all(is_dropped_by(pump, wire, port) for wire in recorded * 2)


def test_an_answer_is_never_believed_again() -> None:
    """Each txn comes again after 256 requests, and with it every answer that was recorded fits its request."""
    ends = JoinedEnds().connect()
    for _ in range(256):
        assert isinstance(ends.ask(KeepaliveRequest()), Answered)
    first = ends.received[-256]
    ends.host.request(KeepaliveRequest(), 0)
    assert ends.host.data_to_send()
    answer, again = frame_of(first), frame_of(ends.received[-1])
    assert (answer.opcode, answer.session_id) == (again.opcode, again.session_id)
    assert is_dropped_by_host(ends.host, first)


@pytest.mark.parametrize("session_counter", [1, 0x10000])
def test_an_answer_of_an_earlier_session_is_not_believed(session_counter: int) -> None:
    """The second session asks the same under the same txns; in one case even its id is the same."""
    first = JoinedEnds().connect()
    first.ask(TimeReadRequest())
    first.pump.end.line_opened(0, 0)
    first.pump.session_counter = session_counter
    second = JoinedEnds(pump=first.pump).connect()
    second.host.request(TimeReadRequest(), 0)
    assert frame_of(second.host.data_to_send()).txn == frame_of(first.received[-1]).txn
    assert is_dropped_by_host(second.host, first.received[-1])
    assert is_dropped_by_host(second.host, relabelled(second.host.session_id)(first.received[-1]))


def turned_about(wire: bytes) -> bytes:
    """A request as an answer, or the other way round; every other bit is as it was sealed."""
    return flipped(flipped(wire, RESP_BITS[0]), RESP_BITS[1])


@settings(max_examples=50)
@given(EXCHANGES)
def test_a_frame_that_comes_back_to_its_sender_is_not_taken(exchange: Exchange) -> None:
    ends = JoinedEnds().connect()
    host, pump = ends.host, ends.pump
    _, message, answer = exchange
    host.request(message, 0)
    asked = host.data_to_send()
    assert is_dropped_by_host(host, asked)
    assert is_dropped_by_host(host, turned_about(asked))
    pump.send_wire(asked)
    if (request := pump.next_request()) is not None:
        pump.end.answer(request.token, answer)
    (answered,) = pump.wires()
    assert is_dropped_by(pump, answered)
    assert is_dropped_by(pump, turned_about(answered))
    host.receive(answered, 0)
    assert isinstance(host.next_event(), Answered)
