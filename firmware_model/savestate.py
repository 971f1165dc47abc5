"""A save-state: the canonical content of a pump in an envelope that says what it is of, and whether it is whole.

    magic            8 bytes, of which a transfer as text spoils at least one
    format version   u32
    model version    u32      of the model that made it
    serial number    u32
    profile          32 bytes, SHA-256 of all its parameters; then its name, a length u8 and UTF-8
    content          a length u32, and the canonical encoding of whatever the pump keeps
    SHA-256          32 bytes, of all before it

Numbers are big-endian. A profile's parameters are not in it: they are wiring, and whoever restores has the same ones.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import fields
from typing import Final, NamedTuple

from firmware_model import MODEL_VERSION
from firmware_model.profile import Profile
from firmware_model.state import canonical
from firmware_model.state_reading import StateError

MAGIC: Final = b"\x89VPUMP\r\n"
FORMAT_VERSION: Final = 1
MAX_SAVE_STATE_BYTES: Final = 16 << 20
"""The largest save-state, envelope included; that of a pump is some hundred KiB."""

_START: Final = struct.Struct(">8sI")
_HEAD: Final = struct.Struct(">8sIII32sB")
_LENGTH: Final = struct.Struct(">I")
_SHA_BYTES: Final = 32
_LONGEST_NAME: Final = 255
# A profile's name is told apart by itself, and where a value comes from changes nothing that a pump does.
_NO_PARAMETERS: Final = ("name", "sources")


class SaveStateError(StateError):
    """This is no save-state that can be used here; the message is one sentence."""


class SaveState(NamedTuple):
    """What a whole save-state says of itself, and its content. `profile_digest` is SHA-256 in hex."""

    model_version: int
    serial_number: int
    profile_name: str
    profile_digest: str
    content: bytes


def profile_digest(profile: Profile) -> str:
    """SHA-256 in hex over all parameters of a profile, but neither its name nor its sources."""
    parameters = [
        (described.name, _section(getattr(profile, described.name)))
        for described in fields(profile)
        if described.name not in _NO_PARAMETERS
    ]
    return hashlib.sha256(canonical(parameters)).hexdigest()


def _section(section: object) -> object:
    return sorted(section.items(), key=canonical) if isinstance(section, Mapping) else section


def seal(content: bytes, profile: Profile, serial_number: int) -> bytes:
    """A save-state with this content, made by this model. Raises SaveStateError for what fits into none."""
    name = profile.name.encode()
    if not _is_name(profile.name) or len(name) > _LONGEST_NAME:
        raise SaveStateError(
            f"no save-state is made under this profile: its name must be printable, at most {_LONGEST_NAME} bytes long."
        )
    identity = bytes.fromhex(profile_digest(profile))
    head = _HEAD.pack(MAGIC, FORMAT_VERSION, MODEL_VERSION, serial_number, identity, len(name))
    if len(head) + len(name) + _LENGTH.size + len(content) + _SHA_BYTES > MAX_SAVE_STATE_BYTES:
        raise SaveStateError(f"a save-state has at most {MAX_SAVE_STATE_BYTES:,} bytes; this pump's would have more.")
    sealed = head + name + _LENGTH.pack(len(content)) + content
    return sealed + hashlib.sha256(sealed).digest()


def open_sealed(data: bytes, profile: Profile) -> SaveState:
    """A whole save-state of this model version and this very profile; raises SaveStateError for any other."""
    found = read_sealed(data)
    if found.model_version != MODEL_VERSION:
        raise SaveStateError(
            f"this save-state was made by model version {found.model_version}; this is model version {MODEL_VERSION}."
        )
    if found.profile_name != profile.name:
        raise SaveStateError(
            f"this save-state is of a pump of profile {found.profile_name}; this is profile {profile.name}."
        )
    if found.profile_digest != profile_digest(profile):
        raise SaveStateError(
            f"this save-state is of a pump of profile {profile.name} with other parameters than it has here."
        )
    return found


def read_sealed(data: bytes) -> SaveState:
    """A whole save-state, whatever model version and profile it is of; raises SaveStateError."""
    if data[: len(MAGIC)] != MAGIC:
        raise SaveStateError("this is no save-state of a pump.")
    if len(data) > MAX_SAVE_STATE_BYTES:
        raise SaveStateError(f"a save-state has at most {MAX_SAVE_STATE_BYTES:,} bytes; this has more.")
    _need(data, _START.size)
    _, version = _START.unpack_from(data)
    if version != FORMAT_VERSION:
        raise SaveStateError(f"this save-state has format version {version}; only {FORMAT_VERSION} is read here.")
    _need(data, _HEAD.size)
    _, _, model_version, serial_number, identity, name_bytes = _HEAD.unpack_from(data)
    content_at = _HEAD.size + name_bytes + _LENGTH.size
    _need(data, content_at)
    (content_bytes,) = _LENGTH.unpack_from(data, content_at - _LENGTH.size)
    end = content_at + content_bytes
    _need(data, end + _SHA_BYTES)
    if len(data) != end + _SHA_BYTES:
        raise SaveStateError(f"this save-state is damaged: {len(data) - end - _SHA_BYTES} bytes follow its end.")
    if hashlib.sha256(data[:end]).digest() != data[end:]:
        raise SaveStateError("this save-state is damaged: its SHA-256 is not that of what it holds.")
    name = data[_HEAD.size : content_at - _LENGTH.size].decode("utf-8", "replace")
    if not _is_name(name):
        raise SaveStateError("this save-state is damaged: the name of its profile is none.")
    return SaveState(model_version, serial_number, name, identity.hex(), data[content_at:end])


def _need(data: bytes, length: int) -> None:
    if len(data) < length:
        raise SaveStateError(f"this save-state is truncated: it has {len(data)} of at least {length} bytes.")


def _is_name(name: str) -> bool:
    return name.isprintable() and name != ""
