"""Answers in one byte: OK, and the NAK codes with what each means and what a programmer does about it."""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

# Not 00, so that a zeroed buffer never reads as success.
OK: Final = 0x0F
NO_FIELD: Final = 0xFF

_NAK: Final = struct.Struct("<BBHI")


class NakCode(enum.IntEnum):
    UNKNOWN_SERVICE = 0x11
    UNKNOWN_OP = 0x12
    FORMAT = 0x13
    BUSY = 0x21
    CONDITIONS = 0x22
    SEQUENCE = 0x24
    RANGE = 0x31
    ROLE = 0x33
    AUTH_REQUIRED = 0x34
    KEY = 0x35
    ATTEMPTS = 0x36
    DELAY = 0x37
    MEMORY_FAILURE = 0x72
    BLOCK_SEQUENCE = 0x73
    PENDING = 0x78
    NO_SUCH_SESSION = 0x7F
    BATTERY_LOW = 0x93
    BELOW_MINIMUM = 0xA0
    ABOVE_MAXIMUM = 0xA1
    NOT_QUANTIZABLE = 0xA2
    LOCKOUT = 0xA3
    WINDOW_DOSE_LIMIT = 0xA4
    NOTHING_STAGED = 0xA5
    STAGE_CHANGED = 0xA6
    LEASE_EXPIRED = 0xA7
    NO_SUCH_BOLUS = 0xA8
    BOLUS_RUNNING = 0xA9
    ALREADY_ENDED = 0xAA
    ALREADY_IN_STATE = 0xAB
    ALARM_BLOCKS = 0xAC
    RESERVOIR = 0xAD
    PUMP_STOPPED = 0xAE
    STALLED = 0xAF
    UNRESOLVED = 0xB0
    OP_ID_REUSED = 0xB1
    BUSY_OTHER_HOST = 0xB2
    REDUNDANCY_MISMATCH = 0xB3
    RECORD_OVERWRITTEN = 0xB4
    RECORD_CORRUPT = 0xB5
    NO_SUCH_ALARM = 0xB6
    CLOCK_INVALID = 0xB7
    CONCENTRATION_MISMATCH = 0xB8
    OP_ID_STALE = 0xB9
    LOG_EPOCH = 0xBA


class Refusal(NamedTuple):
    """What a NAK code says. `detail` names the meaning of the detail word, where it has one."""

    meaning: str
    cure: str
    detail: str = ""


REFUSALS: Final[Mapping[NakCode, Refusal]] = {
    NakCode.UNKNOWN_SERVICE: Refusal("no such service", "look at the opcode's high byte"),
    NakCode.UNKNOWN_OP: Refusal("no such operation in this service", "do without it"),
    NakCode.FORMAT: Refusal(
        "payload too short or too long, or a value that no message may hold", "repair the named field"
    ),
    NakCode.BUSY: Refusal("another request is still unanswered", "wait 100 ms, send the same again with the same txn"),
    NakCode.CONDITIONS: Refusal("not possible in the present state", "read STATUS"),
    NakCode.SEQUENCE: Refusal("txn out of sequence", "send the same request as the named txn + 1", "the last txn"),
    NakCode.RANGE: Refusal(
        "a value outside its range",
        "keep within the limit, or quote what PREPARE answered",
        "the limit, or the right value",
    ),
    NakCode.ROLE: Refusal("this role may not do that", "open a session with another role"),
    NakCode.AUTH_REQUIRED: Refusal("only within a session", "open a session"),
    NakCode.KEY: Refusal("the cryptogram is wrong", "use the right key"),
    NakCode.ATTEMPTS: Refusal("too many failed authentications", "wait", "seconds to wait"),
    NakCode.DELAY: Refusal("an authentication delay is running", "wait", "seconds to wait"),
    NakCode.MEMORY_FAILURE: Refusal(
        "the memory could not be written or read", "ask OP_QUERY; a STOP has halted all the same"
    ),
    NakCode.BLOCK_SEQUENCE: Refusal(
        "a block written out of order, or missing; element = the block",
        "write on from the offset that is named, or begin the block anew",
        "the offset that was expected",
    ),
    NakCode.PENDING: Refusal("received, not yet answered; this is not the answer", "wait up to 5 s more"),
    NakCode.NO_SUCH_SESSION: Refusal(
        "this line has no such session", "open a new one (INSECURE: the line anew), read OP_LIST"
    ),
    NakCode.BATTERY_LOW: Refusal(
        "the cell is so weak that a reset would be its last: nothing new begins, and what flows goes on",
        "keep what flows, or STOP; replace the pump",
        "millivolts that it takes under the motor's load",
    ),
    NakCode.BELOW_MINIMUM: Refusal("below the least possible", "ask for more", "the minimum"),
    NakCode.ABOVE_MAXIMUM: Refusal("above the most possible", "ask for less", "the maximum"),
    NakCode.NOT_QUANTIZABLE: Refusal(
        "not a whole number of quanta", "use the quantised value of PREPARE", "the quantum"
    ),
    NakCode.LOCKOUT: Refusal(
        "locked out after a bolus, a program or a refill; element = activations in the window, where they are used up",
        "wait",
        "seconds left",
    ),
    NakCode.WINDOW_DOSE_LIMIT: Refusal(
        "more than the window of 24 h allows, or too many boluses in it", "ask for less or wait", "nl available now"
    ),
    NakCode.NOTHING_STAGED: Refusal("nothing is staged", "stage or prepare first"),
    NakCode.STAGE_CHANGED: Refusal(
        "not what was validated, or therapy has changed since", "read, stage, validate again"
    ),
    NakCode.LEASE_EXPIRED: Refusal("the lease of the prepared bolus ran out", "PREPARE again"),
    NakCode.NO_SUCH_BOLUS: Refusal("no bolus with this id", "read STATUS or PREPARE again"),
    NakCode.BOLUS_RUNNING: Refusal("a bolus is running", "wait for its end or cancel it", "its bolus id"),
    NakCode.ALREADY_ENDED: Refusal("the bolus has already ended", "read OP_LIST"),
    NakCode.ALREADY_IN_STATE: Refusal("already so", "nothing to do"),
    NakCode.ALARM_BLOCKS: Refusal(
        "an alarm forbids it; element = its type", "see to the alarm", "the alarm's instance"
    ),
    NakCode.RESERVOIR: Refusal("not enough in the reservoir", "refill or ask for less", "nl left"),
    NakCode.PUMP_STOPPED: Refusal("the pump is stopped", "START first"),
    NakCode.STALLED: Refusal("the rotor does not turn", "see to the alarm"),
    NakCode.UNRESOLVED: Refusal(
        "the quoted therapy_rev is not the current one; element = role of the last op",
        "read a complete OP_LIST, book it, and decide again",
        "op id of the last op",
    ),
    NakCode.OP_ID_REUSED: Refusal(
        "this op id was taken by another command or host", "read OP_LIST: book the other, then decide"
    ),
    NakCode.BUSY_OTHER_HOST: Refusal("another host holds the clinician's place", "ask for a takeover", "its host id"),
    NakCode.REDUNDANCY_MISMATCH: Refusal("the complement does not match its value", "build the message anew"),
    NakCode.RECORD_OVERWRITTEN: Refusal(
        "the log no longer holds that record: a gap", "read on from there", "the first sequence"
    ),
    NakCode.RECORD_CORRUPT: Refusal(
        "no record of the log can be read, so no time is found in it",
        "read on from the one that is named: each comes as FFFF",
        "the first sequence",
    ),
    NakCode.NO_SUCH_ALARM: Refusal("no alarm with this instance", "read ALARM_LIST"),
    NakCode.CLOCK_INVALID: Refusal("no clock can show that time or offset", "name another"),
    NakCode.CONCENTRATION_MISMATCH: Refusal(
        "the program names other drugs or concentrations than the last refill",
        "program what the reservoir holds, or refill",
    ),
    NakCode.OP_ID_STALE: Refusal(
        "not above the highest op id of the role, and no longer held", "ask OP_QUERY", "op_high of the role"
    ),
    NakCode.LOG_EPOCH: Refusal("the log was begun anew", "read LOG_STATUS", "the current epoch"),
}

# Neither an answer for the cache nor a step of the sequence.
OUTSIDE_SEQUENCE: Final = frozenset({NakCode.BUSY, NakCode.SEQUENCE, NakCode.PENDING})

# In answer to a command: it was not taken and will not be. Every other code resolves nothing.
NOT_TAKEN: Final = frozenset(
    {NakCode.CONDITIONS, NakCode.RANGE, NakCode.BATTERY_LOW, NakCode.CLOCK_INVALID, NakCode.CONCENTRATION_MISMATCH}
    | {code for code in NakCode if NakCode.BELOW_MINIMUM <= code <= NakCode.OP_ID_REUSED}
)


@dataclass(frozen=True, slots=True)
class Nak:
    """A refusal: the code, the index of the field in its message's table (FF = none), and the limit that it names."""

    code: NakCode
    field: int = NO_FIELD
    element: int = 0
    detail: int = 0

    def encode(self) -> bytes:
        try:
            return _NAK.pack(self.code, self.field, self.element, self.detail)
        except struct.error as error:
            raise ValueError(f"{self!r} does not fit its layout: {error}") from error

    @classmethod
    def decode(cls, payload: bytes) -> Nak:
        """Raises ValueError for another length and for a code that this version does not know."""
        if len(payload) != _NAK.size:
            raise ValueError(f"a NAK has {_NAK.size} bytes, not {len(payload)}")
        code, field, element, detail = _NAK.unpack(payload)
        return cls(NakCode(code), field, element, detail)
