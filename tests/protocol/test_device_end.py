"""The pump's end of its lines, told as stories: what it drops and counts, who has the line, and INSECURE mode."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import keys
from protocol.device_end import DeviceEnd
from protocol.frame import ANY_ADDRESS, Flag, Frame
from protocol.framing import LineFault, Piece, StreamReader
from protocol.keys import RoleKeys
from protocol.messages.codes import Role, RunState
from protocol.messages.link import LinkStatsAnswer
from protocol.messages.operations import OPERATIONS
from protocol.messages.read import ReducedStatusAnswer
from protocol.pump_line import FRAMES_HELD_MAX
from protocol.refusals import OK, Nak, NakCode
from protocol.sessions import SILENCE_US, EndReason, SessionEnded, SessionOpened
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import ADDRESS, CLOSE, HELLO, OP_QUERY, STATUS, STOP, TIME, TIME_READ, PumpLine, hello_of


def opened(port: int, session: int) -> SessionOpened:
    """Session 0 of a line begins, in INSECURE mode."""
    return SessionOpened(port, session, 0, Role.CLINICIAN, 0)


def ended(port: int, session: int, reason: EndReason) -> SessionEnded:
    return SessionEnded(port, session, 0, Role.CLINICIAN, 0, reason)


@pytest.fixture
def pump() -> PumpLine:
    return PumpLine()


def header(first: int, opcode: int, address: int, session: int = 0) -> bytes:
    return struct.pack("<BBHIHH", first, 1, opcode, address, session, 0)


@pytest.mark.parametrize(
    ("body", "counter"),
    [
        pytest.param(header(0x20, 0x0201, ADDRESS), "version_errors", id="another major version"),
        pytest.param(header(0x10, 0x0201, ADDRESS + 1), "address_errors", id="another pump"),
        pytest.param(header(0x10, 0x0201, ANY_ADDRESS), "address_errors", id="any pump, but not HELLO"),
        pytest.param(header(0x11, 0x8201, ADDRESS), "flags_errors", id="an answer"),
        pytest.param(header(0x12, 0x0201, ADDRESS), "flags_errors", id="an event"),
        pytest.param(header(0x10, 0x0201, ADDRESS, 7), "flags_errors", id="session without seal"),
        pytest.param(header(0x10, 0x0201, ADDRESS) + b"\x00", "length_errors", id="length"),
    ],
)
def test_a_frame_that_is_not_for_us_is_dropped_in_silence_and_counted(
    pump: PumpLine, body: bytes, counter: str
) -> None:
    fault = pump.send_body(body)
    assert fault is not None
    assert f"{fault.value}_errors" == counter
    assert pump.wires() == []
    assert pump.end.next_errand() is None
    stats = pump.end.stats(0)
    assert (getattr(stats, counter), stats.frames_received) == (1, 0)


def test_every_line_error_has_its_counter(pump: PumpLine) -> None:
    for fault in LineFault:
        assert pump.fault(Piece(b"\x00", None, fault)) is fault
    answer = pump.end.stats(0).to_answer()
    assert isinstance(answer, LinkStatsAnswer)
    assert all(getattr(answer, f"{fault.value}_errors") == 1 for fault in LineFault)
    assert pump.wires() == []


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_noise_is_never_answered(chunks: list[bytes]) -> None:
    pump, reader = PumpLine(), StreamReader()
    for chunk in chunks:
        for piece in reader.feed(chunk):
            pump.fault(piece)
    assert pump.wires() == []
    assert pump.end.next_errand() is None


def test_a_secured_frame_names_no_session_that_is_known(pump: PumpLine) -> None:
    body = Frame(
        opcode=0x0201, txn=9, address=ADDRESS, payload=b"", session_id=7, flags=Flag.SECURED, sealed=bytes(13)
    ).to_body()
    pump.send_body(body)
    assert pump.replies() == [(9, Nak(NakCode.NO_SUCH_SESSION))]
    pump.exchange(200)


def test_an_opened_line_is_a_session_and_ends_with_its_line(pump: PumpLine) -> None:
    pump.send(TIME_READ, 1)
    token = pump.asked().token
    pump.end.line_closed(0, 5)
    assert not pump.end.session_open
    assert (pump.live(), pump.end.next_deadline()) == ([], None)
    pump.end.line_opened(0, 6)
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    assert pump.events() == [opened(0, 1), ended(0, 1, "line"), opened(0, 2)]
    pump.exchange(77)


def test_a_line_that_is_opened_twice_has_a_new_session(pump: PumpLine) -> None:
    pump.end.line_opened(0, 5)
    assert pump.events()[1:] == [ended(0, 1, "line"), opened(0, 2)]


def test_a_closed_line_hears_nothing_and_sends_nothing(pump: PumpLine) -> None:
    pump.exchange(1)
    pump.send(TIME_READ, 1)
    pump.end.line_closed(0, 5)
    pump.end.line_closed(0, 5)
    pump.send(TIME_READ, 2)
    assert (pump.end.next_errand(), pump.wires(), pump.wires(port=3)) == (None, [], [])
    assert pump.end.stats(0).frames_received == 2
    assert pump.end.stats(3).frames_received == 0


def test_a_newly_opened_line_displaces_the_other(pump: PumpLine) -> None:
    pump.send(TIME_READ, 1)
    token = pump.asked().token
    pump.end.line_opened(1, 5)
    assert pump.events() == [opened(0, 1), ended(0, 1, "displaced"), opened(1, 2)]
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    for named in (TIME_READ, STOP, OP_QUERY):
        pump.send(named, 2)
    assert pump.replies() == [(2, Nak(NakCode.NO_SUCH_SESSION))] * 3
    pump.exchange(9, port=1)

    pump.send(STATUS, 3)
    pump.send(HELLO, 4)
    assert pump.replies() == [(3, Nak(NakCode.NO_SUCH_SESSION)), (4, OK)]


def test_a_displaced_line_stays_so_until_it_is_opened_anew(pump: PumpLine) -> None:
    pump.end.line_opened(1, 5)
    pump.end.line_closed(1, 6)
    pump.send(TIME_READ, 2)
    assert pump.replies() == [(2, Nak(NakCode.NO_SUCH_SESSION))]
    assert not pump.end.session_open
    pump.end.line_opened(0, 7)
    pump.exchange(2)


def test_a_line_without_session_is_displaced_too(pump: PumpLine) -> None:
    pump.end.advance(SILENCE_US)
    pump.end.line_opened(1, SILENCE_US)
    pump.now = SILENCE_US
    pump.send(TIME_READ, 2)
    assert pump.replies() == [(2, Nak(NakCode.NO_SUCH_SESSION))]


def test_silence_ends_the_session_and_the_next_frame_opens_another(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.now = 1_000_000
    pump.exchange(6)
    assert pump.end.next_deadline() == 1_000_000 + SILENCE_US
    pump.end.advance(SILENCE_US + 999_999)
    assert pump.live() == [1]
    pump.send(TIME_READ, 7)
    token = pump.asked().token
    pump.now = SILENCE_US + 1_000_000
    pump.exchange(200)
    pump.end.answer(token, TIME)
    assert pump.wires() == []
    assert pump.events() == [opened(0, 1), ended(0, 1, "silence"), opened(0, 2)]


def test_line_errors_do_not_keep_a_session_alive(pump: PumpLine) -> None:
    pump.now = 5
    pump.fault(Piece(b"\x01\x00", None, LineFault.COBS))
    pump.send_body(header(0x10, 0x0201, ADDRESS + 1))
    assert pump.end.next_deadline() == SILENCE_US


def test_lost_power_forgets_all_and_the_next_frame_opens_a_session(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.send(TIME_READ, 5)
    pump.send(TIME_READ, 6)
    pump.end.power_lost()
    assert (pump.wires(), pump.end.next_errand(), pump.end.next_deadline()) == ([], None, None)
    assert pump.end.stats(0).frames_received == 0
    pump.exchange(200)
    assert pump.events() == [opened(0, 1), ended(0, 1, "power"), opened(0, 2)]


def test_a_line_that_nobody_reads_holds_a_bounded_number_of_frames(pump: PumpLine) -> None:
    wire = pump.exchange(1)
    for _ in range(FRAMES_HELD_MAX + 5):
        pump.send(TIME_READ, 1)
    assert pump.wires() == [wire] * FRAMES_HELD_MAX


def test_without_a_session_only_the_greeting_the_handshake_and_a_reduced_status_are_answered() -> None:
    pump = PumpLine(insecure=False)
    pump.send(("BOLUS_PREPARE", b""), 8)
    (wire,) = pump.wires()
    assert wire.hex() == "000811080384eeffc0010102080334ff0101010101052c1716bb00"
    pump.send(HELLO, 1, address=ANY_ADDRESS)
    assert pump.replies() == [(1, OK)]
    for operation in OPERATIONS:
        if operation.name not in ("HELLO", "OPEN", "AUTH", "STATUS"):
            pump.send((operation.name, b"\xff" * 3), 9)
            assert pump.replies() == [(9, Nak(NakCode.AUTH_REQUIRED))]
    for opcode in (0x0108, 0x0701, 0x1F01):
        pump.send_body(Frame(opcode=opcode, txn=9, address=ADDRESS, payload=b"").to_body())
        assert pump.replies() == [(9, Nak(NakCode.AUTH_REQUIRED))]
    assert pump.end.next_errand() is None
    assert (pump.end.session_open, pump.events()) == (False, [])


def test_the_reduced_status_has_no_order_and_no_cache() -> None:
    pump = PumpLine(insecure=False)
    for txn in (5, 5, 200):
        pump.send(STATUS, txn)
        request = pump.asked()
        assert (request.session, request.role, request.host_id, request.txn) == (0, None, 0, txn)
        with pytest.raises(TypeError, match="STATUS is answered by ReducedStatusAnswer"):
            pump.end.answer(request.token, TIME)
        pump.end.answer(request.token, ReducedStatusAnswer(run_state=RunState.RUNNING, alarm_present=0))
        assert pump.replies() == [(txn, OK)]


def test_a_clinician_with_a_key_takes_the_place_of_session_0_on_every_line(pump: PumpLine) -> None:
    """Session 0 has fallen silent, so nobody had to be asked."""
    pump.end.line_opened(1, 0)
    pump.now = SILENCE_US
    Host(pump, port=0).connect()
    assert pump.live() == [3]
    pump.send(TIME_READ, 9, port=1)
    assert pump.replies(port=1) == [(9, Nak(NakCode.NO_SUCH_SESSION))]
    pump.send(TIME_READ, 9)
    assert pump.replies() == [(9, Nak(NakCode.NO_SUCH_SESSION))]
    assert pump.live() == [3]
    pump.end.line_opened(1, SILENCE_US)
    pump.exchange(10, port=1)
    assert pump.live() == [4]


def test_session_0_is_asked_for_its_place_as_any_host_is(pump: PumpLine) -> None:
    host = Host(pump)
    host.open(host.wanted())
    assert host.auth() == Nak(NakCode.BUSY_OTHER_HOST, detail=0)
    pump.exchange(5)
    host.connect(takeover=True)
    assert pump.endings() == [(1, "takeover")]
    host.exchange(1)


def test_readers_and_patients_with_keys_stand_beside_session_0(pump: PumpLine) -> None:
    reader = Host(pump, Role.READER).connect()
    patient = Host(pump, Role.PATIENT).connect()
    pump.exchange(5)
    reader.exchange(9)
    patient.exchange(200)
    pump.exchange(6)
    assert pump.live() == [1, 2, 3]
    pump.end.line_opened(1, 0)
    assert pump.live() == [2, 3, 4]


def test_session_0_is_closed_as_any_other_and_the_next_frame_opens_it_anew(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.send(CLOSE, 6)
    assert pump.replies() == [(6, OK)]
    pump.exchange(77)
    assert pump.events() == [opened(0, 1), ended(0, 1, "closed"), opened(0, 2)]


def test_other_keys_do_not_end_session_0(pump: PumpLine) -> None:
    pump.exchange(5)
    pump.end.replace_keys(hello_of(ADDRESS), keys.test_keys(1))
    pump.exchange(6)
    assert pump.live() == [1]


def test_a_pump_needs_a_key_for_each_role() -> None:
    only = RoleKeys({Role.READER: keys.test_keys(ADDRESS).of_role[Role.READER]})
    with pytest.raises(ValueError, match="missing: PATIENT, CLINICIAN"):
        DeviceEnd(hello=hello_of(ADDRESS), role_keys=only, insecure=True)


def test_two_ends_share_nothing() -> None:
    first, second = PumpLine(), PumpLine(address=2)
    first.end.line_opened(0, 0)
    first.end.line_opened(1, 0)
    assert (first.live(), second.live()) == ([3], [1])
