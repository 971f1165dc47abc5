"""What is around a plant, and what is wrong with it: the sum of the faults that last, made anew with each change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from firmware_model.plant.cell import BODY_CENTIDEGREES

LOWEST_CC, HIGHEST_CC = -5_000, 10_000
"""Hundredths of a degree Celsius that a pump can be in."""


class Environment(NamedTuple):
    """What is around the pump as long as no fault makes it another: centidegrees Celsius, a magnetic field."""

    temperature_cc: int = BODY_CENTIDEGREES
    field_on: bool = False

    def check(self) -> None:
        """Raises ValueError for what no pump can be in."""
        if not LOWEST_CC <= self.temperature_cc <= HIGHEST_CC:
            raise ValueError(f"temperature_cc is {self.temperature_cc}, but allowed is {LOWEST_CC} to {HIGHEST_CC}")


@dataclass(slots=True)
class Condition:
    """A sound plant by default; each lasting fault of `firmware_model/faults.py` changes its own fields.

    field_on           a strong magnetic field is there
    stalled            the rotor does not turn
    miss_every         every so many pulses one is missed; 0 for none
    gain_ppm           how much more, or less, a step moves
    occluded           the catheter is kinked
    leak_ppm           the share that leaks where the catheter is joined
    disconnected       the catheter is off
    pocket_fill_ppm    the share of what a syringe injects that goes beside the reservoir
    film_mohm, sag_mv  a film in the cell, a voltage that it has lost
    short_na           what a short inside the cell drains
    drift_ppm          of the real-time counter
    temperature_cc     hundredths of a degree Celsius
    voltage_lie_mv     what the measured voltage is off by
    emf_lie            None, or what the back-EMF shows whatever the rotor does
    hung               the motor's scheduler of the firmware is blocked
    """

    field_on: bool = False
    stalled: bool = False
    miss_every: int = 0
    gain_ppm: int = 0
    occluded: bool = False
    leak_ppm: int = 0
    disconnected: bool = False
    pocket_fill_ppm: int = 0
    film_mohm: int = 0
    sag_mv: int = 0
    short_na: int = 0
    drift_ppm: int = 0
    temperature_cc: int = BODY_CENTIDEGREES
    voltage_lie_mv: int = 0
    emf_lie: bool | None = None
    hung: bool = False
