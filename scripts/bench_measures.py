"""How fast the model is, each figure beside a baseline of the same run; `scripts/bench` starts it.

A time is that of this machine; its ratio to the baseline is much the same on any. Each is the best of several slices,
in the processor time of this process alone: whatever else the machine does can only make a slice longer.
"""

import argparse
import json
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from firmware_model import MODEL_VERSION
from scripts.bench_scenes import EVENTS_A_DAY, US_PER_HOUR, DailyUse, SimpleInfusion, bare_events, simpy_events

DAYS_OF_A_YEAR = 365
SLICES, SLICE_DAYS = 50, 73
"""Ten years of daily use."""
BASELINE_EVENTS = 200_000
REPEATS = 5
LEAST_SCALE, MOST_SCALE = 0.001, 100
INTERRUPTED = 130


@dataclass(frozen=True)
class Figure:
    """What was measured, and the baseline that it is held against, in the same unit."""

    value: float
    unit: str
    baseline: str
    baseline_value: float

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "baseline_value": self.baseline_value,
            "ratio": self.value / self.baseline_value,
        }


class Bench:
    """One run at a scale: years of so many days. What several measures look at is timed once."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def _count(self, usual: int) -> int:
        return max(1, round(usual * self._scale))

    @property
    def year_days(self) -> int:
        """Days of a year at this scale."""
        return self._count(DAYS_OF_A_YEAR)

    @cached_property
    def days_of_use_us(self) -> list[float]:
        """Microseconds of a day of `DailyUse`, in each slice of ten years of one pump."""
        use, days = DailyUse(), self._count(SLICE_DAYS)
        return [_timed(use.run, days) / days * 1e6 for _ in range(SLICES)]

    @property
    def event_us(self) -> float:
        """Microseconds of an event of `DailyUse`."""
        return min(self.days_of_use_us) / EVENTS_A_DAY

    def quiet_days_us(self, *waits_us: int) -> list[float]:
        """Microseconds that the parts of a day of `SimpleInfusion` take."""
        years = []
        for _ in range(REPEATS):
            pump = SimpleInfusion()
            days = [pump.day(*waits_us) for _ in range(self.year_days)]
            years.append([sum(part) / len(days) * 1e6 for part in zip(*days, strict=True)])
        return [min(part) for part in zip(*years, strict=True)]

    @cached_property
    def bare_event_us(self) -> float:
        """Microseconds of one event of the ceiling."""
        return self._event_us(bare_events)

    @cached_property
    def simpy_event_us(self) -> float:
        """Microseconds of one event of simpy."""
        return self._event_us(simpy_events)

    def _event_us(self, run: Callable[[int], None]) -> float:
        count = self._count(BASELINE_EVENTS)
        return min(_timed(run, count) for _ in range(REPEATS)) / count * 1e6


def _timed(run: Callable[[int], None], count: int) -> float:
    start = time.process_time()
    run(count)
    return time.process_time() - start


def pump_years_per_second(bench: Bench) -> Figure:
    """Years of daily use; the baseline gives each of their events to a bare heap."""
    a_year_us = EVENTS_A_DAY * DAYS_OF_A_YEAR
    years, most = (1e6 / (event_us * a_year_us) for event_us in (bench.event_us, bench.bare_event_us))
    return Figure(years, "pump-years/s", "a bare heap event with a packed record", most)


def event_vs_simpy(bench: Bench) -> Figure:
    """An event of daily use, with its commit, log record and plant, beside a bare timeout of simpy."""
    return Figure(bench.event_us, "us", "a timeout of simpy", bench.simpy_event_us)


def simple_year(bench: Bench) -> Figure:
    """A year of simple continuous infusion beyond its log; the baseline is its log, a record a day."""
    quiet_us, record_us = bench.quiet_days_us()
    return Figure(quiet_us * DAYS_OF_A_YEAR / 1e3, "ms", "its 365 log records", record_us * DAYS_OF_A_YEAR / 1e3)


def ten_hours(bench: Bench) -> Figure:
    """Ten hours in which nothing happens beside one: time by itself costs nothing."""
    _, hour_us, ten_hours_us, *_ = bench.quiet_days_us(US_PER_HOUR, US_PER_HOUR, 10 * US_PER_HOUR)
    return Figure(ten_hours_us, "us", "one hour", hour_us)


def late_years(bench: Bench) -> Figure:
    """A day of an old pump beside one of a young pump: what has been does not weigh."""
    early, late = bench.days_of_use_us[: SLICES // 2], bench.days_of_use_us[SLICES // 2 :]
    return Figure(min(late), "us", "a day of the first five years", min(early))


def peak_memory(bench: Bench) -> Figure:
    """The most that Python holds at once in five years of daily use, beside the first of them."""
    tracemalloc.start()
    try:
        use = DailyUse()
        use.run(bench.year_days)
        _, first = tracemalloc.get_traced_memory()
        use.run(4 * bench.year_days)
        _, fifth = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Figure(fifth / 1024, "KiB", "the first year", first / 1024)


MEASURES: Mapping[str, Callable[[Bench], Figure]] = MappingProxyType(
    {
        "model.pump_years_per_second": pump_years_per_second,
        "model.event_vs_simpy": event_vs_simpy,
        "model.simple_year": simple_year,
        "model.ten_hours": ten_hours,
        "model.late_years": late_years,
        "model.peak_memory": peak_memory,
    }
)


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
    parser.add_argument("--scale", type=_scale, default=1.0, metavar="X", help="years X times as long as is usual")
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    options = parser.parse_args(arguments)
    if options.list:
        for name, measure in MEASURES.items():
            print(f"{name:<28} {measure.__doc__}")
        return 0
    unknown = [name for name in options.measure if name not in MEASURES]
    if unknown:
        parser.error(f"no measure {', '.join(map(repr, unknown))}; there are {', '.join(MEASURES)}")
    bench, figures = Bench(options.scale), {}
    for name in options.measure or MEASURES:
        figures[name] = MEASURES[name](bench)
        if not options.json:
            print(_line(name, figures[name]), flush=True)
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
