"""Examples of the messages of the stream: a reader watches, reads the log, resets its flags, and leaves."""

from __future__ import annotations

from typing import Final

from protocol.messages import codes, stream

_WATCHED: Final = codes.TelemetryField.RUN_STATE | codes.TelemetryField.RESERVOIR

STREAM_EXAMPLES: Final[tuple[object, ...]] = (
    stream.SubscribeRequest(fields=_WATCHED, period_s=60),
    stream.SubscribeAnswer(next_sequence=257),
    stream.StreamEvent(
        stream_sequence=257,
        elapsed_s=4_000,
        changed=codes.ChangedFlag.THERAPY | codes.ChangedFlag.ALARM,
        log_epoch=1,
        log_last=42,
        fields=_WATCHED,
        run_state=codes.RunState.STOPPED,
        stop_reason=codes.StopReason.EMPTY_RESERVOIR,
        reservoir_nl=1_000_000,
        **dict.fromkeys(
            (
                "alarms_raised",
                "alarms_unacknowledged",
                "therapy_rev",
                "base_rate_nl_per_day",
                "programmed_rate_nl_per_day",
                "bolus_id",
                "bolus_volume_nl",
                "bolus_delivered_nl",
                "bolus_remaining_s",
                "delivered_nl",
                "boot",
                "rtc_unix_s",
                "offset_min",
                "idle_mv",
                "loaded_mv",
                "temperature_cc",
            )
        ),
    ),
    stream.ResetFlagsRequest(changed=codes.ChangedFlag.THERAPY | codes.ChangedFlag.ALARM, log_epoch=1, log_sequence=42),
    stream.ResetFlagsAnswer(changed=codes.ChangedFlag(0)),
    stream.UnsubscribeRequest(),
    stream.UnsubscribeAnswer(next_sequence=258),
)
