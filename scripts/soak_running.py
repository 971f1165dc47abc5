"""How a long search runs: at its scale, with progress, and with the arguments that repeat a fault of it."""

import argparse
import secrets
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

PROGRESS_S = 3.0
SEED_BITS = 32
MOST_SEED_DIGITS = 30
MOST_SCALE = 1_000_000

Figures = Counter[str]
Tick = Callable[[], None]


@dataclass(frozen=True)
class Campaign:
    """A search of so many units at scale 1.

    run      does `units` of them from a seed, adds to the figures, and ticks behind each; a fault is an exception
    of_seed  units that a seed stands for, and the next seed for those behind them; None: one seed stands for all
    """

    name: str
    meaning: str
    unit: str
    units: int
    run: Callable[[int, int, Figures, Tick], None]
    of_seed: int | None = None

    def repeats(self, seed: int, done: int, total: int) -> str:
        """The arguments that run the unit again that comes behind `done` of them."""
        if self.of_seed is None:
            return f"{self.name} --seed {seed} --scale {total / self.units:g}"
        at = done // self.of_seed
        size = min(self.of_seed, total - at * self.of_seed)
        return f"{self.name} --seed {seed + at} --scale {size / self.units:g}"


@dataclass
class Progress:
    """How far a campaign has come, told every few seconds."""

    campaign: Campaign
    total: int
    now: Callable[[], float] = time.monotonic
    done: int = 0
    figures: Figures = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.began = self.told = self.now()

    @property
    def seconds(self) -> float:
        return self.now() - self.began

    def tick(self) -> None:
        self.done += 1
        if self.now() - self.told >= PROGRESS_S:
            self.told = self.now()
            print(f"{self.campaign.name:<8} {self.so_far()}, {self.done / max(self.seconds, 1e-9):.2f}/s", flush=True)

    def so_far(self) -> str:
        return f"{self.done:,} of {self.total:,} {self.campaign.unit}"

    def told_figures(self) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in self.figures.items())


def run_campaign(campaign: Campaign, seed: int, scale: float) -> bool:
    """Run one campaign to its verdict. Raises KeyboardInterrupt when it has said how far it came."""
    progress = Progress(campaign, max(1, round(campaign.units * scale)))
    verdict, error = "ok", ""
    try:
        print(f"{campaign.name:<8} {progress.total:,} {campaign.unit}, seed {seed}", flush=True)
        campaign.run(seed, progress.total, progress.figures, progress.tick)
    except KeyboardInterrupt:
        print(f"{campaign.name:<8} interrupted: {progress.so_far()} in {progress.seconds:.1f} s were well")
        raise
    except Exception:  # a campaign's fault may be anything at all, and the others are to run all the same
        verdict, error = "FAILED", traceback.format_exc()
    told = f", {progress.told_figures()}" if progress.figures else ""
    print(f"{campaign.name:<8} {verdict}: {progress.so_far()} in {progress.seconds:.1f} s{told}", flush=True)
    if error:
        repeats = campaign.repeats(seed, progress.done, progress.total)
        print(f"{error}{campaign.name:<8} to repeat it: scripts/soak {repeats}", flush=True)
    return not error


def run(scales: Mapping[str, float], campaigns: Mapping[str, Campaign], seed: int) -> int:
    """Run campaigns one after another, each at its scale; the exit status."""
    failed = [name for name, scale in scales.items() if not run_campaign(campaigns[name], seed, scale)]
    print(f"\nFAILED: {', '.join(failed)} (seed {seed})" if failed else f"\nall is well (seed {seed})")
    return 1 if failed else 0


def command(
    description: str, arguments: Sequence[str], campaigns: Mapping[str, Campaign], quick: Mapping[str, float]
) -> int:
    """Run what the arguments of `scripts/soak` ask for; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/soak", allow_abbrev=False, description=description)
    parser.add_argument("campaign", nargs="*", metavar="CAMPAIGN", help=f"{', '.join(campaigns)}; all if none is named")
    parser.add_argument("--seed", type=_seed, help="what to search from; one is drawn and printed if none is given")
    parser.add_argument("--scale", type=_scale, default=1.0, metavar="X", help="X times as much as is usual")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(quick)}, for a minute or two")
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    options = parser.parse_args(arguments)
    if options.list:
        for each in campaigns.values():
            print(f"{each.name:<8} {each.units:>6,} {each.unit:<9} {each.meaning}")
        return 0
    unknown = [name for name in options.campaign if name not in campaigns]
    if unknown:
        parser.error(f"no campaign {', '.join(map(repr, unknown))}; there are {', '.join(campaigns)}")
    usual = quick if options.quick else dict.fromkeys(campaigns, 1.0)
    scales = {name: usual[name] * options.scale for name in options.campaign or usual if name in usual}
    if not scales:
        parser.error(f"of these none is quick; {', '.join(quick)} would be")
    return run(scales, campaigns, secrets.randbits(SEED_BITS) if options.seed is None else options.seed)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_SEED_DIGITS):
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; allowed is a whole number from 0")
    return int(text)


def _scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MOST_SCALE:
        raise argparse.ArgumentTypeError(f"{text!r} is no scale; allowed is a number above 0, at most {MOST_SCALE:,}")
    return value
