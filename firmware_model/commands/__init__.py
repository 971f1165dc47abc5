"""What can be asked of a pump, what it answers, and why it refuses: the model's own words.

Nothing here knows a wire. A `Refusal` names a reason, the field that was wrong, and the limit or detail that would make
it right; the dispatcher turns that into whatever its protocol has for it.
"""

from __future__ import annotations

from firmware_model.commands.asking import (
    AcknowledgeAlarm,
    CancelBolus,
    ExecuteBolus,
    ListAlarms,
    ListOps,
    PrepareBolus,
    QueryOp,
    ReadIdentity,
    ReadLimits,
    ReadLog,
    ReadLogRange,
    ReadStatus,
    ReadTime,
    Start,
    Stop,
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
    IdentityAnswer,
    LedgerEntry,
    LimitsAnswer,
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

__all__ = [
    "DENY_ALL",
    "NO_TARGET",
    "AbortProgram",
    "AcknowledgeAlarm",
    "Alarm",
    "AlarmAcknowledged",
    "AlarmsAnswer",
    "AttemptConfirmed",
    "AttemptCounted",
    "BeginProgram",
    "BlockWritten",
    "CancelBolus",
    "Command",
    "CommitProgram",
    "ConfirmAttempt",
    "CountAttempt",
    "ExecuteBolus",
    "IdentityAnswer",
    "LedgerEntry",
    "LimitsAnswer",
    "ListAlarms",
    "ListOps",
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
    "ReadIdentity",
    "ReadLimits",
    "ReadLog",
    "ReadLogRange",
    "ReadProgram",
    "ReadStage",
    "ReadStatus",
    "ReadTime",
    "Reason",
    "Refusal",
    "Reply",
    "SessionNumber",
    "StageBegun",
    "StagePart",
    "Start",
    "StatusAnswer",
    "Stop",
    "Target",
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
    | PrepareBolus
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
    | AlarmAcknowledged
    | LogRange
    | LogRecords
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
)

Reply = Outcome | Refusal
