"""Service 08, time: the time that drives the pump, and the clock that labels."""

from __future__ import annotations

from protocol.fields import i16, message, u32
from protocol.messages.deliver import OP_ID_MAX, OP_ID_MEANING, THERAPY_REV_MEANING, OpAnswer


@message
class TimeReadRequest:
    pass


@message(extensible=True)
class TimeReadAnswer:
    elapsed_s: int = u32(unit="s", meaning="elapsed time since the first power-up; never goes back")
    rtc_unix_s: int = u32(unit="s", meaning="Unix time in UTC; 0 = the clock is not set")
    offset_min: int = i16(unit="min", meaning="local time minus UTC")


@message
class TimeSetRequest:
    unix_s: int = u32(unit="s", meaning="Unix time in UTC")
    offset_min: int = i16(unit="min", meaning="local time minus UTC")
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning=OP_ID_MEANING)
    therapy_rev: int = u32(meaning=THERAPY_REV_MEANING)


@message(extensible=True)
class TimeSetAnswer(OpAnswer):
    base_rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate that flows now, by the new clock")
