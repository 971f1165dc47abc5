"""An input of a device as a line of its journal, and back. Of keys only a fingerprint stands in one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emulator.faults.arming import arming, as_written
from emulator.faults.syntax import FaultSyntaxError
from emulator.inputs import (
    Action,
    Advance,
    ArmDeviceFault,
    ArmFault,
    Bytes,
    ClearFaults,
    Control,
    CutPower,
    Input,
    Line,
    LineChange,
    RaiseSessionCounter,
    ReplaceKeys,
    RestorePower,
    RestoreState,
    SetEnvironment,
    SwapPump,
    UseSyringe,
)
from emulator.journal.fields import Fields, JournalError
from emulator.wire import FaultNames
from firmware_model.memory import CutMode
from firmware_model.plant.condition import LOWEST_CC
from firmware_model.savestate import MAX_SAVE_STATE_BYTES

MOST_US: Final = 2**62
MOST_PORT: Final = 15
MOST_NUMBER: Final = 2**64 - 1
KINDS: Final = ("bytes", "line", "control", "advance")
ACTIONS: Final = (
    "fault",
    "clear-faults",
    "cut-power",
    "restore-power",
    "keys",
    "session-counter",
    "environment",
    "identity",
    "state",
    "syringe",
)
_CHANGES: Final = tuple(change.value for change in LineChange)
_MODES: Final = tuple(mode.value for mode in CutMode)

KeysOf = Callable[[Sequence[str], str], Mapping[str, bytes] | None]
"""The keys of these roles that have a fingerprint, None where nobody has given them."""


@dataclass(frozen=True, slots=True)
class InputReading:
    """What reading an input needs: the operations that faults name, and the keys that the user has given."""

    names: FaultNames
    keys_of: KeysOf


def fingerprint(keys: Mapping[str, bytes]) -> str:
    """Tells keys apart. It helps nobody to guess them who cannot try guesses on a recorded handshake as well."""
    hashed = hashlib.sha256(b"vpump journal keys")
    for name, key in sorted(keys.items()):
        hashed.update(f"{len(name)} {len(key)} {name}".encode() + key)
    return hashed.hexdigest()[:16]


def input_document(number: int, happening: Input) -> dict[str, object]:
    """The line of an input."""
    document: dict[str, object] = {"input": number, "at_us": happening.at_us}
    match happening:
        case Bytes(_, port, data):
            return document | {"kind": "bytes", "port": port, "data": data.hex()}
        case Line(_, port, change):
            return document | {"kind": "line", "port": port, "change": change.value}
        case Control(_, action):
            return document | {"kind": "control"} | _action_document(action)
        case Advance():
            return document | {"kind": "advance"}


def read_input(fields: Fields, reading: InputReading) -> Input:
    """The input of a line, of which the number has been taken. Raises JournalError."""
    at_us = fields.whole("at_us", 0, MOST_US)
    match fields.word("kind", KINDS):
        case "bytes":
            return Bytes(at_us, fields.whole("port", 0, MOST_PORT), fields.octets("data"))
        case "line":
            return Line(at_us, fields.whole("port", 0, MOST_PORT), LineChange(fields.word("change", _CHANGES)))
        case "control":
            return Control(at_us, _read_action(fields, reading))
        case _:
            return Advance(at_us)


def _action_document(action: Action) -> dict[str, object]:
    match action:
        case ArmFault() | ArmDeviceFault():
            return {"action": "fault", "fault": as_written(action)}
        case ClearFaults():
            return {"action": "clear-faults"}
        case CutPower(at_write, mode, torn_bytes):
            return {"action": "cut-power", "at_write": at_write, "mode": mode.value, "torn_bytes": torn_bytes}
        case RestorePower():
            return {"action": "restore-power"}
        case ReplaceKeys(keys):
            return {"action": "keys", "roles": list(keys), "fingerprint": fingerprint(keys) if keys else ""}
        case RaiseSessionCounter(floor):
            return {"action": "session-counter", "floor": floor}
        case SetEnvironment(temperature_cc, field_on):
            return {"action": "environment", "temperature_cc": temperature_cc, "field_on": field_on}
        case SwapPump(serial_number, floor):
            return {"action": "identity", "serial_number": f"{serial_number:08X}", "floor": floor}
        case RestoreState(state, floor):
            packed = base64.b64encode(zlib.compress(state)).decode()
            return {"action": "state", "state": packed, "floor": floor}
        case UseSyringe(withdraw_nl, inject_nl, drugs):
            mixture = [{"drug": drug, "ng_per_ml": strength} for drug, strength in drugs]
            return {"action": "syringe", "withdraw_nl": withdraw_nl, "inject_nl": inject_nl, "drugs": mixture}


def _read_action(fields: Fields, reading: InputReading) -> Action:
    match fields.word("action", ACTIONS):
        case "fault":
            try:
                return arming(fields.text("fault"), reading.names)
            except FaultSyntaxError as error:
                raise JournalError(f"line {fields.line}: {error}.") from None
        case "clear-faults":
            return ClearFaults()
        case "cut-power":
            at_write = _whole_or_none(fields, "at_write", 1)
            mode = CutMode(fields.word("mode", _MODES))
            return CutPower(at_write, mode, fields.whole("torn_bytes", 0, 255))
        case "restore-power":
            return RestorePower()
        case "keys":
            return _read_keys(fields, reading)
        case "session-counter":
            return RaiseSessionCounter(fields.whole("floor", 0, MOST_NUMBER))
        case "environment":
            temperature_cc = _whole_or_none(fields, "temperature_cc", LOWEST_CC)
            return SetEnvironment(temperature_cc, _flag_or_none(fields, "field_on"))
        case "identity":
            number = fields.octets("serial_number")
            if len(number) != 4 or number in (b"\x00" * 4, b"\xff" * 4):
                raise fields.wrong("serial_number", number.hex(), "8 hex digits, from 00000001 to FFFFFFFE")
            return SwapPump(int.from_bytes(number), fields.whole("floor", 0, MOST_NUMBER))
        case "state":
            return RestoreState(_read_state(fields), fields.whole("floor", 0, MOST_NUMBER))
        case _:
            withdraw_nl = _whole_or_none(fields, "withdraw_nl", 0)
            inject_nl = fields.whole("inject_nl", 0, MOST_NUMBER)
            return UseSyringe(withdraw_nl, inject_nl, tuple(_read_drugs(fields)))


def _read_keys(fields: Fields, reading: InputReading) -> ReplaceKeys:
    roles, mark = fields.items("roles"), fields.text("fingerprint")
    if not all(isinstance(role, str) for role in roles):
        raise fields.wrong("roles", roles, "a list of names")
    keys = reading.keys_of(roles, mark) if roles else {}
    if keys is None:
        raise JournalError(
            f"line {fields.line}: the pump was given keys of fingerprint {mark} here, which no journal holds; give the "
            "file that has them with --keys."
        )
    return ReplaceKeys(keys)


def _read_state(fields: Fields) -> bytes:
    packed = fields.text("state")
    try:
        unpacking = zlib.decompressobj()
        state = unpacking.decompress(base64.b64decode(packed, validate=True), MAX_SAVE_STATE_BYTES)
        if unpacking.eof:
            return state
    except (binascii.Error, zlib.error, ValueError):
        pass
    raise fields.wrong("state", packed, "a save-state, deflated, in base64")


def _read_drugs(fields: Fields) -> list[tuple[str, int]]:
    drugs = []
    for entry in fields.items("drugs"):
        if not isinstance(entry, dict):
            raise fields.wrong("drugs", entry, "a list of tables with drug and ng_per_ml")
        drug = Fields(fields.line, entry)
        drugs.append((drug.text("drug"), drug.whole("ng_per_ml", 0, MOST_NUMBER)))
        drug.end()
    return drugs


def _flag_or_none(fields: Fields, name: str) -> bool | None:
    value = fields.nullable(name)
    return None if value is None else Fields(fields.line, {name: value}).flag(name)


def _whole_or_none(fields: Fields, name: str, least: int) -> int | None:
    value = fields.nullable(name)
    if value is None:
        return None
    return Fields(fields.line, {name: value}).whole(name, least, MOST_NUMBER)
