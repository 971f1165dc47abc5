"""`vpump faults`: everything that can be made to go wrong, on the line and in the pump."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import json_requested
from emulator.cli.wording import aligned
from emulator.faults.catalogue import (
    DEVICE,
    LINE,
    FaultEntry,
    ParameterEntry,
    catalogue,
    line_parameters,
    own_parameters,
    times,
)

_EXAMPLES = """
\b
Examples:
  vpump faults
  vpump faults --json | jq -r '.faults[].example'
  vpump serve --fault 'stall after=1h for=2h'
  vpump control fault 'drop answer BOLUS_EXECUTE nth=1'
"""

_HEADINGS = {
    LINE: ("Faults of the line: VERB DIRECTION OPERATION [PARAMETER=VALUE ...]", line_parameters()),
    DEVICE: ("Faults of the pump: VERB [PARAMETER=VALUE ...]", times()),
}


@click.command(epilog=_EXAMPLES)
@json_option
def faults() -> None:
    """Everything that can be made to go wrong, with parameters and an example."""
    if json_requested():
        click.echo(json.dumps({"faults": [asdict(fault) for fault in catalogue()]}))
        return
    click.echo("\n".join(_page()).rstrip())


def _page() -> Iterator[str]:
    for kind, (heading, shared) in _HEADINGS.items():
        yield from (heading, "", "  each of them takes")
        yield from _parameters(shared)
        for fault in catalogue():
            if fault.kind == kind:
                yield from ("", *_entry(fault))
        yield ""


def _entry(fault: FaultEntry) -> Sequence[str]:
    example = [] if fault.example == fault.verb else [f"      such as: {fault.example}"]
    return [f"  {fault.verb}  {fault.meaning}", *_parameters(own_parameters(fault)), *example]


def _parameters(parameters: Sequence[ParameterEntry]) -> Sequence[str]:
    return aligned([(f"{each.name}={each.default}", each.meaning, each.scope) for each in parameters], indent="      ")
