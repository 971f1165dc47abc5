"""Service 02, read: what the pump does now, which pump it is, its cell, its reservoir and its lifetime counts."""

from __future__ import annotations

from protocol.fields import blob, enum8, i16, i32, message, raw, text, u8, u16, u32, u64
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


@message
class LimitsRequest:
    pass


@message(extensible=True)
class LimitsAnswer:
    """What the active program allows, within CAPS, and what of that is left now. No patient bolus: its fields are 0."""

    rate_max_nl_per_day: int = u32(unit="nl/d", meaning="the greatest base rate")
    bolus_volume_max_nl: int = u32(unit="nl", meaning="the greatest bolus")
    window_max_nl: int = u32(unit="nl", meaning="the most in any 24 h, base and boluses together")
    window_left_nl: int = u32(
        unit="nl", meaning="what of it a bolus may have now; what the program will give is reserved"
    )
    reservoir_left_nl: int = u32(unit="nl", meaning="what the reservoir can give before it counts as empty")
    patient_volume_nl: int = u32(unit="nl", meaning="the patient's bolus")
    patient_duration_s: int = u32(unit="s", meaning="its duration")
    lockout_s: int = u32(unit="s", meaning="the least time between two of them")
    lockout_left_s: int = u32(unit="s", meaning="until the next may be asked for, by lockout and activations; 0 = now")
    activations_max: int = u16(unit="boluses", meaning="the most of them in a window")
    activations_left: int = u16(unit="boluses", meaning="how many of them are left in this window")
    activation_window_s: int = u32(unit="s", meaning="the length of that window")


@message
class CountersRequest:
    pass


@message(extensible=True)
class CountersAnswer:
    """In the pump's whole life."""

    steps: int = u64(unit="steps", meaning="motor steps as commanded")
    delivered_nl: int = u64(unit="nl", meaning="what they make, dead volume included")
    dead_volume_nl: int = u64(unit="nl", meaning="priming and bridge boluses")
    stalled_pulses: int = u64(unit="steps", meaning="motor steps commanded while an alarm of a stalled rotor stood")
    boots: int = u16(meaning="how often it has started")
    repairs: int = u32(unit="repairs", meaning="copies of a record that were lost and made anew")


@message
class BatteryRequest:
    pass


@message(extensible=True)
class BatteryAnswer:
    idle_mv: int = u16(unit="mV", meaning="the cell at rest")
    loaded_mv: int = u16(unit="mV", meaning="the cell under the motor's load")
    temperature_cc: int = i16(unit="0.01 C", meaning="the temperature")
    replacement_since_s: int = u32(unit="s", meaning="elapsed time of the alarm REPLACEMENT; FFFFFFFF = not raised yet")
    end_of_service_s: int = u32(unit="s", meaning="elapsed time at which service ends, as far as is known now")


@message
class ReservoirRequest:
    pass


@message(extensible=True)
class ReservoirAnswer:
    """The content as computed; times to come count from now, and are FFFFFFFF for never or not known."""

    volume_nl: int = u32(unit="nl", meaning="computed from the last refill and motor steps since")
    capacity_nl: int = u32(unit="nl", meaning="a full reservoir")
    refilled_s: int = u32(unit="s", meaning="elapsed time of the last refill; FFFFFFFF = none yet")
    filled_nl: int = u32(unit="nl", meaning="what it held after that")
    discrepancy_nl: int = i32(unit="nl", meaning="what was withdrawn then, less what had been computed")
    low_in_s: int = u32(unit="s", meaning="until the low reservoir alarm, at the program's own flow")
    refill_in_s: int = u32(unit="s", meaning="until it, if the patient takes every bolus that the program allows")
    stability_in_s: int = u32(unit="s", meaning="until a drug is no longer stable")
