"""The reservoir: the fluid that is truly in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Reservoir:
    """A reservoir that holds `volume_nl`; it cannot give more than it has."""

    volume_nl: int

    def draw(self, volume_nl: int) -> int:
        """Take a volume out; returns what there was of it."""
        drawn = min(volume_nl, self.volume_nl)
        self.volume_nl -= drawn
        return drawn
