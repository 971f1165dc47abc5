"""What can be done to the fluid path, for tests: acts, both ways to do them, and worlds of them to search through."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from firmware_model.plant.catheter import Catheter
from firmware_model.plant.mixture import CSF, Mixture, mixture_of
from tests.firmware_model.plant.naive_fluid import Drops, NaivePath, drops, seen

MORPHINE = mixture_of(("morphine", 20_000_000))
WEAKER = mixture_of(("morphine", 7_000_000))
BOTH = mixture_of(("bupivacaine", 4_000_001), ("morphine", 9_999_999))
MIXTURES = (CSF, MORPHINE, WEAKER, BOTH)

FLOWS = ("push", "pull")
FAULTS = ("occlude", "release", "leak", "disconnect", "reconnect")
SURGERY = ("cut", "replace")


@dataclass(frozen=True)
class Act:
    """`amount` is a volume in nl; for a leak it is its ppm."""

    what: str
    amount: int = 0
    mixture: Mixture = CSF

    def in_pieces(self, cuts: Iterable[int]) -> list["Act"]:
        """The same flow, cut at some of its volumes."""
        places = sorted({0, self.amount, *(cut % (self.amount + 1) for cut in cuts)})
        return [Act(self.what, end - start, self.mixture) for start, end in pairwise(places)]


def do(path: Catheter, act: Act) -> int | Drops | None:
    """Returns what the pump notices: what went in, or what came back."""
    match act.what:
        case "push":
            return path.push(act.amount, act.mixture)
        case "pull":
            return drops(path.pull(act.amount))
        case "leak":
            path.leak(act.amount)
        case "cut":
            path.cut(min(act.amount, path.implanted.volume_nl))
        case "replace":
            path.replace(act.amount)
        case _:
            getattr(path, act.what)()
    return None


def do_naively(path: NaivePath, act: Act) -> int | Drops | None:
    """The same, one nanolitre after the other."""
    match act.what:
        case "push":
            return sum(path.push(act.mixture) for _ in range(act.amount))
        case "pull":
            return [drop for _ in range(act.amount) for drop in path.pull()]
        case "leak":
            path.change(leak_ppm=act.amount)
        case "cut":
            path.cut(min(act.amount, len(path.catheter)))
        case "replace":
            path.replace(act.amount)
        case "occlude" | "release":
            path.change(occluded=act.what == "occlude")
        case _:
            path.change(disconnected=act.what == "disconnect")
    return None


def search_fluid_worlds(seed: int, count: int) -> None:
    """Live so many random lives of a path beside its naive twin; an AssertionError names the world that differs."""
    for world in range(seed, seed + count):
        chance = Random(world)  # noqa: S311 - a search, not a secret
        tubing_nl, catheter_nl, compliance_nl = (chance.randrange(limit) for limit in (12, 20, 6))
        path = Catheter.filled(tubing_nl, catheter_nl, CSF, compliance_nl)
        twin = NaivePath([CSF] * tubing_nl, [CSF] * catheter_nl, compliance_nl)
        for step in range(40):
            act = random_act(chance)
            assert do(path, act) == do_naively(twin, act), f"world {world}, step {step}: {act}"
            assert seen(path) == seen(twin), f"world {world}, step {step}: {act}"


def random_act(chance: Random) -> Act:
    """Mostly flow, now and then a fault, seldom surgery."""
    kind = chance.choices((("push",), ("pull",), FAULTS, SURGERY), (12, 3, 5, 1))[0]
    what = chance.choice(kind)
    if what == "leak":
        return Act(what, chance.choice((0, 1_000, 150_000, 333_333, 1_000_000)))
    return Act(what, chance.randrange(25), chance.choice(MIXTURES))
