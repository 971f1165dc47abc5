"""The stepper motor: pulses become steps of the rotor, and each step squeezes one volume on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Motor:
    """A motor whose every step moves `step_volume_nl`; `steps` counts what the rotor truly did."""

    step_volume_nl: int
    steps: int = 0

    def turn(self, pulses: int) -> int:
        """Give the coil so many pulses; returns the steps that the rotor made."""
        self.steps += pulses
        return pulses
