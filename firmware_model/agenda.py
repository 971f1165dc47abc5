"""What happens when, and the order of things at one instant.

The agenda is a table: each entry has a rank, and a function that says when it is next due. The pump asks for the first
due entry, settles all flow up to that instant, and lets it act. Motor steps come before every entry, for settling
includes the instant itself; inputs from outside come after every entry, for a pump is advanced before it is given one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

MOST_AT_ONE_INSTANT = 64
"""Entries that may act at one instant; more means an entry that does not settle what made it due."""


class Rank(IntEnum):
    """Who acts first when several are due at one instant."""

    BOLUS_COMPLETE = 1
    LOW_RESERVOIR = 2
    EMPTY_RESERVOIR = 3
    LEASE_OUT = 4
    FAILURES_LOGGED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can come due: `due()` gives the virtual time or None, `act(now)` does it."""

    rank: Rank
    due: Callable[[], int | None]
    act: Callable[[int], None]


def first_due(entries: Sequence[Entry]) -> tuple[int, Entry] | None:
    """The entry that is due first, by time and then by rank."""
    first: tuple[int, Entry] | None = None
    for entry in entries:
        due = entry.due()
        if due is not None and (first is None or (due, entry.rank) < (first[0], first[1].rank)):
            first = (due, entry)
    return first
