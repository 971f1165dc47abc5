"""A scenario with a test as its programmer: `vpump scenario run` stages and judges it, the test does the tasks."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import standin
from .settings import PORTS

MOST_TASK_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024


class ScenarioFailed(Exception):
    """The scenario's verdict, or that there is none; a sentence, and below it what was expected."""


class Task:
    """What the programmer is asked to do.

    text      such as `bolus 100uL over 10min`; docs/scenarios.md has all tasks
    port      where the pump is, as pyserial opens it
    clock     the lockstep clock, for a programmer that lets virtual time pass by itself
    programs  a directory with the programs that tasks name
    """

    def __init__(self, test: socket.socket, said: Mapping[str, str]) -> None:
        self.text = said["task"]
        self.port = said["port"]
        self.clock = said["clock"]
        self.programs = Path(said["programs"])
        self._report = Path(said["report"])
        self._test = test

    def report(self, outcome: str, **told: object) -> None:
        """What the programmer tells its user, such as `report("given")`; what is never said is not judged."""
        self._report.write_text(json.dumps({"outcome": outcome, **told}), encoding="utf-8")

    def end(self) -> None:
        """The programmer has done what it was asked, and left its line. Raises ScenarioFailed if it was killed."""
        with self._test:
            try:
                self._test.sendall(standin.DONE)
            except OSError:
                raise ScenarioFailed(
                    f"the scenario has killed its programmer at the task '{self.text}', and a test cannot be killed; "
                    "run this one with `vpump scenario run NAME -- PROGRAMMER`"
                ) from None

    def leave(self) -> None:
        """Whoever did it is gone."""
        self._test.close()


class ScenarioRun:
    """One run of a scenario, in an isolated interpreter of its own."""

    def __init__(
        self, name: str, *, out: Path, errors: Path, folder: Path, port_kind: str, seed: int | None, wall_s: float
    ) -> None:
        """Start it; `wall_s` is how long it may wait without the test having anything to do."""
        self.name = name
        self.verdict: Mapping[str, Any] | None = None
        self._wall_s = wall_s
        self._errors = errors
        self._said = bytearray()
        self._task: Task | None = None
        self._place = tempfile.TemporaryDirectory(prefix="vpump-")
        self._listening = socket.socket(socket.AF_UNIX)
        try:
            address = f"{self._place.name}/task"
            self._listening.bind(address)
            self._listening.listen()
            seeded = () if seed is None else ("--seed", str(seed))
            listening = () if port_kind == "pty" else ("--listen", PORTS[port_kind])
            command = (
                *(sys.executable, "-I", "-m", "emulator", "scenario", "run", name),
                *("--json", "--out", str(out), *seeded, *listening),
                *("--", sys.executable, "-I", standin.__file__, address, *standin.PLACEHOLDERS),
            )
            inherited = {each: value for each, value in os.environ.items() if not each.startswith("VPUMP_")}
            with errors.open("wb") as stderr:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    command, cwd=folder, env=inherited, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=stderr, start_new_session=True,
                )  # fmt: skip
        except BaseException:
            self._listening.close()
            self._place.cleanup()
            raise

    def tasks(self) -> Iterator[Task]:
        """What the programmer is asked, one after the other, to the end of the scenario. Raises ScenarioFailed."""
        while True:
            if self._task is not None:
                self._task.end()
                self._task = None
            found = self._next_task()
            if found is None:
                return
            self._task = found
            yield found

    def finish(self) -> None:
        """Come to the verdict; raises ScenarioFailed, also where the test has left a task undone."""
        for task in self.tasks():
            raise ScenarioFailed(
                f"the scenario {self.name} asks for the task '{task.text}', and the test did not do it"
            )

    def kill(self) -> None:
        """End it, and whatever is left of it."""
        if self._task is not None:
            self._task.leave()
        self._listening.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(self._wall_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._place.cleanup()

    def _next_task(self) -> Task | None:
        """The next one; None when the scenario has ended, and passed."""
        if self.verdict is not None:
            return None
        give_up = time.monotonic() + self._wall_s
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it was asked for
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(stdout, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(max(0.0, give_up - time.monotonic()))}
                if not ready:
                    raise ScenarioFailed(f"the scenario {self.name} came to no end within {self._wall_s:g} s")
                if self._listening in ready:
                    return self._accept()
                part = os.read(stdout.fileno(), _READ_BYTES)
                if not part:
                    self._judge()
                    return None
                self._said += part

    def _accept(self) -> Task:
        test, _ = self._listening.accept()
        test.settimeout(self._wall_s)
        with test.makefile("rb") as lines:
            return Task(test, json.loads(lines.readline(MOST_TASK_BYTES)))

    def _judge(self) -> None:
        try:
            (verdict,) = json.loads(self._said)["verdicts"]
        except (ValueError, KeyError):
            said = self._errors.read_text(encoding="utf-8", errors="replace").strip()
            raise ScenarioFailed(f"the scenario {self.name} could not be run: {said or 'it said nothing'}") from None
        self.verdict = verdict
        if not verdict["passed"]:
            raise ScenarioFailed("\n".join(_told(verdict)))


def _told(verdict: Mapping[str, Any]) -> Iterator[str]:
    yield f"scenario {verdict['scenario']}: {verdict['outcome']}. {verdict['title']}"
    if verdict["reason"]:
        yield f"    {verdict['reason']}"
    for each in verdict["expectations"]:
        if each["met"] is False:
            yield f"    {each['name']}: {each['described']} is {each['value']}, and had to be {each['limit']}"
            yield f"        for {each['why']}"
