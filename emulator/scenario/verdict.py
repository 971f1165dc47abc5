"""What came of a scenario: measurements with their limits, and what it takes to see the same again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum

from emulator.scenario.expectations import Measured, Told
from emulator.scenario.plan import Scenario
from emulator.scenario.stage import Stage


class Outcome(Enum):
    """How a run of a scenario ended."""

    PASSED = "passed"
    FAILED = "failed"
    OUT_OF_TIME = "out of simulated time"
    HUNG = "the programmer did not end in time"
    NOT_RUN = "could not be run"
    NOT_JUDGED = "could not be judged"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one run. Times are virtual; `digest` is that of the pump's whole state in the end.

    began_us      when the timeline began, after the pump was made ready
    reproducible  whether the wall clock had no part in it
    """

    scenario: str
    title: str
    programmer: str
    outcome: Outcome
    measured: Sequence[Measured]
    told: Sequence[Told]
    seed: int
    began_us: int
    ended_us: int
    digest: str
    faults_fired: Sequence[str]
    requests: int
    reason: str = ""
    reproducible: bool = True

    @property
    def passed(self) -> bool:
        """Whether it is as it should be."""
        return self.outcome is Outcome.PASSED

    @property
    def failures(self) -> list[Measured]:
        """What was not as it should be."""
        return [each for each in self.measured if each.met is False]

    @property
    def not_judged(self) -> list[Measured]:
        """What could not be judged."""
        return [each for each in self.measured if each.met is None]

    def as_json(self) -> dict[str, object]:
        """The verdict as JSON values."""
        return {
            "scenario": self.scenario,
            "title": self.title,
            "programmer": self.programmer,
            "outcome": self.outcome.name.lower().replace("_", "-"),
            "passed": self.passed,
            "reason": self.reason,
            "reproducible": self.reproducible,
            "seed": self.seed,
            "began_us": self.began_us,
            "ended_us": self.ended_us,
            "digest": self.digest,
            "requests": self.requests,
            "faults_fired": list(self.faults_fired),
            "expectations": [asdict(each) for each in self.measured],
            "told": [_plain(asdict(each)) for each in self.told],
        }


def judged(scenario: Scenario, stage: Stage, programmer: str) -> Verdict:
    """The verdict at the end of a timeline."""
    digest = stage.device.digest()
    stage.conductor.judgement.judge_end(stage)
    met = {each.met for each in stage.conductor.judgement.results()}
    if False in met:
        return _verdict(scenario, stage, programmer, Outcome.FAILED, digest)
    if True in met:
        return _verdict(scenario, stage, programmer, Outcome.PASSED, digest)
    reason = "all that is measured is what the programmer reports, and it reported nothing"
    return _verdict(scenario, stage, programmer, Outcome.NOT_JUDGED, digest, reason=reason)


def broken_off(scenario: Scenario, stage: Stage, programmer: str, outcome: Outcome, reason: str = "") -> Verdict:
    """The verdict of a run that did not come to its end."""
    return _verdict(scenario, stage, programmer, outcome, stage.device.digest(), reason=reason)


def _verdict(
    scenario: Scenario,
    stage: Stage,
    programmer: str,
    outcome: Outcome,
    digest: str,
    *,
    reason: str = "",
) -> Verdict:
    return Verdict(
        scenario=scenario.name,
        title=scenario.title,
        programmer=programmer,
        outcome=outcome,
        measured=tuple(stage.conductor.judgement.results()),
        told=tuple(stage.conductor.judgement.told),
        seed=scenario.pump.seed,
        began_us=stage.conductor.began_us,
        ended_us=stage.now_us,
        digest=digest,
        faults_fired=tuple(stage.fired),
        requests=stage.requests,
        reason=reason,
        reproducible=stage.lockstep,
    )


def _plain(told: Mapping[str, object]) -> dict[str, object]:
    return dict(told)
