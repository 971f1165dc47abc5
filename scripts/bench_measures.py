"""How fast model and wire are, each figure beside a baseline of the same run; `scripts/bench` starts it.

A time is that of this machine; its ratio to the baseline is much the same on any. Each is the best of several slices,
in the processor time of this process alone: whatever else the machine does can only make a slice longer.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from firmware_model import MODEL_VERSION
from scripts.bench_model import MODEL_MEASURES, ModelRun
from scripts.bench_timing import Figure, Run
from scripts.bench_wire import WIRE_MEASURES, WireRun

LEAST_SCALE, MOST_SCALE = 0.001, 100
INTERRUPTED = 130

GROUPS: Mapping[type[Run], Mapping[str, Callable[[Any], Figure]]] = MappingProxyType(
    {ModelRun: MODEL_MEASURES, WireRun: WIRE_MEASURES}
)
MEASURES: Mapping[str, Callable[[Any], Figure]] = MappingProxyType(
    {name: measure for group in GROUPS.values() for name, measure in group.items()}
)


def measured(names: Collection[str], scale: float) -> Iterator[tuple[str, Figure]]:
    """The figures of these measures, each as soon as it is there; those of a group share one run."""
    for kind, measures in GROUPS.items():
        run = kind(scale)
        for name in (name for name in measures if name in names):
            yield name, measures[name](run)


def report(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "model_version": MODEL_VERSION,
        "measures": {name: figure.told() for name, figure in figures.items()},
    }


def _line(name: str, figure: Figure) -> str:
    told = figure.told()
    against = f"{told['ratio']:.3g} times {figure.baseline} ({figure.baseline_value:,.4g})"
    return f"{name:<28} {figure.value:>9,.4g} {figure.unit:<13} {against}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", allow_abbrev=False, description=__doc__)
    parser.add_argument("measure", nargs="*", metavar="MEASURE", help=f"{', '.join(MEASURES)}; all if none is named")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--scale", type=_scale, default=1.0, metavar="X", help="do X times as much as is usual")
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    options = parser.parse_args(arguments)
    if options.list:
        for name, measure in MEASURES.items():
            print(f"{name:<28} {measure.__doc__}")
        return 0
    unknown = [name for name in options.measure if name not in MEASURES]
    if unknown:
        parser.error(f"no measure {', '.join(map(repr, unknown))}; there are {', '.join(MEASURES)}")
    figures = {}
    for name, figure in measured(options.measure or MEASURES, options.scale):
        figures[name] = figure
        if not options.json:
            print(_line(name, figure), flush=True)
    if options.json:
        print(json.dumps(report(figures), indent=2))
    return 0


def _scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LEAST_SCALE <= value <= MOST_SCALE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no scale; allowed is a number from {LEAST_SCALE} to {MOST_SCALE}"
        )
    return value


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
