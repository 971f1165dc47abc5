"""The tester's hand on a pump of another process and on one in this: the same story, told through both."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from emulator.assembly import build_device
from emulator.capture.recorder import CaptureHeader
from emulator.cli import main
from emulator.control.artefacts import ArtefactSetting
from emulator.control.client import ControlClient
from emulator.control.event_stream import RING_EVENTS, EventStream
from emulator.control.local import LocalPump
from emulator.control.server import start_control
from emulator.control.verbs import ControlError, PumpControl
from emulator.device import Device
from emulator.events import FaultsCleared
from emulator.inputs import LineChange
from emulator.pacing import Pacer
from emulator.serving import Serving
from protocol.host_end import HostEnd
from tests.device.desk import HELLO, SERIAL, verdicts_in

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
OTHER = 0x0BADCAFE

Told = list[object]


def header(serial_number: int) -> CaptureHeader:
    return CaptureHeader(hardware=f"{serial_number:08X}", application="test", facts=(), ports=("none",))


def new_device() -> Device:
    return build_device("reference-20", 0, SERIAL, insecure=False, session_floor=0)


def through_a_server(path: Path, told: Callable[[ControlClient], Any], artefacts: Path | None = None) -> Any:
    """What a client in a thread is told by a pump whose time stands still."""

    async def serve() -> Any:
        serving = Serving(new_device(), [], Pacer(Fraction(0), Fraction(0), time.monotonic_ns()))
        setting = None
        if artefacts is not None:
            setting = ArtefactSetting(artefacts, header, asyncio.get_running_loop().call_soon, lambda _: None)
        handle = await start_control(f"unix:{path}", serving, setting)
        running = asyncio.create_task(serving.run())
        telling = asyncio.create_task(asyncio.to_thread(told, ControlClient(handle.url)))
        await asyncio.wait({running, telling}, return_when=asyncio.FIRST_COMPLETED)
        await handle.stop()
        serving.shutdown()
        await running
        return await telling

    return asyncio.run(serve())


def story(pump: PumpControl) -> Told:
    """Every verb, and what each of them says."""
    told: Told = [pump.describe()["now_us"], pump.advance(DAY_US), pump.faults()]
    told.append(pump.run_until("log", match={"type": "delivered"}, limit_us=2 * DAY_US))
    told += [pump.arm_fault("stall after=1h for=2h"), pump.clear_faults()]
    saved = pump.save_state()
    told += [pump.environment(), pump.set_environment(temperature_cc=3_950, field_on=True), pump.truth()]
    told.append(pump.use_syringe(withdraw_nl="all", inject_nl=1_000_000, drugs={"morphine": 10_000_000}))
    told += [pump.cut_power(), pump.restore_power(), pump.replace_keys()]
    told += [pump.swap_pump(OTHER), pump.advance(HOUR_US), pump.truth()["reservoir_nl"]]
    told += [pump.restore_state(saved), pump.truth(), pump.advance(1)]
    told += list(pump.events(since=3))
    told += captured(pump)
    for refused in (
        lambda: pump.advance(0),
        lambda: pump.arm_fault("dorp"),
        lambda: pump.restore_state(b"nothing"),
        lambda: pump.replace_keys({"reader": bytes(16)}),
        pump.set_environment,
    ):
        with pytest.raises(ControlError) as error:
            refused()
        told.append(vars(error.value))
    told.append(pump.shutdown())
    return told


def captured(pump: PumpControl) -> Told:
    """A capture from its beginning to its end, and every name that is refused."""
    told: Told = [pump.start_capture("night.pcapng")["running"], pump.set_environment(field_on=False)]
    ended = pump.end_capture("night.pcapng")
    assert len(pump.fetch_capture("night.pcapng")) == ended["bytes"] > 0
    told += [ended["running"], [each["name"] for each in pump.captures()]]
    for name in ("night.pcapng", "", ".hidden", "..", "a/b", "../x", "a\nb", "x" * 101, "link"):
        with pytest.raises(ControlError) as refused:
            pump.start_capture(name)
        told.append((name, refused.value.status))
    for fetch in (pump.fetch_capture, pump.end_capture):
        for name in ("never", "..", ".x"):
            with pytest.raises(ControlError) as refused:
                fetch(name)
            told.append((name, refused.value.status))
    assert [each[1] for each in told if isinstance(each, tuple)] == [409, *[400] * 7, 409, *[404, 400, 400] * 2]
    return told


def test_the_same_story_is_told_by_both(tmp_path: Path) -> None:
    for folder in (tmp_path / "here", tmp_path / "there"):
        folder.mkdir()
        (folder / "link").symlink_to(tmp_path / "elsewhere")
    here = LocalPump(new_device(), artefacts=tmp_path / "here")
    there = through_a_server(tmp_path / "pump.sock", story, tmp_path / "there")
    assert story(here) == there
    assert not (tmp_path / "elsewhere").exists()
    assert sorted(file.name for file in (tmp_path / "there").iterdir()) == ["link", "night.pcapng"]
    with pytest.raises(ControlError, match="the pump is shutting down"):
        here.advance(1)


def test_a_pump_in_this_process_answers_its_line() -> None:
    pump = LocalPump(new_device())
    pump.line(LineChange.OPENED)
    host = HostEnd(address=SERIAL)
    host.request(HELLO, 0)
    assert verdicts_in(pump.exchange(host.data_to_send())) == ["OK"]
    assert [event["name"] for event in pump.events() if event["event"] == "frame"] == ["HELLO", "HELLO"]
    with pytest.raises(ControlError, match="leave out follow"):
        next(pump.events(follow=True))


def test_a_line_that_breaks_in_this_process_is_an_event_and_wants_to_be_opened_anew() -> None:
    pump = LocalPump(new_device())
    pump.line(LineChange.OPENED)
    host = HostEnd(address=SERIAL)
    host.request(HELLO, 0)
    hello = host.data_to_send()
    pump.arm_fault("disconnect answer HELLO lasting=5s")
    assert pump.exchange(hello) == b""
    assert pump.advance(6_000_000) == 6_000_000
    assert pump.exchange(hello) == b"", "nobody has opened it"
    pump.line(LineChange.OPENED)
    assert verdicts_in(pump.exchange(hello)) == ["OK"]
    changes = [event["change"] for event in pump.events() if event["event"] == "line"]
    assert changes == ["opened", "broken", "mended", "opened"]
    assert pump.device.next_line_break() is None, "nothing heaps up"


def test_who_follows_is_told_of_what_happens_until_the_pump_ends(tmp_path: Path) -> None:
    def follow(pump: ControlClient) -> list[str]:
        with closing(pump.events(follow=True)) as told:
            # One who has seen enough goes, and nobody minds.
            assert next(told)["number"] == 1
        with closing(pump.events(follow=True)) as told:
            kinds = [next(told)["event"]]
            pump.set_environment(field_on=True)
            for event in told:
                kinds.append(event["event"])
                if event["event"] == "environment":
                    pump.shutdown()
        return kinds

    assert through_a_server(tmp_path / "pump.sock", follow)[-1] == "environment"


def test_events_from_a_shell(tmp_path: Path) -> None:
    def run(pump: ControlClient) -> Any:
        pump.advance(3 * DAY_US)
        state = str(tmp_path / "pump.state")
        for arguments in (
            ["events", "--json"],
            ["events", "--since", "2"],
            ["state", "save", state],
            ["environment", "--temperature", "39.5C", "--field", "on"],
            ["environment", "--json"],
            ["identity", f"{OTHER:08x}"],
            ["state", "load", state],
            ["environment", "--temperature", "39.5"],
            ["identity", "0"],
            ["state", "load", str(tmp_path / "pump.sock")],
        ):
            result = CliRunner().invoke(main, ["control", "--control", pump.url, *arguments])
            yield_to.append((result.exit_code, result.stdout, result.stderr))

    yield_to: list[tuple[int, str, str]] = []
    through_a_server(tmp_path / "pump.sock", run)
    assert [code for code, _, _ in yield_to] == [0] * 7 + [2] * 3
    (_, as_json, _), (_, for_people, _), _, warm, environment, swapped, loaded, *wrong = yield_to
    numbers = [json.loads(line)["number"] for line in as_json.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(for_people.splitlines()) == len(numbers) - 2
    assert "log  sequence=" in for_people
    assert warm[1] == "39.50 °C, magnetic field on\n"
    assert json.loads(environment[1]) == {"temperature_cc": 3_950, "field_on": True, "now_us": 3 * DAY_US}
    assert swapped[1] == f"pump {OTHER:08X} is behind the line, as new\n"
    assert loaded[1] == f"pump {SERIAL:08X} is as it was; virtual time is now 3d\n"
    assert all(message for _, _, message in wrong)


def test_whoever_reads_too_slowly_is_told_how_many_events_have_gone_by() -> None:
    stream = EventStream(ring_events=4)

    async def read() -> list[dict[str, object]]:
        following = stream.follow(0)
        lines = (await anext(following)).splitlines()
        for number in range(2, 12):
            stream.take(FaultsCleared(number=number, at_us=0))
        stream.close()
        async for more in following:
            lines += more.splitlines()
        return [json.loads(line) for line in lines]

    stream.take(FaultsCleared(number=1, at_us=0))
    told = asyncio.run(read())
    assert [each.get("number") or {"dropped": each["count"]} for each in told] == [1, {"dropped": 6}, 8, 9, 10, 11]
    assert json.loads(stream.lines(0).splitlines()[0]) == {"event": "dropped", "count": 7}
    assert stream.lines(11) == b""
    assert RING_EVENTS == 16_384
