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

    def us_of_next_step(self, after_us: int) -> int | None:
        """Microseconds from now until the first step that is made later than `after_us`; None when it stands still."""
        return self.us_until(self.steps_in(after_us) + 1)


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
        base, bolus = self.base, self.bolus
        if bolus is None:
            return base.us_until(steps)
        # Without rounding down, base and bolus together would be there at this instant; they cannot be there before.
        missing = steps * base.threshold * bolus.threshold - base.phase * bolus.threshold - bolus.phase * base.threshold
        wait_us = max(0, ceil_div(missing, base.gain * bolus.threshold + bolus.gain * base.threshold))
        # Rounding has taken less than a step from each, so a few steps further they are.
        while base.steps_in(wait_us) + bolus.steps_in(wait_us) < steps:
            next_steps = (base.us_of_next_step(wait_us), bolus.us_of_next_step(wait_us))
            wait_us = min(us for us in next_steps if us is not None)
        return wait_us
