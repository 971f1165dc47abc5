"""The life of an operation: what the ledger says of an op id, from before it was seen until it is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from firmware_model.firmware.codes import OpKind, OpState


class OpDeed(StrEnum):
    """What can happen to an op id."""

    TAKE_BOLUS = "a bolus is taken under it"
    TAKE = "any other command is taken under it"
    COMPLETE = "the bolus has had its last step"
    CUT_SHORT = "the bolus ends early"
    NOT_MOVE = "the bolus ends before its first step"
    OVERTAKE = "a higher op id is taken"
    PUSH_OUT = "the ledger has pushed out this op id or a higher one"


OP_LIFE: Mapping[tuple[OpState, OpDeed], OpState] = MappingProxyType(
    {
        (OpState.NOT_SEEN, OpDeed.TAKE_BOLUS): OpState.EXECUTING,
        (OpState.NOT_SEEN, OpDeed.TAKE): OpState.DONE,
        (OpState.NOT_SEEN, OpDeed.OVERTAKE): OpState.NEVER_TAKEN,
        (OpState.EXECUTING, OpDeed.COMPLETE): OpState.DONE,
        (OpState.EXECUTING, OpDeed.CUT_SHORT): OpState.PARTIAL,
        (OpState.EXECUTING, OpDeed.NOT_MOVE): OpState.REJECTED,
        (OpState.NEVER_TAKEN, OpDeed.PUSH_OUT): OpState.UNKNOWN_EVICTED,
        (OpState.DONE, OpDeed.PUSH_OUT): OpState.UNKNOWN_EVICTED,
        (OpState.PARTIAL, OpDeed.PUSH_OUT): OpState.UNKNOWN_EVICTED,
        (OpState.REJECTED, OpDeed.PUSH_OUT): OpState.UNKNOWN_EVICTED,
    }
)

_TAKING: Mapping[OpKind, OpDeed] = MappingProxyType(
    {OpKind.BOLUS: OpDeed.TAKE_BOLUS, OpKind.PATIENT_BOLUS: OpDeed.TAKE_BOLUS}
)
STATE_WHEN_TAKEN: Mapping[OpKind, OpState] = MappingProxyType(
    {kind: OP_LIFE[OpState.NOT_SEEN, _TAKING.get(kind, OpDeed.TAKE)] for kind in OpKind}
)
"""The state in which each kind of command is entered in the ledger."""
