"""Answers that change nothing: status, time, ledger and log as the firmware knows them."""

from __future__ import annotations

from firmware_model.commands import (
    BatteryAnswer,
    CountersAnswer,
    IdentityAnswer,
    LimitsAnswer,
    ListOps,
    LogRange,
    LogRecords,
    OpAnswer,
    OpsAnswer,
    QueryOp,
    ReadBattery,
    ReadCounters,
    ReadIdentity,
    ReadLimits,
    ReadLog,
    ReadLogRange,
    ReadReservoir,
    ReadStatus,
    ReadTime,
    Reason,
    Refusal,
    ReservoirAnswer,
    StatusAnswer,
    TimeAnswer,
)
from firmware_model.firmware.alarm_causes import end_of_service_us
from firmware_model.firmware.base_rate import programmed_rate
from firmware_model.firmware.codes import THERAPY_ROLES, AlarmState, OpState, Role, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.dates import refill_dates
from firmware_model.plant.cell import Load
from firmware_model.quantities import whole_seconds


def status(firmware: Firmware, _command: ReadStatus) -> StatusAnswer:
    """What the pump believes of itself now."""
    record, step_nl = firmware.record, firmware.profile.motor.step_volume_nl
    states = [alarm.state for alarm in record.alarms]
    bolus, channel = record.bolus, firmware.flow.bolus
    remaining_us = channel.us_until(bolus.steps - firmware.bolus_steps) if bolus and channel else 0
    return StatusAnswer(
        run_state=record.run_state,
        stop_reason=record.stop_reason,
        alarms_raised=len(states) - states.count(AlarmState.CLEARED),
        alarms_unacknowledged=states.count(AlarmState.RAISED),
        therapy_rev=record.therapy_rev,
        elapsed_us=firmware.elapsed_us,
        base_rate_nl_per_day=firmware.flow.base.gain,
        programmed_rate_nl_per_day=programmed_rate(firmware),
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
        offset_min=firmware.record.offset_min,
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


def battery(firmware: Firmware, _command: ReadBattery) -> BatteryAnswer:
    """The cell as it is measured now."""
    return BatteryAnswer(
        idle_mv=firmware.sensors.cell_mv(Load.IDLE),
        loaded_mv=firmware.sensors.cell_mv(Load.MOTOR),
        temperature_cc=firmware.sensors.temperature_cc(),
        replacement_since_s=firmware.record.replacement_since_s or None,
        end_of_service_s=whole_seconds(end_of_service_us(firmware)),
    )


def reservoir(firmware: Firmware, _command: ReadReservoir) -> ReservoirAnswer:
    """The reservoir as it is computed, the last refill, and when the next one is due."""
    record = firmware.record
    return ReservoirAnswer(
        volume_nl=firmware.reservoir_nl,
        capacity_nl=firmware.profile.reservoir.capacity_nl,
        refilled_s=record.refilled_s or None,
        filled_nl=record.filled_nl,
        discrepancy_nl=record.discrepancy_nl,
        dates=refill_dates(firmware, firmware.active),
    )


def counters(firmware: Firmware, _command: ReadCounters) -> CountersAnswer:
    """Lifetime counts."""
    record, step_nl = firmware.record, firmware.flow.step_volume_nl
    return CountersAnswer(
        steps=firmware.steps_total,
        delivered_nl=firmware.steps_total * step_nl,
        dead_volume_nl=record.dead_volume_steps * step_nl,
        stalled_pulses=firmware.stalled_pulses,
        boots=record.boot,
        repairs=record.repairs,
    )
