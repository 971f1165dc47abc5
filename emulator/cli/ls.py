"""`vpump ls`: the pumps that run on this machine, with their ports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import LinkFailure, json_requested
from emulator.running import RunningError, RunningPump, running_pumps

_HEADINGS = ("SERIAL NUMBER", "PROFILE", "PROTOCOL", "PORTS", "CONTROL", "PID")
_GAP = "  "

_EXAMPLES = """
\b
Examples:
  vpump ls
  vpump ls --json
"""


@click.command(epilog=_EXAMPLES)
@json_option
def ls() -> None:
    """The pumps that run on this machine, with their ports."""
    try:
        pumps = running_pumps()
    except RunningError as error:
        raise LinkFailure(str(error)) from None
    if json_requested():
        click.echo(json.dumps([_document(pump) for pump in pumps]))
    elif not pumps:
        click.echo("No pump runs on this machine; start one with 'vpump serve'.")
    else:
        for line in _table([_HEADINGS, *(_row(pump) for pump in pumps)]):
            click.echo(line)


def _document(pump: RunningPump) -> dict[str, object]:
    """Everything about a pump but its token: a list of pumps ends up in logs."""
    document = asdict(pump)
    del document["control_token"], document["files"]
    # Beside the other fields, as in the ready line.
    return document | asdict(pump.files)


def _row(pump: RunningPump) -> Sequence[str]:
    ports = ", ".join(port.url for port in pump.ports)
    return (pump.serial_number, pump.profile, pump.protocol, ports or "-", pump.control or "-", str(pump.pid))


def _table(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [_GAP.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
