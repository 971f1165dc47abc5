"""How another pump comes behind the lines of a device: a wire of the same protocol, with keys as before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emulator.wire import WireProtocol
from firmware_model.pump import Pump

NewWire = Callable[[Pump, Mapping[str, bytes] | None], WireProtocol]


@dataclass(slots=True)
class Successors:
    """What a successor is made with.

    new_wire  the wire of a pump with keys by their names; raises ValueError for a pump that it cannot be made for
    keys      None while they are the test keys, of which each pump has its own
    """

    new_wire: NewWire
    keys: Mapping[str, bytes] | None = field(default=None, repr=False)

    def wire_of(self, pump: Pump) -> WireProtocol:
        """A wire for a pump. Raises ValueError."""
        return self.new_wire(pump, self.keys)
