"""The first line of a journal: all that is needed to build its device anew, but for keys of the user's own."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from emulator import VERSION
from emulator.assembly import build_device, shipped_text
from emulator.device import Device
from emulator.journal.fields import Fields, JournalError
from emulator.journal.input_lines import MOST_NUMBER, KeysOf, fingerprint
from emulator.protocols import InstalledProtocol
from firmware_model import MODEL_VERSION
from firmware_model.profile_text import ProfileError, parse_profile
from firmware_model.savestate import MAX_SAVE_STATE_BYTES, SaveStateError, profile_digest

FORM: Final = 1
START: Final = b'{"journal":'
TEST_KEYS, OWN_KEYS = "test", "own"


@dataclass(frozen=True, slots=True)
class Header:
    """What a device was built of.

    profile_text    the profile, where it is none of the shipped ones; else None
    profile_digest  SHA-256 in hex over its parameters
    roles, mark     whose keys of their own the pump had, and their fingerprint; none: the published test keys
    ports           the specs of its ports, in the order in which inputs number them
    kept            the save-state from which it booted, None for a new pump
    """

    vpump: str
    model: int
    protocol: str
    profile: str
    profile_text: str | None
    profile_digest: str
    serial_number: int
    seed: int
    session_floor: int
    insecure: bool
    roles: tuple[str, ...]
    mark: str
    ports: tuple[str, ...]
    kept: bytes | None = field(default=None, repr=False)

    def line(self) -> str:
        """The line, with its end."""
        document = {
            "journal": FORM,
            "vpump": self.vpump,
            "model": self.model,
            "protocol": self.protocol,
            "profile": self.profile,
            "profile_text": self.profile_text,
            "profile_digest": self.profile_digest,
            "serial_number": f"{self.serial_number:08X}",
            "seed": self.seed,
            "session_floor": self.session_floor,
            "insecure": self.insecure,
            "keys": OWN_KEYS if self.roles else TEST_KEYS,
            "roles": list(self.roles),
            "fingerprint": self.mark,
            "ports": list(self.ports),
            "state": None if self.kept is None else base64.b64encode(zlib.compress(self.kept)).decode(),
        }
        return json.dumps(document, separators=(",", ":")) + "\n"

    def build(self, protocol: InstalledProtocol, keys_of: KeysOf) -> Device:
        """The device as it was before its first input. Raises JournalError and ProtocolError."""
        if self.model != MODEL_VERSION:
            raise JournalError(
                f"line 1: model is {self.model}, of vpump {self.vpump}; this vpump {VERSION} has model "
                f"{MODEL_VERSION}, and only the same model lives through it again."
            )
        text = shipped_text(self.profile) if self.profile_text is None else self.profile_text
        if text is None:
            raise JournalError(f"line 1: profile is {self.profile!r}, which is none of the shipped ones.")
        try:
            profile = parse_profile(self.profile, text, shipped_text)
        except ProfileError as error:
            raise JournalError(f"line 1: profile_text: {error}.") from None
        found = profile_digest(profile)
        if found != self.profile_digest:
            raise JournalError(
                f"line 1: profile_digest is {self.profile_digest}, but the profile {self.profile} has {found}; it is "
                "not the one that the pump was made of."
            )
        keys = keys_of(self.roles, self.mark) if self.roles else None
        if self.roles and keys is None:
            raise JournalError(
                f"line 1: the pump had keys of its own, of fingerprint {self.mark}, which no journal holds; give the "
                "file that has them with --keys."
            )
        try:
            return build_device(
                profile,
                self.seed,
                self.serial_number,
                insecure=self.insecure,
                session_floor=self.session_floor,
                keys=keys,
                protocol=protocol,
                kept=self.kept,
            )
        except SaveStateError as error:
            raise JournalError(f"line 1: state: {error}") from None


def header_of(
    device: Device,
    *,
    protocol: str,
    profile_text: str | None,
    seed: int,
    session_floor: int,
    insecure: bool,
    keys: Mapping[str, bytes] | None,
    ports: tuple[str, ...],
    kept: bytes | None = None,
) -> Header:
    """The header of a device; `profile_text` None for a shipped profile, `kept` None for a new one."""
    return Header(
        vpump=VERSION,
        model=MODEL_VERSION,
        protocol=protocol,
        profile=device.profile_name,
        profile_text=profile_text,
        profile_digest=profile_digest(device.pump.profile),
        serial_number=device.serial_number,
        seed=seed,
        session_floor=session_floor,
        insecure=insecure,
        roles=tuple(keys or ()),
        mark=fingerprint(keys) if keys else "",
        ports=ports,
        kept=kept,
    )


def read_header(fields: Fields) -> Header:
    """The header of a first line. Raises JournalError."""
    form = fields.whole("journal", 1, MOST_NUMBER)
    if form != FORM:
        raise fields.wrong("journal", form, f"the form {FORM}")
    texts = {name: fields.text(name) for name in ("vpump", "protocol", "profile", "profile_digest", "fingerprint")}
    number = fields.octets("serial_number")
    if len(number) != 4 or number in (b"\x00" * 4, b"\xff" * 4):
        raise fields.wrong("serial_number", number.hex(), "8 hex digits, from 00000001 to FFFFFFFE")
    profile_text = fields.nullable("profile_text")
    if not isinstance(profile_text, str | None):
        raise fields.wrong("profile_text", profile_text, "a text or null")
    named = fields.word("keys", (TEST_KEYS, OWN_KEYS))
    header = Header(
        vpump=texts["vpump"],
        model=fields.whole("model", 0, MOST_NUMBER),
        protocol=texts["protocol"],
        profile=texts["profile"],
        profile_text=profile_text,
        profile_digest=texts["profile_digest"],
        serial_number=int.from_bytes(number),
        seed=fields.whole("seed", 0, MOST_NUMBER),
        session_floor=fields.whole("session_floor", 0, MOST_NUMBER),
        insecure=fields.flag("insecure"),
        roles=tuple(_texts(fields, "roles")),
        mark=texts["fingerprint"],
        ports=tuple(_texts(fields, "ports")),
        # Journals that are older than --state have no such field.
        kept=_kept(fields) if fields.has("state") else None,
    )
    if bool(header.roles) is not (named == OWN_KEYS):
        raise fields.wrong(
            "roles", list(header.roles), f"names where keys is {OWN_KEYS}, and none where it is {TEST_KEYS}"
        )
    fields.end()
    return header


def _kept(fields: Fields) -> bytes | None:
    value = fields.nullable("state")
    if value is None:
        return None
    try:
        unpacking = zlib.decompressobj()
        kept = unpacking.decompress(base64.b64decode(value, validate=True), MAX_SAVE_STATE_BYTES + 1)
    except (TypeError, ValueError, zlib.error):
        kept = b""
    if not kept or len(kept) > MAX_SAVE_STATE_BYTES:
        raise fields.wrong("state", value, "null, or a save-state, deflated, in base64")
    return kept


def _texts(fields: Fields, name: str) -> list[str]:
    values = fields.items(name)
    if not all(isinstance(value, str) for value in values):
        raise fields.wrong(name, values, "a list of texts")
    return values
