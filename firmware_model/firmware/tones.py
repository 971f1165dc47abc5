"""The tones of alarms: the first sounds at once, the others drain the cell evenly for as long as the alarm sounds."""

from __future__ import annotations

from firmware_model.agenda import NEVER
from firmware_model.commands import Alarm
from firmware_model.firmware.codes import AlarmState
from firmware_model.firmware.core import Firmware
from firmware_model.quantities import US_PER_MINUTE, US_PER_SECOND


def tone_due(firmware: Firmware) -> int:
    """When the next silenced alarm sounds again."""
    ends_us = [
        alarm.silent_until_s * US_PER_SECOND for alarm in firmware.record.alarms if alarm.state is AlarmState.RAISED
    ]
    elapsed_us = min([end_us for end_us in ends_us if end_us > firmware.toned_us], default=NEVER)
    return NEVER if elapsed_us == NEVER else max(firmware.now_us, elapsed_us - firmware.elapsed_offset_us)


def sound_again(firmware: Firmware) -> None:
    """Sound the alarms whose silence is over."""
    before_us, firmware.toned_us = firmware.toned_us, firmware.elapsed_us
    for alarm in firmware.record.alarms:
        if alarm.state is AlarmState.RAISED and before_us < alarm.silent_until_s * US_PER_SECOND <= firmware.toned_us:
            sound(firmware, alarm)


def sound(firmware: Firmware, alarm: Alarm) -> None:
    """Sound one tone of an alarm, if its row has any."""
    tone = firmware.profile.alarm[alarm.type].tone
    if tone != "none":
        firmware.sensors.sound_tone(dual=tone == "dual")
        firmware.fresh_tones.append(alarm)


def let_sound(firmware: Firmware) -> None:
    """Let the cell feed the repeated tones of all alarms that sound now."""
    repeats = [
        (_repeat_us(firmware, alarm), firmware.profile.alarm[alarm.type].tone == "dual")
        for alarm in firmware.record.alarms
        if alarm.state is AlarmState.RAISED and alarm.silent_until_s * US_PER_SECOND <= firmware.elapsed_us
    ]
    firmware.sensors.repeat_tones([repeat for repeat in repeats if repeat[0]])


def _repeat_us(firmware: Firmware, alarm: Alarm) -> int:
    """How often an alarm sounds: as the program says, else as its row says; 0 for once."""
    row, program = firmware.profile.alarm[alarm.type], firmware.record.program
    said_min = program.critical_repeat_min if row.critical else program.non_critical_repeat_min
    return (said_min or row.repeat_min) * US_PER_MINUTE if row.repeat_min and row.tone != "none" else 0
