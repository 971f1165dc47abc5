"""`vpump control events`: what has happened in a running pump, and what happens."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import click

from emulator.cli.connection import json_option
from emulator.cli.control_client import Address, client_of
from emulator.cli.errors import json_requested
from emulator.cli.reader_gone import end_when_nobody_reads
from emulator.control.bodies import MAX_EVENT_NUMBER
from emulator.trace import format_time


@json_option
@click.command(
    epilog="""
\b
Examples:
  vpump control events
  vpump control events --since 120 --json
  vpump control events --follow --json | jq 'select(.event == "log")'

\b
docs/events.md lists the events and their fields. The latest are kept; 'dropped' says how many went by.
"""
)
@click.option("--follow", is_flag=True, help="Go on with what happens from now on, until the pump ends.")
@click.option(
    "--since", type=click.IntRange(0, MAX_EVENT_NUMBER), default=0, metavar="N", help="Only events behind number N."
)
@click.pass_obj
def events(address: Address, follow: bool, since: int) -> None:
    """What has happened, a line each; with --follow, also what happens."""
    if follow:
        end_when_nobody_reads()
    with client_of(address) as client, contextlib.closing(client.events(since=since, follow=follow)) as told:
        for event in told:
            click.echo(json.dumps(event) if json_requested() else _line(event))


def _line(event: dict[str, Any]) -> str:
    """For people: number, time, kind, and what else there is to say."""
    if event["event"] == "dropped":
        return f"… {event['count']} events have gone by and are not kept any more"
    said = {name: value for name, value in event.items() if name not in ("event", "number", "at_us", "raw", "struck")}
    words = "  ".join(f"{name}={_value(value)}" for name, value in said.items() if value not in ("", {}))
    return f"{event['number']:>6}  {format_time(event['at_us'])}  {event['event']}  {words}".rstrip()


def _value(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={inner}" for name, inner in value.items())
    return str(value)
