"""The base rate: what program, alarms and a running bolus make of it at an instant, and when it next changes."""

from __future__ import annotations

from firmware_model.agenda import NEVER, Rank
from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, AlarmState, Mode, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.schedule import next_change, rate_at, segment_at

_FLEX, _RUNNING, _SCHEDULE = Mode.FLEX, RunState.RUNNING, Rank.SCHEDULE
_WITH_A_RATE = frozenset({Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS})


def programmed_rate(firmware: Firmware) -> int:
    """The base rate that the program asks for at this instant, in nl per 24 h.

    A flex schedule whose clock is lost falls back to the program's one rate.
    """
    program = firmware.record.program
    mode = program.mode
    if mode is _FLEX and firmware.record.clock_valid:
        return rate_at(firmware.active.week, firmware.local_us)
    if mode is Mode.MINIMUM_RATE:
        return firmware.profile.therapy.rate_min_nl_per_day
    return program.rate_nl_per_day if mode in _WITH_A_RATE else 0


def wanted_rate(firmware: Firmware) -> int:
    """The base rate that should flow at this instant."""
    record = firmware.record
    if record.run_state is not _RUNNING:
        return 0
    if record.bolus is not None and record.bolus.kind in DEAD_VOLUME_KINDS:
        return 0
    rate = programmed_rate(firmware)
    if is_lowered(firmware):
        return min(rate, firmware.profile.therapy.rate_min_nl_per_day)
    return rate


def is_lowered(firmware: Firmware) -> bool:
    """Whether an alarm stands that lets no more than the minimum rate flow."""
    alarms = firmware.record.alarms
    if firmware.lowered_by is not alarms:
        rows = firmware.profile.alarm
        firmware.lowered_by = alarms
        firmware.is_lowered = any(
            alarm.state is not AlarmState.CLEARED and rows[alarm.type].flow == "minimum" for alarm in alarms
        )
    return firmware.is_lowered


def follow(firmware: Firmware) -> None:
    """Let the base rate be what it should be, and plan its next change. The fraction of a step under way stays."""
    record = firmware.record
    due_us = NEVER
    if record.program.mode is _FLEX and record.run_state is _RUNNING and record.clock_valid:
        local_us = firmware.local_us
        rate, next_us = segment_at(firmware.active.week, local_us)
        if record.bolus is not None or is_lowered(firmware):
            rate = wanted_rate(firmware)
        if next_us is not None:
            due_us = firmware.sensors.clock_wait_us(next_us - local_us, firmware.now_us)
        firmware.flow.base.gain = rate
    else:
        firmware.flow.base.gain = wanted_rate(firmware)
    firmware.agenda.due_us[_SCHEDULE] = due_us


def change_due(firmware: Firmware) -> int:
    """When the base rate changes by itself: at once if it is not what it should be."""
    record = firmware.record
    if firmware.flow.base.gain != wanted_rate(firmware):
        return firmware.now_us
    if record.program.mode is not _FLEX or record.run_state is not _RUNNING or not record.clock_valid:
        return NEVER
    local_us = firmware.local_us
    next_us = next_change(firmware.active.week, local_us)
    return NEVER if next_us is None else firmware.sensors.clock_wait_us(next_us - local_us, firmware.now_us)
