"""What a pump says of itself, as STATUS answers it and as an event tells it: the same words in both."""

from __future__ import annotations

from typing import Any

from emulator.dispatcher.words import flags, word
from firmware_model import commands
from firmware_model.quantities import US_PER_SECOND, ceil_div, whole_seconds
from protocol.errands import TelemetryWanted
from protocol.fields import table_of
from protocol.messages import codes as wire
from protocol.messages.stream import StreamEvent


def status_words(outcome: commands.StatusAnswer) -> dict[str, Any]:
    """The fields of STATUS."""
    return {
        "run_state": word(wire.RunState, outcome.run_state),
        "stop_reason": word(wire.StopReason, outcome.stop_reason),
        "alarms_raised": outcome.alarms_raised,
        "alarms_unacknowledged": outcome.alarms_unacknowledged,
        "therapy_rev": outcome.therapy_rev,
        "elapsed_s": whole_seconds(outcome.elapsed_us),
        "base_rate_nl_per_day": outcome.base_rate_nl_per_day,
        "programmed_rate_nl_per_day": outcome.programmed_rate_nl_per_day,
        "reservoir_nl": outcome.reservoir_nl,
        "bolus_id": outcome.bolus_id,
        "bolus_volume_nl": outcome.bolus_volume_nl,
        "bolus_delivered_nl": outcome.bolus_delivered_nl,
        "bolus_remaining_s": ceil_div(outcome.bolus_remaining_us, US_PER_SECOND),
        "delivered_nl": outcome.delivered_nl,
        "log_epoch": outcome.log_epoch,
        "log_last": outcome.log_last,
        "boot": outcome.boot,
    }


def stream_event(wanted: TelemetryWanted, outcome: commands.TelemetryAnswer) -> StreamEvent:
    """The event that is owed, with the fields that its session has subscribed to."""
    known: dict[str, Any] = {
        **status_words(outcome.status),
        "stream_sequence": wanted.stream_sequence,
        "changed": flags(wire.ChangedFlag, outcome.changed),
        "fields": wanted.fields,
        "rtc_unix_s": outcome.time.rtc_unix_s,
        "offset_min": outcome.time.offset_min,
        "idle_mv": outcome.battery.idle_mv,
        "loaded_mv": outcome.battery.loaded_mv,
        "temperature_cc": outcome.battery.temperature_cc,
    }
    told: dict[str, Any] = {
        row.name: known[row.name] if row.present is None or row.present & wanted.fields else None
        for row in table_of(StreamEvent)
    }
    return StreamEvent(**told)
