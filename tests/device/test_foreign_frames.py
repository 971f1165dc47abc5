"""Frames that the session's host has not sealed so: another key, an old session, a reflection, another pump, a bit."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.device import Device
from emulator.inputs import RaiseSessionCounter
from protocol.channel import Direction, Sealer, SessionKeys, counter_of
from protocol.explain import FAULT_WORDS
from protocol.fields import encode
from protocol.frame import Flag, parse_body
from protocol.framing import LineFault
from protocol.host_end import KeyWrong
from protocol.messages.codes import Role
from protocol.messages.deliver import BolusExecuteRequest, StopRequest
from protocol.messages.link import AuthRequest, OpenAnswer
from protocol.messages.operations import OPERATIONS, Operation, operation_of
from protocol.messages.pump_time import TimeReadRequest
from protocol.refusals import NakCode
from tests.device.desk import SERIAL, Desk, frames_in, happened, new_device, prepare, turned
from tests.device.hand_host import (
    HandHost,
    body_of,
    live_sessions,
    nothing_moves,
    reasons,
    rewired,
)
from tests.protocol.message_strategies import messages

STOP = StopRequest(op_id=1, therapy_rev=0)
RESP_BIT_AT = 3
IDS_OF_SESSIONS = 0x1_0000


def connected(device: Device | None = None, port: int = 0) -> HandHost:
    host = HandHost(device or new_device(insecure=False), port=port).open_line().connect()
    happened(host.device)
    return host


def is_dropped(host: HandHost, wire: bytes, fault: LineFault) -> None:
    """The frame moves nothing, nothing answers it, and the trace says why; the host's next one is taken."""
    with nothing_moves(host.device):
        assert host.send(wire) == []
    assert reasons(host.device) == [FAULT_WORDS[fault]]
    assert host.verdict(host.sealed(TimeReadRequest())) is None
    happened(host.device)


def test_a_session_is_not_to_be_had_with_another_key() -> None:
    """A good host finds out first; one that goes on regardless is refused."""
    desk = Desk(new_device(insecure=False))
    desk.open()
    with nothing_moves(desk.device):
        assert isinstance(desk.try_session(key=bytes(16)), KeyWrong)
        stranger = HandHost(desk.device)
        stranger.open(stranger.wanted())
        assert stranger.verdict(stranger.plain(AuthRequest(host_cryptogram=bytes(8)))) is NakCode.KEY
    assert live_sessions(desk.device) == ()
    assert reasons(desk.device)[-1] == "NAK 35 KEY"


def test_the_key_of_one_role_opens_no_session_of_another() -> None:
    device = new_device(insecure=False)
    desk = Desk(device)
    desk.open()
    for role, stolen in ((Role.CLINICIAN, Role.READER), (Role.CLINICIAN, Role.PATIENT), (Role.PATIENT, Role.READER)):
        key = HandHost(device, stolen).wanted().key
        assert isinstance(desk.try_session(role, key=key), KeyWrong)
    assert live_sessions(device) == ()


def test_a_frame_under_another_key_is_dropped_whatever_it_asks() -> None:
    host = connected()
    (session,) = live_sessions(host.device)
    other = Sealer(SessionKeys(bytes(16), bytes(16), bytes(8)), Direction.HOST_TO_PUMP)
    for txn, message in enumerate([STOP, prepare(10_000, 60), TimeReadRequest()], start=1):
        forged = other.seal(
            opcode=operation_of(message).opcode,
            txn=txn,
            address=SERIAL,
            session_id=session.session_id,
            payload=encode(message),
        )
        other.counter += 100
        is_dropped(host, forged.to_wire(), LineFault.TAG)


def test_a_frame_of_a_session_that_has_ended_finds_no_session() -> None:
    host = connected()
    left_over = host.sealed(STOP)
    host.close_line()
    host.open_line().connect()
    happened(host.device)
    with nothing_moves(host.device):
        (answer,) = host.send(left_over)
        assert Flag.SECURED not in answer.flags
    assert reasons(host.device) == ["NAK 7F NO_SUCH_SESSION"]
    assert host.verdict(host.sealed(TimeReadRequest())) is None


def test_a_frame_of_an_old_session_does_not_fit_a_new_one_of_the_same_number() -> None:
    """Session ids come again after 65,535 others; keys never do."""
    host = connected()
    (first,) = live_sessions(host.device)
    left_over = host.sealed(STOP)
    host.device.control(RaiseSessionCounter(first.session_id + IDS_OF_SESSIONS - 1), host.device.now_us)
    host.connect()
    happened(host.device)
    (second,) = live_sessions(host.device)
    assert first.session_id == second.session_id
    is_dropped(host, left_over, LineFault.TAG)


def test_a_frame_of_the_same_session_is_dropped_when_it_comes_again() -> None:
    host = connected()
    stop = host.sealed(STOP)
    assert host.verdict(stop) is None
    happened(host.device)
    is_dropped(host, stop, LineFault.COUNTER)


def as_a_request(answer: bytes) -> bytes:
    """An answer with everything undone that says that it is one."""
    body = bytearray(body_of(answer))
    body[0] ^= Flag.RESP
    body[RESP_BIT_AT] ^= 0x80
    return rewired(bytes(body))


def test_what_the_pump_has_sent_is_no_request_when_it_comes_back() -> None:
    """As it is, and with everything undone that says that it is an answer: the direction is in the tag."""
    host = connected()
    frames = []
    for message in (TimeReadRequest(), STOP, TimeReadRequest()):
        host.device.receive(host.sealed(message), host.device.now_us)
        raw = host.device.data_to_send(host.device.now_us)
        host.opened(frames_in(raw))
        frames.append(raw)
    happened(host.device)
    for raw in frames:
        is_dropped(host, raw, LineFault.FLAGS)
    for raw in frames:
        is_dropped(host, as_a_request(raw), LineFault.COUNTER)


def test_the_newest_answer_with_its_direction_undone_gets_as_far_as_the_tag() -> None:
    """Answers are one ahead of requests, for AUTH's was the first: its counter alone would let it pass."""
    host = connected()
    host.device.receive(host.sealed(STOP), host.device.now_us)
    raw = host.device.data_to_send(host.device.now_us)
    host.opened(frames_in(raw))
    happened(host.device)
    (session,) = live_sessions(host.device)
    assert session.channel is not None
    assert counter_of(parse_body(body_of(raw))) > session.channel.requests.last
    is_dropped(host, as_a_request(raw), LineFault.TAG)


def test_a_frame_for_another_pump_of_the_same_keys_constant_is_dropped() -> None:
    """Both took the same session counter, host and challenge; the serial number is in each key."""
    host = connected()
    other = connected(new_device(insecure=False, serial_number=SERIAL + 1))
    (here,), (there,) = live_sessions(host.device), live_sessions(other.device)
    assert (here.session_id, here.host_id) == (there.session_id, there.host_id)
    is_dropped(host, other.sealed(STOP), LineFault.ADDRESS)
    frame = parse_body(body_of(other.sealed(STOP)))
    is_dropped(host, replace(frame, address=SERIAL).to_wire(), LineFault.TAG)


def test_an_open_and_auth_for_another_pump_open_nothing_here() -> None:
    """The same OPEN has another challenge for an answer here, and so another cryptogram is wanted."""
    host, other = HandHost(new_device(insecure=False)), HandHost(new_device(insecure=False, serial_number=SERIAL + 1))
    here, there = (each.open_line().open(each.wanted()) for each in (host, other))
    assert isinstance(here, OpenAnswer)
    assert isinstance(there, OpenAnswer)
    assert here.device_challenge != there.device_challenge
    with nothing_moves(host.device):
        assert host.verdict(host.plain(other.auth_request)) is NakCode.KEY


@st.composite
def requests(draw: st.DrawFn) -> tuple[Operation, Any]:
    operation = draw(st.sampled_from(OPERATIONS))
    return operation, draw(messages(operation.request))


def flipped(data: bytes, bit: int) -> bytes:
    at = bit // 8 % len(data)
    return data[:at] + bytes((data[at] ^ 1 << bit % 8,)) + data[at + 1 :]


WHY = {FAULT_WORDS[fault] for fault in LineFault} | {"NAK 7F NO_SUCH_SESSION"}


def is_not_taken_for_the_genuine_one(host: HandHost, damaged: bytes, genuine: bytes) -> None:
    with nothing_moves(host.device):
        for answer in host.send(damaged):
            assert Flag.SECURED not in answer.flags, "nothing but the hint that there is no such session"
    told = reasons(host.device)
    # The answer to SUBSCRIBE has an event behind it.
    answers = [frame for frame in host.send(genuine) if Flag.EVENT not in frame.flags]
    assert Flag.SECURED in answers[-1].flags, "the frame as it was meant is taken"
    # SUBSCRIBE's answer is followed by its first event.
    host.opened([answer for answer in answers if Flag.EVENT not in answer.flags][-1:])
    why = (told + reasons(host.device))[0]
    assert why in WHY


@settings(max_examples=150)
@given(requests(), st.integers(0, 2_000))
def test_a_bit_that_falls_over_on_the_line_moves_nothing(asked: tuple[Operation, Any], bit: int) -> None:
    host = connected()
    genuine = host.sealed_opcode(asked[0].opcode, encode(asked[1]))
    is_not_taken_for_the_genuine_one(host, flipped(genuine, bit), genuine)


@settings(max_examples=150)
@given(requests(), st.integers(0, 2_000))
def test_a_bit_that_somebody_turns_under_a_new_crc_moves_nothing(asked: tuple[Operation, Any], bit: int) -> None:
    host = connected()
    genuine = host.sealed_opcode(asked[0].opcode, encode(asked[1]))
    is_not_taken_for_the_genuine_one(host, rewired(flipped(body_of(genuine), bit)), genuine)


@pytest.mark.parametrize("new_crc", [False, True], ids=["on the line", "under a new CRC"])
def test_every_single_bit_of_an_execute(new_crc: bool) -> None:
    host = connected()
    lease = host.ask(prepare(10_000, 60))
    execute = host.sealed(
        BolusExecuteRequest(
            bolus_id=lease.bolus_id,
            volume_nl=lease.volume_nl,
            volume_complement=turned(lease.volume_nl),
            duration_s=lease.duration_s,
            op_id=1,
            therapy_rev=1,
        )
    )
    happened(host.device)
    data = body_of(execute) if new_crc else execute
    with nothing_moves(host.device):
        for bit in range(len(data) * 8):
            damaged = rewired(flipped(data, bit)) if new_crc else flipped(data, bit)
            # A delimiter that fell over is made good, so that each copy stands alone.
            for answer in host.send(damaged + b"\x00"):
                assert Flag.SECURED not in answer.flags
            assert set(reasons(host.device)) <= WHY
    assert host.verdict(execute) is None, "the one that was meant starts the bolus"
