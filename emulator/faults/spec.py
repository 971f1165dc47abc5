"""What a line fault's one line says, parsed: a verb of the registry, where and when it strikes, how often, and how."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.wire import Direction

ANY = "any"
"""Stands for every operation."""
CERTAIN_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A line fault: from the `nth` matching frame on it strikes `count` times, then it is gone.

    chance_ppm        how likely a frame is struck whose turn it is, drawn from a generator that begins with `seed`
    after_us, for_us  its window, from when it is armed; `for_us` 0: without end. Outside of it nothing is counted
    own               what only its verb takes, each value by its parameter's name, in the order of the registry
    """

    verb: str
    direction: Direction
    name: str
    nth: int = 1
    count: int = 1
    chance_ppm: int = CERTAIN_PPM
    seed: int = 0
    after_us: int = 0
    for_us: int = 0
    own: tuple[tuple[str, int], ...] = ()
