"""The layout of the control record in memory: sections of whole words, each with its fixed place.

Fixed, so that an entry keeps its place from commit to commit and only words that truly changed are written.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from firmware_model.commands import Alarm
from firmware_model.firmware.codes import (
    THERAPY_ROLES,
    AlarmState,
    AlarmType,
    BolusKind,
    Role,
    RunState,
    StopReason,
)
from firmware_model.firmware.ledger import ENTRY_BYTES, Ledger, pack_entry, role_ledger, unpack_entry
from firmware_model.firmware.program import DRUG_PLACES, IMAGE_BYTES, unpack_program
from firmware_model.firmware.record import BolusRecord, ControlRecord, GivenDose
from firmware_model.memory import WORD_BYTES
from firmware_model.profile import Profile
from firmware_model.quantities import ceil_div

_HEAD_FIELDS = (
    ("boot", "H"),
    ("epoch", "H"),
    ("therapy_rev", "I"),
    ("run_state", "B"),
    ("stop_reason", "B"),
    ("next_alarm", "H"),
    ("next_bolus_id", "I"),
    ("log_next", "I"),
    ("reservoir_nl", "I"),
    ("reservoir_steps", "Q"),
    ("told_steps", "Q"),
    ("dead_volume_steps", "Q"),
    ("stopped_since_s", "I"),
    ("lockout_until_s", "I"),
    ("dose_anchor_us", "Q"),
    ("clock_base_us", "q"),
    ("offset_min", "h"),
    ("dose_spent", "?"),
    ("clock_valid", "?"),
    ("primed", "?"),
    ("programming", "?"),
    ("replacement_since_s", "I"),
    ("refilled_s", "I"),
    ("filled_nl", "I"),
    ("discrepancy_nl", "i"),
    ("bridge_nl_per_day", "I"),
    ("repairs", "I"),
)
"""What stands at the beginning of the record, in this order, with its struct code."""
_HEAD = struct.Struct("<" + "".join(code for _, code in _HEAD_FIELDS))
_HEAD_NAMES = tuple(name for name, _ in _HEAD_FIELDS)
_HEAD_VALUES = attrgetter(*_HEAD_NAMES)
_DRUG = struct.Struct("<16sI")
_BOLUS = struct.Struct("<IBB2xIIII")
_DOSE = struct.Struct("<IIII?")
_ALARM = struct.Struct("<HHB3xIQIIHII")
_LEDGER_HEAD = struct.Struct("<II")


def _whole_words(content: bytes) -> bytes:
    return content.ljust(ceil_div(len(content), WORD_BYTES) * WORD_BYTES, b"\0")


def _size(size_bytes: int) -> int:
    return ceil_div(size_bytes, WORD_BYTES) * WORD_BYTES


_HEAD_BYTES = _size(_HEAD.size)
_PROGRAM_BYTES = _size(IMAGE_BYTES)
_MIXTURE_BYTES = _size(DRUG_PLACES * _DRUG.size)
_BOLUS_BYTES = _size(_BOLUS.size)
_DOSE_BYTES = _size(_DOSE.size)
_ALARM_BYTES = _size(_ALARM.size)
_ENTRY_BYTES = _size(ENTRY_BYTES)


def packed(record: ControlRecord, profile: Profile) -> bytes:
    """The bytes of a record in memory."""
    memory = profile.memory
    parts = [
        _whole_words(_HEAD.pack(*_HEAD_VALUES(record))),
        _whole_words(record.program.image()),
        _whole_words(_pack_mixture(record.mixture)),
        _whole_words(_pack_bolus(record.bolus)),
        _whole_words(_pack_bolus(record.dose)),
        _places(record.doses, _pack_dose, _DOSE_BYTES, memory.dose_history),
        _places(record.alarms, _pack_alarm, _ALARM_BYTES, memory.alarm_capacity),
    ]
    for ledger in record.ledger.roles:
        parts.append(_LEDGER_HEAD.pack(ledger.op_high, ledger.evicted_high))
        parts.append(_places(ledger.by_place(), pack_entry, _ENTRY_BYTES, memory.ledger_entries_per_role))
    return b"".join(parts)


def _places(items: tuple[Any, ...], pack: Callable[[Any], bytes], size: int, capacity: int) -> bytes:
    """A fixed number of places of so many bytes; those that are free hold nothing."""
    parts = [bytes(size) if item is None else pack(item).ljust(size, b"\0") for item in items]
    return b"".join(parts).ljust(capacity * size, b"\0")


def control_bytes(profile: Profile) -> int:
    """The length of a record under a profile."""
    memory = profile.memory
    return (
        _HEAD_BYTES
        + _PROGRAM_BYTES
        + _MIXTURE_BYTES
        + 2 * _BOLUS_BYTES
        + memory.dose_history * _DOSE_BYTES
        + memory.alarm_capacity * _ALARM_BYTES
        + len(THERAPY_ROLES) * (_LEDGER_HEAD.size + memory.ledger_entries_per_role * _ENTRY_BYTES)
    )


def stored_image(stored: bytes) -> bytes:
    """The canonical image of the program in a record."""
    return stored[_HEAD_BYTES : _HEAD_BYTES + IMAGE_BYTES]


def unpack_record(stored: bytes, profile: Profile) -> ControlRecord:
    """The record that `packed` wrote."""
    memory = profile.memory
    words: dict[str, Any] = dict(zip(_HEAD_NAMES, _HEAD.unpack_from(stored), strict=True))
    words["run_state"], words["stop_reason"] = RunState(words["run_state"]), StopReason(words["stop_reason"])
    reader = _Reader(stored, _HEAD_BYTES)
    program = unpack_program(reader.take(_PROGRAM_BYTES)[:IMAGE_BYTES])
    mixture = _unpack_mixture(reader.take(_MIXTURE_BYTES))
    bolus, dose = _unpack_bolus(reader.take(_BOLUS_BYTES)), _unpack_bolus(reader.take(_BOLUS_BYTES))
    doses = tuple(_unpack_dose(part) for part in reader.places(memory.dose_history, _DOSE_BYTES))
    alarms = [_unpack_alarm(part, profile) for part in reader.places(memory.alarm_capacity, _ALARM_BYTES)]
    roles = []
    for role in THERAPY_ROLES:
        op_high, evicted_high = _LEDGER_HEAD.unpack(reader.take(_LEDGER_HEAD.size))
        parts = reader.places(memory.ledger_entries_per_role, _ENTRY_BYTES)
        roles.append(role_ledger(role, [unpack_entry(part, role) for part in parts], op_high, evicted_high))
    return ControlRecord(
        **words,
        program=program,
        mixture=mixture,
        bolus=bolus,
        dose=dose,
        doses=tuple(dose for dose in doses if dose is not None),
        alarms=tuple(alarm for alarm in alarms if alarm is not None),
        ledger=Ledger(tuple(roles)),
    )


@dataclass(slots=True)
class _Reader:
    stored: bytes
    at: int

    def take(self, size: int) -> bytes:
        self.at += size
        return self.stored[self.at - size : self.at]

    def places(self, count: int, size: int) -> Sequence[bytes]:
        return [self.take(size) for _ in range(count)]


def _pack_mixture(mixture: tuple[tuple[str, int], ...]) -> bytes:
    drugs = b"".join(_DRUG.pack(name.encode("ascii"), concentration) for name, concentration in mixture)
    return drugs.ljust(DRUG_PLACES * _DRUG.size, b"\0")


def _unpack_mixture(stored: bytes) -> tuple[tuple[str, int], ...]:
    places = _DRUG.iter_unpack(stored[: DRUG_PLACES * _DRUG.size])
    return tuple((name.rstrip(b"\0").decode("ascii"), concentration) for name, concentration in places if name[0])


def _pack_bolus(bolus: BolusRecord | None) -> bytes:
    if bolus is None:
        return bytes(_BOLUS.size)
    return _BOLUS.pack(*astuple(bolus))


def _unpack_bolus(stored: bytes) -> BolusRecord | None:
    bolus_id, kind, role, host_id, op_id, steps, duration_s = _BOLUS.unpack_from(stored)
    if bolus_id == 0:
        return None
    return BolusRecord(bolus_id, BolusKind(kind), Role(role) if role else role, host_id, op_id, steps, duration_s)


def _pack_dose(dose: GivenDose) -> bytes:
    return _DOSE.pack(*astuple(dose))


def _unpack_dose(stored: bytes) -> GivenDose | None:
    dose = GivenDose(*_DOSE.unpack_from(stored))
    return dose if dose.bolus_id else None


def _pack_alarm(alarm: Alarm) -> bytes:
    return _ALARM.pack(
        alarm.instance,
        alarm.type,
        alarm.state,
        alarm.elapsed_s,
        alarm.steps,
        alarm.rate_nl_per_day,
        alarm.reservoir_nl,
        alarm.battery_mv,
        alarm.last_op_id,
        alarm.silent_until_s,
    )


def _unpack_alarm(stored: bytes, profile: Profile) -> Alarm | None:
    instance, kind, state, elapsed_s, steps, rate, reservoir_nl, battery_mv, last_op_id, silent_until_s = (
        _ALARM.unpack_from(stored)
    )
    if instance == 0:
        return None
    return Alarm(
        instance=instance,
        type=AlarmType(kind),
        critical=profile.alarm[AlarmType(kind)].critical,
        state=AlarmState(state),
        elapsed_s=elapsed_s,
        steps=steps,
        rate_nl_per_day=rate,
        reservoir_nl=reservoir_nl,
        battery_mv=battery_mv,
        last_op_id=last_op_id,
        silent_until_s=silent_until_s,
    )
