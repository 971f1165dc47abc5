"""What alarms are about: whether a cause is there now, and when those come that only wait for time or steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from firmware_model.agenda import NEVER
from firmware_model.firmware.codes import AlarmType, BolusEnd, RunState, StopReason
from firmware_model.firmware.core import Firmware
from firmware_model.quantities import US_PER_DAY, US_PER_SECOND, ceil_div


def low_reservoir(firmware: Firmware) -> bool:
    """The computed reservoir has come down to the program's level."""
    return firmware.reservoir_nl <= firmware.record.program.low_reservoir_nl


def empty_reservoir(firmware: Firmware) -> bool:
    """The computed reservoir has come down to the pump's empty level."""
    return firmware.reservoir_nl <= firmware.profile.reservoir.empty_nl


def stopped_too_long(firmware: Firmware) -> bool:
    """Therapy has stood still for longer than the supervisor allows."""
    return firmware.elapsed_us >= _too_long_us(firmware) and firmware.record.run_state is RunState.STOPPED


def _for_a_moment(_firmware: Firmware) -> bool:
    """What has happened is over at once; only the alarm stays."""
    return False


CAUSES: Mapping[AlarmType, Callable[[Firmware], bool]] = MappingProxyType(
    {
        AlarmType.LOW_RESERVOIR: low_reservoir,
        AlarmType.EMPTY_RESERVOIR: empty_reservoir,
        AlarmType.MEMORY_FAILURE: lambda firmware: firmware.record.run_state is RunState.FAILED,
        AlarmType.MEMORY_REPAIRED: _for_a_moment,
        AlarmType.REPLACEMENT: lambda firmware: firmware.record.replacement_since_s > 0,
        AlarmType.END_OF_SERVICE: lambda firmware: firmware.elapsed_us >= end_of_service_us(firmware),
        AlarmType.MOTOR_STALL: lambda firmware: not firmware.counting,
        AlarmType.STOPPED_TOO_LONG: stopped_too_long,
        AlarmType.LOW_BATTERY_RESET: _for_a_moment,
        AlarmType.RESET: _for_a_moment,
        AlarmType.CLOCK_LOST: lambda firmware: not firmware.record.clock_valid,
        AlarmType.PROGRAM_INCOMPLETE: lambda firmware: firmware.record.stop_reason is StopReason.PROGRAM_INCOMPLETE,
        AlarmType.SUPERVISOR: lambda firmware: firmware.hung_since_us is not None,
    }
)
"""Whether the cause of an alarm is there now."""
STOP_REASONS: Mapping[AlarmType, StopReason] = MappingProxyType(
    {
        AlarmType.EMPTY_RESERVOIR: StopReason.EMPTY_RESERVOIR,
        AlarmType.MEMORY_FAILURE: StopReason.MEMORY_FAILURE,
        AlarmType.END_OF_SERVICE: StopReason.END_OF_SERVICE,
        AlarmType.PROGRAM_INCOMPLETE: StopReason.PROGRAM_INCOMPLETE,
    }
)
"""Why therapy stands still when an alarm stops it; of any other alarm it is the supervisor."""
BOLUS_ENDS: Mapping[AlarmType, BolusEnd] = MappingProxyType(
    {AlarmType.EMPTY_RESERVOIR: BolusEnd.EMPTY, AlarmType.MOTOR_STALL: BolusEnd.STALL}
)
"""Why a bolus ends with a critical alarm; with any other it is the alarm."""


def level_due(firmware: Firmware, kind: AlarmType) -> int:
    """At once when a level of the reservoir is reached; never while the alarm stands, or before the motor is there."""
    if firmware.record.run_state is RunState.FAILED or firmware.standing_alarm(kind):
        return NEVER
    return firmware.now_us if CAUSES[kind](firmware) else NEVER


def next_level_steps(firmware: Firmware) -> int:
    """The lifetime step count at which the computed reservoir comes to the next level whose alarm does not stand."""
    record = firmware.record
    if record.run_state is RunState.FAILED:
        return NEVER
    levels_nl = {
        AlarmType.LOW_RESERVOIR: record.program.low_reservoir_nl,
        AlarmType.EMPTY_RESERVOIR: firmware.profile.reservoir.empty_nl,
    }
    step_nl = firmware.profile.motor.step_volume_nl
    return min(
        [
            record.reservoir_steps + ceil_div(record.reservoir_nl - level_nl, step_nl)
            for kind, level_nl in levels_nl.items()
            if not firmware.standing_alarm(kind) and not CAUSES[kind](firmware)
        ],
        default=NEVER,
    )


def stopped_too_long_due(firmware: Firmware) -> int:
    """When therapy has stood still for too long."""
    stopped = firmware.record.run_state is RunState.STOPPED
    if not stopped or firmware.standing_alarm(AlarmType.STOPPED_TOO_LONG):
        return NEVER
    return max(firmware.now_us, _too_long_us(firmware) - firmware.elapsed_offset_us)


def end_of_service_us(firmware: Firmware) -> int:
    """When the pump's service ends, in elapsed time: so long after ERI, at the latest at the end of its life."""
    cell, since_s = firmware.profile.cell, firmware.record.replacement_since_s
    life_us = cell.life_max_days * US_PER_DAY
    if not since_s:
        return life_us
    return min(life_us, since_s * US_PER_SECOND + cell.eos_after_eri_days * US_PER_DAY)


def end_of_service_due(firmware: Firmware) -> int:
    """When the alarm of the end of service comes."""
    failed = firmware.record.run_state is RunState.FAILED
    if failed or firmware.standing_alarm(AlarmType.END_OF_SERVICE):
        return NEVER
    return max(firmware.now_us, end_of_service_us(firmware) - firmware.elapsed_offset_us)


def _too_long_us(firmware: Firmware) -> int:
    limit_s = firmware.profile.supervisor.stopped_too_long_s
    return (firmware.record.stopped_since_s + limit_s) * US_PER_SECOND
