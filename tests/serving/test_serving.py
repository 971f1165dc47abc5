"""The loop that serves: deadlines, jumps, sessions, defects. The wall clock is a number that the test sets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction

import pytest

from emulator import serving as serving_module
from emulator.events import Event, LineChanged, Logged
from emulator.inputs import ClearFaults, RestorePower
from emulator.lines import LineBreak
from emulator.pacing import Pacer
from emulator.ports.pty import PtyPort
from emulator.ports.spec import PtySpec
from emulator.serving import INPUT_LIMIT, SLICE_US, Serving, ServingFailed, ServingStopped
from tests.ports.recording_sink import DEADLINE_S, open_descriptors, readable
from tests.serving.fake_device import FakeDevice

DAY_US = 86_400_000_000


class Wall:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


class Watcher:
    """An observer that a test can wait for."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def until(self, condition: Callable[[Event], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not any(condition(event) for event in self.events):
                self._changed.clear()
                await self._changed.wait()

    def times(self, kind: str) -> list[int]:
        return [event.at_us for event in self.events if isinstance(event, Logged) and event.type == kind]


@asynccontextmanager
async def running(
    device: FakeDevice, speed: int = 0, session_speed: int = 0, wall: Callable[[], int] | None = None, pty: bool = False
) -> AsyncIterator[tuple[Serving, Watcher]]:
    clock = wall or Wall()
    watcher = Watcher()
    pacer = Pacer(Fraction(speed), Fraction(session_speed), clock())
    serving = Serving(device, [PtyPort(PtySpec("pty"))] if pty else [], pacer, [watcher], clock)
    serving.start()
    task = asyncio.create_task(serving.run())
    try:
        yield serving, watcher
    finally:
        serving.shutdown()
        async with asyncio.timeout(DEADLINE_S):
            await task


def real_clock() -> int:
    import time

    return time.monotonic_ns()


def test_deadlines_are_met_in_order_and_each_once() -> None:
    async def run() -> None:
        deadlines = [30_000, 10_000, 20_000, 10_001]
        device = FakeDevice(deadlines)
        async with running(device, speed=10, wall=real_clock) as (_, watcher):
            await watcher.until(lambda event: event.at_us == 30_000)
            assert watcher.times("deadline") == sorted(deadlines)
            # One wake-up for each, not a poll.
            assert len(device.calls) <= len(deadlines) + 2

    asyncio.run(run())


def test_with_speed_zero_nothing_moves_but_by_a_jump() -> None:
    async def run() -> None:
        wall = Wall()
        device = FakeDevice([5])
        async with running(device, wall=wall) as (serving, watcher):
            wall.ns = 10**15
            assert serving.now_us() == 0
            assert serving._timer is None
            assert await serving.jump(4) == 4
            assert watcher.times("deadline") == []
            assert await serving.jump(1) == 5
            assert watcher.times("deadline") == [5]
            assert serving.truth() == {"now": 5}

    asyncio.run(run())


def test_a_long_jump_ends_where_it_should_and_keeps_the_event_queue_short() -> None:
    async def run() -> None:
        device = FakeDevice([DAY_US - 1, DAY_US + 1], period_us=60_000_000)
        async with running(device) as (serving, watcher):
            assert await serving.jump(30 * DAY_US) == 30 * DAY_US
            assert device.now == 30 * DAY_US
            assert len(watcher.times("beat")) == 30 * 24 * 60
            assert device.most_events_queued <= SLICE_US // 60_000_000 + 2
            assert [event.at_us for event in watcher.events] == sorted(event.at_us for event in watcher.events)

    asyncio.run(run())


def test_clients_are_served_within_a_long_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    # A chunk is over as soon as it has begun.
    monkeypatch.setattr(serving_module, "CHUNK_NS", 0)

    async def run() -> None:
        device = FakeDevice(period_us=60_000_000)
        async with running(device, pty=True) as (serving, watcher):
            fd = os.open(serving.ports[0].url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            await watcher.until(lambda event: isinstance(event, LineChanged))
            jump = asyncio.create_task(serving.jump(3650 * DAY_US))
            os.write(fd, b"hello;")
            await readable(fd)
            assert os.read(fd, 100) == b"<hello>"
            assert not jump.done()
            assert 0 < device.now < 3650 * DAY_US
            # Moves of time wait for each other, the tester's hand does not.
            serving.apply(ClearFaults())
            serving.shutdown()
            with pytest.raises(ServingStopped):
                await jump
            os.close(fd)

    asyncio.run(run())


def test_run_until_stops_time_at_the_event() -> None:
    async def run() -> None:
        async with running(FakeDevice([100, 200, 300], period_us=70)) as (serving, watcher):
            found = await serving.run_until(lambda event: isinstance(event, Logged) and event.type == "deadline", 1000)
            assert found is not None
            assert found.at_us == 100
            assert serving.now_us() == 100
            assert watcher.times("deadline") == [100]
            found = await serving.run_until(lambda event: event.at_us == 250, 150)
            assert found is None
            assert serving.now_us() == 250
            assert await serving.run_until(lambda _: True, 0) is None

    asyncio.run(run())


def test_moves_of_time_come_one_after_the_other() -> None:
    async def run() -> None:
        async with running(FakeDevice(period_us=60_000_000)) as (serving, _):
            first = asyncio.create_task(serving.jump(DAY_US))
            second = asyncio.create_task(serving.jump(DAY_US))
            assert [await first, await second] == [DAY_US, 2 * DAY_US]

    asyncio.run(run())


@pytest.mark.parametrize("move", [Serving.jump, lambda serving, us: serving.run_until(lambda _: True, us)])
def test_time_does_not_move_back(move: Callable[[Serving, int], object]) -> None:
    async def run() -> None:
        async with running(FakeDevice()) as (serving, _):
            with pytest.raises(ValueError, match="does not go back"):
                await move(serving, -1)  # type: ignore[misc]

    asyncio.run(run())


def test_a_session_changes_the_speed() -> None:
    async def run() -> None:
        wall = Wall()
        async with running(FakeDevice(), speed=1000, session_speed=1, wall=wall) as (serving, _):
            wall.ns = 1_000_000
            serving.take_bytes(b"open;", 0)
            assert serving.now_us() == 1_000_000
            wall.ns = 2_000_000
            assert serving.now_us() == 1_001_000
            serving.take_bytes(b"end;", 0)
            wall.ns = 3_000_000
            assert serving.now_us() == 2_001_000

    asyncio.run(run())


def test_bytes_and_lines_reach_the_device_and_answers_their_client() -> None:
    async def run() -> None:
        device = FakeDevice()
        async with running(device, pty=True) as (serving, watcher):
            fd = os.open(serving.ports[0].url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(fd, b"hello;")
            await readable(fd)
            assert os.read(fd, 100) == b"<hello>"
            os.close(fd)
            await watcher.until(lambda event: isinstance(event, LineChanged) and event.change == "closed")
            assert [call for call, _ in device.calls] == ["line opened", "receive", "line closed"]

    asyncio.run(run())


def test_many_bytes_become_several_inputs() -> None:
    async def run() -> None:
        device = FakeDevice()
        async with running(device) as (serving, _):
            serving.take_bytes(b";" * (3 * INPUT_LIMIT + 1), 0)
            assert [call for call, _ in device.calls] == ["receive"] * 4

    asyncio.run(run())


def test_a_client_that_does_not_read_becomes_an_overrun_of_its_line() -> None:
    async def run() -> None:
        async with running(FakeDevice(), pty=True) as (serving, watcher):
            fd = os.open(serving.ports[0].url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            await watcher.until(lambda event: isinstance(event, LineChanged))
            for _ in range(20):
                serving.take_bytes(b"x" * 10_000 + b";", 0)
            await watcher.until(lambda event: isinstance(event, LineChanged) and event.change == "overrun")
            assert [event.change for event in watcher.events if isinstance(event, LineChanged)][:3] == [
                "opened",
                "held",
                "overrun",
            ]
            os.close(fd)

    asyncio.run(run())


def test_what_the_device_says_of_a_broken_line_is_done_at_its_port_and_then_undone() -> None:
    async def run() -> None:
        device = FakeDevice()
        async with running(device, pty=True) as (serving, watcher):
            for _ in range(2):
                fd = os.open(serving.ports[0].url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
                os.write(fd, b"a;")
                await readable(fd)
                assert os.read(fd, 9) == b"<a>"
                device.line_breaks.extend((LineBreak(0, broken=True), LineBreak(1, broken=True)))
                os.write(fd, b"b;")
                async with asyncio.timeout(DEADLINE_S):
                    # What was written before may come still; then the terminal ends.
                    while True:
                        await readable(fd)
                        if not os.read(fd, 9):
                            break
                os.close(fd)
                watcher.events.clear()
                device.line_breaks.append(LineBreak(0, broken=False))
                serving.apply(ClearFaults())
                await asyncio.sleep(0)

    asyncio.run(run())


def test_who_asked_is_told_of_a_port_that_comes_back_elsewhere() -> None:
    async def run() -> None:
        device, port, told = FakeDevice(), PtyPort(PtySpec("pty")), asyncio.Queue[str]()
        pacer = Pacer(Fraction(0), Fraction(0), 0)
        serving = Serving(device, [port], pacer, moved=lambda moved: told.put_nowait(moved.url))
        serving.start()
        place, held = port.url, os.open(port.url, os.O_RDWR | os.O_NOCTTY)
        device.line_breaks.extend((LineBreak(0, broken=True), LineBreak(0, broken=False)))
        serving.apply(ClearFaults())
        async with asyncio.timeout(DEADLINE_S):
            assert await told.get() == port.url != place
        os.close(held)
        serving.shutdown()
        await serving.run()

    asyncio.run(run())


def test_the_testers_hand_and_a_refusal() -> None:
    async def run() -> None:
        async with running(FakeDevice()) as (serving, watcher):
            serving.apply(ClearFaults())
            assert [event.kind for event in watcher.events] == ["faults-cleared"]
            with pytest.raises(ValueError, match="it has power"):
                serving.apply(RestorePower())
            assert serving.fault_names is serving.device.fault_names
            assert serving.armed_faults() == ()

    asyncio.run(run())


def test_an_observer_can_leave() -> None:
    async def run() -> None:
        async with running(FakeDevice()) as (serving, _):
            seen: list[Event] = []
            leave = serving.observe(seen.append)
            serving.apply(ClearFaults())
            leave()
            leave()
            serving.apply(ClearFaults())
            assert len(seen) == 1

    asyncio.run(run())


def test_an_action_from_within_an_observer_comes_after_what_it_saw() -> None:
    async def run() -> None:
        async with running(FakeDevice([5])) as (serving, watcher):
            serving.observe(lambda event: serving.apply(ClearFaults()) if event.kind == "log" else None)
            await serving.jump(5)
            assert [event.kind for event in watcher.events] == ["log", "faults-cleared"]

    asyncio.run(run())


def fail_in_device(serving: Serving) -> None:
    serving.take_bytes(b"boom;", 0)


def fail_in_observer(serving: Serving) -> None:
    def observer(_event: Event) -> None:
        raise KeyError("a defect")

    serving.observe(observer)
    with pytest.raises(ServingStopped):
        serving.apply(ClearFaults())


def fail_in_callback(serving: Serving) -> None:
    def callback() -> None:
        raise KeyError("a defect")

    del serving
    asyncio.get_running_loop().call_soon(callback)


@pytest.mark.parametrize("fail", [fail_in_device, fail_in_observer, fail_in_callback])
def test_a_defect_ends_the_serving_with_one_sentence(fail: Callable[[Serving], None]) -> None:
    async def run() -> None:
        before = open_descriptors()
        port = PtyPort(PtySpec("pty"))
        serving = Serving(FakeDevice(), [port], Pacer(Fraction(1), Fraction(1), real_clock()))
        serving.start()
        fail(serving)
        with pytest.raises(
            ServingFailed, match=r"^A defect .*KeyError: 'a defect' \(tests/serving/\w+\.py, line \d+\)\.$"
        ):
            async with asyncio.timeout(DEADLINE_S):
                await serving.run()
        assert open_descriptors() == before
        with pytest.raises(ServingStopped):
            serving.truth()

    asyncio.run(run())


def test_a_device_that_never_gets_past_its_deadline_is_a_defect_and_no_endless_loop() -> None:
    class Stuck(FakeDevice):
        def advance(self, now: int) -> None:
            self.now = now

    async def run() -> None:
        serving = Serving(Stuck([5]), [], Pacer(Fraction(0), Fraction(0), 0))
        with pytest.raises(ServingStopped):
            await serving.jump(10)
        with pytest.raises(ServingFailed, match="wants to be woken at 5 us"):
            await serving.run()

    asyncio.run(run())


def test_a_pump_that_cannot_keep_its_speed_still_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "CHUNK_NS", 1_000_000)

    async def run() -> None:
        # Two hundred million beats a second are more than can be had.
        device = FakeDevice(period_us=5_000_000)
        async with running(device, speed=1_000_000_000, session_speed=1, wall=real_clock, pty=True) as (
            serving,
            watcher,
        ):
            await watcher.until(lambda event: isinstance(event, Logged))
            fd = os.open(serving.ports[0].url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(fd, b"hello;")
            await readable(fd)
            assert os.read(fd, 100) == b"<hello>"
            os.close(fd)

    asyncio.run(run())


def test_a_broken_connection_of_somebody_elses_is_no_defect() -> None:
    async def run() -> None:
        async with running(FakeDevice()) as (serving, _):
            asyncio.get_running_loop().call_exception_handler({"message": "reset", "exception": ConnectionResetError()})
            assert not serving.stopped

    asyncio.run(run())
