"""The twin's delivery: base rate, the program's dose, a bolus; how each begins, flows on, and ends."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusEnd, BolusKind, Mode, StopReason
from firmware_model.profile import Profile
from tests.firmware_model.twin import week
from tests.firmware_model.twin.story import DAY, NOBODY, SECOND, Dosing, Story


class Delivery(Story):
    """The k-th base step falls where the volume that has flowed at all rates so far reaches k steps."""

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        # What the base rate had brought at an instant, and what it brings since then.
        self.flowed_nl, self.flowed_at, self.flow_nl_per_day = Fraction(0), 0, 0
        self.base_steps = 0
        self.base_step_at: int | None = None
        self.stepped_at: list[int] = []
        self.next_bolus_id = 1
        self.primed, self.bridge_nl_per_day = False, 0
        # What the samples of the rotor have shown: see `naive_pump.py`.
        self.counting, self.stalled_pulses = True, 0
        self.sampled_pulses = self.bad_samples = self.good_samples = 0
        self.follow()

    def programmed_rate(self) -> int:
        if self.program.mode is Mode.FLEX and self.clock_valid:
            return week.minutes_of(self.program.schedule)[week.minute_of(self.local_us)]
        return week.constant_rate(self.program, self.profile)

    def wanted_rate(self) -> int:
        """Dead volume is moved without the base rate."""
        return self.programmed_rate() if self.running and not self.moves_dead_volume() else 0

    def moves_dead_volume(self) -> bool:
        return self.bolus is not None and self.bolus.kind in DEAD_VOLUME_KINDS

    def follow(self) -> None:
        self.flow(self.wanted_rate())

    def flow(self, rate_nl_per_day: int) -> None:
        """The base rate is this from now on; a fraction of a step stays."""
        self.flowed_nl += Fraction(self.flow_nl_per_day * (self.now - self.flowed_at), DAY)
        self.flowed_at, self.flow_nl_per_day = self.now, rate_nl_per_day
        self.base_step_at = self._next_base_step()

    def _next_base_step(self) -> int | None:
        if not self.flow_nl_per_day:
            return None
        missing_nl = (self.base_steps + 1) * self.step_nl - self.flowed_nl
        return self.flowed_at + ceil(missing_nl * DAY / self.flow_nl_per_day)

    def step_instants(self) -> list[int]:
        dosings = [dosing for dosing in (self.dose, self.bolus) if dosing and dosing.done < dosing.steps]
        instants = [dosing.next_step_at() for dosing in dosings]
        return instants if self.base_step_at is None else [*instants, self.base_step_at]

    def make_steps(self) -> None:
        """All steps that fall on this instant."""
        while self.base_step_at == self.now:
            self.base_steps += 1
            self.base_step_at = self._next_base_step()
            self._step()
        for dosing in (self.dose, self.bolus):
            while dosing and dosing.done < dosing.steps and dosing.next_step_at() == self.now:
                dosing.done += 1
                self._step()

    def _step(self) -> None:
        self.fluid.pulse()
        self.stepped_at.append(self.now)
        if self.counting:
            self.steps += 1
        else:
            self.stalled_pulses += 1

    def halt(self, reason: StopReason, actor: dict[str, int] = NOBODY, op_id: int = 0) -> None:
        """Therapy stops; what runs of boluses is ended by whoever calls this."""
        self.flow(0)
        bolus_id, given_nl = (self.bolus.bolus_id, self.bolus.done * self.step_nl) if self.bolus else (0, 0)
        self.tell("THERAPY_STOPPED", op_id, **actor, reason=reason, bolus_id=bolus_id, delivered_max_nl=given_nl)
        if self.running:
            self.running, self.stopped_since_s = False, self.now_s
        self.stop_reason = reason

    def take_up(self) -> None:
        """Therapy begins to run its program."""
        if self.program.mode is Mode.PERIODIC_BOLUS:
            self.dose_anchor = self.now
        elif self.program.mode is Mode.SINGLE_BOLUS:
            self.begin_dose()
            self.dose_spent = True

    def begin_dose(self) -> None:
        program = self.program
        steps = program.dose_volume_nl // self.step_nl
        bolus_id = self.new_bolus_id()
        self.dose = Dosing(bolus_id, BolusKind.PROGRAMMED, NOBODY, 0, steps, program.dose_duration_s * SECOND, self.now)
        self._tell_begun(self.dose)

    def begin_bolus(self, bolus: Dosing) -> None:
        self.bolus = bolus
        self._tell_begun(bolus)

    def new_bolus_id(self) -> int:
        self.next_bolus_id += 1
        return self.next_bolus_id - 1

    def _tell_begun(self, dosing: Dosing) -> None:
        self.tell(
            "BOLUS_STARTED",
            dosing.op_id,
            **dosing.actor,
            bolus_id=dosing.bolus_id,
            volume_nl=dosing.steps * self.step_nl,
            duration_s=dosing.duration_us // SECOND,
            kind=dosing.kind,
        )

    def end_bolus(self, reason: BolusEnd) -> None:
        """The bolus that somebody asked for has ended, if there is one."""
        bolus = self.bolus
        if bolus is None:
            return
        self._tell_ended(bolus, reason)
        self.bolus = None
        if reason is BolusEnd.COMPLETE and bolus.kind is BolusKind.PRIMING:
            self.primed = True
        if reason is BolusEnd.COMPLETE and bolus.kind is BolusKind.BRIDGE:
            self.bridge_nl_per_day = 0
        if reason is not BolusEnd.COMPLETE:
            self.cut_short(bolus)

    def end_dose(self, reason: BolusEnd) -> None:
        """The program's own dose has ended, if there is one; a program of one dose stops the pump with it."""
        if self.dose is None:
            return
        self._tell_ended(self.dose, reason)
        self.dose = None
        if self.program.mode is Mode.SINGLE_BOLUS and self.dose_spent and self.running:
            self.halt(StopReason.PROGRAMMED)
            self.end_bolus(BolusEnd.STOPPED)

    def cut_short(self, bolus: Dosing) -> None:
        """What windows know of a bolus that has not been given wholly: see `boluses.py`."""
        raise NotImplementedError

    def _tell_ended(self, dosing: Dosing, reason: BolusEnd) -> None:
        least_steps = dosing.seen if reason is BolusEnd.STALL else dosing.done
        self.tell(
            "BOLUS_ENDED",
            dosing.op_id,
            **dosing.actor,
            reason=reason,
            bolus_id=dosing.bolus_id,
            delivered_min_nl=least_steps * self.step_nl,
            delivered_max_nl=dosing.done * self.step_nl,
        )
