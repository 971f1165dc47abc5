"""The tables of a profile for people: parameters with their sources, and alarms, a row for each."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from emulator.assembly import load_profile, shipped_profiles
from emulator.reference import alarm_table, parameter_table, profiles_page
from firmware_model.firmware.codes import AlarmType
from firmware_model.profile import ALARM_SECTIONS, SECTIONS, AlarmModel, Profile
from tests.firmware_model.pump_profiles import parsed

PROFILES = [load_profile(name) for name in shipped_profiles()]
QUIET = parsed(
    """extends = "reference-20"
[therapy]
stops_while_programming = { value = true, chosen = "a | b" }
[alarm.reset]
tone = { value = "none", chosen = "our own" }
repeat_min = { value = 0, chosen = "our own" }
latching = { value = false, chosen = "for a test" }
flow = { value = "minimum", chosen = "for a test" }
""",
    "quiet",
)


def rows_of(table: str) -> dict[str, list[str]]:
    """The cells of a Markdown table by the first one, without its headings."""
    rows = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    assert len({len(each) for each in cells}) == 1
    return {each[0].strip("`"): each[1:] for each in cells[2:]}


@pytest.mark.parametrize("profile", [*PROFILES, QUIET], ids=lambda profile: profile.name)
def test_every_alarm_has_its_row_and_each_value_its_source(profile: Profile) -> None:
    table = alarm_table(profile)
    rows = rows_of(table)
    assert list(rows) == [kind.name.lower() for kind in AlarmType]
    sources = dict(re.findall(r"^([0-9]+)\. (.*)$", table, re.MULTILINE))
    assert list(sources) == [str(number) for number in range(1, len(sources) + 1)]
    assert len(set(sources.values())) == len(sources)
    for section, kind in ALARM_SECTIONS.items():
        cells = rows[kind.name.lower()]
        told = [sources[number] for cell in cells for number in re.findall(r"\[([0-9]+)\]", cell)]
        named = [profile.sources[f"{section}.{item.name}"] for item in fields(AlarmModel)]
        assert told == [f"{source.kind}: {source.text}" for source in named]


def test_a_row_says_what_the_profile_says() -> None:
    reset = [cell.partition(" [")[0] for cell in rows_of(alarm_table(QUIET))["reset"]]
    assert reset == ["no", "none", "once", "no", "by itself, when its cause has gone", "minimum"]
    stall = [cell.partition(" [")[0] for cell in rows_of(alarm_table(QUIET))["motor_stall"]]
    assert stall == ["yes", "dual", "every 10 min", "yes", "when a clinician clears it", "continue"]


@pytest.mark.parametrize("profile", [*PROFILES, QUIET], ids=lambda profile: profile.name)
def test_the_table_of_parameters_has_all_of_them_with_value_and_source(profile: Profile) -> None:
    rows = rows_of(parameter_table(profile))
    assert list(rows) == [f"{section}.{item.name}" for section, model in SECTIONS.items() for item in fields(model)]
    for name, (meaning, value, source) in rows.items():
        assert meaning
        assert value
        said = profile.sources[name]
        assert source.replace(r"\|", "|") == f"{said.kind}: {said.text}"


def test_numbers_flags_and_texts_stand_as_a_profile_has_them() -> None:
    rows = rows_of(parameter_table(QUIET))
    assert rows["reservoir.capacity_nl"][1] == "20,000,000 nl"
    assert rows["therapy.stops_while_programming"][1] == "true"
    assert rows["device.model"][1] == "VP-20"
    assert list(rows_of(parameter_table(QUIET, ["stall"]))) == [f"stall.{name}" for name in (
        "sample_s", "bad_samples", "good_samples"
    )]  # fmt: skip


def test_the_page_tells_what_flags_and_words_are_allowed() -> None:
    page = profiles_page()
    assert "(`true`, `false`)" in page
    assert "| `flow` | what it does to the flow while it stands | `continue`, `minimum`, `stop` |" in page
    for profile in PROFILES:
        assert alarm_table(profile) in page
