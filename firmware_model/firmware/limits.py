"""The limits of a bolus: volume, duration, rate, reservoir, and what may be given in any 24 hours.

The rolling limit reserves the flow that the program still schedules: it counts the boluses of the last 24 hours, what
is left of a running one, and the most that the program itself gives in any 24 hours. A rule that counts only what has
flowed admits a bolus that the base rate then makes an overdose of (found by Vasicek et al., ICLP 2024, in the Open PCA
requirements).
"""

from __future__ import annotations

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.cell_check import cell_refusal
from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusKind
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.record import GivenDose
from firmware_model.profile import BolusLimits
from firmware_model.quantities import SECONDS_PER_DAY, ceil_div


def bolus_refusal(firmware: Firmware, kind: BolusKind, volume_nl: int, duration_s: int) -> Refusal | None:
    """Why a bolus may not be given now, or None."""
    if kind in DEAD_VOLUME_KINDS:
        return (
            _motor_refusal(firmware)
            or _range_refusal(firmware, kind, volume_nl, duration_s)
            or _reservoir_refusal(firmware, volume_nl)
        )
    return (
        _motor_refusal(firmware)
        or _range_refusal(firmware, kind, volume_nl, duration_s)
        or _reservoir_refusal(firmware, volume_nl)
        or _window_refusal(firmware, volume_nl)
    )


def patient_refusal(firmware: Firmware) -> Refusal | None:
    """Why the patient's bolus may not be given now, or None. Its ranges were checked with the program that names it."""
    volume_nl = firmware.record.program.patient.volume_nl
    refusal = (
        _motor_refusal(firmware) or _reservoir_refusal(firmware, volume_nl) or _window_refusal(firmware, volume_nl)
    )
    # The program says how much and how fast, so the command has no field that could be wrong.
    return None if refusal is None else Refusal(refusal.reason, detail=refusal.detail)


def _motor_refusal(firmware: Firmware) -> Refusal | None:
    """What the motor gives while a stall is known is not counted, so nothing can be promised of it."""
    return cell_refusal(firmware) or (None if firmware.counting else Refusal(Reason.STALLED))


def _range_refusal(firmware: Firmware, kind: BolusKind, volume_nl: int, duration_s: int) -> Refusal | None:
    limits = firmware.profile.bolus
    dead_volume = kind in DEAD_VOLUME_KINDS
    if not dead_volume:
        if volume_nl < limits.volume_min_nl:
            return Refusal(Reason.BELOW_MINIMUM, "volume_nl", detail=limits.volume_min_nl)
        if volume_nl > volume_max_nl(firmware):
            return Refusal(Reason.ABOVE_MAXIMUM, "volume_nl", detail=volume_max_nl(firmware))
    longest_s = limits.dead_volume_duration_max_s if dead_volume else limits.duration_max_s
    if duration_s > longest_s:
        return Refusal(Reason.ABOVE_MAXIMUM, "duration_s", detail=longest_s)
    shortest_s = shortest_duration_s(firmware, kind, volume_nl)
    if duration_s < shortest_s:
        return Refusal(Reason.BELOW_MINIMUM, "duration_s", detail=shortest_s)
    return None


def _reservoir_refusal(firmware: Firmware, volume_nl: int) -> Refusal | None:
    available = available_nl(firmware)
    return Refusal(Reason.RESERVOIR, "volume_nl", detail=available) if volume_nl > available else None


def _window_refusal(firmware: Firmware, volume_nl: int) -> Refusal | None:
    left_nl = window_left_nl(firmware)
    if volume_nl > left_nl:
        return Refusal(Reason.WINDOW_LIMIT, "volume_nl", detail=left_nl)
    return None


def available_nl(firmware: Firmware) -> int:
    """What the reservoir could give before it counts as empty."""
    return max(0, firmware.reservoir_nl - firmware.profile.reservoir.empty_nl)


def volume_max_nl(firmware: Firmware) -> int:
    """The greatest bolus: the pump's own limit, or the program's below it."""
    return min(firmware.profile.bolus.volume_max_nl, firmware.record.program.bolus_volume_max_nl)


def shortest_duration_s(firmware: Firmware, kind: BolusKind, volume_nl: int) -> int:
    """The least time for a volume: by the limits of a bolus, and by what the motor makes beside the program."""
    limits = firmware.profile.bolus
    shortest_s = fastest_s(limits, volume_nl)
    if kind not in DEAD_VOLUME_KINDS:
        beside = firmware.profile.motor.rate_max_nl_per_day - firmware.active.peak_rate_nl_per_day
        shortest_s = max(shortest_s, ceil_div(volume_nl * SECONDS_PER_DAY, max(1, beside)))
    return shortest_s


def fastest_s(limits: BolusLimits, volume_nl: int) -> int:
    """The least time over which a bolus of a volume may be given, whatever else flows."""
    return max(limits.duration_min_s, ceil_div(volume_nl * SECONDS_PER_DAY, limits.rate_max_nl_per_day))


def window_left_nl(firmware: Firmware) -> int:
    """What may still be given as a bolus in these 24 hours: nothing while one more could not be remembered."""
    if not has_room(firmware):
        return 0
    since_s = firmware.elapsed_s - SECONDS_PER_DAY
    given_nl = 0
    for dose in firmware.record.doses:
        if dose.end_s > since_s:
            given_nl += dose.volume_nl
    return max(0, firmware.active.room_nl - given_nl)


def has_room(firmware: Firmware) -> bool:
    """Whether one more dose can be remembered: not every place is taken by one that a window still needs."""
    capacity = firmware.profile.memory.dose_history
    return len(firmware.record.doses) < capacity or len(_needed(firmware, firmware.elapsed_s)) < capacity


def remembered(firmware: Firmware, dose: GivenDose) -> tuple[GivenDose, ...]:
    """The doses that some window still needs, and one that begins now."""
    return (*_needed(firmware, firmware.elapsed_s), dose)


def _needed(firmware: Firmware, now_s: int) -> list[GivenDose]:
    window_s = firmware.record.program.patient.window_s
    since_s = now_s - (window_s if window_s > SECONDS_PER_DAY else SECONDS_PER_DAY)
    return [dose for dose in firmware.record.doses if dose.end_s > since_s]
