"""The twin's fluid: a reservoir, and a path of drops that are pushed on step by step until they leave at the tip."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from fractions import Fraction
from math import floor

from firmware_model.profile import Profile

Contents = tuple[tuple[str, Fraction], ...]
"""What a nanolitre holds of each drug, in femtogram, by name."""
NO_DRUG: Contents = ()


def contents_of(drugs: Mapping[str, Fraction]) -> Contents:
    return tuple(sorted((name, amount) for name, amount in drugs.items() if amount))


class TwinFluid:
    """What is physically so. `rotor` counts the steps that were truly made, `pulses` those that were asked for."""

    def __init__(self, profile: Profile) -> None:
        self.step_nl = profile.motor.step_volume_nl
        self.limits = profile.reservoir
        self.volume_nl = self.limits.initial_volume_nl
        self.contents = NO_DRUG
        self.path: deque[tuple[int, Contents]] = deque(
            [(profile.catheter.tubing_nl + profile.catheter.catheter_nl, NO_DRUG)]
        )
        self.tip: Counter[Contents] = Counter()
        self.delivered_nl = self.rotor = self.pulses = 0
        self.stalled, self.miss_every, self.gain_ppm = False, 0, 0
        self.missed_by = 0
        self.begun_nl = Fraction(0)
        self.followed = True

    def pulse(self) -> None:
        """The coil gets one pulse."""
        self.pulses += 1
        self.followed = not (self.stalled or self._misses())
        if self.followed:
            self.rotor += 1
            self.begun_nl += self.step_nl * (1 + Fraction(self.gain_ppm, 1_000_000))
            squeezed_nl = floor(self.begun_nl)
            self.begun_nl -= squeezed_nl
            self._push(min(squeezed_nl, self.volume_nl))

    def miss(self, every: int) -> None:
        """From now on each so-manieth pulse is missed, counted anew when it is another number; 0 for none."""
        if every != self.miss_every:
            self.miss_every, self.missed_by = every, 0

    def withdraw(self, volume_nl: int) -> int:
        withdrawn_nl = min(volume_nl, max(0, self.volume_nl - self.limits.residual_nl))
        self.volume_nl -= withdrawn_nl
        return withdrawn_nl

    def inject(self, volume_nl: int, contents: Contents) -> None:
        room_nl = self.limits.capacity_nl + self.limits.overfill_max_nl - self.volume_nl
        volume_nl = min(volume_nl, max(0, room_nl))
        if not volume_nl:
            return
        mass: dict[str, Fraction] = {}
        for some_nl, some in ((self.volume_nl, self.contents), (volume_nl, contents)):
            for name, amount in some:
                mass[name] = mass.get(name, Fraction(0)) + some_nl * amount
        self.volume_nl += volume_nl
        self.contents = contents_of({name: amount / self.volume_nl for name, amount in mass.items()})

    def _misses(self) -> bool:
        if not self.miss_every:
            return False
        self.missed_by += 1
        if self.missed_by < self.miss_every:
            return False
        self.missed_by = 0
        return True

    def _push(self, volume_nl: int) -> None:
        self.volume_nl -= volume_nl
        self.delivered_nl += volume_nl
        self.path.append((volume_nl, self.contents))
        while volume_nl:
            drop_nl, contents = self.path.popleft()
            leaves_nl = min(drop_nl, volume_nl)
            self.tip[contents] += leaves_nl
            volume_nl -= leaves_nl
            if drop_nl > leaves_nl:
                self.path.appendleft((drop_nl - leaves_nl, contents))
