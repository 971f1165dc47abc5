"""Every shipped scenario: a good programmer passes it, a naive one fails it for the reason that it was made for."""

from __future__ import annotations

import pytest

from emulator.scenario.reading import load_scenario, shipped_scenarios
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import FLAWS
from emulator.scenario.tasks import TASKS
from emulator.scenario.verdict import Outcome, Verdict
from emulator.scenario.virtual import run_virtual
from emulator.wire import FaultNames, operation_names
from protocol.messages.operations import OPERATIONS

NAMES = FaultNames(operation_names([operation.name for operation in OPERATIONS], ["EVENT"]))


def failures(verdict: Verdict) -> list[str]:
    return [measured.name for measured in verdict.failures]


# All of them are run a second time by `scripts/soak scenarios`.
RUN_AGAIN = ("lost-answer-to-bolus", "killed-after-send", "reconnect-storm")


@pytest.mark.parametrize("name", shipped_scenarios())
def test_good_passes_and_naive_fails_where_it_must(name: str) -> None:
    scenario = load_scenario(name, NAMES)
    good, naive = run_virtual(scenario, GOOD), run_virtual(scenario, FLAWS[scenario.flaw])
    assert (good.outcome, failures(good), good.not_judged) == (Outcome.PASSED, [], [])
    assert naive.outcome is Outcome.FAILED
    assert failures(naive) == list(scenario.fails)


@pytest.mark.parametrize("name", RUN_AGAIN)
def test_the_same_comes_of_it_again(name: str) -> None:
    scenario = load_scenario(name, NAMES)
    for sample in (GOOD, FLAWS[scenario.flaw]):
        assert run_virtual(scenario, sample) == run_virtual(scenario, sample)


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_says_what_happened_and_where_that_is_known_from(name: str) -> None:
    scenario = load_scenario(name, NAMES)
    assert scenario.sources
    assert all((scenario.story, scenario.good, scenario.naive, scenario.flaw, scenario.fails))
    assert (scenario.kind == "bug") == bool(scenario.number)


def test_the_sample_programmers_can_do_every_task() -> None:
    for sample in (GOOD, *FLAWS.values()):
        assert set(sample.tasks) == set(TASKS), sample.name
