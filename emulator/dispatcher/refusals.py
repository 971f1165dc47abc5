"""Refusals: the model's reasons and the wire's NAK codes, and the row of the table of access in the model's words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from emulator.dispatcher.words import word
from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import PumpState
from protocol.access import access_of
from protocol.errands import Request
from protocol.fields import table_of
from protocol.messages import program
from protocol.messages.codes import Block
from protocol.refusals import NO_FIELD, REFUSALS, Nak, NakCode

NAKS: Final[Mapping[Reason, NakCode]] = MappingProxyType(
    {
        Reason.OP_ID_ABOVE_WINDOW: NakCode.RANGE,
        Reason.OP_ID_REUSED: NakCode.OP_ID_REUSED,
        Reason.OP_ID_STALE: NakCode.OP_ID_STALE,
        Reason.UNRESOLVED: NakCode.UNRESOLVED,
        Reason.ROLE: NakCode.ROLE,
        Reason.ALREADY_IN_STATE: NakCode.ALREADY_IN_STATE,
        Reason.ALARM_BLOCKS: NakCode.ALARM_BLOCKS,
        Reason.PUMP_STOPPED: NakCode.PUMP_STOPPED,
        Reason.BELOW_MINIMUM: NakCode.BELOW_MINIMUM,
        Reason.ABOVE_MAXIMUM: NakCode.ABOVE_MAXIMUM,
        Reason.NOT_QUANTIZABLE: NakCode.NOT_QUANTIZABLE,
        Reason.NOT_AS_PREPARED: NakCode.RANGE,
        Reason.TOO_MANY_DRUGS: NakCode.RANGE,
        Reason.KIND: NakCode.CONDITIONS,
        Reason.RESERVOIR: NakCode.RESERVOIR,
        Reason.BOLUS_RUNNING: NakCode.BOLUS_RUNNING,
        Reason.LEASE_EXPIRED: NakCode.LEASE_EXPIRED,
        Reason.NO_SUCH_BOLUS: NakCode.NO_SUCH_BOLUS,
        Reason.ALREADY_ENDED: NakCode.ALREADY_ENDED,
        Reason.NO_SUCH_ALARM: NakCode.NO_SUCH_ALARM,
        Reason.RECORD_OVERWRITTEN: NakCode.RECORD_OVERWRITTEN,
        Reason.RECORD_CORRUPT: NakCode.RECORD_CORRUPT,
        Reason.LOG_EPOCH: NakCode.LOG_EPOCH,
        Reason.MEMORY_FAILURE: NakCode.MEMORY_FAILURE,
        Reason.CONDITIONS: NakCode.CONDITIONS,
        Reason.FORMAT: NakCode.FORMAT,
        Reason.DELAY: NakCode.DELAY,
        Reason.NOTHING_STAGED: NakCode.NOTHING_STAGED,
        Reason.STAGE_CHANGED: NakCode.STAGE_CHANGED,
        Reason.BLOCK_SEQUENCE: NakCode.BLOCK_SEQUENCE,
        Reason.LOCKOUT: NakCode.LOCKOUT,
        Reason.WINDOW_LIMIT: NakCode.WINDOW_DOSE_LIMIT,
        Reason.CONCENTRATION_MISMATCH: NakCode.CONCENTRATION_MISMATCH,
        Reason.CLOCK_INVALID: NakCode.CLOCK_INVALID,
        Reason.BATTERY_LOW: NakCode.BATTERY_LOW,
        Reason.STALLED: NakCode.STALLED,
    }
)

# Where two reasons have one code, the gate's is the one that says no more than the code.
_GATE_REASONS: Final[Mapping[NakCode, Reason]] = MappingProxyType(
    {
        NakCode.CONDITIONS: Reason.CONDITIONS,
        NakCode.ALREADY_IN_STATE: Reason.ALREADY_IN_STATE,
        NakCode.ALARM_BLOCKS: Reason.ALARM_BLOCKS,
        NakCode.BOLUS_RUNNING: Reason.BOLUS_RUNNING,
        NakCode.PUMP_STOPPED: Reason.PUMP_STOPPED,
        NakCode.MEMORY_FAILURE: Reason.MEMORY_FAILURE,
    }
)


def gate_of(name: str) -> Mapping[PumpState, Reason | None]:
    """The row of the states in the table of access, in the model's words."""
    row = access_of(name).in_state
    return MappingProxyType(
        {word(PumpState, state): None if code is None else _GATE_REASONS[code] for state, code in row.items()}
    )


def nak_of(request: Request, refusal: Refusal) -> Nak:
    """The NAK for a refusal: its code, the field's index, and a detail if the code names one.

    The index is that in the request's table. Of a program, whose request names no field of it, it is that in the table
    of the block which the element names.
    """
    names = [field.name for field in table_of(type(request.message))]
    if refusal.field not in names and refusal.element in program.BLOCKS:
        names = [field.name for field in table_of(program.BLOCKS[Block(refusal.element)])]
    field = names.index(refusal.field) if refusal.field in names else NO_FIELD
    code = NAKS[refusal.reason]
    return Nak(code, field, refusal.element, refusal.detail if REFUSALS[code].detail else 0)
