"""Verbs of `vpump control` on the pump behind the line: what is around it, which one it is, and its save-states."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import click

from emulator.cli.connection import json_option
from emulator.cli.control_client import Address, client_of, show
from emulator.cli.errors import UsageFailure
from emulator.cli.quantities import format_duration_us
from emulator.control.answers import Environment, Identity
from emulator.serial_number import read_serial_number
from firmware_model.savestate import MAX_SAVE_STATE_BYTES

_DEGREES = re.compile(r"(?P<number>-?[0-9]{1,3}(\.[0-9]{1,2})?) ?(°C|C)")
_CENTIDEGREES = 100


@json_option
@click.command(
    epilog="""
\b
Examples:
  vpump control environment
  vpump control environment --temperature 39.5C
  vpump control environment --field on

\b
It stays until it is changed again. A fault (temperature, field) goes before it, for as long as it lasts.
"""
)
@click.option("--temperature", metavar="DEGREES", help="How warm it is around the pump, such as 39.5C.")
@click.option("--field", type=click.Choice(("on", "off")), help="Whether a strong magnetic field is there.")
@click.pass_obj
def environment(address: Address, temperature: str | None, field: str | None) -> None:
    """What is around the pump; with an option, change it."""
    temperature_cc = None if temperature is None else _centidegrees(temperature)
    with client_of(address) as client:
        if temperature_cc is None and field is None:
            answer = client.environment()
        else:
            field_on = None if field is None else field == "on"
            answer = client.set_environment(temperature_cc=temperature_cc, field_on=field_on)
    show(answer, _words(answer))


@json_option
@click.command(epilog="\b\nExample:\n  vpump control identity 00C0FFE1")
@click.argument("serial_number", metavar="SERIAL_NUMBER")
@click.pass_obj
def identity(address: Address, serial_number: str) -> None:
    """Put another pump behind the line, as new: 8 hex digits of its own."""
    number = read_serial_number(serial_number)
    if number is None:
        raise UsageFailure(f"'{serial_number}' is no serial number; allowed are 00000001 to FFFFFFFE.")
    with client_of(address) as client:
        answer = client.swap_pump(number)
    show(answer, f"pump {answer['serial_number']} is behind the line, as new")


@click.group(epilog="\b\nExamples:\n  vpump control state save pump.state\n  vpump control state load pump.state")
def state() -> None:
    """Make a save-state of the pump, or restore one."""


@json_option
@state.command(epilog="\b\nExamples:\n  vpump control state save pump.state\n  vpump state show pump.state")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def save(address: Address, file: Path) -> None:
    """Write a save-state of the pump to FILE."""
    with client_of(address) as client:
        saved = client.save_state()
    try:
        file.write_bytes(saved)
    except OSError as error:
        raise UsageFailure(f"FILE {str(file)!r} cannot be written: {error.strerror}.") from None
    show({"file": str(file), "bytes": len(saved)}, f"{file} has the state of the pump ({len(saved):,} bytes)")


@json_option
@state.command(epilog="\b\nExample:\n  vpump control state load pump.state")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def load(address: Address, file: Path) -> None:
    """Restore the save-state in FILE. Virtual time goes on from where it was made."""
    try:
        with file.open("rb") as opened:
            saved = opened.read(MAX_SAVE_STATE_BYTES + 1)
    except OSError as error:
        raise UsageFailure(f"FILE {str(file)!r} cannot be read: {error.strerror}.") from None
    if len(saved) > MAX_SAVE_STATE_BYTES:
        raise UsageFailure(f"FILE {str(file)!r} has more than {MAX_SAVE_STATE_BYTES:,} bytes; no save-state has.")
    with client_of(address) as client:
        answer = client.restore_state(saved)
    show(answer, _restored(answer))


def _restored(answer: Identity) -> str:
    now = format_duration_us(answer["now_us"])
    return f"pump {answer['serial_number']} is as it was; virtual time is now {now}"


def _words(answer: Environment) -> str:
    field = "on" if answer["field_on"] else "off"
    return f"{answer['temperature_cc'] / _CENTIDEGREES:.2f} °C, magnetic field {field}"


def _centidegrees(text: str) -> int:
    match = _DEGREES.fullmatch(text)
    if match is None:
        raise UsageFailure(f"--temperature: '{text}' is no temperature; write degrees Celsius, such as 39.5C.")
    return int(Decimal(match["number"]) * _CENTIDEGREES)
