"""Exact mixtures of drugs, and volumes of them.

A nanogram per millilitre is a femtogram per nanolitre, so mass_fg = volume_nl x concentration_ng_per_ml leaves no
remainder. Blending makes ratios of any kind; they are kept as ratios, and a Fraction is made only for display.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import Final, NamedTuple


class Mixture(NamedTuple):
    """A ratio in lowest terms: the mass of each drug, sorted by name, that `volume_nl` holds. Equal ratios are equal.

    Made by `mixture_of` and `blend`.
    """

    masses_fg: tuple[tuple[str, int], ...]
    volume_nl: int

    def concentration_ng_per_ml(self, drug: str) -> Fraction:
        """The concentration of a drug, for display; 0 when it is not in the mixture."""
        return Fraction(dict(self.masses_fg).get(drug, 0), self.volume_nl)


CSF = Mixture((), 1)
"""Fluid without any drug: cerebrospinal fluid, and the solvent alike."""

RATIO_BITS_MAX: Final = 1_024
"""Chosen: the longest `volume_nl` of a ratio, far below what a saved state can hold.

A refill on a residual lengthens a ratio by at most the bits of the volume then held, some 25: forty of them in a row,
each of another concentration, are exact. Beyond, each blend falls short by less than 2 to the power of -1,023 ng/mL.
"""

Portion = tuple[int, Mixture]
"""A volume in nanolitres, and what it is of; in a list, the one that moves on first stands first."""


def mixture_of(*drugs: tuple[str, int]) -> Mixture:
    """A mixture of drugs, each at a concentration in ng/mL. ValueError for a negative one, or a name twice."""
    if len({name for name, _ in drugs}) < len(drugs):
        raise ValueError("a drug is named twice")
    if any(concentration < 0 for _, concentration in drugs):
        raise ValueError("a concentration is negative")
    return _in_lowest_terms(dict(drugs), 1)


def blend(*portions: Portion) -> Mixture:
    """All portions stirred together. Raises ValueError for a negative volume, or when there is nothing to stir."""
    if any(volume_nl < 0 for volume_nl, _ in portions):
        raise ValueError("a volume is negative")
    some = [portion for portion in portions if portion[0]]
    if not some:
        raise ValueError("nothing to blend")
    if all(mixture == some[0][1] for _, mixture in some):
        return some[0][1]
    common = lcm(*(mixture.volume_nl for _, mixture in some))
    masses: dict[str, int] = {}
    for volume_nl, mixture in some:
        share = volume_nl * (common // mixture.volume_nl)
        for name, mass in mixture.masses_fg:
            masses[name] = masses.get(name, 0) + share * mass
    return _in_lowest_terms(masses, common * sum(volume_nl for volume_nl, _ in some))


def masses_fg(portions: Iterable[Portion]) -> dict[str, Fraction]:
    """The exact mass of each drug in all portions together, by name."""
    masses: dict[str, Fraction] = {}
    for volume_nl, mixture in portions:
        for name, mass in mixture.masses_fg if volume_nl else ():
            masses[name] = masses.get(name, Fraction(0)) + Fraction(volume_nl * mass, mixture.volume_nl)
    return dict(sorted(masses.items()))


def _in_lowest_terms(masses: dict[str, int], volume: int) -> Mixture:
    divisor = gcd(volume, *masses.values())
    if (volume // divisor).bit_length() > RATIO_BITS_MAX:
        whole = 1 << (RATIO_BITS_MAX - 1)
        masses, volume = {name: mass * whole // volume for name, mass in masses.items()}, whole
        divisor = gcd(volume, *masses.values())
    return Mixture(tuple((name, masses[name] // divisor) for name in sorted(masses) if masses[name]), volume // divisor)


@dataclass(slots=True)
class Plug:
    """A volume of one mixture, which grows and shrinks."""

    volume_nl: int
    mixture: Mixture

    def portion(self) -> Portion:
        """What it is now."""
        return self.volume_nl, self.mixture


POOL_MIXTURES_MAX: Final = 16
"""Chosen: a pool tells so many mixtures apart, those of the last refills; what came earlier is one blend."""


@dataclass(slots=True)
class Pool:
    """Fluid that gathers: how much of each mixture has come, the one that came last at the end. Masses stay exact."""

    plugs: list[Plug] = field(default_factory=list)

    def add(self, volume_nl: int, mixture: Mixture) -> None:
        """A volume comes in."""
        plugs = self.plugs
        if plugs and plugs[-1].mixture == mixture:
            plugs[-1].volume_nl += volume_nl
        elif volume_nl:
            self._add_other(volume_nl, mixture)

    @property
    def volume_nl(self) -> int:
        """All that has come."""
        return sum(plug.volume_nl for plug in self.plugs)

    def portions(self) -> list[Portion]:
        """How much of each mixture has come."""
        return [plug.portion() for plug in self.plugs]

    def _add_other(self, volume_nl: int, mixture: Mixture) -> None:
        for place, plug in enumerate(self.plugs):
            if plug.mixture == mixture:
                volume_nl += self.plugs.pop(place).volume_nl
                break
        self.plugs.append(Plug(volume_nl, mixture))
        if len(self.plugs) > POOL_MIXTURES_MAX:
            oldest, next_oldest = self.portions()[:2]
            self.plugs[:2] = [Plug(oldest[0] + next_oldest[0], blend(oldest, next_oldest))]
