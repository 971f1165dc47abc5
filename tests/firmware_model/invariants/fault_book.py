"""The tester's faults in the books: which are there, since when each kind is, and when it was there last."""

from __future__ import annotations

from collections.abc import Iterable

from firmware_model.agenda import NEVER
from firmware_model.faults import FAULTS, DeviceFault

STANDSTILLS = frozenset({"stall", "intermittent-stall", "field"})
"""While one of these is there, the rotor does not turn."""
ROTOR = STANDSTILLS | {"missed-steps", "occlusion", "gain-error"}
"""What makes of a pulse anything but one sound step."""
FLUID = ROTOR | {"pocket-fill"}
"""What makes belief and truth differ in volume."""
EMF = ROTOR - {"gain-error"} | {"emf-lie"}
"""What the samples of the rotor can show as a standstill."""
VOLTAGE = frozenset({"cell-sag", "cell-film", "temperature", "voltage-lie"})
"""What changes the voltage that is measured, whatever the charge is."""
CLOCK = frozenset({"clock-drift", "clock-loss", "clock-jump"})
MEMORY = frozenset({"memory-flip", "write-fault"})


class FaultBook:
    """Faults by their numbers, which are also the order of arming."""

    def __init__(self) -> None:
        self.there: dict[int, DeviceFault] = {}
        self.since_us: dict[str, int] = {}
        self._last_us: dict[str, int] = {}
        # Where one changed since this was asked last.
        self.changed: set[str] = set()

    def begins(self, number: int, fault: DeviceFault, at_us: int) -> None:
        verb = fault.verb
        self.changed.add(verb)
        if FAULTS[verb].lasting is None:
            self._last_us[verb] = at_us
            return
        self.there[number] = fault
        self.there = dict(sorted(self.there.items()))
        self.since_us.setdefault(verb, at_us)
        self._last_us[verb] = NEVER

    def ends(self, number: int, at_us: int) -> None:
        fault = self.there.pop(number, None)
        if fault is not None:
            self.changed.add(fault.verb)
            self._over(fault.verb, at_us)

    def clear(self, at_us: int) -> None:
        for number in tuple(self.there):
            self.ends(number, at_us)

    def any_of(self, verbs: Iterable[str]) -> bool:
        return not self.since_us.keys().isdisjoint(verbs)

    def last_us(self, verbs: Iterable[str]) -> int:
        """The last instant at which one of these was there; NEVER while one is, -1 if none ever was."""
        return max((self._last_us.get(verb, -1) for verb in verbs), default=-1)

    def total(self, verb: str, name: str, lowest: int, highest: int) -> int:
        """What all faults of a kind come to, one after the other, within what is possible."""
        total = 0
        for fault in self.there.values():
            if fault.verb == verb:
                total = min(max(total + dict(fault.values)[name], lowest), highest)
        return total

    def newest(self, verb: str, name: str, otherwise: int) -> int:
        """The value of the fault of a kind that was armed last."""
        values = [dict(fault.values)[name] for fault in self.there.values() if fault.verb == verb]
        return values[-1] if values else otherwise

    def _over(self, verb: str, at_us: int) -> None:
        if all(fault.verb != verb for fault in self.there.values()):
            del self.since_us[verb]
            self._last_us[verb] = at_us
