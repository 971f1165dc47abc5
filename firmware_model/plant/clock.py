"""The real-time counter that drives the labelling clock: how it drifts, jumps and is lost, and when it shows what."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.quantities import ceil_div

PS_PER_US = 1_000_000
"""Parts per million of a microsecond are picoseconds, so a reading in picoseconds is exact at any drift."""
MOST_DRIFT_PPM = 1_000_000
"""How far a counter may drift: it stands still at the one end, runs at double speed at the other."""


@dataclass(slots=True)
class Clock:
    """A counter that showed `anchor_reading_ps` at `anchor_us` and has gone on from there.

    Instants (`now_us`) are those of virtual time, and never go back. A lost counter shows 0 and stands still.
    """

    anchor_us: int = 0
    anchor_reading_ps: int = 0
    drift_ppm: int = 0
    lost: bool = False

    def reading_us(self, now_us: int) -> int:
        """What the counter shows, in whole microseconds."""
        if self.drift_ppm or self.lost:
            return self._reading_ps(now_us) // PS_PER_US
        return self.anchor_reading_ps // PS_PER_US + now_us - self.anchor_us

    def when_us(self, reading_us: int, now_us: int) -> int | None:
        """The first instant, not before `now_us`, at which the counter shows a reading or more; None for never."""
        missing_ps = reading_us * PS_PER_US - self._reading_ps(now_us)
        if missing_ps <= 0:
            return now_us
        pace = self._pace()
        return now_us + ceil_div(missing_ps, pace) if pace else None

    def set_drift(self, drift_ppm: int, now_us: int) -> None:
        """From now on gain so much; no fraction is lost. Raises ValueError beyond MOST_DRIFT_PPM."""
        if abs(drift_ppm) > MOST_DRIFT_PPM:
            raise ValueError(f"a drift of {drift_ppm} ppm; at most {MOST_DRIFT_PPM} either way is allowed")
        self._anchor(self._reading_ps(now_us), now_us)
        self.drift_ppm = drift_ppm

    def jump(self, delta_us: int, now_us: int) -> None:
        """Show so much more or less, but never less than 0."""
        self._anchor(max(0, self._reading_ps(now_us) + delta_us * PS_PER_US), now_us)

    def lose(self, now_us: int) -> None:
        """The counter falls to 0 and stands, until it is started again."""
        self._anchor(0, now_us)
        self.lost = True

    def restart(self, now_us: int) -> None:
        """A lost counter counts again, from where it stands."""
        self._anchor(self._reading_ps(now_us), now_us)
        self.lost = False

    def _pace(self) -> int:
        """Picoseconds of the reading in a microsecond of virtual time."""
        return 0 if self.lost else PS_PER_US + self.drift_ppm

    def _reading_ps(self, now_us: int) -> int:
        return self.anchor_reading_ps + (now_us - self.anchor_us) * self._pace()

    def _anchor(self, reading_ps: int, now_us: int) -> None:
        self.anchor_us, self.anchor_reading_ps = now_us, reading_ps
