"""What `vpump serve` opens before the pump runs: its state, ports, capture, journal and control plane."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.errors import UsageFailure

if TYPE_CHECKING:
    from emulator.capture.recorder import CaptureHeader
    from emulator.cli.serve_options import ServeOptions
    from emulator.control.artefacts import ArtefactSetting
    from emulator.control.server import ControlHandle
    from emulator.device import Device
    from emulator.journal.recording import JournaledDevice
    from emulator.ports.port import Port
    from emulator.ports.spec import PortSpec
    from emulator.running import RunFiles
    from emulator.serving import Serving
    from emulator.state_file import StateFile


def files_of(options: ServeOptions) -> RunFiles:
    """The files that this run writes, by their whole paths."""
    from emulator.running import RunFiles

    return RunFiles(*(None if path is None else str(path.absolute()) for path in _paths(options)))


def _paths(options: ServeOptions) -> tuple[Path | None, ...]:
    return options.journal, options.capture, options.artefacts


def open_ports(specs: Sequence[PortSpec], stack: contextlib.AsyncExitStack) -> list[Port]:
    """Every port of --listen; raises UsageFailure, as all of these."""
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


def open_state(path: Path, stack: contextlib.ExitStack) -> StateFile:
    """--state: the file, ours alone from now on."""
    from emulator.state_file import StateFile, StateFileError

    try:
        file = StateFile(path)
    except StateFileError as error:
        raise UsageFailure(f"--state: {error}") from error
    stack.callback(file.close)
    return file


def keeper(file: StateFile, device: Device) -> Callable[[], None]:
    """What keeps the pump in the file of --state as it is then; it raises NotKept."""
    from emulator.serving import NotKept
    from emulator.state_file import StateFileError
    from firmware_model.pump_state import kept

    def keep() -> None:
        try:
            file.keep(kept(device.pump))
        except StateFileError as error:
            raise NotKept(f"{error}") from error

    return keep


def start_capture(
    path: Path, options: ServeOptions, device: Device, serving: Serving, stack: contextlib.AsyncExitStack
) -> None:
    """--capture: an observer that writes what passes on the line."""
    import asyncio

    from emulator.capture.observer import CaptureObserver
    from emulator.capture.sink import open_sink
    from emulator.capture.targets import CaptureFailed
    from emulator.trace import LineWriter

    header = _capture_header(options, device, device.serial_number)
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


def artefacts_of(options: ServeOptions, device: Device, stack: contextlib.AsyncExitStack) -> ArtefactSetting | None:
    """--artefacts, if it is wanted: where captures go that a tester begins."""
    import asyncio

    from emulator.control.artefacts import ArtefactSetting
    from emulator.trace import LineWriter

    if options.artefacts is None:
        return None
    told = LineWriter(sys.stderr)
    stack.callback(told.close)
    return ArtefactSetting(
        folder=options.artefacts,
        header=partial(_capture_header, options, device),
        call_soon=asyncio.get_running_loop().call_soon,
        tell=lambda sentence: told.write(f"vpump: {sentence}"),
    )


def _capture_header(options: ServeOptions, device: Device, serial_number: int) -> CaptureHeader:
    from emulator import VERSION
    from emulator.capture.recorder import CaptureHeader
    from firmware_model import MODEL_VERSION

    shown = f"{serial_number:08X}"
    return CaptureHeader(
        hardware=f"emulated pump {shown}",
        application=f"vpump {VERSION}",
        facts=(
            ("protocol", options.protocol.name),
            ("profile", device.profile_name),
            ("serial number", shown),
            ("seed", str(options.seed)),
            ("model version", str(MODEL_VERSION)),
        ),
        ports=tuple(port.text for port in options.ports),
    )


def start_journal(
    options: ServeOptions, device: Device, kept: bytes | None, stack: contextlib.AsyncExitStack
) -> JournaledDevice:
    """--journal: the door of a device that writes down what it is given."""
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
        kept=kept,
    )
    told = LineWriter(sys.stderr)
    stack.callback(told.close)
    try:
        sink = JournalSink(options.journal, header.line(), lambda sentence: told.write(f"vpump: {sentence}"))
    except JournalFailed as failed:
        raise UsageFailure(f"--journal: {failed}") from None
    stack.callback(sink.close)
    journaled = JournaledDevice(device, sink.put, len(options.ports))
    stack.callback(journaled.close)
    return journaled


async def start_control_plane(
    options: ServeOptions, device: Device, serving: Serving, stack: contextlib.AsyncExitStack
) -> ControlHandle | None:
    """--control, if it is wanted, with the files of this run."""
    if options.control is None:
        return None
    try:
        from emulator.control.server import start_control
        from emulator.control.spec import ControlSpecError
    except ImportError as error:
        raise UsageFailure(f"--control needs the extra packages of vpump[control]: {error}.") from error
    try:
        handle = await start_control(options.control, serving, artefacts_of(options, device, stack), files_of(options))
    except ControlSpecError as error:
        raise UsageFailure(f"--control: {error}.") from error
    stack.push_async_callback(handle.stop)
    return handle
