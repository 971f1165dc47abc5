"""`vpump control`: the tester's hand from a shell, through the control plane of a running pump."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import click

from emulator.cli.connection import json_option
from emulator.cli.control_captures import capture
from emulator.cli.control_client import Address, client_of, show
from emulator.cli.control_events import events
from emulator.cli.control_pump import environment, identity, state
from emulator.cli.errors import (
    OutOfTime,
    UsageFailure,
    json_requested,
)
from emulator.cli.quantities import (
    DURATION,
    VOLUME,
    QuantityError,
    format_duration_us,
    parse_concentration_ng_per_ml,
    parse_volume_nl,
)
from emulator.cli.tester_view import armed_lines, flat, listed, syringe_lines, truth_table
from emulator.control.awaited import types_of_fields
from emulator.control.bodies import COUNTED_MODES, MAX_AT_WRITE, MAX_TORN_BYTES
from emulator.control.client import Document
from firmware_model.memory import CutMode

# The concentration is the last number with a unit: a name may have numbers and gaps in it.
_DRUG = re.compile(r"(?P<name>.+?)\s+(?P<concentration>[0-9.]+ ?[^\s0-9]\S*)")

_EXAMPLES = """
\b
Examples:
  vpump control advance 30d
  vpump control run-until log type=alarm_raised --within 60d
  vpump control fault 'drop answer BOLUS_EXECUTE nth=1'
  vpump control fault stall for=2h
  vpump control syringe --withdraw all --inject 20mL --drug 'baclofen 500ug/mL'
  vpump control environment --temperature 39.5C
  vpump control power cut --at-write 3 --mode torn
  vpump control state save pump.state
  vpump control events --follow
  vpump control truth --json
  vpump control --control unix:/tmp/pump.sock shutdown

\b
Exit status: 0 done, 1 the pump refused, 2 wrong usage, 3 nobody there or a wrong token,
5 out of simulated time, 6 the answer was lost and it may have been done.
"""


@click.group(epilog=_EXAMPLES)
@click.option(
    "--control",
    "url",
    metavar="URL",
    envvar="VPUMP_CONTROL",
    help="unix:PATH or http://127.0.0.1:PORT; else VPUMP_CONTROL, else the only pump here that has a control plane.",
)
@click.option("--token", envvar="VPUMP_CONTROL_TOKEN", metavar="TOKEN", help="For http; else VPUMP_CONTROL_TOKEN.")
@click.pass_context
def control(context: click.Context, url: str | None, token: str | None) -> None:
    """The tester's hand on a running pump: time, faults, syringe, power, keys and truth."""
    # Looked up by the verb: its own --help must work where no pump runs.
    context.obj = (url, token)


# On every verb as well, since that is where most people write it.
json_option(control)

for verb in (capture, environment, events, identity, state):
    control.add_command(verb)


@json_option
@control.command(epilog="\b\nExamples:\n  vpump control advance 30d\n  vpump control advance 1d12h --json")
@click.argument("duration", type=DURATION)
@click.pass_obj
def advance(address: Address, duration: int) -> None:
    """Let virtual time pass, as fast as possible."""
    with client_of(address) as client:
        now_us = client.advance(duration)
    show({"now_us": now_us}, _now(now_us))


@json_option
@control.command(
    "run-until",
    epilog="""
\b
Examples:
  vpump control run-until log --within 60d
  vpump control run-until log type=bolus_ended op_id=7 --within 1d
  vpump control run-until power change=cut --within 90s

\b
docs/events.md lists the events and their fields. When no such event comes, the exit status is 5.
""",
)
@click.argument("event")
@click.argument("match", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--within", "limit_us", type=DURATION, required=True, help="How much virtual time may pass.")
@click.pass_obj
def run_until(address: Address, event: str, match: tuple[str, ...], limit_us: int) -> None:
    """Let virtual time pass until EVENT happens."""
    values = _match_values(event, match)
    with client_of(address) as client:
        answer = client.run_until(event, limit_us=limit_us, match=values)
    now = _time_text(answer.get("now_us"))
    found = answer.get("event")
    if not isinstance(found, dict):
        wanted = " ".join((event, *match))
        raise OutOfTime(
            f"no event '{wanted}' within {format_duration_us(limit_us)}; virtual time is now {now}.", answer
        )
    show(answer, f"reached {_event_line(found)}; virtual time is now {now}")


@json_option
@control.command(
    epilog="""
\b
Examples:
  vpump control fault 'drop answer BOLUS_EXECUTE nth=1'
  vpump control fault drop answer BOLUS_EXECUTE nth=1
  vpump control fault stall after=10min for=2h

\b
'vpump faults' lists all faults with their parameters.
"""
)
@click.argument("fault", nargs=-1, required=True)
@click.pass_obj
def fault(address: Address, fault: tuple[str, ...]) -> None:
    """Arm a fault of the line or of the pump; written as for `vpump serve --fault`."""
    with client_of(address) as client:
        answer = client.arm_fault(" ".join(fault))
    armed = listed(answer.get("armed"))
    understood = answer.get("fault")
    struck = [] if understood in [entry.get("fault") for entry in armed] else [f"struck at once: {understood}"]
    show(answer, *struck, *(armed_lines(armed) if armed or not struck else []))


@json_option
@control.command(epilog="\b\nExamples:\n  vpump control faults\n  vpump control faults --clear")
@click.option("--clear", is_flag=True, help="End and disarm all of them, and every armed power cut.")
@click.pass_obj
def faults(address: Address, clear: bool) -> None:
    """List the armed faults, or disarm them."""
    with client_of(address) as client:
        armed = client.clear_faults() if clear else client.faults()
    show({"armed": armed}, *armed_lines(armed))


@json_option
@control.command(epilog="\b\nExamples:\n  vpump control truth\n  vpump control truth --json")
@click.pass_obj
def truth(address: Address) -> None:
    """What is physically so, whatever the pump believes."""
    with client_of(address) as client:
        document = client.truth()
    show(document, *truth_table(document))


@json_option
@control.command("openapi", epilog="\b\nExample:\n  vpump control openapi > vpump.openapi.json")
def describe_for_tools() -> None:
    """The control plane of this vpump in OpenAPI 3.1, for other tools; no pump need run."""
    from emulator.control.openapi import openapi, openapi_text
    from emulator.control.operations import OPERATIONS

    click.echo(json.dumps(openapi(OPERATIONS)) if json_requested() else openapi_text(OPERATIONS), nl=json_requested())


@json_option
@control.command(epilog="\b\nExample:\n  vpump control shutdown")
@click.pass_obj
def shutdown(address: Address) -> None:
    """End the pump, as an interrupt of `vpump serve` does."""
    with client_of(address) as client:
        answer = client.shutdown()
    show(answer, f"the pump is shutting down; its virtual time is {_time_text(answer.get('now_us'))}")


@json_option
@control.command(
    epilog="""
\b
Examples:
  vpump control syringe --withdraw all
  vpump control syringe --withdraw all --inject 20mL --drug 'baclofen 500ug/mL'
  vpump control syringe --inject 5mL --drug 'morphine 10mg/mL' --drug 'bupivacaine 2mg/mL'

\b
The pump does not notice: what its program computes is unchanged, as after a refill that nobody
told it of. The residual of the reservoir cannot be withdrawn.
"""
)
@click.option("--withdraw", metavar="VOLUME|all", help="How much to take out first; all is what a syringe can reach.")
@click.option("--inject", type=VOLUME, metavar="VOLUME", default=0, help="How much to put in then.")
@click.option(
    "--drug", "drugs", metavar="'NAME CONCENTRATION'", multiple=True, help="What is in it; none is drug-free fluid."
)
@click.pass_obj
def syringe(address: Address, withdraw: str | None, inject: int, drugs: tuple[str, ...]) -> None:
    """Use a syringe at the reservoir's port: withdraw, then inject."""
    withdraw_nl, mixture = _withdrawn(withdraw), _mixture(drugs)
    with client_of(address) as client:
        answer = client.use_syringe(withdraw_nl=withdraw_nl, inject_nl=inject, drugs=mixture)
    show(answer, *syringe_lines(answer, inject))


@control.group(
    epilog="""
\b
Examples:
  vpump control power cut
  vpump control power cut --at-write 3 --mode torn --torn-bytes 5
  vpump control power restore
"""
)
def power() -> None:
    """Take the pump's power away, or give it back."""


@json_option
@power.command(epilog="\b\nExamples:\n  vpump control power cut\n  vpump control power cut --at-write 1 --mode after")
@click.option(
    "--at-write",
    type=click.IntRange(1, MAX_AT_WRITE),
    metavar="N",
    help="Not now, but at the N-th write to the pump's memory from now; 1 is the next.",
)
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in CutMode]),
    help="What becomes of that write: none of it is written (unless given), all of it, its first bytes, garbage in "
    "their place; or it is ignored while later ones land, or comes later than the next one and is lost.",
)
@click.option(
    "--torn-bytes",
    type=click.IntRange(1, MAX_TORN_BYTES),
    metavar="K",
    help="How many bytes are written by a torn write, or become garbage; a word has 8.",
)
@click.pass_obj
def cut(address: Address, at_write: int | None, mode: str | None, torn_bytes: int | None) -> None:
    """Cut the power now, or at one exact write."""
    if mode is not None and at_write is None:
        raise UsageFailure("--mode says what becomes of a write, so it needs --at-write N.")
    if torn_bytes is not None and mode not in [counted.value for counted in COUNTED_MODES]:
        raise UsageFailure(
            "--torn-bytes counts the bytes that are written or become garbage, so it needs --mode torn or garbage."
        )
    with client_of(address) as client:
        answer = client.cut_power(at_write=at_write, mode=mode, torn_bytes=torn_bytes)
    when = "the power is cut" if at_write is None else f"the power will be cut at write {at_write} from now"
    show(answer, when)


@json_option
@power.command(epilog="\b\nExample:\n  vpump control power restore")
@click.pass_obj
def restore(address: Address) -> None:
    """Give the power back; the pump boots from its memory."""
    with client_of(address) as client:
        answer = client.restore_power()
    show(answer, "the power is on")


@json_option
@control.command(
    epilog="""
\b
Examples:
  vpump keys new pump.keys 00C0FFEE
  vpump control keys pump.keys
  vpump control keys --test

\b
The pump's sessions end. Who talks to it then needs the same file: vpump interrogate --keys pump.keys
"""
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--serial-number", metavar="HEX", help="Which table of FILE; needed if it has several.")
@click.option("--test", "published", is_flag=True, help="The published test keys.")
@click.pass_obj
def keys(address: Address, file: Path | None, serial_number: str | None, published: bool) -> None:
    """Give the pump the keys in FILE, or the test keys."""
    if (file is None) != published:
        raise UsageFailure("name a key FILE, or say --test for the published keys.")
    given = None if file is None else _keys_in(file, serial_number)
    with client_of(address) as client:
        answer = client.replace_keys(given)
    show(answer, "the pump has the published test keys" if given is None else f"the pump has the keys of {file}")


def _keys_in(file: Path, serial_number: str | None) -> dict[str, bytes]:
    """All keys of one pump in a file, by role."""
    from emulator.keyfile import KeyFileError, read_key_file
    from emulator.serial_number import read_serial_number

    try:
        held = read_key_file(file)
        number = None if serial_number is None else read_serial_number(serial_number)
        if number is None and (serial_number is not None or len(held.pumps) != 1):
            tables = ", ".join(f"{each:08X}" for each in held.pumps) or "none"
            raise UsageFailure(f"--serial-number: say which table of {file} is meant; it has {tables}.")
        found = held.all_of(next(iter(held.pumps)) if number is None else number)
    except KeyFileError as error:
        raise UsageFailure(str(error)) from None
    return {role.name.lower(): key for role, key in found.of_role.items()}


def _withdrawn(text: str | None) -> int | Literal["all"]:
    """How much a syringe takes out."""
    if text is None:
        return 0
    try:
        return "all" if text == "all" else parse_volume_nl(text)
    except QuantityError as error:
        raise UsageFailure(f"--withdraw: {error}, or all.") from None


def _mixture(texts: Sequence[str]) -> Mapping[str, int]:
    """The concentrations of drugs in ng/mL by their names."""
    mixture: dict[str, int] = {}
    for text in texts:
        match = _DRUG.fullmatch(text.strip())
        if match is None:
            raise UsageFailure(
                f"--drug: '{text}' is no drug; write its name and its concentration, such as 'baclofen 500ug/mL'."
            )
        if match["name"] in mixture:
            raise UsageFailure(f"--drug: '{match['name']}' is given twice; a mixture has one concentration of it.")
        try:
            mixture[match["name"]] = parse_concentration_ng_per_ml(match["concentration"])
        except QuantityError as error:
            raise UsageFailure(f"--drug: {error}.") from None
    return mixture


def _match_values(event: str, match: Sequence[str]) -> Mapping[str, int | str]:
    """FIELD=VALUE as JSON values: a number where the event's field is one. What does not exist, the pump refuses."""
    field_types = types_of_fields(event)
    values: dict[str, int | str] = {}
    for text in match:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageFailure(f"'{text}' is no condition; write FIELD=VALUE, such as type=bolus_ended.")
        if name in values:
            raise UsageFailure(f"field '{name}' is given twice; an event has one value of it.")
        if field_types.get(name) is not int:
            values[name] = value
        elif value.isascii() and value.removeprefix("-").isdigit():
            values[name] = int(value)
        else:
            raise UsageFailure(f"field '{name}' is '{value}'; allowed is a whole number.")
    return values


def _now(now_us: int) -> str:
    return f"virtual time is now {format_duration_us(now_us)}"


def _time_text(now_us: object) -> str:
    return format_duration_us(now_us) if isinstance(now_us, int) else "unknown"


def _event_line(event: Document) -> str:
    """An event's kind and fields; its number and time are the line's business, raw bytes nobody's."""
    parts = [str(event.get("event"))]
    for name, value in flat(event):
        if name not in ("event", "number", "at_us", "raw") and value != "":
            parts.append(f"{name}={value}")
    return " ".join(parts)
