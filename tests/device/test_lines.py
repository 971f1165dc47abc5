"""Lines, sessions and leases: who is heard, what dies with what, and what goes on regardless."""

import pytest

from emulator.device import Device
from emulator.events import BytesRejected, FrameSeen, LineChanged, SessionChanged
from emulator.inputs import Bytes, CutPower, LineChange, RestorePower
from emulator.lines import NO_CLIENT, OUTPUT_LIMIT
from emulator.vpump_wire import VpumpWire
from emulator.wire import Direction, WireFrame
from firmware_model.firmware.change import Change
from protocol.explain import FAULT_WORDS
from protocol.framing import LineFault
from protocol.messages.alarm import AlarmListRequest
from protocol.messages.codes import OpState
from protocol.messages.link import HelloRequest, LinkStatsRequest
from protocol.messages.op import OpListRequest
from protocol.messages.pump_time import TimeReadRequest
from protocol.messages.read import StatusRequest
from protocol.refusals import NakCode
from tests.device.desk import SECOND, SERIAL, Desk, execute, frame_of, happened, new_device, of_kind, verdicts_in
from tests.firmware_model.pump_profiles import LONG_LOG, changed, shipped

HELLO = HelloRequest(major=1, minor=0)


def at_desk(port: int = 0, device: Device | None = None) -> Desk:
    desk = Desk(device or new_device(), port)
    desk.open()
    return desk


def sessions(device: Device) -> list[tuple[int, str, str]]:
    return [(event.port, event.change, event.reason) for event in of_kind(happened(device), SessionChanged)]


def test_the_first_bytes_open_a_line_that_nobody_has_spoken_of() -> None:
    device = new_device()
    device.receive(frame_of(TimeReadRequest(), 1), 5)
    assert verdicts_in(device.data_to_send(5)) == ["OK"]
    kinds = [event.kind for event in happened(device)]
    assert kinds == ["log", "line", "session", "frame", "frame"]


def test_on_a_closed_line_nobody_is_heard() -> None:
    desk = at_desk()
    desk.close()
    happened(desk.device)
    assert desk.raw(frame_of(TimeReadRequest(), 1)) == b""
    (rejected,) = of_kind(happened(desk.device), BytesRejected)
    assert (rejected.reason, rejected.raw) == (NO_CLIENT, frame_of(TimeReadRequest(), 1))


def test_what_was_left_for_one_client_is_not_read_by_the_next() -> None:
    desk = at_desk()
    for change in (LineChange.CLOSED, LineChange.OPENED, LineChange.OVERRUN):
        desk.device.receive(frame_of(HELLO, 1), desk.device.now_us)
        desk.device.line(change, desk.device.now_us)
        assert desk.raw(b"") == b""
        desk.open()


def test_half_a_frame_ends_with_its_line() -> None:
    desk = at_desk()
    whole = frame_of(TimeReadRequest(), 1)
    desk.raw(whole[:9])
    desk.open()
    assert desk.raw(whole[9:]) == b""
    assert desk.raw(whole) != b""


def test_each_change_of_the_line_is_told() -> None:
    desk = at_desk()
    desk.device.line(LineChange.OVERRUN, 0)
    desk.close()
    assert [event.change for event in of_kind(happened(desk.device), LineChanged)] == ["opened", "overrun", "closed"]


def test_a_session_ends_with_its_line_after_silence_and_when_it_is_displaced() -> None:
    device = new_device()
    first = at_desk(0, device)
    at_desk(1, device)
    assert sessions(device) == [(0, "opened", ""), (0, "ended", "displaced"), (1, "opened", "")]
    first.wait(179.999_999)
    assert first.has_session()
    first.wait(0.000_001)
    assert not first.has_session()
    assert sessions(device) == [(1, "ended", "silence")]
    first.open()
    first.close()
    assert sessions(device) == [(0, "opened", ""), (0, "ended", "line")]


def test_a_good_frame_breaks_the_silence_and_bad_bytes_do_not() -> None:
    desk = at_desk()
    desk.wait(100)
    desk.ask(TimeReadRequest())
    desk.wait(100)
    assert desk.has_session()
    desk.raw(b"\x00\x05\x01\x02\x03\x04\x00")
    desk.wait(80)
    assert not desk.has_session()
    desk.ask(TimeReadRequest())
    assert desk.has_session()


def test_the_displaced_line_hears_that_its_session_is_gone_until_it_is_opened_anew() -> None:
    device = new_device()
    first, second = at_desk(0, device), Desk(device, 1)
    first.ask(StatusRequest())
    second.open()
    assert first.refusal(StatusRequest()).code is NakCode.NO_SUCH_SESSION
    assert first.ask(HELLO).serial_number == SERIAL
    assert second.ask(StatusRequest()).bolus_id == 0
    first.open()
    assert first.ask(StatusRequest()).bolus_id == 0
    assert second.refusal(StatusRequest()).code is NakCode.NO_SUCH_SESSION


@pytest.mark.parametrize("end", ["line closed", "line overrun", "line opened anew", "displaced", "power"])
def test_a_lease_dies_with_its_session(end: str) -> None:
    device = new_device()
    desk = at_desk(0, device)
    lease = desk.prepared(10_000, 100)
    match end:
        case "line closed":
            desk.close()
        case "line overrun":
            device.line(LineChange.OVERRUN, device.now_us)
        case "line opened anew":
            desk.open()
        case "displaced":
            at_desk(1, device)
        case "power":
            device.control(CutPower(), device.now_us)
            device.control(RestorePower(), device.now_us)
    assert device.pump.firmware.leases == []
    desk.open()
    assert desk.refusal(execute(lease, 1, desk.rev())).code is NakCode.LEASE_EXPIRED


def test_a_lease_that_is_longer_than_the_silence_dies_with_its_session_too() -> None:
    desk = at_desk(0, new_device(changed(LONG_LOG, "bolus", lease_s=3_600)))
    lease = desk.prepared(10_000, 100)
    desk.wait(179.999_999)
    assert len(desk.device.pump.firmware.leases) == 1
    desk.wait(0.000_001)
    assert desk.device.pump.firmware.leases == []
    assert desk.refusal(execute(lease, 1, desk.rev())).code is NakCode.LEASE_EXPIRED


@pytest.mark.parametrize("end", ["line", "silence", "displaced"])
def test_a_running_bolus_goes_on_whatever_becomes_of_the_session(end: str) -> None:
    device = new_device()
    desk = at_desk(0, device)
    desk.bolus(20_000, 600, 1)
    match end:
        case "line":
            desk.close()
        case "silence":
            desk.wait(200)
        case "displaced":
            at_desk(1, device)
    desk.wait(600)
    desk.open()
    assert desk.query(1).state is OpState.DONE
    assert desk.query(1).delivered_min_nl == 20_000


def test_a_line_gives_as_many_bytes_as_are_asked_for_and_keeps_the_rest() -> None:
    desk = at_desk()
    desk.device.receive(frame_of(HELLO, 1), 0)
    pieces = []
    while piece := desk.device.data_to_send(0, limit=7):
        pieces.append(piece)
    assert {len(piece) for piece in pieces[:-1]} == {7}
    assert verdicts_in(b"".join(pieces)) == ["OK"]
    assert desk.device.data_to_send(0, limit=0) == b""
    with pytest.raises(ValueError, match=r"^time cannot go back from 0 to -1$"):
        desk.device.data_to_send(-1)


def test_taking_the_bytes_changes_nothing() -> None:
    one, other = at_desk(), at_desk()
    for desk in (one, other):
        desk.device.receive(frame_of(TimeReadRequest(), 1), 0)
    one.device.data_to_send(0)
    assert one.device.digest() == other.device.digest()
    assert [event.as_json() for event in happened(one.device)] == [event.as_json() for event in happened(other.device)]
    last = one.raw(frame_of(TimeReadRequest(), 2))
    assert last == other.raw(frame_of(TimeReadRequest(), 2))[-len(last) :]


def test_for_a_line_that_nobody_reads_a_bounded_number_of_bytes_is_kept_in_whole_frames() -> None:
    desk = at_desk()
    asked = 0
    while asked < 1_200:
        desk.device.receive(frame_of(HELLO, asked & 0xFF), 0)
        asked += 1
    kept = desk.device.data_to_send(0, limit=1_000_000)
    assert OUTPUT_LIMIT - 255 < len(kept) <= OUTPUT_LIMIT
    assert set(verdicts_in(kept)) == {"OK"}
    assert len(verdicts_in(desk.raw(frame_of(HELLO, 9)))) == 1


def test_what_is_no_acceptable_frame_is_rejected_in_words_and_counted_in_silence() -> None:
    desk = at_desk()
    good = frame_of(TimeReadRequest(), 1)
    flipped = good[:6] + bytes((good[6] ^ 0x40,)) + good[7:]
    another = frame_of(TimeReadRequest(), 1, address=5)
    assert desk.raw(flipped + another + b"\x00\x00\x03\x01\x00") == b""
    reasons = [event.reason for event in of_kind(happened(desk.device), BytesRejected)]
    assert reasons == [FAULT_WORDS[fault] for fault in (LineFault.CRC, LineFault.ADDRESS, LineFault.COBS)]
    stats = desk.ask(LinkStatsRequest())
    assert (stats.crc_errors, stats.address_errors, stats.cobs_errors) == (1, 1, 1)


def test_an_answer_that_comes_back_is_not_taken_for_a_request() -> None:
    desk = at_desk()
    answer = desk.raw(frame_of(TimeReadRequest(), 1))
    digest = desk.device.digest()
    assert desk.raw(answer) == b""
    assert desk.device.digest() == digest


def test_every_frame_is_seen_once_in_each_direction() -> None:
    desk = at_desk()
    desk.ask(TimeReadRequest())
    seen = [(event.direction, event.name, event.effect) for event in of_kind(happened(desk.device), FrameSeen)]
    assert seen == [("request", "TIME_READ", "read"), ("answer", "TIME_READ", "read")]


def test_events_are_numbered_without_a_gap_and_their_time_never_goes_back() -> None:
    desk = at_desk()
    desk.bolus(20_000, 60, 1)
    desk.wait(1_000)
    events = happened(desk.device)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.at_us for event in events] == sorted(event.at_us for event in events)


def test_time_does_not_go_back() -> None:
    device = new_device()
    device.advance(10)
    with pytest.raises(ValueError, match=r"^time cannot go back from 10 to 9$"):
        device.apply(Bytes(9, 0, b""))


def test_a_frame_of_another_protocol_is_a_fault_of_the_program() -> None:
    device = new_device()
    assert isinstance(device.wire, VpumpWire)
    with pytest.raises(TypeError, match="a frame of another protocol"):
        device.wire.receive(0, WireFrame(b"x", Direction.REQUEST), 0)


def test_centuries_are_told_without_an_overflow() -> None:
    """Numbers of seconds stay at their highest value; therapy is driven by a finer and longer count."""
    desk = at_desk()
    centuries_us = 300 * 365 * 86_400 * SECOND
    firmware = desk.device.pump.firmware
    firmware.elapsed_offset_us += centuries_us
    firmware.day_us += centuries_us
    firmware.record.clock_base_us += centuries_us
    assert desk.ask(StatusRequest()).elapsed_s == 0xFFFF_FFFE
    time = desk.ask(TimeReadRequest())
    assert (time.elapsed_s, time.rtc_unix_s) == (0xFFFF_FFFE, 0xFFFF_FFFE)


def test_the_number_of_boots_stays_at_its_highest_value() -> None:
    desk = at_desk()
    firmware = desk.device.pump.firmware
    change = Change(firmware)
    change.set(boot=0xFFFF)
    change.commit()
    desk.device.control(CutPower(), 0)
    desk.device.control(RestorePower(), 0)
    assert desk.ask(StatusRequest()).boot == 0xFFFF


def test_a_cut_at_the_instant_at_which_the_silence_ends_is_what_ended_the_session() -> None:
    """What happens in the pump comes before what happens on its lines: the alarm, and with it the cut, is first."""
    desk = at_desk(0, new_device(changed(LONG_LOG, "reservoir", initial_volume_nl=138_000)))
    desk.device.control(CutPower(at_write=1), 0)
    desk.wait(180)
    assert sessions(desk.device) == [(0, "opened", ""), (0, "ended", "power")]


def test_the_ledger_and_the_alarms_are_listed_by_pages_without_a_gap() -> None:
    desk = at_desk(0, new_device(shipped("reference-20")))
    for op_id in range(1, 20):
        desk.stop(op_id)
    assert [entry.op_id for entry in desk.ops()] == list(range(4, 20))
    behind = desk.ask(OpListRequest(page=3))
    assert (behind.pages, behind.ops) == (3, ())
    desk = at_desk()
    desk.wait(3_000)
    both = desk.ask(AlarmListRequest(from_instance=0))
    assert (both.total, [alarm.instance for alarm in both.alarms]) == (2, [1, 2])
    last = desk.ask(AlarmListRequest(from_instance=2))
    assert (last.total, [alarm.type.name for alarm in last.alarms]) == (2, ["EMPTY_RESERVOIR"])
