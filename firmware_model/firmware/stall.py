"""The motor stall: found by sampling the back-EMF of the last pulse, not by looking at the rotor.

A sample falls on a grid of the pump's elapsed time. So many samples without motion, one after the other, make a stall;
so many with motion end it. A motor that gets no pulses shows nothing, so a stopped pump finds no stall. While a stall
is known the motor goes on trying, and its pulses are not counted as delivered; nothing is made up for afterwards.
"""

from __future__ import annotations

from firmware_model.firmware.alarms import raise_anew
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import AlarmType
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.flow import Channel
from firmware_model.quantities import US_PER_SECOND


def next_sample(firmware: Firmware) -> int:
    """When the next sample is taken."""
    period_us = firmware.profile.stall.sample_s * US_PER_SECOND
    return (firmware.stall.sampled_us // period_us + 1) * period_us - firmware.elapsed_offset_us


def catch_up(firmware: Firmware) -> None:
    """Samples of a sound motor show nothing new, so they are not taken one by one: this takes them all, up to now.

    To be called before the rotor's state changes. No later sample looks at a pulse that a sound motor has had.
    """
    period_us = firmware.profile.stall.sample_s * US_PER_SECOND
    last_us = firmware.elapsed_us // period_us * period_us
    watch = firmware.stall
    watch.pulses = firmware.pulses
    if last_us > watch.sampled_us:
        watch.sampled_us = last_us
        watch.bad = 0
        watch.good = firmware.profile.stall.good_samples
        ago_us = firmware.elapsed_us - last_us
        watch.bolus_steps = _steps_before(ago_us, firmware.flow.bolus, firmware.bolus_steps)
        watch.dose_steps = _steps_before(ago_us, firmware.flow.dose, firmware.dose_steps)


def sample(firmware: Firmware) -> None:
    """Take the sample that is due."""
    watch, limits = firmware.stall, firmware.profile.stall
    watch.sampled_us = firmware.elapsed_us
    if firmware.pulses == watch.pulses:
        return
    watch.pulses = firmware.pulses
    if firmware.sensors.rotor_followed():
        watch.bad, watch.good = 0, watch.good + 1
        watch.bolus_steps, watch.dose_steps = firmware.bolus_steps, firmware.dose_steps
        if not firmware.counting and watch.good >= limits.good_samples:
            _end(firmware)
        return
    watch.bad, watch.good = watch.bad + 1, 0
    if firmware.counting and watch.bad >= limits.bad_samples:
        firmware.counting = False
        raise_anew(firmware, AlarmType.MOTOR_STALL)


def _end(firmware: Firmware) -> None:
    firmware.counting = True
    alarm = firmware.standing_alarm(AlarmType.MOTOR_STALL)
    change = Change(firmware)
    change.log(LogType.STALL_ENDED, instance=alarm.instance if alarm else 0, pulses=firmware.stalled_pulses)
    change.commit()
    follow(firmware)


def _steps_before(ago_us: int, channel: Channel | None, steps: int) -> int:
    """How many of the `steps` that a channel has made by now it had made so long ago."""
    if channel is None:
        return 0
    made = steps * channel.threshold + channel.phase - channel.gain * ago_us
    return max(0, made // channel.threshold)
