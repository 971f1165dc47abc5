"""The way of the fluid from the pump to the tip: plug flow through the pump's tubing, then the implanted catheter.

Fluid moves as plugs that do not mix: what goes in first comes out first, to the nanolitre. All faults lie between the
two parts or beyond: a leak or a disconnection where the catheter joins the tubing, a kink somewhere in the catheter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from firmware_model.plant.mixture import CSF, Mixture, Plug, Pool, Portion
from firmware_model.state import DERIVED

PPM: Final = 1_000_000
NO_LIMIT_NL: Final = 1 << 63
"""More than any pump moves."""
TIP: Final = 0
"""The end of a column that is nearer to the tip."""
PUMP: Final = -1
"""The end that is nearer to the pump."""


@dataclass(slots=True)
class Column:
    """Fluid in a tube, as plugs: the one next to the tip stands first, and neighbours are unlike."""

    plugs: list[Plug] = field(default_factory=list)

    @property
    def volume_nl(self) -> int:
        """How much it holds."""
        return sum(plug.volume_nl for plug in self.plugs)

    def put(self, volume_nl: int, mixture: Mixture, end: int) -> None:
        """A volume comes in at an end."""
        plugs = self.plugs
        if plugs and plugs[end].mixture == mixture:
            plugs[end].volume_nl += volume_nl
        elif volume_nl:
            plugs.insert(0 if end == TIP else len(plugs), Plug(volume_nl, mixture))

    def take(self, volume_nl: int, end: int) -> list[Portion]:
        """Take a volume, no more than there is, out at an end; what was nearest to it stands first."""
        taken = []
        while volume_nl:
            plug = self.plugs[end]
            if plug.volume_nl > volume_nl:
                plug.volume_nl -= volume_nl
                taken.append((volume_nl, plug.mixture))
                break
            volume_nl -= plug.volume_nl
            taken.append(self.plugs.pop(end).portion())
        return taken

    def shift(self, portions: Iterable[Portion], end: int) -> list[Portion]:
        """Portions come in at an end; returns what they displace at the other."""
        displaced_nl = 0
        for volume_nl, mixture in portions:
            self.put(volume_nl, mixture, end)
            displaced_nl += volume_nl
        return self.take(displaced_nl, TIP if end == PUMP else PUMP)


@dataclass(slots=True)
class Catheter:
    """The path from the pump to the tip, and where all fluid has gone that ever left it; `filled` makes one.

    At all times what was in it at first, what was pushed in and `entered_nl` equal what was pulled back and what is in
    tubing, catheter, `held`, `tip`, `pocket` and `spilled`: in volume, and in mass of each drug.
    """

    tubing: Column
    implanted: Column
    compliance_nl: int
    """What a kinked path takes up by stretching, before nothing more goes in."""
    tip: Pool = field(default_factory=Pool)
    """All that has left at the tip."""
    pocket: Pool = field(default_factory=Pool)
    """All that has gone into the pocket, the tissue around the pump."""
    spilled: Pool = field(default_factory=Pool)
    """All that was in lengths of catheter that have been cut off or taken out."""
    held: Column = field(default_factory=Column)
    """What was pushed in behind a kink."""
    entered_nl: int = 0
    """Fluid without drug that came in from the body, or with a new catheter."""
    occluded: bool = False
    disconnected: bool = False
    leak_ppm: int = 0
    leak_phase: int = 0
    """What the leak has of its next nanolitre, in millionths."""
    plain: Mixture | None = field(default=None, init=False, metadata=DERIVED, repr=False, compare=False)
    """The one mixture that fills a path without a fault; None when there is none, or none has been looked for yet."""

    def __post_init__(self) -> None:
        _require("compliance", self.compliance_nl)
        self._note_plain()

    @classmethod
    def filled(cls, tubing_nl: int, catheter_nl: int, mixture: Mixture, compliance_nl: int) -> Catheter:
        """A path of these volumes, full of a mixture. Raises ValueError for a negative volume."""
        return cls(_column(tubing_nl, mixture), _column(catheter_nl, mixture), compliance_nl)

    def push(self, volume_nl: int, mixture: Mixture) -> int:
        """Push a volume in at the pump; returns how much of it went in, which only a kink makes less."""
        if mixture == self.plain and volume_nl >= 0:
            plugs = self.tip.plugs
            if plugs and plugs[-1].mixture is mixture:
                plugs[-1].volume_nl += volume_nl
            else:
                self.tip.add(volume_nl, mixture)
            return volume_nl
        _require("pushed volume", volume_nl)
        if self._blocked():
            volume_nl = min(volume_nl, self.room_nl())
            self.held.put(volume_nl, mixture, PUMP)
        else:
            self._flow([(volume_nl, mixture)])
        return volume_nl

    def pull(self, volume_nl: int) -> list[Portion]:
        """Turn the flow round; returns what comes back to the pump, which only a kink makes less.

        CSF follows at the tip, or at the torn end. A leak lets nothing in (chosen: suction closes it).
        """
        _require("pulled volume", volume_nl)
        relieved_nl = min(volume_nl, self.held.volume_nl)
        back = self.held.take(relieved_nl, PUMP)
        if self.occluded and not self.disconnected:
            return back
        rest_nl = volume_nl - relieved_nl
        self.entered_nl += rest_nl
        stream = [(rest_nl, CSF)]
        if not self.disconnected:
            stream = self.implanted.shift(stream, TIP)
        back += self.tubing.shift(stream, TIP)
        self._note_plain()
        return back

    def room_nl(self) -> int:
        """The most that would go in now: behind a kink what can still be held, else `NO_LIMIT_NL`."""
        return self.compliance_nl - self.held.volume_nl if self._blocked() else NO_LIMIT_NL

    @property
    def path_nl(self) -> int:
        """Volume from the pump to the tip."""
        return self.tubing.volume_nl + self.implanted.volume_nl

    def next_change_nl(self) -> int | None:
        """The least volume to be pushed in so that another mixture stands at the tip.

        None when there is no other on its way, or when nothing reaches the tip.
        """
        if self.occluded or self.disconnected:
            return None
        if len(self.implanted.plugs) > 1:
            return self._pushed_for(self.implanted.plugs[0].volume_nl)
        plugs = self.implanted.plugs + self.tubing.plugs
        passed_nl = 0
        for plug in self.tubing.plugs:
            joined_nl = self._joining(passed_nl)
            if plug.mixture != plugs[0].mixture and self._joining(passed_nl + plug.volume_nl) > joined_nl:
                change_nl = self._pushed_for(joined_nl + self.implanted.volume_nl)
                return None if change_nl is None else max(passed_nl, change_nl)
            passed_nl += plug.volume_nl
        return None

    def occlude(self) -> None:
        """A kink closes the catheter wholly. With a leak, everything takes that way; otherwise the path stretches."""
        self.occluded = True
        self._note_plain()

    def release(self) -> None:
        """The kink opens, and what was held behind it goes on at once: the bolus after an occlusion."""
        self.occluded = False
        self._relieve()

    def leak(self, leak_ppm: int) -> None:
        """From now on that share of what leaves the tubing goes into the pocket; 0 mends the leak."""
        if not 0 <= leak_ppm <= PPM:
            raise ValueError(f"a leak of {leak_ppm} ppm is not a share")
        self.leak_ppm = leak_ppm
        self._relieve()

    def disconnect(self) -> None:
        """The catheter slips off: all that leaves the tubing goes into the pocket, and the catheter's fluid rests."""
        self.disconnected = True
        self._relieve()

    def reconnect(self) -> None:
        """The catheter is joined to the tubing again."""
        self.disconnected = False
        self._note_plain()

    def cut(self, length_nl: int) -> None:
        """Shorten the catheter from its tip by the length that holds a volume. ValueError if it is not so long."""
        _require("length", length_nl)
        if length_nl > self.implanted.volume_nl:
            raise ValueError(f"a catheter of {self.implanted.volume_nl} nl cannot lose {length_nl} nl")
        _gather(self.spilled, self.implanted.take(length_nl, TIP))
        self._note_plain()

    def replace(self, catheter_nl: int) -> None:
        """Implant a new catheter, full of CSF; the tubing keeps its fluid. It has no kink, leak or disconnection."""
        new = _column(catheter_nl, CSF)
        self.disconnect()
        _gather(self.spilled, self.implanted.take(self.implanted.volume_nl, TIP))
        self.implanted = new
        self.entered_nl += catheter_nl
        self.occluded = self.disconnected = False
        self.leak_ppm = 0
        self._note_plain()

    def _blocked(self) -> bool:
        return self.occluded and not self.disconnected and not self.leak_ppm

    def _relieve(self) -> None:
        if not self._blocked():
            self._flow(self.held.take(self.held.volume_nl, TIP))
        self._note_plain()

    def _flow(self, portions: list[Portion]) -> None:
        stream = self.tubing.shift(portions, PUMP)
        if self.disconnected or self.occluded:
            _gather(self.pocket, stream)
            return
        if self.leak_ppm:
            stream = self._without_leak(stream)
        _gather(self.tip, self.implanted.shift(stream, PUMP))
        self._note_plain()

    def _without_leak(self, stream: list[Portion]) -> list[Portion]:
        kept = []
        for volume_nl, mixture in stream:
            leaked_nl, self.leak_phase = divmod(self.leak_phase + volume_nl * self.leak_ppm, PPM)
            self.pocket.add(leaked_nl, mixture)
            kept.append((volume_nl - leaked_nl, mixture))
        return kept

    def _joining(self, pushed_nl: int) -> int:
        """How much of the next so many nanolitres that leave the tubing gets into the catheter."""
        return pushed_nl - (self.leak_phase + pushed_nl * self.leak_ppm) // PPM

    def _pushed_for(self, joining_nl: int) -> int | None:
        """The least volume to be pushed of which so much gets into the catheter; None when all of it leaks."""
        if self.leak_ppm == PPM:
            return None
        return ((joining_nl - 1) * PPM + self.leak_phase) // (PPM - self.leak_ppm) + 1

    def _note_plain(self) -> None:
        self.plain = None
        if not (self.occluded or self.disconnected or self.leak_ppm):
            mixtures = [plug.mixture for plug in self.tubing.plugs + self.implanted.plugs]
            if mixtures and all(mixture == mixtures[0] for mixture in mixtures):
                self.plain = mixtures[0]


def _require(what: str, volume_nl: int) -> None:
    if volume_nl < 0:
        raise ValueError(f"{what} of {volume_nl} nl is negative")


def _column(volume_nl: int, mixture: Mixture) -> Column:
    _require("column", volume_nl)
    column = Column()
    column.put(volume_nl, mixture, PUMP)
    return column


def _gather(pool: Pool, portions: Iterable[Portion]) -> None:
    for volume_nl, mixture in portions:
        pool.add(volume_nl, mixture)
