"""Every alarm by its real cause: what leads up to it, what brings it about, and what mends its cause."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from firmware_model.commands import Alarm, StageBegun
from firmware_model.firmware.codes import AlarmState, AlarmType
from firmware_model.quantities import SECONDS_PER_DAY
from tests.firmware_model.bedside import Bedside, granted
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import changed, shipped

PROFILE = changed(changed(shipped("reference-20"), "therapy", stops_while_programming=True), "reservoir", residual_nl=0)
"""One that stands still while it is programmed, and whose reservoir a syringe empties to the last drop."""
RATE = 100_000
"""So slow that the reservoir outlives whatever is told here; the low level is half a year away."""
NEW_YEAR_S = 1_893_456_000


class Cause(NamedTuple):
    """`lead_up` brings a pump to just before the alarm, `strike` to the alarm, within a day. `mend` ends the cause."""

    lead_up: Callable[[Bedside], object]
    strike: Callable[[Bedside], object]
    mend: Callable[[Bedside], object]


def nothing(_bedside: Bedside) -> None:
    pass


def days(count: float) -> Callable[[Bedside], None]:
    return lambda bedside: bedside.wait(count * SECONDS_PER_DAY)


def refill(bedside: Bedside) -> None:
    bedside.refill(PROFILE.reservoir.capacity_nl)


def before_level(level_nl: int) -> Callable[[Bedside], object]:
    """Twelve hours before the base rate brings the reservoir down to a level."""
    return lambda bedside: bedside.refill(level_nl + RATE // 2)


def lose_memory(bedside: Bedside) -> None:
    bedside.cut_power()
    pair = bedside.pump.memory.control
    for slot in (0, 1):
        bedside.fault("memory-flip", region=0, bit=8 * pair.slot_bytes * slot + 99)
    bedside.restore_power()


def lose_a_copy(bedside: Bedside) -> None:
    """The older copy of the record, which a look at it a day later finds."""
    pair = bedside.pump.memory.control
    stored = pair.read()
    assert stored is not None
    older_slot = stored.generation % 2
    bedside.fault("memory-flip", region=0, bit=8 * pair.slot_bytes * older_slot + 99)
    bedside.wait(SECONDS_PER_DAY)


def nearly_drain_the_cell(bedside: Bedside) -> None:
    """A short of one ampere; of the cell's 1,600 mAh a tenth is left."""
    bedside.fault("internal-short", na=1_000_000_000, lasts=5_220)
    bedside.wait(5_220)


def before_end_of_service(bedside: Bedside) -> None:
    nearly_drain_the_cell(bedside)
    bedside.wait(PROFILE.cell.eos_after_eri_days * SECONDS_PER_DAY)


def stall(bedside: Bedside) -> None:
    bedside.fault("stall")
    bedside.wait(3_600)


def let_turn_again(bedside: Bedside) -> None:
    bedside.clear_faults()
    bedside.wait(3_600)


def reset(bedside: Bedside) -> None:
    bedside.fault("reset")


def sag(bedside: Bedside) -> None:
    bedside.fault("cell-sag", mv=2_000, lasts=60)
    bedside.wait(60)


def lose_clock(bedside: Bedside) -> None:
    bedside.fault("clock-loss")


def set_clock(bedside: Bedside) -> None:
    granted(bedside.set_time(NEW_YEAR_S))


def give_a_program_up(bedside: Bedside) -> None:
    begun = bedside.begin(session=5)
    assert isinstance(begun, StageBegun)
    bedside.pump.end_session(5, bedside.now)


def start(bedside: Bedside) -> None:
    granted(bedside.start())


def stop(bedside: Bedside) -> None:
    granted(bedside.stop())


def hang(bedside: Bedside) -> None:
    bedside.fault("watchdog-hang")
    bedside.wait(PROFILE.supervisor.watchdog_s)


CAUSES: Mapping[AlarmType, Cause] = MappingProxyType(
    {
        AlarmType.LOW_RESERVOIR: Cause(before_level(PROFILE.reservoir.low_nl), days(1), refill),
        AlarmType.EMPTY_RESERVOIR: Cause(before_level(PROFILE.reservoir.empty_nl), days(1), refill),
        AlarmType.MEMORY_FAILURE: Cause(nothing, lose_memory, nothing),
        AlarmType.MEMORY_REPAIRED: Cause(nothing, lose_a_copy, nothing),
        AlarmType.REPLACEMENT: Cause(nearly_drain_the_cell, days(1), nothing),
        AlarmType.END_OF_SERVICE: Cause(before_end_of_service, days(1), nothing),
        AlarmType.MOTOR_STALL: Cause(nothing, stall, let_turn_again),
        AlarmType.STOPPED_TOO_LONG: Cause(stop, days(2), start),
        AlarmType.LOW_BATTERY_RESET: Cause(nothing, sag, nothing),
        AlarmType.RESET: Cause(nothing, reset, nothing),
        AlarmType.CLOCK_LOST: Cause(nothing, lose_clock, set_clock),
        AlarmType.PROGRAM_INCOMPLETE: Cause(nothing, give_a_program_up, start),
        AlarmType.SUPERVISOR: Cause(nothing, hang, Bedside.clear_faults),
    }
)
PASSING = frozenset(
    {AlarmType.MEMORY_REPAIRED, AlarmType.LOW_BATTERY_RESET, AlarmType.RESET},
)
"""What has happened is over at once."""
FOR_EVER = frozenset({AlarmType.MEMORY_FAILURE, AlarmType.REPLACEMENT, AlarmType.END_OF_SERVICE})
"""Nothing mends these."""


def running() -> Bedside:
    """A pump under a program of its own, a day old."""
    bedside = Bedside(PROFILE)
    granted(bedside.program(new_program(PROFILE, rate_nl_per_day=RATE)))
    bedside.wait(SECONDS_PER_DAY / 2)
    return bedside


def brought_to(kind: AlarmType) -> Bedside:
    """A pump at which this alarm has just been raised by its cause, which is still there unless it passes."""
    bedside = running()
    CAUSES[kind].lead_up(bedside)
    CAUSES[kind].strike(bedside)
    return bedside


def standing(bedside: Bedside, kind: AlarmType) -> Alarm:
    """The one instance of an alarm that stands."""
    (found,) = (alarm for alarm in bedside.alarms() if alarm.type is kind and alarm.state is not AlarmState.CLEARED)
    return found


def stands(bedside: Bedside, kind: AlarmType) -> bool:
    return any(alarm.type is kind and alarm.state is not AlarmState.CLEARED for alarm in bedside.alarms())
