"""The control record: everything that must change together, and its fixed layout in memory.

Fixed, so that an entry keeps its place from commit to commit and only words that truly changed are written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware_model.commands import Alarm
from firmware_model.firmware.codes import (
    CRITICAL_ALARMS,
    AlarmState,
    AlarmType,
    BolusKind,
    Role,
    RunState,
    StopReason,
)
from firmware_model.firmware.ledger import Ledger, ledger_bytes, pack_ledger, unpack_ledger
from firmware_model.firmware.program import IMAGE_BYTES, Program, unpack_program

_HEAD = struct.Struct("<HHIBBHIIIQ")
_PROGRAM = struct.Struct(f"<{IMAGE_BYTES}s3x")
_BOLUS = struct.Struct("<IBB2xIIII")
_ALARM = struct.Struct("<HHB3xIQIIHI")
_ALARMS_START = _HEAD.size + _PROGRAM.size + _BOLUS.size


@dataclass(frozen=True, slots=True, kw_only=True)
class BolusRecord:
    """The running bolus, as memory knows it: who asked for it, and what was asked."""

    bolus_id: int
    kind: BolusKind
    role: Role
    host_id: int
    op_id: int
    steps: int
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRecord:
    """The pump's non-volatile truth. `bolus` None: none runs. `log_next`: sequence number of the next log record.

    `reservoir_nl` is what the reservoir was computed to hold when the lifetime step count was `reservoir_steps`.
    """

    boot: int = 0
    epoch: int = 1
    therapy_rev: int = 1
    run_state: RunState = RunState.RUNNING
    stop_reason: StopReason = StopReason.NONE
    next_bolus_id: int = 1
    log_next: int = 1
    next_alarm: int = 1
    reservoir_nl: int = 0
    reservoir_steps: int = 0
    program: Program
    bolus: BolusRecord | None = None
    alarms: tuple[Alarm, ...] = ()
    ledger: Ledger


def record_bytes(alarm_capacity: int, entries_per_role: int) -> int:
    """The length of an encoded record."""
    return _ALARMS_START + alarm_capacity * _ALARM.size + ledger_bytes(entries_per_role)


def pack_record(record: ControlRecord, alarm_capacity: int) -> bytes:
    """The record's bytes in memory."""
    head = _HEAD.pack(
        record.boot,
        record.epoch,
        record.therapy_rev,
        record.run_state,
        record.stop_reason,
        record.next_alarm,
        record.next_bolus_id,
        record.log_next,
        record.reservoir_nl,
        record.reservoir_steps,
    )
    program = _PROGRAM.pack(record.program.image())
    alarms = [_pack_alarm(alarm) for alarm in record.alarms]
    blank = [b"\0" * _ALARM.size] * (alarm_capacity - len(alarms))
    return b"".join([head, program, _pack_bolus(record.bolus), *alarms, *blank, pack_ledger(record.ledger)])


def unpack_record(stored: bytes, alarm_capacity: int, entries_per_role: int) -> ControlRecord:
    """The record that `pack_record` wrote."""
    boot, epoch, rev, run_state, stop_reason, next_alarm, next_bolus_id, log_next, reservoir_nl, steps = (
        _HEAD.unpack_from(stored)
    )
    (image,) = _PROGRAM.unpack_from(stored, _HEAD.size)
    alarms = [_unpack_alarm(stored, _ALARMS_START + place * _ALARM.size) for place in range(alarm_capacity)]
    return ControlRecord(
        boot=boot,
        epoch=epoch,
        therapy_rev=rev,
        run_state=RunState(run_state),
        stop_reason=StopReason(stop_reason),
        next_bolus_id=next_bolus_id,
        log_next=log_next,
        next_alarm=next_alarm,
        reservoir_nl=reservoir_nl,
        reservoir_steps=steps,
        program=unpack_program(image),
        bolus=_unpack_bolus(stored, _HEAD.size + _PROGRAM.size),
        alarms=tuple(alarm for alarm in alarms if alarm is not None),
        ledger=unpack_ledger(stored, _ALARMS_START + alarm_capacity * _ALARM.size, entries_per_role),
    )


def _pack_bolus(bolus: BolusRecord | None) -> bytes:
    if bolus is None:
        return b"\0" * _BOLUS.size
    return _BOLUS.pack(
        bolus.bolus_id, bolus.kind, bolus.role, bolus.host_id, bolus.op_id, bolus.steps, bolus.duration_s
    )


def _unpack_bolus(stored: bytes, offset: int) -> BolusRecord | None:
    bolus_id, kind, role, host_id, op_id, steps, duration_s = _BOLUS.unpack_from(stored, offset)
    if bolus_id == 0:
        return None
    return BolusRecord(
        bolus_id=bolus_id,
        kind=BolusKind(kind),
        role=Role(role),
        host_id=host_id,
        op_id=op_id,
        steps=steps,
        duration_s=duration_s,
    )


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
    )


def _unpack_alarm(stored: bytes, offset: int) -> Alarm | None:
    instance, kind, state, elapsed_s, steps, rate, reservoir_nl, battery_mv, last_op_id = _ALARM.unpack_from(
        stored, offset
    )
    if instance == 0:
        return None
    return Alarm(
        instance=instance,
        type=kind,
        critical=AlarmType(kind) in CRITICAL_ALARMS,
        state=AlarmState(state),
        elapsed_s=elapsed_s,
        steps=steps,
        rate_nl_per_day=rate,
        reservoir_nl=reservoir_nl,
        battery_mv=battery_mv,
        last_op_id=last_op_id,
    )
