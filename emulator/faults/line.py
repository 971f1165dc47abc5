"""The armed faults of the lines: which frame each strikes, and what goes on in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from emulator.faults.acts import Composition, Outcome, Struck
from emulator.faults.registry import REGISTRY, LineFaultKind, line_fault_text
from emulator.faults.spec import ANY, CERTAIN_PPM, FaultSpec
from emulator.wire import Ability, SealingWire, WireFrame

MOST_ARMED = 64


class TooManyFaults(ValueError):
    """More faults than may be armed at once."""


class _Dice:
    """A fault's own generator: of `random` only what is promised to be the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - it must be foreseeable

    def draw(self, below: int) -> int:
        """A whole number from 0 on."""
        return int(self._random.random() * below)


@dataclass(slots=True)
class _Armed:
    fault: FaultSpec
    begins_us: int
    matched: int = 0
    struck: int = 0
    earlier: bytes | None = None
    kind: LineFaultKind = field(init=False)
    dice: _Dice = field(init=False)
    values: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.dice = _Dice(self.fault.seed)
        self.values = dict(self.fault.own)
        self.kind = REGISTRY[self.fault.verb]

    def gone(self, now: int) -> bool:
        """Whether it has struck as often as it may, or its window has passed."""
        window_us = self.fault.for_us
        return self.struck >= self.fault.count or (window_us > 0 and now >= self.begins_us + window_us)

    def takes(self, frame: WireFrame, now: int) -> bool:
        """Count a frame if it matches, and say whether it is struck."""
        fault = self.fault
        if now < self.begins_us or fault.direction is not frame.direction or fault.name not in (ANY, frame.name):
            return False
        if self.kind.needs is Ability.SEALS and not frame.sealed:
            return False
        self.matched += 1
        if self.matched < fault.nth or (self.kind.repeats and self.earlier is None):
            return False
        if fault.chance_ppm < CERTAIN_PPM and self.dice.draw(CERTAIN_PPM) >= fault.chance_ppm:
            return False
        self.struck += 1
        return True


class LineFaults:
    """The faults that are armed on a device's lines. Each counts its own matches, and is gone when it is spent."""

    def __init__(self, seal: SealingWire | None = None) -> None:
        self._seal = seal
        self._armed: list[_Armed] = []
        self._silences: dict[int, tuple[int, str]] = {}

    def armed(self, now: int) -> tuple[FaultSpec, ...]:
        """What is armed, in the order of arming."""
        return tuple(armed.fault for armed in self._armed if not armed.gone(now))

    def arm(self, fault: FaultSpec, now: int) -> None:
        """Arm a fault. Raises TooManyFaults."""
        self._forget_the_gone(now)
        if len(self._armed) == MOST_ARMED:
            raise TooManyFaults(f"{MOST_ARMED} faults are armed already, and more are not allowed at once")
        self._armed.append(_Armed(fault, now + fault.after_us))

    def clear(self) -> None:
        """Disarm all, and end every silence."""
        self._armed.clear()
        self._silences.clear()

    def strike(self, port: int, frame: WireFrame, now: int) -> Composition | None:
        """What the faults make of a frame, or None if none strikes it.

        A match counts for every fault, also where those armed before it have left nothing that it could strike.
        """
        if self._silences and (lost := self._lost_in_silence(port, frame, now)):
            return lost
        if not self._armed or not frame.name:
            return None
        self._forget_the_gone(now)
        composed = Composition(frame.raw)
        for armed in self._armed:
            matched = armed.matched
            if armed.takes(frame, now) and composed.pieces:
                composed.add(line_fault_text(armed.fault), partial(self._struck_by, armed))
            if armed.matched > matched:
                armed.earlier = frame.raw
        self._forget_the_gone(now)
        if composed.silence_us:
            self._silences[port] = (now + composed.silence_us, composed.faults[-1])
        return composed if composed.faults else None

    def _struck_by(self, armed: _Armed, raw: bytes) -> Outcome:
        fault = armed.fault
        struck = Struck(raw, armed.values, armed.dice.draw, fault.direction, self._seal, armed.earlier)
        return armed.kind.act(struck)

    def _lost_in_silence(self, port: int, frame: WireFrame, now: int) -> Composition | None:
        until_us, fault = self._silences.get(port, (now, ""))
        if now >= until_us:
            self._silences.pop(port, None)
            return None
        return Composition(frame.raw, faults=[fault], lost=True)

    def _forget_the_gone(self, now: int) -> None:
        self._armed = [armed for armed in self._armed if not armed.gone(now)]
