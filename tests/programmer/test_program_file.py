"""A program as a file: what it says comes back, and whatever is wrong with it is one sentence with its line."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.programmer import program_limits
from emulator.programmer.program_fields import field_of_block
from emulator.programmer.program_file import (
    MAX_FILE_BYTES,
    ProgramFile,
    ProgramFileError,
    load_program_file,
    read_program_file,
)
from emulator.programmer.program_image import Program, program_of
from emulator.programmer.program_limits import wanted_program
from emulator.programmer.program_text import program_text
from emulator.programmer.toml_lines import KeyPath, key_lines
from protocol.messages.codes import Block, Mode
from protocol.messages.program import DrugEntry
from tests.programmer.programs import CAPS, EXAMPLES, FIRST, GOOD, PROGRAMS, STOPPED, U32_MAX

WIDE = replace(
    CAPS,
    volume_quantum_nl=1,
    rate_min_nl_per_day=1,
    rate_max_nl_per_day=U32_MAX,
    rate_quantum_nl_per_day=1,
    bolus_volume_min_nl=1,
    bolus_volume_max_nl=U32_MAX,
    reservoir_capacity_nl=U32_MAX,
    empty_reservoir_nl=0,
    drugs_max=5,
    concentration_max_ng_per_ml=U32_MAX,
    patient_lockout_min_s=0,
    patient_lockout_max_s=U32_MAX,
    patient_window_min_s=1,
    patient_window_max_s=U32_MAX,
    tone_repeat_min_min=1,
    tone_repeat_max_min=0xFFFF,
)
"""Limits that admit nearly everything."""


def read(text: str | bytes) -> ProgramFile:
    return read_program_file("p.toml", text if isinstance(text, bytes) else text.encode())


def complaint(text: str | bytes, active: Program = FIRST) -> str:
    """The sentence that a file gets, from its reader or for a pump with a program."""
    with pytest.raises(ProgramFileError) as caught:
        wanted_program(read(text), active, CAPS)
    sentence = str(caught.value)
    assert sentence.startswith("p.toml")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    return sentence


@settings(max_examples=60)
@given(PROGRAMS, PROGRAMS)
def test_a_program_that_was_written_is_read_as_itself_over_any_other(program: Program, active: Program) -> None:
    file = read(program_text(program))
    # A pump judges its ranges elsewhere.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(program_limits, "ranges", lambda *_: iter(()))
        assert wanted_program(file, active, WIDE) == program


@given(PROGRAMS)
def test_an_image_is_its_program(program: Program) -> None:
    assert program_of(program.image()) == program


@given(PROGRAMS, st.integers(0, 714), st.integers(1, 255))
def test_another_image_is_another_program_or_none(program: Program, place: int, turned: int) -> None:
    image = bytearray(program.image())
    image[place] ^= turned
    try:
        other = program_of(bytes(image))
    except ValueError:
        return
    assert other != program
    assert other.image() == bytes(image)


def test_what_a_file_says_is_laid_over_what_the_pump_has() -> None:
    assert wanted_program(read(GOOD), STOPPED, CAPS) == Program(
        drugs=(
            DrugEntry(name="baclofen", concentration_ng_per_ml=500_000, stability_days=0),
            DrugEntry(name="clonidine", concentration_ng_per_ml=100_000, stability_days=90),
        ),
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=620_000,
        rate_max_nl_per_day=2_000_000,
        bolus_volume_max_nl=200_000,
        window_max_nl=30_000_000,
        low_reservoir_nl=2_000_000,
    )


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("[infusion]\nrate = '0.5mL/day'", {"rate_nl_per_day": 500_000}),
        ("[limits]\nwindow_max = '2mL'", {"window_max_nl": 2_000_000}),
        ("[alarms]\ncritical_repeat = '10min'", {"critical_repeat_min": 10}),
        ("[alarms]\nnon_critical_repeat = 'default'", {"non_critical_repeat_min": 0}),
        ("[catheter]\nvolume = '178uL'", {"catheter_nl": 178_000}),
        ("[catheter]\nvolume = 'unknown'", {"catheter_nl": 0}),
        (
            "[[drug]]\nname = 'a'\nconcentration = '1ug/mL'\nstable_for = '180d'",
            {"drugs": (DrugEntry(name="a", concentration_ng_per_ml=1_000, stability_days=180),)},
        ),
        ("infusion.rate = '0.5mL/day'", {"rate_nl_per_day": 500_000}),
        ("infusion = { rate = '0.5mL/day' }", {"rate_nl_per_day": 500_000}),
        ("[infusion]\r\nmode = 'stopped'\r\n", {"mode": Mode.STOPPED, "rate_nl_per_day": 0}),
        ("\ufeff[alarms]\nlow_reservoir = '3mL'", {"low_reservoir_nl": 3_000_000}),
        (
            "[[drug]]\nname = 'a'\nconcentration = '1mcg/ml'",
            {"drugs": (DrugEntry(name="a", concentration_ng_per_ml=1_000, stability_days=0),)},
        ),
    ],
)
def test_all_else_stays(text: str, changed: dict[str, object]) -> None:
    assert wanted_program(read(text), FIRST, CAPS) == replace(FIRST, **changed)  # type: ignore[arg-type]  # by name


def test_drugs_can_be_none() -> None:
    mixture = wanted_program(read(GOOD), FIRST, CAPS)
    assert wanted_program(read("drugs = []"), mixture, CAPS) == replace(mixture, drugs=())


@pytest.mark.parametrize(("name", "data"), EXAMPLES)
def test_the_shipped_examples_are_programs(name: str, data: bytes) -> None:
    assert read_program_file(name, data).said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", r"p\.toml says nothing; a program may say \[\[drug\]\].*\[infusion\].*\[schedule\].*\[catheter\]"),
        ("# nothing\n\n[limits]\n", "says nothing"),
        ("\nbasal = 1", r"line 2: there is no field 'basal'; a program may say"),
        ("[infusoin]\nmode = 'stopped'", r"line 1: there is no section \[infusoin\] \(did you mean infusion\?\)"),
        ("[infusion]\n\nrat = '1mL/day'", r"line 3: there is no infusion\.rat \(did you mean rate\?\); infusion has"),
        ("infusion = 5", r"line 1: infusion must be a section: write \[infusion\]"),
        ("[infusion]\nmode = 3", r"line 2: infusion\.mode is a number, but must be text in quotes, such as \"simple"),
        ("[infusion]\nmode = ['stopped']", r"line 2: infusion\.mode is a list"),
        ("[infusion]\nmode = true", r"line 2: infusion\.mode is true or false"),
        ("[infusion]\nmode = 2030-01-01", r"line 2: infusion\.mode is a time"),
        ("[infusion]\nmode = 'minimal rate'", r"line 2: .*did you mean minimum rate\?.*stopped, minimum rate, "),
        ("[infusion]\nrate = 0.62", r"line 2: infusion\.rate: '0\.62' has no unit; write a rate.*in quotes"),
        ("[infusion]\nrate = 1", "'1' has no unit"),
        ("[infusion]\nrate = '0.62mL'", r"line 2: infusion\.rate: '0\.62mL' has the unit 'mL', which is not known"),
        ("[infusion]\nrate = '0mL/day'", "is zero"),
        ("[infusion]\nrate = '0.0005uL/day'", "finer than 1 nL/day"),
        ("[infusion]\nrate = \"1\\u001bmL/day\"", r"infusion\.rate is '1\\x1bmL/day'"),
        ("[infusion]\nmode = 'stopped'\nrate = '1mL/day'", r"line 3: infusion\.rate is only for the modes simple con"),
        ("[limits]\nbolus_max = '100'", r"line 2: limits\.bolus_max: '100' has no unit; write a volume"),
        ("[alarms]\nlow_reservoir = 'low'", r"line 2: alarms\.low_reservoir: 'low' is not a number"),
        ("drugs = ['baclofen']", r"line 1: drugs can only be \[\]"),
        ("drugs = []\n[[drug]]\nname = 'a'\nconcentration = '1ug/mL'", r"line 1: drugs can only be \[\]"),
        ("[drug]\nname = 'a'", r"line 1: write each drug as a section \[\[drug\]\]"),
        ("drug = []", r"line 1: write each drug as a section \[\[drug\]\]"),
        ("[[drug]]\nname = 'a'", r"line 1: this drug has no concentration; write concentration = \"500ug/mL\""),
        ("\n[[drug]]\nconcentration = '1ug/mL'", r"line 2: this drug has no name"),
        ("[[drug]]\nname = 1.5", r"line 2: drug\.name is a number"),
        ("[[drug]]\nname = 'seventeen letters'", r"line 2: .*'seventeen letters' is not 1 to 16 characters of"),
        ("[[drug]]\nname = 'na\u00efve'", "printable ASCII"),
        ("[[drug]]\nname = 'a'\nconcentration = '500ug'", r"line 3: drug\.concentration: '500ug' has the unit 'ug'"),
        ("[[drug]]\nname = 'a'\nconcentration = '0.5ng/mL'", r"line 3: drug\.concentration: .*finer than 1 ng/mL"),
        ("[[drug]]\nname = 'a'\nconcentration = '1ng/mL'\n" * 2, r"line 5: drug\.name: 'a' is there twice"),
        ("".join(f"[[drug]]\nname = '{i}'\nconcentration = '1ng/mL'\n" for i in range(6)), "line 16: this is drug 6"),
        ("[limits\nrate_max = 1", "line 1: this is no TOML"),
        ("[limits]\nrate_max = '1mL/day'\nrate_max = '1mL/day'\n", "line 3: this is no TOML: Cannot overwrite a value"),
        (b"[limits]\n# \xff", "line 2: this is not UTF-8 text"),
        ("a = " + "[" * 5_000, "nested too deeply"),
        ("a = " + "1" * 5_000, "a number that is too long"),
        ("[infusion]\nrate = 1e999999999999999999", "has no unit"),
        ("[infusion]\nover = '90s30ms'", r"line 2: infusion\.over: '90s30ms' is no whole number of 1s"),
        ("[infusion]\nmode = 'flex'\ndose = '1uL'", r"line 3: infusion\.dose is only for the modes single bolus and p"),
        ("[infusion]\nmode = 'single bolus'\nevery = '1h'", r"infusion\.every is only for the mode periodic bolus"),
        ("[patient]\nmost = '6'", r"line 2: patient\.most is text, but must be a whole number, such as 6"),
        ("[patient]\nmost = 6.0", r"line 2: patient\.most is a number, but must be a whole number"),
        ("[patient]\nmost = true", r"line 2: patient\.most is true or false, but must be a whole number"),
        ("[patient]\nmost = 0", r"line 2: patient\.most: '0' is no number from 1 to 65535"),
        ("[patient]\nbolus = 'off'", r"line 2: patient\.bolus: 'off' is not a number.*, such as 50uL, or \"none\""),
        ("[patient]\nbolus = 'none'\n\nmost = 6", r"line 4: patient\.most is there, but patient\.bolus is \"none\""),
        ("patient = true", r"line 1: patient must be a section: .*or patient = false for no patient boluses"),
        ("[alarms]\ncritical_repeat = '90s'", r"critical_repeat: '90s' is no whole number of 1min.*or \"default\""),
        ("[alarms]\ncritical_repeat = '60d'", r"'60d' is too large; at most 45d 12h 15min is allowed"),
        ("[[drug]]\nname = 'a'\nstable_for = '36501d'", "'36501d' is too large; at most 36500d is allowed"),
        ("[[drug]]\nname = 'a'\nstable_for = '36h'", r"line 3: drug\.stable_for: '36h' is no whole number of 1d"),
        ("[catheter]\nvolume = '178'", r"line 2: catheter\.volume: '178' has no unit.*or \"unknown\""),
        ("[infusion]\nrate = '" + "1" * 5_000 + "'", "1…'"),
        (b" " * (MAX_FILE_BYTES + 1), "larger than 65536 bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_with_its_line(text: str | bytes, said: str) -> None:
    assert re.search(said, complaint(text))


@pytest.mark.parametrize("name", ["missing.toml", ".", "nul\0.toml"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProgramFileError, match=r"cannot be read: .+\.$"):
        load_program_file(tmp_path / name)


def test_the_fields_of_blocks_are_the_programs() -> None:
    assert field_of_block(Block.DRUGS, 0) == "drugs"
    assert field_of_block(Block.INFUSION, 1) == "rate_nl_per_day"
    assert field_of_block(Block.SCHEDULE, 6) == "sunday"
    assert field_of_block(Block.PATIENT, 0) == "patient_volume_nl"
    assert field_of_block(Block.ALARMS, 0) == "low_reservoir_nl"
    assert field_of_block(Block.ALARMS, 3) is None
    assert field_of_block(Block.IMAGE, 0) is None


def test_lines_of_keys() -> None:
    document = """drugs = []  # [not.this]
x."y z".w = \"\"\"a = 1
b = 2\"\"\"
[[drug]]
name = 'a#b'
list = [
  {a = 1, b.c = [1.5, 2]},

  {},
]
[[drug]]
'it''s' = 1979-05-27 07:32:00
[drug.deep]
z = 1
""".replace("'it''s'", '"it\'s"')
    tomllib.loads(document)
    lines = key_lines(document)
    wanted: dict[KeyPath, int] = {
        ("drugs",): 1,
        ("x", "y z", "w"): 2,
        ("drug", 0): 4,
        ("drug", 0, "name"): 5,
        ("drug", 0, "list"): 6,
        ("drug", 0, "list", 0, "b", "c"): 7,
        ("drug", 0, "list", 1): 9,
        ("drug", 1): 11,
        ("drug", 1, "it's"): 12,
        ("drug", 1, "deep"): 13,
        ("drug", 1, "deep", "z"): 14,
    }
    assert {path: lines[path] for path in wanted} == wanted


VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


def written(value: object) -> str:
    """A value as TOML, in one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{written(key)} = {written(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(written(each) for each in value) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return json.dumps(value)


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_each_key_is_on_the_line_that_it_was_written_on(table: dict[str, object], gaps: list[int]) -> None:
    lines: list[str] = []
    wanted: dict[KeyPath, int] = {}
    for (key, value), gap in zip(table.items(), gaps, strict=False):
        lines += ["# = [", *[""] * gap, f"{written(key)} = {written(value)}"]
        wanted[(key,)] = len(lines)
    document = "\n".join(lines)
    assert tomllib.loads(document).keys() == table.keys()
    found = key_lines(document)
    assert {path: line for path, line in found.items() if len(path) == 1} == wanted
    assert all(line == wanted[path[:1]] for path, line in found.items())
