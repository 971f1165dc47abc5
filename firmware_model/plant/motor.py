"""The stepper motor, gear and rollers: pulses become steps of the rotor, and each step squeezes a volume on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PPM: Final = 1_000_000


@dataclass(slots=True)
class Motor:
    """A motor whose every step moves `step_volume_nl`, more or less by `gain_ppm`.

    steps         where the rotor stands: what it made forwards, less what it made backwards
    wear_pulses   pulses after which the gear is worn: from then on every `wear_miss_every`-th one is missed
    stalled       the rotor does not follow at all
    miss_every    every so many pulses one is missed; 0 for none
    followed      whether the rotor followed the last pulse: what the back-EMF of the coil shows
    """

    step_volume_nl: int
    wear_pulses: int
    wear_miss_every: int
    steps: int = 0
    pulses: int = 0
    stalled: bool = False
    miss_every: int = 0
    miss_phase: int = 0
    wear_phase: int = 0
    gain_ppm: int = 0
    volume_phase: int = 0
    followed: bool = True

    def turn(self, pulses: int) -> int:
        """Give the coil so many pulses; returns the steps that the rotor made."""
        self.pulses += pulses
        if self.stalled:
            self.followed = False
            return 0
        worn = self.pulses - self.wear_pulses
        if worn <= 0 and not self.miss_every:
            self.followed = True
            self.steps += pulses
            return pulses
        sound = pulses - min(max(0, worn), pulses)
        made = self._followed_of(sound, worn=False) + self._followed_of(pulses - sound, worn=True)
        self.steps += made
        return made

    def miss(self, every: int) -> None:
        """From now on one of so many pulses is missed, counted anew when it is another number; 0 for none."""
        if every != self.miss_every:
            self.miss_every, self.miss_phase = every, 0

    def volume_nl(self, steps: int) -> int:
        """What so many steps squeeze on. A gain that leaves fractions of a nanolitre keeps them for later steps."""
        if not (self.gain_ppm or self.volume_phase):
            return steps * self.step_volume_nl
        volume_nl, self.volume_phase = divmod(
            self.volume_phase + steps * self.step_volume_nl * (PPM + self.gain_ppm), PPM
        )
        return volume_nl

    def steps_within(self, volume_nl: int) -> int:
        """The most steps that squeeze no more than a volume on."""
        a_step = self.step_volume_nl * (PPM + self.gain_ppm)
        return ((volume_nl + 1) * PPM - 1 - self.volume_phase) // a_step if a_step else self.pulses

    def turn_back(self, steps: int) -> None:
        """The rotor is turned backwards, as a strong magnetic field can."""
        self.steps -= steps

    def block(self, steps: int) -> None:
        """So many of the last steps were not made after all: the path took nothing more."""
        self.steps -= steps
        self.followed = False

    def _followed_of(self, pulses: int, *, worn: bool) -> int:
        """How many of these pulses the rotor follows. What one cause lets pass, the other may catch."""
        if not pulses:
            return 0
        missed = 0
        self.followed = True
        if self.miss_every:
            missed, self.miss_phase = divmod(self.miss_phase + pulses, self.miss_every)
            self.followed = self.miss_phase != 0
        left = pulses - missed
        if worn and left:
            missed, self.wear_phase = divmod(self.wear_phase + left, self.wear_miss_every)
            self.followed = self.followed and self.wear_phase != 0
            left -= missed
        return left
