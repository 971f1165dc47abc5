"""The commanded flow in the books: the integral of every rate that the log has told of, in whole motor pulses.

Nothing here is read from the pump. Base rate, dose and bolus each have their own fraction of a step; the base's is kept
over a stop and lost with the power.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusKind, Mode
from firmware_model.firmware.program import Program
from firmware_model.profile import Profile
from firmware_model.quantities import US_PER_DAY
from tests.firmware_model.invariants.clock_book import ClockBook, WeekBook


@dataclass(slots=True)
class Running:
    """A bolus, or a dose of the program, that has begun. `due` counts steps times us; `gone`: its flow has ended."""

    bolus_id: int
    kind: BolusKind
    role: int
    op_id: int
    steps: int
    duration_us: int
    at_us: int
    due: int = 0
    gone: bool = False

    @property
    def pulses(self) -> int:
        return self.due // self.duration_us

    @property
    def left_us(self) -> int:
        """How long it still has to flow."""
        return -((self.due - self.steps * self.duration_us) // self.steps)


class FlowBook:
    """Who may flow, how fast, and how many pulses that has come to."""

    def __init__(self, profile: Profile, program: Program, clock: ClockBook) -> None:
        self.profile, self.clock = profile, clock
        self.step_nl = profile.motor.step_volume_nl
        self.threshold = self.step_nl * US_PER_DAY
        self.take_program(program)
        self.now_us = 0
        self.powered, self.running = True, True
        self.lowered = self.hung = self.failed = False
        self.bolus: Running | None = None
        self.dose: Running | None = None
        self.base_due = self._past = 0
        self._interval = profile.motor.journal_interval_steps
        # What the firmware must have counted: as delivered, and while a stall was known.
        self._counted = self._stalled = self._marked = 0
        self.counting = True

    def take_program(self, program: Program) -> None:
        self.program = program
        self.week = WeekBook(program) if program.mode is Mode.FLEX else None

    @property
    def pulses(self) -> int:
        """All pulses that must have been given so far."""
        flowing = self._past + self.base_due // self.threshold
        for running in (self.bolus, self.dose):
            if running is not None and not running.gone:
                flowing += running.pulses
        return flowing

    @property
    def counted(self) -> int:
        """The lifetime steps as the firmware must know them."""
        return self._counted + (self.pulses - self._marked if self.counting else 0)

    @property
    def stalled(self) -> int:
        """The lifetime pulses while a stall was known."""
        return self._stalled + (0 if self.counting else self.pulses - self._marked)

    def programmed_rate(self) -> int:
        """What the program asks for at this instant."""
        if self.week is not None and self.clock.valid:
            return self.week.rate(self.clock.local_us(self.now_us))
        return self.constant_rate()

    def base_rate(self) -> int:
        """What should flow at this instant, unless the scheduler hangs."""
        if not self.running or self.moves_dead_volume():
            return 0
        rate = self.programmed_rate()
        return min(rate, self.profile.therapy.rate_min_nl_per_day) if self.lowered else rate

    def rate_nl_per_day(self) -> int:
        """Base, dose and bolus together, rounded up."""
        rate = self.base_rate()
        for running in (self.bolus, self.dose):
            if running is not None and not running.gone:
                rate -= -running.steps * self.step_nl * US_PER_DAY // running.duration_us
        return rate

    def steadiest_rate(self) -> int:
        """The least rate that flows whatever time it is; 0 when it may be none."""
        if not self.running or self.moves_dead_volume():
            return 0
        if self.lowered:
            return min(self.constant_rate() or 1, self.profile.therapy.rate_min_nl_per_day)
        return min(self.week.least, self.constant_rate()) if self.week else self.constant_rate()

    def advance(self, to_us: int) -> None:
        """Let all flow go on to an instant."""
        elapsed_us = to_us - self.now_us
        if not elapsed_us:
            return
        if self.powered and not (self.hung or self.failed):
            if self.running and not self.moves_dead_volume():
                if self.week is not None and self.clock.valid and not self.lowered:
                    self.base_due += self.week.given(self.now_us, to_us, self.clock)
                else:
                    self.base_due += self.base_rate() * elapsed_us
            for running in (self.bolus, self.dose):
                if running is not None and not running.gone:
                    running.due += running.steps * elapsed_us
        self.now_us = to_us

    def end(self, bolus_id: int) -> Running | None:
        """A bolus or dose has ended; returns what is known of it."""
        ended = None
        if self.bolus is not None and self.bolus.bolus_id == bolus_id:
            ended, self.bolus = self.bolus, None
        elif self.dose is not None and self.dose.bolus_id == bolus_id:
            ended, self.dose = self.dose, None
        if ended is not None and not ended.gone:
            self._past += ended.pulses
        return ended

    def know_stall(self, known: bool) -> None:
        """The firmware has found a stall, or its end."""
        self._counted, self._stalled, self._marked = self.counted, self.stalled, self.pulses
        self.counting = not known

    def lose_power(self) -> None:
        """What was volatile is gone; of the counts, memory holds whole intervals."""
        self.know_stall(False)
        self._counted -= self._counted % self._interval
        self._stalled -= self._stalled % self._interval
        self._past += self.base_due // self.threshold
        self.base_due = 0
        for running in (self.bolus, self.dose):
            if running is not None and not running.gone:
                self._past += running.pulses
                running.gone = True
        self._marked = self.pulses
        self.powered = False

    def gain_power(self) -> None:
        """A count goes on at the upper end of what may be."""
        self.count_more(self._interval)
        self.powered = True

    def count_more(self, steps: int) -> None:
        """The firmware has counted so many more than were given."""
        self._counted += steps

    def adopt_counts(self, counted: int, stalled: int, pulses: int, base_due: int, *, counting: bool) -> None:
        """Take the counts up where they stand: the books begin here."""
        self._past = self.base_due = 0
        flowing = self.pulses
        self.base_due, self._past = base_due, pulses - flowing
        self._counted, self._stalled, self._marked, self.counting = counted, stalled, pulses, counting

    def constant_rate(self) -> int:
        """What the program asks for where no schedule says otherwise."""
        mode = self.program.mode
        if mode is Mode.MINIMUM_RATE:
            return self.profile.therapy.rate_min_nl_per_day
        return self.program.rate_nl_per_day if mode in (Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS) else 0

    def moves_dead_volume(self) -> bool:
        """Whether a priming or bridge bolus runs."""
        return self.bolus is not None and self.bolus.kind in DEAD_VOLUME_KINDS
