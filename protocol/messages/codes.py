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
    END_OF_SERVICE = 5
    SUPERVISOR = 6
    PROGRAM_INCOMPLETE = 7


class Mode(enum.IntEnum):
    STOPPED = 0x33
    MINIMUM_RATE = 0x3C
    SIMPLE_CONTINUOUS = 0x55
    FLEX = 0x5A
    SINGLE_BOLUS = 0x66
    PERIODIC_BOLUS = 0x69


class Block(enum.IntEnum):
    IMAGE = 0
    DRUGS = 1
    INFUSION = 2
    LIMITS = 3
    ALARMS = 4
    SCHEDULE = 5
    PATIENT = 6
    CATHETER = 7


class Warnings(enum.IntFlag, boundary=enum.KEEP):
    RATE_ROUNDED = 1
    NO_DELIVERY = 2
    NEEDS_START = 4
    LOW_RESERVOIR = 8
    DRUGS_CHANGED = 16
    BRIDGE_DUE = 32


class BolusKind(enum.IntEnum):
    SINGLE = 0x33
    PRIMING = 0x3C
    BRIDGE = 0x55
    PATIENT = 0x5A
    PROGRAMMED = 0x66


class BolusEndReason(enum.IntEnum):
    NONE = 0
    COMPLETE = 1
    CANCELLED = 2
    STOPPED = 3
    RESET = 4
    EMPTY = 5
    STALL = 6
    ALARM = 7


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
    MEMORY_REPAIRED = 4
    REPLACEMENT = 5
    END_OF_SERVICE = 6
    MOTOR_STALL = 7
    STOPPED_TOO_LONG = 8
    LOW_BATTERY_RESET = 9
    RESET = 10
    CLOCK_LOST = 11
    PROGRAM_INCOMPLETE = 12
    SUPERVISOR = 13


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
    SCHEDULES = 64
    PATIENT_BOLUS = 128
    DEAD_VOLUME_BOLUSES = 256
    REFILL = 512
    CLOCK = 1024
    SELFTEST = 2048
    STREAM = 4096


class ChangedFlag(enum.IntFlag, boundary=enum.KEEP):
    BOOT = 1
    THERAPY = 2
    BOLUS = 4
    PROGRAM = 8
    ALARM = 16
    REFILL = 32
    CLOCK = 64
    DELIVERY = 128
    MEMORY = 256
    SECURITY = 512


class TelemetryField(enum.IntFlag, boundary=enum.KEEP):
    RUN_STATE = 1
    ALARMS = 2
    THERAPY_REV = 4
    RATE = 8
    RESERVOIR = 16
    BOLUS = 32
    DELIVERED = 64
    BOOT = 128
    CLOCK = 256
    BATTERY = 512


class SelfTestPart(enum.IntFlag, boundary=enum.KEEP):
    MEMORY = 1
    CELL = 2
    CLOCK = 4
    ROTOR = 8


class ResetReason(enum.IntEnum):
    FIRST_POWER_UP = 1
    POWER = 2
    LOW_BATTERY = 3
    COMMANDED = 4


class MemoryCondition(enum.IntEnum):
    BOTH_SLOTS_GOOD = 0
    ONE_SLOT_LOST = 1
    BOTH_SLOTS_LOST = 2


class LogType(enum.IntEnum):
    BOOT = 0x0001
    TIME_SET = 0x0002
    MEMORY_REPAIRED = 0x0003
    THERAPY_STARTED = 0x0101
    THERAPY_STOPPED = 0x0102
    BOLUS_STARTED = 0x0103
    BOLUS_ENDED = 0x0104
    BOLUS_CANCELLED = 0x0105
    PROGRAM_CHANGED = 0x0106
    DELIVERED = 0x0107
    REFILLED = 0x0108
    PROGRAM_BEGUN = 0x0109
    ALARM_RAISED = 0x0201
    ALARM_ACKNOWLEDGED = 0x0202
    ALARM_CLEARED = 0x0203
    ALARM_SILENCED = 0x0204
    STALL_ENDED = 0x0205
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
            StopReason.PROGRAMMED: "the program itself: it says STOPPED, or its single bolus is over",
            StopReason.END_OF_SERVICE: "the pump is at the end of its service",
            StopReason.SUPERVISOR: "the supervisor found that the motor's scheduler did not answer",
            StopReason.PROGRAM_INCOMPLETE: "a program was begun; the pump stands still until it is committed",
        },
    ),
    CodeTable(
        Mode,
        True,
        {
            Mode.STOPPED: "no infusion",
            Mode.MINIMUM_RATE: "the least rate of CAPS, to keep the catheter open",
            Mode.SIMPLE_CONTINUOUS: "one base rate, day and night",
            Mode.FLEX: "rates by the time of day, for each day of the week",
            Mode.SINGLE_BOLUS: "one dose at once, then no infusion",
            Mode.PERIODIC_BOLUS: "a dose in every interval, the first after one interval; a base rate between, or none",
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
            Block.SCHEDULE: "ScheduleBlock",
            Block.PATIENT: "PatientBlock",
            Block.CATHETER: "CatheterBlock",
        },
    ),
    CodeTable(
        Warnings,
        False,
        {
            Warnings.RATE_ROUNDED: "a rate was rounded down to a whole quantum, or a volume to whole motor steps",
            Warnings.NO_DELIVERY: "this program delivers nothing",
            Warnings.NEEDS_START: "therapy is stopped, and stays so until START",
            Warnings.LOW_RESERVOIR: "the reservoir is at or below the alarm's level already",
            Warnings.DRUGS_CHANGED: "other drugs or concentrations than those of the active program",
            Warnings.BRIDGE_DUE: "the old drugs are still in tubing and catheter: a BRIDGE bolus is due",
        },
    ),
    CodeTable(
        BolusKind,
        True,
        {
            BolusKind.SINGLE: "the clinician's, on top of the base rate",
            BolusKind.PRIMING: "fills tubing and catheter; the base rate stands still meanwhile",
            BolusKind.BRIDGE: "moves the old drugs out of tubing and catheter; the base rate stands still meanwhile",
            BolusKind.PATIENT: "the patient's own, on top of the base rate",
            BolusKind.PROGRAMMED: "a dose of the program itself",
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
            BolusEndReason.STALL: "the rotor stood still",
            BolusEndReason.ALARM: "another critical alarm was raised",
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
            AlarmType.LOW_RESERVOIR: "the computed reservoir reached its low level",
            AlarmType.EMPTY_RESERVOIR: "it reached its empty level; therapy stopped",
            AlarmType.MEMORY_FAILURE: "the memory is lost; therapy stopped",
            AlarmType.MEMORY_REPAIRED: "a copy of a record was lost, and made anew from the other",
            AlarmType.REPLACEMENT: "elective replacement indicator: the pump must be replaced soon",
            AlarmType.END_OF_SERVICE: "end of service; therapy stopped for good",
            AlarmType.MOTOR_STALL: "the rotor stands still though the motor is driven",
            AlarmType.STOPPED_TOO_LONG: "therapy has stood still for longer than is good",
            AlarmType.LOW_BATTERY_RESET: "the cell's voltage broke down and the pump reset",
            AlarmType.RESET: "the pump reset",
            AlarmType.CLOCK_LOST: "the clock does not know the time; a FLEX program flows at its one rate",
            AlarmType.PROGRAM_INCOMPLETE: "a program was begun and not committed; therapy stands still",
            AlarmType.SUPERVISOR: "the supervisor found that the motor's scheduler did not answer; therapy stopped",
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
            Capability.SCHEDULES: "the modes FLEX, SINGLE_BOLUS and PERIODIC_BOLUS",
            Capability.PATIENT_BOLUS: "PATIENT_BOLUS",
            Capability.DEAD_VOLUME_BOLUSES: "BOLUS_PREPARE with kind PRIMING and BRIDGE",
            Capability.REFILL: "REFILL_BEGIN, REFILL_COMMIT, RESERVOIR",
            Capability.CLOCK: "TIME_SET",
            Capability.SELFTEST: "SELFTEST",
            Capability.STREAM: "service 07",
        },
    ),
    CodeTable(
        ChangedFlag,
        False,
        {
            ChangedFlag.BOOT: "the pump started",
            ChangedFlag.THERAPY: "therapy was started or stopped",
            ChangedFlag.BOLUS: "a bolus, or a dose of the program, began, ended or was cancelled",
            ChangedFlag.PROGRAM: "a program was begun, or became the active one",
            ChangedFlag.ALARM: "an alarm was raised, acknowledged, silenced or cleared, or a stall ended",
            ChangedFlag.REFILL: "the reservoir was refilled",
            ChangedFlag.CLOCK: "the clock was set",
            ChangedFlag.DELIVERY: "the log has told again what has been delivered",
            ChangedFlag.MEMORY: "a copy of a record was lost, and made anew",
            ChangedFlag.SECURITY: "a place was taken over, an authentication failed, or keys were replaced",
        },
    ),
    CodeTable(
        TelemetryField,
        False,
        {
            TelemetryField.RUN_STATE: "run_state, stop_reason",
            TelemetryField.ALARMS: "alarms_raised, alarms_unacknowledged",
            TelemetryField.THERAPY_REV: "therapy_rev",
            TelemetryField.RATE: "base_rate_nl_per_day, programmed_rate_nl_per_day",
            TelemetryField.RESERVOIR: "reservoir_nl",
            TelemetryField.BOLUS: "bolus_id, bolus_volume_nl, bolus_delivered_nl, bolus_remaining_s",
            TelemetryField.DELIVERED: "delivered_nl",
            TelemetryField.BOOT: "boot",
            TelemetryField.CLOCK: "rtc_unix_s, offset_min",
            TelemetryField.BATTERY: "idle_mv, loaded_mv, temperature_cc",
        },
    ),
    CodeTable(
        SelfTestPart,
        False,
        {
            SelfTestPart.MEMORY: "a copy of a record could not be read",
            SelfTestPart.CELL: "the cell, under the motor's load, is below what the electronics start with",
            SelfTestPart.CLOCK: "the clock's counter has been lost",
            SelfTestPart.ROTOR: "the rotor did not follow its last pulse; it is given none for the test",
        },
    ),
    CodeTable(
        ResetReason,
        False,
        {
            ResetReason.FIRST_POWER_UP: "a new memory",
            ResetReason.POWER: "power was lost and came back",
            ResetReason.LOW_BATTERY: "the cell's voltage broke down",
            ResetReason.COMMANDED: "it was reset from outside",
        },
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
            LogType.TIME_SET: "TIME_SET",
            LogType.MEMORY_REPAIRED: "a copy of a record was lost, and made anew from the other",
            LogType.THERAPY_STARTED: "START",
            LogType.THERAPY_STOPPED: "STOP, or the pump stopped by itself",
            LogType.BOLUS_STARTED: "BOLUS_EXECUTE, PATIENT_BOLUS, or a dose of the program itself",
            LogType.BOLUS_ENDED: "a bolus ended, for whatever reason",
            LogType.BOLUS_CANCELLED: "BOLUS_CANCEL",
            LogType.PROGRAM_CHANGED: "PROGRAM_COMMIT",
            LogType.DELIVERED: "what has been delivered, told from time to time",
            LogType.REFILLED: "REFILL_COMMIT",
            LogType.PROGRAM_BEGUN: "PROGRAM_BEGIN, in a pump that stands still until PROGRAM_COMMIT",
            LogType.ALARM_RAISED: "an alarm was raised",
            LogType.ALARM_ACKNOWLEDGED: "ALARM_ACK",
            LogType.ALARM_CLEARED: "ALARM_CLEAR, or its cause has gone",
            LogType.ALARM_SILENCED: "ALARM_SILENCE",
            LogType.STALL_ENDED: "the rotor turns again",
            LogType.SESSION_TAKEN_OVER: "a clinician's host took the place of another",
            LogType.AUTHENTICATION_FAILED: "wrong cryptograms or tags since the last such record; one a minute at most",
            LogType.KEYS_REPLACED: "the pump was given other keys",
            LogType.CORRUPT: "stands for a record that can no longer be read",
        },
    ),
)
