"""The key file: TOML with a table for each pump, and in it a key for each role. No error and no text holds a key.

[00C0FFEE]
reader = "…32 hex digits…"
patient = "…"
clinician = "…"
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from emulator.programmer.toml_lines import KeyPath, key_lines
from emulator.serial_number import read_serial_number
from protocol.keys import KEY_SIZE, RoleKeys
from protocol.messages.codes import Role

FILE_MODE: Final = 0o600
OTHERS: Final = 0o077
MAX_FILE_BYTES: Final = 64 * 1024
ROLES: Final[Mapping[str, Role]] = MappingProxyType({role.name.lower(): role for role in Role})

_SERIAL_ALLOWED = "1 to 8 hex digits, from 00000001 to FFFFFFFE"
KEY_ALLOWED = f"{2 * KEY_SIZE} hex digits in quotes"
_ROLES_ALLOWED = ", ".join(ROLES)
_KEY = re.compile(rf"[0-9A-Fa-f]{{{2 * KEY_SIZE}}}", re.ASCII)
# What may be shown of a name that should not be there: a key that stands in the wrong place is still a key.
_SHOWABLE = re.compile(r"(?!.*[0-9A-Fa-f]{5})[A-Za-z0-9_-]{1,24}", re.ASCII)
_LINE = re.compile(r"at line ([0-9]+)", re.ASCII)


class KeyFileError(Exception):
    """The key file cannot be read, used or made; the message is one sentence without anything of a key."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file holds: keys by serial number. `path` is how the user named it."""

    path: Path
    pumps: Mapping[int, RoleKeys]

    def all_of(self, serial_number: int) -> RoleKeys:
        """The keys of a pump itself, which needs one for each role; raises KeyFileError."""
        found = self.pumps.get(serial_number)
        if found is None:
            raise KeyFileError(
                f"the key file {self.path} has no table [{serial_number:08X}]; a pump needs its own, with "
                f"{_ROLES_ALLOWED}."
            )
        missing = [name for name, role in ROLES.items() if found.get(role) is None]
        if missing:
            raise KeyFileError(
                f"the key file {self.path} lacks {', '.join(missing)} in [{serial_number:08X}]; a pump needs a key "
                "for each role."
            )
        return found


def read_key_file(path: Path) -> KeyFile:
    """The keys in a file that is this user's alone; raises KeyFileError."""
    try:
        content = _own_bytes(path)
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}.") from None
    return KeyFile(path, _pumps(path, content))


def write_key_file(path: Path, pumps: Mapping[int, RoleKeys]) -> None:
    """Make a key file that was not there, for this user alone; raises KeyFileError."""
    text = "\n".join(_table(serial_number, keys) for serial_number, keys in pumps.items())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, FILE_MODE)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already; a key file is never written over.") from None
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be made: {error.strerror}.") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            # Whatever the umask has taken away, its owner may read it.
            os.fchmod(descriptor, FILE_MODE)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise KeyFileError(f"the key file {path} cannot be written: {error.strerror}.") from None


def is_key(text: str) -> bool:
    """Whether a text is a key as it is written."""
    return _KEY.fullmatch(text) is not None


def new_keys(serial_numbers: Iterable[int]) -> dict[int, RoleKeys]:
    """A key by chance for each role of each pump."""
    return {
        serial_number: RoleKeys(MappingProxyType({role: secrets.token_bytes(KEY_SIZE) for role in Role}))
        for serial_number in serial_numbers
    }


def _own_bytes(path: Path) -> bytes:
    """The content, if the file behind the descriptor is one that keys may lie in."""
    # Without waiting for somebody to write into what turns out to be a pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        _check_own(path, os.fstat(descriptor))
        content = b""
        while len(content) <= MAX_FILE_BYTES and (more := os.read(descriptor, MAX_FILE_BYTES + 1 - len(content))):
            content += more
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise KeyFileError(f"the key file {path} has more than {MAX_FILE_BYTES} bytes.")
    return content


def _check_own(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise KeyFileError(f"the key file {path} is no regular file.")
    if found.st_uid != os.getuid():
        raise KeyFileError(f"the key file {path} belongs to somebody else; it must be your own.")
    if mode & OTHERS:
        raise KeyFileError(
            f"the key file {path} has mode {mode:04o}, which lets others at it; run chmod 600 "
            f"{shlex.quote(str(path))} to make it yours alone."
        )


def _pumps(path: Path, content: bytes) -> Mapping[int, RoleKeys]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise KeyFileError(f"the key file {path}, line {line}: this is not UTF-8 text.") from None
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        # TOMLDecodeError is one, and a number of too many digits another. Its own words may quote the line.
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise KeyFileError(
            f"the key file {path}, line {line}: this is no TOML; allowed are tables such as [00C0FFEE], each with "
            f"{_ROLES_ALLOWED}, such as reader = {KEY_ALLOWED}."
        ) from None
    except RecursionError:
        raise KeyFileError(f"the key file {path} is nested too deeply; it holds tables with keys.") from None
    lines = key_lines(text)
    pumps: dict[int, RoleKeys] = {}
    for name, fields in document.items():
        serial_number = read_serial_number(name)
        place = _place(path, lines, name)
        if serial_number is None or not isinstance(fields, dict):
            raise KeyFileError(
                f"{place}: {_shown(name)} is no table of a pump; allowed are tables that are named by a serial number, "
                f"{_SERIAL_ALLOWED}."
            )
        if serial_number in pumps:
            raise KeyFileError(f"{place}: there is a second table for pump {serial_number:08X}; allowed is one.")
        pumps[serial_number] = _role_keys(path, lines, name, fields)
    return MappingProxyType(pumps)


def _role_keys(path: Path, lines: Mapping[KeyPath, int], table: str, fields: Mapping[str, Any]) -> RoleKeys:
    keys: dict[Role, bytes] = {}
    for name, value in fields.items():
        place = _place(path, lines, table, name)
        if name not in ROLES:
            raise KeyFileError(f"{place}: {_shown(name)} is no role; allowed in [{table}] are {_ROLES_ALLOWED}.")
        if not isinstance(value, str) or not is_key(value):
            raise KeyFileError(f"{place}: {name} in [{table}] is no key; allowed are {KEY_ALLOWED}.")
        keys[ROLES[name]] = bytes.fromhex(value)
    if not keys:
        raise KeyFileError(f"{_place(path, lines, table)}: [{table}] holds no key; allowed are {_ROLES_ALLOWED}.")
    return RoleKeys(MappingProxyType(keys))


def _place(path: Path, lines: Mapping[KeyPath, int], *keys: str) -> str:
    return f"the key file {path}, line {lines[keys]}"


def _shown(name: str) -> str:
    return f"'{name}'" if _SHOWABLE.fullmatch(name) else "this name"


def _table(serial_number: int, keys: RoleKeys) -> str:
    lines = [f"[{serial_number:08X}]"]
    for name, role in ROLES.items():
        key = keys.get(role)
        if key is not None:
            lines.append(f'{name} = "{key.hex()}"')
    return "\n".join(lines) + "\n"
