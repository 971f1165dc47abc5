"""Why a pump refuses."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from msgspec import Struct


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
    RECORD_CORRUPT = "no record can be read"
    LOG_EPOCH = "another epoch of the log"
    MEMORY_FAILURE = "the memory has failed"
    CONDITIONS = "not possible in this state"
    DELAY = "an authentication delay is running"
    NOTHING_STAGED = "nothing is staged under this number"
    STAGE_CHANGED = "not what was validated"
    BLOCK_SEQUENCE = "a block is written out of order, or is missing"
    TOO_MANY_DRUGS = "more drugs than this pump keeps apart"
    FORMAT = "a value that no block may hold"
    LOCKOUT = "the lockout is running"
    WINDOW_LIMIT = "more than its window allows"
    CONCENTRATION_MISMATCH = "not what the reservoir holds"
    CLOCK_INVALID = "no such time"
    BATTERY_LOW = "the cell is too weak"
    STALLED = "the rotor does not turn"


class Refusal(Struct, frozen=True):
    """A refusal: nothing has changed. `field` is the command's attribute; `detail` the limit or fact that it names."""

    reason: Reason
    field: str = ""
    element: int = 0
    detail: int = 0


class OpWindow(IntEnum):
    """How far above the highest op id so far a new one may lie."""

    WIDTH = 1_000
