"""What `vpump serve` says of the pump that it runs: where it is, how it is guarded, and what happens to it."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING

import click

from emulator import OUR_PROTOCOL
from emulator.cli.guards import INSECURE, NO_KEYS, TEST_KEYS
from emulator.cli.quantities import format_duration_us
from emulator.cli.serve_opens import files_of

if TYPE_CHECKING:
    from emulator.cli.serve_options import ServeOptions
    from emulator.control.server import ControlHandle
    from emulator.device import Device
    from emulator.events import Event
    from emulator.ports.port import Port
    from emulator.running import RunningPump
    from emulator.trace import LineWriter
    from emulator.wire import Guard


def ready_line(options: ServeOptions, device: Device, ports: Sequence[Port], control: ControlHandle | None) -> str:
    """The one line of `serve --json`, once every port is open."""
    document: dict[str, object] = {
        "event": "ready",
        "serial_number": f"{options.serial_number:08X}",
        "ports": [{"spec": port.spec.text, "url": port.url} for port in ports],
        "control": None if control is None else control.url,
        "profile": device.profile_name,
        "seed": options.seed,
        "speed": _number(options.speed),
    }
    if control is not None and control.token is not None:
        document["control_token"] = control.token
    document |= {"keys": device.guard.value, "insecure": options.insecure}
    document["protocol"] = options.protocol.name
    document["state"] = None if options.state is None else str(options.state.absolute())
    document |= asdict(files_of(options))
    return json.dumps(document)


def welcome(options: ServeOptions, device: Device, ports: Sequence[Port], control: ControlHandle | None) -> str:
    """The ready line in words, for people."""
    lines = [f"Pump {options.serial_number:08X} ({device.profile_name}, seed {options.seed}) is running."]
    if options.protocol.name != OUR_PROTOCOL:
        lines.append(f"  speaks   {options.protocol.name}: {options.protocol.plugin.title}")
    for port in ports:
        linked = "" if port.link is None else f"  (link: {port.link})"
        lines.append(f"  port     {port.url}{linked}")
    if control is not None:
        lines.append(f"  control  {control.url}")
        if control.token is not None:
            lines.append(f"  token    {control.token}")
    if options.capture is not None:
        lines.append(f"  capture  {options.capture}")
    if options.journal is not None:
        lines.append(f"  journal  {options.journal}")
    if options.artefacts is not None:
        lines.append(f"  artefacts {options.artefacts}")
    if options.state is not None:
        since = "new" if device.now_us == 0 else f"resumed at {format_duration_us(device.now_us)}"
        lines.append(f"  state    {options.state} ({since})")
    if options.speed != 1:
        lines.append(f"  speed    {_number(options.speed)}, in a session {_number(options.session_speed)}")
    if ports and options.protocol.plugin.first_try:
        first_try = f"vpump {options.protocol.plugin.first_try} -p {ports[0].link or ports[0].url}"
        if options.keys is not None and not options.insecure:
            first_try += f" --keys {shlex.quote(str(options.key_file))}"
        lines.append(f"Point your program at it, or try: {first_try}")
    lines.append("Stop it with Ctrl-C.")
    return "\n".join(lines)


def running_pump(
    options: ServeOptions, device: Device, ports: Sequence[Port], control: ControlHandle | None
) -> RunningPump:
    """What `vpump ls` is to say of it."""
    from emulator.running import PortRecord, RunningPump

    return RunningPump(
        serial_number=f"{options.serial_number:08X}",
        ports=tuple(PortRecord(port.spec.text, port.url) for port in ports),
        control=None if control is None else control.url,
        control_token=None if control is None else control.token,
        profile=device.profile_name,
        seed=options.seed,
        speed=_number(options.speed),
        pid=os.getpid(),
        started=time.time(),
        protocol=options.protocol.name,
        files=files_of(options),
    )


def security_line(options: ServeOptions, guard: Guard) -> str:
    """How this pump is guarded; loud where it is not."""
    from emulator.wire import Guard

    if options.insecure:
        return INSECURE
    if guard is Guard.OWN_KEYS:
        return f"This pump has keys of its own, from {options.key_file}."
    return TEST_KEYS if guard is Guard.TEST_KEYS else NO_KEYS


def tracer(writer: LineWriter, *, as_json: bool) -> Callable[[Event], None]:
    """Shows an event as one line of a trace."""
    from emulator.trace import trace_line, wants_colour

    if as_json:
        return lambda event: writer.write(json.dumps(event.as_json()))
    colour = wants_colour(sys.stderr)
    return lambda event: writer.write(trace_line(event, colour=colour))


def say_line(line: str) -> None:
    """Print a line on stderr as it is."""
    click.echo(line, err=True)


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
