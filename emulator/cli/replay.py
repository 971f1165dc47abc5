"""`vpump replay`: lives through a journal again, and says where anything comes out otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import ExpectationFailed, UsageFailure, json_requested, say
from emulator.journal.fields import JournalError
from emulator.journal.input_lines import InputReading, fingerprint
from emulator.journal.reader import JournalReader
from emulator.journal.replaying import Replay, Replayed
from emulator.protocols import KeysError, ProtocolError, installed_protocol
from emulator.quantities import QuantityError, format_duration_us, parse_duration_us


@click.command(
    epilog="\b\nExamples:\n"
    "  vpump serve --journal pump.journal       write one; Ctrl-C, or a kill, leaves it whole\n"
    "  vpump replay pump.journal                the same bytes, events and digests? or the first that differs\n"
    "  vpump replay pump.journal --until 1h30min\n"
    "                                           no further than this virtual time\n"
    "  vpump replay pump.journal --keys keys.toml\n"
    "                                           of a pump that has keys of its own\n"
    "  vpump replay pump.journal --json         a document with the digest, and the divergence\n\n"
    "Exit status: 0 the same, 4 the first divergence is named, 2 the file is no good journal."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--until", metavar="T", help="Stop at this virtual time since the pump's first power-up, such as 90s.")
@click.option(
    "--keys",
    "key_files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The keys that the pump was given, for no journal holds any; repeatable.",
)
@json_option
def replay(file: Path, until: str | None, key_files: tuple[Path, ...]) -> None:
    """Live through a journal again: same bytes, events and digests, or the first divergence."""
    until_us = _until_us(until)
    try:
        with file.open("rb") as stream:
            reader = JournalReader(stream)
            replayed = _replay(reader, key_files, until_us)
    except KeysError as error:
        raise UsageFailure(f"--keys: {error}") from None
    except ProtocolError as error:
        raise UsageFailure(f"{file}, line 1: {error}") from None
    except JournalError as error:
        raise UsageFailure(f"{file}, {error}") from None
    except OSError as error:
        raise UsageFailure(f"{file} cannot be read: {error.strerror or error}.") from None
    if reader.torn:
        say(f"{file}: the last {reader.torn} bytes are no whole line, and were left out.")
    if replayed.divergence is not None:
        raise ExpectationFailed(f"{file}, {replayed.divergence.sentence()}", replayed.document())
    if json_requested():
        click.echo(json.dumps(replayed.document()))
    else:
        click.echo(_words(replayed))


def _replay(reader: JournalReader, key_files: Sequence[Path], until_us: int | None) -> Replayed:
    header = reader.header()
    protocol = installed_protocol(header.protocol)
    given = [protocol.read_keys(path, header.serial_number) for path in key_files]

    def keys_of(roles: Sequence[str], mark: str) -> Mapping[str, bytes] | None:
        for keys in given:
            chosen = {role: keys[role] for role in roles if role in keys}
            if fingerprint(chosen) == mark:
                return chosen
        return None

    device = header.build(protocol, keys_of)
    return Replay(device, len(header.ports)).run(reader.items(InputReading(device.fault_names, keys_of)), until_us)


def _until_us(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_duration_us(text)
    except QuantityError as error:
        raise UsageFailure(f"--until: {error}.") from None


def _words(replayed: Replayed) -> str:
    lines = [
        f"The same: {replayed.inputs} inputs, {replayed.sent_bytes} bytes sent, {replayed.events} events, "
        f"{replayed.checks} digests.",
        f"  time    {format_duration_us(replayed.now_us)}",
        f"  digest  {replayed.digest}",
    ]
    if replayed.unrecorded:
        lines.append("  What came of the last input does not stand in the journal.")
    return "\n".join(lines)
