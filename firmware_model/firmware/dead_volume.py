"""Priming and bridge: boluses that move exactly what lies in the pump's tubing and the catheter.

Priming fills a new path: tubing and catheter, or after a revision the catheter alone. A bridge gives what lies in the
path after a change of concentration at the rate that belonged to it, so that the dose stays while the old mixture
leaves. The base rate stands still meanwhile, and no dose limit counts the volume.
"""

from __future__ import annotations

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import BolusKind
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.limits import fastest_s
from firmware_model.quantities import SECONDS_PER_DAY, ceil_div


def dead_volume_nl(firmware: Firmware) -> int:
    """Tubing and catheter, as the firmware knows them, in whole steps."""
    return _whole_steps(firmware, firmware.profile.catheter.tubing_nl + firmware.record.program.catheter_nl)


def dead_volume_asked(
    firmware: Firmware, kind: BolusKind, volume_nl: int, duration_s: int
) -> tuple[int, int] | Refusal:
    """Volume and duration of a priming or bridge bolus; 0 asks for what the pump computes, and nothing else will do."""
    if not firmware.record.program.catheter_nl:
        # Without the catheter's volume nobody knows what fills it.
        return Refusal(Reason.CONDITIONS, "volume_nl")
    if kind is BolusKind.BRIDGE and not firmware.record.bridge_nl_per_day:
        return Refusal(Reason.CONDITIONS, "kind")
    computed = _possible_volumes(firmware, kind)
    volume = volume_nl or computed[0]
    if _whole_steps(firmware, volume) not in computed:
        return Refusal(Reason.NOT_AS_PREPARED, "volume_nl", detail=computed[0])
    volume = _whole_steps(firmware, volume)
    if kind is BolusKind.PRIMING:
        return volume, duration_s or fastest_s(firmware.profile.bolus, volume)
    bridge_s = bridge_duration_s(firmware, volume)
    if duration_s not in (0, bridge_s):
        return Refusal(Reason.NOT_AS_PREPARED, "duration_s", detail=bridge_s)
    return volume, bridge_s


def bridge_duration_s(firmware: Firmware, volume_nl: int) -> int:
    """How long the old mixture in the path lasts at the rate that belonged to it."""
    return ceil_div(volume_nl * SECONDS_PER_DAY, firmware.record.bridge_nl_per_day)


def _possible_volumes(firmware: Firmware, kind: BolusKind) -> tuple[int, ...]:
    whole = dead_volume_nl(firmware)
    if kind is BolusKind.BRIDGE:
        return (whole,)
    catheter = _whole_steps(firmware, firmware.record.program.catheter_nl)
    return (catheter, whole) if firmware.record.primed else (whole, catheter)


def _whole_steps(firmware: Firmware, volume_nl: int) -> int:
    return volume_nl - volume_nl % firmware.profile.motor.step_volume_nl
