"""Put a device together: its profile read, its serial number chosen, pump and wire of a protocol joined."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from emulator import OUR_PROTOCOL
from emulator.device import Device
from emulator.inputs import RaiseSessionCounter
from emulator.protocols import InstalledProtocol, ProtocolError, installed_protocol
from emulator.successors import Successors
from emulator.wire import WireProtocol, WireSetting
from firmware_model.profile import Profile
from firmware_model.profile_text import ProfileError, parse_profile
from firmware_model.pump import Pump
from firmware_model.pump_state import resumed
from firmware_model.savestate import SaveStateError

DEFAULT_SERIAL_NUMBER = 0x00C0FFEE
"""The serial number of a pump with seed 0."""
MOST_PROFILE_BYTES = 262_144
RANDOM_FLOOR_BITS = 30


def serial_number_for(seed: int) -> int:
    """The serial number of a pump that was given none: the same for the same seed, never 0 or that for any pump."""
    if seed == 0:
        return DEFAULT_SERIAL_NUMBER
    drawn = int.from_bytes(hashlib.sha256(f"vpump serial number {seed}".encode()).digest()[:4], "little")
    return min(max(drawn, 1), 0xFFFF_FFFE)


def shipped_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with the product."""
    folder = resources.files("firmware_model") / "profiles"
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml")))


@dataclass(frozen=True, slots=True)
class ProfileText:
    """The text of a profile, of a name that is shipped or made of its file's."""

    name: str
    text: str
    shipped: bool

    def parse(self) -> Profile:
        """The profile. Raises ProfileError."""
        return parse_profile(self.name, self.text, shipped_text)


def load_profile(name_or_file: str) -> Profile:
    """The profile of a shipped name, or of a file. Raises ProfileError with one sentence."""
    return profile_text(name_or_file).parse()


def profile_text(name_or_file: str) -> ProfileText:
    """The text of a profile by its shipped name, or in a file. Raises ProfileError with one sentence."""
    shipped = shipped_text(name_or_file)
    if shipped is not None:
        return ProfileText(name_or_file, shipped, shipped=True)
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.exists():
        names = ", ".join(shipped_profiles())
        raise ProfileError(f"profile {name_or_file!r} is neither a file nor one of {names}")
    return ProfileText(path.stem, _file_text(path), shipped=False)


def build_device(
    profile: str | Profile,
    seed: int,
    serial_number: int,
    *,
    insecure: bool,
    session_floor: int,
    keys: Mapping[str, bytes] | None = None,
    protocol: InstalledProtocol | None = None,
    kept: bytes | None = None,
) -> Device:
    """A pump of a profile, at its first power-up, behind a protocol. Raises ProfileError and ProtocolError.

    profile        its name, its file, or itself
    keys           its keys by their names, such as the roles'; None for the published test keys
    protocol       None for our own
    session_floor  its sessions are numbered from above it: `fresh_session_floor()`, or a fixed one where nobody can
                   have recorded an earlier session
    kept           not at its first power-up, but booted from the memory in this save-state; raises SaveStateError for
                   one of another pump
    """
    loaded = load_profile(profile) if isinstance(profile, str) else profile
    pump = Pump(loaded, serial_number, seed) if kept is None else _resumed(kept, loaded, serial_number, seed)
    spoken = protocol or installed_protocol(OUR_PROTOCOL)

    def wire_of(pump: Pump, keys: Mapping[str, bytes] | None) -> WireProtocol:
        setting = WireSetting(profile=loaded, serial_number=pump.serial_number, insecure=insecure, keys=keys)
        return spoken.new_wire(setting)

    def successor_wire(pump: Pump, keys: Mapping[str, bytes] | None) -> WireProtocol:
        try:
            return wire_of(pump, keys)
        except ProtocolError as error:
            raise ValueError(str(error)) from error

    wire = wire_of(pump, keys)
    with spoken.blamed("the start of a pump"):
        device = Device(pump, wire, Successors(successor_wire, keys))
        device.control(RaiseSessionCounter(session_floor), device.now_us)
    return device


def _resumed(kept: bytes, profile: Profile, serial_number: int, seed: int) -> Pump:
    pump = resumed(kept, profile)
    if pump.serial_number != serial_number:
        raise SaveStateError(
            f"this save-state is of pump {pump.serial_number:08X}, which has seed {pump.seed}; this is pump "
            f"{serial_number:08X}, with seed {seed}."
        )
    if pump.seed != seed:
        raise SaveStateError(f"this save-state is of a pump with seed {pump.seed}; this one has seed {seed}.")
    return pump


def fresh_session_floor() -> int:
    """A number that no pump of this serial number has had before: a challenge that came twice could be replayed.

    It rises with the wall clock, second by second, and is random below, should the clock have been set back.
    """
    return int(time.time()) << RANDOM_FLOOR_BITS | secrets.randbits(RANDOM_FLOOR_BITS)


def shipped_text(name: str) -> str | None:
    """The text of a shipped profile, None for a name that is none."""
    if name not in shipped_profiles():
        return None
    return (resources.files("firmware_model") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")


def _file_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_PROFILE_BYTES + 1)
    except OSError as error:
        raise ProfileError(f"profile {path}: {error.strerror or error}") from None
    if len(content) > MOST_PROFILE_BYTES:
        raise ProfileError(f"profile {path} is larger than {MOST_PROFILE_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(f"profile {path} is not UTF-8 text: byte {error.start}") from None
