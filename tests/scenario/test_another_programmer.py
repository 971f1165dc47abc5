"""Another clinician's programmer in a scenario: it comes between two tasks, with a book and a number of its own."""

from __future__ import annotations

import sys

import pytest

from emulator.scenario.outside import run_outside
from emulator.scenario.reading import ScenarioFileError, load_scenario, read_scenario
from emulator.scenario.samples.naive import sample_named
from emulator.scenario.verdict import Outcome
from emulator.scenario.virtual import run_virtual
from emulator.wire import FaultNames, operation_names
from protocol.messages.operations import OPERATIONS

NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))
SAMPLE = "takes-over-for-complete"
OWN = """
title = "Two programmers"
kind = "own"
[pump]
program = "simple-continuous"
[[step]]
task = "bolus 100uL over 10min and follow"
[[step]]
another = "bolus 50uL over 10min"
[[step]]
when = "ended"
task = "cancel"
[[expect]]
name = "waits-for-ours"
of = "log.first.detail.delivered_min_nl"
where = { type = "bolus_ended" }
equals = "100uL"
why = "a pump is programmed by one at a time"
[[expect]]
name = "goes-by-its-own-number"
of = "log.last.detail.host_id"
where = { type = "bolus_started" }
equals = 1514995714
why = "it is somebody else"
[[expect]]
name = "tells-what-it-ended"
of = "told.delivered_nl"
same_as = "log.last.detail.delivered_min_nl"
same_where = { type = "bolus_ended" }
max = "1uL"
why = "a cancel ends the bolus that runs, whoever has given it, and tells of that one"
"""


def test_another_programmer_takes_its_turn_and_is_somebody_else() -> None:
    verdict = run_virtual(read_scenario("own.toml", OWN.encode(), NAMES))
    assert (verdict.outcome, verdict.failures) == (Outcome.PASSED, [])
    assert [told.word for told in verdict.told] == ["bolus", "cancel"]


def test_it_comes_between_two_processes_just_as_between_two_tasks_in_process() -> None:
    scenario, programmer = load_scenario("cancelled-by-another", NAMES), sample_named(SAMPLE)
    assert programmer is not None
    words = ("-m", "emulator", "scenario", "sample", SAMPLE, "--port", "{port}", "--clock", "{clock}", "{task}")
    outside, virtual = run_outside(scenario, [sys.executable, *words]), run_virtual(scenario, programmer)
    assert (outside.digest, outside.ended_us, outside.told) == (virtual.digest, virtual.ended_us, virtual.told)
    assert outside.outcome is Outcome.FAILED


def test_what_it_is_to_do_is_checked_like_a_task_of_ours() -> None:
    text = OWN.replace("bolus 50uL over 10min", "bolus 50")
    with pytest.raises(ScenarioFileError, match=r"own\.toml, line 9, step\.another: .*'50'"):
        read_scenario("own.toml", text.encode(), NAMES)
