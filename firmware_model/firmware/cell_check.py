"""Whether the cell can bear what is asked of it: nothing new begins on one that a reset would not come back from.

Below `cell.restart_mv` under the motor's load the electronics still run, but were they to reset now, they would stay
dark. What flows already flows on: to stop it is a clinician's decision.
"""

from __future__ import annotations

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.core import Firmware


def cell_refusal(firmware: Firmware) -> Refusal | None:
    """Why no therapy and no bolus may begin on this cell, with the millivolts that it takes, or None."""
    if not firmware.sensors.cell_is_weak():
        return None
    return Refusal(Reason.BATTERY_LOW, detail=firmware.profile.cell.restart_mv)
