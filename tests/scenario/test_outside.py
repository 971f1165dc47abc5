"""A programmer in a process of its own, at a real pseudo-terminal: it comes to the same as the one in virtual time."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from emulator.scenario.outside import ProgrammerNotStarted, run_outside
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import load_scenario, read_scenario
from emulator.scenario.samples.naive import sample_named
from emulator.scenario.verdict import Outcome, Verdict
from emulator.scenario.virtual import run_virtual
from emulator.wire import FaultNames, operation_names
from protocol.messages.operations import OPERATIONS

NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))


def sample_command(name: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "emulator",
        "scenario",
        "sample",
        name,
        "--port",
        "{port}",
        "--clock",
        "{clock}",
        "{task}",
    ]


def comparable(verdict: Verdict) -> Verdict:
    return replace(verdict, programmer="")


@pytest.mark.parametrize("sample", ["good", "resends-under-a-new-id"])
def test_a_sample_in_a_process_of_its_own_comes_to_the_same_to_the_digest(sample: str) -> None:
    scenario = load_scenario("lost-answer-to-bolus", NAMES)
    programmer = sample_named(sample)
    assert programmer is not None
    virtual = run_virtual(scenario, programmer)
    outside = run_outside(scenario, sample_command(sample))
    assert comparable(outside) == comparable(virtual)


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
    virtual = run_virtual(scenario)
    assert [each.met for each in virtual.measured] == [True, True, None]
    assert [each.ended for each in virtual.told] == ["killed", "exited"]
    assert comparable(run_outside(scenario, sample_command("good"))) == comparable(virtual)


def test_one_that_hangs_is_ended_at_its_deadline() -> None:
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "300ms")), ["sleep", "600"])
    assert verdict.outcome is Outcome.HUNG
    assert verdict.reason == "it had 0.3 s"


@pytest.mark.parametrize(
    ("script", "met"),
    [
        ("exit 3", None),
        ("echo no JSON", None),
        ('echo a word first; echo \'{"run_state": "running"}\'', True),
        ('echo \'{"run_state": "stopped"}\'', False),
        ('echo \'{"run_state": "running"}\' >"$0"; echo \'{"run_state": "stopped"}\'', True),
    ],
)
def test_a_report_is_the_file_or_the_last_line_or_nothing(script: str, met: bool | None) -> None:
    verdict = run_outside(scenario_of(IDLE.replace("WALL", "60s")), ["sh", "-c", script, "{report}"])
    assert [each.met for each in verdict.measured] == [met]
    assert verdict.outcome is (Outcome.FAILED if met is False else Outcome.PASSED)


def test_a_command_that_there_is_not_is_one_sentence() -> None:
    with pytest.raises(
        ProgrammerNotStarted, match=r"^/no/such/programmer cannot be started: No such file or directory\.$"
    ):
        run_outside(scenario_of(IDLE.replace("WALL", "60s")), ["/no/such/programmer"])
