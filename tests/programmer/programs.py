"""Programs, files and limits that tests of programming share."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from typing import Any

from hypothesis import strategies as st

from emulator.programmer.program_image import Program
from protocol.fields import UNKNOWN_U32
from protocol.framing import crc32
from protocol.messages.codes import Mode, Warnings
from protocol.messages.link import CapsAnswer
from protocol.messages.program import DRUGS_MAX, DrugEntry, ProgramValidateAnswer

U32_MAX = 0xFFFF_FFFE

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
)

FIRST = Program(
    drugs=(),
    mode=Mode.SIMPLE_CONTINUOUS,
    rate_nl_per_day=620_000,
    rate_max_nl_per_day=24_000_000,
    bolus_volume_max_nl=1_000_000,
    low_reservoir_nl=2_000_000,
)
"""What a pump of the profile reference-20 runs when it leaves the factory."""

NEW_TEXT = """[[drug]]
name = "baclofen"
concentration = "500ug/mL"

[infusion]
rate = "0.5005mL/day"
"""
NEW = replace(FIRST, drugs=(DrugEntry(name="baclofen", concentration_ng_per_ml=500_000),), rate_nl_per_day=500_000)
"""What NEW_TEXT makes of it, rounded down."""


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
    }
    return ProgramValidateAnswer(**(said | wanted))


_NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=16)
_DRUGS = st.lists(
    st.builds(DrugEntry, name=_NAMES, concentration_ng_per_ml=st.integers(1, U32_MAX)),
    max_size=DRUGS_MAX,
    unique_by=lambda drug: drug.name,
).map(tuple)


def with_a_rate_where_it_counts(program: Program, rate_nl_per_day: int) -> Program:
    return replace(program, rate_nl_per_day=rate_nl_per_day if program.mode == Mode.SIMPLE_CONTINUOUS else 0)


PROGRAMS = st.builds(
    with_a_rate_where_it_counts,
    st.builds(
        Program,
        drugs=_DRUGS,
        mode=st.sampled_from(Mode),
        rate_nl_per_day=st.just(0),
        rate_max_nl_per_day=st.integers(1, U32_MAX),
        bolus_volume_max_nl=st.integers(1, U32_MAX),
        low_reservoir_nl=st.integers(0, U32_MAX),
    ),
    st.integers(1, U32_MAX),
)
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

[infusion]
mode = "simple continuous"
rate = "0.62mL/day"

[limits]
rate_max = "2mL/day"
bolus_max = "200uL"

[alarms]
low_reservoir = "2mL"
"""

_MARKS = [mark.encode() for mark in ["[", "]", "{", "}", "=", ",", '"', "'", "#", "\\", "1e9", "5uL"]]
_PIECES = st.sampled_from([*_MARKS, b"\n", b"[[drug]]\n", b"drugs = []", b"\xff"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file with pieces cut out, doubled, put in or turned."""
    data = draw(st.sampled_from([GOOD, *(content for _, content in EXAMPLES)]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 30)))
        piece = draw(
            st.one_of(_PIECES, st.binary(max_size=8), st.just(data[start:end] * 2), st.text(max_size=8).map(str.encode))
        )
        data = data[:start] + piece + data[end:]
    return data
