"""The cell: its charge, what drains it, and the voltage that is left of it under load.

Charge is counted in femtocoulombs and current in nanoamperes, so that nanoamperes times microseconds are exact. Voltage
follows from charge, temperature and load by integer curves, linear between knots and flat beyond their ends. A curve is
rounded down to a whole unit and the drop at the resistance is rounded up, so the voltage is never said too high.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from firmware_model.profile import CellModel
from firmware_model.quantities import ceil_div

FC_PER_MAH = 3_600_000_000_000_000
FC_PER_UC = 1_000_000_000
FC_PER_NC = 1_000_000
PV_PER_MV = 1_000_000_000
"""Nanoamperes times milliohms are picovolts."""
BODY_CENTIDEGREES = 3_700
"""Hundredths of a degree Celsius."""


class Load(IntEnum):
    """What the cell feeds while its voltage is taken; the electronics run in every case."""

    IDLE = 0
    MOTOR = 1
    TELEMETRY = 2


Curve = tuple[tuple[int, int], ...]
"""Knots (at, value), `at` rising."""


def height(curve: Curve, numerator: int, denominator: int = 1) -> int:
    """The value of a curve at a fraction, rounded down; beyond its ends that of the nearest knot."""
    if numerator <= curve[0][0] * denominator:
        return curve[0][1]
    for (left, from_value), (right, to_value) in pairwise(curve):
        if numerator <= right * denominator:
            run = numerator - left * denominator
            return from_value + (to_value - from_value) * run // ((right - left) * denominator)
    return curve[-1][1]


def open_circuit(model: CellModel) -> Curve:
    """Millivolts without load, over the per mille of the capacity that are used up."""
    return (
        (0, model.ocv_0_mv),
        (250, model.ocv_250_mv),
        (500, model.ocv_500_mv),
        (750, model.ocv_750_mv),
        (900, model.ocv_900_mv),
        (1_000, model.ocv_1000_mv),
    )


def resistance(model: CellModel) -> Curve:
    """Milliohms of a sound cell, over hundredths of a degree Celsius."""
    return (
        (0, model.resistance_0c_mohm),
        (2_000, model.resistance_20c_mohm),
        (BODY_CENTIDEGREES, model.resistance_37c_mohm),
        (6_000, model.resistance_60c_mohm),
    )


@dataclass(slots=True)
class Cell:
    """One cell, full at first. Its charge only falls, and never below nothing.

    Set `temperature_centidegrees`, `film_mohm` (a film grown inside) and `sag_mv` (a sick cell) as they change; what
    drains it is set by the methods, which keep `drain_na` the sum of all that flows.
    """

    model: CellModel
    temperature_centidegrees: int = BODY_CENTIDEGREES
    film_mohm: int = 0
    sag_mv: int = 0
    electronics_on: bool = True
    telemetry_on: bool = False
    tones_na: int = 0
    short_na: int = 0
    capacity_fc: int = field(init=False)
    charge_fc: int = field(init=False)
    step_fc: int = field(init=False)
    drain_na: int = field(init=False)

    def __post_init__(self) -> None:
        self.capacity_fc = self.charge_fc = self.model.capacity_mah * FC_PER_MAH
        self.step_fc = self.model.step_nc * FC_PER_NC
        self._add_up()

    def set_electronics(self, on: bool) -> None:
        """The electronics run, or stand without supply: then only the cell itself and a short drain it."""
        self.electronics_on = on
        self._add_up()

    def set_telemetry(self, on: bool) -> None:
        """A session is open, or none."""
        self.telemetry_on = on
        self._add_up()

    def set_tones(self, tones_na: int) -> None:
        """Alarms sound again and again: what that comes to, spread evenly; 0 when none does."""
        self.tones_na = tones_na
        self._add_up()

    def set_short(self, short_na: int) -> None:
        """A short inside leaks so much; 0 for none."""
        self.short_na = short_na
        self._add_up()

    def _add_up(self) -> None:
        model = self.model
        drain_na = model.self_discharge_na + self.short_na
        if self.electronics_on:
            drain_na += model.base_na + self.tones_na + (model.telemetry_na if self.telemetry_on else 0)
        self.drain_na = drain_na

    def draw(self, elapsed_us: int, pulses: int) -> None:
        """Let time pass, with so many pulses to the motor in it."""
        charge_fc = self.charge_fc - self.drain_na * elapsed_us - self.step_fc * pulses
        self.charge_fc = charge_fc if charge_fc > 0 else 0

    def charge_fc_after(self, elapsed_us: int, pulses: int) -> int:
        """The charge that `draw` would leave."""
        return max(0, self.charge_fc - self.drain_na * elapsed_us - self.step_fc * pulses)

    def spend(self, charge_fc: int) -> None:
        """Take a charge at once, such as that of a tone."""
        self.charge_fc = max(0, self.charge_fc - charge_fc)

    def tone_fc(self, dual: bool) -> int:
        """What one alarm tone costs: the single of a non-critical alarm, or the dual of a critical one."""
        return (self.model.tone_dual_uc if dual else self.model.tone_single_uc) * FC_PER_UC

    def voltage_mv(self, load: Load) -> int:
        """The voltage under a load; 0 of a cell that is used up."""
        if not self.charge_fc:
            return 0
        used_fc = self.capacity_fc - self.charge_fc
        return max(0, height(open_circuit(self.model), used_fc * 1_000, self.capacity_fc) - self._lost_mv(load))

    def charge_fc_below(self, voltage_mv: int, load: Load) -> int:
        """The greatest charge at which the voltage under a load is less than `voltage_mv` (at least 1).

        It holds until temperature, film or sag change. The whole capacity when even a full cell shows less.
        """
        sought_mv = voltage_mv + self._lost_mv(load)
        curve = open_circuit(self.model)
        if curve[0][1] < sought_mv:
            return self.capacity_fc
        for (left, high_mv), (right, low_mv) in pairwise(curve):
            if low_mv < sought_mv:
                fall_mv = high_mv - low_mv
                # The voltage is still the sought one at this depth, in per mille times `fall_mv`, and less beyond it.
                depth = left * fall_mv + (right - left) * (high_mv - sought_mv)
                return self.capacity_fc - (self.capacity_fc * depth // (1_000 * fall_mv) + 1)
        return 0

    def _lost_mv(self, load: Load) -> int:
        """What load and sickness take from the voltage."""
        model = self.model
        current_na = model.base_na + (0, model.motor_na, model.telemetry_na)[load]
        resistance_mohm = height(resistance(model), self.temperature_centidegrees) + self.film_mohm
        return ceil_div(current_na * resistance_mohm, PV_PER_MV) + self.sag_mv
