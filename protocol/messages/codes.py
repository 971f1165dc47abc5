"""Enumerations on the wire, each value with its meaning."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple

# For critical enumerations: pairwise Hamming distance 4, and 4 from 00 and FF.
HAMMING_CODES: Final = (0x0F, 0x33, 0x3C, 0x55, 0x5A, 0x66, 0x69, 0x96, 0x99, 0xA5, 0xAA, 0xC3, 0xCC, 0xF0)


class Role(enum.IntEnum):
    READER = 1
    PATIENT = 2
    CLINICIAN = 3


class OpenFlag(enum.IntFlag, boundary=enum.STRICT):
    TAKEOVER = 1


class RunState(enum.IntEnum):
    RUNNING = 0x33
    STOPPED = 0x3C
    FAILED = 0x66


class StopReason(enum.IntEnum):
    NONE = 0
    COMMANDED = 1
    EMPTY_RESERVOIR = 2
    MEMORY_FAILURE = 3
    PROGRAMMED = 4


class Mode(enum.IntEnum):
    STOPPED = 0x33
    MINIMUM_RATE = 0x3C
    SIMPLE_CONTINUOUS = 0x55


class Block(enum.IntEnum):
    IMAGE = 0
    DRUGS = 1
    INFUSION = 2
    LIMITS = 3
    ALARMS = 4


class Warnings(enum.IntFlag, boundary=enum.KEEP):
    RATE_ROUNDED = 1
    NO_DELIVERY = 2
    NEEDS_START = 4
    LOW_RESERVOIR = 8
    DRUGS_CHANGED = 16


class BolusKind(enum.IntEnum):
    SINGLE = 0x33
    PRIMING = 0x3C
    BRIDGE = 0x55


class BolusEndReason(enum.IntEnum):
    NONE = 0
    COMPLETE = 1
    CANCELLED = 2
    STOPPED = 3
    RESET = 4
    EMPTY = 5


class OpState(enum.IntEnum):
    EXECUTING = 0x33
    DONE = 0x3C
    PARTIAL = 0x55
    REJECTED = 0x5A
    NOT_SEEN = 0x66
    NEVER_TAKEN = 0x69
    UNKNOWN_EVICTED = 0x96
    PENDING = 0x99


class OpFlag(enum.IntFlag, boundary=enum.STRICT):
    REPEATED = 1
    NOT_ENTERED = 2


class AlarmType(enum.IntEnum):
    LOW_RESERVOIR = 1
    EMPTY_RESERVOIR = 2
    MEMORY_FAILURE = 3


class AlarmState(enum.IntEnum):
    RAISED = 0x33
    ACKNOWLEDGED = 0x3C
    CLEARED = 0x55


class Priority(enum.IntEnum):
    NON_CRITICAL = 1
    CRITICAL = 2


class Marks(enum.IntFlag, boundary=enum.KEEP):
    EMULATOR = 1
    TEST_KEYS = 2
    INSECURE = 4


class Capability(enum.IntFlag, boundary=enum.KEEP):
    SINGLE_BOLUS = 1
    ALARMS = 2
    EVENT_LOG = 4
    OP_LEDGER = 8
    SESSIONS = 16
    PROGRAMS = 32


class ResetReason(enum.IntEnum):
    FIRST_POWER_UP = 1
    POWER = 2


class MemoryCondition(enum.IntEnum):
    BOTH_SLOTS_GOOD = 0
    ONE_SLOT_LOST = 1
    BOTH_SLOTS_LOST = 2


class LogType(enum.IntEnum):
    BOOT = 0x0001
    THERAPY_STARTED = 0x0101
    THERAPY_STOPPED = 0x0102
    BOLUS_STARTED = 0x0103
    BOLUS_ENDED = 0x0104
    BOLUS_CANCELLED = 0x0105
    PROGRAM_CHANGED = 0x0106
    ALARM_RAISED = 0x0201
    ALARM_ACKNOWLEDGED = 0x0202
    SESSION_TAKEN_OVER = 0x0301
    AUTHENTICATION_FAILED = 0x0302
    KEYS_REPLACED = 0x0303
    CORRUPT = 0xFFFF


class CodeTable(NamedTuple):
    """An enumeration as the specification prints it."""

    code: type[enum.IntEnum] | type[enum.IntFlag]
    critical: bool
    meanings: Mapping[int, str]


CODE_TABLES: Final[tuple[CodeTable, ...]] = (
    CodeTable(
        Role,
        False,
        {
            Role.READER: "reads only",
            Role.PATIENT: "the patient's handheld",
            Role.CLINICIAN: "the clinician's programmer",
        },
    ),
    CodeTable(OpenFlag, False, {OpenFlag.TAKEOVER: "take the clinician's place from another host"}),
    CodeTable(
        RunState,
        True,
        {
            RunState.RUNNING: "therapy runs",
            RunState.STOPPED: "no flow; START resumes it",
            RunState.FAILED: "the memory was lost; the pump stays stopped",
        },
    ),
    CodeTable(
        StopReason,
        False,
        {
            StopReason.NONE: "not stopped",
            StopReason.COMMANDED: "STOP",
            StopReason.EMPTY_RESERVOIR: "the reservoir reached its empty level",
            StopReason.MEMORY_FAILURE: "the memory failed",
            StopReason.PROGRAMMED: "the program itself says STOPPED",
        },
    ),
    CodeTable(
        Mode,
        True,
        {
            Mode.STOPPED: "no infusion",
            Mode.MINIMUM_RATE: "the least rate of CAPS, to keep the catheter open",
            Mode.SIMPLE_CONTINUOUS: "one base rate, day and night",
        },
    ),
    CodeTable(
        Block,
        False,
        {
            Block.IMAGE: "the canonical image: all blocks in one; to be read only",
            Block.DRUGS: "DrugsBlock",
            Block.INFUSION: "InfusionBlock",
            Block.LIMITS: "LimitsBlock",
            Block.ALARMS: "AlarmsBlock",
        },
    ),
    CodeTable(
        Warnings,
        False,
        {
            Warnings.RATE_ROUNDED: "the rate was rounded down to a whole quantum",
            Warnings.NO_DELIVERY: "this program delivers nothing",
            Warnings.NEEDS_START: "therapy is stopped, and stays so until START",
            Warnings.LOW_RESERVOIR: "the reservoir is at or below the alarm's level already",
            Warnings.DRUGS_CHANGED: "other drugs or concentrations than those of the active program",
        },
    ),
    CodeTable(
        BolusKind,
        True,
        {
            BolusKind.SINGLE: "one bolus on top of the base rate",
            BolusKind.PRIMING: "fills the catheter; not built yet",
            BolusKind.BRIDGE: "bridges a change of drug; not built yet",
        },
    ),
    CodeTable(
        BolusEndReason,
        False,
        {
            BolusEndReason.NONE: "no bolus was ended",
            BolusEndReason.COMPLETE: "given in full",
            BolusEndReason.CANCELLED: "BOLUS_CANCEL",
            BolusEndReason.STOPPED: "STOP",
            BolusEndReason.RESET: "the pump lost power",
            BolusEndReason.EMPTY: "the reservoir reached its empty level",
        },
    ),
    CodeTable(
        OpState,
        True,
        {
            OpState.EXECUTING: "taken, its bolus runs",
            OpState.DONE: "taken, ended as commanded",
            OpState.PARTIAL: "taken, ended early; delivered_min_nl and delivered_max_nl say with how much",
            OpState.REJECTED: "taken, ended without motion",
            OpState.NOT_SEEN: "above op_high: not arrived so far",
            OpState.NEVER_TAKEN: "not held, at most op_high, above every evicted id: it will never be taken",
            OpState.UNKNOWN_EVICTED: "no longer held: the log knows, or nobody",
            OpState.PENDING: "its request is unanswered; resolves nothing",
        },
    ),
    CodeTable(
        OpFlag,
        False,
        {
            OpFlag.REPEATED: "the ledger held it already: nothing is given again",
            OpFlag.NOT_ENTERED: "the pump stands still, but this op id could not be entered in the ledger (STOP only)",
        },
    ),
    CodeTable(
        AlarmType,
        False,
        {
            AlarmType.LOW_RESERVOIR: "the reservoir reached its low level",
            AlarmType.EMPTY_RESERVOIR: "the reservoir reached its empty level; therapy stopped",
            AlarmType.MEMORY_FAILURE: "the memory failed; therapy stopped",
        },
    ),
    CodeTable(
        AlarmState,
        True,
        {
            AlarmState.RAISED: "new",
            AlarmState.ACKNOWLEDGED: "seen by a person, its cause may remain",
            AlarmState.CLEARED: "over",
        },
    ),
    CodeTable(
        Priority,
        False,
        {Priority.NON_CRITICAL: "therapy goes on", Priority.CRITICAL: "therapy has stopped or will soon"},
    ),
    CodeTable(
        Marks,
        False,
        {
            Marks.EMULATOR: "not a device",
            Marks.TEST_KEYS: "its keys are published",
            Marks.INSECURE: "asks for no key: session 0 is a clinician's",
        },
    ),
    CodeTable(
        Capability,
        False,
        {
            Capability.SINGLE_BOLUS: "BOLUS_PREPARE, BOLUS_EXECUTE, BOLUS_CANCEL with kind SINGLE",
            Capability.ALARMS: "service 05",
            Capability.EVENT_LOG: "service 06",
            Capability.OP_LEDGER: "service 0A",
            Capability.SESSIONS: "OPEN, AUTH, CLOSE, KEEPALIVE",
            Capability.PROGRAMS: "service 03 and THERAPY_READ",
        },
    ),
    CodeTable(
        ResetReason,
        False,
        {ResetReason.FIRST_POWER_UP: "a new memory", ResetReason.POWER: "power was lost and came back"},
    ),
    CodeTable(
        MemoryCondition,
        False,
        {
            MemoryCondition.BOTH_SLOTS_GOOD: "both copies of the control record read well",
            MemoryCondition.ONE_SLOT_LOST: "one copy did; it was used",
            MemoryCondition.BOTH_SLOTS_LOST: "none did; the pump stays stopped",
        },
    ),
    CodeTable(
        LogType,
        False,
        {
            LogType.BOOT: "the pump started",
            LogType.THERAPY_STARTED: "START",
            LogType.THERAPY_STOPPED: "STOP, or the pump stopped by itself",
            LogType.BOLUS_STARTED: "BOLUS_EXECUTE",
            LogType.BOLUS_ENDED: "a bolus ended, for whatever reason",
            LogType.BOLUS_CANCELLED: "BOLUS_CANCEL",
            LogType.PROGRAM_CHANGED: "PROGRAM_COMMIT",
            LogType.ALARM_RAISED: "an alarm was raised",
            LogType.ALARM_ACKNOWLEDGED: "ALARM_ACK",
            LogType.SESSION_TAKEN_OVER: "a clinician's host took the place of another",
            LogType.AUTHENTICATION_FAILED: "wrong cryptograms or tags since the last such record; one a minute at most",
            LogType.KEYS_REPLACED: "the pump was given other keys",
            LogType.CORRUPT: "stands for a record that can no longer be read",
        },
    ),
)
