"""Writes that go wrong while the power stays: lost, landed with a wrong bit, or lost each time that they are tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Region(Enum):
    """What memory consists of: the slots of the two records, and the ring of the log."""

    CONTROL = "control"
    SECURITY = "security"
    LOG = "log"


class Place(NamedTuple):
    """The bytes of a region from `start` up to, and without, `end`."""

    region: Region
    start: int
    end: int


class WriteFaultKind(Enum):
    """What becomes of a write that a fault strikes.

    LOST     none of it is written
    FLIPPED  all of it is written, but one bit is the other one
    STUCK    none of it is written; its place keeps what it holds for as long as the fault is there
    """

    LOST = "lost"
    FLIPPED = "flipped"
    STUCK = "stuck"


@dataclass(slots=True)
class ArmedWriteFault:
    """A fault that waits for its primitive: `remaining` 1 is the next one.

    bit    which one a FLIPPED write has wrong: from the lowest bit of its first byte on, around its length
    count  how many primitives it still strikes, one after the other. Repeats of a write that was lost are primitives,
           too; but what is stuck is struck once
    stuck  the places that take no write any more
    """

    remaining: int
    kind: WriteFaultKind
    bit: int = 0
    count: int = 1
    stuck: list[Place] = field(default_factory=list)

    @property
    def spent(self) -> bool:
        """Whether no write goes wrong any more."""
        return not (self.count or self.stuck)

    def landing(self, place: Place, old: bytes, new: bytes) -> bytes:
        """What a place holds after the next primitive, from what it held and what is to be written."""
        if self.remaining > 1:
            self.remaining -= 1
        elif self.count and place not in self.stuck:
            self.count -= 1
            if self.kind is WriteFaultKind.LOST:
                return old
            if self.kind is WriteFaultKind.FLIPPED:
                return with_bit_flipped(new, self.bit % (8 * len(new)))
            self.stuck.append(place)
        return self._kept(place, old, new)

    def _kept(self, place: Place, old: bytes, new: bytes) -> bytes:
        landed = bytearray(new)
        for stuck in self.stuck:
            if stuck.region is place.region:
                kept = slice(max(stuck.start - place.start, 0), max(stuck.end - place.start, 0))
                landed[kept] = old[kept]
        return bytes(landed)


def with_bit_flipped(content: bytes, bit: int) -> bytes:
    """The same bytes with one bit the other way round, counted from the lowest one of the first byte."""
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
