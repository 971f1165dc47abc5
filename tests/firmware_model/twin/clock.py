"""The twin's clock: a counter that drifts, jumps, or is lost, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor


class TwinClock:
    """What it shows is what it showed at an instant, and what it has gained since then."""

    def __init__(self) -> None:
        self.showed, self.at, self.pace = Fraction(0), 0, Fraction(1)
        self.lost = False

    def reading_us(self, now: int) -> int:
        return floor(self._shows(now))

    def when(self, reading_us: int, now: int) -> int | None:
        """The first instant at which it shows so much."""
        if self._shows(now) >= reading_us:
            return now
        pace = Fraction(0) if self.lost else self.pace
        return now + ceil((reading_us - self._shows(now)) / pace) if pace else None

    def drift(self, ppm: int, now: int) -> None:
        self._from_now(self._shows(now), now)
        self.pace = 1 + Fraction(ppm, 1_000_000)

    def jump(self, seconds: int, now: int) -> None:
        self._from_now(max(Fraction(0), self._shows(now) + seconds * 1_000_000), now)

    def lose(self, now: int) -> None:
        self._from_now(Fraction(0), now)
        self.lost = True

    def restart(self, now: int) -> None:
        self._from_now(self._shows(now), now)
        self.lost = False

    def _shows(self, now: int) -> Fraction:
        return self.showed if self.lost else self.showed + (now - self.at) * self.pace

    def _from_now(self, shows: Fraction, now: int) -> None:
        self.showed, self.at = shows, now
