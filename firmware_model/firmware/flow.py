"""Flow as exactly spaced motor steps: phase accumulators that lose no remainder, however far they jump."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_model.quantities import US_PER_DAY, ceil_div


@dataclass(slots=True)
class Channel:
    """A phase that gains `gain` a microsecond and makes a step each `threshold`."""

    threshold: int
    gain: int = 0
    phase: int = 0

    def steps_in(self, elapsed_us: int) -> int:
        """Steps that fall within the next `elapsed_us`, its end included."""
        return (self.phase + self.gain * elapsed_us) // self.threshold

    def pass_time(self, elapsed_us: int) -> int:
        """Let time pass; returns the steps made."""
        steps, self.phase = divmod(self.phase + self.gain * elapsed_us, self.threshold)
        return steps

    def us_until(self, steps: int) -> int | None:
        """Microseconds until so many more steps (at least one) have been made; None when it stands still."""
        return ceil_div(steps * self.threshold - self.phase, self.gain) if self.gain else None


@dataclass(slots=True)
class Flow:
    """All flow of a pump: the base rate, and at most one bolus on top of it. Both stand still while stopped."""

    step_volume_nl: int
    base: Channel = field(init=False)
    bolus: Channel | None = None

    def __post_init__(self) -> None:
        self.base = Channel(threshold=self.step_volume_nl * US_PER_DAY)

    def set_base_rate(self, rate_nl_per_day: int) -> None:
        """Change the base rate; the fraction of a step that the rotor is on its way stays."""
        self.base.gain = rate_nl_per_day

    def begin_bolus(self, steps: int, duration_us: int) -> None:
        """Spread so many steps evenly over a duration: the k-th falls at ceil(k x duration / steps)."""
        self.bolus = Channel(threshold=duration_us, gain=steps)

    def end_bolus(self) -> None:
        """Take the bolus away."""
        self.bolus = None

    def pass_time(self, elapsed_us: int) -> tuple[int, int]:
        """Let time pass; returns the steps made by the base rate and by the bolus."""
        bolus_steps = self.bolus.pass_time(elapsed_us) if self.bolus else 0
        return self.base.pass_time(elapsed_us), bolus_steps

    def us_until(self, steps: int) -> int | None:
        """Microseconds until base and bolus together have made so many more steps; None when nothing flows.

        Exact as long as the bolus lasts; its end is an event of its own, at which the question is asked again.
        """
        if steps <= 0:
            return 0
        base_us = self.base.us_until(steps)
        if self.bolus is None:
            return base_us
        bolus_us = self.bolus.us_until(steps)
        alone = [us for us in (base_us, bolus_us) if us is not None]
        low, high = 0, min(alone)
        while low < high:
            middle = (low + high) // 2
            if self.base.steps_in(middle) + self.bolus.steps_in(middle) >= steps:
                high = middle
            else:
                low = middle + 1
        return low
