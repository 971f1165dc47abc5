"""Answers that change nothing: status, time, ledger and log as the firmware knows them."""

from __future__ import annotations

from firmware_model.commands import (
    IdentityAnswer,
    LimitsAnswer,
    ListOps,
    LogRange,
    LogRecords,
    OpAnswer,
    OpsAnswer,
    QueryOp,
    ReadIdentity,
    ReadLimits,
    ReadLog,
    ReadLogRange,
    ReadStatus,
    ReadTime,
    Reason,
    Refusal,
    StatusAnswer,
    TimeAnswer,
)
from firmware_model.firmware.codes import THERAPY_ROLES, AlarmState, OpState, Role, RunState
from firmware_model.firmware.core import Firmware


def status(firmware: Firmware, _command: ReadStatus) -> StatusAnswer:
    """What the pump believes of itself now."""
    record, step_nl = firmware.record, firmware.profile.motor.step_volume_nl
    standing = [alarm for alarm in record.alarms if alarm.state is not AlarmState.CLEARED]
    bolus, channel = record.bolus, firmware.flow.bolus
    remaining_us = channel.us_until(bolus.steps - firmware.bolus_steps) if bolus and channel else 0
    return StatusAnswer(
        run_state=record.run_state,
        stop_reason=record.stop_reason,
        alarms_raised=len(standing),
        alarms_unacknowledged=sum(alarm.state is AlarmState.RAISED for alarm in standing),
        therapy_rev=record.therapy_rev,
        elapsed_us=firmware.elapsed_us,
        base_rate_nl_per_day=firmware.flow.base.gain,
        programmed_rate_nl_per_day=record.program.flow_nl_per_day(firmware.profile),
        reservoir_nl=firmware.reservoir_nl,
        bolus_id=bolus.bolus_id if bolus else 0,
        bolus_volume_nl=bolus.steps * step_nl if bolus else 0,
        bolus_delivered_nl=firmware.bolus_steps * step_nl if bolus else 0,
        bolus_remaining_us=remaining_us or 0,
        delivered_nl=firmware.steps_total * step_nl,
        log_epoch=record.epoch,
        log_last=record.log_next - 1,
        boot=record.boot,
    )


def identity(firmware: Firmware, _command: ReadIdentity) -> IdentityAnswer:
    """Which pump this is."""
    return IdentityAnswer(profile=firmware.profile, serial_number=firmware.serial_number, boots=firmware.record.boot)


def limits(firmware: Firmware, _command: ReadLimits) -> LimitsAnswer:
    """Every limit and quantum."""
    return LimitsAnswer(firmware.profile)


def time(firmware: Firmware, _command: ReadTime) -> TimeAnswer:
    """Elapsed time and the labelling clock."""
    return TimeAnswer(
        elapsed_us=firmware.elapsed_us,
        rtc_unix_s=firmware.rtc_unix_s,
        offset_min=firmware.profile.clock.offset_min,
    )


def query_op(firmware: Firmware, command: QueryOp) -> OpAnswer | Refusal:
    """What became of one operation; an unreadable ledger knows nothing of any."""
    if command.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE, "role")
    part = firmware.record.ledger.of(command.role)
    entry = part.find(command.op_id)
    lost = firmware.record.run_state is RunState.FAILED
    absent = OpState.UNKNOWN_EVICTED if lost else part.absent_state(command.op_id)
    return OpAnswer(
        role=command.role,
        op_id=command.op_id,
        epoch=firmware.record.epoch,
        op_high=part.op_high,
        state=entry.state if entry else absent,
        entry=firmware.told(entry) if entry else None,
    )


def list_ops(firmware: Firmware, _command: ListOps) -> OpsAnswer:
    """The whole ledger."""
    record = firmware.record
    return OpsAnswer(
        epoch=record.epoch,
        therapy_rev=record.therapy_rev,
        clinician_op_high=record.ledger.of(Role.CLINICIAN).op_high,
        patient_op_high=record.ledger.of(Role.PATIENT).op_high,
        entries=tuple(firmware.told(entry) for entry in record.ledger.entries()),
    )


def log_range(firmware: Firmware, _command: ReadLogRange) -> LogRange:
    """Which records the log holds."""
    first, after = firmware.ring.first(firmware.record.log_next), firmware.record.log_next
    if first == after:
        return LogRange(firmware.record.epoch, 0, 0, firmware.ring.capacity)
    return LogRange(firmware.record.epoch, first, after - 1, firmware.ring.capacity)


def read_log(firmware: Firmware, command: ReadLog) -> LogRecords | Refusal:
    """Records from one sequence number on: a gap is said, a corrupt record comes as such, nothing is consumed."""
    record, ring = firmware.record, firmware.ring
    if command.epoch != record.epoch:
        return Refusal(Reason.LOG_EPOCH, "epoch", detail=record.epoch)
    first = ring.first(record.log_next)
    if command.from_sequence < first:
        return Refusal(Reason.RECORD_OVERWRITTEN, "from_sequence", detail=first)
    after = min(record.log_next, command.from_sequence + command.maximum)
    records = tuple(ring.read(sequence) for sequence in range(command.from_sequence, after))
    return LogRecords(command.from_sequence + len(records), records)
