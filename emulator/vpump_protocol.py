"""Our own protocol as a package offers one: what the entry point `vpump` of the group `vpump.protocols` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from emulator.keyfile import KeyFileError, read_key_file
from emulator.vpump_decoder import VpumpDecoder
from emulator.vpump_wire import VpumpWire, role_keys_of
from emulator.wire import DecoderSetting, ProtocolPlugin, WireSetting
from protocol.keys import RoleKeys, test_keys


def _new_wire(setting: WireSetting) -> VpumpWire:
    keys = None if setting.keys is None else role_keys_of(setting.keys)
    return VpumpWire(setting.profile, setting.serial_number, insecure=setting.insecure, keys=keys)


def _read_keys(path: Path, serial_number: int) -> Mapping[str, bytes]:
    """A pump's own keys by the names of their roles. Raises ValueError."""
    try:
        held = read_key_file(path).all_of(serial_number)
    except KeyFileError as error:
        raise ValueError(str(error)) from error
    return {role.name.lower(): key for role, key in held.of_role.items()}


def _new_decoder(setting: DecoderSetting) -> VpumpDecoder:
    """A decoder that opens what is sealed with the file's keys, else with those that everybody can work out."""
    try:
        held = {} if setting.key_file is None else dict(read_key_file(setting.key_file).pumps)
    except KeyFileError as error:
        raise ValueError(str(error)) from error

    def keys_of(serial_number: int) -> Iterator[RoleKeys]:
        if serial_number in held:
            yield held[serial_number]
        yield test_keys(serial_number)

    return VpumpDecoder(keys_of, thorough=setting.thorough)


PLUGIN = ProtocolPlugin(
    title="vpump's own protocol, secured, with sessions (docs/protocol.md)",
    new_wire=_new_wire,
    new_decoder=_new_decoder,
    read_keys=_read_keys,
    first_try="interrogate",
)
