"""`vpump faults`: everything that can be made to go wrong, on the line and in the pump."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from emulator import OUR_PROTOCOL
from emulator.cli.connection import json_option
from emulator.cli.errors import json_requested
from emulator.cli.speaking import protocol_failures, protocol_named, protocol_option
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
from emulator.faults.registry import can_do

if TYPE_CHECKING:
    from emulator.device import Device
    from emulator.protocols import InstalledProtocol

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
@protocol_option(default=OUR_PROTOCOL)
def faults(protocol: str) -> None:
    """Everything that can be made to go wrong, with parameters and an example.

    With --json only what the protocol can do, and for each direction the operations that a fault of the line can name.
    """
    spoken = protocol_named(protocol)
    if json_requested():
        names = _any_pump(spoken).fault_names
        operations = {direction.value: list(named) for direction, named in names.of.items()}
        listed = [asdict(fault) for fault in catalogue() if can_do(fault.verb, names)]
        click.echo(json.dumps({"faults": listed, "operations": operations}))
        return
    click.echo("\n".join(_page()).rstrip())


def _any_pump(spoken: InstalledProtocol) -> Device:
    """What a protocol's faults can name, only the wire of a pump knows."""
    from emulator.assembly import build_device, serial_number_for, shipped_profiles

    with protocol_failures():
        return build_device(
            shipped_profiles()[0], 0, serial_number_for(0), insecure=False, session_floor=0, protocol=spoken
        )


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
