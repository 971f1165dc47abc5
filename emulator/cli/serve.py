"""`vpump serve`: runs a pump until it is interrupted."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path

import click

from emulator import OUR_PROTOCOL
from emulator.cli.errors import CommandFailure, Interrupted, UsageFailure, request_json
from emulator.cli.serve_options import (
    ServeOptions,
    device_of,
    need_files_of_their_own,
    read_artefacts,
    read_faults,
    read_insecure,
    read_keys,
    read_ports,
    read_profile,
    read_speed,
    serial_number_of,
)
from emulator.cli.speaking import protocol_named, protocol_option
from emulator.cli.until_eof import read_until_eof

SEED_LIMIT = 2**64 - 1

_EXAMPLES = """
\b
Examples:
  vpump serve                                a pump on a new virtual serial port
  vpump serve --listen pty:/tmp/pump         the same, and a link that has a name you know
  vpump serve --listen tcp:127.0.0.1:7000    on TCP; clients use socket://127.0.0.1:7000
  vpump serve --trace                        every frame, decoded, on stderr
  vpump serve --capture pump.pcapng          what passes on the line, for Wireshark and 'vpump decode'
  vpump serve --journal pump.journal         all that it is given, for 'vpump replay'
  vpump serve --state pump.state             go on with the pump in that file, and keep it there
  vpump serve --speed 3600                   an hour in a second, while no session is open
  vpump serve --speed 0 --control unix:/tmp/pump.sock
                                             time moves only by 'vpump control'
  vpump serve --fault 'stall after=1h'       the rotor stands still from an hour on
  vpump keys new keys.toml 00C0FFEE && vpump serve --keys keys.toml
                                             keys of its own, instead of the published test keys
  vpump serve --insecure                     no keys at all
  vpump serve --protocol NAME                another protocol, which a package has brought

\b
Then, in another terminal:
  vpump interrogate                          finds the only pump that runs here
  vpump interrogate --keys keys.toml         the same, if it has keys of its own
"""


class _Defect(CommandFailure):
    """The pump ended by a defect of ours."""

    exit_code = 1


@click.command(epilog=_EXAMPLES)
@click.option(
    "--listen",
    metavar="SPEC",
    multiple=True,
    default=["pty"],
    show_default="pty",
    help="Where clients find the pump; repeatable. pty, pty:LINK or tcp:HOST:PORT (this machine only; port 0 = any).",
)
@protocol_option(default=OUR_PROTOCOL)
@click.option("--profile", metavar="NAME|FILE", default="reference-20", show_default=True, help="The device model.")
@click.option("--seed", type=click.IntRange(0, SEED_LIMIT), default=0, show_default=True, help="Seed of all chance.")
@click.option("--serial-number", metavar="HEX", help="Up to 8 hex digits. [default: follows from the seed]")
@click.option("--control", metavar="SPEC", help="Open the tester's control plane: unix:PATH or tcp:HOST:PORT.")
@click.option(
    "--fault",
    "faults",
    metavar="SPEC",
    multiple=True,
    help="Arm a fault from the start (see 'vpump faults'); repeatable.",
)
@click.option("--trace", is_flag=True, help="Show every event: on stderr, or as JSON lines on stdout with --json.")
@click.option(
    "--capture",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write every frame to a pcapng file, or to a named pipe for live Wireshark.",
)
@click.option(
    "--journal",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write down all that the pump is given and what comes of it, for 'vpump replay'.",
)
@click.option(
    "--artefacts",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Let 'vpump control capture' write captures to this folder, and nowhere else.",
)
@click.option(
    "--state",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep the pump in this file, and go on with the one that is in it: its memory survives restarts.",
)
@click.option(
    "--keys",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Its keys, from a file for you alone (see 'vpump keys'). [default: published test keys]",
)
@click.option("--insecure", is_flag=True, help="Ask nobody for a key. The pump says so wherever it can.")
@click.option(
    "--speed", metavar="S", default="1", show_default=True, help="Virtual seconds per second; 0 = stand still."
)
@click.option(
    "--session-speed", metavar="S", help="The same while a session is open. [default: 1, or 0 with --speed 0]"
)
@click.option("--until-eof", is_flag=True, help="End when standard input does: with whoever has started the pump.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line on stdout once the ports are open.")
@click.pass_context
def serve(
    context: click.Context,
    listen: tuple[str, ...],
    protocol: str,
    profile: str,
    seed: int,
    serial_number: str | None,
    control: str | None,
    faults: tuple[str, ...],
    trace: bool,
    capture: Path | None,
    journal: Path | None,
    artefacts: Path | None,
    state: Path | None,
    key_file: Path | None,
    insecure: bool,
    speed: str,
    session_speed: str | None,
    until_eof: bool,
    as_json: bool,
) -> None:
    """Run a pump until interrupted."""
    if as_json:
        request_json(context)
    from emulator.assembly import fresh_session_floor

    base_speed = read_speed("--speed", speed)
    number = serial_number_of(serial_number, seed)
    spoken = protocol_named(protocol)
    need_files_of_their_own(state=state, journal=journal, capture=capture)
    options = ServeOptions(
        ports=read_ports(listen),
        protocol=spoken,
        profile=read_profile(profile),
        seed=seed,
        serial_number=number,
        insecure=read_insecure(spoken, insecure=insecure),
        key_file=key_file,
        keys=read_keys(spoken, key_file, number) if key_file is not None else None,
        control=control,
        faults=faults,
        trace=trace,
        capture=capture,
        journal=journal,
        artefacts=read_artefacts(artefacts, control),
        state=state,
        session_floor=fresh_session_floor(),
        speed=base_speed,
        session_speed=Fraction(base_speed > 0)
        if session_speed is None
        else read_speed("--session-speed", session_speed),
        until_eof=read_until_eof(until_eof=until_eof),
        as_json=as_json,
    )
    import asyncio

    from emulator.cli.serve_opens import open_state
    from emulator.cli.serve_run import Run
    from emulator.serving import NotKept, ServingFailed

    with contextlib.ExitStack() as held:
        file = None if options.state is None else open_state(options.state, held)
        device = device_of(options, None if file is None else file.found)
        armed = read_faults(options.faults, device)
        try:
            interrupted = asyncio.run(Run(options, device, armed, file).run())
        except ServingFailed as failure:
            raise _Defect(str(failure)) from failure
        except NotKept as failure:
            raise UsageFailure(f"--state: {failure}") from failure
    if interrupted:
        raise Interrupted("interrupted.")
