"""A pump told the plain way: one instant after the other, one step after the other, in the order that docs give.

At one instant: motor steps (base, the program's dose, a bolus), what happens to the plant, the end of a bolus, of a
dose, low and empty reservoir, a sample of the rotor, too long a stop, a new day, another rate, a dose, an alarm that
sounds again, the end of a lease, and then whoever stands at the bedside.

Nothing here knows how the model computes; it shares its words and its profile only. It has no memory to lose, no power
to cut, and a cell that never tires.
"""

from __future__ import annotations

from fractions import Fraction

from firmware_model.faults import DeviceFault
from firmware_model.firmware.codes import AlarmType, BolusEnd, Mode, Role, StopReason
from firmware_model.profile import Profile
from tests.firmware_model.twin import week
from tests.firmware_model.twin.fluid import contents_of
from tests.firmware_model.twin.programs import Programs
from tests.firmware_model.twin.story import CLINICIAN, DAY, SECOND
from tests.firmware_model.twin.tester import NEVER, TwinFault

_STAYING = (StopReason.EMPTY_RESERVOIR, StopReason.END_OF_SERVICE)
Drugs = tuple[tuple[str, int], ...]


class NaiveTwin(Programs):
    """Its acts have the names of those of `Hand`. Replies are an empty text, else the name of the reason."""

    def __init__(self, profile: Profile) -> None:
        self.faults: list[TwinFault] = []
        self.lie: bool | None = None
        super().__init__(profile)
        self.sampled_at = self.day_at = 0

    def advance(self, now: int) -> None:
        """Everything up to and including an instant."""
        self._settle()
        while (instant := min(self._instants())) <= now:
            self.now = instant
            self.make_steps()
            self._settle()
        self.now = now

    def _instants(self) -> list[int]:
        """When something may happen next, after now."""
        instants = [
            *self.step_instants(),
            *(fault.next_change() for fault in self.faults),
            *(lease.ends_at for lease in self.leases),
            *(alarm.silent_until_s * SECOND for alarm in self.alarms if alarm.silent),
            self._next_sample(),
            self.day_at + DAY,
            self._next_rate(),
        ]
        if not self.running:
            instants.append((self.stopped_since_s + self.profile.supervisor.stopped_too_long_s) * SECOND)
        if self.running and self.program.mode is Mode.PERIODIC_BOLUS:
            instants.append(self._next_dose())
        return [instant for instant in instants if instant > self.now]

    def _settle(self) -> None:
        """What is due at this instant, the first of it first, until nothing is."""
        while (
            self._change_faults()
            or self._complete()
            or self._levels()
            or self._sample()
            or self._stopped_too_long()
            or self._begin_day()
            or self._follow_schedule()
            or self._periodic_dose()
            or self.sound_again()
            or self.drop_leases()
        ):
            pass

    def _complete(self) -> bool:
        if self.bolus and self.bolus.done == self.bolus.steps:
            self.end_bolus(BolusEnd.COMPLETE)
        elif self.dose and self.dose.done == self.dose.steps:
            self.end_dose(BolusEnd.COMPLETE)
        else:
            return False
        self.follow()
        return True

    def _levels(self) -> bool:
        for kind in (AlarmType.LOW_RESERVOIR, AlarmType.EMPTY_RESERVOIR):
            if self.is_there(kind) and not self.stands(kind):
                self.raise_alarm(kind)
                return True
        return False

    def _next_sample(self) -> int:
        return self.sampled_at + self.profile.stall.sample_s * SECOND

    def _sample(self) -> bool:
        """The rotor is looked at: has it followed the last pulse, if there was one since the last look?"""
        if self.now < self._next_sample():
            return False
        self.sampled_at = self.now
        limits, fluid = self.profile.stall, self.fluid
        if fluid.pulses == self.sampled_pulses:
            return True
        self.sampled_pulses = fluid.pulses
        if fluid.followed if self.lie is None else self.lie:
            self.bad_samples, self.good_samples = 0, self.good_samples + 1
            for dosing in (self.bolus, self.dose):
                if dosing is not None:
                    dosing.seen = dosing.done
            if not self.counting and self.good_samples >= limits.good_samples:
                self._end_stall()
        else:
            self.bad_samples, self.good_samples = self.bad_samples + 1, 0
            if self.counting and self.bad_samples >= limits.bad_samples:
                self._begin_stall()
        return True

    def _begin_stall(self) -> None:
        self.counting = False
        self.raise_anew(AlarmType.MOTOR_STALL)

    def _end_stall(self) -> None:
        self.counting = True
        standing = [alarm for alarm in self.alarms if alarm.stands and alarm.type is AlarmType.MOTOR_STALL]
        instance = standing[0].instance if standing else 0
        self.tell("STALL_ENDED", instance=instance, pulses=self.stalled_pulses)

    def _stopped_too_long(self) -> bool:
        kind = AlarmType.STOPPED_TOO_LONG
        if not self.is_there(kind) or self.stands(kind):
            return False
        self.raise_alarm(kind)
        return True

    def _begin_day(self) -> bool:
        if self.now < self.day_at + DAY:
            return False
        self.day_at = self.now
        self.tell("DELIVERED", steps=self.steps, volume_nl=(self.steps - self.told_steps) * self.step_nl)
        self.told_steps = self.steps
        return True

    def _next_rate(self) -> int:
        """When the minute of the next other rate comes, by the pump's own clock."""
        if self.program.mode is not Mode.FLEX or not self.clock_valid or not self.running:
            return NEVER
        local_us = week.next_change_us(self.program.schedule, self.local_us)
        if local_us is None:
            return NEVER
        when = self.clock.when(local_us - self.offset_min * week.MINUTE - self.clock_base_us, self.now)
        return NEVER if when is None else when

    def _follow_schedule(self) -> bool:
        if self.flow_nl_per_day == self.wanted_rate():
            return False
        self.follow()
        return True

    def _next_dose(self) -> int:
        return self.dose_anchor + self.program.dose_interval_s * SECOND

    def _periodic_dose(self) -> bool:
        if self.program.mode is not Mode.PERIODIC_BOLUS or not self.running or self.now < self._next_dose():
            return False
        self.dose_anchor = self._next_dose()
        if self.counting and self.dose is None and not self.moves_dead_volume():
            self.begin_dose()
        return True

    def stop(self) -> str:
        op_id = self.next_op(Role.CLINICIAN)
        stays = self.stop_reason if self.stop_reason in _STAYING else StopReason.COMMANDED
        self.void_leases()
        self.halt(StopReason.COMMANDED, CLINICIAN, op_id)
        self.stop_reason = stays
        self.end_bolus(BolusEnd.STOPPED)
        self.end_dose(BolusEnd.STOPPED)
        return ""

    def start(self) -> str:
        if self.running:
            return "ALREADY_IN_STATE"
        if self.holding():
            return "ALARM_BLOCKS"
        if self.nothing_to_run():
            return "CONDITIONS"
        if not self.fits_reservoir(self.program):
            return "CONCENTRATION_MISMATCH"
        if self.program.mode is Mode.SINGLE_BOLUS and not self.counting:
            return "STALLED"
        op_id = self.next_op(Role.CLINICIAN)
        self.running, self.stop_reason, self.stopped_since_s = True, StopReason.NONE, 0
        self.tell("THERAPY_STARTED", op_id, **CLINICIAN, rate_nl_per_day=self.programmed_rate())
        self.take_up()
        self.follow()
        self.clear_gone()
        return ""

    def refill(self, volume_nl: int, drugs: Drugs) -> str:
        """Drained as far as a syringe can, filled up to a volume, and told to the pump."""
        measured_nl = self.fluid.withdraw(self.fluid.volume_nl)
        contents = contents_of({name: Fraction(concentration) for name, concentration in drugs})
        self.fluid.inject(max(0, volume_nl - self.fluid.volume_nl), contents)
        if volume_nl > self.profile.reservoir.capacity_nl:
            return "ABOVE_MAXIMUM"
        op_id = self.next_op(Role.CLINICIAN)
        computed_nl = self.reservoir_nl
        self.tell("REFILLED", op_id, **CLINICIAN, computed_nl=computed_nl, measured_nl=measured_nl, volume_nl=volume_nl)
        self.filled_nl, self.filled_at_steps, self.mixture = volume_nl, self.steps, drugs
        self.lockout_until_s = max(self.lockout_until_s, self.counts_from_s + self.program.patient.lockout_s)
        self.void_leases()
        self.clear_gone()
        return ""

    def set_time(self, unix_s: int, offset_min: int) -> str:
        if not unix_s or abs(offset_min) > 1_440:
            return "CLOCK_INVALID"
        op_id, rate = self.next_op(Role.CLINICIAN), self.flow_nl_per_day
        self.tell("TIME_SET", op_id, **CLINICIAN, unix_s=unix_s, offset_min=offset_min, rate_nl_per_day=rate)
        self.clock_base_us = unix_s * SECOND - self.clock.reading_us(self.now)
        self.offset_min, self.clock_valid = offset_min, True
        self.clock.restart(self.now)
        self.clear_gone()
        self.follow()
        return ""

    def wait(self) -> str:
        return ""

    def look(self) -> str:
        """Looking changes nothing."""
        return ""

    def fault(self, fault: DeviceFault) -> str:
        self.faults.append(TwinFault.armed(fault, self.now))
        self._settle()
        return ""

    def clear_faults(self) -> str:
        self.faults = []
        self._take_faults()
        return ""

    def _change_faults(self) -> bool:
        due = next((fault for fault in self.faults if fault.next_change() <= self.now), None)
        if due is None:
            return False
        _, begins = due.changes.pop(0)
        due.active = begins
        self._take_faults()
        if begins and due.fault.verb == "clock-jump":
            self.clock.jump(due.value("s"), self.now)
        if begins and due.fault.verb == "clock-loss":
            self.clock.lose(self.now)
            if self.clock_valid:
                self.clock_valid = False
                if not self.stands(AlarmType.CLOCK_LOST):
                    self.raise_alarm(AlarmType.CLOCK_LOST)
        self.follow()
        return True

    def _take_faults(self) -> None:
        """All that is wrong now, in the order in which it was armed.

        No sample looks at a pulse that a sound motor has had before something changed.
        """
        doubtful = self.fluid.stalled or not self.fluid.followed or self.fluid.miss_every or self.lie is not None
        if self.counting and not self.bad_samples and not doubtful:
            self.sampled_pulses = self.fluid.pulses
        active = [fault for fault in self.faults if fault.active]
        of = {verb: [fault for fault in active if fault.fault.verb == verb] for verb in {f.fault.verb for f in active}}
        self.fluid.stalled = "stall" in of or "intermittent-stall" in of
        self.fluid.miss(of["missed-steps"][-1].value("one_in") if "missed-steps" in of else 0)
        self.lie = bool(of["emf-lie"][-1].value("shows")) if "emf-lie" in of else None
        gain_ppm = drift_ppm = 0
        for fault in of.get("gain-error", []):
            gain_ppm = max(-1_000_000, gain_ppm + fault.value("ppm"))
        for fault in of.get("clock-drift", []):
            drift_ppm = max(-1_000_000, min(1_000_000, drift_ppm + fault.value("ppm")))
        self.fluid.gain_ppm = gain_ppm
        self.clock.drift(drift_ppm, self.now)
