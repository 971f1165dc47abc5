"""What the firmware does once a day of its elapsed time: a record of what was delivered, the cell, the memory."""

from __future__ import annotations

from firmware_model.firmware.alarms import add_alarm
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import AlarmType, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.security import mend_security
from firmware_model.plant.cell import Load
from firmware_model.quantities import HIGHEST_U32, US_PER_DAY


def day_due(firmware: Firmware) -> int:
    """When the next day begins."""
    return firmware.day_us - firmware.elapsed_offset_us


def first_day(firmware: Firmware) -> None:
    """After a boot: days go on where the elapsed time stands."""
    firmware.day_us = (firmware.elapsed_us // US_PER_DAY + 1) * US_PER_DAY


def keep_house(firmware: Firmware) -> None:
    """Begin a day. A pump whose memory has failed has nothing to keep."""
    firmware.day_us += US_PER_DAY
    if firmware.record.run_state is RunState.FAILED:
        return
    change = Change(firmware)
    tell_delivered(change)
    look_after_cell(change)
    lost = look_after_memory(change)
    alarmed = firmware.unplanned
    change.commit()
    if lost > 1:
        # That commit has mended one copy of the control record, this one mends the other.
        firmware.commit(())
    if alarmed:
        follow(firmware)


def tell_delivered(change: Change) -> None:
    """Log what was delivered since the last such record. Their sum, and what has come since, is the lifetime volume."""
    firmware = change.firmware
    steps = firmware.steps_total - firmware.record.told_steps
    volume_nl = min(steps * firmware.flow.step_volume_nl, HIGHEST_U32)
    change.log(LogType.DELIVERED, steps=firmware.steps_total, volume_nl=volume_nl)
    change.set(told_steps=firmware.steps_total)


def look_after_cell(change: Change) -> None:
    """Measure the cell under the motor's load; below its level the elective replacement indicator is raised."""
    firmware = change.firmware
    if firmware.record.replacement_since_s:
        return
    if firmware.sensors.cell_mv(Load.MOTOR) < firmware.profile.cell.eri_mv:
        change.set(replacement_since_s=max(1, firmware.elapsed_s))
        add_alarm(change, AlarmType.REPLACEMENT)


def look_after_memory(change: Change) -> int:
    """Read both records back. A copy that has gone bad is written anew, and a person is told.

    Of the control record the change's own commit mends one copy; returns how many have gone bad. A security record that
    is lost cannot be mended, and is told of once.
    """
    firmware, memory = change.firmware, change.firmware.memory
    told = memory.repairs
    lost, mended = firmware.lost_copies(), told - firmware.repairs_told
    is_told = lost == 0 or firmware.standing_alarm(AlarmType.MEMORY_REPAIRED) is not None
    if lost:
        lost -= memory.check(memory.security)
        mended += lost + mend_security(firmware)
    if mended or not is_told:
        change.log(LogType.MEMORY_REPAIRED, repairs=mended)
        change.set(repairs=firmware.record.repairs + mended)
        add_alarm(change, AlarmType.MEMORY_REPAIRED)
        # A repair of this very look is told with the next one.
        firmware.repairs_told = told
    return lost
