"""Programs, files and limits that tests of programming share."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from typing import Any

from hypothesis import strategies as st

from emulator.programmer.program_fields import MAX_STABLE_DAYS
from emulator.programmer.program_image import Day, Program, Week
from protocol.fields import UNKNOWN_U32
from protocol.framing import crc32
from protocol.messages.codes import Mode, Warnings
from protocol.messages.link import CapsAnswer
from protocol.messages.program import CHANGES_MAX, DRUGS_MAX, ChangeEntry, DrugEntry, ProgramValidateAnswer

U16_MAX, U32_MAX = 0xFFFF, 0xFFFF_FFFE

CAPS = CapsAnswer(
    volume_quantum_nl=25,
    rate_min_nl_per_day=48_000,
    rate_max_nl_per_day=24_000_000,
    rate_quantum_nl_per_day=1_000,
    bolus_volume_min_nl=1_000,
    bolus_volume_max_nl=1_000_000,
    bolus_duration_min_s=60,
    bolus_duration_max_s=86_400,
    bolus_rate_max_nl_per_day=24_000_000,
    lease_s=30,
    reservoir_capacity_nl=20_000_000,
    low_reservoir_nl=2_000_000,
    empty_reservoir_nl=1_000_000,
    journal_interval_nl=400,
    log_capacity=1_030,
    alarm_capacity=8,
    drugs_max=4,
    concentration_max_ng_per_ml=50_000_000,
    flow_max_nl_per_day=60_000_000,
    window_max_nl=30_000_000,
    dose_history=32,
    dead_volume_duration_max_s=604_800,
    tubing_nl=240_000,
    residual_nl=1_400_000,
    stops_while_programming=0,
    patient_lockout_min_s=300,
    patient_lockout_max_s=86_400,
    patient_window_min_s=3_600,
    patient_window_max_s=86_400,
    patient_activations_max=24,
    stall_sample_s=300,
    stall_samples=4,
    stopped_too_long_s=172_800,
    tone_repeat_min_min=5,
    tone_repeat_max_min=240,
    silence_min=10,
    end_of_service_days=90,
    life_max_days=2_557,
    stream_period_min_s=1,
    stream_period_max_s=3_600,
)

FIRST = Program(
    drugs=(),
    mode=Mode.SIMPLE_CONTINUOUS,
    rate_nl_per_day=620_000,
    rate_max_nl_per_day=24_000_000,
    bolus_volume_max_nl=1_000_000,
    window_max_nl=30_000_000,
    low_reservoir_nl=2_000_000,
)
"""What a pump of the profile reference-20 runs when it leaves the factory."""

NEW_TEXT = """[[drug]]
name = "baclofen"
concentration = "500ug/mL"

[infusion]
rate = "0.5005mL/day"
"""
BACLOFEN = DrugEntry(name="baclofen", concentration_ng_per_ml=500_000, stability_days=0)
NEW = replace(FIRST, drugs=(BACLOFEN,), rate_nl_per_day=500_000)
"""What NEW_TEXT makes of it, rounded down."""


def every_day(*changes: tuple[int, int]) -> Week:
    """A week of equal days: minutes and rates."""
    return (tuple(ChangeEntry(start_min=start, rate_nl_per_day=rate) for start, rate in changes),) * 7


FLEX = replace(NEW, mode=Mode.FLEX, schedule=every_day((0, 400_000), (390, 800_000), (1_320, 400_000)))
PERIODIC = replace(
    NEW,
    mode=Mode.PERIODIC_BOLUS,
    rate_nl_per_day=100_000,
    dose_volume_nl=100_000,
    dose_duration_s=1_800,
    dose_interval_s=21_600,
)
SINGLE = replace(NEW, mode=Mode.SINGLE_BOLUS, rate_nl_per_day=0, dose_volume_nl=50_000, dose_duration_s=1_800)
WITH_PATIENT = replace(
    NEW,
    patient_volume_nl=20_000,
    patient_duration_s=600,
    patient_lockout_s=7_200,
    patient_window_s=86_400,
    patient_activations_max=6,
)
STOPPED = replace(FIRST, mode=Mode.STOPPED, rate_nl_per_day=0)


def summary_of(program: Program, **wanted: Any) -> ProgramValidateAnswer:
    """What VALIDATE says of a program, but for what is wanted otherwise."""
    image, flow_nl_per_day = program.image(), program.flow_nl_per_day(CAPS)
    said = {
        "crc32": crc32(image),
        "image_size": len(image),
        "mode": program.mode,
        "rate_nl_per_day": flow_nl_per_day,
        "steps_per_day": flow_nl_per_day // 25,
        "low_reservoir_in_s": UNKNOWN_U32,
        "low_reservoir_unix_s": UNKNOWN_U32,
        "warnings": Warnings(0),
        "window_peak_nl": 0,
        "boluses_per_day_max": 0,
        "refill_in_s": UNKNOWN_U32,
        "refill_unix_s": UNKNOWN_U32,
        "stability_in_s": UNKNOWN_U32,
    }
    return ProgramValidateAnswer(**(said | wanted))


_NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=16)
_STABILITIES = st.one_of(st.just(0), st.integers(1, MAX_STABLE_DAYS))
_DRUGS = st.lists(
    st.builds(DrugEntry, name=_NAMES, concentration_ng_per_ml=st.integers(1, U32_MAX), stability_days=_STABILITIES),
    max_size=DRUGS_MAX,
    unique_by=lambda drug: drug.name,
).map(tuple)
_SOME = st.integers(1, U32_MAX)


@st.composite
def _days(draw: st.DrawFn) -> Day:
    starts = sorted(draw(st.sets(st.integers(1, 1_439), max_size=CHANGES_MAX - 1)))
    return tuple(ChangeEntry(start_min=start, rate_nl_per_day=draw(_SOME)) for start in (0, *starts))


def weeks() -> st.SearchStrategy[Week]:
    """Weeks of a few patterns, as people make them."""
    patterns = st.lists(_days(), min_size=1, max_size=3)
    return patterns.flatmap(lambda some: st.tuples(*(st.sampled_from(some),) * 7))


@st.composite
def _patients(draw: st.DrawFn) -> dict[str, int]:
    """Values of a patient bolus, or none."""
    if draw(st.booleans()):
        return {}
    return {
        "patient_volume_nl": draw(_SOME),
        "patient_duration_s": draw(_SOME),
        "patient_lockout_s": draw(st.integers(0, U32_MAX)),
        "patient_window_s": draw(_SOME),
        "patient_activations_max": draw(st.integers(1, U16_MAX)),
    }


@st.composite
def _programs(draw: st.DrawFn) -> Program:
    repeats = st.one_of(st.just(0), st.integers(1, U16_MAX))
    program = Program(
        drugs=draw(_DRUGS),
        mode=draw(st.sampled_from(Mode)),
        rate_nl_per_day=draw(_SOME),
        dose_volume_nl=draw(_SOME),
        dose_duration_s=draw(_SOME),
        dose_interval_s=draw(_SOME),
        schedule=draw(weeks()),
        **draw(_patients()),
        rate_max_nl_per_day=draw(_SOME),
        bolus_volume_max_nl=draw(_SOME),
        window_max_nl=draw(_SOME),
        low_reservoir_nl=draw(st.integers(0, U32_MAX)),
        critical_repeat_min=draw(repeats),
        non_critical_repeat_min=draw(repeats),
        catheter_nl=draw(st.one_of(st.just(0), _SOME)),
    )
    if program.mode == Mode.PERIODIC_BOLUS and draw(st.booleans()):
        program = replace(program, rate_nl_per_day=0)
    return program.used()


PROGRAMS = _programs()
"""Any program that can be written down, whether a pump could run it or not."""

EXAMPLES = sorted(
    (file.name, file.read_bytes())
    for file in (resources.files("emulator") / "programs").iterdir()
    if ".toml" in file.name
)
GOOD = b"""# a whole program
[[drug]]
name = "baclofen"
concentration = "500ug/mL"

[[drug]]
name = "clonidine"
concentration = "0.1mg/mL"
stable_for = "90d"

[infusion]
mode = "simple continuous"
rate = "0.62mL/day"

[limits]
rate_max = "2mL/day"
bolus_max = "200uL"

[alarms]
low_reservoir = "2mL"
"""
GOOD_FLEX = b"""# what a flex program says
[infusion]
mode = "flex"
rate = "0.5mL/day"

[schedule]
weekdays = [{ at = "00:00", rate = "0.4mL/day" }, { at = "06:30", rate = "0.8mL/day" }]
saturday = [{ at = "00:00", rate = "0.4mL/day" }]
sunday = [
    { at = "00:00", rate = "0.4mL/day" },
    { at = "09:00", rate = "0.6mL/day" },
]

[patient]
bolus = "20uL"
over = "10min"
lockout = "2h"
most = 6
window = "24h"

[alarms]
critical_repeat = "10min"

[catheter]
volume = "178uL"
"""

_MARKS = [mark.encode() for mark in ["[", "]", "{", "}", "=", ",", '"', "'", "#", "\\", "1e9", "5uL"]]
_PIECES = st.sampled_from(
    [*_MARKS, b"\n", b"[[drug]]\n", b"drugs = []", b"\xff", b"24:00", b"sunday", b"weekend = []", b"none"]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file with pieces cut out, doubled, put in or turned."""
    data = draw(st.sampled_from([GOOD, GOOD_FLEX, *(content for _, content in EXAMPLES)]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        piece = draw(
            st.one_of(_PIECES, st.binary(max_size=8), st.just(data[start:end] * 2), st.text(max_size=8).map(str.encode))
        )
        data = data[:start] + piece + data[end:]
    return data
