"""`vpump control capture`: captures in the artefact folder of a running pump."""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.connection import json_option
from emulator.cli.control_client import Address, client_of, show
from emulator.cli.errors import UsageFailure
from emulator.control.answers import Capture

_EXAMPLES = """
\b
Examples:
  vpump serve --control ./pump.sock --artefacts .     the folder that they go to
  vpump control capture start night.pcapng
  vpump control capture end night.pcapng
  vpump control capture list
  vpump control capture fetch night.pcapng -o here.pcapng
"""


@click.group(epilog=_EXAMPLES)
def capture() -> None:
    """Write what passes on the lines to files in the artefact folder."""


@json_option
@capture.command(epilog="\b\nExample:\n  vpump control capture start night.pcapng")
@click.argument("name")
@click.pass_obj
def start(address: Address, name: str) -> None:
    """Begin a capture in a new file of that NAME."""
    with client_of(address) as client:
        answer = client.start_capture(name)
    show(answer, _words(answer))


@json_option
@capture.command(epilog="\b\nExample:\n  vpump control capture end night.pcapng")
@click.argument("name")
@click.pass_obj
def end(address: Address, name: str) -> None:
    """End a capture; its file stays."""
    with client_of(address) as client:
        answer = client.end_capture(name)
    show(answer, _words(answer))


@json_option
@capture.command("list", epilog="\b\nExample:\n  vpump control capture list --json")
@click.pass_obj
def list_captures(address: Address) -> None:
    """The captures of this run."""
    with client_of(address) as client:
        found = client.captures()
    show({"captures": found}, *(map(_words, found) if found else ["no capture has begun"]))


@json_option
@capture.command(epilog="\b\nExample:\n  vpump control capture fetch night.pcapng -o here.pcapng")
@click.argument("name")
@click.option(
    "-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="[default: NAME]"
)
@click.pass_obj
def fetch(address: Address, name: str, file: Path | None) -> None:
    """Write what a capture has so far to FILE."""
    with client_of(address) as client:
        content = client.fetch_capture(name)
    # A name that the pump knows is a plain file name.
    file = file or Path(name)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise UsageFailure(f"FILE {str(file)!r} cannot be written: {error.strerror}.") from None
    show({"file": str(file), "bytes": len(content)}, f"{file} has the capture {name} so far ({len(content):,} bytes)")


def _words(found: Capture) -> str:
    return f"{found['name']}  {found['bytes']:,} bytes  {'runs' if found['running'] else 'has ended'}"
