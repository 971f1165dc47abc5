"""What can be asked of a pump, what it answers, and why it refuses: the model's own words.

Nothing here knows a wire. A `Refusal` names a reason, the field that was wrong, and the limit or detail that would make
it right; the dispatcher turns that into whatever its protocol has for it.
"""

from __future__ import annotations

from firmware_model.commands.asking import (
    AcknowledgeAlarm,
    CancelBolus,
    ExecuteBolus,
    FindLog,
    GivePatientBolus,
    ListAlarms,
    ListOps,
    PrepareBolus,
    QueryOp,
    ReadAlarm,
    ReadAllowance,
    ReadIdentity,
    ReadLimits,
    ReadLog,
    ReadLogRange,
    ReadStatus,
    ReadTime,
    Start,
    Stop,
)
from firmware_model.commands.care import (
    AlarmCleared,
    AlarmSilenced,
    BatteryAnswer,
    BeginRefill,
    BeginSelfTest,
    ClearAlarm,
    CommitRefill,
    CountersAnswer,
    ReadBattery,
    ReadCounters,
    ReadReservoir,
    RefillBegun,
    RefillDates,
    ReservoirAnswer,
    SelfTestBegun,
    SelfTestDone,
    SetTime,
    SilenceAlarm,
    TestSelf,
)
from firmware_model.commands.origin import (
    DENY_ALL,
    Origin,
    TherapyCommand,
)
from firmware_model.commands.outcomes import (
    NO_TARGET,
    Alarm,
    AlarmAcknowledged,
    AlarmsAnswer,
    AllowanceAnswer,
    BegunBolus,
    IdentityAnswer,
    LedgerEntry,
    LimitsAnswer,
    LogFound,
    LogRange,
    LogRecords,
    OpAnswer,
    OpOutcome,
    OpsAnswer,
    PreparedBolus,
    StatusAnswer,
    Target,
    TimeAnswer,
)
from firmware_model.commands.program import (
    AbortProgram,
    BeginProgram,
    BlockWritten,
    CommitProgram,
    ProgramAborted,
    ProgramPart,
    ProgramValidated,
    ReadProgram,
    ReadStage,
    StageBegun,
    StagePart,
    ValidateProgram,
    WriteProgram,
)
from firmware_model.commands.refusals import (
    OpWindow,
    Reason,
    Refusal,
)
from firmware_model.commands.security import (
    AttemptConfirmed,
    AttemptCounted,
    ConfirmAttempt,
    CountAttempt,
    Noted,
    NoteFailure,
    NoteKeysReplaced,
    NumberSession,
    SessionNumber,
)
from firmware_model.commands.stream import (
    FlagsReset,
    ReadTelemetry,
    ResetFlags,
    TelemetryAnswer,
)

__all__ = [
    "DENY_ALL",
    "NO_TARGET",
    "AbortProgram",
    "AcknowledgeAlarm",
    "Alarm",
    "AlarmAcknowledged",
    "AlarmCleared",
    "AlarmSilenced",
    "AlarmsAnswer",
    "AllowanceAnswer",
    "AttemptConfirmed",
    "AttemptCounted",
    "BatteryAnswer",
    "BeginProgram",
    "BeginRefill",
    "BeginSelfTest",
    "BegunBolus",
    "BlockWritten",
    "CancelBolus",
    "ClearAlarm",
    "Command",
    "CommitProgram",
    "CommitRefill",
    "ConfirmAttempt",
    "CountAttempt",
    "CountersAnswer",
    "ExecuteBolus",
    "FindLog",
    "FlagsReset",
    "GivePatientBolus",
    "IdentityAnswer",
    "LedgerEntry",
    "LimitsAnswer",
    "ListAlarms",
    "ListOps",
    "LogFound",
    "LogRange",
    "LogRecords",
    "NoteFailure",
    "NoteKeysReplaced",
    "Noted",
    "NumberSession",
    "OpAnswer",
    "OpOutcome",
    "OpWindow",
    "OpsAnswer",
    "Origin",
    "Outcome",
    "PrepareBolus",
    "PreparedBolus",
    "ProgramAborted",
    "ProgramPart",
    "ProgramValidated",
    "QueryOp",
    "ReadAlarm",
    "ReadAllowance",
    "ReadBattery",
    "ReadCounters",
    "ReadIdentity",
    "ReadLimits",
    "ReadLog",
    "ReadLogRange",
    "ReadProgram",
    "ReadReservoir",
    "ReadStage",
    "ReadStatus",
    "ReadTelemetry",
    "ReadTime",
    "Reason",
    "RefillBegun",
    "RefillDates",
    "Refusal",
    "Reply",
    "ReservoirAnswer",
    "ResetFlags",
    "SelfTestBegun",
    "SelfTestDone",
    "SessionNumber",
    "SetTime",
    "SilenceAlarm",
    "StageBegun",
    "StagePart",
    "Start",
    "StatusAnswer",
    "Stop",
    "Target",
    "TelemetryAnswer",
    "TestSelf",
    "TherapyCommand",
    "TimeAnswer",
    "ValidateProgram",
    "WriteProgram",
]

Command = (
    Stop
    | Start
    | ExecuteBolus
    | CancelBolus
    | GivePatientBolus
    | PrepareBolus
    | QueryOp
    | ListOps
    | ReadStatus
    | ReadIdentity
    | ReadLimits
    | ReadTime
    | ReadAllowance
    | ListAlarms
    | ReadAlarm
    | AcknowledgeAlarm
    | SilenceAlarm
    | ClearAlarm
    | BeginRefill
    | CommitRefill
    | SetTime
    | BeginSelfTest
    | TestSelf
    | ReadBattery
    | ReadReservoir
    | ReadCounters
    | ReadLogRange
    | ReadLog
    | FindLog
    | BeginProgram
    | WriteProgram
    | ValidateProgram
    | ReadStage
    | CommitProgram
    | AbortProgram
    | ReadProgram
    | NumberSession
    | CountAttempt
    | ConfirmAttempt
    | NoteFailure
    | NoteKeysReplaced
    | ReadTelemetry
    | ResetFlags
)

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
    | Alarm
    | AllowanceAnswer
    | AlarmAcknowledged
    | AlarmCleared
    | AlarmSilenced
    | RefillBegun
    | SelfTestBegun
    | SelfTestDone
    | BatteryAnswer
    | ReservoirAnswer
    | CountersAnswer
    | LogRange
    | LogRecords
    | LogFound
    | StageBegun
    | BlockWritten
    | ProgramValidated
    | StagePart
    | ProgramPart
    | ProgramAborted
    | SessionNumber
    | AttemptCounted
    | AttemptConfirmed
    | Noted
    | TelemetryAnswer
    | FlagsReset
)

Reply = Outcome | Refusal
