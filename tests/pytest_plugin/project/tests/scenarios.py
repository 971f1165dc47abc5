"""Scenarios with a test as their programmer."""

import os
import subprocess
import sys

import pytest

PROGRAMMER = (sys.executable, "-I", "-m", "emulator")  # vpump's own; here stands yours


def give(task, home) -> None:
    """Do a task such as `bolus 100uL over 10min`."""
    verb, volume, _, duration = task.text.split()
    subprocess.run(
        [*PROGRAMMER, verb, volume, "--over", duration, "--port", task.port],
        env=os.environ | {"VPUMP_STATE_HOME": str(home)},
        check=True,
    )


@pytest.mark.vpump_scenario("lost-answer-to-bolus")
def test_an_answer_that_is_lost(scenario, tmp_path) -> None:
    for task in scenario.tasks():
        give(task, tmp_path)
        task.report("given")


@pytest.mark.vpump(seed=3)
@pytest.mark.vpump_scenario("lost-answer-to-bolus")
def test_silence_that_is_taken_for_failure(scenario, tmp_path) -> None:
    for task in scenario.tasks():
        give(task, tmp_path)
        task.report("failed")
