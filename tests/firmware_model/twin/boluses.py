"""The twin's boluses: leases, limits, and what a patient may give himself."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusEnd, BolusKind, Mode, Role
from firmware_model.profile import Profile
from tests.firmware_model.twin import week
from tests.firmware_model.twin.alarms import Alarms
from tests.firmware_model.twin.story import CLINICIAN, PATIENT, SECOND, Dosing
from tests.firmware_model.twin.week import ceil_of

_DAY_S = 86_400


@dataclass
class Lease:
    bolus_id: int
    session: int
    kind: BolusKind
    steps: int
    duration_s: int
    ends_at: int


@dataclass
class Given:
    """A bolus that windows count."""

    bolus_id: int
    start_s: int
    end_s: int
    volume_nl: int
    by_patient: bool


class Boluses(Alarms):
    """Replies are an empty text for what is granted, else the name of the reason."""

    def __init__(self, profile: Profile) -> None:
        self.leases: list[Lease] = []
        self.quoted = Lease(1, 1, BolusKind.SINGLE, 0, 0, 0)
        self.given: list[Given] = []
        self.lockout_until_s = 0
        super().__init__(profile)

    def void_leases(self) -> None:
        self.leases = []

    def nothing_to_run(self) -> bool:
        once = self.program.mode is Mode.SINGLE_BOLUS and self.dose_spent
        return self.program.mode is Mode.STOPPED or once

    def why_no_flow(self) -> str:
        """Why no bolus can be given in this state."""
        if not self.running:
            return "ALARM_BLOCKS" if self.holding() else "PUMP_STOPPED"
        return "BOLUS_RUNNING" if self.bolus else ""

    def prepare(self, volume_nl: int, duration_s: int, kind: BolusKind, session: int) -> str:
        refusal = self.why_no_flow()
        if refusal:
            return refusal
        if kind not in (BolusKind.SINGLE, BolusKind.PRIMING, BolusKind.BRIDGE):
            return "KIND"
        if kind in DEAD_VOLUME_KINDS:
            asked = self._dead_volume(kind, volume_nl, duration_s)
            if isinstance(asked, str):
                return asked
            volume_nl, duration_s = asked
        refusal = self._refusal(kind, volume_nl, duration_s)
        if refusal:
            return refusal
        steps = volume_nl // self.step_nl
        if steps == 0:
            return "NOT_QUANTIZABLE"
        refusal = self._refusal(kind, steps * self.step_nl, duration_s)
        if refusal:
            return refusal
        ends_at = self.now + self.profile.bolus.lease_s * SECOND
        self.quoted = Lease(self.new_bolus_id(), session, kind, steps, duration_s, ends_at)
        self.leases = [lease for lease in self.leases if lease.session != session] + [self.quoted]
        return ""

    def execute(self) -> str:
        """What was prepared last, quoted faithfully."""
        refusal = self.why_no_flow()
        if refusal:
            return refusal
        lease = self.quoted
        if lease not in self.leases:
            return "LEASE_EXPIRED" if lease.bolus_id < self.next_bolus_id else "NO_SUCH_BOLUS"
        refusal = self._refusal(lease.kind, lease.steps * self.step_nl, lease.duration_s)
        if refusal:
            return refusal
        self.leases.remove(lease)
        self._begin(lease.bolus_id, lease.kind, lease.steps, lease.duration_s)
        self.follow()
        return ""

    def patient_bolus(self) -> str:
        refusal = self.why_no_flow()
        if refusal:
            return refusal
        setting = self.program.patient
        if not setting.activations_max:
            return "CONDITIONS"
        in_window = [dose for dose in self.given if dose.by_patient and dose.start_s > self.now_s - setting.window_s]
        if self.now_s < self.lockout_until_s or len(in_window) >= setting.activations_max:
            return "LOCKOUT"
        refusal = self._refusal(BolusKind.PATIENT, setting.volume_nl, setting.duration_s)
        if refusal:
            return refusal
        self.lockout_until_s = self.counts_from_s + setting.lockout_s
        steps = setting.volume_nl // self.step_nl
        self._begin(self.new_bolus_id(), BolusKind.PATIENT, steps, setting.duration_s)
        return ""

    def cancel(self) -> str:
        """The bolus that runs, else the one that was quoted last."""
        if self.bolus is None:
            return "ALREADY_ENDED" if self.quoted.bolus_id < self.next_bolus_id else "NO_SUCH_BOLUS"
        op_id = self.next_op(Role.CLINICIAN)
        bolus_id, target = self.bolus.bolus_id, self.bolus.op_id
        self.tell("BOLUS_CANCELLED", op_id, **CLINICIAN, bolus_id=bolus_id, target_op_id=target)
        self.end_bolus(BolusEnd.CANCELLED)
        self.follow()
        return ""

    def cut_short(self, bolus: Dosing) -> None:
        for dose in self.given:
            if dose.bolus_id == bolus.bolus_id:
                dose.end_s, dose.volume_nl = self.counts_from_s, bolus.done * self.step_nl

    def drop_leases(self) -> bool:
        before = len(self.leases)
        self.leases = [lease for lease in self.leases if lease.ends_at > self.now]
        return len(self.leases) < before

    def end_session(self, session: int) -> None:
        self.leases = [lease for lease in self.leases if lease.session != session]

    def _begin(self, bolus_id: int, kind: BolusKind, steps: int, duration_s: int) -> None:
        by_patient = kind is BolusKind.PATIENT
        op_id = self.next_op(Role.PATIENT if by_patient else Role.CLINICIAN)
        actor = PATIENT if by_patient else CLINICIAN
        if kind not in DEAD_VOLUME_KINDS:
            start_s = self.counts_from_s
            self.given.append(Given(bolus_id, start_s, start_s + duration_s, steps * self.step_nl, by_patient))
        self.begin_bolus(Dosing(bolus_id, kind, actor, op_id, steps, duration_s * SECOND, self.now))

    def _refusal(self, kind: BolusKind, volume_nl: int, duration_s: int) -> str:
        if not self.counting:
            return "STALLED"
        limits, program = self.profile.bolus, self.program
        dead_volume = kind in DEAD_VOLUME_KINDS
        shortest_s = max(limits.duration_min_s, ceil_of(volume_nl * _DAY_S, limits.rate_max_nl_per_day))
        if dead_volume:
            if duration_s > limits.dead_volume_duration_max_s:
                return "ABOVE_MAXIMUM"
        else:
            if volume_nl < limits.volume_min_nl:
                return "BELOW_MINIMUM"
            if volume_nl > min(limits.volume_max_nl, program.bolus_volume_max_nl):
                return "ABOVE_MAXIMUM"
            if duration_s > limits.duration_max_s:
                return "ABOVE_MAXIMUM"
            beside = week.fastest(program, self.profile) + week.dose_rate(program)
            free = max(1, self.profile.motor.rate_max_nl_per_day - beside)
            shortest_s = max(shortest_s, ceil_of(volume_nl * _DAY_S, free))
        if duration_s < shortest_s:
            return "BELOW_MINIMUM"
        if volume_nl > self.available_nl:
            return "RESERVOIR"
        return "" if dead_volume or self._fits_its_day(volume_nl) else "WINDOW_LIMIT"

    def _fits_its_day(self, volume_nl: int) -> bool:
        """What was given in the last 24 hours, and the most that the program gives in any, leave room for it."""
        recent = [dose for dose in self.given if dose.end_s > self.now_s - _DAY_S]
        limit_nl = min(self.profile.therapy.window_max_nl, self.program.window_max_nl)
        taken_nl = sum(dose.volume_nl for dose in recent) + week.peak_day_nl(self.program, self.profile)
        longest_s = max(_DAY_S, self.program.patient.window_s)
        remembered = [dose for dose in self.given if dose.end_s > self.now_s - longest_s]
        return volume_nl <= limit_nl - taken_nl and len(remembered) < self.profile.memory.dose_history

    def _dead_volume(self, kind: BolusKind, volume_nl: int, duration_s: int) -> tuple[int, int] | str:
        """What lies in the tubing and the catheter, in whole steps; nothing else is given as such a bolus."""
        catheter_nl, tubing_nl = self.program.catheter_nl, self.profile.catheter.tubing_nl
        if not catheter_nl or (kind is BolusKind.BRIDGE and not self.bridge_nl_per_day):
            return "CONDITIONS"
        whole, part = (tubing_nl + catheter_nl) // self.step_nl, catheter_nl // self.step_nl
        usual = part if kind is BolusKind.PRIMING and self.primed else whole
        steps = volume_nl // self.step_nl if volume_nl else usual
        if steps != whole and not (kind is BolusKind.PRIMING and steps == part):
            return "NOT_AS_PREPARED"
        volume_nl = steps * self.step_nl
        if kind is BolusKind.BRIDGE:
            bridge_s = ceil_of(volume_nl * _DAY_S, self.bridge_nl_per_day)
            return (volume_nl, bridge_s) if duration_s in (0, bridge_s) else "NOT_AS_PREPARED"
        limits = self.profile.bolus
        fastest_s = max(limits.duration_min_s, ceil_of(volume_nl * _DAY_S, limits.rate_max_nl_per_day))
        return volume_nl, duration_s or fastest_s
