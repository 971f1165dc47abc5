"""Naive sample programmers: each the good one but for a flaw that has hurt people, so that its scenario must fail.

A new flaw is a procedure in the room of its subject, and an entry of that room's `FLAWS`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import (
    alarm_handling,
    away,
    bolus,
    cancelling,
    connecting,
    dates,
    drug_library,
    history,
    link,
    looking,
    priming,
    rates,
    reckoning,
    recovery,
    refill,
    refusals,
    scan,
    tones,
    update,
)
from emulator.scenario.samples.sample import Sample

_ROOMS: Final = (
    alarm_handling,
    away,
    bolus,
    cancelling,
    connecting,
    dates,
    drug_library,
    history,
    link,
    looking,
    priming,
    rates,
    reckoning,
    recovery,
    refill,
    refusals,
    scan,
    tones,
    update,
)
FLAWS: Final = MappingProxyType({sample.name: sample for room in _ROOMS for sample in room.FLAWS})


def sample_named(name: str) -> Sample | None:
    """The good sample programmer, or the naive one with a flaw."""
    return GOOD if name == GOOD.name else FLAWS.get(name)
