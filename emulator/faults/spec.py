"""What a fault's one line says, parsed: a verb of the registry, where it strikes, and how often."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.wire import Direction

ANY = "any"
"""Stands for every operation."""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A line fault: from the `nth` matching frame on it strikes `count` times, then it is gone."""

    verb: str
    direction: Direction
    name: str
    nth: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.verb} {self.direction.value} {self.name} nth={self.nth} count={self.count}"
