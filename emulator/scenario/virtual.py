"""Runs a scenario with a sample programmer in process: all in virtual time, the same to the digest wherever it runs."""

from __future__ import annotations

from pathlib import Path

from emulator.inputs import LineChange
from emulator.scenario.evidence import staged
from emulator.scenario.expectations import Told
from emulator.scenario.plan import Begin, Kill, Scenario
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.hands import ANOTHER_HOST_ID, carry_out_task
from emulator.scenario.samples.sample import Sample, Shelf
from emulator.scenario.stage import OutOfTime, Stage, StagingFailed
from emulator.scenario.tasks import Task, read_task
from emulator.scenario.verdict import Outcome, Verdict, broken_off, judged

MOST_REQUESTS = 200_000
"""A programmer that asks more than this hangs."""


class Killed(Exception):
    """The programmer has been killed where it stands."""


class TooManyRequests(Exception):
    """The programmer goes on for ever."""


class StagedLine:
    """The line of a sample programmer to the stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    @property
    def now_us(self) -> int:
        """The virtual time."""
        return self._stage.now_us

    def open(self) -> None:
        """Open the line; raises Killed."""
        self._stage.line(LineChange.OPENED)
        self._look()

    def close(self) -> None:
        """Leave it."""
        self._stage.line(LineChange.CLOSED)

    def send(self, data: bytes) -> None:
        """Send to the pump; raises Killed."""
        self._stage.take(data)
        if self._stage.requests > MOST_REQUESTS:
            raise TooManyRequests
        self._look()

    def receive(self, until_us: int) -> bytes:
        """What has come, or nothing when time has passed until then; raises Killed."""
        data = self._stage.receive(until_us)
        self._look()
        return data

    def rest(self, duration_us: int) -> None:
        """Let time pass; raises Killed."""
        target_us = self._stage.now_us + duration_us
        while self._stage.now_us < target_us:
            self._stage.pass_until(target_us)
            self._look()

    def _look(self) -> None:
        orders = self._stage.orders
        while orders and isinstance(orders[0], Kill):
            orders.popleft()
            raise Killed


def run_virtual(
    scenario: Scenario,
    sample: Sample = GOOD,
    *,
    folder: Path | None = None,
) -> Verdict:
    """Run a scenario with a sample programmer; evidence goes to `folder`."""
    with staged(scenario, folder) as stage:
        return _run(scenario, sample, stage)


def _run(scenario: Scenario, sample: Sample, stage: Stage) -> Verdict:
    shelf, others_shelf = Shelf(), Shelf()
    try:
        prepare_pump(scenario, stage)
        stage.begin()
        while not stage.conductor.finished or stage.orders:
            if not stage.orders:
                stage.wait()
                continue
            order = stage.orders.popleft()
            if isinstance(order, Begin) and order.another:
                carry_out_another(scenario, order.task, stage, others_shelf)
                stage.conductor.ended(None)
            elif isinstance(order, Begin):
                stage.conductor.ended(_carry_out(scenario, sample, order.task, stage, shelf))
            stage.attend()
    except OutOfTime:
        return broken_off(scenario, stage, sample.name, Outcome.OUT_OF_TIME)
    except TooManyRequests:
        return broken_off(scenario, stage, sample.name, Outcome.HUNG, f"it has asked {MOST_REQUESTS} times")
    except StagingFailed as failed:
        return broken_off(scenario, stage, sample.name, Outcome.NOT_RUN, str(failed))
    return judged(scenario, stage, sample.name)


def prepare_pump(scenario: Scenario, stage: Stage) -> None:
    """Give the pump the program that it has when the timeline begins; by the good programmer, as a clinician."""
    if scenario.pump.program is None:
        return
    name, data = scenario.pump.program
    report = carry_out_task(GOOD, read_task(f"program {name}"), StagedLine(stage), Shelf(), "clinician", lambda _: data)
    if report["outcome"] not in ("done", "unchanged"):
        raise StagingFailed(f"the program {name} could not be set: {report}")


def carry_out_another(scenario: Scenario, task: Task, stage: Stage, shelf: Shelf) -> None:
    """Another programmer, a good one of another clinician, does a task at the pump while ours is at none."""
    line = StagedLine(stage)
    try:
        carry_out_task(GOOD, task, line, shelf, "clinician", scenario.program, ANOTHER_HOST_ID)
    except Killed:
        line.close()


def _carry_out(scenario: Scenario, sample: Sample, task: Task, stage: Stage, shelf: Shelf) -> Told:
    line, report, ended = StagedLine(stage), None, "exited"
    try:
        report = carry_out_task(sample, task, line, shelf, scenario.pump.role, scenario.program)
    except Killed:
        ended = "killed"
        line.close()
    return Told(task.text, task.word, report, ended, stage.now_us)
