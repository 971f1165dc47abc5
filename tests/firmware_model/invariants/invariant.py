"""What an invariant is: a code, a sentence, whom it speaks of, what suspends it, a check, and a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from tests.firmware_model.invariants.ward import Ward


class Side(Enum):
    """Whom an invariant speaks of: what is physically so, or what the firmware computes, stores and tells."""

    PLANT = "plant"
    BELIEF = "belief"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Invariant:
    """`suspended_by`: while these faults are there it says less, or nothing; with memory's, in the step of the loss."""

    code: str
    sentence: str
    side: Side
    suspended_by: frozenset[str]
    check: Callable[[Ward], None]
    source: str


FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "D": "Dose accounting",
        "B": "Bolus and lockout",
        "P": "Programming",
        "A": "Alarms and log",
        "M": "Power and memory",
    }
)
"""What the letters of the codes stand for."""
