"""Service 07, stream: telemetry that a session subscribes to, and the latched flags."""

from __future__ import annotations

from protocol.fields import enum8, flags32, i16, message, u8, u16, u32, u64
from protocol.messages.codes import ChangedFlag, RunState, StopReason, TelemetryField


@message
class SubscribeRequest:
    fields: TelemetryField = flags32(
        TelemetryField, meaning="what each event is to tell; 0: nothing but its head; unknown bits are NAK 31"
    )
    period_s: int = u16(unit="s", minimum=1, meaning="between two events, within the limits of CAPS")


@message(extensible=True)
class SubscribeAnswer:
    next_sequence: int = u16(meaning="the stream sequence of the next event, which follows at once")


@message
class UnsubscribeRequest:
    pass


@message(extensible=True)
class UnsubscribeAnswer:
    next_sequence: int = u16(meaning="what the next event would have had: events up to there have been sent or dropped")


@message
class ResetFlagsRequest:
    changed: ChangedFlag = flags32(ChangedFlag, meaning="which flags; unknown bits are skipped")
    log_epoch: int = u16(meaning="the epoch of the log that the host has read")
    log_sequence: int = u32(meaning="the record up to which it has: flags that were set again since stay set")


@message(extensible=True)
class ResetFlagsAnswer:
    changed: ChangedFlag = flags32(ChangedFlag, meaning="the flags of the role that are still set")


@message(extensible=True)
class StreamEvent:
    """From the pump, of its own accord. A field is there when its bit in `fields` is set, in the order of the bits."""

    stream_sequence: int = u16(meaning="rises by one with every event of the session, sent or dropped; 0 follows FFFF")
    elapsed_s: int = u32(unit="s", meaning="elapsed time")
    changed: ChangedFlag = flags32(ChangedFlag, meaning="the latched flags of the session's role")
    log_epoch: int = u16(meaning="the log's epoch")
    log_last: int = u32(meaning="the last log sequence; 0 = the log is empty")
    fields: TelemetryField = flags32(TelemetryField, meaning="which fields follow; those of unknown bits come last")
    run_state: RunState | None = enum8(RunState, meaning="whether therapy runs", present=TelemetryField.RUN_STATE)
    stop_reason: StopReason | None = enum8(StopReason, meaning="why it does not", present=TelemetryField.RUN_STATE)
    alarms_raised: int | None = u8(unit="alarms", meaning="alarms that are not cleared", present=TelemetryField.ALARMS)
    alarms_unacknowledged: int | None = u8(
        unit="alarms", meaning="alarms that nobody has acknowledged", present=TelemetryField.ALARMS
    )
    therapy_rev: int | None = u32(
        meaning="the current revision; for display only, quote none but OP_LIST's", present=TelemetryField.THERAPY_REV
    )
    base_rate_nl_per_day: int | None = u32(
        unit="nl/d", meaning="the base rate that flows now; 0 while stopped", present=TelemetryField.RATE
    )
    programmed_rate_nl_per_day: int | None = u32(
        unit="nl/d", meaning="the base rate that START resumes", present=TelemetryField.RATE
    )
    reservoir_nl: int | None = u32(
        unit="nl", meaning="the reservoir's content as computed from motor steps", present=TelemetryField.RESERVOIR
    )
    bolus_id: int | None = u32(meaning="the running bolus; 0 = none", present=TelemetryField.BOLUS)
    bolus_volume_nl: int | None = u32(unit="nl", meaning="its volume", present=TelemetryField.BOLUS)
    bolus_delivered_nl: int | None = u32(
        unit="nl", meaning="what it has delivered so far", present=TelemetryField.BOLUS
    )
    bolus_remaining_s: int | None = u32(unit="s", meaning="until its end", present=TelemetryField.BOLUS)
    delivered_nl: int | None = u64(unit="nl", meaning="delivered in the pump's life", present=TelemetryField.DELIVERED)
    boot: int | None = u16(meaning="the number of this boot", present=TelemetryField.BOOT)
    rtc_unix_s: int | None = u32(
        unit="s", meaning="Unix time in UTC; 0 = the clock is not set", present=TelemetryField.CLOCK
    )
    offset_min: int | None = i16(unit="min", meaning="local time less UTC", present=TelemetryField.CLOCK)
    idle_mv: int | None = u16(unit="mV", meaning="the cell at rest", present=TelemetryField.BATTERY)
    loaded_mv: int | None = u16(unit="mV", meaning="the cell under the motor's load", present=TelemetryField.BATTERY)
    temperature_cc: int | None = i16(unit="0.01 C", meaning="the temperature", present=TelemetryField.BATTERY)
