"""`vpump send`: raw bytes to the line, and what came back."""

from __future__ import annotations

import json
import time

import click

from emulator import OUR_PROTOCOL
from emulator.capture.explainer import explain
from emulator.cli.connection import Target, failures, port_of, reaches_port
from emulator.cli.decode import bytes_of_hex
from emulator.cli.decode_view import document_of, line_of
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.quantities import DURATION, US_PER_S
from emulator.cli.speaking import protocol_failures, protocol_named, protocol_option
from emulator.wire import DecoderSetting, Direction

DEFAULT_WAIT_US = 500_000
MAX_SENT_BYTES = 1 << 16
MAX_RECEIVED_BYTES = 1 << 20


@click.command(
    epilog="\b\nExamples:\n  vpump send 00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00\n"
    "  vpump send 0002100701… --wait 2s --json"
)
@click.argument("hex_words", metavar="HEX...", nargs=-1, required=True)
@click.option(
    "--wait", "wait_us", type=DURATION, default=DEFAULT_WAIT_US, metavar="DURATION", help="How long to listen (500ms)."
)
@protocol_option(default=None, otherwise="that of the pump, if it runs here, or vpump")
@reaches_port
def send(target: Target, hex_words: tuple[str, ...], wait_us: int, protocol: str | None) -> None:
    """Send raw bytes as they are: no greeting, no session, no retry, no rules kept."""
    data = bytes_of_hex(" ".join(hex_words))
    if not data:
        raise UsageFailure("HEX holds no bytes; write pairs of hex digits, such as 00 02 10.")
    if len(data) > MAX_SENT_BYTES:
        raise UsageFailure(f"HEX has {len(data)} bytes; at most {MAX_SENT_BYTES} are sent at once.")
    url, pump = port_of(target)
    spoken = protocol_named(protocol or (pump.protocol if pump is not None else OUR_PROTOCOL))
    received = _exchange(url, data, wait_us)
    with protocol_failures():
        explained = explain(received, spoken.new_decoder(DecoderSetting()), Direction.ANSWER)
    if json_requested():
        frames = [document_of(each) for each in explained]
        click.echo(json.dumps({"sent": data.hex(), "received": received.hex(), "frames": frames}))
        return
    click.echo(f"sent      {data.hex(' ')}")
    click.echo(f"received  {received.hex(' ') or 'nothing'}")
    for each in explained:
        click.echo(line_of(each))


def _exchange(url: str, data: bytes, wait_us: int) -> bytes:
    from emulator.programmer.link import open_line, read_some, write_all

    received = bytearray()
    with failures():
        line = open_line(url)
        try:
            write_all(line, data, url)
            end = time.monotonic() + wait_us / US_PER_S
            while time.monotonic() < end and len(received) < MAX_RECEIVED_BYTES:
                received += read_some(line, url)
        finally:
            line.close()
    return bytes(received)
