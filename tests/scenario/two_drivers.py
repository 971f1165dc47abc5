"""A scenario with the same programmer in process and in one of its own: both must come to the same, to the digest."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from random import Random

from emulator.scenario.batch import Job, scenario_of
from emulator.scenario.outside import run_outside
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import shipped_scenarios
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import sample_named
from emulator.scenario.verdict import Verdict
from emulator.scenario.virtual import run_virtual

PORTS = ("pty", "tcp:127.0.0.1:0")
_SAMPLE = (sys.executable, "-m", "emulator", "scenario", "sample")
_OPTIONS = ("--port", "{port}", "--clock", "{clock}", "--programs", "{programs}")


def sample_command(name: str, role: str = "clinician") -> list[str]:
    """A sample programmer's command, as the outside driver fills it in."""
    return [*_SAMPLE, name, *_OPTIONS, "--role", role, "{task}"]


def come_to_the_same(scenario: Scenario, name: str, port: str = "pty") -> Verdict:
    """Run a scenario both ways with a sample programmer; AssertionError if anything but its name differs."""
    sample = sample_named(name)
    assert sample is not None
    virtual = run_virtual(scenario, sample)
    outside = run_outside(scenario, sample_command(name, scenario.pump.role), port_spec=port)
    assert replace(outside, programmer=name) == virtual
    return virtual


def run_both_ways(place: int, chance: Random, figures: Counter[str]) -> None:
    """A shipped scenario with any seed, at either kind of port; `place` goes through all of them, and both programmers.

    AssertionError if anything differs, or is not as it must be.
    """
    names = shipped_scenarios()
    is_good, at = divmod(place % (2 * len(names)), len(names))
    scenario = scenario_of(Job(names[at], seed=chance.randrange(1 << 32)))
    verdict = come_to_the_same(scenario, GOOD.name if is_good else scenario.flaw, chance.choice(PORTS))
    assert [failed.name for failed in verdict.failures] == ([] if is_good else list(scenario.fails))
    figures["requests"] += verdict.requests
    figures[verdict.outcome.value] += 1
