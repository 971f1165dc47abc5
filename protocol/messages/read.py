"""Service 02, read: what the pump does now, and which pump it is."""

from __future__ import annotations

from protocol.fields import blob, enum8, message, raw, text, u8, u16, u32, u64
from protocol.messages.codes import Block, RunState, StopReason
from protocol.messages.program import BLOCK_PART_MAX


@message
class StatusRequest:
    pass


@message(extensible=True)
class StatusAnswer:
    run_state: RunState = enum8(RunState, meaning="whether therapy runs")
    stop_reason: StopReason = enum8(StopReason, meaning="why it does not")
    alarms_raised: int = u8(unit="alarms", meaning="alarms that are not cleared")
    alarms_unacknowledged: int = u8(unit="alarms", meaning="alarms that nobody has acknowledged")
    therapy_rev: int = u32(meaning="the current revision; for display only, quote none but OP_LIST's")
    elapsed_s: int = u32(unit="s", meaning="elapsed time")
    base_rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate that flows now; 0 while stopped")
    programmed_rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate that START resumes")
    reservoir_nl: int = u32(unit="nl", meaning="the reservoir's content as computed from motor steps")
    bolus_id: int = u32(meaning="the running bolus; 0 = none")
    bolus_volume_nl: int = u32(unit="nl", meaning="its volume")
    bolus_delivered_nl: int = u32(unit="nl", meaning="what it has delivered so far")
    bolus_remaining_s: int = u32(unit="s", meaning="until its end")
    delivered_nl: int = u64(unit="nl", meaning="delivered in the pump's life")
    log_epoch: int = u16(meaning="the log's epoch")
    log_last: int = u32(meaning="the last log sequence; 0 = the log is empty")
    boot: int = u16(meaning="the number of this boot")


@message(extensible=True)
class ReducedStatusAnswer:
    """What STATUS answers without a session: no dose, no operation."""

    run_state: RunState = enum8(RunState, meaning="whether therapy runs")
    alarm_present: int = u8(maximum=1, meaning="1: at least one alarm is not cleared")


@message
class IdentRequest:
    pass


@message(extensible=True)
class IdentAnswer:
    model: str = text(16, meaning="the model's name")
    profile: str = text(16, meaning="the profile that gives its parameters")
    serial_number: int = u32(meaning="the serial number, which is also the address")
    firmware_version: str = text(16, meaning="the firmware's version")
    firmware_hash: bytes = raw(8, meaning="identifies the firmware")
    model_version: int = u16(meaning="pumps of equal version behave alike to the byte")
    boots: int = u16(meaning="how often it has started")


@message
class TherapyReadRequest:
    block: Block = enum8(Block, meaning="which block of the active program")
    offset: int = u16(unit="bytes", meaning="from which byte of the block on")
    length: int = u8(unit="bytes", minimum=1, maximum=BLOCK_PART_MAX, meaning="at most so many")


@message(extensible=True)
class TherapyReadAnswer:
    crc32: int = u32(meaning="of the active program's canonical image")
    block_size: int = u16(unit="bytes", meaning="the whole block")
    data: bytes = blob(BLOCK_PART_MAX, meaning="the bytes that were asked for, as far as there are any")
