"""The first power-up, and every boot after a loss of power: what memory holds is taken up, and what it says is done."""

from __future__ import annotations

from msgspec.structs import replace

from firmware_model.commands import Alarm
from firmware_model.firmware.alarms import add_alarm, clear_gone
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import (
    AlarmState,
    AlarmType,
    BolusEnd,
    Mode,
    ResetReason,
    StopReason,
)
from firmware_model.firmware.core import ELAPSED_JOURNAL_US, HIGHEST_BOOT, NO_EPOCH, Firmware
from firmware_model.firmware.event_log import RECORD_BYTES, LogType
from firmware_model.firmware.housekeeping import first_day
from firmware_model.firmware.lives.run import RUN_LIFE, RunDeed
from firmware_model.firmware.prepared import void_prepared
from firmware_model.firmware.program import check_image, check_limits
from firmware_model.firmware.record import ControlRecord
from firmware_model.firmware.record_layout import control_bytes, stored_image, unpack_record
from firmware_model.firmware.security_record import SECURITY_BYTES
from firmware_model.firmware.tones import sound
from firmware_model.memory import Memory, PowerLost
from firmware_model.plant.cell import Load
from firmware_model.profile import Profile
from firmware_model.quantities import US_PER_SECOND

LOG_PAGE_SPARE_BYTES = 32
"""A page is a little larger than its records, as real pages are."""

_RESET_ALARMS = {
    ResetReason.POWER: AlarmType.RESET,
    ResetReason.COMMANDED: AlarmType.RESET,
    ResetReason.LOW_BATTERY: AlarmType.LOW_BATTERY_RESET,
}


def new_memory(profile: Profile) -> Memory:
    """The memory of a pump that has never had power."""
    page_bytes = profile.log.records_per_page * RECORD_BYTES + LOG_PAGE_SPARE_BYTES
    return Memory(control_bytes(profile), SECURITY_BYTES, profile.log.pages, page_bytes)


def format_memory(firmware: Firmware) -> None:
    """First power-up: begin with the profile's reservoir and program, and say so in the log."""
    # The clock is not set before this commit sets it.
    firmware.record.clock_base_us = firmware.profile.clock.start_unix_s * US_PER_SECOND
    change = Change(firmware, boot=1)
    change.log(LogType.BOOT, reset_reason=ResetReason.FIRST_POWER_UP, memory=0, generation=0)
    change.set(
        boot=1,
        reservoir_nl=firmware.profile.reservoir.initial_volume_nl,
        offset_min=firmware.profile.clock.offset_min,
    )
    change.commit()
    first_day(firmware)
    follow(firmware)


def boot(firmware: Firmware, reason: ResetReason) -> None:
    """Take up after a reset what memory holds. Counts resume at the upper end of their journal interval.

    A bolus never resumes: before the first step its end is committed, with the least and the most that it can have
    given. Elapsed time has gone ahead by up to a journal interval, so whatever waits for it waits so much longer.
    """
    interval = firmware.profile.motor.journal_interval_steps
    known = firmware.memory.journal
    firmware.steps_total = known.steps_total + interval
    firmware.stalled_pulses = known.stalled_pulses
    firmware.elapsed_offset_us = known.elapsed_us + ELAPSED_JOURNAL_US - firmware.now_us
    # Should power go again before the boluses' ends are committed, the next boot is to know no less than this one.
    firmware.bolus_steps, firmware.dose_steps = known.bolus_steps, known.programmed_steps
    firmware.toned_us = firmware.stall.sampled_us = firmware.elapsed_us
    firmware.stall.good = firmware.profile.stall.good_samples
    firmware.repairs_told = firmware.memory.repairs
    first_day(firmware)
    image = firmware.memory.control.read()
    record = None if image is None else _readable(firmware, image.body)
    if image is None or record is None:
        fail(firmware)
        return
    firmware.record = record
    change = Change(firmware, boot=min(record.boot + 1, HIGHEST_BOOT))
    change.log(LogType.BOOT, reset_reason=reason, memory=image.lost_slots, generation=image.generation)
    change.set(boot=change.boot)
    change.raise_revision()
    if record.bolus is not None:
        change.end_bolus(BolusEnd.RESET, known.bolus_steps, min(known.bolus_steps + interval, record.bolus.steps))
    if record.dose is not None:
        change.end_dose(
            BolusEnd.RESET, known.programmed_steps, min(known.programmed_steps + interval, record.dose.steps)
        )
    _wait_longer(change, ELAPSED_JOURNAL_US // US_PER_SECOND)
    add_alarm(change, _RESET_ALARMS[reason])
    if image.lost_slots:
        add_alarm(change, AlarmType.MEMORY_REPAIRED)
    if record.programming:
        change.set(programming=False)
        add_alarm(change, AlarmType.PROGRAM_INCOMPLETE)
    if firmware.sensors.clock_lost():
        change.set(clock_valid=False)
        add_alarm(change, AlarmType.CLOCK_LOST)
    try:
        change.commit()
    except PowerLost:
        # Nobody has seen time and counts go ahead, and no lockout has been lengthened: the next boot begins here again.
        firmware.steps_total -= interval
        firmware.elapsed_offset_us -= ELAPSED_JOURNAL_US
        raise
    firmware.bolus_steps = firmware.dose_steps = 0
    follow(firmware)
    clear_gone(firmware)


def _readable(firmware: Firmware, body: bytes) -> ControlRecord | None:
    """The record, unless its program is none that this pump may run, whoever wrote it."""
    if check_image(stored_image(body)) is not None:
        return None
    record = unpack_record(body, firmware.profile)
    return record if check_limits(record.program, firmware.profile) is None else None


def _wait_longer(change: Change, seconds: int) -> None:
    """Lockouts, windows and the intervals of doses only lengthen: elapsed time went ahead, so they do."""
    record = change.firmware.record
    periodic = record.program.mode is Mode.PERIODIC_BOLUS
    change.set(
        lockout_until_s=record.lockout_until_s + seconds if record.lockout_until_s else 0,
        dose_anchor_us=record.dose_anchor_us + periodic * seconds * US_PER_SECOND,
        doses=tuple(
            replace(dose, start_s=dose.start_s + seconds, end_s=dose.end_s + seconds) for dose in change.record.doses
        ),
    )


def fail(firmware: Firmware) -> None:
    """The memory has failed: stay stopped, with an alarm, and write nothing over what may still be read by others."""
    flow = firmware.flow
    flow.base.gain, flow.dose, flow.bolus = 0, None, None
    void_prepared(firmware)
    row = firmware.profile.alarm[AlarmType.MEMORY_FAILURE]
    alarm = Alarm(
        instance=1,
        type=AlarmType.MEMORY_FAILURE,
        critical=row.critical,
        state=AlarmState.RAISED,
        elapsed_s=firmware.elapsed_s,
        steps=firmware.steps_total,
        rate_nl_per_day=0,
        reservoir_nl=0,
        battery_mv=firmware.sensors.cell_mv(Load.MOTOR),
        last_op_id=0,
    )
    record = firmware.record
    record.epoch, record.stop_reason = NO_EPOCH, StopReason.MEMORY_FAILURE
    record.run_state = RUN_LIFE[record.run_state, RunDeed.FAIL]
    record.bolus, record.dose, record.next_alarm, record.alarms = None, None, 2, (alarm,)
    record.programming = False
    firmware.unplanned = True
    firmware.fresh_flags += firmware.changed.fail()
    sound(firmware, alarm)
