"""Every therapy command x every mishap x everybody: each cell with all its ways, or the reason why it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from protocol.messages.codes import OpState
from tests.at_most_once.commands import COMMANDS, Command
from tests.at_most_once.mishaps import (
    LEDGER_WRAPPED,
    MISHAPS,
    ONLY_BETWEEN_CLINICIANS,
    POWER_CUT,
    Mishap,
    Way,
    cuts,
    impossible,
)
from tests.at_most_once.story import Story, Verdict, Who, copied

Figures = Counter[str]


@dataclass(frozen=True)
class Cell:
    """One command, one mishap, one who gives it."""

    command: Command
    mishap: Mishap
    who: Who

    @property
    def name(self) -> str:
        return f"{self.command.name} x {self.mishap.name} x {self.who.value}"

    @property
    def allowed(self) -> bool:
        """Whether its host may give it."""
        return self.who.role is self.command.whose

    @property
    def impossible(self) -> str:
        """Why there is nothing to try, or an empty text."""
        return impossible(self.command.name, self.who, self.mishap, allowed=self.allowed)

    def ways(self) -> Mapping[str, Way]:
        """All ways of the mishap, by their names; at least one if the cell is possible."""
        if self.impossible:
            return {}
        if self.mishap is POWER_CUT:
            return cuts(Story(self.command, self.who))
        left_out = () if self.who is Who.CLINICIAN else ONLY_BETWEEN_CLINICIANS
        return {name: way for name, way in self.mishap.ways.items() if way not in left_out}


CELLS: tuple[Cell, ...] = tuple(Cell(command, mishap, who) for command in COMMANDS for who in Who for mishap in MISHAPS)


def try_way(cell: Cell, way: Way, begun: Story | None = None) -> Verdict:
    """Play one way to its end: no second effect ever, and what can be found out is what is so. Gives what was found."""
    story = begun or Story(cell.command, cell.who)
    way(story)
    story.look(cell.mishap.name)
    verdict = story.verdict()
    story.check(verdict)
    if cell.mishap is LEDGER_WRAPPED:
        assert verdict.query.state is OpState.UNKNOWN_EVICTED
    if story.taken:
        story.undo()
        story.come_late()
        story.again(verdict)
    else:
        story.again(verdict)
        story.undo()
    story.come_late()
    story.insist()
    story.check(story.verdict())
    return verdict


def try_cell(cell: Cell, figures: Figures, *, only: int | None = None) -> int:
    """Try all ways of a cell, or `only` one of them, counted round and round; how many they were."""
    ways = list(cell.ways().items())
    chosen = ways if only is None or not ways else [ways[only % len(ways)]]
    begun = Story(cell.command, cell.who) if ways else None
    for name, way in chosen:
        try:
            verdict = try_way(cell, way, copied(begun) if begun and len(chosen) > 1 else begun)
        except Exception as error:
            error.add_note(f"in the cell {cell.name}: {name}")
            raise
        figures[verdict.query.state.name] += 1
    figures["ways"] += len(chosen)
    figures["cells tried" if ways else "cells that cannot be"] += 1
    return len(chosen)


def table(tried: Mapping[str, int]) -> Iterator[str]:
    """The matrix in lines: how many ways of each cell were tried; . of a cell that was not, - of one that cannot be."""
    yield f"{'command':<24}{'given by':<11}" + "".join(f"{mishap.name:>15}" for mishap in MISHAPS)
    for command in COMMANDS:
        for who in Who:
            cells = [cell for cell in CELLS if (cell.command, cell.who) == (command, who)]
            counts = ["-" if cell.impossible else f"{tried.get(cell.name, '.')}" for cell in cells]
            yield f"{command.name:<24}{who.value:<11}" + "".join(f"{count:>15}" for count in counts)


def reasons() -> Iterator[tuple[str, int]]:
    """Why cells cannot be, with how many there are of each."""
    yield from Counter(cell.impossible for cell in CELLS if cell.impossible).most_common()
