"""Flow as exactly spaced motor steps: phase accumulators that lose no remainder, however far they jump."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

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

    def next_step_us(self, elapsed_us: int) -> int:
        """When, after `elapsed_us`, a channel that flows makes its next step; in microseconds from now."""
        return ceil_div((self.steps_in(elapsed_us) + 1) * self.threshold - self.phase, self.gain)


Ahead = tuple[int, int, int, int, int, int]
"""Steps of all channels, the phase of the base; steps and phase of the dose, and of the bolus."""
STANDSTILL: Ahead = (0, -1, 0, 0, 0, 0)
"""What time brings while the scheduler is blocked: no step, and every phase stays."""


@dataclass(slots=True)
class Flow:
    """All flow of a pump: the base rate, a dose that the program gives, and a bolus that somebody has asked for."""

    step_volume_nl: int
    base: Channel = field(init=False)
    dose: Channel | None = None
    bolus: Channel | None = None

    def __post_init__(self) -> None:
        self.base = Channel(threshold=self.step_volume_nl * US_PER_DAY)

    def steps_in(self, elapsed_us: int) -> int:
        """Steps of all channels within the next `elapsed_us`, its end included."""
        steps = self.base.steps_in(elapsed_us)
        if self.dose is not None:
            steps += self.dose.steps_in(elapsed_us)
        if self.bolus is not None:
            steps += self.bolus.steps_in(elapsed_us)
        return steps

    def ahead(self, elapsed_us: int) -> Ahead:
        """What the next `elapsed_us` bring, its end included. Nothing moves."""
        base, dose, bolus = self.base, self.dose, self.bolus
        steps, phase = divmod(base.phase + base.gain * elapsed_us, base.threshold)
        dose_steps = dose_phase = bolus_steps = bolus_phase = 0
        if dose is not None:
            dose_steps, dose_phase = divmod(dose.phase + dose.gain * elapsed_us, dose.threshold)
            steps += dose_steps
        if bolus is not None:
            bolus_steps, bolus_phase = divmod(bolus.phase + bolus.gain * elapsed_us, bolus.threshold)
            steps += bolus_steps
        return steps, phase, dose_steps, dose_phase, bolus_steps, bolus_phase

    def us_until(self, steps: int) -> int | None:
        """Microseconds until all channels together have made so many more steps; None when nothing flows.

        Exact as long as dose and bolus last; their ends are instants of their own, at which the question is asked anew.
        """
        if steps <= 0:
            return 0
        if self.dose is None and self.bolus is None:
            return self.base.us_until(steps)
        channels = [channel for channel in (self.base, self.dose, self.bolus) if channel is not None and channel.gain]
        if not channels:
            return None
        # Counted with its fractions the flow is there first; of whole steps, no more than one or two are wanting then.
        product = prod(channel.threshold for channel in channels)
        phase = sum(channel.phase * (product // channel.threshold) for channel in channels)
        gain = sum(channel.gain * (product // channel.threshold) for channel in channels)
        elapsed_us = max(0, ceil_div(steps * product - phase, gain))
        while self.steps_in(elapsed_us) < steps:
            elapsed_us = min(channel.next_step_us(elapsed_us) for channel in channels)
        return elapsed_us
