"""What a pump answers when it does not refuse."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from firmware_model.firmware.codes import AlarmState, AlarmType, BolusEnd, OpKind, OpState, Role, RunState, StopReason
from firmware_model.firmware.event_log import LogRecord
from firmware_model.profile import Profile


class Target(NamedTuple):
    """The bolus that a STOP or CANCEL ended; all zero when there was none."""

    op_id: int = 0
    min_nl: int = 0
    max_nl: int = 0
    reason: BolusEnd = BolusEnd.NONE


NO_TARGET = Target()


class BegunBolus(Struct, frozen=True, gc=False):
    """The bolus that a command has begun."""

    bolus_id: int
    volume_nl: int
    duration_s: int


class OpOutcome(Struct, frozen=True, gc=False):
    """What became of a therapy command. `entered` False: it acted, but its op id stands not in the ledger for it.

    An outcome from the ledger does not tell again which bolus was begun, or which rate the new clock chose.
    """

    op_id: int
    state: OpState
    min_nl: int
    max_nl: int
    log_sequence: int
    repeated: bool = False
    entered: bool = True
    target: Target = NO_TARGET
    begun: BegunBolus | None = None
    base_rate_nl_per_day: int | None = None


class PreparedBolus(Struct, frozen=True, kw_only=True):
    """A lease: the bolus as it would be given, and what the limits would admit at most."""

    bolus_id: int
    volume_nl: int
    duration_s: int
    steps: int
    lease_s: int
    available_nl: int


class LedgerEntry(Struct, frozen=True, gc=False):
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


class OpAnswer(Struct, frozen=True, kw_only=True):
    """The answer to QueryOp; `entry` is None when the ledger holds none under that id."""

    role: Role
    op_id: int
    epoch: int
    op_high: int
    state: OpState
    entry: LedgerEntry | None


class OpsAnswer(Struct, frozen=True, kw_only=True):
    """The whole ledger: all roles, oldest first, with the one revision that it stands for."""

    epoch: int
    therapy_rev: int
    clinician_op_high: int
    patient_op_high: int
    entries: tuple[LedgerEntry, ...]


class StatusAnswer(Struct, frozen=True, kw_only=True):
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


class IdentityAnswer(Struct, frozen=True, kw_only=True):
    """Which pump this is, and how often it has booted."""

    profile: Profile
    serial_number: int
    boots: int


class LimitsAnswer(Struct, frozen=True):
    """Every limit and quantum: they are the profile's."""

    profile: Profile


class AllowanceAnswer(Struct, frozen=True, kw_only=True):
    """The active program's own limits, and what of them is left now; all of the patient's is 0 where it allows none.

    window_left_nl     what a bolus may still have of the 24 hours' most
    reservoir_left_nl  what the reservoir can give before it counts as empty
    lockout_left_s     until the patient may have the next one, by lockout and by activations
    """

    rate_max_nl_per_day: int
    bolus_volume_max_nl: int
    window_max_nl: int
    window_left_nl: int
    reservoir_left_nl: int
    patient_volume_nl: int
    patient_duration_s: int
    lockout_s: int
    lockout_left_s: int
    activations_max: int
    activations_left: int
    activation_window_s: int


class TimeAnswer(Struct, frozen=True, kw_only=True):
    """Elapsed time, the clock that labels (Unix seconds, 0 = invalid) and its offset."""

    elapsed_us: int
    rtc_unix_s: int
    offset_min: int


class Alarm(NamedTuple):
    """One alarm instance with its freeze frame."""

    instance: int
    type: AlarmType
    critical: bool
    state: AlarmState
    elapsed_s: int
    steps: int
    rate_nl_per_day: int
    reservoir_nl: int
    battery_mv: int
    last_op_id: int
    silent_until_s: int = 0


class AlarmsAnswer(Struct, frozen=True):
    """Alarm instances in the order in which they were raised, and how many there are in all."""

    total: int
    alarms: tuple[Alarm, ...]


class AlarmAcknowledged(Struct, frozen=True):
    """The instance after its acknowledgement."""

    instance: int
    state: AlarmState


class LogRange(Struct, frozen=True):
    """The log's epoch, its first and last record (0, 0 when empty) and how many records it can hold."""

    epoch: int
    first: int
    last: int
    capacity: int


class LogRecords(Struct, frozen=True):
    """Records in order, and the sequence number to ask for next."""

    next_sequence: int
    records: tuple[LogRecord, ...]


class LogFound(Struct, frozen=True):
    """The first record of that time or later; the sequence number of the next record to come when there is none."""

    sequence: int
