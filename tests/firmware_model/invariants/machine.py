"""State machines for Hypothesis: anything may be done to a pump in any order, and the invariants hold after each step.

A step is a deed and a number, the seed of all that is drawn in it, so that a history is short to tell. There is a
machine for each kind of pump, and one for a pump that nothing happens to but care.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import ClassVar

from hypothesis import HealthCheck, currently_in_test_context, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from firmware_model.profile import Profile
from tests.firmware_model.invariants.deeds import CARE, TROUBLE, Deed
from tests.firmware_model.invariants.table import check_all
from tests.firmware_model.invariants.therapy_deeds import note_command
from tests.firmware_model.invariants.ward import Ward
from tests.firmware_model.pump_profiles import SMALL, changed
from tests.firmware_model.random_histories import ROOMY

CHANCES = st.integers(0, 2**32 - 1)
STEPS_OF_HISTORY = 100
MOST_HOPELESS_STEPS = 5
SEARCH = settings(
    stateful_step_count=STEPS_OF_HISTORY,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Observed(RuleBasedStateMachine):
    """One pump, its observer, and the checks. `figures` counts over all histories."""

    profile: ClassVar[Profile]
    figures: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.hopeless_steps = 0
        self.ward = Ward(self.profile)
        self._end_step()

    def do(self, deed: Deed, random: Random) -> None:
        """One step."""
        if currently_in_test_context():
            note(deed.__name__)
        ward = self.ward
        if ward.is_lost or ward.pump.browned_out:
            self._give_up(ward)
        ward.begin_step()
        deed(ward, random)
        self._end_step()
        self.figures["steps"] += 1

    def _end_step(self) -> None:
        self.ward.end_step()
        note_command(self.ward)
        check_all(self.ward)

    def _give_up(self, ward: Ward) -> None:
        """Of a pump that nobody can make run again some steps are seen, then another one is implanted."""
        self.hopeless_steps += 1
        if self.hopeless_steps > MOST_HOPELESS_STEPS:
            self.hopeless_steps = 0
            ward.replace_pump()
            self._end_step()

    def teardown(self) -> None:
        # A check that failed is on its way out through here, and what Hypothesis ends a history with as well.
        if sys.exc_info()[1] is None:
            self.ward.begin_step()
            self.ward.ending = True
            self._end_step()
            self.figures.update(self.ward.figures)


def machine(name: str, profile: Profile, *deeds: Mapping[Deed, int]) -> type[Observed]:
    """A machine that does these deeds, each as often as its weight says."""
    weighted = [deed for weights in deeds for deed, weight in weights.items() for _ in range(weight)]

    def step(self: Observed, chance: int) -> None:
        random = Random(chance)  # noqa: S311 (chance for a test, no secret)
        self.do(random.choice(weighted), random)

    return type(name, (Observed,), {"profile": profile, "step": rule(chance=CHANCES)(step)})


STOPPING = changed(ROOMY, "therapy", stops_while_programming=True)
"""A pump that stands still while a program is made."""
SafePump = machine("SafePump", ROOMY, CARE, TROUBLE)
StoppingPump = machine("StoppingPump", STOPPING, CARE, TROUBLE)
SmallPump = machine("SmallPump", SMALL, CARE, TROUBLE)
CleanPump = machine("CleanPump", ROOMY, CARE)
MACHINES = (SafePump, StoppingPump, SmallPump, CleanPump)
