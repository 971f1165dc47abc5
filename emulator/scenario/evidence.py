"""The pump of a scenario on its stage, and the evidence of what happens there: journal, and capture of its line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from emulator import OUR_PROTOCOL, VERSION
from emulator.assembly import build_device, profile_text, serial_number_for
from emulator.capture.pcapng import packet
from emulator.capture.recorder import CaptureHeader, Recorder
from emulator.device import Device
from emulator.events import Event
from emulator.journal.header import header_of
from emulator.journal.recording import JournaledDevice
from emulator.scenario.conductor import Conductor
from emulator.scenario.plan import SESSION_FLOOR, Scenario
from emulator.scenario.stage import Stage

JOURNAL: Final = "pump.journal"
CAPTURE: Final = "line.pcapng"
VERDICT: Final = "verdict.json"
PORT: Final = "virtual"


class EvidenceFailed(Exception):
    """The evidence cannot be written; one sentence."""


def make_device(scenario: Scenario) -> Device:
    """The pump of a scenario at its first power-up."""
    pump = scenario.pump
    return build_device(
        pump.profile,
        seed=pump.seed,
        serial_number=serial_number_for(pump.seed) if pump.serial_number is None else pump.serial_number,
        insecure=pump.insecure,
        session_floor=SESSION_FLOOR,
    )


@contextlib.contextmanager
def staged(scenario: Scenario, folder: Path | None = None, port: str = PORT) -> Iterator[Stage]:
    """The pump of a scenario on its stage; with a folder, journal and capture are written there. Raises EvidenceFailed.

    `port`: what its line is called in them.
    """
    device = make_device(scenario)
    if folder is None:
        yield Stage(device, Conductor(scenario))
        return
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            journal = stack.enter_context((folder / JOURNAL).open("wb"))
            capture = stack.enter_context((folder / CAPTURE).open("wb"))
        except OSError as error:
            raise EvidenceFailed(f"{error.filename} cannot be written: {error.strerror}.") from None
        journal.write(_journal_header(scenario, device, port).encode())
        door = JournaledDevice(device, lambda line: _written(journal.write(line.encode())), ports=1)
        stack.callback(door.close)
        watch, flush = _recording(scenario, device, capture.write, port)
        stack.callback(flush)
        yield Stage(device, Conductor(scenario), watch, door)


def _recording(
    scenario: Scenario, device: Device, write: Callable[[bytes], int], port: str
) -> tuple[Callable[[Event], None], Callable[[], None]]:
    recorder = Recorder()
    header = CaptureHeader(
        hardware=f"emulated pump {device.serial_number:08X}",
        application=f"vpump {VERSION}",
        facts=(("scenario", scenario.name), ("profile", device.profile_name), ("seed", str(scenario.pump.seed))),
        ports=(port,),
    )
    write(header.blocks())

    def watch(event: Event) -> None:
        for each in recorder.take(event):
            write(packet(each))

    def flush() -> None:
        for each in recorder.flush():
            write(packet(each))

    return watch, flush


def _journal_header(scenario: Scenario, device: Device, port: str) -> str:
    profile = profile_text(scenario.pump.profile)
    return header_of(
        device,
        protocol=OUR_PROTOCOL,
        profile_text=None if profile.shipped else profile.text,
        seed=scenario.pump.seed,
        session_floor=SESSION_FLOOR,
        insecure=scenario.pump.insecure,
        keys=None,
        ports=(port,),
    ).line()


def _written(count: int) -> None:
    """How many bytes were written is nobody's business."""
    del count
