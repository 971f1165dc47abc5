"""Nothing that comes over a line heaps up: events of an input, answers, sessions, leases, stages, and memory itself."""

import gc
import tracemalloc
from itertools import cycle

import pytest

from emulator.lines import OUTPUT_LIMIT
from emulator.serving import INPUT_LIMIT
from emulator.vpump_wire import VpumpWire
from firmware_model.firmware.bolus import MOST_LEASES
from firmware_model.firmware.staging import MOST_STAGES
from protocol import keys
from protocol.access import PumpState
from protocol.channel import Direction, Sealer, SessionKeys
from protocol.device_end import UNSEQUENCED_REQUESTS_MAX, DeviceEnd
from protocol.framing import BODY_MAX, Piece, StreamReader
from protocol.messages.codes import Role
from protocol.messages.link import CloseRequest, OpenRequest
from protocol.messages.operations import OPERATIONS, by_name
from protocol.messages.program import ProgramBeginRequest
from protocol.messages.read import StatusRequest
from protocol.pump_line import FRAMES_HELD_MAX
from protocol.sessions import ENDED_KEPT_MAX, SESSIONS_OF_ROLE_MAX, WRONG_TAGS_MAX
from tests.device.desk import HELLO, SERIAL, happened, new_device, prepare
from tests.device.hand_host import HandHost, live_sessions
from tests.device.siege import Siege
from tests.protocol.pump_line import hello_of

SHORTEST_PIECE = 1
EVENTS_OF_A_PIECE = 4
"""The frame and its answer, and in INSECURE mode a session that begins with the one and ends with the other."""


def plain(message: object) -> bytes:
    return HandHost(new_device(insecure=False)).plain(message)


@pytest.mark.parametrize(
    "stretch",
    [
        b"\x01",
        b"\x00",
        b"\x01\x00",
        b"\x00" + b"\x01" * 255,
        plain(HELLO),
        plain(StatusRequest()),
        plain(CloseRequest()),
    ],
    ids=["ones", "zeros", "many pieces", "too long", "greetings", "status", "not without a session"],
)
@pytest.mark.parametrize("insecure", [False, True], ids=["keys", "INSECURE"])
def test_one_input_makes_a_bounded_number_of_events_and_answers(stretch: bytes, insecure: bool) -> None:
    device = new_device(insecure=insecure)
    HandHost(device).open_line()
    happened(device)
    for _ in range(4):
        device.receive((stretch * INPUT_LIMIT)[:INPUT_LIMIT], device.now_us)
        pieces = INPUT_LIMIT // max(SHORTEST_PIECE + 1, len(stretch)) + 1
        assert len(happened(device)) <= EVENTS_OF_A_PIECE * pieces
    # Nobody reads: what is beyond the limit is lost.
    assert len(device.data_to_send(device.now_us, limit=10 * OUTPUT_LIMIT)) <= OUTPUT_LIMIT


def test_a_siege_leaves_nothing_behind_in_memory() -> None:
    """What was held after some hundred frames is all that is ever held: a hundred bytes of each would show."""
    siege = Siege(3, int(PumpState.RUNNING) - 1, checked_every=1_000_000)

    def frames(count: int) -> None:
        for _ in range(count):
            _, port, wire = siege.next_frame()
            siege.deliver(wire, port)

    frames(400)
    tracemalloc.start()
    try:
        frames(100)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        frames(800)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 64 * 1024, f"{after - before} bytes more"


def silent_end() -> DeviceEnd:
    """An end whose pump never fetches what is wanted of it, and whose driver never fetches what is to be sent."""
    end = DeviceEnd(hello=hello_of(SERIAL), role_keys=keys.test_keys(SERIAL), insecure=False)
    for port in range(2):
        end.line_opened(port, 0)
    return end


def pieces_of(wire: bytes) -> list[Piece]:
    return [piece for piece in StreamReader().feed(wire) if piece.body is not None]


def test_what_a_pump_does_not_fetch_is_bounded() -> None:
    """Each kind of request, a hundred times over on both lines, to a pump that is asleep."""
    end = silent_end()
    host = HandHost(new_device(insecure=False))
    for turn in range(100):
        challenge = turn.to_bytes(8, "little")
        for message in (
            StatusRequest(),
            HELLO,
            OpenRequest(role=Role.CLINICIAN, flags=host.wanted().request().flags, host_id=9, host_challenge=challenge),
        ):
            for port in range(2):
                for piece in pieces_of(host.plain(message)):
                    end.receive(port, piece, turn)
    assert len(end._errands.waiting) <= 2 * UNSEQUENCED_REQUESTS_MAX
    assert len(end._errands.queue) <= 2 * UNSEQUENCED_REQUESTS_MAX
    for port in range(2):
        assert len(end.frames_to_send(port)) <= FRAMES_HELD_MAX


def test_wrong_tags_that_nobody_notes_end_with_their_session() -> None:
    end = silent_end()
    real = SessionKeys(bytes(16), bytes(16), bytes(8))
    end._sessions.begin(session_id=1, port=0, role=Role.READER, host_id=9, now=0, keys=real)
    forger = Sealer(SessionKeys(b"f" * 16, bytes(16), bytes(8)), Direction.HOST_TO_PUMP)
    for _ in range(3 * WRONG_TAGS_MAX):
        forged = forger.seal(opcode=by_name["STATUS"].opcode, txn=1, address=SERIAL, session_id=1, payload=b"")
        for piece in pieces_of(forged.to_wire()):
            end.receive(0, piece, 0)
    assert end.sessions() == ()
    assert len(end._errands.queue) == WRONG_TAGS_MAX
    assert len(end.frames_to_send(0)) <= FRAMES_HELD_MAX


def test_sessions_are_bounded_however_many_hosts_come() -> None:
    """A hundred hosts of each role, each from a number of its own, on four lines."""
    device = new_device(insecure=False)
    ports = cycle(range(4))
    for port in range(4):
        HandHost(device, port=port).open_line()
    for host_id in range(1, 101):
        for role in Role:
            HandHost(device, role, host_id, next(ports)).connect(takeover=True)
            happened(device)
    live = live_sessions(device)
    assert len(live) <= 1 + 2 * SESSIONS_OF_ROLE_MAX
    assert sum(session.role is Role.CLINICIAN for session in live) == 1
    assert isinstance(device.wire, VpumpWire)
    assert len(device.wire._end._sessions._ended) == ENDED_KEPT_MAX
    assert device.wire._waiting == {}


def test_leases_and_stages_are_bounded_however_many_are_begun() -> None:
    """One clinician after another takes the place, and each begins a hundred of both."""
    device = new_device(insecure=False)
    host = HandHost(device).open_line()
    for host_id in range(1, 8):
        host = HandHost(device, host_id=host_id).connect(takeover=True)
        for _ in range(20):
            host.ask(prepare(20_000, 600))
            host.ask(ProgramBeginRequest())
        happened(device)
        firmware = device.pump.firmware
        assert len(firmware.leases) <= MOST_LEASES
        assert len(firmware.stages) <= MOST_STAGES
    assert {lease.session for lease in device.pump.firmware.leases} == {live_sessions(device)[0].key}


def test_the_longest_frame_of_every_operation_is_answered_with_one_frame() -> None:
    """In each role: whatever a payload has in it, one answer, and it fits a frame."""
    device = new_device(insecure=False)
    for port, role in enumerate(Role):
        host = HandHost(device, role, port=port).open_line().connect()
        for operation in OPERATIONS:
            if operation.name == "CLOSE":
                continue
            (answer,) = host.send(host.sealed_opcode(operation.opcode, b"\xff" * 224))
            assert len(answer.to_body()) <= BODY_MAX
            host.opened([answer])
