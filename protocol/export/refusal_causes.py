"""In answer to what each refusal comes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.export.tables import markdown_table
from protocol.refusals import NakCode

REFUSAL_CAUSES: Final[Mapping[NakCode, str]] = MappingProxyType(
    {
        NakCode.UNKNOWN_SERVICE: "any request in a session, whose opcode's high byte names none",
        NakCode.UNKNOWN_OP: "any request in a session, whose service has no such operation; EVENT is none",
        NakCode.FORMAT: "any request; PROGRAM_VALIDATE of drugs, a mode or a day that are none (element = the block); "
        "REFILL_COMMIT of drugs that are none",
        NakCode.BUSY: "a sequenced request while another one of the session is unanswered; AUTH while OPEN or another "
        "AUTH is; one of more than 8 unanswered requests outside the sequence",
        NakCode.CONDITIONS: "AUTH without an answered OPEN; START of a program that gives nothing; PATIENT_BOLUS where "
        "the program allows none; BOLUS_PREPARE of a kind that begins otherwise, of PRIMING or BRIDGE without a "
        "catheter in the program, of BRIDGE when none is due",
        NakCode.SEQUENCE: "a sequenced request whose txn is neither the next nor, with the same opcode and payload, "
        "the last",
        NakCode.RANGE: "any command whose op id is above op_high + 1000; BOLUS_EXECUTE that does not quote volume and "
        "duration of PREPARE's answer; BOLUS_PREPARE of PRIMING or BRIDGE with other values than the pump computes; "
        "SUBSCRIBE of fields that there are not (detail = all that there are)",
        NakCode.ROLE: "any request in a session, by the table of access; OP_QUERY of a reader's op",
        NakCode.AUTH_REQUIRED: "any request without a session but HELLO, OPEN, AUTH and STATUS",
        NakCode.KEY: "AUTH, for the first four wrong cryptograms in a row",
        NakCode.ATTEMPTS: "AUTH, from the fifth wrong cryptogram in a row on",
        NakCode.DELAY: "OPEN and AUTH of a role and line whose delay runs",
        NakCode.MEMORY_FAILURE: "OPEN and AUTH without a session counter; any command, and what reads therapy, in the "
        "state failed; STOP whose commit failed",
        NakCode.BLOCK_SEQUENCE: "PROGRAM_WRITE that does not begin where the last part ended, is too long (detail = "
        "the block's size) or names no block to be written; PROGRAM_VALIDATE with a block missing (detail = how "
        "much of it is there)",
        NakCode.PENDING: "a copy of a request that is unanswered; any request that takes longer than 500 ms",
        NakCode.NO_SUCH_SESSION: "a secured frame of a session that has ended or is another line's; INSECURE, a "
        "request on a line that has lost its place",
        NakCode.BATTERY_LOW: "a command that would begin something on a cell that is at its end",
        NakCode.BELOW_MINIMUM: "BOLUS_PREPARE, BOLUS_EXECUTE, PROGRAM_VALIDATE (element = the block), PROGRAM_COMMIT, "
        "REFILL_COMMIT",
        NakCode.ABOVE_MAXIMUM: "the same; RESET_FLAGS up to a record that is not written yet",
        NakCode.NOT_QUANTIZABLE: "BOLUS_PREPARE of less than a motor step",
        NakCode.LOCKOUT: "PATIENT_BOLUS",
        NakCode.WINDOW_DOSE_LIMIT: "BOLUS_PREPARE, BOLUS_EXECUTE, PATIENT_BOLUS",
        NakCode.NOTHING_STAGED: "what names a stage that is void, committed or another session's; STAGE_READ and "
        "PROGRAM_COMMIT of one that is not validated; REFILL_COMMIT without its REFILL_BEGIN",
        NakCode.STAGE_CHANGED: "PROGRAM_COMMIT with another crc32 than VALIDATE's (field 1), or with another "
        "therapy_rev in the pump than when it was validated (field FF)",
        NakCode.LEASE_EXPIRED: "BOLUS_EXECUTE of a bolus id whose lease is void or was executed",
        NakCode.NO_SUCH_BOLUS: "BOLUS_EXECUTE and BOLUS_CANCEL of a bolus id that was never given",
        NakCode.BOLUS_RUNNING: "what the table of access says; PROGRAM_BEGIN of a pump that stands still from then on",
        NakCode.ALREADY_ENDED: "BOLUS_CANCEL of another bolus than the running one",
        NakCode.ALREADY_IN_STATE: "START of a pump that runs; ALARM_ACK, ALARM_SILENCE, ALARM_CLEAR where the alarm's "
        "diagram has no arrow",
        NakCode.ALARM_BLOCKS: "what the table of access says",
        NakCode.RESERVOIR: "BOLUS_PREPARE, BOLUS_EXECUTE, PATIENT_BOLUS",
        NakCode.PUMP_STOPPED: "what the table of access says; a request that was unanswered when a STOP came",
        NakCode.STALLED: "what would begin a bolus, or a program's one dose, while a stalled rotor is known",
        NakCode.UNRESOLVED: "any command but STOP and BOLUS_CANCEL",
        NakCode.OP_ID_REUSED: "any command but STOP",
        NakCode.BUSY_OTHER_HOST: "AUTH of a clinician without TAKEOVER",
        NakCode.REDUNDANCY_MISMATCH: "BOLUS_PREPARE, BOLUS_EXECUTE, REFILL_COMMIT",
        NakCode.RECORD_OVERWRITTEN: "LOG_READ",
        NakCode.RECORD_CORRUPT: "LOG_FIND_BY_ELAPSED",
        NakCode.NO_SUCH_ALARM: "ALARM_ACK, ALARM_SILENCE, ALARM_CLEAR, ALARM_SNAPSHOT",
        NakCode.CLOCK_INVALID: "TIME_SET to second 0, or with an offset of more than 1440 minutes",
        NakCode.CONCENTRATION_MISMATCH: "START, PROGRAM_COMMIT",
        NakCode.OP_ID_STALE: "any command but STOP",
        NakCode.LOG_EPOCH: "LOG_READ, LOG_FIND_BY_ELAPSED, RESET_FLAGS",
    }
)


def refusal_causes_markdown() -> str:
    """The part of the specification."""
    rows = ((f"{code:02X}", code.name, REFUSAL_CAUSES[code]) for code in NakCode)
    return markdown_table(("code", "name", "in answer to"), rows)
