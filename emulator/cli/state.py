"""`vpump state`: what a save-state holds, and where two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import compress, count
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.quantities import format_duration_us
from emulator.cli.wording import aligned
from firmware_model.pump_state import named
from firmware_model.savestate import MAX_SAVE_STATE_BYTES, SaveState, read_sealed
from firmware_model.state_reading import Branch, Member, StateError, Tree, tree

EXIT_DIFFERENT: Final = 1
LONG_BYTES: Final = 16
LONG_TEXT: Final = 80
SHA_DIGITS: Final = 12
ROOT: Final = "."

_EXAMPLES = """
\b
Examples:
  vpump state show pump.state
  vpump state show pump.state --json | jq '.fields["plant.motor.steps"]'
  vpump state diff before.state after.state

\b
A save-state is the whole of a pump at one instant: plant, memory and firmware. Its profile is not
in it, so a save-state of any profile and of any model version can be looked into.
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(epilog=_EXAMPLES)
def state() -> None:
    """Save-states: what one holds, and where two differ."""


@state.command(epilog="\b\nExamples:\n  vpump state show pump.state\n  vpump state show pump.state --json")
@click.argument("file", type=_FILE)
@json_option
def show(file: Path) -> None:
    """Show what a save-state holds. What it is of comes first, then a line `path = value` for each value."""
    opened = _open(file)
    if json_requested():
        values = {path: cell.document for path, cell in opened.cells.items()}
        click.echo(json.dumps({**opened.header, "now_us": opened.now_us, "fields": values}))
        return
    for line in [*aligned(opened.header_rows()), ""]:
        click.echo(line)
    for path, cell in opened.cells.items():
        click.echo(f"{path} = {cell.text}")


@state.command(
    epilog="""
\b
Examples:
  vpump state diff before.state after.state
  vpump state diff before.state after.state --json

\b
Exit status: 0 they are equal, 1 they differ, 2 wrong usage, or one of them is no save-state.
""",
)
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@json_option
@click.pass_context
def diff(context: click.Context, old: Path, new: Path) -> None:
    """Show where two save-states differ. Each line has the path, the value in OLD, and that in NEW."""
    before, after = _open(old), _open(new)
    header = {
        name: {"old": before.header[name], "new": after.header[name]}
        for name in before.header
        if before.header[name] != after.header[name]
    }
    changes = list(_changes(before.cells, after.cells))
    if json_requested():
        fields = {change.path: change.document() for change in changes}
        click.echo(json.dumps({"equal": not (header or changes), "header": header, "fields": fields}))
    else:
        for name, values in header.items():
            click.echo(f"{name.replace('_', ' ')}: {values['old']} -> {values['new']}")
        for change in changes:
            click.echo(change.line())
        if not (header or changes):
            click.echo("The two states are equal.")
    if header or changes:
        context.exit(EXIT_DIFFERENT)


class Cell(NamedTuple):
    """A value at a path: for people, as a JSON value, and its bytes if it is bytes."""

    text: str
    document: Any
    raw: bytes | None = None


class Change(NamedTuple):
    """Two cells of one path; None where there is none."""

    path: str
    old: Cell | None
    new: Cell | None

    def document(self) -> dict[str, Any]:
        """As JSON values; what is absent has no key."""
        found = {name: cell.document for name, cell in (("old", self.old), ("new", self.new)) if cell is not None}
        at = self._first_difference()
        return found if at is None else {**found, "first_difference": at}

    def line(self) -> str:
        """For people."""
        old, new = ("absent" if cell is None else cell.text for cell in (self.old, self.new))
        at = self._first_difference()
        return f"{self.path}: {old} -> {new}" + ("" if at is None else f" (from byte {at} on)")

    def _first_difference(self) -> int | None:
        """The place of the first byte that differs, where both are bytes."""
        if self.old is None or self.new is None or self.old.raw is None or self.new.raw is None:
            return None
        old, new = self.old.raw, self.new.raw
        differ = (one != other for one, other in zip(old, new, strict=False))
        return next(compress(count(), differ), min(len(old), len(new)))


class Opened(NamedTuple):
    """A save-state that has been read: what it says of itself, when it was, and its cells by their paths."""

    header: dict[str, Any]
    now_us: int | None
    cells: dict[str, Cell]

    def header_rows(self) -> list[tuple[str, str]]:
        """The header for people."""
        rows = [(name.replace("_", " "), str(value)) for name, value in self.header.items()]
        return rows if self.now_us is None else [*rows, ("virtual time", format_duration_us(self.now_us))]


def _open(file: Path) -> Opened:
    try:
        with file.open("rb") as opened:
            found = read_sealed(opened.read(MAX_SAVE_STATE_BYTES + 1))
        held = named(tree(found.content))
    except OSError as error:
        raise UsageFailure(f"{file} cannot be read: {error.strerror}.") from None
    except StateError as error:
        raise UsageFailure(f"{file}: {error}") from None
    return Opened(_header(found), _now_us(held), dict(_cells("", held)))


def _header(found: SaveState) -> dict[str, Any]:
    return {
        "profile": found.profile_name,
        "profile_sha256": found.profile_digest,
        "serial_number": f"{found.serial_number:08X}",
        "model_version": found.model_version,
    }


def _now_us(held: Tree) -> int | None:
    """The virtual time at which it was saved, if it says so under the name that it has in a pump."""
    named = dict(zip(held.fields, held.items, strict=False)) if isinstance(held, Branch) else {}
    now_us = named.get("now_us")
    return now_us if isinstance(now_us, int) and not isinstance(now_us, bool) else None


def _cells(path: str, held: Tree) -> Iterator[tuple[str, Cell]]:
    """A value and all that it holds, by their paths."""
    here = path.removeprefix(".") or ROOT
    match held:
        case Branch():
            yield here, _cell_of_branch(held)
            names = [f".{name}" for name in held.fields] or [f"[{at}]" for at in range(len(held.items))]
            for name, item in zip(names, held.items, strict=True):
                yield from _cells(path + name, item)
        case Member(name, Branch() | Member() as value):
            yield here, Cell(f"{name}(…)", {"enum": name})
            yield from _cells(f"{path}.value", value)
        case Member(name, value):
            leaf = _cell_of_leaf(value)
            yield here, Cell(f"{name}({leaf.text})", {"enum": name, "value": leaf.document})
        case _:
            yield here, _cell_of_leaf(held)


def _cell_of_branch(branch: Branch) -> Cell:
    length = len(branch.items)
    match branch.kind:
        case "dataclass":
            return Cell(branch.name, {"class": branch.name})
        case "named tuple":
            return Cell(f"{branch.name}, a named tuple", {"named_tuple": branch.name})
        case "deque":
            bound = "" if branch.maxlen is None else f", at most {branch.maxlen}"
            return Cell(f"deque of {length}{bound}", {"deque": length, "maxlen": branch.maxlen})
    return Cell(f"{branch.kind} of {length}", {branch.kind: length})


def _cell_of_leaf(value: Any) -> Cell:
    if isinstance(value, bytes | bytearray):
        return _cell_of_bytes(type(value).__name__, bytes(value))
    # JSON's way to write text keeps a hostile file from sending anything to the terminal.
    text = "none" if value is None else json.dumps(value)
    return Cell(text if len(text) <= LONG_TEXT or isinstance(value, int) else f"{text[:LONG_TEXT]}…", value)


def _cell_of_bytes(kind: str, raw: bytes) -> Cell:
    if len(raw) <= LONG_BYTES:
        return Cell(f"{kind} {raw.hex()}".rstrip(), {kind: len(raw), "hex": raw.hex()}, raw)
    sha256 = hashlib.sha256(raw).hexdigest()
    return Cell(f"{kind} of {len(raw)}, sha256 {sha256[:SHA_DIGITS]}…", {kind: len(raw), "sha256": sha256}, raw)


def _changes(old: Mapping[str, Cell], new: Mapping[str, Cell]) -> Iterator[Change]:
    """All paths of which the cells differ, in the order of the old ones, then of the new."""
    for path in dict.fromkeys([*old, *new]):
        one, other = old.get(path), new.get(path)
        if one is None or other is None or _identity(one) != _identity(other):
            yield Change(path, one, other)


def _identity(cell: Cell) -> tuple[str, bytes | None]:
    """What tells two cells apart: Python finds true equal to 1, JSON does not."""
    return json.dumps(cell.document), cell.raw
