"""A search of any length over the machines: so many steps from a seed, each counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import ClassVar

from hypothesis import seed as hypothesis_seed
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.firmware_model.invariants.deeds import Deed
from tests.firmware_model.invariants.machine import MACHINES, SEARCH, STEPS_OF_HISTORY, Observed

HISTORIES_OF_SEED = 50
STEPS_OF_SEED = HISTORIES_OF_SEED * STEPS_OF_HISTORY
"""Steps that one seed stands for: few enough to be made again while somebody waits."""


def search(seed: int, steps: int, figures: Counter[str], tick: Callable[[], None]) -> None:
    """Make so many steps: each seed from this one on with the machine that is its turn. Raises what a check says."""
    for at, begin in enumerate(range(0, steps, STEPS_OF_SEED)):
        _search(seed + at, min(STEPS_OF_SEED, steps - begin), figures, tick)


def _search(seed: int, steps: int, figures: Counter[str], tick: Callable[[], None]) -> None:
    kind = MACHINES[seed % len(MACHINES)]

    class Counted(kind):  # type: ignore[misc, valid-type]
        """The machine, whose steps are counted until one fails: then Hypothesis looks for a shorter way to it."""

        figures: ClassVar[Counter[str]] = Counter()
        left: ClassVar[int] = steps
        failed: ClassVar[bool] = False

        def do(self, deed: Deed, random: Random) -> None:
            try:
                super().do(deed, random)
            except AssertionError:
                Counted.failed = True
                raise
            if Counted.left and not Counted.failed:
                Counted.left -= 1
                tick()

    Counted.__name__ = Counted.__qualname__ = kind.__name__
    histories = -(-steps // STEPS_OF_HISTORY)
    run_state_machine_as_test(
        hypothesis_seed(seed)(Counted), settings=settings(SEARCH, max_examples=histories, database=None)
    )
    figures.update(Counted.figures)
    for _ in range(Counted.left):
        tick()


__all__ = ["STEPS_OF_SEED", "Observed", "search"]
