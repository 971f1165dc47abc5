"""`vpump profile`: what stands behind a pump, and what is wrong with a profile of one's own."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.assembly import shipped_profiles
from emulator.cli import main

MINE = """
extends = "reference-20"

[reservoir]
low_nl = { value = 3_000_000, chosen = "our clinic refills early" }
"""


def vpump(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["profile", *arguments])


def test_those_that_come_with_it_are_listed() -> None:
    assert [line.split()[0] for line in vpump("list").stdout.splitlines()] == list(shipped_profiles())
    told = json.loads(vpump("list", "--json").stdout)["profiles"]
    assert told[0] == {"name": "reference-20", "model": "VP-20", "reservoir_nl": 20_000_000}


def test_every_parameter_is_shown_with_its_unit_and_source() -> None:
    lines = vpump("show", "reference-20").stdout.splitlines()
    (step,) = (line for line in lines if line.startswith("motor.step_volume_nl"))
    assert step.split()[1:4] == ["25", "nl", "chosen:"]
    told = json.loads(vpump("show", "reference-20", "--json").stdout)
    assert len(told["parameters"]) == len(lines)
    assert {parameter["source"] for parameter in told["parameters"]} == {"found", "chosen"}
    names = [parameter["name"] for parameter in told["parameters"]]
    assert "alarm.low_reservoir.tone" in names
    assert len(set(names)) == len(names)


def test_ones_own_is_what_it_says_and_for_the_rest_what_it_extends(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(MINE)
    assert vpump("check", str(mine)).stdout.startswith("mine: good; ")
    told = json.loads(vpump("show", str(mine), "--json").stdout)
    (low,) = (parameter for parameter in told["parameters"] if parameter["name"] == "reservoir.low_nl")
    assert (low["value"], low["because"]) == (3_000_000, "our clinic refills early")
    counted = json.loads(vpump("check", str(mine), "--json").stdout)
    assert counted["parameters"] == counted["found"] + counted["chosen"] == len(told["parameters"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (MINE.replace("3_000_000", "-1"), "low_nl"),
        (MINE.replace("low_nl", "lowest_nl"), "lowest_nl"),
        (MINE.replace("reference-20", "reference-30"), "reference-30"),
        ("extends = \n[reservoir]", "line 1"),
    ],
)
@pytest.mark.parametrize("verb", ["show", "check"])
def test_what_is_wrong_is_named_in_one_sentence(tmp_path: Path, content: str, said: str, verb: str) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(content)
    result = vpump(verb, str(mine))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_name_that_there_is_not_is_told_with_those_that_there_are() -> None:
    result = vpump("show", "reference-30")
    assert result.exit_code == 2
    assert all(name in result.stderr for name in shipped_profiles())
