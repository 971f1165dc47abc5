"""How fast the model is: years of daily use, quiet years, and memory."""

import tracemalloc
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType

from scripts.bench_scenes import EVENTS_A_DAY, US_PER_HOUR, DailyUse, SimpleInfusion, bare_events, simpy_events
from scripts.bench_timing import REPEATS, Figure, Run, timed_s

DAYS_OF_A_YEAR = 365
SLICES, SLICE_DAYS = 50, 73
"""Ten years of daily use."""
BASELINE_EVENTS = 200_000


class ModelRun(Run):
    """Years of so many days. What several measures look at is timed once."""

    @property
    def year_days(self) -> int:
        """Days of a year at this scale."""
        return self.count(DAYS_OF_A_YEAR)

    @cached_property
    def days_of_use_us(self) -> list[float]:
        """Microseconds of a day of `DailyUse`, in each slice of ten years of one pump."""
        use, days = DailyUse(), self.count(SLICE_DAYS)
        return [timed_s(use.run, days) / days * 1e6 for _ in range(SLICES)]

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
        return self.best_us(bare_events, BASELINE_EVENTS)

    @cached_property
    def simpy_event_us(self) -> float:
        """Microseconds of one event of simpy."""
        return self.best_us(simpy_events, BASELINE_EVENTS)


def pump_years_per_second(run: ModelRun) -> Figure:
    """Years of daily use; the baseline gives each of their events to a bare heap."""
    a_year_us = EVENTS_A_DAY * DAYS_OF_A_YEAR
    years, most = (1e6 / (event_us * a_year_us) for event_us in (run.event_us, run.bare_event_us))
    return Figure(years, "pump-years/s", "a bare heap event with a packed record", most)


def event_vs_simpy(run: ModelRun) -> Figure:
    """An event of daily use, with its commit, log record and plant, beside a bare timeout of simpy."""
    return Figure(run.event_us, "us", "a timeout of simpy", run.simpy_event_us)


def simple_year(run: ModelRun) -> Figure:
    """A year of simple continuous infusion beyond its log; the baseline is its log, a record a day."""
    quiet_us, record_us = run.quiet_days_us()
    return Figure(quiet_us * DAYS_OF_A_YEAR / 1e3, "ms", "its 365 log records", record_us * DAYS_OF_A_YEAR / 1e3)


def ten_hours(run: ModelRun) -> Figure:
    """Ten hours in which nothing happens beside one: time by itself costs nothing."""
    _, hour_us, ten_hours_us, *_ = run.quiet_days_us(US_PER_HOUR, US_PER_HOUR, 10 * US_PER_HOUR)
    return Figure(ten_hours_us, "us", "one hour", hour_us)


def late_years(run: ModelRun) -> Figure:
    """A day of an old pump beside one of a young pump: what has been does not weigh."""
    early, late = run.days_of_use_us[: SLICES // 2], run.days_of_use_us[SLICES // 2 :]
    return Figure(min(late), "us", "a day of the first five years", min(early))


def peak_memory(run: ModelRun) -> Figure:
    """The most that Python holds at once in five years of daily use, beside the first of them."""
    tracemalloc.start()
    try:
        use = DailyUse()
        use.run(run.year_days)
        _, first = tracemalloc.get_traced_memory()
        use.run(4 * run.year_days)
        _, fifth = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return Figure(fifth / 1024, "KiB", "the first year", first / 1024)


MODEL_MEASURES: Mapping[str, Callable[[ModelRun], Figure]] = MappingProxyType(
    {
        "model.pump_years_per_second": pump_years_per_second,
        "model.event_vs_simpy": event_vs_simpy,
        "model.simple_year": simple_year,
        "model.ten_hours": ten_hours,
        "model.late_years": late_years,
        "model.peak_memory": peak_memory,
    }
)
