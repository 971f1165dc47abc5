"""What can be asked of a pump, what it answers, and why it refuses: the model's own words.

Nothing here knows a wire. A `Refusal` names a reason, the field that was wrong, and the limit or detail that would make
it right; the dispatcher turns that into whatever its protocol has for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from firmware_model.firmware.codes import AlarmState, BolusEnd, BolusKind, OpKind, OpState, Role, RunState, StopReason
from firmware_model.firmware.event_log import LogRecord
from firmware_model.profile import Profile


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks: a role, the host's own number, and the session that leases belong to."""

    role: Role
    host_id: int
    session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TherapyCommand:
    """What every command that changes therapy carries.

    op_id        the host's number for its intention
    therapy_rev  the revision of therapy that the host has read
    fingerprint  8 bytes that tell this command from any other, without therapy_rev
    """

    origin: Origin
    op_id: int
    therapy_rev: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(TherapyCommand):
    """Halt all delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(TherapyCommand):
    """Resume the programmed infusion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteBolus(TherapyCommand):
    """Give the bolus that was prepared under `bolus_id`; volume and duration repeat what was answered then."""

    bolus_id: int
    volume_nl: int
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBolus(TherapyCommand):
    """End the running bolus."""

    bolus_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareBolus:
    """Ask for a bolus: checked, quantised and leased; nothing moves."""

    origin: Origin
    kind: BolusKind
    volume_nl: int
    duration_s: int


@dataclass(frozen=True, slots=True)
class QueryOp:
    """What became of one operation."""

    role: Role
    op_id: int


@dataclass(frozen=True, slots=True)
class ListOps:
    """The whole ledger."""


@dataclass(frozen=True, slots=True)
class ReadStatus:
    """What the pump believes of itself now."""


@dataclass(frozen=True, slots=True)
class ReadIdentity:
    """Which pump this is."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Every limit and quantum."""


@dataclass(frozen=True, slots=True)
class ReadTime:
    """Elapsed time and the labelling clock."""


@dataclass(frozen=True, slots=True)
class ListAlarms:
    """All alarm instances from one on."""

    from_instance: int


@dataclass(frozen=True, slots=True)
class AcknowledgeAlarm:
    """Say that an alarm has been seen."""

    origin: Origin
    instance: int


@dataclass(frozen=True, slots=True)
class ReadLogRange:
    """Which records the log holds."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Records from one sequence number on."""

    epoch: int
    from_sequence: int
    maximum: int


Command = (
    Stop
    | Start
    | PrepareBolus
    | ExecuteBolus
    | CancelBolus
    | QueryOp
    | ListOps
    | ReadStatus
    | ReadIdentity
    | ReadLimits
    | ReadTime
    | ListAlarms
    | AcknowledgeAlarm
    | ReadLogRange
    | ReadLog
)


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


Outcome = (
    OpOutcome
    | PreparedBolus
    | OpAnswer
    | OpsAnswer
    | StatusAnswer
    | IdentityAnswer
    | LimitsAnswer
    | TimeAnswer
    | AlarmsAnswer
    | AlarmAcknowledged
    | LogRange
    | LogRecords
)


class Reason(StrEnum):
    """Why a pump refuses."""

    OP_ID_ABOVE_WINDOW = "op id above the window"
    OP_ID_REUSED = "op id already used for something else"
    OP_ID_STALE = "op id too old"
    UNRESOLVED = "therapy has changed since it was read"
    ROLE = "not for this role"
    ALREADY_IN_STATE = "already in that state"
    ALARM_BLOCKS = "an alarm forbids it"
    PUMP_STOPPED = "the pump is stopped"
    BELOW_MINIMUM = "below the minimum"
    ABOVE_MAXIMUM = "above the maximum"
    NOT_QUANTIZABLE = "less than one motor step"
    NOT_AS_PREPARED = "not what was prepared"
    KIND = "this kind of bolus is not supported"
    RESERVOIR = "not enough in the reservoir"
    BOLUS_RUNNING = "a bolus is running"
    LEASE_EXPIRED = "the lease has run out"
    NO_SUCH_BOLUS = "no such bolus"
    ALREADY_ENDED = "the bolus has ended already"
    NO_SUCH_ALARM = "no such alarm"
    RECORD_OVERWRITTEN = "the record has been overwritten"
    LOG_EPOCH = "another epoch of the log"
    MEMORY_FAILURE = "the memory has failed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal: nothing has changed. `field` is the command's attribute; `detail` the limit or fact that it names."""

    reason: Reason
    field: str = ""
    element: int = 0
    detail: int = 0


Reply = Outcome | Refusal


class OpWindow(IntEnum):
    """How far above the highest op id so far a new one may lie."""

    WIDTH = 1_000
