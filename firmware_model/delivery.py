"""The digest of all in a pump that decides what is delivered, and of its account: see `firmware/delivery_state.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_model import state
from firmware_model.firmware import delivery_state

if TYPE_CHECKING:
    from firmware_model.pump import Pump


def digest_of(pump: Pump) -> str:
    """The digest, of a pump with power or without."""
    decisive = (
        delivery_state.running_state(pump.firmware)
        if pump.powered
        else delivery_state.resting_state(pump.profile, pump.memory)
    )
    plant = pump.plant
    fluid = (plant.motor, plant.reservoir, plant.catheter, plant.condition, plant.delivered_nl)
    return state.digest((pump.profile.name, pump.serial_number, pump.powered, fluid, decisive))
