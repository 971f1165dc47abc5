"""`vpump keys`: makes key files, for pumps and for who talks to them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested

MAX_PUMPS = 256

_EXAMPLES = """
\b
Examples:
  vpump keys new keys.toml 00C0FFEE           keys for a pump
  vpump serve --keys keys.toml                the pump that has them
  vpump bolus 50uL --keys keys.toml           whoever holds the file may come as any role
  VPUMP_KEYS=keys.toml vpump interrogate

\b
The file is TOML: a table for each pump, and in it a key for each role, 32 hex digits:
  [00C0FFEE]
  reader = "…"
  patient = "…"
  clinician = "…"
A pump needs all three of its own. Who talks to pumps needs the roles that he comes as: give
him a file without the others. It must be a file of yours that nobody else may read (mode 0600).
"""


@click.group(epilog=_EXAMPLES)
def keys() -> None:
    """Make key files, for pumps and for who talks to them."""


@keys.command("new", epilog="\b\nExamples:\n  vpump keys new keys.toml 00C0FFEE\n  vpump keys new ward.toml 7001 7002")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("serial_numbers", metavar="SERIAL...", nargs=-1, required=True)
@json_option
def new(file: Path, serial_numbers: tuple[str, ...]) -> None:
    """Make FILE, for you alone, with new keys for the pumps SERIAL (hex). It never prints a key."""
    from emulator.keyfile import KeyFileError, new_keys, write_key_file

    numbers = _read_serial_numbers(serial_numbers)
    try:
        write_key_file(file, new_keys(numbers))
    except KeyFileError as error:
        raise UsageFailure(str(error)) from error
    names = [f"{number:08X}" for number in numbers]
    if json_requested():
        click.echo(json.dumps({"file": str(file), "pumps": names}))
    else:
        click.echo(f"{file} has keys for {', '.join(names)}.")


def _read_serial_numbers(texts: tuple[str, ...]) -> list[int]:
    from emulator.serial_number import read_serial_number

    if len(texts) > MAX_PUMPS:
        raise UsageFailure(f"SERIAL is given {len(texts)} times; a file is made for at most {MAX_PUMPS} pumps.")
    numbers: list[int] = []
    for text in texts:
        number = read_serial_number(text)
        if number is None:
            raise UsageFailure(
                f"SERIAL {text!r} is none: allowed are 1 to 8 hexadecimal digits, from 00000001 to FFFFFFFE."
            )
        if number in numbers:
            raise UsageFailure(f"SERIAL {number:08X} is given twice.")
        numbers.append(number)
    return numbers
