"""What `vpump serve` was asked for: its options, read and checked, and the device that they describe."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.cli.errors import UsageFailure
from emulator.cli.speaking import protocol_failures

if TYPE_CHECKING:
    from emulator.assembly import ProfileText
    from emulator.device import Device
    from emulator.inputs import ArmDeviceFault, ArmFault
    from emulator.ports.spec import PortSpec
    from emulator.protocols import InstalledProtocol

PORT_LIMIT = 16
FAULT_LIMIT = 64


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the user asked for, read and checked."""

    ports: tuple[PortSpec, ...]
    protocol: InstalledProtocol
    profile: ProfileText
    seed: int
    serial_number: int
    insecure: bool
    key_file: Path | None
    keys: Mapping[str, bytes] | None = field(repr=False)
    control: str | None
    faults: tuple[str, ...]
    trace: bool
    capture: Path | None
    journal: Path | None
    artefacts: Path | None
    state: Path | None
    session_floor: int
    speed: Fraction
    session_speed: Fraction
    until_eof: bool
    as_json: bool


def read_ports(specs: Sequence[str]) -> tuple[PortSpec, ...]:
    """--listen; raises UsageFailure, as all of these."""
    from emulator.ports.spec import PortSpecError, parse_port

    if len(specs) > PORT_LIMIT:
        raise UsageFailure(f"--listen is given {len(specs)} times; at most {PORT_LIMIT} ports are allowed.")
    try:
        return tuple(parse_port(spec) for spec in specs)
    except PortSpecError as error:
        raise UsageFailure(f"--listen: {error}") from error


def read_profile(name_or_file: str) -> ProfileText:
    """--profile, read but not looked at."""
    from emulator.assembly import profile_text
    from firmware_model.profile_text import ProfileError

    try:
        return profile_text(name_or_file)
    except ProfileError as error:
        raise UsageFailure(f"{error}.") from error


def read_artefacts(folder: Path | None, control: str | None) -> Path | None:
    """--artefacts: a folder that is there, by its whole path."""
    if folder is None:
        return None
    if control is None:
        raise UsageFailure("--artefacts is for who has a control plane; say where with --control SPEC.")
    if not folder.is_dir():
        raise UsageFailure(f"--artefacts: {folder} is no folder; make it first.")
    return folder.absolute()


def read_speed(option: str, text: str) -> Fraction:
    """--speed or --session-speed."""
    from emulator.pacing import SpeedError, parse_speed

    try:
        return parse_speed(text)
    except SpeedError as error:
        raise UsageFailure(f"{option}: {error}") from error


def serial_number_of(text: str | None, seed: int) -> int:
    """--serial-number, or the one that follows from the seed."""
    if text is None:
        from emulator.assembly import serial_number_for

        return serial_number_for(seed)
    from emulator.serial_number import read_serial_number

    number = read_serial_number(text)
    if number is None:
        raise UsageFailure(
            f"--serial-number: {text!r} is none: allowed are 1 to 8 hexadecimal digits, from 00000001 to FFFFFFFE."
        )
    return number


def read_insecure(protocol: InstalledProtocol, *, insecure: bool) -> bool:
    """--insecure, which means nothing to a protocol without keys."""
    if insecure and protocol.plugin.read_keys is None:
        raise UsageFailure(f"--insecure: the protocol {protocol.name} asks nobody for a key anyway; leave it out.")
    return insecure


def read_keys(protocol: InstalledProtocol, key_file: Path, serial_number: int) -> Mapping[str, bytes]:
    """The keys in the file of --keys, as the protocol reads it."""
    with protocol_failures():
        return protocol.read_keys(key_file, serial_number)


def need_files_of_their_own(**paths: Path | None) -> None:
    """What an option writes, another may not write over."""
    taken: dict[str, str] = {}
    for option, path in paths.items():
        if path is None:
            continue
        other = taken.setdefault(os.path.realpath(path), option)
        if other != option:
            raise UsageFailure(f"--{option}: {path} is the file of --{other}, too; give each a file of its own.")


def device_of(options: ServeOptions, kept: bytes | None = None) -> Device:
    """A new pump, or one that boots from the memory in a save-state."""
    from emulator.assembly import build_device
    from firmware_model.profile_text import ProfileError
    from firmware_model.savestate import SaveStateError

    try:
        with protocol_failures():
            return build_device(
                options.profile.parse(),
                options.seed,
                options.serial_number,
                insecure=options.insecure,
                session_floor=options.session_floor,
                keys=options.keys,
                protocol=options.protocol,
                kept=kept,
            )
    except ProfileError as error:
        raise UsageFailure(f"{error}.") from error
    except SaveStateError as error:
        raise UsageFailure(f"--state: {options.state}: {error}") from error


def read_faults(texts: Sequence[str], device: Device) -> list[ArmFault | ArmDeviceFault]:
    """--fault, in the words of the device's wire."""
    if not texts:
        return []
    from emulator.faults.arming import arming
    from emulator.faults.syntax import FaultSyntaxError

    if len(texts) > FAULT_LIMIT:
        raise UsageFailure(f"--fault is given {len(texts)} times; at most {FAULT_LIMIT} faults are armed at once.")
    try:
        return [arming(text, device.fault_names) for text in texts]
    except FaultSyntaxError as error:
        raise UsageFailure(f"--fault: {error}.") from error
