"""`vpump watch`: what the pump sends of its own accord, or is asked for; and what is shown of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator import identity
from emulator.events import FrameSeen
from emulator.faults.arming import arming
from emulator.inputs import ArmDeviceFault
from firmware_model.faults import device_fault
from protocol.host_end import Refused
from protocol.messages.codes import Capability
from protocol.messages.stream import SubscribeRequest
from protocol.refusals import Nak, NakCode
from tests.cli.desk import Desk


def asked(desk: Desk) -> list[str]:
    """What the command has asked the pump since this was asked last, retries included."""
    desk.world.collect()
    frames = [event for event in desk.world.events if isinstance(event, FrameSeen) and event.direction == "request"]
    desk.world.events.clear()
    return [frame.name for frame in frames if frame.name not in ("HELLO", "OPEN", "AUTH", "CLOSE")]


def watched(desk: Desk, *arguments: str) -> list[Any]:
    """The documents of a watch that ends well."""
    result = desk.vpump("watch", "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_watch_subscribes_once_and_takes_its_leave(desk: Desk) -> None:
    lines = watched(desk, "--count", "4")
    assert [line["elapsed_s"] for line in lines] == [0, 2, 4, 6], "the pump's shortest period"
    assert [line["stream_sequence"] for line in lines] == [1, 2, 3, 4]
    assert asked(desk) == ["CAPS", "SUBSCRIBE", "UNSUBSCRIBE"]


def test_a_line_in_json_says_all_that_an_event_can(desk: Desk) -> None:
    (line,) = watched(desk, "--count", "1")
    assert line["run_state"] == "running"
    assert "alarm" in line["changed"]
    assert line["missed"] == 0
    assert {"reservoir_nl", "bolus_id", "log_last", "rtc_unix_s", "idle_mv", "temperature_cc"} <= set(line)
    assert "fields" not in line
    assert None not in line.values()


def test_a_line_for_people_is_the_same_however_it_came(desk: Desk) -> None:
    sent = desk.vpump("watch", "--count", "1").stdout
    polled = desk.vpump("watch", "--count", "1", "--interval", "10ms").stdout
    assert sent == polled == "0s | running | 620 uL/day | reservoir 20 mL | bolus none | alarms 0 (0 new)\n"


def test_the_interval_is_the_period(desk: Desk) -> None:
    assert [line["elapsed_s"] for line in watched(desk, "--count", "3", "--interval", "10min")] == [0, 600, 1200]
    assert set(asked(desk)) == {"CAPS", "SUBSCRIBE", "KEEPALIVE", "UNSUBSCRIBE"}, "events keep no session alive"


@pytest.mark.parametrize("interval", ["10ms", "1s", "2500ms", "3601s"])
def test_what_the_pump_does_not_grant_is_asked_for(desk: Desk, interval: str) -> None:
    lines = watched(desk, "--count", "3", "--interval", interval)
    assert len(lines) == 3
    assert "stream_sequence" not in lines[0]
    names = asked(desk)
    assert names.count("STATUS") == 3
    assert "SUBSCRIBE" not in names


def test_a_pump_that_has_no_stream_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "CAPABILITIES", identity.CAPABILITIES & ~Capability.STREAM)
    older = Desk(insecure=desk.insecure)
    desk.world.device = older.world.device
    assert [line["elapsed_s"] for line in watched(desk, "--count", "3")] == [0, 1, 2]
    assert asked(desk) == ["STATUS"] * 3


def test_what_is_missing_is_said(desk: Desk) -> None:
    """Silence is answered by subscribing anew, which hides nothing."""
    device = desk.world.device
    device.control(arming("drop event EVENT nth=2 count=3", device.fault_names), 0)
    assert [line["missed"] for line in watched(desk, "--count", "3")] == [0, 3, 0]
    device.control(arming("drop event EVENT nth=2", device.fault_names), desk.world.now)
    lines = desk.vpump("watch", "--count", "2").stdout.splitlines()
    assert [line.startswith("--- gap: 1 event") for line in lines] == [False, True, False]


def test_ctrl_c_unsubscribes(desk: Desk) -> None:
    desk.interrupts = SubscribeRequest
    result = desk.vpump("watch")
    assert (result.exit_code, result.stderr) == (130, "\nvpump: interrupted.\n")
    assert asked(desk)[-2:] == ["SUBSCRIBE", "UNSUBSCRIBE"]


def test_a_stream_outlives_a_power_cut(keyed_desk: Desk) -> None:
    """Nothing comes any more; asked again, the pump knows of no session, and the next one subscribes."""
    keyed_desk.world.device.control(ArmDeviceFault(device_fault("reset", after=7_000_000)), 0)
    lines = watched(keyed_desk, "--count", "6")
    assert [line["boot"] for line in lines] == [1, 1, 1, 1, 2, 2]
    assert [line["stream_sequence"] for line in lines] == [1, 2, 3, 4, 1, 2]
    assert len(keyed_desk.sessions()) == 2


def test_a_place_that_is_taken_ends_the_watch(insecure_desk: Desk) -> None:
    insecure_desk.answers[SubscribeRequest] = [Refused(Nak(NakCode.NO_SUCH_SESSION), txn=0)]
    result = insecure_desk.vpump("watch")
    assert result.exit_code == 3
    assert result.stderr.startswith("vpump: another program has opened a line to this pump and taken our session;")
