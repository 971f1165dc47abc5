"""A recorded session is of no use later: whatever has become of line, power, process or save-state since."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.assembly import build_device, fresh_session_floor
from emulator.device import Device
from emulator.events import SessionChanged
from emulator.inputs import CutPower, Input, RaiseSessionCounter, RestorePower
from firmware_model.firmware.security_record import HIGHEST_COUNTER
from protocol.messages.codes import Role
from protocol.messages.deliver import StartRequest, StopRequest
from protocol.messages.link import CloseRequest, KeepaliveRequest
from tests.device.desk import SECOND, SERIAL, execute, happened, of_kind, prepare
from tests.device.hand_host import (
    HandHost,
    RecordedDevice,
    live_sessions,
    nothing_moves,
    reasons,
    recorded_device,
    requests_of,
    restored,
)
from tests.firmware_model.pump_profiles import shipped

PROFILE = shipped("reference-20")
SESSIONS_BEFORE = 3
"""The recorded session is the pump's fourth: the counter has come so far before it."""


@dataclass
class Recording:
    """What somebody has written down at the line, and the device that it was written down at."""

    device: RecordedDevice
    before: list[Input]
    frames: list[bytes]
    commands: int

    @property
    def handshake(self) -> list[bytes]:
        return self.frames[: -self.commands]


def recording(*, still_open: bool = False) -> Recording:
    """A clinician's session in which therapy is changed in every way that it can be; he leaves in good order."""
    device = recorded_device(PROFILE)
    host = HandHost(device).open_line()
    for _ in range(SESSIONS_BEFORE):
        host.connect()
        host.ask(CloseRequest())
        host.channel = None
    device.advance(device.now_us + 100 * SECOND)
    before = list(device.inputs)
    happened(device)
    host.connect()
    lease = host.ask(prepare(50_000, 600))
    host.ask(execute(lease, 1, 1))
    host.ask(StopRequest(op_id=2, therapy_rev=0))
    host.ask(StartRequest(op_id=3, therapy_rev=3))
    host.ask(KeepaliveRequest())
    if not still_open:
        host.ask(CloseRequest())
    return Recording(device, before, requests_of(device), commands=5 if still_open else 6)


GREETED_AND_REFUSED = ["OK", "OK", "NAK 35 KEY"]
"""HELLO, OPEN and AUTH, when they come again: another challenge needs another cryptogram."""


def replay_is_to_no_effect(device: Device, recorded: Recording, port: int = 0) -> None:
    """Every frame again, in its order; not one gets further than a new challenge."""
    happened(device)
    attacker = HandHost(device, port=port)
    with nothing_moves(device):
        for frame in recorded.frames:
            attacker.send(frame)
    assert reasons(device) == GREETED_AND_REFUSED + ["NAK 7F NO_SUCH_SESSION"] * recorded.commands
    assert live_sessions(device) == ()


def line_opened_anew(device: Device) -> None:
    host = HandHost(device)
    host.close_line()
    host.open_line()


def power_cycled(device: Device) -> None:
    device.control(CutPower(), device.now_us)
    device.control(RestorePower(), device.now_us)


@pytest.mark.parametrize("between", [lambda _: None, line_opened_anew, power_cycled], ids=["nothing", "line", "power"])
def test_a_session_that_was_closed_is_not_opened_by_its_own_frames(between: Callable[[Device], None]) -> None:
    recorded = recording()
    between(recorded.device)
    replay_is_to_no_effect(recorded.device, recorded)


@pytest.mark.parametrize("ended_by", [line_opened_anew, power_cycled], ids=["line", "power"])
def test_a_session_that_was_cut_off_is_not_taken_up_again(ended_by: Callable[[Device], None]) -> None:
    recorded = recording(still_open=True)
    ended_by(recorded.device)
    replay_is_to_no_effect(recorded.device, recorded)


def test_frames_of_a_session_that_lives_are_copies_on_its_own_line() -> None:
    """The same OPEN is answered with a new challenge, the same AUTH with its stored answer; commands are too old."""
    recorded = recording(still_open=True)
    host = HandHost(recorded.device)
    with nothing_moves(recorded.device):
        for frame in recorded.frames:
            host.send(frame)
    told = reasons(recorded.device)
    assert told[:3] == ["OK", "OK", "OK"]
    assert {words.split(":")[0] for words in told[3:]} == {"the counter is not above the last one"}


def test_frames_of_a_session_that_lives_are_no_ones_on_another_line() -> None:
    recorded = recording(still_open=True)
    other = HandHost(recorded.device, port=1).open_line()
    happened(recorded.device)
    with nothing_moves(recorded.device):
        for frame in recorded.frames:
            other.send(frame)
    assert reasons(recorded.device) == GREETED_AND_REFUSED + ["NAK 7F NO_SUCH_SESSION"] * recorded.commands


def started_anew(floor: int) -> Device:
    """The same pump in a new process: same profile, same seed, an empty memory."""
    device = build_device("reference-20", 0, SERIAL, insecure=False, session_floor=floor)
    HandHost(device).open_line()
    return device


def used_by(recorded: Recording) -> int:
    """How far the session counter had come at the end of the recording."""
    security = recorded.device.pump.firmware.security.record
    assert security is not None
    return security.session_counter


RECORDED = recording()
USED = used_by(RECORDED)
floors = st.one_of(st.integers(USED, USED + 3), st.integers(USED, HIGHEST_COUNTER - 1))


def test_a_pump_that_is_started_anew_has_never_been_challenged_so() -> None:
    replay_is_to_no_effect(started_anew(fresh_session_floor()), RECORDED)


@settings(max_examples=25)
@given(floors)
def test_a_pump_that_is_started_anew_above_the_recorded_counter_is_safe_at_any_floor(floor: int) -> None:
    replay_is_to_no_effect(started_anew(floor), RECORDED)


@settings(max_examples=15)
@given(floors)
def test_a_save_state_from_before_the_session_is_safe_once_its_counter_is_raised(floor: int) -> None:
    device = restored(RECORDED.before, PROFILE)
    device.control(RaiseSessionCounter(floor), device.now_us)
    replay_is_to_no_effect(device, RECORDED)


def test_without_that_the_recorded_session_would_be_opened_again_to_the_letter() -> None:
    """It is the floor that protects a pump that cannot remember: the fault that these tests would find is there."""
    device = restored(RECORDED.before, PROFILE)
    attacker = HandHost(device)
    for frame in RECORDED.frames[:-1]:
        attacker.send(frame)
    assert [event.change for event in of_kind(happened(device), SessionChanged)] == ["opened"]
    assert device.pump.delivery_digest() != restored(RECORDED.before, PROFILE).pump.delivery_digest()


def test_a_counter_that_has_come_to_its_end_opens_no_session_any_more() -> None:
    device = started_anew(HIGHEST_COUNTER)
    happened(device)
    with nothing_moves(device):
        for frame in RECORDED.frames:
            HandHost(device).send(frame)
    assert reasons(device)[1:3] == ["NAK 22 CONDITIONS", "NAK 22 CONDITIONS"]


def test_a_floor_below_the_counter_lowers_nothing() -> None:
    recorded = recording()
    recorded.device.control(RaiseSessionCounter(0), recorded.device.now_us)
    assert used_by(recorded) == USED
    replay_is_to_no_effect(recorded.device, recorded)


BEFALLS: dict[str, Callable[[Device], None]] = {
    "line": line_opened_anew,
    "power": power_cycled,
    "time": lambda device: device.advance(device.now_us + 61 * SECOND),
}
moments = st.one_of(st.integers(0, len(RECORDED.frames) - 1), st.sampled_from(sorted(BEFALLS)))


@settings(max_examples=40)
@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from([0, 0, 1]))
def test_recorded_frames_in_any_order_open_nothing_and_move_nothing(story: list[int | str], port: int) -> None:
    """In any order, any number of times, with anything between that befalls line, power and time."""
    device = restored(RECORDED.device.inputs, PROFILE)
    attacker = HandHost(device, port=port).open_line()
    for moment in story:
        if isinstance(moment, str):
            BEFALLS[moment](device)
            attacker.open_line()
        else:
            with nothing_moves(device):
                attacker.send(RECORDED.frames[moment])
    assert of_kind(happened(device), SessionChanged) == []
    device.advance(device.now_us + 61 * SECOND)
    HandHost(device, Role.CLINICIAN).open_line().connect()
