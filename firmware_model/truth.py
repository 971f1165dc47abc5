"""What is physically so with a pump, and beside it what its firmware believes. For the control plane only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_model.plant.catheter import Catheter
from firmware_model.plant.cell import Load
from firmware_model.plant.mixture import Mixture, Pool, masses_fg

if TYPE_CHECKING:
    from firmware_model.pump import Pump


def of_pump(pump: Pump) -> dict[str, object]:
    """The truth as a table of numbers; concentrations in ng/mL and masses in fg by the drug, rounded down."""
    plant = pump.plant
    motor, catheter, cell, condition = plant.motor, plant.catheter, plant.cell, plant.condition
    found: dict[str, object] = {
        "now_us": pump.now_us,
        "powered": pump.powered,
        "motor_steps": motor.steps,
        "motor_pulses": motor.pulses,
        "rotor_stalled": motor.stalled,
        "delivered_nl": plant.delivered_nl,
        "reservoir_nl": plant.reservoir.volume_nl,
        "reservoir_ng_per_ml": _concentrations(plant.reservoir.mixture),
        "tip_nl": catheter.tip.volume_nl,
        "tip_fg": _masses(catheter.tip),
        "tip_ng_per_ml": _concentrations(_at_tip(catheter)),
        "next_at_tip_in_nl": catheter.next_change_nl(),
        "pocket_nl": catheter.pocket.volume_nl,
        "pocket_fg": _masses(catheter.pocket),
        "cell_charge_ppm": cell.charge_fc * 1_000_000 // cell.capacity_fc,
        "cell_mv": cell.voltage_mv(Load.MOTOR),
        "temperature_cc": condition.temperature_cc,
        "field_on": condition.field_on,
        "memory_writes": pump.memory.primitives,
    }
    if pump.powered:
        firmware = pump.firmware
        found |= {
            "believed_delivered_nl": firmware.steps_total * pump.profile.motor.step_volume_nl,
            "believed_reservoir_nl": firmware.reservoir_nl,
        }
    return found


def _at_tip(catheter: Catheter) -> Mixture | None:
    """What leaves the tip next; None of a catheter that has been cut off wholly."""
    plugs = catheter.implanted.plugs or catheter.tubing.plugs
    return plugs[0].mixture if plugs else None


def _concentrations(mixture: Mixture | None) -> dict[str, int]:
    if mixture is None:
        return {}
    return {name: mass // mixture.volume_nl for name, mass in mixture.masses_fg}


def _masses(pool: Pool) -> dict[str, int]:
    return {name: int(mass) for name, mass in masses_fg(pool.portions()).items()}
