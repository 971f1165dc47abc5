"""`vpump serve`: runs a pump until it is interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator import OUR_PROTOCOL
from emulator.cli.errors import CommandFailure, Interrupted, UsageFailure, request_json, say
from emulator.cli.guards import INSECURE, NO_KEYS, TEST_KEYS
from emulator.cli.serve_options import (
    ServeOptions,
    device_of,
    read_faults,
    read_insecure,
    read_keys,
    read_ports,
    read_profile,
    read_speed,
    serial_number_of,
)
from emulator.cli.speaking import protocol_named, protocol_option

if TYPE_CHECKING:
    from emulator.control.server import ControlHandle
    from emulator.device import Device
    from emulator.events import Event
    from emulator.inputs import ArmDeviceFault, ArmFault
    from emulator.journal.recording import JournaledDevice
    from emulator.ports.port import Port
    from emulator.ports.spec import PortSpec
    from emulator.running import RunningPump
    from emulator.serving import Serving
    from emulator.trace import LineWriter
    from emulator.wire import Guard

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
    key_file: Path | None,
    insecure: bool,
    speed: str,
    session_speed: str | None,
    as_json: bool,
) -> None:
    """Run a pump until interrupted."""
    if as_json:
        request_json(context)
    from emulator.assembly import fresh_session_floor

    base_speed = read_speed("--speed", speed)
    number = serial_number_of(serial_number, seed)
    spoken = protocol_named(protocol)
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
        session_floor=fresh_session_floor(),
        speed=base_speed,
        session_speed=Fraction(base_speed > 0)
        if session_speed is None
        else read_speed("--session-speed", session_speed),
        as_json=as_json,
    )
    device = device_of(options)
    armed = read_faults(options.faults, device)
    import asyncio

    from emulator.serving import ServingFailed

    try:
        interrupted = asyncio.run(_Run(options, device, armed).run())
    except ServingFailed as failure:
        raise _Defect(str(failure)) from failure
    if interrupted:
        raise Interrupted("interrupted.")


class _Run:
    """One run of a pump: what it opened, and how it ends."""

    def __init__(self, options: ServeOptions, device: Device, armed: Sequence[ArmFault | ArmDeviceFault]) -> None:
        self._options = options
        self._device = device
        self._armed = armed
        self._serving: Serving | None = None
        self._signal: signal.Signals | None = None

    async def run(self) -> bool:
        """Serve until a signal or the control plane ends it; says whether it was an interrupt."""
        import asyncio

        from emulator.pacing import Pacer
        from emulator.running import RunningError, register
        from emulator.serving import Serving

        options = self._options
        # Before anything is opened, so that a signal at any moment leaves nothing behind.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, number)
        async with contextlib.AsyncExitStack() as stack:
            ports = _open_ports(options.ports, stack)
            pacer = Pacer(options.speed, options.session_speed, time.monotonic_ns())
            door = self._device if options.journal is None else _start_journal(options, self._device, stack)
            serving = self._serving = Serving(door, ports, pacer)
            if options.capture is not None:
                _start_capture(options.capture, options, self._device, serving, stack)
            control = await _start_control(options.control, serving, stack)
            say_line(_security_line(options, self._device.guard))
            try:
                stack.enter_context(register(self._record(ports, control)))
            except RunningError as error:
                say(f"'vpump ls' will not show this pump: {error}")
            writer = self._announce(ports, control, stack)
            if writer is not None:
                serving.observe(_tracer(writer, as_json=options.as_json))
            serving.start()
            for fault in self._armed:
                serving.apply(fault)
            if self._signal is not None:
                serving.shutdown()
            await serving.run()
        return self._signal is signal.SIGINT

    def _end(self, number: signal.Signals) -> None:
        if self._signal is None:
            self._signal = number
        if self._serving is not None:
            self._serving.shutdown()

    def _announce(
        self, ports: Sequence[Port], control: ControlHandle | None, stack: contextlib.AsyncExitStack
    ) -> LineWriter | None:
        """Say where the pump is to be found; returns the writer of its trace, if one is wanted."""
        options = self._options
        lines = self._ready_line(ports, control) if options.as_json else self._welcome(ports, control)
        click.echo(lines)
        sys.stdout.flush()
        if not options.trace:
            return None
        from emulator.trace import LineWriter

        if options.as_json:
            writer = LineWriter(sys.stdout, dropped_line=lambda count: json.dumps({"event": "dropped", "count": count}))
        else:
            writer = LineWriter(sys.stderr)
        stack.callback(writer.close)
        return writer

    def _ready_line(self, ports: Sequence[Port], control: ControlHandle | None) -> str:
        options = self._options
        document: dict[str, object] = {
            "event": "ready",
            "serial_number": f"{options.serial_number:08X}",
            "ports": [{"spec": port.spec.text, "url": port.url} for port in ports],
            "control": None if control is None else control.url,
            "profile": self._device.profile_name,
            "seed": options.seed,
            "speed": _number(options.speed),
        }
        if control is not None and control.token is not None:
            document["control_token"] = control.token
        document |= {"keys": self._device.guard.value, "insecure": options.insecure}
        document["protocol"] = options.protocol.name
        return json.dumps(document)

    def _welcome(self, ports: Sequence[Port], control: ControlHandle | None) -> str:
        options = self._options
        lines = [f"Pump {options.serial_number:08X} ({self._device.profile_name}, seed {options.seed}) is running."]
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
        if options.speed != 1:
            lines.append(f"  speed    {_number(options.speed)}, in a session {_number(options.session_speed)}")
        if ports and options.protocol.plugin.first_try:
            first_try = f"vpump {options.protocol.plugin.first_try} -p {ports[0].link or ports[0].url}"
            if options.keys is not None and not options.insecure:
                first_try += f" --keys {shlex.quote(str(options.key_file))}"
            lines.append(f"Point your program at it, or try: {first_try}")
        lines.append("Stop it with Ctrl-C.")
        return "\n".join(lines)

    def _record(self, ports: Sequence[Port], control: ControlHandle | None) -> RunningPump:
        from emulator.running import PortRecord, RunningPump

        options = self._options
        return RunningPump(
            serial_number=f"{options.serial_number:08X}",
            ports=tuple(PortRecord(port.spec.text, port.url) for port in ports),
            control=None if control is None else control.url,
            control_token=None if control is None else control.token,
            profile=self._device.profile_name,
            seed=options.seed,
            speed=str(_number(options.speed)),
            pid=os.getpid(),
            started=time.time(),
            protocol=options.protocol.name,
        )


def say_line(line: str) -> None:
    """Print a line on stderr as it is."""
    click.echo(line, err=True)


def _security_line(options: ServeOptions, guard: Guard) -> str:
    """How this pump is guarded; loud where it is not."""
    from emulator.wire import Guard

    if options.insecure:
        return INSECURE
    if guard is Guard.OWN_KEYS:
        return f"This pump has keys of its own, from {options.key_file}."
    return TEST_KEYS if guard is Guard.TEST_KEYS else NO_KEYS


def _tracer(writer: LineWriter, *, as_json: bool) -> Callable[[Event], None]:
    from emulator.trace import trace_line, wants_colour

    if as_json:
        return lambda event: writer.write(json.dumps(event.as_json()))
    colour = wants_colour(sys.stderr)
    return lambda event: writer.write(trace_line(event, colour=colour))


def _open_ports(specs: Sequence[PortSpec], stack: contextlib.AsyncExitStack) -> list[Port]:
    from emulator.ports.port import PortError
    from emulator.ports.spec import open_port

    ports = []
    for spec in specs:
        try:
            port = open_port(spec)
        except PortError as error:
            raise UsageFailure(f"--listen: {error}") from error
        stack.callback(port.close)
        ports.append(port)
    return ports


def _start_capture(
    path: Path, options: ServeOptions, device: Device, serving: Serving, stack: contextlib.AsyncExitStack
) -> None:
    import asyncio

    from emulator import VERSION
    from emulator.capture.observer import CaptureObserver
    from emulator.capture.recorder import CaptureHeader
    from emulator.capture.sink import open_sink
    from emulator.capture.targets import CaptureFailed
    from emulator.trace import LineWriter
    from firmware_model import MODEL_VERSION

    serial_number = f"{options.serial_number:08X}"
    header = CaptureHeader(
        hardware=f"emulated pump {serial_number}",
        application=f"vpump {VERSION}",
        facts=(
            ("protocol", options.protocol.name),
            ("profile", device.profile_name),
            ("serial number", serial_number),
            ("seed", str(options.seed)),
            ("model version", str(MODEL_VERSION)),
        ),
        ports=tuple(port.text for port in options.ports),
    )
    # Neither the pump nor its capture waits for whoever reads what it says.
    told = LineWriter(sys.stderr)
    stack.callback(told.close)
    try:
        sink = open_sink(path, header.blocks(), lambda sentence: told.write(f"vpump: {sentence}"))
    except CaptureFailed as failed:
        raise UsageFailure(f"--capture: {failed}") from None
    observer = CaptureObserver(sink, asyncio.get_running_loop().call_soon)
    stack.callback(observer.close)
    serving.observe(observer)


def _start_journal(options: ServeOptions, device: Device, stack: contextlib.AsyncExitStack) -> JournaledDevice:
    from emulator.journal.header import header_of
    from emulator.journal.recording import JournaledDevice
    from emulator.journal.sink import JournalFailed, JournalSink
    from emulator.trace import LineWriter

    assert options.journal is not None  # noqa: S101 - for the type checker
    header = header_of(
        device,
        protocol=options.protocol.name,
        profile_text=None if options.profile.shipped else options.profile.text,
        seed=options.seed,
        session_floor=options.session_floor,
        insecure=options.insecure,
        keys=options.keys,
        ports=tuple(port.text for port in options.ports),
    )
    told = LineWriter(sys.stderr)
    stack.callback(told.close)
    try:
        sink = JournalSink(options.journal, header.line(), lambda sentence: told.write(f"vpump: {sentence}"))
    except JournalFailed as failed:
        raise UsageFailure(f"--journal: {failed}") from None
    stack.callback(sink.close)
    journaled = JournaledDevice(device, sink.put)
    stack.callback(journaled.close)
    return journaled


async def _start_control(spec: str | None, serving: Serving, stack: contextlib.AsyncExitStack) -> ControlHandle | None:
    if spec is None:
        return None
    try:
        from emulator.control.server import start_control
        from emulator.control.spec import ControlSpecError
    except ImportError as error:
        raise UsageFailure(f"--control needs the extra packages of vpump[control]: {error}.") from error
    try:
        handle = await start_control(spec, serving)
    except ControlSpecError as error:
        raise UsageFailure(f"--control: {error}.") from error
    stack.push_async_callback(handle.stop)
    return handle


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
