"""Sessions as the whole device has them: how each ends, what an observer reads of them, and other keys."""

from types import MappingProxyType

import pytest

from emulator.events import BytesRejected, FrameSeen, KeysReplaced, Logged, SessionChanged
from emulator.inputs import CutPower, LineChange, ReplaceKeys, RestorePower
from emulator.lines import NO_POWER
from protocol import keys
from protocol.host_end import KeyWrong, Refused
from protocol.keys import RoleKeys
from protocol.messages.codes import LogType, Marks, OpState, Role
from protocol.messages.link import CloseRequest, KeepaliveRequest, LinkStatsRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import ReducedStatusAnswer, StatusRequest
from protocol.refusals import NakCode
from tests.device.desk import (
    HELLO,
    HOST_ID,
    SERIAL,
    Desk,
    execute,
    frame_of,
    happened,
    new_device,
    of_kind,
    verdicts_in,
)
from tests.device.hand_host import HandHost, live_sessions

OWN = RoleKeys(MappingProxyType({role: bytes((role,)) * 16 for role in Role}))
OWN_BY_NAME = {role.name.lower(): key for role, key in OWN.of_role.items()}


def at_desk(role: Role = Role.CLINICIAN, *, port: int = 0) -> Desk:
    desk = Desk(new_device(insecure=False), port)
    desk.open()
    desk.open_session(role)
    return desk


def endings(desk: Desk) -> list[str]:
    return [event.reason for event in of_kind(happened(desk.device), SessionChanged) if event.change == "ended"]


def test_who_opens_a_session_is_told_of_with_its_role_and_his_number() -> None:
    desk = at_desk(Role.PATIENT)
    (opened,) = of_kind(happened(desk.device), SessionChanged)
    assert (opened.port, opened.change, opened.reason) == (0, "opened", "")
    assert (opened.session_id, opened.role, opened.host_id) == (desk.host.session_id, "patient", HOST_ID)


def test_no_session_is_open_until_somebody_has_opened_one() -> None:
    desk = Desk(new_device(insecure=False))
    desk.open()
    assert not desk.has_session()
    assert isinstance(desk.ask(StatusRequest()), ReducedStatusAnswer)
    assert desk.refusal(TimeReadRequest()).code is NakCode.AUTH_REQUIRED
    desk.open_session()
    assert desk.has_session()
    assert desk.ask(StatusRequest()).bolus_id == 0


@pytest.mark.parametrize("end", ["line", "silence", "power", "closed", "keys", "tags"])
def test_with_a_session_its_lease_ends_and_what_runs_goes_on(end: str) -> None:
    desk = at_desk()
    desk.bolus(20_000, 600, 1)
    happened(desk.device)
    match end:
        case "line":
            desk.device.line(LineChange.OVERRUN, desk.device.now_us)
        case "silence":
            desk.wait(180)
        case "power":
            desk.device.control(CutPower(), desk.device.now_us)
            desk.device.control(RestorePower(), desk.device.now_us)
        case "closed":
            desk.ask(CloseRequest())
        case "keys":
            desk.device.control(ReplaceKeys({}), desk.device.now_us)
        case "tags":
            forged = HandHost(new_device(insecure=False)).open_line().connect(takeover=True)
            # The first of them are below the counter that the session has come to, and no bad tags.
            for _ in range(1_010):
                desk.raw(forged.sealed(KeepaliveRequest()))
    assert endings(desk) == [end]
    assert not desk.has_session()
    desk.wait(600)
    desk.open()
    desk.open_session()
    ended = desk.query(1)
    assert (ended.state, ended.delivered_min_nl) == ((OpState.PARTIAL, 0) if end == "power" else (OpState.DONE, 20_000))
    assert desk.device.pump.firmware.leases == []


def test_a_lease_ends_with_the_session_that_it_was_given_in() -> None:
    desk = at_desk()
    lease = desk.prepared(10_000, 100)
    desk.ask(CloseRequest())
    assert desk.device.pump.firmware.leases == []
    desk.host.forget_session()
    desk.open_session()
    assert desk.refusal(execute(lease, 1, desk.rev())).code is NakCode.LEASE_EXPIRED


def test_keepalive_puts_the_end_by_silence_off_and_a_frame_in_the_clear_does_not() -> None:
    desk = at_desk()
    desk.wait(179)
    desk.ask(KeepaliveRequest())
    desk.wait(179)
    assert desk.has_session()
    desk.raw(frame_of(HELLO, 1))
    desk.wait(1)
    assert endings(desk) == ["silence"]
    assert desk.refusal(KeepaliveRequest()).code is NakCode.NO_SUCH_SESSION


def test_an_observer_reads_what_is_sealed_and_the_line_carries_nothing_of_it() -> None:
    desk = at_desk()
    happened(desk.device)
    desk.stop(0x51515151)
    request, answer = of_kind(happened(desk.device), FrameSeen)
    assert (request.name, request.effect) == (answer.name, answer.effect) == ("STOP", "therapy")
    for seen in (request, answer):
        assert f"session={desk.host.session_id or 1:04X}" in str(seen.summary)
        assert f"op_id={0x51515151}" in str(seen.summary)
        assert b"\x51\x51\x51\x51" not in seen.raw


def test_frames_of_a_session_that_has_just_ended_can_still_be_read() -> None:
    """CLOSE's own answer among them: words are made when somebody reads them."""
    desk = at_desk()
    happened(desk.device)
    desk.ask(CloseRequest())
    words = [str(event.summary) for event in of_kind(happened(desk.device), FrameSeen)]
    assert [("secured" in line, "OK" in line) for line in words] == [(False, False), (False, True)]


def test_bad_tags_are_counted_and_logged_once_a_minute() -> None:
    desk = at_desk()
    happened(desk.device)
    forged = HandHost(new_device(insecure=False)).open_line().connect(takeover=True)
    for _ in range(90):
        desk.raw(forged.sealed(KeepaliveRequest()))
        desk.wait(1)
    desk.wait(31)
    told = [dict(event.detail) for event in of_kind(happened(desk.device), Logged)]
    assert [record["wrong_tags"] for record in told] == [1, 59, 30]
    assert {record["wrong_cryptograms"] for record in told} == {0}
    assert desk.ask(LinkStatsRequest()).tag_errors == 90


def test_other_keys_end_every_session_and_are_told_of_without_being_shown() -> None:
    desk = at_desk()
    assert Marks.TEST_KEYS in desk.ask(HELLO).marks
    happened(desk.device)
    desk.device.control(ReplaceKeys(OWN_BY_NAME), desk.device.now_us)
    events = happened(desk.device)
    assert [event.roles for event in of_kind(events, KeysReplaced)] == ["reader, patient, clinician"]
    assert [(event.type, dict(event.detail)) for event in of_kind(events, Logged)] == [
        ("keys_replaced", {"test_keys": 0})
    ]
    assert [event.reason for event in of_kind(events, SessionChanged)] == ["keys"]
    for key in OWN.of_role.values():
        assert all(key.hex() not in str(event.as_json()) and repr(key) not in repr(event) for event in events)
    desk.open()
    assert Marks.TEST_KEYS not in desk.ask(HELLO).marks
    assert isinstance(desk.try_session(), KeyWrong)
    desk.open_session(key=OWN.of_role[Role.CLINICIAN])


def test_no_keys_at_all_are_the_published_ones_again() -> None:
    desk = Desk(new_device(insecure=False, keys=OWN))
    desk.open()
    assert Marks.TEST_KEYS not in desk.ask(HELLO).marks
    happened(desk.device)
    desk.device.control(ReplaceKeys({}), 0)
    events = happened(desk.device)
    assert [event.roles for event in of_kind(events, KeysReplaced)] == [""]
    assert [dict(event.detail) for event in of_kind(events, Logged)] == [{"test_keys": 1}]
    assert Marks.TEST_KEYS in desk.ask(HELLO).marks
    desk.open_session()


def test_one_published_key_among_three_is_enough_for_the_mark() -> None:
    published = keys.test_keys(SERIAL).of_role[Role.READER]
    mixed = RoleKeys(MappingProxyType({**OWN.of_role, Role.READER: published}))
    desk = Desk(new_device(insecure=False, keys=mixed))
    desk.open()
    assert Marks.TEST_KEYS in desk.ask(HELLO).marks


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {**OWN_BY_NAME, "service": bytes(16)},
            "^one of the keys is for no role; roles are reader, patient, clinician$",
        ),
        ({"reader": bytes(16)}, "^a pump needs a key for each role; missing: PATIENT, CLINICIAN$"),
        ({**OWN_BY_NAME, "reader": bytes(15)}, "^the key of READER has 15 bytes, not 16$"),
    ],
)
def test_keys_that_no_pump_can_have_are_refused_and_change_nothing(given: dict[str, bytes], words: str) -> None:
    desk = at_desk()
    happened(desk.device)
    with pytest.raises(ValueError, match=words):
        desk.device.control(ReplaceKeys(given), 0)
    assert desk.ask(TimeReadRequest()).elapsed_s == 0
    assert of_kind(happened(desk.device), KeysReplaced) == []


def test_a_pump_without_power_is_given_other_keys_and_its_log_does_not_know() -> None:
    desk = at_desk()
    desk.device.control(CutPower(), 0)
    happened(desk.device)
    desk.device.control(ReplaceKeys(OWN_BY_NAME), 0)
    assert of_kind(happened(desk.device), Logged) == []
    desk.device.control(RestorePower(), 0)
    desk.open()
    desk.open_session(key=OWN.of_role[Role.CLINICIAN])
    assert [record.type for record in desk.log()] == [LogType.BOOT, LogType.BOOT, LogType.ALARM_RAISED]


def test_power_ends_every_session_and_its_frames_find_none_when_it_is_back() -> None:
    desk = at_desk()
    other = Desk(desk.device, 1)
    other.open()
    other.open_session(Role.READER)
    happened(desk.device)
    desk.device.control(CutPower(), 0)
    assert endings(desk) == ["power", "power"]
    desk.host.request(TimeReadRequest(), 0)
    frame = desk.host.data_to_send()
    assert desk.raw(frame) == b""
    assert [event.reason for event in of_kind(happened(desk.device), BytesRejected)] == [NO_POWER]
    desk.device.control(RestorePower(), 0)
    assert verdicts_in(desk.raw(frame)) == ["NO_SUCH_SESSION"]


def test_a_pump_that_asks_for_no_key_opens_sessions_all_the_same() -> None:
    """INSECURE: session 0 is the clinician's place, until somebody with a key takes it over."""
    desk = Desk(new_device(insecure=True))
    desk.open()
    assert Marks.INSECURE in desk.ask(HELLO).marks
    assert desk.stop(1).state is OpState.DONE
    assert isinstance(desk.try_session(host_id=7), Refused)
    desk.open_session(host_id=7, takeover=True)
    assert [(each.session_id, each.host_id) for each in live_sessions(desk.device)] == [(2, 7)]
    assert desk.start(2).state is OpState.DONE
    assert verdicts_in(desk.raw(frame_of(TimeReadRequest(), 9))) == ["NO_SUCH_SESSION"]
    desk.wait(180)
    assert not desk.has_session()
