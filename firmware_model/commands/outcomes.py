"""What a pump answers when it does not refuse."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.firmware.codes import AlarmState, BolusEnd, OpKind, OpState, Role, RunState, StopReason
from firmware_model.firmware.event_log import LogRecord
from firmware_model.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The bolus that a STOP or CANCEL ended; all zero when there was none."""

    op_id: int = 0
    min_nl: int = 0
    max_nl: int = 0
    reason: BolusEnd = BolusEnd.NONE


NO_TARGET = Target()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpOutcome:
    """What became of a therapy command. `entered` False: it acted, but its op id stands not in the ledger for it."""

    op_id: int
    state: OpState
    min_nl: int
    max_nl: int
    log_sequence: int
    repeated: bool = False
    entered: bool = True
    target: Target = NO_TARGET


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBolus:
    """A lease: the bolus as it would be given, and what the limits would admit at most."""

    bolus_id: int
    volume_nl: int
    duration_s: int
    steps: int
    lease_s: int
    available_nl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One operation in the ledger."""

    role: Role
    op_id: int
    host_id: int
    kind: OpKind
    fingerprint: bytes
    state: OpState
    min_nl: int
    max_nl: int
    log_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpAnswer:
    """The answer to QueryOp; `entry` is None when the ledger holds none under that id."""

    role: Role
    op_id: int
    epoch: int
    op_high: int
    state: OpState
    entry: LedgerEntry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsAnswer:
    """The whole ledger: all roles, oldest first, with the one revision that it stands for."""

    epoch: int
    therapy_rev: int
    clinician_op_high: int
    patient_op_high: int
    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    """What the pump believes of itself. Volumes in nl, rates in nl per 24 h; `bolus_id` 0 means no bolus."""

    run_state: RunState
    stop_reason: StopReason
    alarms_raised: int
    alarms_unacknowledged: int
    therapy_rev: int
    elapsed_us: int
    base_rate_nl_per_day: int
    programmed_rate_nl_per_day: int
    reservoir_nl: int
    bolus_id: int
    bolus_volume_nl: int
    bolus_delivered_nl: int
    bolus_remaining_us: int
    delivered_nl: int
    log_epoch: int
    log_last: int
    boot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAnswer:
    """Which pump this is, and how often it has booted."""

    profile: Profile
    serial_number: int
    boots: int


@dataclass(frozen=True, slots=True)
class LimitsAnswer:
    """Every limit and quantum: they are the profile's."""

    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAnswer:
    """Elapsed time, the clock that labels (Unix seconds, 0 = invalid) and its offset."""

    elapsed_us: int
    rtc_unix_s: int
    offset_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm instance with its freeze frame."""

    instance: int
    type: int
    critical: bool
    state: AlarmState
    elapsed_s: int
    steps: int
    rate_nl_per_day: int
    reservoir_nl: int
    battery_mv: int
    last_op_id: int


@dataclass(frozen=True, slots=True)
class AlarmsAnswer:
    """Alarm instances in the order in which they were raised, and how many there are in all."""

    total: int
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True)
class AlarmAcknowledged:
    """The instance after its acknowledgement."""

    instance: int
    state: AlarmState


@dataclass(frozen=True, slots=True)
class LogRange:
    """The log's epoch, its first and last record (0, 0 when empty) and how many records it can hold."""

    epoch: int
    first: int
    last: int
    capacity: int


@dataclass(frozen=True, slots=True)
class LogRecords:
    """Records in order, and the sequence number to ask for next."""

    next_sequence: int
    records: tuple[LogRecord, ...]
