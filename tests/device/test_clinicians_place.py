"""The clinician's one place: who gets it when a host has crashed, when a stranger comes, and when it is taken over."""

from collections.abc import Callable

import pytest

from emulator.device import Device
from emulator.events import Logged, SessionChanged
from protocol.frame import Flag
from protocol.messages.codes import OpState, Role
from protocol.messages.link import AuthAnswer, AuthRequest
from protocol.messages.op import OpListRequest, OpQueryRequest
from protocol.messages.program import ProgramAbortRequest, ProgramBeginRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.refusals import Nak, NakCode
from tests.device.desk import HOST_ID, SECOND, execute, happened, new_device, of_kind, prepare
from tests.device.hand_host import HandHost, live_sessions, nothing_moves, reasons

STRANGER = 0x0BAD


def clinician(device: Device | None = None, port: int = 0) -> HandHost:
    return HandHost(device or new_device(insecure=False), port=port).open_line().connect()


def stranger(device: Device, port: int = 1) -> HandHost:
    """A host that holds the clinician's key, and is not the one that has the place."""
    return HandHost(device, host_id=STRANGER, port=port).open_line()


def holders(device: Device) -> list[tuple[int, int]]:
    return [(each.host_id, each.port) for each in live_sessions(device) if each.role is Role.CLINICIAN]


def sessions(device: Device) -> list[tuple[str, int, str]]:
    return [(event.change, event.host_id, event.reason) for event in of_kind(happened(device), SessionChanged)]


def the_line_stays_open(host: HandHost) -> HandHost:
    return HandHost(host.device, port=host.port)


def the_line_is_opened_anew(host: HandHost) -> HandHost:
    host.close_line()
    return HandHost(host.device, port=host.port).open_line()


def on_another_port(host: HandHost) -> HandHost:
    return HandHost(host.device, port=host.port + 1).open_line()


Crash = Callable[[HandHost], HandHost]
CRASHES: list[tuple[Crash, str]] = [
    (the_line_stays_open, "replaced"),
    (the_line_is_opened_anew, "line"),
    (on_another_port, "replaced"),
]


@pytest.mark.parametrize(("crashes", "ended_by"), CRASHES, ids=lambda value: getattr(value, "__name__", value))
def test_a_host_that_has_crashed_takes_its_own_place_at_once(crashes: Crash, ended_by: str) -> None:
    dead = clinician()
    happened(dead.device)
    again = crashes(dead).connect()
    assert again.device.now_us == 0, "at once"
    assert holders(again.device) == [(HOST_ID, again.port)]
    assert sessions(again.device) == [("ended", HOST_ID, ended_by), ("opened", HOST_ID, "")]
    assert again.verdict(again.sealed(TimeReadRequest())) is None


@pytest.mark.parametrize(("crashes", "ended_by"), CRASHES, ids=lambda value: getattr(value, "__name__", value))
def test_what_it_had_prepared_is_void_and_what_it_had_begun_goes_on(crashes: Crash, ended_by: str) -> None:
    dead = clinician()
    dead.ask(execute(dead.ask(prepare(20_000, 600)), 1, 1))
    stage_id = dead.ask(ProgramBeginRequest()).stage_id
    again = crashes(dead).connect()
    assert again.verdict(again.sealed(ProgramAbortRequest(stage_id=stage_id))) is NakCode.NOTHING_STAGED, ended_by
    again.device.advance(600 * SECOND)
    again.connect()
    given = again.ask(OpQueryRequest(role=Role.CLINICIAN, op_id=1))
    assert (given.state, given.delivered_min_nl) == (OpState.DONE, 20_000)


@pytest.mark.parametrize(("crashes", "ended_by"), CRASHES, ids=lambda value: getattr(value, "__name__", value))
def test_a_lease_does_not_outlive_the_session_of_its_host(crashes: Crash, ended_by: str) -> None:
    dead = clinician()
    lease = dead.ask(prepare(20_000, 600))
    again = crashes(dead).connect()
    assert again.verdict(again.sealed(execute(lease, 1, 1))) is NakCode.LEASE_EXPIRED, ended_by


def test_the_frames_of_the_session_before_the_crash_find_none() -> None:
    dead = clinician()
    again = the_line_stays_open(dead).connect()
    with nothing_moves(again.device):
        (hint,) = dead.send(dead.sealed(TimeReadRequest()))
    assert Nak.decode(hint.payload).code is NakCode.NO_SUCH_SESSION


@pytest.mark.parametrize("same_host_and_role", [(STRANGER, Role.CLINICIAN), (HOST_ID, Role.PATIENT)])
def test_only_the_same_host_in_the_same_role_is_the_one_that_crashed(same_host_and_role: tuple[int, Role]) -> None:
    host_id, role = same_host_and_role
    here = clinician()
    other = HandHost(here.device, role, host_id, port=1).open_line()
    other.open(other.wanted())
    other.auth()
    assert holders(here.device) == [(HOST_ID, 0)]
    assert here.verdict(here.sealed(TimeReadRequest())) is None


def test_a_stranger_is_told_who_has_the_place_and_changes_nothing() -> None:
    here = clinician()
    other = stranger(here.device)
    other.open(other.wanted())
    happened(here.device)
    with nothing_moves(here.device):
        assert other.auth() == Nak(NakCode.BUSY_OTHER_HOST, detail=HOST_ID)
    assert reasons(here.device) == ["NAK B2 BUSY_OTHER_HOST"]
    assert holders(here.device) == [(HOST_ID, 0)]
    assert here.verdict(here.sealed(TimeReadRequest())) is None


def test_a_stranger_without_the_key_does_not_take_the_place_over() -> None:
    here = clinician()
    thief = stranger(here.device)
    thief.open(thief.wanted(takeover=True))
    with nothing_moves(here.device):
        assert thief.verdict(thief.plain(AuthRequest(host_cryptogram=bytes(8)))) is NakCode.KEY
    assert holders(here.device) == [(HOST_ID, 0)]


def test_with_takeover_he_gets_the_place_and_the_log_says_from_whom() -> None:
    here = clinician()
    happened(here.device)
    other = stranger(here.device).connect(takeover=True)
    assert holders(here.device) == [(STRANGER, 1)]
    events = happened(here.device)
    (record,) = of_kind(events, Logged)
    assert (record.type, dict(record.detail)) == (
        "session_taken_over",
        {"role": Role.CLINICIAN, "host_id": STRANGER, "from_host_id": HOST_ID},
    )
    ended = [event for event in of_kind(events, SessionChanged) if event.change == "ended"]
    assert [(event.host_id, event.reason) for event in ended] == [(HOST_ID, "takeover")]
    # The ousted host's next frame.
    with nothing_moves(here.device):
        (hint,) = here.send(here.sealed(TimeReadRequest()))
    assert Flag.SECURED not in hint.flags
    assert Nak.decode(hint.payload).code is NakCode.NO_SUCH_SESSION
    assert other.verdict(other.sealed(TimeReadRequest())) is None


def test_nothing_is_taken_over_from_nobody_or_from_oneself() -> None:
    here = clinician()
    happened(here.device)
    the_line_stays_open(here).connect(takeover=True)
    here.close_line()
    here.open_line().connect(takeover=True)
    assert of_kind(happened(here.device), Logged) == []


def test_the_one_who_was_ousted_can_take_the_place_back() -> None:
    here = clinician()
    other = stranger(here.device).connect(takeover=True)
    here.channel = None
    here.open(here.wanted())
    assert here.auth() == Nak(NakCode.BUSY_OTHER_HOST, detail=STRANGER)
    here.connect(takeover=True)
    assert holders(here.device) == [(HOST_ID, 0)]
    assert Nak.decode(other.send(other.sealed(TimeReadRequest()))[0].payload).code is NakCode.NO_SUCH_SESSION


def test_the_place_is_free_after_three_minutes_of_silence() -> None:
    here = clinician()
    other = stranger(here.device)
    here.device.advance(180 * SECOND - 1)
    other.open(other.wanted())
    assert isinstance(other.auth(), Nak)
    here.device.advance(180 * SECOND)
    other.open(other.wanted())
    assert isinstance(other.auth(), AuthAnswer)


def test_readers_and_patients_need_no_place() -> None:
    here = clinician()
    for port, role in ((1, Role.READER), (2, Role.PATIENT)):
        other = HandHost(here.device, role, STRANGER, port=port).open_line().connect()
        assert other.ask(OpListRequest(page=0)).ops == ()
    assert len(live_sessions(here.device)) == 3
