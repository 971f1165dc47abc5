"""The twin's programs: what a pump admits, and how another one begins to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from firmware_model.firmware.codes import BolusEnd, Mode, Role, StopReason
from firmware_model.firmware.program import CATHETER_MAX_NL, NO_PATIENT_BOLUS, Program
from firmware_model.firmware.schedule import NO_SCHEDULE
from firmware_model.profile import Profile
from tests.firmware_model.twin import week
from tests.firmware_model.twin.boluses import Boluses
from tests.firmware_model.twin.story import CLINICIAN
from tests.firmware_model.twin.week import ceil_of

_RATED = (Mode.SIMPLE_CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS)
_DOSED = (Mode.SINGLE_BOLUS, Mode.PERIODIC_BOLUS)
_DAY_S = 86_400
Allowed = Iterator[tuple[int, int, int]]
"""Values with the lowest and the highest that would do, in the order in which they are looked at."""


class Programs(Boluses):
    """Staged, validated and committed at once; another drug, another mode, another rate."""

    def change_program(self, program: Program) -> str:
        asked = what_its_mode_uses(program)
        for value, lowest, highest in allowed(asked, self.profile):
            if value < lowest:
                return "BELOW_MINIMUM"
            if value > highest:
                return "ABOVE_MAXIMUM"
        if self.running and self.bolus:
            return "BOLUS_RUNNING"
        program = rounded(asked, self.profile)
        if not self.fits_reservoir(program):
            return "CONCENTRATION_MISMATCH"
        if program.mode is Mode.SINGLE_BOLUS and not self.counting:
            return "STALLED"
        op_id = self.next_op(Role.CLINICIAN)
        rate = week.mean_nl_per_day(program, self.profile)
        self.tell("PROGRAM_CHANGED", op_id, **CLINICIAN, crc32=program.crc32(), mode=program.mode, rate_nl_per_day=rate)
        if self.program.drugs and program.drugs != self.program.drugs:
            self.bridge_nl_per_day = week.mean_nl_per_day(self.program, self.profile)
        self.void_leases()
        self.program, self.dose_spent = program, False
        self.end_dose(BolusEnd.STOPPED)
        if self.stop_reason in (StopReason.NONE, StopReason.PROGRAMMED):
            self._run_anew(program)
        self.lockout_until_s = max(self.lockout_until_s, self.counts_from_s + program.patient.lockout_s)
        self.follow()
        self.clear_gone()
        return ""

    def fits_reservoir(self, program: Program) -> bool:
        drugs = {(drug.name, drug.concentration_ng_per_ml) for drug in program.drugs}
        return not self.mixture or set(self.mixture) == drugs

    def _run_anew(self, program: Program) -> None:
        """No program ends a stop that it did not make, nor one that an alarm demands."""
        self.stop_reason = StopReason.PROGRAMMED if program.mode is Mode.STOPPED else self.reason_to_hold()
        was_running, self.running = self.running, self.stop_reason is StopReason.NONE
        if self.running:
            self.stopped_since_s = 0
            self.take_up()
        elif was_running:
            self.stopped_since_s = self.now_s


def what_its_mode_uses(program: Program) -> Program:
    unused: dict[str, object] = {}
    if program.mode not in _RATED:
        unused["rate_nl_per_day"] = 0
    if program.mode not in _DOSED:
        unused |= {"dose_volume_nl": 0, "dose_duration_s": 0}
    if program.mode is not Mode.PERIODIC_BOLUS:
        unused["dose_interval_s"] = 0
    if program.mode is not Mode.FLEX:
        unused["schedule"] = NO_SCHEDULE
    return replace(program, **unused)  # type: ignore[arg-type] # fields of a program


def rounded(program: Program, profile: Profile) -> Program:
    """Rates to the quantum, volumes to whole steps, always down."""
    quantum, step_nl = profile.therapy.rate_quantum_nl_per_day, profile.motor.step_volume_nl
    days = [
        tuple(change._replace(rate_nl_per_day=change.rate_nl_per_day // quantum * quantum) for change in day)
        for day in program.schedule
    ]
    return replace(
        program,
        rate_nl_per_day=program.rate_nl_per_day // quantum * quantum,
        dose_volume_nl=program.dose_volume_nl // step_nl * step_nl,
        schedule=tuple(days),
        patient=replace(program.patient, volume_nl=program.patient.volume_nl // step_nl * step_nl),
    )


def allowed(program: Program, profile: Profile) -> Allowed:
    """Whoever sees a range knows that what came before was within its own."""
    therapy, bolus, reservoir, motor = profile.therapy, profile.bolus, profile.reservoir, profile.motor
    least_rate = ceil_of(therapy.rate_min_nl_per_day, therapy.rate_quantum_nl_per_day)
    least_rate *= therapy.rate_quantum_nl_per_day
    least_bolus_nl = ceil_of(bolus.volume_min_nl, motor.step_volume_nl) * motor.step_volume_nl
    for drug in program.drugs:
        yield drug.concentration_ng_per_ml, 1, therapy.concentration_max_ng_per_ml
    yield program.rate_max_nl_per_day, least_rate, therapy.rate_max_nl_per_day
    yield program.bolus_volume_max_nl, least_bolus_nl, bolus.volume_max_nl
    if program.mode in _DOSED:
        possible_nl = bolus.rate_max_nl_per_day * bolus.duration_max_s // _DAY_S
        most_nl = min(bolus.volume_max_nl, program.bolus_volume_max_nl, possible_nl, therapy.window_max_nl)
        yield program.dose_volume_nl, least_bolus_nl, most_nl
        fastest_s = ceil_of(program.dose_volume_nl * _DAY_S, bolus.rate_max_nl_per_day)
        yield program.dose_duration_s, max(bolus.duration_min_s, fastest_s), bolus.duration_max_s
    if program.mode is Mode.PERIODIC_BOLUS:
        doses = therapy.window_max_nl // program.dose_volume_nl
        shortest_s = ceil_of(_DAY_S + program.dose_duration_s, doses)
        yield program.dose_interval_s, max(program.dose_duration_s, shortest_s), 0xFFFF_FFFE
    if program.mode in _RATED:
        doses_nl = week.doses_in_a_day(program) * program.dose_volume_nl
        beside_nl = min(motor.rate_max_nl_per_day - week.dose_rate(program), therapy.window_max_nl - doses_nl)
        highest = min(therapy.rate_max_nl_per_day, program.rate_max_nl_per_day, beside_nl)
        if program.mode is Mode.PERIODIC_BOLUS and (program.rate_nl_per_day == 0 or highest < least_rate):
            yield program.rate_nl_per_day, 0, 0
        else:
            yield program.rate_nl_per_day, least_rate, highest
        for day in program.schedule:
            for change in day:
                yield change.rate_nl_per_day, least_rate, highest
    if program.patient != NO_PATIENT_BOLUS:
        yield from _patient(program, profile, least_bolus_nl)
    yield program.window_max_nl, max(1, week.peak_day_nl(program, profile)), therapy.window_max_nl
    yield program.low_reservoir_nl, reservoir.empty_nl, reservoir.capacity_nl
    for repeat_min in (program.critical_repeat_min, program.non_critical_repeat_min):
        if repeat_min:
            yield repeat_min, profile.tones.repeat_min_min, profile.tones.repeat_max_min
    yield program.catheter_nl, 0, CATHETER_MAX_NL


def _patient(program: Program, profile: Profile, least_bolus_nl: int) -> Allowed:
    setting, limits, bolus = program.patient, profile.patient, profile.bolus
    beside = profile.motor.rate_max_nl_per_day - week.fastest(program, profile)
    fastest = min(bolus.rate_max_nl_per_day, beside)
    possible_nl = max(0, fastest) * bolus.duration_max_s // _DAY_S
    yield setting.volume_nl, least_bolus_nl, min(bolus.volume_max_nl, program.bolus_volume_max_nl, possible_nl)
    shortest_s = ceil_of(setting.volume_nl * _DAY_S, max(1, fastest))
    yield setting.duration_s, max(bolus.duration_min_s, shortest_s), bolus.duration_max_s
    yield setting.lockout_s, limits.lockout_min_s, limits.lockout_max_s
    yield setting.window_s, limits.window_min_s, limits.window_max_s
    yield setting.activations_max, 1, limits.activations_max
