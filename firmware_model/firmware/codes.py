"""The small closed sets of words that the firmware stores and speaks in.

Rooms that ask for a word at every event give it a name of their own: Python 3.11 takes as long to find a member in its
class as to call a function.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Role(IntEnum):
    """Who may be on the other side; 0 stands for the pump itself in log records."""

    READER = 1
    PATIENT = 2
    CLINICIAN = 3


THERAPY_ROLES = (Role.PATIENT, Role.CLINICIAN)
"""The roles that have a ledger, in the order of its slots."""


class RunState(IntEnum):
    """Whether the programmed infusion runs. FAILED: the memory is lost, and the pump stays stopped."""

    RUNNING = 1
    STOPPED = 2
    FAILED = 3


class StopReason(IntEnum):
    """Why delivery stands still."""

    NONE = 0
    COMMANDED = 1
    EMPTY_RESERVOIR = 2
    MEMORY_FAILURE = 3
    PROGRAMMED = 4
    END_OF_SERVICE = 5
    SUPERVISOR = 6
    PROGRAM_INCOMPLETE = 7


class PumpState(IntEnum):
    """What decides which commands are admitted; of several that apply, the last one counts."""

    RUNNING = 1
    BOLUS = 2
    STOPPED = 3
    IDLE = 4
    HELD = 5
    FAILED = 6


class Mode(IntEnum):
    """How the base rate is made. The numbers stand in the canonical image: any two differ in four bits."""

    STOPPED = 0x33
    MINIMUM_RATE = 0x3C
    SIMPLE_CONTINUOUS = 0x55
    FLEX = 0x5A
    SINGLE_BOLUS = 0x66
    PERIODIC_BOLUS = 0x69


class Block(IntEnum):
    """A part of a program's canonical image; IMAGE is all of it."""

    IMAGE = 0
    DRUGS = 1
    INFUSION = 2
    LIMITS = 3
    ALARMS = 4
    SCHEDULE = 5
    PATIENT = 6
    CATHETER = 7


class ProgramWarning(IntFlag):
    """What a clinician should be told of a program that is valid."""

    RATE_ROUNDED = 1
    NO_DELIVERY = 2
    NEEDS_START = 4
    LOW_RESERVOIR = 8
    DRUGS_CHANGED = 16
    BRIDGE_DUE = 32


class BolusKind(IntEnum):
    """What a bolus is for."""

    SINGLE = 1
    PRIMING = 2
    BRIDGE = 3
    PATIENT = 4
    PROGRAMMED = 5


DEAD_VOLUME_KINDS = frozenset({BolusKind.PRIMING, BolusKind.BRIDGE})
"""Boluses that move what lies in tubing and catheter: the base rate stands still, and no dose limit counts them."""


class BolusEnd(IntEnum):
    """Why a bolus ended."""

    NONE = 0
    COMPLETE = 1
    CANCELLED = 2
    STOPPED = 3
    RESET = 4
    EMPTY = 5
    STALL = 6
    ALARM = 7


class OpKind(IntEnum):
    """What an operation in the ledger was."""

    STOP = 1
    START = 2
    BOLUS = 3
    CANCEL = 4
    PROGRAM = 5
    PATIENT_BOLUS = 6
    REFILL = 7
    TIME_SET = 8


class OpState(IntEnum):
    """What became of an operation. The first four stand in the ledger, the others are said of absent ones."""

    EXECUTING = 1
    DONE = 2
    PARTIAL = 3
    REJECTED = 4
    NOT_SEEN = 5
    NEVER_TAKEN = 6
    UNKNOWN_EVICTED = 7


class AlarmType(IntEnum):
    """What an alarm is about. How each behaves, the profile's table of alarms says."""

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


class AlarmState(IntEnum):
    """The life of an alarm instance."""

    RAISED = 1
    ACKNOWLEDGED = 2
    CLEARED = 3


class ChangedFlag(IntFlag):
    """What has changed, in the latched flags. Which log records set each, `changed_flags.CAUSES` says."""

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


class ResetReason(IntEnum):
    """Why the pump booted."""

    FIRST_POWER_UP = 1
    POWER = 2
    LOW_BATTERY = 3
    COMMANDED = 4
