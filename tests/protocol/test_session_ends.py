"""How sessions end: silence, line, power, CLOSE, wrong tags, used up counters, other keys. Nothing else ends one."""

from collections.abc import Callable

import pytest

from protocol import keys
from protocol.channel import COUNTER_MAX
from protocol.errands import FailureToNote
from protocol.fields import decode
from protocol.framing import LineFault, Piece
from protocol.messages.codes import Role
from protocol.messages.link import LinkStatsAnswer
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import SILENCE_US, WRONG_TAGS_MAX
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import (
    ADDRESS,
    CLOSE,
    KEEPALIVE,
    STOP,
    TIME,
    TIME_READ,
    PumpLine,
    flipped,
    hello_of,
)

A_TAG_BIT = 12 * 8 + 5 * 8
GARBLED = ("START", b"")


@pytest.fixture
def pump() -> PumpLine:
    pump = PumpLine(insecure=False)
    for port in (1, 2):
        pump.end.line_opened(port, 0)
    return pump


@pytest.fixture
def host(pump: PumpLine) -> Host:
    return Host(pump).connect()


def test_silence_ends_a_session_to_the_microsecond(pump: PumpLine, host: Host) -> None:
    pump.now = 5_000_000
    host.exchange(5)
    assert pump.end.next_deadline() == 5_000_000 + SILENCE_US
    pump.end.advance(5_000_000 + SILENCE_US - 1)
    assert pump.live() == [1]
    pump.end.advance(5_000_000 + SILENCE_US)
    assert pump.endings() == [(1, "silence")]
    assert pump.end.next_deadline() is None


def test_a_frame_at_the_very_end_of_silence_is_late(pump: PumpLine, host: Host) -> None:
    pump.now = SILENCE_US
    assert host.is_gone()
    assert pump.endings() == [(1, "silence")]


def test_a_good_frame_prolongs_whatever_it_is_answered_and_nothing_else_does(pump: PumpLine, host: Host) -> None:
    for named, txn in ((TIME_READ, 5), (TIME_READ, 5), (TIME_READ, 9), (STOP, 1), (GARBLED, 6)):
        pump.now += 1_000_000
        host.send(named, txn)
        assert host.session.ends_at == pump.now + SILENCE_US
    old = host.frame(KEEPALIVE, 1).to_wire()
    pump.send_wire(old)
    ends_at = host.session.ends_at
    pump.now += 1_000_000
    assert pump.send_wire(old) is LineFault.COUNTER
    assert pump.send_wire(flipped(host.frame(KEEPALIVE, 1).to_wire(), A_TAG_BIT)) is LineFault.TAG
    pump.fault(Piece(b"\x01\x00", None, LineFault.COBS))
    assert pump.send_wire(host.frame(KEEPALIVE, 1).to_wire(), 1) is None
    assert host.session.ends_at == ends_at
    pump.end.advance(ends_at)
    assert pump.endings() == [(1, "silence")]


def close_the_line(host: Host) -> None:
    host.pump.end.line_closed(0, 0)
    host.pump.end.line_opened(0, 0)


def open_the_line_anew(host: Host) -> None:
    host.pump.end.line_opened(0, 0)


def lose_power(host: Host) -> None:
    host.pump.end.power_lost()


def replace_the_keys(host: Host) -> None:
    host.pump.end.replace_keys(hello_of(ADDRESS), keys.test_keys(1))


def fall_silent(host: Host) -> None:
    host.pump.end.advance(SILENCE_US)
    host.pump.now = SILENCE_US


@pytest.mark.parametrize(
    ("happens", "reason", "others_live"),
    [
        (close_the_line, "line", True),
        (open_the_line_anew, "line", True),
        (lose_power, "power", False),
        (replace_the_keys, "keys", False),
        (fall_silent, "silence", False),
    ],
)
def test_a_session_ends_and_its_unanswered_request_with_it(
    host: Host, happens: Callable[[Host], None], reason: str, others_live: bool
) -> None:
    pump = host.pump
    other = Host(pump, Role.READER, port=1).connect()
    tokens = []
    for named in (TIME_READ, STOP):
        host.send(named, 5)
        tokens.append(pump.asked().token)
    pump.events()
    happens(host)
    assert (1, reason) in pump.endings()
    for token in tokens:
        pump.end.answer(token, TIME)
        pump.end.refuse(token, Nak(NakCode.CONDITIONS))
    assert pump.wires() == []
    assert host.is_gone()
    assert other.is_gone() is not others_live


def test_a_line_takes_its_own_sessions_only_and_all_of_them(pump: PumpLine) -> None:
    for role in Role:
        Host(pump, role).connect()
    Host(pump, Role.READER, host_id=8, port=1).connect()
    pump.end.line_closed(0, 0)
    assert pump.endings() == [(1, "line"), (2, "line"), (3, "line")]
    assert pump.live() == [4]


def test_a_session_that_ends_leaves_the_requests_of_the_others(pump: PumpLine, host: Host) -> None:
    reader = Host(pump, Role.READER).connect()
    host.send(TIME_READ, 5)
    token = pump.asked().token
    reader.send(CLOSE, 9)
    assert reader.replies() == [(9, OK)]
    pump.end.answer(token, TIME)
    assert host.replies() == [(5, OK)]


def test_close_is_answered_in_the_session_and_then_it_is_gone(pump: PumpLine, host: Host) -> None:
    reader = Host(pump, Role.READER).connect()
    host.send(CLOSE, 5)
    assert host.replies() == [(5, OK)]
    assert pump.endings() == [(1, "closed")]
    # The answer may have been lost; the session is gone all the same.
    host.send(CLOSE, 5)
    assert pump.replies() == [(5, Nak(NakCode.NO_SUCH_SESSION))]
    reader.exchange(1)


def test_close_waits_for_its_turn_and_reads_its_format(host: Host) -> None:
    host.send(TIME_READ, 5)
    token = host.pump.asked().token
    host.send(CLOSE, 6)
    host.pump.end.answer(token, TIME)
    host.send(CLOSE, 9)
    host.send(("CLOSE", b"\x00"), 6)
    assert host.replies() == [
        (6, Nak(NakCode.BUSY)),
        (5, OK),
        (9, Nak(NakCode.SEQUENCE, detail=5)),
        (6, Nak(NakCode.FORMAT)),
    ]
    assert host.pump.live() == [1]


def test_a_thousand_wrong_tags_end_a_session_and_each_is_noted(pump: PumpLine, host: Host) -> None:
    wrong = flipped(host.frame(KEEPALIVE, 5).to_wire(), A_TAG_BIT)
    for _ in range(WRONG_TAGS_MAX - 1):
        assert pump.send_wire(wrong) is LineFault.TAG
    assert not host.is_gone()
    assert pump.send_wire(flipped(host.frame(KEEPALIVE, 5).to_wire(), A_TAG_BIT)) is LineFault.TAG
    assert pump.endings() == [(1, "tags")]
    pump.serve()
    assert pump.served.count(FailureToNote(0, None)) == WRONG_TAGS_MAX
    assert pump.end.stats(0).tag_errors == WRONG_TAGS_MAX
    assert host.is_gone()


def test_old_counters_are_no_wrong_tags(pump: PumpLine, host: Host) -> None:
    old = host.frame(KEEPALIVE, 5).to_wire()
    pump.send_wire(old)
    for _ in range(WRONG_TAGS_MAX):
        assert pump.send_wire(old) is LineFault.COUNTER
    assert (host.session.wrong_tags, pump.end.stats(0).counter_errors) == (0, WRONG_TAGS_MAX)


def test_the_last_counter_of_a_host_is_answered_and_ends_the_session(pump: PumpLine, host: Host) -> None:
    host.sealer.counter = COUNTER_MAX - 2
    host.exchange(5)
    host.send(TIME_READ, 6)
    assert host.sealer.counter == COUNTER_MAX
    # Its request is with the pump; only then is it over.
    assert pump.live() == [1]
    pump.end.answer(pump.asked().token, TIME)
    assert host.replies() == [(6, OK)]
    assert pump.endings() == [(1, "counter")]


def test_the_last_counter_of_the_pump_is_used_and_ends_the_session(pump: PumpLine, host: Host) -> None:
    channel = host.session.channel
    assert channel is not None
    channel.answers.counter = COUNTER_MAX - 2
    host.exchange(5)
    assert pump.live() == [1]
    host.exchange(6)
    assert host.opener.last == COUNTER_MAX
    assert pump.endings() == [(1, "counter")]


def test_link_stats_tell_what_was_dropped(pump: PumpLine, host: Host) -> None:
    frame = host.frame(KEEPALIVE, 5).to_wire()
    for wire in (flipped(frame, A_TAG_BIT), frame, frame, frame):
        pump.send_wire(wire)
    assert host.replies() == [(5, OK)]
    host.send(("LINK_STATS", b""), 1)
    ((_, payload),) = host.answers()
    stats = decode(LinkStatsAnswer, payload[1:])
    assert (stats.tag_errors, stats.counter_errors) == (1, 2)
    # OPEN, AUTH, KEEPALIVE, and this one.
    assert (stats.frames_received, stats.frames_sent) == (4, 3)
