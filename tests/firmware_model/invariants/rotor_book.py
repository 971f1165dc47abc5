"""The rotor in the books: what the firmware's samples of it must show, and what they may.

It knows no sample; but whatever keeps the rotor from following for so long is in one, and what does not is in none.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.agenda import NEVER
from firmware_model.profile import Profile
from firmware_model.quantities import US_PER_SECOND
from tests.firmware_model.invariants.causes import stall_noticed_within_us
from tests.firmware_model.invariants.fault_book import EMF, STANDSTILLS, FaultBook
from tests.firmware_model.invariants.flow_book import FlowBook


@dataclass(slots=True)
class RotorBook:
    """Instants are virtual microseconds.

    blocked            the path takes nothing more, as was seen at the last look
    stands_since_us    since when samples must show a standstill, at pulses that come often enough; NEVER if not
    troubled_since_us  since when something can have kept the rotor from following pulses
    """

    profile: Profile
    blocked: bool = False
    stands_since_us: int = NEVER
    troubled_since_us: int = 0
    _rate: int = 0
    _noticed_within_us: int = 0
    _troubled: bool = False
    _calm_since: tuple[int, int] | None = None

    def look(self, flow: FlowBook, faults: FaultBook, *, judged: bool) -> None:
        """Something may have changed: from now on, or still."""
        now_us, troubled = flow.now_us, self.blocked or faults.any_of(EMF)
        if troubled != self._troubled:
            self._troubled = troubled
            if not troubled:
                self._calm_since = (now_us, flow.pulses)
            elif self._was_calm(now_us, flow.pulses):
                self.troubled_since_us = now_us
        stands = self.blocked or faults.any_of(STANDSTILLS)
        shows_motion = faults.newest("emf-lie", "shows", not stands)
        rate = 0 if shows_motion or not judged or not flow.counting or flow.hung else flow.steadiest_rate()
        if rate != self._rate:
            self._rate = rate
            self.stands_since_us = now_us if rate else NEVER
            self._noticed_within_us = stall_noticed_within_us(self.profile, rate) if rate else 0

    def is_late(self, now_us: int) -> bool:
        """Whether a stall should have been noticed before an instant."""
        return now_us - self.stands_since_us > self._noticed_within_us

    def is_early(self, now_us: int) -> bool:
        """Whether fewer samples can have shown a standstill than make a stall."""
        stall = self.profile.stall
        return now_us - self.troubled_since_us < (stall.bad_samples - 1) * stall.sample_s * US_PER_SECOND

    def _was_calm(self, now_us: int, pulses: int) -> bool:
        """Whether a sample must have shown motion since the last trouble was over."""
        if self._calm_since is None:
            return True
        since_us, pulses_then = self._calm_since
        return pulses >= pulses_then + 3 and now_us >= since_us + 2 * self.profile.stall.sample_s * US_PER_SECOND
