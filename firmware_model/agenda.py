"""What happens when, and the order of things at one instant.

The agenda is a table: each rank has one place, which holds the instant at which it is next due, or NEVER. Whoever
changes what an instant follows from writes the new one into its place. The pump takes the earliest, settles all flow up
to it, and lets it act; of several at one instant the lowest rank acts first. Motor steps come before every rank, for
settling includes the instant itself, and so does what happens to the plant; inputs from outside come after, for a pump
is advanced before it is given one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

NEVER = 1 << 62
"""Later than any instant that a pump can live to see."""
MOST_AT_ONE_INSTANT = 64
"""Ranks that may act at one instant; more means one that does not settle what made it due."""


class Rank(IntEnum):
    """Who acts first when several are due at one instant: docs/pump-model.md says why."""

    BOLUS_COMPLETE = 0
    DOSE_COMPLETE = 1
    LOW_RESERVOIR = 2
    EMPTY_RESERVOIR = 3
    WATCHDOG = 4
    STALL_SAMPLE = 5
    END_OF_SERVICE = 6
    STOPPED_TOO_LONG = 7
    DAY = 8
    SCHEDULE = 9
    DOSE_START = 10
    TONE = 11
    LEASE_OUT = 12
    FAILURES_LOGGED = 13


@dataclass(slots=True)
class Agenda:
    """The instants of one boot, by rank."""

    due_us: list[int] = field(default_factory=lambda: [NEVER] * len(Rank))

    def first(self) -> int:
        """The earliest instant at which anything is due."""
        return min(self.due_us)

    def rank_at(self, instant: int) -> Rank:
        """Who acts first of those that are due at an instant. Raises ValueError when nobody is."""
        return _RANKS[self.due_us.index(instant)]


_RANKS = tuple(Rank)
