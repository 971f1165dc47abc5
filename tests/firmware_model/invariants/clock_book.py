"""The labelling clock in the books, and what a flex schedule has given under it between two instants."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from firmware_model.firmware.program import Program
from firmware_model.quantities import US_PER_DAY, US_PER_MINUTE, US_PER_SECOND

_WEEK_US = 7 * US_PER_DAY
_THURSDAY_US = 3 * US_PER_DAY
"""Unix time begins on a Thursday, a schedule on a Monday."""
_PPM = 1_000_000


class ClockBook:
    """A counter of picoseconds that the tester's faults move, and the Unix time that a clinician gave it."""

    __slots__ = ("_at_us", "_shows_ps", "base_us", "drift_ppm", "lost", "offset_min", "valid")

    def __init__(self, base_us: int, offset_min: int) -> None:
        self._at_us = self._shows_ps = self.drift_ppm = 0
        self.lost, self.valid = False, True
        self.base_us, self.offset_min = base_us, offset_min

    def adopt(self, at_us: int, shows_ps: int, drift_ppm: int, *, lost: bool) -> None:
        """Take the counter up where it stands."""
        self._at_us, self._shows_ps, self.drift_ppm, self.lost = at_us, shows_ps, drift_ppm, lost

    def unix_us(self, now_us: int) -> int:
        return self.base_us + self.reading_us(now_us)

    def local_us(self, now_us: int) -> int:
        return self.unix_us(now_us) + self.offset_min * US_PER_MINUTE

    def when_local(self, local_us: int, now_us: int) -> int | None:
        """The first instant at which it shows a local time that lies ahead; None for never."""
        missing_ps = (local_us - self.offset_min * US_PER_MINUTE - self.base_us) * _PPM - self._ps(now_us)
        pace = self._pace()
        return now_us - (-missing_ps // pace) if pace else None

    def reading_us(self, now_us: int) -> int:
        return self._ps(now_us) // _PPM

    def set(self, unix_s: int, offset_min: int, set_us: int, reading_us: int) -> None:
        """It was set at an instant at which the counter showed so much; a lost one has counted since then."""
        if self.lost:
            self._from_now(self._ps(set_us), set_us)
        self.lost, self.valid, self.offset_min = False, True, offset_min
        self.base_us = unix_s * US_PER_SECOND - reading_us

    def drift(self, ppm: int, now_us: int) -> None:
        if ppm != self.drift_ppm:
            self._from_now(self._ps(now_us), now_us)
            self.drift_ppm = ppm

    def jump(self, seconds: int, now_us: int) -> None:
        self._from_now(max(0, self._ps(now_us) + seconds * US_PER_SECOND * _PPM), now_us)

    def lose(self, now_us: int) -> None:
        self._from_now(0, now_us)
        self.lost = True

    def _pace(self) -> int:
        return 0 if self.lost else _PPM + self.drift_ppm

    def _ps(self, now_us: int) -> int:
        return self._shows_ps + (now_us - self._at_us) * self._pace()

    def _from_now(self, shows_ps: int, now_us: int) -> None:
        self._at_us, self._shows_ps = now_us, shows_ps


class WeekBook:
    """A schedule, laid out over its week: where each rate begins, and what flows until there."""

    __slots__ = ("_begins", "_fullest", "_given", "_rates", "_total", "least")

    def __init__(self, program: Program) -> None:
        self._begins = [
            day * US_PER_DAY + change.start_min * US_PER_MINUTE
            for day, changes in enumerate(program.schedule)
            for change in changes
        ]
        self._rates = [change.rate_nl_per_day for changes in program.schedule for change in changes]
        self._given, self._total = [], 0
        for (begin, end), rate in zip(pairwise([*self._begins, _WEEK_US]), self._rates, strict=True):
            self._given.append(self._total)
            self._total += (end - begin) * rate
        self.least = min(self._rates)
        self._fullest = 0

    def rate(self, local_us: int) -> int:
        return self._rates[bisect_right(self._begins, (local_us + _THURSDAY_US) % _WEEK_US) - 1]

    def given(self, from_us: int, to_us: int, clock: ClockBook) -> int:
        """What flows between two instants, in nl/d times us."""
        if not (clock.drift_ppm or clock.lost):
            local_us = clock.local_us(from_us)
            return self._until(local_us + to_us - from_us) - self._until(local_us)
        total, at_us = 0, from_us
        while at_us < to_us:
            local_us = clock.local_us(at_us)
            ends_us = clock.when_local(self._next(local_us), at_us)
            until_us = to_us if ends_us is None else min(ends_us, to_us)
            total += (until_us - at_us) * self.rate(local_us)
            at_us = until_us
        return total

    def fullest_day(self) -> int:
        """The most that flows in any 24 hours, in nl/d times us: such a day begins or ends where a rate does."""
        if not self._fullest:
            monday = _WEEK_US - _THURSDAY_US
            starts = [monday + (begin - before) % _WEEK_US for begin in self._begins for before in (0, US_PER_DAY)]
            self._fullest = max(self._until(start + US_PER_DAY) - self._until(start) for start in starts)
        return self._fullest

    def _until(self, local_us: int) -> int:
        weeks, in_week = divmod(local_us + _THURSDAY_US, _WEEK_US)
        place = bisect_right(self._begins, in_week) - 1
        return weeks * self._total + self._given[place] + (in_week - self._begins[place]) * self._rates[place]

    def _next(self, local_us: int) -> int:
        in_week = (local_us + _THURSDAY_US) % _WEEK_US
        place = bisect_right(self._begins, in_week)
        return local_us - in_week + (self._begins[place] if place < len(self._begins) else _WEEK_US)
