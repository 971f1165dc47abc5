"""Who holds no key, and who alters a handshake on its way: neither end is fooled, and nothing of ours leaks."""

import dataclasses
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol import keys
from protocol.fields import decode, encode
from protocol.frame import Flag, Frame
from protocol.host_end import HostEnd, KeyWrong, NoAnswer, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.messages.codes import OpenFlag, Role
from protocol.messages.link import AuthAnswer, AuthRequest, HelloAnswer, KeepaliveRequest, OpenRequest
from protocol.messages.operations import by_name
from protocol.refusals import OK, Nak, NakCode
from tests.protocol.host_by_hand import Host
from tests.protocol.joined_ends import JoinedEnds
from tests.protocol.message_strategies import messages
from tests.protocol.pump_line import ADDRESS, STATUS, PumpLine, bits_of, flipped, frame_of

CLINICIANS_KEY = keys.test_keys(ADDRESS).of_role[Role.CLINICIAN]
OTHER_KEY = bytes(16)


def opcodes(wires: list[bytes]) -> list[int]:
    return [frame_of(wire).opcode for wire in wires]


def test_both_ends_open_a_session_and_close_it() -> None:
    ends = JoinedEnds().greet()
    assert ends.open_session(ends.wanted()) == SessionReady(1, AuthAnswer(silence_s=180, failed_attempts=0))
    assert ends.host.session_id == 1
    assert opcodes(ends.sent) == [0x0101, 0x0102, 0x0103]
    assert Flag.SECURED in frame_of(ends.received[-1]).flags


@pytest.mark.parametrize(
    "reader_key",
    [pytest.param(OTHER_KEY, id="another"), pytest.param(CLINICIANS_KEY, id="another role's")],
)
def test_a_host_with_another_key_finds_the_pump_wrong_and_shows_nothing(reader_key: bytes) -> None:
    """It cannot tell an impostor from a key of its own that is wrong: in either case its cryptogram stays with it."""
    ends = JoinedEnds().greet()
    wanted = SessionWanted(Role.READER, 7, reader_key, b"challeng")
    assert ends.open_session(wanted) == KeyWrong(2)
    assert opcodes(ends.sent) == [0x0101, 0x0102]
    assert (ends.host.busy, ends.host.session_id, ends.host.data_to_send()) == (False, 0, b"")
    assert (ends.pump.attempts(), ends.pump.live()) == (0, [])


def test_an_impostor_pump_is_found_out_before_anything_of_ours_leaves() -> None:
    impostor = PumpLine(insecure=False, role_keys=keys.test_keys(1))
    ends = JoinedEnds(pump=impostor).greet()
    wanted = SessionWanted(Role.CLINICIAN, 7, CLINICIANS_KEY, b"challeng")
    assert ends.open_session(wanted) == KeyWrong(2)
    assert opcodes(ends.sent) == [0x0101, 0x0102]
    assert (ends.host.busy, ends.host.session_id, impostor.attempts()) == (False, 0, 0)


@given(messages(HelloAnswer))
def test_what_a_pump_says_of_itself_cannot_be_altered(other: Any) -> None:
    ends = JoinedEnds()
    assume(encode(other) != encode(ends.pump.hello))

    def altered(wire: bytes) -> bytes:
        frame = frame_of(wire)
        if frame.opcode == by_name["HELLO"].opcode:
            return dataclasses.replace(frame, payload=bytes((OK,)) + encode(other)).to_wire()
        return wire

    ends.to_host = altered
    assert ends.greet().open_session(ends.wanted()) == KeyWrong(2)
    assert ends.pump.attempts() == 0


def test_nothing_can_be_added_to_what_a_pump_says_of_itself() -> None:
    ends = JoinedEnds()

    def lengthened(wire: bytes) -> bytes:
        frame = frame_of(wire)
        more = b"\x01" if frame.opcode == by_name["HELLO"].opcode else b""
        return dataclasses.replace(frame, payload=frame.payload + more).to_wire()

    ends.to_host = lengthened
    assert ends.greet().open_session(ends.wanted()) == KeyWrong(2)


def test_a_greeting_of_an_earlier_mode_opens_nothing() -> None:
    """The host has greeted the pump, and then its keys were replaced, its marks with them."""
    ends = JoinedEnds().greet()
    hello = dataclasses.replace(ends.pump.hello, marks=ends.pump.hello.marks | 2)
    ends.pump.end.replace_keys(hello, ends.pump.role_keys)
    assert ends.open_session(ends.wanted()) == KeyWrong(2)
    ends.greet()
    assert isinstance(ends.open_session(ends.wanted()), SessionReady)


@pytest.mark.parametrize("altered", ["OPEN", "answer to OPEN", "AUTH"])
def test_any_single_bit_of_a_handshake_that_is_turned_ends_it(altered: str) -> None:
    outcomes = set()
    bit, last = 0, 1
    while bit < last:
        ends = JoinedEnds().greet()
        to_pump = altered != "answer to OPEN"
        opcode = by_name[altered.split()[-1]].opcode

        def turn(wire: bytes, opcode: int = opcode, bit: int = bit) -> bytes:
            nonlocal last
            if frame_of(wire).opcode != opcode:
                return wire
            last = len(bits_of(wire, behind_header=True))
            return flipped(wire, bits_of(wire, behind_header=True)[bit])

        if to_pump:
            ends.to_pump = turn
        else:
            ends.to_host = turn
        event = ends.open_session(ends.wanted())
        while event is None:
            event = ends.wait()
        assert not isinstance(event, SessionReady)
        assert (ends.host.session_id, ends.pump.live()) == (0, [])
        outcomes.add(event.nak.code if isinstance(event, Refused) else type(event))
        bit += 1
    # Of an OPEN some values are none that a message may hold. An answer that is none is waited out.
    assert (
        outcomes
        == {
            "OPEN": {KeyWrong, NakCode.FORMAT},
            "answer to OPEN": {KeyWrong, NoAnswer},
            "AUTH": {NakCode.KEY},
        }[altered]
    )


def test_a_takeover_that_nobody_asked_for_takes_nothing() -> None:
    ends = JoinedEnds()
    ends.pump.end.line_opened(1, 0)
    holder = Host(ends.pump, host_id=99, port=1).connect()
    ends.greet()

    def taking_over(wire: bytes) -> bytes:
        frame = frame_of(wire)
        if frame.opcode != by_name["OPEN"].opcode:
            return wire
        asked = dataclasses.replace(decode(OpenRequest, frame.payload), flags=OpenFlag.TAKEOVER)
        return dataclasses.replace(frame, payload=encode(asked)).to_wire()

    ends.to_pump = taking_over
    assert ends.open_session(ends.wanted()) == KeyWrong(2)
    holder.exchange(1)


@pytest.mark.parametrize("lost", [1, 2, 3])
@pytest.mark.parametrize("name", ["OPEN", "AUTH"])
@pytest.mark.parametrize("direction", ["to_pump", "to_host"])
def test_a_handshake_that_loses_frames_costs_one_number_and_one_attempt(lost: int, name: str, direction: str) -> None:
    ends = JoinedEnds().greet()
    left = [lost]

    def losing(wire: bytes) -> bytes:
        if frame_of(wire).opcode == by_name[name].opcode and left[0]:
            left[0] -= 1
            return b""
        return wire

    setattr(ends, direction, losing)
    event = ends.open_session(ends.wanted())
    for _ in range(lost):
        assert event is None
        event = ends.wait()
    assert isinstance(event, SessionReady)
    assert (ends.pump.session_counter, ends.pump.attempts(), ends.pump.live()) == (1, 1, [1])


def test_a_handshake_without_an_answer_leaves_the_host_without_a_session() -> None:
    ends = JoinedEnds().greet()
    ends.to_host = lambda _: b""
    event = ends.open_session(ends.wanted())
    while event is None:
        event = ends.wait()
    assert (event, ends.host.session_id) == (NoAnswer(2), 0)


def test_a_host_whose_attempt_is_refused_goes_on_in_the_clear() -> None:
    ends = JoinedEnds().greet()
    ends.to_pump = lambda wire: flipped(wire, 12 * 8) if frame_of(wire).opcode == by_name["AUTH"].opcode else wire
    assert ends.open_session(ends.wanted()) == Refused(Nak(NakCode.KEY), 3)
    assert ends.ask(KeepaliveRequest()) == Refused(Nak(NakCode.AUTH_REQUIRED), 4)
    assert frame_of(ends.sent[-1]).session_id == 0


def test_a_refusal_of_a_handshake_is_told_and_leaves_no_session() -> None:
    ends = JoinedEnds()
    ends.pump.end.line_opened(1, 0)
    holder = Host(ends.pump, host_id=99, port=1).connect()
    ends.greet()
    assert ends.open_session(ends.wanted()) == Refused(Nak(NakCode.BUSY_OTHER_HOST, detail=99), 3)
    assert ends.host.session_id == 0
    assert isinstance(ends.open_session(ends.wanted(takeover=True)), SessionReady)
    holder.send(STATUS, 1)
    assert ends.pump.replies(1) == [(1, Nak(NakCode.NO_SUCH_SESSION))]


def test_a_granted_attempt_in_the_clear_is_not_believed() -> None:
    ends = JoinedEnds().greet()

    def forged(wire: bytes) -> bytes:
        frame = frame_of(wire)
        if frame.opcode != by_name["AUTH"].opcode:
            return wire
        payload = bytes((OK,)) + encode(AuthAnswer(silence_s=180, failed_attempts=0))
        return Frame(opcode=frame.opcode, txn=frame.txn, address=ADDRESS, payload=payload, flags=Flag.RESP).to_wire()

    ends.to_host = forged
    event = ends.open_session(ends.wanted())
    while event is None:
        event = ends.wait()
    assert (event, ends.host.session_id) == (NoAnswer(3), 0)


@given(st.binary(min_size=8, max_size=8))
def test_an_attempt_of_one_pump_is_worth_nothing_at_another(challenge: bytes) -> None:
    """The same key for both, as a careless clinic has it: the serial number keeps them apart."""
    shared = keys.test_keys(1)
    first, second = (PumpLine(insecure=False, address=address, role_keys=shared) for address in (1, 2))
    host, other = Host(first), Host(second)
    host.open(host.wanted(challenge=challenge))
    other.open(other.wanted(challenge=challenge))
    assert isinstance(host.auth_request, AuthRequest)
    assert host.auth_request != other.auth_request
    second.send(("AUTH", encode(host.auth_request)), 2)
    second.serve()
    assert second.replies() == [(2, Nak(NakCode.KEY))]


def test_a_session_is_bound_to_a_greeting() -> None:
    with pytest.raises(ValueError, match="ask HELLO first"):
        HostEnd(address=ADDRESS).open_session(SessionWanted(Role.READER, 7, OTHER_KEY, b"challeng"), 0)
    with pytest.raises(ValueError, match="a challenge has 8 bytes, not 7"):
        SessionWanted(Role.READER, 7, OTHER_KEY, b"challen")
