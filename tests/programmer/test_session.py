"""Sessions from the programmer's side: how one is opened or not, outlives its own death, and is closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.events import FrameSeen, SessionChanged
from emulator.inputs import LineChange, ReplaceKeys
from emulator.programmer.link import KeyNotAccepted, LinkError, NobodyThere, PlaceTaken, SerialLink, SessionRefused
from emulator.programmer.session import MAX_REOPENINGS, KeptSession, SessionLost
from protocol import keys
from protocol.host_end import Answered, HostEnd, NoAnswer, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.messages.alarm import AlarmListRequest
from protocol.messages.codes import Role
from protocol.messages.deliver import StopAnswer, StopRequest
from protocol.messages.link import AuthRequest, HelloRequest, KeepaliveAnswer, KeepaliveRequest
from protocol.messages.op import OpListRequest
from protocol.messages.program import ProgramBeginRequest
from protocol.messages.read import IdentRequest, ReducedStatusAnswer, StatusAnswer, StatusRequest
from protocol.refusals import Nak, NakCode
from tests.programmer.dying_host import LOST, PASSES, SERIAL_NUMBER, World

OTHER_PORT = 1
HOST_ID, OTHER_HOST = 0xA1, 0xB2
KEYS = keys.test_keys(SERIAL_NUMBER)
WRONG_KEY = bytes(range(16))
SILENCE_US = 180_000_000
STOP = StopRequest(op_id=1, therapy_rev=1)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.as_serial_port():
        yield made


def opened(role: Role = Role.CLINICIAN, host_id: int = HOST_ID, *, takeover: bool = False) -> SerialLink:
    link = SerialLink("world")
    link.open_session(role, KEYS.of_role[role], host_id, takeover=takeover)
    return link


def answered(link: SerialLink | KeptSession, message: object) -> object:
    reply = link.ask(message) if isinstance(link, KeptSession) else link.exchange(message)
    assert isinstance(reply, Answered), reply
    return reply.message


class OtherProgrammer:
    """On a port of its own, with all frames arriving."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._end = HostEnd()
        world.device.line(LineChange.OPENED, world.now, OTHER_PORT)
        self.ask(HelloRequest(major=1, minor=0))

    def ask(self, message: object) -> object:
        self._end.request(message, self._world.now)
        return self._event()

    def open(self, host_id: int, *, takeover: bool = False, role: Role = Role.CLINICIAN) -> object:
        wanted = SessionWanted(role, host_id, KEYS.of_role[role], self._world.chance.token_bytes(8), takeover)
        self._end.open_session(wanted, self._world.now)
        return self._event()

    def _event(self) -> object:
        device, now = self._world.device, self._world.now
        while (event := self._end.next_event()) is None:
            device.receive(self._end.data_to_send(), now, OTHER_PORT)
            self._end.receive(device.data_to_send(now, port=OTHER_PORT), now)
        return event


@pytest.mark.parametrize("role", list(Role))
def test_in_a_session_every_frame_is_sealed_and_the_pump_knows_who_asks(world: World, role: Role) -> None:
    link = SerialLink("world")
    assert isinstance(answered(link, StatusRequest()), ReducedStatusAnswer)
    assert not link.session_open
    link.open_session(role, KEYS.of_role[role], HOST_ID)
    assert isinstance(answered(link, StatusRequest()), StatusAnswer)
    assert (link.role, link.host_id, link.session_open, link.session_lost) == (role, HOST_ID, True, False)
    assert [(event.role, event.host_id) for event in changes(world, "opened")] == [(role.name.lower(), HOST_ID)]


def changes(world: World, change: str) -> list[SessionChanged]:
    """How sessions have begun or ended since this was asked last."""
    world.collect()
    found = [event for event in world.events if isinstance(event, SessionChanged) and event.change == change]
    world.events.clear()
    return found


@pytest.mark.usefixtures("world")
def test_without_a_session_we_are_the_clinician_of_an_insecure_pump() -> None:
    link = SerialLink("world")
    assert (link.role, link.host_id, link.session_lost) == (Role.CLINICIAN, 0, False)


@pytest.mark.usefixtures("world")
def test_a_key_that_the_pump_does_not_hold_is_never_shown_to_it() -> None:
    link = SerialLink("world")
    with pytest.raises(KeyNotAccepted) as caught:
        link.open_session(Role.CLINICIAN, WRONG_KEY, HOST_ID, source="keys.toml")
    assert str(caught.value) == "the key for role clinician in keys.toml is not the key of pump 00C0FFEE."
    assert not link.session_open
    link.open_session(Role.CLINICIAN, KEYS.of_role[Role.CLINICIAN], HOST_ID)
    assert not any(WRONG_KEY.hex() in repr(each) for each in (caught.value, link, vars(link)))


@pytest.mark.parametrize(
    ("nak", "kind", "said"),
    [
        (Nak(NakCode.KEY), KeyNotAccepted, "the key for role patient is not the key of pump 00C0FFEE."),
        (Nak(NakCode.ATTEMPTS, detail=15), KeyNotAccepted, "the pump takes the next one in 15 s."),
        (Nak(NakCode.DELAY, detail=30), SessionRefused, "for another 30 s"),
        (Nak(NakCode.BUSY_OTHER_HOST, detail=0xB2), PlaceTaken, "host 000000B2"),
        (Nak(NakCode.MEMORY_FAILURE), SessionRefused, "opens no session (MEMORY_FAILURE)"),
    ],
)
@pytest.mark.usefixtures("world")
def test_each_refusal_of_a_session_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, nak: Nak, kind: type[LinkError], said: str
) -> None:
    link = SerialLink("world")
    monkeypatch.setattr(link, "_event", lambda: Refused(nak, 1))
    with pytest.raises(kind) as caught:
        link.open_session(Role.PATIENT, KEYS.of_role[Role.PATIENT], HOST_ID)
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_delay_after_wrong_keys_is_named_with_its_seconds(world: World) -> None:
    other = OtherProgrammer(world)
    for _ in range(5):
        other.ask(_open_request())
        assert isinstance(other.ask(AuthRequest(host_cryptogram=bytes(8))), Refused)
    # Delays are a line's own: ours is well.
    opened()
    refused = other.open(OTHER_HOST)
    assert isinstance(refused, Refused)
    assert (refused.nak.code, refused.nak.detail) == (NakCode.DELAY, 15)


def _open_request() -> object:
    return SessionWanted(Role.CLINICIAN, OTHER_HOST, WRONG_KEY, bytes(8)).request()


def test_another_clinician_keeps_the_place_unless_it_is_taken_over(world: World) -> None:
    other = OtherProgrammer(world)
    assert isinstance(other.open(OTHER_HOST), SessionReady)
    with pytest.raises(PlaceTaken) as caught:
        opened()
    assert caught.value.nak.detail == OTHER_HOST
    assert "--takeover" in str(caught.value)
    opened(Role.READER)
    link = opened(takeover=True)
    assert isinstance(answered(link, StatusRequest()), StatusAnswer)


def test_readers_have_no_place_to_take(world: World) -> None:
    other = OtherProgrammer(world)
    assert isinstance(other.open(OTHER_HOST, role=Role.READER), SessionReady)
    opened(Role.READER)
    assert isinstance(other.ask(StatusRequest()), Answered)


@pytest.mark.parametrize("frame", range(2, 6))
def test_opening_survives_a_lost_frame(world: World, frame: int) -> None:
    world.fates = iter([*[PASSES] * frame, LOST])
    assert isinstance(answered(opened(), IdentRequest()), object)


def test_a_pump_that_falls_silent_is_no_answer(world: World) -> None:
    world.fates = iter([*[PASSES] * 2, *[LOST] * 9])
    with pytest.raises(NobodyThere, match="does not answer any more"):
        opened()


@pytest.mark.parametrize("write", range(1, 12))
def test_a_pump_that_loses_its_power_while_a_session_is_opened_is_asked_again(world: World, write: int) -> None:
    """Between OPEN and AUTH it forgets the OPEN."""
    link = SerialLink("world")
    world.power_cycle(write)
    link.open_session(Role.CLINICIAN, KEYS.of_role[Role.CLINICIAN], HOST_ID)
    assert isinstance(answered(KeptSession(link), StatusRequest()), StatusAnswer)


# A session that dies


def dead(world: World) -> KeptSession:
    """A session whose pump has lost its power since, and has it again."""
    link = opened()
    answered(link, StatusRequest())
    world.power_cycle()
    world.pause(1)
    return KeptSession(link)


@pytest.mark.parametrize("message", [StatusRequest(), OpListRequest(page=0), AlarmListRequest(from_instance=0)])
def test_a_read_does_not_notice_that_its_session_has_died(world: World, message: object) -> None:
    answered(dead(world), message)


@pytest.mark.parametrize("message", [STOP, ProgramBeginRequest()])
def test_what_may_not_be_asked_twice_comes_back_and_the_next_one_has_a_session(world: World, message: object) -> None:
    session = dead(world)
    reply = session.ask(message)
    assert isinstance(reply, Refused)
    assert reply.nak.code == NakCode.NO_SUCH_SESSION
    assert isinstance(answered(session, StatusRequest()), StatusAnswer)
    assert isinstance(answered(session, STOP), StopAnswer)


def test_silence_ends_a_session_and_keeping_it_alive_does_not(world: World) -> None:
    link = opened()
    session = KeptSession(link)
    for _ in range(4):
        world.pause(SILENCE_US - 1)
        session.keep_alive()
        assert link.session_open
    world.pause(SILENCE_US)
    session.keep_alive()
    assert link.session_lost
    answered(session, StatusRequest())
    assert not link.session_lost


def test_keeping_alive_says_nothing_where_there_is_no_session(world: World) -> None:
    session = KeptSession(SerialLink("world"))
    world.events.clear()
    session.keep_alive()
    assert world.events == []


def test_sessions_that_always_die_are_not_opened_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    link = opened()
    session = KeptSession(link)
    reopened = link.reopen_session

    def reopen_and_lose() -> None:
        reopened()
        OtherProgrammer(world).open(HOST_ID)  # another command of the same programmer, on another port

    OtherProgrammer(world).open(HOST_ID)
    monkeypatch.setattr(link, "reopen_session", reopen_and_lose)
    changes(world, "opened")
    with pytest.raises(SessionLost, match="has ended our session 4 times"):
        session.ask(StatusRequest())
    assert len(changes(world, "opened")) == 2 * MAX_REOPENINGS
    monkeypatch.setattr(link, "reopen_session", reopened)
    session.rest()
    answered(session, StatusRequest())


def test_a_place_that_somebody_took_is_not_taken_back_by_itself(world: World) -> None:
    link = opened(takeover=True)
    session = KeptSession(link)
    assert isinstance(OtherProgrammer(world).open(OTHER_HOST, takeover=True), SessionReady)
    with pytest.raises(PlaceTaken, match="host 000000B2"):
        session.ask(StatusRequest())


def test_keys_that_were_replaced_meanwhile_are_noticed(world: World) -> None:
    session = KeptSession(opened())
    world.device.control(ReplaceKeys({role.name.lower(): WRONG_KEY for role in Role}), world.now)
    with pytest.raises(KeyNotAccepted):
        session.ask(StatusRequest())


def test_a_pump_that_falls_silent_while_a_session_is_opened_anew_is_no_answer(world: World) -> None:
    session = dead(world)
    world.fates = iter([PASSES, PASSES, *[LOST] * 40])
    assert isinstance(session.ask(StatusRequest()), NoAnswer)


# The end


def test_leaving_closes_the_session_and_an_answer_that_is_lost_delays_little(world: World) -> None:
    link = opened()
    began = world.now
    world.fates = iter([LOST])
    link.close()
    assert world.now - began < 200_000
    link = opened()
    link.close()
    assert [event.reason for event in changes(world, "ended")] == ["line", "closed"]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), OSError(5, "Input/output error")])
def test_nothing_that_happens_while_leaving_matters(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    link = opened()

    def fails(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(type(link._line), "write", fails)
    link.close()
    assert not world.device.session_open


def test_an_interrupted_request_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    link = opened()
    with monkeypatch.context() as patched:
        patched.setattr(type(link._line), "read", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            link.exchange(StatusRequest())
    world.events.clear()
    link.close()
    assert not [event for event in world.events if isinstance(event, FrameSeen)]


@pytest.mark.usefixtures("world")
def test_keepalive_is_answered_in_a_session() -> None:
    assert isinstance(answered(opened(), KeepaliveRequest()), KeepaliveAnswer)
