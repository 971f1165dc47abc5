"""What the good sample programmer tells when something comes between it and its task."""

from __future__ import annotations

import pytest

from emulator.scenario.reading import read_scenario
from emulator.scenario.virtual import run_virtual
from emulator.wire import FaultNames, operation_names
from protocol.messages.operations import OPERATIONS

NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))


def told(task: str, fault: str = "") -> object:
    """What is told of a task on a pump that runs 0.62 mL a day, with a fault armed before it."""
    armed = f'[[step]]\nfault = "{fault}"\n' if fault else ""
    text = f"""
title = "a task"
kind = "own"
[pump]
program = "simple-continuous"
{armed}
[[step]]
task = "{task}"
[[expect]]
name = "ended"
of = "told.outcome"
one_of = ["done"]
why = "-"
"""
    return run_virtual(read_scenario("task.toml", text.encode(), NAMES)).told[-1].report


@pytest.mark.parametrize(
    ("task", "outcome"),
    [("rate 0.62mL/day", "unchanged"), ("rate 1mL/day", "done"), ("rate 99mL/day", "refused")],
)
def test_a_rate_is_set_if_it_can_be(task: str, outcome: str) -> None:
    report = told(task)
    assert isinstance(report, dict)
    assert report["outcome"] == outcome


def test_a_program_whose_stage_is_gone_before_it_is_committed_has_failed_and_says_why() -> None:
    report = told("rate 1mL/day", "session-drop answer STAGE_READ nth=4")
    assert isinstance(report, dict)
    assert report["outcome"] == "failed"
    assert "staged program no longer" in report["reason"]


def test_a_pump_that_was_given_other_keys_is_none_of_ours_until_it_has_the_test_keys_again() -> None:
    other = {role: str(number) * 32 for number, role in enumerate(("reader", "patient", "clinician"))}
    table = ", ".join(f'{role} = "{key}"' for role, key in other.items())
    task = '[[step]]\nwhen = "ended"\ntask = "interrogate"\n'
    text = f"""
title = "other keys"
kind = "own"
[[step]]
keys = {{ {table} }}
{task}
[[step]]
when = "ended"
keys = {{}}
{task}
[[expect]]
name = "kept-out"
of = "sessions.count"
where = {{ change = "opened" }}
equals = 1
why = "whoever does not hold its key gets no session"
"""
    verdict = run_virtual(read_scenario("keys.toml", text.encode(), NAMES))
    refused, done = (told.report for told in verdict.told)
    assert refused == {"outcome": "failed", "reason": "the pump does not hold our key"}
    assert done is not None
    assert done["outcome"] == "done"
    assert verdict.passed, verdict
