"""What is wrong with a scenario file is one sentence, with file, line and field, and nothing of it is run."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from emulator.cli import main
from emulator.scenario.batch import fault_names
from emulator.scenario.declaration import json_schema
from emulator.scenario.reading import LIBRARY, MAX_FILE_BYTES, ScenarioFileError, read_scenario, shipped_scenarios

STEP = '[[step]]\nadvance = "1s"\n'
GOOD = f"""title = "Mine"
kind = "own"
{STEP}[[expect]]
name = "none"
of = "log.count"
equals = 0
why = "nothing happens"
"""


def complaint(text: str | bytes, folder: Path | None = None) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ScenarioFileError) as caught:
        read_scenario("own.toml", data, fault_names(), folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'kind = "own"',
            'kind = "mine"',
            "line 2, kind: invalid enum value 'mine'; allowed are 'bug', 'recall', 'own'.",
        ),
        ('kind = "own"\n', "", "line 1: the field 'kind' is missing."),
        (
            'kind = "own"',
            'kind = "own"\n[pump]\nsed = 1',
            "line 4, pump.sed: there is no field 'sed'; allowed are profile,",
        ),
        ('kind = "own"', 'kind = "own"\n[pump]\nseed = -1', "line 4, pump.seed: expected `int` >= 0."),
        (
            'kind = "own"',
            'kind = "own"\n[pump]\nprofile = "x"',
            "line 4, pump.profile: 'x' is neither a .toml file beside",
        ),
        (
            'kind = "own"',
            'kind = "own"\n[pump]\nprogram = "x"',
            "line 4, pump.program: 'x' is neither a .toml file beside",
        ),
        ('kind = "own"', 'kind = "own"\n[limits]\nvirtual = "1"', "line 4, limits.virtual: '1' has no unit; write"),
        ('advance = "1s"', 'advance = "1s"\nkill = true', "line 3, step: a step has exactly one of fault, task,"),
        ('advance = "1s"', "kill = false", "line 4, step.kill: kill is false; allowed is true, or nothing."),
        (
            'advance = "1s"',
            'fault = "drip"',
            "line 4, step.fault: fault 'drip': verb 'drip' is not known (did you mean drop?);",
        ),
        ('advance = "1s"', 'task = "dance"', "line 4, step.task: 'dance' is no task; allowed are: interrogate, bolus"),
        ('advance = "1s"', 'task = "bolus 5"', "line 4, step.task: task 'bolus 5': '5' has no unit; write a volume"),
        ('advance = "1s"', 'task = "program x"', "line 4, step.task: 'x' is neither a .toml file beside the scenario"),
        (
            'advance = "1s"',
            'when = { at = "1h", after = "1h" }\nkill = true',
            "line 4, step.when: a condition has exactly",
        ),
        (
            'advance = "1s"',
            'when = { event = "x" }\nkill = true',
            "line 4, step.when.event: event 'x' is no kind of event;",
        ),
        ('advance = "1s"', "environment = {}", "line 4, step.environment: neither temperature nor field is there"),
        (
            'advance = "1s"',
            'environment = { temperature = "900C" }',
            "line 4, step.environment.temperature: it is '900C'; allowed is ",
        ),
        ('advance = "1s"', 'identity = "pump"', "line 4, step.identity: 'pump' is no serial number; allowed are up to"),
        (
            'advance = "1s"',
            'keys = { reader = "x" }',
            "line 4, step.keys: a pump has a key for each of reader,",
        ),
        (
            'advance = "1s"',
            'keys = { reader = "SECRET", patient = "SECRET", clinician = "SECRET" }',
            "line 4, step.keys.reader: this is no key; allowed are 32 hex digits in quotes.",
        ),
        (
            'advance = "1s"',
            'expect = "none"',
            "line 4, step.expect: 'none' is no expectation of a step; allowed are none,",
        ),
        (
            "[[expect]]",
            '[[step]]\nwhen = "start"\nkill = true\n[[expect]]',
            "line 6, step.when: start is of the first step; allowed",
        ),
        ("equals = 0", 'equals = "5uL"', "line 8, expect.equals: '5uL' is no number, and log.count is one."),
        ("equals = 0", 'one_of = [1, "5"]', "line 8, expect.one_of: '5' is no number, and log.count is one."),
        ("equals = 0", 'equals = 0\nat = "step"', "line 9, expect.at: no step judges it, so it would never be."),
        ("equals = 0\n", "", "line 5, expect: an expectation has at least one limit of equals, min, max,"),
        ("log.count", "log.number", "line 7, expect.of: 'log.number' is no subject; allowed are truth.FIELD,"),
        (
            "log.count",
            "log.last.detail.volume",
            "line 7, expect.of: an event 'log' has no field 'detail.volume'; allowed",
        ),
        ("equals = 0", 'where = { type = "x" }\nmax = 1', "line 7, expect.of: match 'type' is 'x'; allowed are: boot,"),
        (
            "equals = 0",
            'min = "5uL"',
            "line 8, expect.min: '5uL' is no number, and log.count has no unit to read it with.",
        ),
        (
            'kind = "own"',
            'kind = "own"\nfails = "x"',
            "line 3, fails: 'x' is the name of no expectation; they are none.",
        ),
        ('kind = "own"', "kind = ", "line 2: this is no TOML: Invalid value."),
    ],
)
def test_each_mistake_has_its_sentence(old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert complaint(GOOD.replace(old, new, 1)).startswith(f"own.toml, {said}")


SCHEMA = jsonschema_rs.validator_for(json_schema())


@pytest.mark.parametrize("name", shipped_scenarios())
def test_editors_are_told_that_a_shipped_scenario_is_right(name: str) -> None:
    SCHEMA.validate(tomllib.loads((LIBRARY / f"{name}.toml").read_text()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "own"', 'kind = "mine"'),
        ('kind = "own"', 'kind = "own"\nstroy = "x"'),
        ('advance = "1s"', ""),
        ('advance = "1s"', 'advance = "1s"\ntask = "log"'),
        ('advance = "1s"', 'advance = "1s"\nwhen = { at = "1h", after = "1h" }'),
        ('advance = "1s"', 'advance = "1s"\nwhen = { nth = 2 }'),
        ('advance = "1s"', 'advance = "1s"\nwhen = { at = "1h", match = { type = "boot" } }'),
        ('advance = "1s"', 'advance = "1s"\nwhen = { event = "logg" }'),
        ("equals = 0\n", ""),
        ("equals = 0", "equals = 0\nwithin = 3"),
        ("equals = 0", "equals = 0.5"),
    ],
)
def test_editors_are_told_of_a_mistake(old: str, new: str) -> None:
    assert SCHEMA.is_valid(tomllib.loads(GOOD))
    assert not SCHEMA.is_valid(tomllib.loads(GOOD.replace(old, new, 1)))


def test_what_stands_beside_a_scenario_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text("x = 1")
    folder = tmp_path / "scenarios"
    folder.mkdir()
    for name in ("../secret.toml", str(tmp_path / "secret.toml"), "a\\u0000.toml", f"{'x' * 5_000}.toml"):
        said = complaint(GOOD.replace("[[step]]", f'[pump]\nprogram = "{name}"\n[[step]]', 1), folder)
        assert "is neither a .toml file beside the scenario" in said


def test_a_file_that_is_no_text_or_has_too_much_of_it() -> None:
    assert complaint(b"title = 'x'\n\xff") == "own.toml, line 2: this is not UTF-8 text."
    assert complaint(b"#" * (MAX_FILE_BYTES + 1)).startswith("own.toml is larger than 65536 bytes")
    assert "nested too deeply" in complaint("title = " + "[" * 20_000)


WORDS = st.sampled_from(["title", "step", "when", "at", "name", "equals", "x", "a.b", '""', "fault", "seed", "where"])
VALUES = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        ["nan", "-inf", "1e400", "true", "1979-05-27", "07:32:00", "[]", "[[1]]", "{}", "{ a = { b = 1 } }"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(json.dumps),
    st.sampled_from(["1h", "500uL", "drop answer STATUS", "bolus 5uL", "none", "log.last.op_id", "\\u0000"]).map(
        '"{}"'.format
    ),
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A shipped scenario with a few things changed: a value, a key, a line gone or doubled, a byte."""
    name = draw(st.sampled_from(shipped_scenarios()))
    lines = (LIBRARY / f"{name}.toml").read_text().splitlines()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        key, equals, value = lines[place].partition(" = ")
        match draw(st.integers(0, 4)):
            case 0 if equals:
                lines[place] = f"{key} = {draw(VALUES)}"
            case 1 if equals:
                lines[place] = f"{draw(WORDS)} = {value}"
            case 2:
                lines.insert(place, draw(st.sampled_from(lines)))
            case 3:
                lines.pop(place)
                lines.append("")
            case _:
                at = draw(st.integers(0, len(lines[place])))
                lines[place] = lines[place][:at] + draw(st.text(max_size=2)) + lines[place][at + 1 :]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@given(spoilt())
def test_a_spoilt_file_is_a_scenario_or_one_sentence(data: bytes) -> None:
    try:
        read_scenario("own.toml", data, fault_names())
    except ScenarioFileError as error:
        said = str(error)
        assert re.match(r"own\.toml(, line \d+| has a number| is nested)", said), said
        assert said.endswith(".")
        assert len(said.splitlines()) == 1


def test_nothing_is_run_when_one_of_several_files_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text(GOOD.replace("own", "mine"))
    for verb, more in (("run", ["--out", str(tmp_path / "out"), "--junit", str(tmp_path / "x.xml")]), ("check", [])):
        result = CliRunner().invoke(
            main, ["scenario", verb, *(str(tmp_path / f"{n}.toml") for n in ("good", "bad")), *more]
        )
        assert result.exit_code == 2
        assert result.stdout == ""
        assert re.fullmatch(r"vpump: \S+bad\.toml, line 2, kind: .*\.\n", result.stderr)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad.toml", "good.toml"]
