"""A programmer in a process of its own, at a real pseudo-terminal: it comes to the same as the one in virtual time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from emulator.ports.spec import open_port, parse_port
from emulator.scenario.command import ProgrammerNotStarted
from emulator.scenario.evidence import staged
from emulator.scenario.outside import OutsideRun, run_outside
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import load_scenario, read_scenario
from emulator.scenario.stage import Stage
from emulator.scenario.verdict import Outcome
from emulator.wire import FaultNames, operation_names
from protocol.messages.operations import OPERATIONS
from tests.scenario.two_drivers import PORTS, come_to_the_same

NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))


@pytest.mark.parametrize("sample", ["good", "resends-under-a-new-id"])
def test_a_sample_in_a_process_of_its_own_comes_to_the_same_to_the_digest(sample: str) -> None:
    scenario = load_scenario("lost-answer-to-bolus", NAMES)
    come_to_the_same(scenario, sample)


KILLED = """
title = "Killed between the command and its answer"
kind = "own"
[pump]
program = "simple-continuous"
[[step]]
task = "bolus 100uL over 10min"
[[step]]
when = { event = "frame", match = { direction = "request", name = "BOLUS_EXECUTE" } }
kill = true
[[step]]
when = { after = "1h" }
task = "resolve"
[[expect]]
name = "one-bolus"
of = "log.count"
where = { type = "bolus_started" }
equals = 1
why = "it was sent once"
[[expect]]
name = "found-out"
of = "told.delivered_nl"
equals = "100uL"
why = "what was written down before the command left is enough to find out what became of it"
[[expect]]
name = "killed-one-said-nothing"
of = "told.outcome"
where = { task = "bolus" }
equals = "given"
why = "it never came to that"
"""
SWAPPED = """
title = "Another pump is behind the line"
kind = "own"
[[step]]
task = "interrogate"
[[step]]
when = "ended"
identity = "00C0FFEF"
[[step]]
environment = { temperature = "41C", field = true }
[[step]]
task = "interrogate"
[[expect]]
name = "another-one"
of = "told.serial_number"
equals = 0x00C0FFEF
why = "a programmer must see that it is another pump"
[[expect]]
name = "fever"
of = "truth.temperature_cc"
equals = 4100
why = "it was set"
[[expect]]
name = "scanner"
of = "truth.field_on"
equals = true
why = "it was set"
"""
BROKEN = """
title = "A cable is pulled for ten minutes"
kind = "own"
[[step]]
fault = "disconnect answer HELLO lasting=10min nth=2"
[[step]]
task = "interrogate"
[[step]]
name = "while the line is broken"
task = "interrogate"
[[step]]
when = { at = "1h" }
task = "interrogate"
[[expect]]
name = "broken-and-mended"
of = "lines.count"
where = { change = "broken" }
same_as = "lines.count"
same_where = { change = "mended" }
equals = 1
why = "it was pulled once, and plugged in again"
[[expect]]
name = "answered"
of = "told.run_state"
equals = "running"
why = "a line that is mended can be used"
"""
# Greets the pump until its line has gone away, then until the pump answers over one that it opens anew.
RECONNECTS = """
import json, sys, time
import serial
from protocol.host_end import Answered, HostEnd
from protocol.messages.link import HelloRequest

greeted = lost = back = 0
while not back:
    try:
        with serial.serial_for_url(sys.argv[1], timeout=0.05) as line:
            while not back:
                end = HostEnd()
                end.request(HelloRequest(major=1, minor=0), 0)
                line.write(end.data_to_send())
                while (event := end.next_event()) is None:
                    end.receive(line.read(1), 0)
                greeted += isinstance(event, Answered)
                back = lost and greeted > 1
    except OSError:
        lost += 1
        time.sleep(0.01)
print(json.dumps({"run_state": "running", "greeted": greeted, "lost": lost}))
"""
KILLED_TWICE = """
title = "Killed when its line breaks, and again before that is mended"
kind = "own"
[[step]]
fault = "disconnect answer HELLO lasting=10min"
[[step]]
task = "interrogate"
[[step]]
when = { event = "line", match = { change = "broken" } }
kill = true
[[step]]
when = { after = "1min" }
task = "interrogate"
[[step]]
when = { after = "1min" }
kill = true
[[expect]]
name = "two-minutes"
of = "run.elapsed_us"
min = "2min"
max = "3min"
why = "a programmer that was killed waits for nothing"
"""
GREETS = """
import signal, sys
import serial
from protocol.host_end import HostEnd
from protocol.messages.link import HelloRequest

end = HostEnd()
end.request(HelloRequest(major=1, minor=0), 0)
with serial.serial_for_url(sys.argv[1]) as line:
    line.write(end.data_to_send())
    signal.pause()
"""
CONTROLLED = """
title = "A programmer lets an hour pass"
kind = "own"
[[step]]
task = "interrogate"
[[step]]
when = { at = "30min" }
power = "cut"
[[expect]]
name = "an-hour"
of = "run.elapsed_us"
equals = "70min"
why = "it has let so much pass, and waited for an event in vain"
[[expect]]
name = "seen"
of = "told.power"
equals = false
why = "steps are done on the way"
[[expect]]
name = "armed"
of = "told.armed"
equals = 1
why = "the tester's hand is there, too"
"""
CONTROLS = """
import json, sys
from emulator.control.client import ControlClient

pump = ControlClient(sys.argv[1])
pump.advance(3_600_000_000)
pump.arm_fault("drop answer STATUS")
pump.run_until("frame", limit_us=600_000_000)
print(json.dumps({"power": pump.truth()["powered"], "armed": len(pump.faults())}))
"""
PATIENT = """
title = "A programmer waits"
kind = "own"
[limits]
virtual = "VIRTUAL"
[[step]]
task = "interrogate"
[[step]]
when = { at = "1h" }
power = "cut"
[[step]]
when = { at = "2h" }
kill = true
[[expect]]
name = "power"
of = "power.count"
equals = 1
why = "it is cut once"
"""
IDLE = """
title = "A programmer that does nothing"
kind = "own"
[limits]
virtual = "1d"
wall = "WALL"
[[step]]
task = "interrogate"
[[expect]]
name = "told"
of = "told.run_state"
equals = "running"
why = "it was asked"
"""


def scenario_of(text: str) -> Scenario:
    return read_scenario("own.toml", text.encode(), NAMES)


def test_one_that_is_killed_between_command_and_answer_finds_out_what_became_of_it() -> None:
    scenario = scenario_of(KILLED)
    verdict = come_to_the_same(scenario, "good")
    assert [each.met for each in verdict.measured] == [True, True, None]
    assert [each.ended for each in verdict.told] == ["killed", "exited"]


def test_another_pump_behind_the_line_of_a_programmer() -> None:
    scenario = scenario_of(SWAPPED)
    verdict = come_to_the_same(scenario, "good", "tcp:127.0.0.1:0")
    assert (verdict.outcome, verdict.not_judged) == (Outcome.PASSED, [])


@pytest.mark.parametrize("port", PORTS)
def test_a_line_that_breaks_goes_away_from_a_programmer_and_comes_back(port: str) -> None:
    scenario = scenario_of(BROKEN)
    once = replace(scenario, steps=scenario.steps[:2])
    verdict = run_outside(once, [sys.executable, "-c", RECONNECTS, "{port}"], port_spec=port)
    assert (verdict.outcome, verdict.not_judged) == (Outcome.PASSED, []), verdict
    assert verdict.ended_us - verdict.began_us >= 600_000_000, "it cannot wait for it otherwise"
    (told,) = verdict.told
    assert told.report is not None
    assert told.report["greeted"] == 2
    assert told.report["lost"] != 0


def test_one_that_is_killed_before_its_line_can_be_opened_never_begins() -> None:
    verdict = run_outside(scenario_of(KILLED_TWICE), [sys.executable, "-c", GREETS, "{port}"])
    assert [told.ended for told in verdict.told] == ["killed", "killed"]
    assert (verdict.outcome, verdict.requests) == (Outcome.PASSED, 1)


def test_a_line_that_breaks_is_the_same_for_a_sample_in_process_and_in_one_of_its_own() -> None:
    verdict = come_to_the_same(scenario_of(BROKEN), "good")
    assert verdict.outcome is Outcome.PASSED
    assert [told.report is not None and told.report["outcome"] for told in verdict.told] == ["failed", "failed", "done"]


def test_a_programmer_moves_time_and_looks_at_what_is_so_by_the_control_plane() -> None:
    verdict = run_outside(scenario_of(CONTROLLED), [sys.executable, "-c", CONTROLS, "{control}"])
    assert (verdict.outcome, verdict.not_judged) == (Outcome.PASSED, []), verdict
    assert verdict.reproducible


def test_a_programmer_that_shuts_the_pump_down_has_no_verdict() -> None:
    shuts_down = "import sys; from emulator.control.client import ControlClient; ControlClient(sys.argv[1]).shutdown()"
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "60s")), [sys.executable, "-c", shuts_down, "{control}"])
    assert (verdict.outcome, verdict.reason) == (
        Outcome.NOT_RUN,
        "the programmer has shut the pump down by the control plane",
    )


@pytest.mark.parametrize(
    ("virtual", "outcome", "ended"), [("3h", Outcome.PASSED, 2), ("90min", Outcome.OUT_OF_TIME, 1.5)]
)
def test_in_real_time_steps_and_limits_come_while_a_programmer_waits(
    virtual: str, outcome: Outcome, ended: float
) -> None:
    scenario = scenario_of(PATIENT.replace("VIRTUAL", virtual))
    verdict = run_outside(scenario, ["sleep", "600"], speed=Fraction(36_000))
    assert (verdict.outcome, verdict.reproducible) == (outcome, False)
    assert verdict.ended_us - verdict.began_us == ended * 3_600_000_000


def test_a_defect_ends_the_run_and_is_not_taken_for_a_programmer_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(stage: Stage, data: bytes) -> None:
        if stage.conductor.begun:
            raise RuntimeError(f"a defect at {data!r}")
        take(stage, data)

    take = Stage.take
    monkeypatch.setattr(Stage, "take", broken)
    with pytest.raises(RuntimeError, match="a defect at"):
        run_outside(scenario_of(IDLE.replace("WALL", "60s")), [sys.executable, "-c", GREETS, "{port}"])


def test_one_that_hangs_is_ended_at_its_deadline() -> None:
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "300ms")), ["sleep", "600"])
    assert verdict.outcome is Outcome.HUNG
    assert verdict.reason == "it had 0.3 s"


@pytest.mark.parametrize(
    ("script", "met"),
    [
        ('echo x >"$1"; exit 3', None),
        ('echo x >"$1"; echo no JSON', None),
        ('echo a word first; echo \'{"run_state": "running"}\'', True),
        ('echo \'{"run_state": "stopped"}\'', False),
        ('echo \'{"run_state": "running"}\' >"$0"; echo \'{"run_state": "stopped"}\'', True),
    ],
)
def test_a_report_is_the_file_or_the_last_line_or_nothing(script: str, met: bool | None) -> None:
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "60s")), ["sh", "-c", script, "{report}", "{port}"])
    assert [each.met for each in verdict.measured] == [met]
    assert verdict.outcome is {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.NOT_JUDGED}[met]


@pytest.mark.parametrize(
    ("script", "ended"), [("exit 3", "exit status 3"), ("kill -SEGV $$", "ended by SIGSEGV"), ("true", "exited")]
)
def test_one_that_neither_sends_nor_reports_anything_has_no_verdict(script: str, ended: str) -> None:
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "60s")), ["sh", "-c", script])
    assert (verdict.outcome, verdict.passed) == (Outcome.NOT_RUN, False)
    assert verdict.reason == f"the programmer sent nothing to its port and reported nothing (interrogate: {ended})"


def test_one_that_prints_without_end_is_ended_before_the_disk_is_full(tmp_path: Path) -> None:
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "60s")), ["yes"], folder=tmp_path)
    assert (verdict.outcome, verdict.reason) == (
        Outcome.NOT_RUN,
        "the programmer printed more than 16 MiB to stdout",
    )


def test_whenever_a_run_is_broken_off_nothing_of_the_programmer_goes_on(tmp_path: Path) -> None:
    scenario = scenario_of(IDLE.replace("WALL", "60s"))
    marked = f"3600.{os.getpid()}"

    async def broken_off_after(turns: int) -> None:
        with staged(scenario) as stage:
            folder = tmp_path / str(turns)
            folder.mkdir()
            command = ["sh", "-c", f"sleep {marked}; true"]
            run = OutsideRun(scenario, command, folder, stage, open_port(parse_port("pty")))
            performing = asyncio.ensure_future(run.perform())
            for _ in range(turns):
                # Now and then the loop has to wait for the process to start, which a turn of it does not.
                await asyncio.sleep(0.001 * (turns % 3))
            performing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await performing

    for turns in range(16):
        asyncio.run(broken_off_after(turns))
    going_on = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert f"sleep {marked}" not in going_on


def test_a_command_that_there_is_not_is_one_sentence() -> None:
    with pytest.raises(
        ProgrammerNotStarted, match=r"^/no/such/programmer cannot be started: No such file or directory\.$"
    ):
        run_outside(scenario_of(IDLE.replace("WALL", "60s")), ["/no/such/programmer"])
