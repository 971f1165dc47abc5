"""Runs a scenario with a programmer that is a process of its own, at a real port; time goes in lockstep.

Rules of this file:

- The pump stands still while the programmer thinks: time passes with each request that it takes, by the timeline, and
  by the lockstep clock for whoever asks it. So the wall clock decides nothing, but for the deadline.
- A task has ended when its process has, and its line is closed with all of its bytes taken.
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

from emulator.ports.port import Port
from emulator.ports.spec import PtySpec, open_port, parse_port
from emulator.scenario.clock import MAX_LINE_BYTES
from emulator.scenario.command import ProgrammerNotStarted, asks_for, filled, how_ended, kill, report_in, start
from emulator.scenario.controlled import StagedPump
from emulator.scenario.evidence import staged
from emulator.scenario.expectations import Told
from emulator.scenario.outside_line import OutsideLine
from emulator.scenario.plan import Begin, Kill, Scenario
from emulator.scenario.real_time import RealTime
from emulator.scenario.samples.sample import Shelf
from emulator.scenario.stage import OutOfTime, Stage, StagingFailed
from emulator.scenario.tasks import Task
from emulator.scenario.verdict import Outcome, Verdict, broken_off, judged
from emulator.scenario.virtual import carry_out_another, prepare_pump

if TYPE_CHECKING:
    from emulator.control.server import ControlHandle

US_PER_S: Final = 1_000_000
KILLED: Final = "killed"
SAID: Final = ("stdout", "stderr")
MOST_SAID_BYTES: Final = 16 * 1024 * 1024
LOOK_S: Final = 0.1
"""How often it is looked whether a programmer has printed more than that."""


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
    _line: OutsideLine = field(init=False)
    _others_shelf: Shelf = field(default_factory=Shelf)
    _process: asyncio.subprocess.Process | None = None
    _failure: Exception | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _real_time: RealTime | None = None

    def __post_init__(self) -> None:
        stands_still = self.speed is None and not asks_for(self.command, "clock")
        self._line = OutsideLine(self.stage, self.port, self._act, self._obey, stands_still)
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
        clock = await asyncio.start_unix_server(self._line.serve_clock, self._clock_path, limit=MAX_LINE_BYTES)
        control = await self._open_control() if asks_for(self.command, "control") else None
        try:
            async with asyncio.timeout(self.scenario.wall_us / US_PER_S):
                prepare_pump(self.scenario, self.stage)
                self.port.start(asyncio.get_running_loop(), self._line)
                self.stage.begin()
                while not self.stage.conductor.finished or self.stage.orders:
                    await self._go_on()
            return self._unless_mute(judged(self.scenario, self.stage, programmer))
        except TimeoutError:
            limit = f"it had {self.scenario.wall_us / US_PER_S:g} s"
            return broken_off(self.scenario, self.stage, programmer, Outcome.HUNG, limit)
        except OutOfTime:
            return self._unless_mute(broken_off(self.scenario, self.stage, programmer, Outcome.OUT_OF_TIME))
        except StagingFailed as failed:
            return broken_off(self.scenario, self.stage, programmer, Outcome.NOT_RUN, str(failed))
        finally:
            await self._end_process()
            clock.close()
            if control is not None:
                await control.stop()
            self.port.close()

    def _unless_mute(self, verdict: Verdict) -> Verdict:
        """The verdict, but for a programmer that never was one: what it did not do wrong says nothing of it."""
        told = self.stage.conductor.judgement.told
        if self._line.heard or not told or any(each.report is not None or each.ended == KILLED for each in told):
            return verdict
        reason = f"the programmer sent nothing to its port and reported nothing ({told[0].task}: {told[0].ended})"
        return replace(verdict, outcome=Outcome.NOT_RUN, reason=reason)

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
            self._line.settle()
            if self._real_time is not None:
                self._real_time.go_on()
        except Exception as failure:
            self._fail(failure)

    def _act_alive(self, act: Callable[[], None]) -> bool:
        """The same, of which a programmer that lives and a run that goes on are left, or not."""
        self._act(act)
        return self._failure is None and not self._is_killed()

    def _stop_run(self, why: str) -> None:
        self._fail(StagingFailed(why))

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        self._line.dead = True
        self._stop.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _is_killed(self) -> bool:
        return self._line.dead

    def _obey(self) -> None:
        while self.stage.orders and isinstance(self.stage.orders[0], Kill):
            self.stage.orders.popleft()
            self._kill()

    def _kill(self) -> None:
        self._line.dead = True
        if self._process is not None:
            kill(self._process)

    async def _carry_out(self, task: Task) -> Told:
        """Start the programmer, and wait for its end."""
        self._report_path.unlink(missing_ok=True)
        said = self.folder / SAID[0]
        said_before = said.stat().st_size if said.exists() else 0
        await self._line.become_whole()
        self._raise_failure()
        if self._is_killed():
            return Told(task.text, task.word, None, KILLED, self.stage.now_us)
        with said.open("ab") as out, (self.folder / SAID[1]).open("ab") as err:
            await self._start(task, out.fileno(), err.fileno())
        assert self._process is not None  # noqa: S101 - it has been started
        if self._real_time is not None:
            self._real_time.begin()
        ended, stopped = asyncio.ensure_future(self._process.wait()), asyncio.ensure_future(self._stop.wait())
        try:
            while not ended.done() and not stopped.done():
                await asyncio.wait({ended, stopped}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                self._look_at_what_it_prints()
        finally:
            stopped.cancel()
            if self._real_time is not None:
                self._real_time.end()
        self._raise_failure()
        status = await ended
        await self._line.end()
        self._raise_failure()
        how = KILLED if self._is_killed() else how_ended(status)
        report = None if self._is_killed() else report_in(self._report_path, said, said_before)
        return Told(task.text, task.word, report, how, self.stage.now_us)

    def _look_at_what_it_prints(self) -> None:
        for name in SAID:
            if (self.folder / name).stat().st_size > MOST_SAID_BYTES:
                self._stop_run(f"the programmer printed more than {MOST_SAID_BYTES // 1024 // 1024} MiB to {name}")

    async def _start(self, task: Task, out: int, err: int) -> None:
        values = {
            "port": self._line.url,
            "task": task.text,
            "report": str(self._report_path),
            "clock": self._clock_path,
            "control": self._control_url,
            "programs": str(self._programs),
            "scenario": self.scenario.name,
        }
        environment = {
            **os.environ,
            "VPUMP_PORT": self._line.url,
            **({"VPUMP_CONTROL": self._control_url} if asks_for(self.command, "control") else {}),
            "VPUMP_STATE_HOME": str(self.folder / "state"),
        }
        self._process = await start(filled(self.command, values), environment, out, err)

    async def _end_process(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._kill()
            await self._process.wait()


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
