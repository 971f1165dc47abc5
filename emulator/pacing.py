"""Virtual time against wall time: how fast a pump's time runs, exactly and without drift.

A `Pacer` reads no clock. It is given the wall's time in nanoseconds, of any clock that does not go back, and keeps one
anchor: a pair of wall and virtual time, from which all else is computed in fractions. So nothing is ever rounded twice.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor

# A thousand million seconds in one: thirty years in one second.
SPEED_LIMIT = 1_000_000_000
SPEED_DECIMALS = 9

_NS_PER_US = 1000
_DECIMAL = re.compile(rf"[0-9]{{1,10}}(\.[0-9]{{1,{SPEED_DECIMALS}}})?", re.ASCII)


class SpeedError(ValueError):
    """A text that is no speed; its own text is one sentence for the user."""


def parse_speed(text: str) -> Fraction:
    """Read virtual seconds per second: a decimal number such as `200`, `0.5` or `0`."""
    speed = Fraction(text) if _DECIMAL.fullmatch(text) else None
    if speed is None or speed > SPEED_LIMIT:
        raise SpeedError(
            f"{text!r} is no speed: allowed are decimal numbers from 0 to {SPEED_LIMIT}, "
            f"with up to {SPEED_DECIMALS} decimals, such as 200, 0.5 or 0."
        )
    return speed


class Pacer:
    """Gives the pump's `now` for a moment of the wall clock.

    speed           virtual seconds per second while no session is open
    session_speed   the same while one is open
    """

    def __init__(self, speed: Fraction, session_speed: Fraction, wall_ns: int, now_us: int = 0) -> None:
        if speed < 0 or session_speed < 0:
            raise ValueError("a speed is not negative")
        self.speed = speed
        self.session_speed = session_speed
        self._session_open = False
        self._anchor_wall_ns = wall_ns
        self._latest_wall_ns = wall_ns
        self._anchor_us = Fraction(now_us)

    @property
    def session_open(self) -> bool:
        """Whether the speed of a session holds."""
        return self._session_open

    @property
    def current_speed(self) -> Fraction:
        """The speed that holds now."""
        return self.session_speed if self._session_open else self.speed

    def now_us(self, wall_ns: int) -> int:
        """The virtual time; it never goes back (but by `hold_back` and `go_on_from`), even if the wall's does."""
        return floor(self._exact_us(wall_ns))

    def set_session_open(self, session_open: bool, wall_ns: int) -> None:
        """Change between the two speeds, from this moment on."""
        if session_open is not self._session_open:
            self._move_anchor(wall_ns)
            self._session_open = session_open

    def jump(self, delta_us: int, wall_ns: int) -> None:
        """Let virtual time pass at once."""
        if delta_us < 0:
            raise ValueError("virtual time does not go back")
        self._move_anchor(wall_ns)
        self._anchor_us += delta_us

    def hold_back(self, now_us: int, wall_ns: int) -> None:
        """Go on from an earlier virtual time, which is all that the pump has reached. Without effect on a later one."""
        self._move_anchor(wall_ns)
        self._anchor_us = min(self._anchor_us, Fraction(now_us))

    def go_on_from(self, now_us: int, wall_ns: int) -> None:
        """Go on from another virtual time, earlier or later: the pump is another one than before."""
        self._move_anchor(wall_ns)
        self._anchor_us = Fraction(now_us)

    def wall_delay_ns(self, deadline_us: int, wall_ns: int) -> int | None:
        """How long until `now_us` reaches the deadline; None if time stands still and never brings it."""
        missing_us = deadline_us - self._exact_us(wall_ns)
        if missing_us <= 0:
            return 0
        if self.current_speed == 0:
            return None
        return ceil(missing_us * _NS_PER_US / self.current_speed)

    def _exact_us(self, wall_ns: int) -> Fraction:
        self._latest_wall_ns = max(wall_ns, self._latest_wall_ns)
        return self._anchor_us + (self._latest_wall_ns - self._anchor_wall_ns) * self.current_speed / _NS_PER_US

    def _move_anchor(self, wall_ns: int) -> None:
        self._anchor_us = self._exact_us(wall_ns)
        self._anchor_wall_ns = self._latest_wall_ns
