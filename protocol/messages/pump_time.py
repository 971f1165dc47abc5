"""Service 08, time: the time that drives the pump, and the clock that labels."""

from __future__ import annotations

from protocol.fields import i16, message, u32


@message
class TimeReadRequest:
    pass


@message(extensible=True)
class TimeReadAnswer:
    elapsed_s: int = u32(unit="s", meaning="elapsed time since the first power-up; never goes back")
    rtc_unix_s: int = u32(unit="s", meaning="Unix time in UTC; 0 = the clock is not set")
    offset_min: int = i16(unit="min", meaning="local time minus UTC")
