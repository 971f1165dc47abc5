"""Who this programmer is to a pump: the host id that it keeps, and the key that it shows for a role."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emulator.keyfile import KeyFile
from emulator.programmer.disk import HostDisk, LockedError
from protocol.keys import test_keys
from protocol.messages.codes import Marks, Role
from protocol.messages.link import HelloAnswer

FILE_NAME: Final = "host-id"
LOCK_NAME: Final = "host-id.lock"
LOCK_PATIENCE_S: Final = 10.0
HOST_ID_MAX: Final = 0xFFFF_FFFE

_FORMAT = re.compile(rb"[0-9A-F]{8}\n")


class HostIdError(Exception):
    """The host id cannot be read or kept; the message is one sentence."""


class NoKey(Exception):
    """There is no key to open a session with; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A role's key for one pump. `source`: where it is from, for people."""

    key: bytes = field(repr=False)
    source: str


def host_id_for(role: Role, disk: HostDisk, directory: Path) -> int:
    """The number that we go by. A reader's is new each time, so that two readers do not end each other's session."""
    return _any_host_id() if role is Role.READER else kept_host_id(disk, directory)


def kept_host_id(disk: HostDisk, directory: Path) -> int:
    """The number of this programmer, made once: after a crash it must be known for the one that it was before.

    Raises HostIdError.
    """
    path = directory / FILE_NAME
    try:
        disk.make_directory(directory)
        with disk.lock(directory / LOCK_NAME, LOCK_PATIENCE_S):
            data = disk.read(path)
            host_id = _any_host_id() if data is None else _decoded(path, data)
            if data is None:
                # Written beside and put in its place as a whole: a host that dies here leaves no half a number.
                beside = path.with_suffix(".new")
                disk.write(beside, b"%08X\n" % host_id)
                disk.sync(beside)
                disk.rename(beside, path)
            # Whoever died behind the rename may have left a name that is not durable yet.
            disk.sync(directory)
            return host_id
    except LockedError:
        raise HostIdError(f"another command holds this programmer's host id ({directory / LOCK_NAME}).") from None
    except OSError as error:
        raise HostIdError(f"this programmer's host id {path} cannot be kept: {error.strerror}.") from error


def key_for(hello: HelloAnswer, role: Role, key_file: KeyFile | None) -> HeldKey:
    """The key to open a session of a role with: the file's, else the published one; raises NoKey."""
    serial_number, name = hello.serial_number, role.name.lower()
    keys = key_file.pumps.get(serial_number) if key_file is not None else None
    if keys is None and Marks.TEST_KEYS in hello.marks:
        return HeldKey(test_keys(serial_number).of_role[role], "the published test keys")
    key = keys.get(role) if keys is not None else None
    if key_file is None:
        raise NoKey(f"pump {serial_number:08X} has keys of its own; give them with --keys FILE.")
    if key is None:
        raise NoKey(f"{key_file.path} holds no key for role {name} of pump {serial_number:08X}.")
    return HeldKey(key, str(key_file.path))


def _any_host_id() -> int:
    return secrets.randbelow(HOST_ID_MAX) + 1


def _decoded(path: Path, data: bytes) -> int:
    if _FORMAT.fullmatch(data) is None or not 0 < int(data, 16) <= HOST_ID_MAX:
        raise HostIdError(
            f"this programmer's host id {path} is damaged; move the file away, and the next command makes a new one."
        )
    return int(data, 16)
