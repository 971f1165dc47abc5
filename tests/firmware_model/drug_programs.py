"""Programs for the tests, their image as the wire encodes it, and Hypothesis strategies for good and bad ones."""

from dataclasses import asdict, replace

from hypothesis import strategies as st

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.program import (
    CATHETER_MAX_NL,
    CHANGES_PER_DAY,
    DRUG_PLACES,
    NO_PATIENT_BOLUS,
    Drug,
    PatientBolusSetting,
    Program,
    check_limits,
)
from firmware_model.firmware.schedule import NO_SCHEDULE, WEEKDAYS, Change, Day, Week
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY
from protocol.fields import encode
from protocol.messages import codes as wire
from protocol.messages.program import (
    AlarmsBlock,
    CatheterBlock,
    ChangeEntry,
    DrugEntry,
    DrugsBlock,
    InfusionBlock,
    LimitsBlock,
    PatientBlock,
    ScheduleBlock,
)
from tests.firmware_model.pump_profiles import LONG_LOG

BLOCKS = (
    Block.DRUGS,
    Block.INFUSION,
    Block.SCHEDULE,
    Block.PATIENT,
    Block.LIMITS,
    Block.ALARMS,
    Block.CATHETER,
)
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
_NO_DRUG = DrugEntry(name="", concentration_ng_per_ml=0, stability_days=0)
_NO_CHANGE = ChangeEntry(start_min=0xFFFF, rate_nl_per_day=0)


def wire_blocks(program: Program) -> dict[Block, bytes]:
    """The blocks of a program as a host sends them: from the wire's own tables."""
    drugs = tuple(DrugEntry(**asdict(drug)) for drug in program.drugs)
    days = [tuple(ChangeEntry(**change._asdict()) for change in day) for day in program.schedule]
    filled = {
        weekday: (day + (_NO_CHANGE,) * CHANGES_PER_DAY)[:CHANGES_PER_DAY]
        for weekday, day in zip(WEEKDAYS, days, strict=True)
    }
    return {
        Block.DRUGS: encode(DrugsBlock(drugs=(drugs + (_NO_DRUG,) * DRUG_PLACES)[:DRUG_PLACES])),
        Block.INFUSION: encode(
            InfusionBlock(
                mode=wire.Mode[program.mode.name],
                rate_nl_per_day=program.rate_nl_per_day,
                dose_volume_nl=program.dose_volume_nl,
                dose_duration_s=program.dose_duration_s,
                dose_interval_s=program.dose_interval_s,
            )
        ),
        Block.SCHEDULE: encode(ScheduleBlock(**filled)),
        Block.PATIENT: encode(PatientBlock(**asdict(program.patient))),
        Block.LIMITS: encode(
            LimitsBlock(
                rate_max_nl_per_day=program.rate_max_nl_per_day,
                bolus_volume_max_nl=program.bolus_volume_max_nl,
                window_max_nl=program.window_max_nl,
            )
        ),
        Block.ALARMS: encode(
            AlarmsBlock(
                low_reservoir_nl=program.low_reservoir_nl,
                critical_repeat_min=program.critical_repeat_min,
                non_critical_repeat_min=program.non_critical_repeat_min,
            )
        ),
        Block.CATHETER: encode(CatheterBlock(catheter_nl=program.catheter_nl)),
    }


def wire_image(program: Program) -> bytes:
    return b"".join(wire_blocks(program).values())


def new_program(profile: Profile = LONG_LOG, **values: object) -> Program:
    """What a pump of this profile runs at first, with other values."""
    first = Program(
        drugs=(),
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=profile.therapy.rate_nl_per_day,
        rate_max_nl_per_day=profile.therapy.rate_max_nl_per_day,
        bolus_volume_max_nl=profile.bolus.volume_max_nl,
        window_max_nl=profile.therapy.window_max_nl,
        low_reservoir_nl=profile.reservoir.low_nl,
    )
    return replace(first, **values)  # type: ignore[arg-type]


FLEX_DAY = ((0, 500_000), (480, 900_000), (1_320, 600_000))
"""Minutes and rates: more by day, less by night."""


def same_every_day(*changes: tuple[int, int]) -> Week:
    """A week of equal days: minutes and rates."""
    return (tuple(Change(start_min, rate) for start_min, rate in changes),) * len(WEEKDAYS)


_names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=16)
_stabilities = st.one_of(st.just(0), U16)


def mixtures(concentrations: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Drug, ...]]:
    drugs = st.builds(Drug, _names, concentrations, _stabilities)
    return st.lists(drugs, max_size=DRUG_PLACES, unique_by=lambda drug: drug.name).map(tuple)


def days(rates: st.SearchStrategy[int], most: int = CHANGES_PER_DAY) -> st.SearchStrategy[Day]:
    """Days with a change at minute 0 and others behind it."""
    later = st.lists(st.tuples(st.integers(1, 1_439), rates), max_size=most - 1, unique_by=lambda change: change[0])
    changes = st.tuples(rates, later).map(lambda day: [(0, day[0]), *sorted(day[1])])
    return changes.map(lambda day: tuple(Change(start_min, rate) for start_min, rate in day))


def schedules(rates: st.SearchStrategy[int], most: int = CHANGES_PER_DAY) -> st.SearchStrategy[Week]:
    """Weeks of a few patterns, as people make them."""
    patterns = st.lists(days(rates, most), min_size=1, max_size=3)
    return patterns.flatmap(lambda some: st.tuples(*(st.sampled_from(some),) * len(WEEKDAYS)))


any_programs = st.builds(
    Program,
    drugs=mixtures(U32),
    mode=st.sampled_from(sorted(set(Mode) - {Mode.FLEX})),
    rate_nl_per_day=U32,
    dose_volume_nl=U32,
    dose_duration_s=U32,
    dose_interval_s=U32,
    schedule=st.one_of(st.just(NO_SCHEDULE), schedules(U32)),
    patient=st.builds(PatientBolusSetting, U32, U32, U32, U32, U16),
    rate_max_nl_per_day=U32,
    bolus_volume_max_nl=U32,
    window_max_nl=U32,
    low_reservoir_nl=U32,
    critical_repeat_min=U16,
    non_critical_repeat_min=U16,
    catheter_nl=U32,
).map(lambda program: program if program.schedule == NO_SCHEDULE else replace(program, mode=Mode.FLEX))
"""Every program that has an image; hardly any that a pump would run."""


def near(lowest: int, highest: int) -> st.SearchStrategy[int]:
    """Numbers around a range: mostly within, at its ends, and beside them."""
    edges = [max(0, lowest - 1), lowest, lowest + 1, max(0, highest - 1), highest, highest + 1]
    return st.one_of(st.integers(lowest, highest), st.sampled_from(edges))


def programs_near(profile: Profile) -> st.SearchStrategy[Program]:
    """Programs that this pump would run, and such as it only just would not."""
    therapy, bolus, reservoir, patient = profile.therapy, profile.bolus, profile.reservoir, profile.patient
    rates = near(therapy.rate_min_nl_per_day, therapy.rate_max_nl_per_day)
    volumes = near(bolus.volume_min_nl, bolus.volume_max_nl)
    durations = near(bolus.duration_min_s, bolus.duration_max_s)
    repeats = st.one_of(st.just(0), near(profile.tones.repeat_min_min, profile.tones.repeat_max_min))
    settings = st.builds(
        PatientBolusSetting,
        volumes,
        durations,
        near(patient.lockout_min_s, patient.lockout_max_s),
        near(patient.window_min_s, patient.window_max_s),
        near(1, patient.activations_max),
    )
    return st.builds(
        Program,
        drugs=st.one_of(
            mixtures(st.integers(1, therapy.concentration_max_ng_per_ml)),
            mixtures(near(1, therapy.concentration_max_ng_per_ml)),
        ),
        mode=st.sampled_from(Mode),
        rate_nl_per_day=st.one_of(rates, st.just(0)),
        dose_volume_nl=volumes,
        dose_duration_s=durations,
        dose_interval_s=near(bolus.duration_min_s, 30 * SECONDS_PER_DAY),
        schedule=schedules(rates, most=4),
        patient=st.one_of(st.just(NO_PATIENT_BOLUS), settings),
        rate_max_nl_per_day=st.one_of(st.just(therapy.rate_max_nl_per_day), rates),
        bolus_volume_max_nl=st.one_of(st.just(bolus.volume_max_nl), volumes),
        window_max_nl=st.one_of(st.just(therapy.window_max_nl), near(1, therapy.window_max_nl)),
        low_reservoir_nl=near(reservoir.empty_nl, reservoir.capacity_nl),
        critical_repeat_min=repeats,
        non_critical_repeat_min=repeats,
        catheter_nl=near(0, CATHETER_MAX_NL),
    )


def mended(program: Program, refusal: Refusal) -> Program:
    """The program with what a refusal says would do, in place of what it refuses."""
    if refusal.reason is Reason.TOO_MANY_DRUGS:
        return replace(program, drugs=program.drugs[: refusal.detail])
    clamp = min if refusal.reason is Reason.ABOVE_MAXIMUM else max
    match Block(refusal.element):
        case Block.DRUGS:
            concentrations = [clamp(drug.concentration_ng_per_ml, refusal.detail) for drug in program.drugs]
            drugs = [
                replace(drug, concentration_ng_per_ml=concentration)
                for drug, concentration in zip(program.drugs, concentrations, strict=True)
            ]
            return replace(program, drugs=tuple(drugs))
        case Block.SCHEDULE:
            week, number = list(program.schedule), WEEKDAYS.index(refusal.field)
            week[number] = tuple(
                change._replace(rate_nl_per_day=clamp(change.rate_nl_per_day, refusal.detail))
                for change in week[number]
            )
            return replace(program, schedule=tuple(week))
        case Block.PATIENT:
            patient = replace(program.patient, **{refusal.field: refusal.detail})
            return replace(program, patient=patient)
        case _:
            return replace(program, **{refusal.field: refusal.detail})  # type: ignore[arg-type]


def mended_for(program: Program, profile: Profile) -> Program:
    """What comes of a program when a host does what each refusal says: at last one that this pump would run."""
    for _ in range(100):
        refusal = check_limits(program, profile)
        if refusal is None:
            return program
        before, program = program, mended(program, refusal)
        assert program != before
    raise AssertionError(f"still refused: {program}")
