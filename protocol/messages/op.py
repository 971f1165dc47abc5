"""Service 0A, op: what became of an operation."""

from __future__ import annotations

from typing import Final

from protocol.fields import enum8, message, raw, records, u8, u16, u32
from protocol.messages.codes import OpState, Role
from protocol.messages.deliver import OP_ID_MAX

OPS_PER_PAGE: Final = 6
_HASH: Final = "first 8 bytes of SHA-256 over opcode and payload without therapy_rev"


@message
class OpEntry:
    """One outcome of the ledger."""

    role: Role = enum8(Role, meaning="whose op")
    op_id: int = u32(meaning="its id")
    host_id: int = u32(meaning="which host's")
    opcode: int = u16(meaning="the command's opcode")
    payload_hash: bytes = raw(8, meaning=_HASH)
    state: OpState = enum8(OpState, meaning="its outcome")
    delivered_min_nl: int = u32(unit="nl", meaning="delivered at least")
    delivered_max_nl: int = u32(unit="nl", meaning="delivered at most")
    log_sequence: int = u32(meaning="the log record of this op")


@message
class OpQueryRequest:
    role: Role = enum8(Role, meaning="whose op")
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning="the op in question")


@message(extensible=True)
class OpQueryAnswer:
    epoch: int = u16(meaning="the log's epoch")
    role: Role = enum8(Role, meaning="whose op")
    op_high: int = u32(meaning="the highest op id that this role has used; 0 = none")
    state: OpState = enum8(OpState, meaning="what became of it; without an entry, the fields below are 0")
    op_id: int = u32(meaning="the op in question")
    host_id: int = u32(meaning="which host's")
    opcode: int = u16(meaning="the command's opcode")
    payload_hash: bytes = raw(8, meaning=_HASH)
    delivered_min_nl: int = u32(unit="nl", meaning="delivered at least")
    delivered_max_nl: int = u32(unit="nl", meaning="delivered at most")
    log_sequence: int = u32(meaning="the log record of this op")


@message
class OpListRequest:
    page: int = u8(meaning="from 0")


@message(extensible=True)
class OpListAnswer:
    epoch: int = u16(meaning="the log's epoch")
    therapy_rev: int = u32(meaning="the current revision; a list whose pages differ in it is read again")
    page: int = u8(meaning="this page, from 0")
    pages: int = u8(meaning="how many pages there are, at least 1")
    clinician_op_high: int = u32(meaning="the highest op id that clinicians have used; 0 = none")
    patient_op_high: int = u32(meaning="the highest op id that patients have used; 0 = none")
    ops: tuple[OpEntry, ...] = records(OpEntry, maximum=OPS_PER_PAGE, meaning="of all roles, oldest first")
