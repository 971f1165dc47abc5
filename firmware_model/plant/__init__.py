"""What is physically so. Nothing here can be read by the firmware; it is turned by it, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.plant.motor import Motor
from firmware_model.plant.reservoir import Reservoir


@dataclass(slots=True)
class Plant:
    """Motor and reservoir of one pump. `delivered_nl` is what truly left it."""

    motor: Motor
    reservoir: Reservoir
    delivered_nl: int = 0

    def turn(self, steps: int) -> None:
        """The firmware's one way in: so many pulses to the motor's coil."""
        turned = self.motor.turn(steps)
        self.delivered_nl += self.reservoir.draw(turned * self.motor.step_volume_nl)
