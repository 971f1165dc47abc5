"""What is wrong with a plant at the moment: the sum of the faults that last, made anew whenever one begins or ends."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.plant.cell import BODY_CENTIDEGREES


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
