"""A pump told the plain way: one motor step after the other, each at the instant that its definition gives.

The k-th base step falls where the volume that has flowed at the programmed rates reaches k steps, the k-th of a bolus
of N steps over D microseconds at ceil(k * D / N) after its start. At one instant: base steps, bolus steps, the end of
the bolus, low reservoir, empty reservoir, the end of a lease, and then whoever stands at the bedside.

Nothing here knows how the model computes; it shares its words and its profile only.
"""

import zlib
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from firmware_model.firmware.codes import AlarmType, BolusEnd, Mode, StopReason
from firmware_model.firmware.program import Program
from firmware_model.profile import Profile
from tests.firmware_model.drug_programs import new_program, wire_image

DAY_US = 86_400_000_000
SECOND_US = 1_000_000

Happening = tuple[int, str, dict[str, int]]


@dataclass
class TwinLease:
    bolus_id: int
    steps: int
    duration_us: int
    ends_at: int


@dataclass
class TwinBolus:
    bolus_id: int
    op_id: int
    steps: int
    duration_us: int
    started_at: int
    done: int = 0

    def next_step_at(self) -> int:
        return self.started_at + ceil(Fraction((self.done + 1) * self.duration_us, self.steps))


class NaiveTwin:
    """Replies are an empty text for a granted command, else the name of the reason."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.step_nl = profile.motor.step_volume_nl
        self.now = 0
        self.program = new_program(profile)
        self.running = True
        self.stopped_by = StopReason.NONE
        # What the base rate had brought at an instant, and what it brings since then.
        self.flowed_nl, self.flowed_at = Fraction(0), 0
        self.flow_nl_per_day = profile.therapy.rate_nl_per_day
        self.base_steps = 0
        self.bolus_steps_ever = 0
        self.bolus: TwinBolus | None = None
        self.lease: TwinLease | None = None
        self.bolus_ids = 0
        self.op_high = 0
        self.alarms: list[AlarmType] = []
        self.happened: list[Happening] = []
        self.stepped_at: list[int] = []
        self._tell("BOOT", reset_reason=1, memory=0, generation=0)

    @property
    def steps(self) -> int:
        return self.base_steps + self.bolus_steps_ever

    @property
    def reservoir_nl(self) -> int:
        return max(0, self.profile.reservoir.initial_volume_nl - self.steps * self.step_nl)

    @property
    def available_nl(self) -> int:
        return max(0, self.reservoir_nl - self.profile.reservoir.empty_nl)

    def advance(self, now: int) -> None:
        self._settle()
        while (instant := self._next_instant()) is not None and instant <= now:
            self.now = instant
            while self._next_base_step_at() == instant:
                self.base_steps += 1
                self.stepped_at.append(instant)
            while self.bolus and self.bolus.done < self.bolus.steps and self.bolus.next_step_at() == instant:
                self.bolus.done += 1
                self.bolus_steps_ever += 1
                self.stepped_at.append(instant)
            self._settle()
        self.now = now

    def stop(self) -> str:
        self.op_high += 1
        empty = self.stopped_by is StopReason.EMPTY_RESERVOIR
        self._run(False, self.stopped_by if empty else StopReason.COMMANDED)
        self.lease = None
        bolus_id, given = self._given()
        self._tell("THERAPY_STOPPED", reason=StopReason.COMMANDED, bolus_id=bolus_id, delivered_max_nl=given)
        self._end_bolus(BolusEnd.STOPPED)
        return ""

    def start(self) -> str:
        if self.running:
            return "ALREADY_IN_STATE"
        if AlarmType.EMPTY_RESERVOIR in self.alarms:
            return "ALARM_BLOCKS"
        if self.program.mode is Mode.STOPPED:
            return "CONDITIONS"
        self.op_high += 1
        self._run(True, StopReason.NONE)
        self._tell("THERAPY_STARTED", rate_nl_per_day=self._programmed_nl_per_day())
        return ""

    def change_program(self, program: Program) -> str:
        """Staged, validated and committed at once."""
        refusal = self._check_program(program)
        if refusal:
            return refusal
        if self.bolus:
            return "BOLUS_RUNNING"
        self.op_high += 1
        self.lease = None
        quantum = self.profile.therapy.rate_quantum_nl_per_day
        rate = program.rate_nl_per_day // quantum * quantum if program.mode is Mode.SIMPLE_CONTINUOUS else 0
        self.program = replace(program, rate_nl_per_day=rate)
        if self.running or self.stopped_by is StopReason.PROGRAMMED:
            runs = program.mode is not Mode.STOPPED
            self._run(runs, StopReason.NONE if runs else StopReason.PROGRAMMED)
        rate = self._programmed_nl_per_day()
        crc32 = zlib.crc32(wire_image(self.program))
        self._tell("PROGRAM_CHANGED", crc32=crc32, mode=program.mode, rate_nl_per_day=rate)
        return ""

    def prepare(self, volume_nl: int, duration_s: int) -> str:
        refusal = self._check_state() or self._check_limits(volume_nl, duration_s)
        if refusal:
            return refusal
        steps = volume_nl // self.step_nl
        if steps == 0:
            return "NOT_QUANTIZABLE"
        refusal = self._check_limits(steps * self.step_nl, duration_s)
        if refusal:
            return refusal
        self.bolus_ids += 1
        lease_us = self.profile.bolus.lease_s * SECOND_US
        self.lease = TwinLease(self.bolus_ids, steps, duration_s * SECOND_US, self.now + lease_us)
        return ""

    def execute(self, bolus_id: int) -> str:
        """What was prepared last, quoted faithfully."""
        if self._check_state():
            return self._check_state()
        if self.lease is None or self.lease.bolus_id != bolus_id:
            return "LEASE_EXPIRED" if bolus_id <= self.bolus_ids else "NO_SUCH_BOLUS"
        lease = self.lease
        volume_nl, duration_s = lease.steps * self.step_nl, lease.duration_us // SECOND_US
        refusal = self._check_limits(volume_nl, duration_s)
        if refusal:
            return refusal
        self.op_high += 1
        self.lease = None
        self.bolus = TwinBolus(lease.bolus_id, self.op_high, lease.steps, lease.duration_us, self.now)
        self._tell("BOLUS_STARTED", bolus_id=bolus_id, volume_nl=volume_nl, duration_s=duration_s)
        return ""

    def cancel(self, bolus_id: int) -> str:
        if self.bolus is None or self.bolus.bolus_id != bolus_id:
            return "ALREADY_ENDED" if bolus_id <= self.bolus_ids else "NO_SUCH_BOLUS"
        self.op_high += 1
        self._tell("BOLUS_CANCELLED", bolus_id=bolus_id, target_op_id=self.bolus.op_id)
        self._end_bolus(BolusEnd.CANCELLED)
        return ""

    def _run(self, running: bool, stopped_by: StopReason) -> None:
        """The base rate is another from now on; a fraction of a step stays."""
        self.flowed_nl += Fraction(self.flow_nl_per_day * (self.now - self.flowed_at), DAY_US)
        self.flowed_at = self.now
        self.running, self.stopped_by = running, stopped_by
        self.flow_nl_per_day = self._programmed_nl_per_day() if running else 0

    def _programmed_nl_per_day(self) -> int:
        least = self.profile.therapy.rate_min_nl_per_day
        flows = {Mode.STOPPED: 0, Mode.MINIMUM_RATE: least, Mode.SIMPLE_CONTINUOUS: self.program.rate_nl_per_day}
        return flows[self.program.mode]

    def _next_base_step_at(self) -> int | None:
        if not self.flow_nl_per_day:
            return None
        missing_nl = (self.base_steps + 1) * self.step_nl - self.flowed_nl
        return self.flowed_at + ceil(missing_nl * DAY_US / self.flow_nl_per_day)

    def _next_instant(self) -> int | None:
        base_step_at = self._next_base_step_at()
        instants = [] if base_step_at is None else [base_step_at]
        if self.bolus:
            instants.append(self.bolus.next_step_at())
        if self.lease:
            instants.append(self.lease.ends_at)
        return min(instants, default=None)

    def _settle(self) -> None:
        """What an instant brings once its steps are made."""
        levels = self.profile.reservoir
        if self.bolus and self.bolus.done == self.bolus.steps:
            self._end_bolus(BolusEnd.COMPLETE)
        if self.reservoir_nl <= self.program.low_reservoir_nl and AlarmType.LOW_RESERVOIR not in self.alarms:
            self._raise(AlarmType.LOW_RESERVOIR, priority=1)
        if self.reservoir_nl <= levels.empty_nl and AlarmType.EMPTY_RESERVOIR not in self.alarms:
            self._raise(AlarmType.EMPTY_RESERVOIR, priority=2)
            bolus_id, given = self._given()
            if self.running:
                reason = StopReason.EMPTY_RESERVOIR
                self._run(False, reason)
                self._tell("THERAPY_STOPPED", reason=reason, bolus_id=bolus_id, delivered_max_nl=given)
            self._end_bolus(BolusEnd.EMPTY)
            self.lease = None
        if self.lease and self.lease.ends_at <= self.now:
            self.lease = None

    def _raise(self, kind: AlarmType, priority: int) -> None:
        self.alarms.append(kind)
        self._tell(
            "ALARM_RAISED",
            instance=len(self.alarms),
            type=kind,
            priority=priority,
            reservoir_nl=self.reservoir_nl,
            steps=self.steps,
        )

    def _given(self) -> tuple[int, int]:
        return (self.bolus.bolus_id, self.bolus.done * self.step_nl) if self.bolus else (0, 0)

    def _end_bolus(self, reason: BolusEnd) -> None:
        if self.bolus:
            bolus_id, given = self._given()
            self.bolus = None
            self._tell("BOLUS_ENDED", reason=reason, bolus_id=bolus_id, delivered_min_nl=given, delivered_max_nl=given)

    def _check_state(self) -> str:
        if not self.running:
            return "PUMP_STOPPED"
        return "BOLUS_RUNNING" if self.bolus else ""

    def _check_limits(self, volume_nl: int, duration_s: int) -> str:
        limits = self.profile.bolus
        fastest_s = ceil(Fraction(volume_nl * 86_400, limits.rate_max_nl_per_day))
        if volume_nl < limits.volume_min_nl:
            return "BELOW_MINIMUM"
        if (
            volume_nl > min(limits.volume_max_nl, self.program.bolus_volume_max_nl)
            or duration_s > limits.duration_max_s
        ):
            return "ABOVE_MAXIMUM"
        if duration_s < max(limits.duration_min_s, fastest_s):
            return "BELOW_MINIMUM"
        return "RESERVOIR" if volume_nl > self.available_nl else ""

    def _check_program(self, program: Program) -> str:
        therapy, bolus, reservoir = self.profile.therapy, self.profile.bolus, self.profile.reservoir
        ranges = [
            *((drug.concentration_ng_per_ml, 1, therapy.concentration_max_ng_per_ml) for drug in program.drugs),
            (program.rate_max_nl_per_day, therapy.rate_min_nl_per_day, therapy.rate_max_nl_per_day),
            (program.bolus_volume_max_nl, bolus.volume_min_nl, bolus.volume_max_nl),
        ]
        if program.mode is Mode.SIMPLE_CONTINUOUS:
            highest = min(program.rate_max_nl_per_day, therapy.rate_max_nl_per_day)
            rounded = program.rate_nl_per_day - program.rate_nl_per_day % therapy.rate_quantum_nl_per_day
            # A rate may be both, where a profile leaves none; then it is too low.
            ranges.append((rounded, therapy.rate_min_nl_per_day, rounded))
            ranges.append((program.rate_nl_per_day, 0, highest))
        ranges.append((program.low_reservoir_nl, reservoir.empty_nl, reservoir.capacity_nl))
        for value, lowest, highest in ranges:
            if value < lowest:
                return "BELOW_MINIMUM"
            if value > highest:
                return "ABOVE_MAXIMUM"
        return ""

    def _tell(self, word: str, **detail: int) -> None:
        self.happened.append((self.now, word, detail))
