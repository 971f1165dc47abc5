"""The fluid path told the plain way: a list with an entry for each nanolitre, moved one at a time.

A nanolitre that leaves the tubing leaks when the share of the leak, added up, has reached a whole one. Nothing here
knows how the model computes; it shares its mixtures only.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from firmware_model.plant.catheter import Catheter, Column
from firmware_model.plant.mixture import CSF, Mixture, Portion

Drops = list[Mixture]
"""One nanolitre after the other; in a tube, the one next to the tip stands first."""


@dataclass
class NaivePath:
    tubing: Drops
    catheter: Drops
    compliance_nl: int
    held: Drops = field(default_factory=list)
    tip: Drops = field(default_factory=list)
    pocket: Drops = field(default_factory=list)
    spilled: Drops = field(default_factory=list)
    occluded: bool = False
    disconnected: bool = False
    leak_ppm: int = 0
    leaking_ppm: int = 0

    def push(self, mixture: Mixture) -> int:
        """Returns how many nanolitres went in: one or none."""
        if self.occluded and not self.disconnected and self.leak_ppm == 0:
            if len(self.held) == self.compliance_nl:
                return 0
            self.held.append(mixture)
            return 1
        self.tubing.append(mixture)
        drop = self.tubing.pop(0)
        if self.disconnected or self.occluded or self._leaks():
            self.pocket.append(drop)
        else:
            self.catheter.append(drop)
            self.tip.append(self.catheter.pop(0))
        return 1

    def pull(self) -> Drops:
        """Returns the nanolitre that comes back, if one does."""
        if self.held:
            return [self.held.pop()]
        if self.disconnected:
            self.tubing.insert(0, CSF)
        elif self.occluded:
            return []
        else:
            self.catheter.insert(0, CSF)
            self.tubing.insert(0, self.catheter.pop())
        return [self.tubing.pop()]

    def change(self, **faults: int) -> None:
        for name, value in faults.items():
            setattr(self, name, value)
        if not self.occluded or self.disconnected or self.leak_ppm:
            held, self.held = self.held, []
            for drop in held:
                self.push(drop)

    def cut(self, length_nl: int) -> None:
        for _ in range(length_nl):
            self.spilled.append(self.catheter.pop(0))

    def replace(self, catheter_nl: int) -> None:
        self.change(disconnected=True)
        self.cut(len(self.catheter))
        self.catheter = [CSF] * catheter_nl
        self.change(occluded=False, leak_ppm=0, disconnected=False)

    def _leaks(self) -> bool:
        self.leaking_ppm += self.leak_ppm
        if self.leaking_ppm < 1_000_000:
            return False
        self.leaking_ppm -= 1_000_000
        return True


def drops(portions: Iterable[Portion]) -> Drops:
    """Portions, nanolitre by nanolitre."""
    return [mixture for volume_nl, mixture in portions for _ in range(volume_nl)]


def seen(path: Catheter | NaivePath) -> tuple[object, ...]:
    """What one can see of a path of either kind: fluid in its order, and what has gathered by its kind."""
    if isinstance(path, NaivePath):
        pools = (Counter(path.tip), Counter(path.pocket), Counter(path.spilled))
        return path.tubing, path.catheter, path.held, *pools, path.leaking_ppm
    tubes = tuple(_drops_in(column) for column in (path.tubing, path.implanted, path.held))
    gathered = tuple(Counter(drops(pool.portions())) for pool in (path.tip, path.pocket, path.spilled))
    return *tubes, *gathered, path.leak_phase


def _drops_in(column: Column) -> Drops:
    return drops(plug.portion() for plug in column.plugs)
