"""Sessions at the pump's end: who may ask what, who stands beside whom, whose place is taken, and under which id."""

import pytest

from protocol.access import role_refusal
from protocol.errands import AttemptToConfirm
from protocol.messages.codes import Role, RunState
from protocol.messages.operations import OPERATIONS, Operation
from protocol.messages.read import ReducedStatusAnswer
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import SESSIONS_OF_ROLE_MAX, SILENCE_US
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import (
    HELLO,
    KEEPALIVE,
    STATUS,
    STOP,
    TIME,
    TIME_READ,
    PumpLine,
    flipped,
    frame_of,
)

NO_SUCH_SESSION = Nak(NakCode.NO_SUCH_SESSION)
WITHOUT_SESSION = {"HELLO", "OPEN", "AUTH", "STATUS"}
GARBAGE = b"\xff" * 40
A_TAG_BIT = 12 * 8 + 5 * 8


@pytest.fixture
def pump() -> PumpLine:
    pump = PumpLine(insecure=False)
    for port in (1, 2):
        pump.end.line_opened(port, 0)
    return pump


@pytest.fixture
def host(pump: PumpLine) -> Host:
    return Host(pump).connect()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_a_role_is_refused_before_its_payload_is_read(pump: PumpLine, role: Role, operation: Operation) -> None:
    host = Host(pump, role).connect()
    refused = role_refusal(operation.name, role)
    host.send((operation.name, GARBAGE), 9)
    if refused is None:
        assert (9, Nak(NakCode.ROLE)) not in host.replies()
    else:
        assert host.replies() == [(9, Nak(NakCode.ROLE))]
        assert pump.end.next_errand() is None


def test_a_refusal_of_a_role_is_an_answer_like_any_other(pump: PumpLine) -> None:
    reader = Host(pump, Role.READER).connect()
    reader.exchange(4)
    for _ in range(2):
        reader.send(("START", GARBAGE), 5)
    assert reader.replies() == [(5, Nak(NakCode.ROLE))] * 2
    assert pump.end.stats(0).duplicates == 1
    reader.send(STOP, 200)
    assert reader.replies() == [(200, Nak(NakCode.ROLE))]
    reader.exchange(6)


def test_beside_a_live_session_a_frame_in_the_clear_is_a_strangers(host: Host) -> None:
    pump = host.pump
    host.exchange(4)
    for operation in OPERATIONS:
        if operation.name not in WITHOUT_SESSION:
            pump.send((operation.name, b""), 5)
            assert pump.replies() == [(5, Nak(NakCode.AUTH_REQUIRED))]
    pump.send(HELLO, 5)
    assert pump.replies() == [(5, OK)]
    pump.send(STATUS, 5)
    request = pump.asked()
    assert (request.session, request.role) == (0, None)
    pump.end.answer(request.token, ReducedStatusAnswer(run_state=RunState.RUNNING, alarm_present=1))
    assert pump.replies() == [(5, OK)]
    host.exchange(5)


def test_a_frame_in_the_clear_does_not_keep_a_session_alive(host: Host) -> None:
    host.pump.now = 1_000_000
    host.pump.send(HELLO, 1)
    assert host.session.ends_at == SILENCE_US


def test_the_stored_answer_is_sealed_anew_and_reads_the_same(host: Host) -> None:
    payload = host.exchange(5)
    wires = []
    for _ in range(3):
        host.send(TIME_READ, 5)
        wires += host.pump.wires()
    frames = [frame_of(wire) for wire in wires]
    assert len({frame.payload for frame in frames}) == len({frame.sealed for frame in frames}) == 3
    assert [host.opener.open(frame) for frame in frames] == [payload] * 3


def test_three_roles_stand_beside_each_other_on_one_port_and_on_several(pump: PumpLine) -> None:
    hosts = [Host(pump, role, host_id=7).connect() for role in Role]
    hosts += [
        Host(pump, Role.READER, host_id=8, port=1).connect(),
        Host(pump, Role.PATIENT, host_id=9, port=2).connect(),
    ]
    for host in hosts:
        host.send(TIME_READ, 5)
    tokens = [pump.asked().token for _ in hosts]
    for token in reversed(tokens):
        pump.end.answer(token, TIME)
    frames = [frame_of(wire) for port in (0, 1, 2) for wire in pump.wires(port)]
    assert [frame.session_id for frame in frames] == [3, 2, 1, 4, 5]
    for frame in frames:
        assert hosts[frame.session_id - 1].opener.open(frame)[0] == OK
    assert [host.exchange(6)[0] for host in hosts] == [OK] * 5


@pytest.mark.parametrize("port", [0, 1])
@pytest.mark.parametrize("role", Role, ids=lambda role: role.name)
def test_a_host_that_comes_again_takes_its_own_place_on_any_port(pump: PumpLine, role: Role, port: int) -> None:
    first = Host(pump, role).connect()
    other_role = Host(pump, Role((role % 3) + 1)).connect()
    first.send(TIME_READ, 1)
    token = pump.asked().token
    second = Host(pump, role, port=port)
    second.open(second.wanted())
    # Not before it has shown its key.
    assert not first.is_gone()
    second.auth()
    pump.end.answer(token, TIME)
    assert (pump.wires(0), pump.wires(1)) == ([], [])
    assert pump.endings() == [(1, "replaced")]
    assert first.is_gone()
    assert not other_role.is_gone()
    second.exchange(200)


def test_a_stranger_is_told_who_has_the_clinicians_place_and_has_not_failed(pump: PumpLine, host: Host) -> None:
    stranger = Host(pump, host_id=8, port=1)
    stranger.open(stranger.wanted())
    assert stranger.auth(9) == Nak(NakCode.BUSY_OTHER_HOST, detail=7)
    assert stranger.auth(9) == Nak(NakCode.BUSY_OTHER_HOST, detail=7)
    assert pump.served[-1] == AttemptToConfirm(4, Role.CLINICIAN, 1, 8, None)
    assert pump.attempts() == 2
    assert (pump.live(), host.is_gone()) == ([1], False)
    assert stranger.auth(10) == Nak(NakCode.CONDITIONS)


def test_a_takeover_takes_the_place_and_names_whom_it_took_it_from(pump: PumpLine, host: Host) -> None:
    reader = Host(pump, Role.READER).connect()
    host.send(TIME_READ, 1)
    token = pump.asked().token
    stranger = Host(pump, host_id=8, port=1).connect(takeover=True)
    assert pump.served[-1] == AttemptToConfirm(7, Role.CLINICIAN, 1, 8, 7)
    assert pump.endings() == [(1, "takeover")]
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    assert host.is_gone()
    reader.exchange(5)
    stranger.exchange(5)


def test_a_takeover_of_a_free_place_or_of_ones_own_takes_from_nobody(pump: PumpLine) -> None:
    Host(pump).connect(takeover=True)
    Host(pump, port=1).connect(takeover=True)
    confirmed = [errand for errand in pump.served if isinstance(errand, AttemptToConfirm)]
    assert [errand.from_host_id for errand in confirmed] == [None, None]
    assert pump.endings() == [(1, "replaced")]


@pytest.mark.parametrize("role", [Role.READER, Role.PATIENT])
def test_the_fifth_of_a_role_ends_the_one_that_was_heard_least_lately(pump: PumpLine, role: Role) -> None:
    others = Host(pump).connect(), Host(pump, Role((role % 2) + 1)).connect()
    hosts = [Host(pump, role, host_id=11 + n, port=n % 3).connect() for n in range(SESSIONS_OF_ROLE_MAX)]
    for index in (2, 0, 1, 3):
        hosts[index].exchange(5)
    # Its frame is heard, but not good.
    pump.send_wire(flipped(hosts[2].frame(KEEPALIVE, 9).to_wire(), A_TAG_BIT), 2)
    fifth = Host(pump, role, host_id=99).connect()
    assert pump.endings() == [(hosts[2].session_id, "displaced")]
    assert hosts[2].is_gone()
    # Who comes again makes room for himself alone.
    Host(pump, role, host_id=11, port=1).connect()
    assert pump.endings() == [(hosts[0].session_id, "replaced")]
    assert not any(host.is_gone() for host in (*others, hosts[1], hosts[3], fifth))


@pytest.mark.parametrize("port", [0, 1])
def test_a_frame_of_no_session_of_its_line_is_told_so_in_the_clear(pump: PumpLine, host: Host, port: int) -> None:
    """On another port the session is as unknown as a wrong one on its own, and is not touched."""
    if port == 0:
        host.session_id += 1
    frame = host.frame(TIME_READ, 77).to_wire()
    assert pump.send_wire(frame, port) is None
    assert pump.replies(port) == [(77, NO_SUCH_SESSION)]
    assert pump.end.next_errand() is None
    assert pump.end.stats(port).tag_errors == 0
    host.session_id = 1
    host.exchange(5)


def test_session_ids_wrap_and_skip_0_and_those_in_use(pump: PumpLine) -> None:
    pump.session_counter = 0xFFFF - 1
    reader = Host(pump, Role.READER).connect()
    patient = Host(pump, Role.PATIENT).connect()
    assert (reader.session_id, patient.session_id) == (0xFFFF, 1)
    pump.session_counter = 2 * 0x10000 - 2
    clinician = Host(pump).connect()
    assert clinician.session_id == 2
    other = Host(pump, Role.READER, host_id=8).connect()
    assert other.session_id == 3
    pump.session_counter = 3 * 0x10000
    # Its old id is free only once it has ended, and it ends before the new one begins.
    patient = Host(pump, Role.PATIENT).connect()
    assert patient.session_id == 1
    for each in (reader, patient, clinician, other):
        each.exchange(5)
