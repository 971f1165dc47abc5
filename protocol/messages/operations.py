"""Every operation that is built: its number, its messages, and what it may do."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from protocol.fields import encode, table_of
from protocol.messages import alarm, deliver, link, log, op, program, pump_time, read, routine, stream

_HASH_SIZE: Final = 8
_REVISION: Final = "therapy_rev"


class Service(enum.IntEnum):
    LINK = 0x01
    READ = 0x02
    PROGRAM = 0x03
    DELIVER = 0x04
    ALARM = 0x05
    LOG = 0x06
    STREAM = 0x07
    TIME = 0x08
    ROUTINE = 0x09
    OP = 0x0A


class Effect(enum.Enum):
    """The most that an operation can do: THERAPY changes what is delivered, and carries an op id."""

    LINK = "link"
    READ = "read"
    STAGE = "stage"
    THERAPY = "therapy"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. Sequenced ones take part in the order of a session's txn. Who may ask for it: `protocol.access`.

    `reduced` is the answer to the same request without a session, where that is another one.
    """

    name: str
    opcode: int
    request: type[Any]
    answer: type[Any]
    effect: Effect
    sequenced: bool
    meaning: str
    reduced: type[Any] | None = None

    @property
    def service(self) -> Service:
        return Service(self.opcode >> 8)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("HELLO", 0x0101, link.HelloRequest, link.HelloAnswer, Effect.LINK, False, "versions, marks, address"),
    Operation(
        "OPEN",
        0x0102,
        link.OpenRequest,
        link.OpenAnswer,
        Effect.LINK,
        False,
        "begin a session: challenges, and the pump shows its key",
    ),
    Operation(
        "AUTH",
        0x0103,
        link.AuthRequest,
        link.AuthAnswer,
        Effect.LINK,
        False,
        "the host shows its key; the answer is the first secured one",
    ),
    Operation("CLOSE", 0x0104, link.CloseRequest, link.CloseAnswer, Effect.LINK, True, "end the session"),
    Operation(
        "KEEPALIVE",
        0x0105,
        link.KeepaliveRequest,
        link.KeepaliveAnswer,
        Effect.LINK,
        False,
        "put off the end by silence",
    ),
    Operation("CAPS", 0x0106, link.CapsRequest, link.CapsAnswer, Effect.READ, True, "every limit and quantum"),
    Operation(
        "LINK_STATS", 0x0107, link.LinkStatsRequest, link.LinkStatsAnswer, Effect.READ, True, "how the line does"
    ),
    Operation(
        "STATUS",
        0x0201,
        read.StatusRequest,
        read.StatusAnswer,
        Effect.READ,
        True,
        "what the pump does now; without a session only whether it runs and any alarm is present",
        reduced=read.ReducedStatusAnswer,
    ),
    Operation("IDENT", 0x0202, read.IdentRequest, read.IdentAnswer, Effect.READ, True, "which pump it is"),
    Operation(
        "THERAPY_READ",
        0x0203,
        read.TherapyReadRequest,
        read.TherapyReadAnswer,
        Effect.READ,
        True,
        "the active program, block by block",
    ),
    Operation(
        "LIMITS",
        0x0204,
        read.LimitsRequest,
        read.LimitsAnswer,
        Effect.READ,
        True,
        "the active program's own limits, and what of them is left",
    ),
    Operation(
        "COUNTERS",
        0x0205,
        read.CountersRequest,
        read.CountersAnswer,
        Effect.READ,
        True,
        "lifetime counts",
    ),
    Operation(
        "BATTERY",
        0x0206,
        read.BatteryRequest,
        read.BatteryAnswer,
        Effect.READ,
        True,
        "the cell, and when it must be replaced",
    ),
    Operation(
        "RESERVOIR",
        0x0207,
        read.ReservoirRequest,
        read.ReservoirAnswer,
        Effect.READ,
        True,
        "what it holds, and when it must be refilled",
    ),
    Operation(
        "PROGRAM_BEGIN",
        0x0301,
        program.ProgramBeginRequest,
        program.ProgramBeginAnswer,
        Effect.STAGE,
        True,
        "a new, empty stage; an older one of this session is void",
    ),
    Operation(
        "PROGRAM_WRITE",
        0x0302,
        program.ProgramWriteRequest,
        program.ProgramWriteAnswer,
        Effect.STAGE,
        True,
        "a part of a block into the stage",
    ),
    Operation(
        "PROGRAM_VALIDATE",
        0x0303,
        program.ProgramValidateRequest,
        program.ProgramValidateAnswer,
        Effect.STAGE,
        True,
        "check and quantise the stage; says what would really run",
    ),
    Operation(
        "STAGE_READ",
        0x0304,
        program.StageReadRequest,
        program.StageReadAnswer,
        Effect.STAGE,
        True,
        "the validated stage, block by block",
    ),
    Operation(
        "PROGRAM_COMMIT",
        0x0305,
        program.ProgramCommitRequest,
        program.ProgramCommitAnswer,
        Effect.THERAPY,
        True,
        "make the validated stage the active program",
    ),
    Operation(
        "PROGRAM_ABORT",
        0x0306,
        program.ProgramAbortRequest,
        program.ProgramAbortAnswer,
        Effect.STAGE,
        True,
        "give the stage up",
    ),
    Operation("STOP", 0x0401, deliver.StopRequest, deliver.StopAnswer, Effect.THERAPY, False, "halt all delivery, now"),
    Operation("START", 0x0402, deliver.StartRequest, deliver.StartAnswer, Effect.THERAPY, True, "resume the base rate"),
    Operation(
        "BOLUS_PREPARE",
        0x0403,
        deliver.BolusPrepareRequest,
        deliver.BolusPrepareAnswer,
        Effect.READ,
        True,
        "check and quantise a bolus, and take its lease; nothing moves",
    ),
    Operation(
        "BOLUS_EXECUTE",
        0x0404,
        deliver.BolusExecuteRequest,
        deliver.BolusExecuteAnswer,
        Effect.THERAPY,
        True,
        "start the prepared bolus",
    ),
    Operation(
        "BOLUS_CANCEL",
        0x0405,
        deliver.BolusCancelRequest,
        deliver.BolusCancelAnswer,
        Effect.THERAPY,
        True,
        "end the running bolus",
    ),
    Operation(
        "PATIENT_BOLUS",
        0x0406,
        deliver.PatientBolusRequest,
        deliver.PatientBolusAnswer,
        Effect.THERAPY,
        True,
        "the patient's own bolus, as the program allows it",
    ),
    Operation(
        "ALARM_LIST", 0x0501, alarm.AlarmListRequest, alarm.AlarmListAnswer, Effect.READ, True, "alarms by pages"
    ),
    Operation(
        "ALARM_ACK",
        0x0502,
        alarm.AlarmAckRequest,
        alarm.AlarmAckAnswer,
        Effect.ALARM,
        True,
        "a person has seen the alarm",
    ),
    Operation(
        "ALARM_CLEAR",
        0x0503,
        alarm.AlarmClearRequest,
        alarm.AlarmClearAnswer,
        Effect.ALARM,
        True,
        "end an alarm; one whose cause is still there is raised anew",
    ),
    Operation(
        "ALARM_SNAPSHOT",
        0x0504,
        alarm.AlarmSnapshotRequest,
        alarm.AlarmSnapshotAnswer,
        Effect.READ,
        True,
        "one alarm, with the pump as it was at that moment",
    ),
    Operation(
        "ALARM_SILENCE",
        0x0505,
        alarm.AlarmSilenceRequest,
        alarm.AlarmSilenceAnswer,
        Effect.ALARM,
        True,
        "no tone for a while",
    ),
    Operation("LOG_STATUS", 0x0601, log.LogStatusRequest, log.LogStatusAnswer, Effect.READ, True, "the log's extent"),
    Operation("LOG_READ", 0x0602, log.LogReadRequest, log.LogReadAnswer, Effect.READ, True, "log records by pages"),
    Operation(
        "LOG_FIND_BY_ELAPSED",
        0x0603,
        log.LogFindByElapsedRequest,
        log.LogFindByElapsedAnswer,
        Effect.READ,
        True,
        "where the records of a time begin",
    ),
    Operation(
        "SUBSCRIBE",
        0x0701,
        stream.SubscribeRequest,
        stream.SubscribeAnswer,
        Effect.LINK,
        True,
        "telemetry from now on: an event at once, then in every period and when a flag is newly set",
    ),
    Operation(
        "UNSUBSCRIBE",
        0x0702,
        stream.UnsubscribeRequest,
        stream.UnsubscribeAnswer,
        Effect.LINK,
        True,
        "no more events; without effect where there are none",
    ),
    Operation(
        "RESET_FLAGS",
        0x0703,
        stream.ResetFlagsRequest,
        stream.ResetFlagsAnswer,
        Effect.LINK,
        True,
        "forget the flags of this role that were last set at or before a log record",
    ),
    Operation(
        "TIME_READ",
        0x0801,
        pump_time.TimeReadRequest,
        pump_time.TimeReadAnswer,
        Effect.READ,
        True,
        "elapsed time and clock",
    ),
    Operation(
        "TIME_SET",
        0x0802,
        pump_time.TimeSetRequest,
        pump_time.TimeSetAnswer,
        Effect.THERAPY,
        True,
        "set the clock; says what flows by it",
    ),
    Operation(
        "SELFTEST",
        0x0901,
        routine.SelftestRequest,
        routine.SelftestAnswer,
        Effect.READ,
        True,
        "run the self-test now; it changes nothing",
    ),
    Operation(
        "REFILL_BEGIN",
        0x0902,
        routine.RefillBeginRequest,
        routine.RefillBeginAnswer,
        Effect.STAGE,
        True,
        "begin a refill; says what should be left",
    ),
    Operation(
        "REFILL_COMMIT",
        0x0903,
        routine.RefillCommitRequest,
        routine.RefillCommitAnswer,
        Effect.THERAPY,
        True,
        "the reservoir has been refilled",
    ),
    Operation("OP_QUERY", 0x0A01, op.OpQueryRequest, op.OpQueryAnswer, Effect.READ, False, "what became of one op"),
    Operation("OP_LIST", 0x0A02, op.OpListRequest, op.OpListAnswer, Effect.READ, True, "all outcomes, and therapy_rev"),
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a pump sends of its own accord, in frames with the flag EVENT. As a request its opcode is unknown."""

    name: str
    opcode: int
    message: type[Any]
    effect: Effect
    meaning: str

    @property
    def service(self) -> Service:
        return Service(self.opcode >> 8)


EVENT: Final = Announcement(
    "EVENT", 0x0704, stream.StreamEvent, Effect.READ, "telemetry that the session has subscribed to"
)
ANNOUNCEMENTS: Final[Mapping[int, Announcement]] = MappingProxyType({EVENT.opcode: EVENT})
"""By opcode."""

by_opcode: Final[Mapping[int, Operation]] = MappingProxyType({row.opcode: row for row in OPERATIONS})
by_name: Final[Mapping[str, Operation]] = MappingProxyType({row.name: row for row in OPERATIONS})
_by_class: Final[Mapping[type, Operation]] = MappingProxyType(
    {cls: row for row in OPERATIONS for cls in (row.request, row.answer, row.reduced) if cls is not None}
)


def operation_of(message_or_class: object) -> Operation:
    """The operation that a request or an answer, or the class of one, belongs to; KeyError if it is none."""
    cls = message_or_class if isinstance(message_or_class, type) else type(message_or_class)
    return _by_class[cls]


def payload_hash(opcode: int, message: object) -> bytes:
    """What the ledger knows a command by: equal for the same intention under another therapy_rev."""
    payload = encode(message)
    for field in table_of(type(message)):
        if field.name == _REVISION and field.offset is not None and field.size is not None:
            payload = payload[: field.offset] + payload[field.offset + field.size :]
    return hashlib.sha256(opcode.to_bytes(2, "little") + payload).digest()[:_HASH_SIZE]
