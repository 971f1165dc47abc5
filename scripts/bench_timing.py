"""How the benchmark times, and what a figure is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """What was measured, and the baseline that it is held against, in the same unit."""

    value: float
    unit: str
    baseline: str
    baseline_value: float

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "baseline_value": self.baseline_value,
            "ratio": self.value / self.baseline_value,
        }


class Run:
    """One run at a scale: `count` says how much of what is usual it does."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def count(self, usual: int) -> int:
        """So many at this scale, at least one."""
        return max(1, round(usual * self._scale))

    def best_us(self, run: Callable[[int], None], usual: int, repeats: int = REPEATS) -> float:
        """Microseconds of one of the things that `run` does so often: the best of several slices."""
        count = self.count(usual)
        return min(timed_s(run, count) for _ in range(repeats)) / count * 1e6


def timed_s(run: Callable[[int], None], count: int) -> float:
    """Seconds of this process's processor time."""
    start = time.process_time()
    run(count)
    return time.process_time() - start
