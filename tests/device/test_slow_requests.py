"""A request that takes the pump a while: PENDING in time, what passes it meanwhile, and how it can end."""

from __future__ import annotations

import pytest

from emulator.inputs import CutPower, LineChange, RestorePower
from firmware_model.profile import Profile
from protocol.access import PumpState
from protocol.frame import Frame
from protocol.host_end import Answered, NoAnswer
from protocol.messages.codes import Role, SelfTestPart
from protocol.messages.deliver import StopRequest
from protocol.messages.link import KeepaliveRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.routine import SelftestAnswer, SelftestRequest
from protocol.messages.stream import SubscribeRequest
from protocol.refusals import OK, Nak, NakCode
from protocol.slow_requests import LONGEST_US, PENDING_REPEAT_US, PENDINGS_MAX
from protocol.streams import ALL_FIELDS
from tests.device.desk import SECOND, Desk, frames_in, new_device
from tests.device.hand_host import HandHost
from tests.device.pump_states import WellMeant, host_of
from tests.firmware_model.pump_profiles import changed, shipped

FOR_LONG = changed(shipped("reference-20"), "supervisor", self_test_s=20)
PENDING = NakCode.PENDING.name


def clinician(profile: Profile = FOR_LONG) -> HandHost:
    return HandHost(new_device(profile, insecure=False)).open_line().connect()


def said(host: HandHost, frames: list[Frame]) -> list[str]:
    """OK, or the NAK's name, of each frame that came, in its order."""
    assert host.channel is not None
    told = []
    for frame in frames:
        payload = host.channel.open(frame)
        assert payload is not None
        told.append("OK" if payload[0] == OK else Nak.decode(payload).code.name)
    return told


def wait(host: HandHost, until_s: float) -> list[str]:
    host.device.advance(round(until_s * SECOND))
    return said(host, frames_in(host.device.data_to_send(host.device.now_us)))


def ask(host: HandHost, message: object) -> list[str]:
    return said(host, host.send(host.request(message)))


def test_a_host_is_never_without_a_word_for_longer_than_it_waits() -> None:
    host = clinician()
    assert ask(host, SelftestRequest()) == [PENDING]
    heard = [at_s for at_s in range(1, 20) if wait(host, at_s) == [PENDING]]
    assert heard == [4, 8, 12, 16], "with the first one five, and not one more"
    assert wait(host, 19.999999) == []
    assert wait(host, 20) == ["OK"]
    assert wait(host, 100) == []
    assert (PENDINGS_MAX, PENDING_REPEAT_US, LONGEST_US) == (5, 4 * SECOND, 20 * SECOND)


@pytest.mark.parametrize(("seconds", "pendings"), [(0, 0), (1, 1), (3, 1), (9, 3)])
def test_what_is_done_at_once_needs_no_word(seconds: int, pendings: int) -> None:
    host = clinician(changed(FOR_LONG, "supervisor", self_test_s=seconds))
    told = ask(host, SelftestRequest()) + wait(host, seconds)
    assert told == [PENDING] * pendings + ["OK"]


def test_the_programmers_side_waits_for_it() -> None:
    desk = Desk(new_device(FOR_LONG, insecure=False))
    desk.open()
    desk.open_session()
    assert desk.ask(SelftestRequest()) == SelftestAnswer(failed=SelfTestPart(0))
    assert desk.device.now_us == 20 * SECOND


def test_its_copy_is_pending_others_are_busy_and_the_urgent_pass() -> None:
    host = clinician()
    request = SelftestRequest()
    ask(host, request)
    host.txns[True] -= 1
    assert ask(host, request) == [PENDING]
    assert ask(host, TimeReadRequest()) == ["BUSY"]
    assert ask(host, KeepaliveRequest()) == ["OK"]
    host.txns[True] -= 1
    assert wait(host, 20)[-1] == "OK"
    assert ask(host, TimeReadRequest()) == ["OK"], "the txn behind it is the next one"


def test_its_answer_is_kept_as_any_other() -> None:
    host = clinician()
    ask(host, SelftestRequest())
    wait(host, 20)
    host.txns[True] -= 1
    assert ask(host, SelftestRequest()) == ["OK"], "from the cache, at once"


def test_a_stop_ends_it() -> None:
    """Motor first: whatever the pump was at is given up, and said to be."""
    host = clinician()
    ask(host, SelftestRequest())
    assert ask(host, StopRequest(op_id=1, therapy_rev=0)) == ["OK", NakCode.PUMP_STOPPED.name]
    assert wait(host, 60) == []
    host.txns[True] -= 1
    assert ask(host, SelftestRequest()) == [NakCode.PUMP_STOPPED.name]
    assert ask(host, SelftestRequest()) == [PENDING], "a stopped pump may be tested"


def test_a_bolus_that_begins_meanwhile_is_why_there_is_no_verdict() -> None:
    host = host_of(PumpState.RUNNING, Role.CLINICIAN)
    patient = HandHost(host.device, Role.PATIENT, port=1).open_line().connect()
    assert ask(host, SelftestRequest()) == [PENDING]
    patient.ask(WellMeant(patient).request("PATIENT_BOLUS"))
    assert wait(host, host.device.now_us // SECOND + 5) == [NakCode.BOLUS_RUNNING.name]


@pytest.mark.parametrize("end", ["line", "power", "another session"])
def test_it_dies_with_its_session(end: str) -> None:
    host = clinician()
    ask(host, SelftestRequest())
    match end:
        case "line":
            host.close_line()
            host.open_line()
        case "power":
            host.device.control(CutPower(), host.device.now_us)
            host.device.control(RestorePower(), host.device.now_us)
        case _:
            host.channel = None
            host.connect()
    host.device.data_to_send(host.device.now_us)
    host.device.advance(60 * SECOND)
    assert host.device.data_to_send(host.device.now_us) == b""


def test_events_go_on_meanwhile() -> None:
    host = clinician()
    host.send(host.request(SubscribeRequest(fields=ALL_FIELDS, period_s=2)))
    ask(host, SelftestRequest())
    host.device.advance(20 * SECOND)
    frames = frames_in(host.device.data_to_send(host.device.now_us))
    assert [f"{frame.opcode:04X}" for frame in frames].count("0704") == 10
    assert len(frames) == 10 + 4 + 1


def test_time_may_be_cut_anywhere() -> None:
    whole, cut = clinician(), clinician()
    for host in (whole, cut):
        ask(host, SelftestRequest())
    for at_us in range(0, 25 * SECOND, 700_001):
        cut.device.advance(at_us)
    whole.device.advance(25 * SECOND)
    cut.device.advance(25 * SECOND)
    assert cut.device.data_to_send(25 * SECOND) == whole.device.data_to_send(25 * SECOND)


def test_a_host_that_hears_nothing_at_all_gives_up() -> None:
    desk = Desk(new_device(FOR_LONG, insecure=False))
    desk.open()
    desk.open_session()
    desk.device.line(LineChange.CLOSED, desk.device.now_us)
    assert isinstance(desk.exchange(SelftestRequest()), NoAnswer)
    assert not isinstance(desk.exchange(TimeReadRequest()), Answered)


def test_nobody_but_a_clinician_may_have_it_run() -> None:
    reader = HandHost(new_device(FOR_LONG, insecure=False), Role.READER).open_line().connect()
    assert reader.verdict(reader.request(SelftestRequest())) is NakCode.ROLE
