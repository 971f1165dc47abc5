"""The reservoir: the fluid that is truly in it."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.plant.mixture import Mixture, blend


@dataclass(slots=True)
class Reservoir:
    """A bellows that holds `volume_nl` of one mixture: what comes in is stirred at once (chosen).

    capacity_nl      what it is made to hold
    residual_nl      what no syringe gets out again; the motor draws it to the last drop
    overfill_max_nl  what it can hold above its capacity
    """

    volume_nl: int
    mixture: Mixture
    capacity_nl: int
    residual_nl: int
    overfill_max_nl: int

    def draw(self, volume_nl: int) -> int:
        """The motor takes a volume out; returns what there was of it."""
        _require(volume_nl)
        drawn_nl = volume_nl if volume_nl <= self.volume_nl else self.volume_nl
        self.volume_nl -= drawn_nl
        return drawn_nl

    def withdraw(self, volume_nl: int) -> int:
        """A syringe takes a volume out; returns what came of it."""
        _require(volume_nl)
        return self.draw(min(volume_nl, max(0, self.volume_nl - self.residual_nl)))

    def inject(self, volume_nl: int, mixture: Mixture) -> int:
        """A syringe pushes a volume in; returns what went in before the bellows took no more."""
        _require(volume_nl)
        accepted_nl = min(volume_nl, max(0, self.capacity_nl + self.overfill_max_nl - self.volume_nl))
        self.absorb(accepted_nl, mixture)
        return accepted_nl

    def absorb(self, volume_nl: int, mixture: Mixture) -> None:
        """Fluid comes back from the path, all of it, also into a full reservoir."""
        _require(volume_nl)
        if not volume_nl:
            return
        self.mixture = blend((self.volume_nl, self.mixture), (volume_nl, mixture))
        self.volume_nl += volume_nl

    @property
    def overfilled(self) -> bool:
        """Whether it holds more than it is made for."""
        return self.volume_nl > self.capacity_nl


def _require(volume_nl: int) -> None:
    if volume_nl < 0:
        raise ValueError(f"a volume of {volume_nl} nl is negative")
