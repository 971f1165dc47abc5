"""Runs a scenario with a programmer that is a process of its own, at a real port; time goes in lockstep.

Rules of this file:

- The pump stands still while the programmer thinks: time passes with each request that it takes, by the timeline, and
  by the lockstep clock for whoever asks it. So the wall clock decides nothing, but for the deadline.
- What comes from the line is cut to whole frames before the pump is given it, so that it is the same however the
  kernel cuts it up.
- A task has ended when its process has, and its line is closed with all of its bytes taken.
- A line that breaks is taken from the programmer. One that lets no time pass by the clock would wait for ever for it:
  so the time until it is mended passes at once, and its port goes away and comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from emulator.inputs import LineChange
from emulator.ports.port import Port, PortError
from emulator.ports.spec import PtySpec, open_port, parse_port
from emulator.scenario.clock import MAX_LINE_BYTES, ClockAnswer, ClockRequest, decode_request, encode_line
from emulator.scenario.command import ProgrammerNotStarted, asks_for, filled, kill, report_in, start
from emulator.scenario.controlled import StagedPump
from emulator.scenario.evidence import staged
from emulator.scenario.expectations import Told
from emulator.scenario.plan import Begin, Kill, Scenario
from emulator.scenario.real_time import RealTime
from emulator.scenario.samples.sample import Shelf
from emulator.scenario.stage import OutOfTime, Stage, StagingFailed
from emulator.scenario.tasks import Task
from emulator.scenario.verdict import Outcome, Verdict, broken_off, judged
from emulator.scenario.virtual import carry_out_another, prepare_pump
from emulator.wire import Direction, FrameCutter

if TYPE_CHECKING:
    from emulator.control.server import ControlHandle

US_PER_S: Final = 1_000_000
LINE_END_S: Final = 2.0
"""How long a line may stay open behind the end of its process."""
SAID: Final = ("stdout", "stderr")


@dataclass(slots=True)
class _Line:
    """The line of the programmer: whether it is open, or has broken; bytes that went either way since it was opened."""

    cutter: FrameCutter
    open: bool = False
    gone: bool = False
    received: int = 0
    written: int = 0


@dataclass(slots=True)
class OutsideRun:
    """One run.

    command  the programmer's, with {placeholders}
    folder   a directory of its own, to work in
    speed    virtual seconds in a second; None: lockstep
    """

    scenario: Scenario
    command: Sequence[str]
    folder: Path
    stage: Stage
    port: Port
    speed: Fraction | None = None
    _line: _Line = field(init=False)
    _others_shelf: Shelf = field(default_factory=Shelf)
    _process: asyncio.subprocess.Process | None = None
    _killed: bool = False
    _failure: Exception | None = None
    _closed: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _clock: tuple[ClockRequest, asyncio.StreamWriter] | None = None
    _breaks: int = 0
    _unplugged: bool = False
    _real_time: RealTime | None = None

    def __post_init__(self) -> None:
        self._line = _Line(self.stage.device.wire.cutter(Direction.REQUEST))
        if self.speed is not None:
            self.stage.lockstep = False
            self._real_time = RealTime(self.stage, self.speed, lambda: self._act(self.stage.attend))

    async def perform(self) -> Verdict:
        """Run the timeline to its end, or to the deadline."""
        programmer = self.command[0]
        self._cancel_at_sigterm()
        self._programs.mkdir()
        for name, data in self.scenario.programs:
            file = self._programs / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        clock = await asyncio.start_unix_server(self._serve_clock, self._clock_path, limit=MAX_LINE_BYTES)
        control = await self._open_control() if asks_for(self.command, "control") else None
        try:
            async with asyncio.timeout(self.scenario.wall_us / US_PER_S):
                prepare_pump(self.scenario, self.stage)
                self.port.start(asyncio.get_running_loop(), self)
                self.stage.begin()
                while not self.stage.conductor.finished or self.stage.orders:
                    await self._go_on()
            return judged(self.scenario, self.stage, programmer)
        except TimeoutError:
            limit = f"it had {self.scenario.wall_us / US_PER_S:g} s"
            return broken_off(self.scenario, self.stage, programmer, Outcome.HUNG, limit)
        except OutOfTime:
            return broken_off(self.scenario, self.stage, programmer, Outcome.OUT_OF_TIME)
        except StagingFailed as failed:
            return broken_off(self.scenario, self.stage, programmer, Outcome.NOT_RUN, str(failed))
        finally:
            await self._end_process()
            clock.close()
            if control is not None:
                await control.stop()
            self.port.close()

    async def _open_control(self) -> ControlHandle:
        from emulator.control.server import start_control
        from emulator.control.spec import ControlSpecError

        try:
            return await start_control(self._control_url, StagedPump(self.stage, self._act_alive, self._stop_run))
        except ControlSpecError as error:
            raise ProgrammerNotStarted(f"{error}.") from None

    def _cancel_at_sigterm(self) -> None:
        """Not by an exception out of nowhere: a process that is just being started would be left behind."""
        task = asyncio.current_task()
        if task is not None and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    async def _go_on(self) -> None:
        if not self.stage.orders:
            self.stage.wait()
            return
        order = self.stage.orders.popleft()
        if isinstance(order, Begin):
            if order.another:
                carry_out_another(self.scenario, order.task, self.stage, self._others_shelf)
                self.stage.conductor.ended(None)
            else:
                self.stage.conductor.ended(await self._carry_out(order.task))
            self.stage.attend()

    def opened(self) -> None:
        """The programmer has opened its line."""
        self._line = _Line(self.stage.device.wire.cutter(Direction.REQUEST), open=True)
        self._closed.clear()
        self._act(lambda: self.stage.line(LineChange.OPENED))

    def closed(self) -> None:
        """It has left it."""
        self._line.open = False
        self._closed.set()
        self._act(lambda: self.stage.line(LineChange.CLOSED))

    def received(self, data: bytes) -> None:
        """Bytes from it."""
        self._line.received += len(data)
        for frame in self._line.cutter.feed(data, self.stage.now_us):
            if self._killed:
                return
            raw = frame.raw
            self._act(lambda raw=raw: self.stage.take(raw))  # type: ignore[misc]

    def held(self) -> None:
        """Bytes wait for it; how fast it reads must change nothing."""

    def flowing(self) -> None:
        """None do."""

    def overrun(self) -> None:
        """It does not read."""
        self._act(lambda: self.stage.line(LineChange.OVERRUN))

    @property
    def _port_name(self) -> str:
        """Where the programmer finds its line, also after it was broken and mended."""
        spec = self.port.spec
        return spec.link if isinstance(spec, PtySpec) and spec.link is not None else self.port.url

    @property
    def _clock_path(self) -> str:
        return str(self.folder / "clock")

    @property
    def _control_url(self) -> str:
        return f"unix:{self.folder / 'control'}"

    @property
    def _programs(self) -> Path:
        return self.folder / "programs"

    @property
    def _report_path(self) -> Path:
        return self.folder / "report.json"

    def _act(self, act: Callable[[], None]) -> None:
        """Do something on the stage, and what follows of it."""
        if self._failure is not None:
            return
        try:
            if self._real_time is not None:
                self._real_time.catch_up()
            act()
            self._write(self.stage.output())
            self._obey()
            self._lose_line()
            self._answer_clock()
            self._lose_line()
            if self._real_time is not None:
                self._real_time.go_on()
        except (OutOfTime, StagingFailed, PortError) as failure:
            self._fail(failure)

    def _act_alive(self, act: Callable[[], None]) -> bool:
        """The same, of which a programmer that lives and a run that goes on are left, or not."""
        self._act(act)
        return self._failure is None and not self._killed

    def _stop_run(self, why: str) -> None:
        self._fail(StagingFailed(why))

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        self._stop.set()

    def _lose_line(self) -> None:
        """The line may have broken, or been mended: the port follows a moment later, for it may be within a call."""
        if self._is_followed:
            return
        if self.stage.breaks != self._breaks:
            self._line.open, self._line.gone = False, True
            self._closed.set()
        asyncio.get_running_loop().call_soon(self._act, self._follow_line)

    def _follow_line(self) -> None:
        """Take the port from the programmer if its line has broken, and let it in again if that is mended."""
        if self.stage.breaks != self._breaks:
            self._breaks = self.stage.breaks
            self._line.open, self._line.gone = False, True
            self._unplugged = True
            self.port.break_line()
            if self._stands_still and self.stage.conductor.running is not None:
                self.stage.pass_until_mended()
        elif self._unplugged and not self.stage.broken:
            self._unplugged = False
            self.port.mend_line()

    @property
    def _is_followed(self) -> bool:
        return self.stage.breaks == self._breaks and self.stage.broken == self._unplugged

    @property
    def _stands_still(self) -> bool:
        """Whether the programmer cannot let time pass without its line."""
        return self.speed is None and not asks_for(self.command, "clock")

    def _obey(self) -> None:
        while self.stage.orders and isinstance(self.stage.orders[0], Kill):
            self.stage.orders.popleft()
            self._kill()

    def _kill(self) -> None:
        self._killed = True
        if self._process is not None:
            kill(self._process)

    def _write(self, data: bytes) -> None:
        if data and not self._killed:
            self._line.written += len(data)
            self.port.send(data)

    async def _carry_out(self, task: Task) -> Told:
        """Start the programmer, and wait for its end."""
        self._killed = False
        self._report_path.unlink(missing_ok=True)
        said = self.folder / SAID[0]
        said_before = said.stat().st_size if said.exists() else 0
        await self._line_whole()
        with said.open("ab") as out, (self.folder / SAID[1]).open("ab") as err:
            await self._start(task, out.fileno(), err.fileno())
        assert self._process is not None  # noqa: S101 - it has been started
        if self._real_time is not None:
            self._real_time.begin()
        ended, stopped = asyncio.ensure_future(self._process.wait()), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if self._real_time is not None:
                self._real_time.end()
        if self._failure is not None:
            raise self._failure
        status = await ended
        await self._line_end()
        if self._failure is not None:
            raise self._failure
        how = "killed" if self._killed else "exited" if status == 0 else f"exit status {status}"
        report = None if self._killed else report_in(self._report_path, said, said_before)
        return Told(task.text, task.word, report, how, self.stage.now_us)

    async def _line_whole(self) -> None:
        """Let the port be as the line is; whoever cannot let time pass begins with one that can be opened."""
        self._act(self.stage.pass_until_mended if self._stands_still and self.stage.broken else self.stage.attend)
        while self._failure is None and not self._is_followed:
            await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        self._line.gone = self.stage.broken

    async def _start(self, task: Task, out: int, err: int) -> None:
        values = {
            "port": self._port_name,
            "task": task.text,
            "report": str(self._report_path),
            "clock": self._clock_path,
            "control": self._control_url,
            "programs": str(self._programs),
            "scenario": self.scenario.name,
        }
        environment = {
            **os.environ,
            "VPUMP_PORT": self._port_name,
            **({"VPUMP_CONTROL": self._control_url} if asks_for(self.command, "control") else {}),
            "VPUMP_STATE_HOME": str(self.folder / "state"),
        }
        self._process = await start(filled(self.command, values), environment, out, err)

    async def _line_end(self) -> None:
        """The process has ended; what it did to the line before that is taken first."""
        for _ in range(3):
            # Each turn of the loop looks at the port once.
            await asyncio.sleep(0)
        if self._line.open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINE_END_S):
                    await self._closed.wait()

    async def _end_process(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._kill()
            await self._process.wait()

    async def _serve_clock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._clock = (decode_request(line), writer)
                self._act(lambda: None)
        except (msgspec.MsgspecError, ValueError, ConnectionError):
            # Whoever does not speak to the clock as it wants is left alone.
            pass
        finally:
            self._clock = None
            writer.close()

    def _answer_clock(self) -> None:
        """Answer the request at the clock, if the pump has taken all that was sent before it."""
        if self._clock is None or self._killed:
            return
        request, writer = self._clock
        has_line = request.line and not self._line.gone
        if has_line and (not self._line.open or self._line.received < request.sent):
            return
        self._clock = None
        if request.rest:
            while self.stage.now_us < request.until_us and not self.stage.orders:
                self.stage.pass_until(request.until_us)
            self._write(self.stage.output())
        elif not has_line or self._line.written <= request.got:
            self._write(self.stage.receive(request.until_us))
        self._obey()
        if not self._killed:
            gone = self._line.gone or self.stage.broken
            writer.write(encode_line(ClockAnswer(self.stage.now_us, self._line.written, gone)))


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends a run as soon as it is put in order, and afterwards means what it meant before."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except asyncio.CancelledError:
        raise SystemExit(128 + signal.SIGTERM) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def run_outside(
    scenario: Scenario,
    command: Sequence[str],
    *,
    folder: Path | None = None,
    port_spec: str = "pty",
    speed: Fraction | None = None,
) -> Verdict:
    """Run a scenario with a programmer's command; evidence goes to `folder`.

    speed  so many virtual seconds pass in one while the programmer is at a task; None: time goes in lockstep

    Raises ProgrammerNotStarted, PortError, PortSpecError and EvidenceFailed.
    """
    if speed is not None:
        scenario = replace(scenario, per_request_us=0)
    with staged(scenario, folder, port_spec) as stage, tempfile.TemporaryDirectory(prefix="vpump-") as work:
        spec = parse_port(port_spec)
        if isinstance(spec, PtySpec) and spec.link is None:
            # A terminal that breaks and is mended can be another one.
            spec = replace(spec, link=str(Path(work) / "port"))
        port = open_port(spec)
        try:
            with _ended_in_order():
                return asyncio.run(OutsideRun(scenario, command, Path(work), stage, port, speed).perform())
        finally:
            if folder is not None:
                for name in SAID:
                    with contextlib.suppress(FileNotFoundError):
                        shutil.copyfile(Path(work, name), folder / name)
