"""Profiles: the shipped ones, and what is said to somebody whose own one cannot be used."""

from dataclasses import fields

import pytest

from emulator import identity
from emulator.assembly import load_profile, shipped_profiles
from firmware_model.firmware.codes import AlarmType
from firmware_model.profile import ALARM_SECTIONS, ORDERED, SECTIONS, AlarmModel, Profile
from firmware_model.profile_text import ProfileError, parse_profile
from tests.firmware_model.pump_profiles import parsed, shipped, shipped_text

SECTION_NAMES = (
    "device, motor, reservoir, therapy, bolus, patient, catheter, memory, log, clock, cell, stall, supervisor, tones,"
    " stream, alarm.low_reservoir, alarm.empty_reservoir, alarm.memory_failure, alarm.memory_repaired,"
    " alarm.replacement,"
    " alarm.end_of_service, alarm.motor_stall, alarm.stopped_too_long, alarm.low_battery_reset, alarm.reset,"
    " alarm.clock_lost, alarm.program_incomplete, alarm.supervisor"
)
FIXED_BY_THE_PROTOCOL = {"drugs_max"}


def keys() -> list[str]:
    sections = {**SECTIONS, **dict.fromkeys(ALARM_SECTIONS, AlarmModel)}
    return [f"{section}.{field.name}" for section, model in sections.items() for field in fields(model)]


def value_of(profile: Profile, key: str) -> int:
    section, name = key.split(".")
    found = getattr(getattr(profile, section), name)
    assert isinstance(found, int)
    return found


def test_two_profiles_are_shipped() -> None:
    assert shipped_profiles() == ("reference-20", "reference-40")


@pytest.mark.parametrize("name", ["reference-20", "reference-40"])
def test_every_parameter_of_a_shipped_profile_says_where_it_comes_from(name: str) -> None:
    profile = load_profile(name)
    assert profile == shipped(name)
    assert sorted(profile.sources) == sorted(keys())
    for source in profile.sources.values():
        assert source.kind in ("found", "chosen")
        assert source.text


def test_the_shipped_profiles_differ_in_every_limit_and_quantum() -> None:
    """A number that is built into a programmer is wrong for one of them."""
    small, large = identity.caps(load_profile("reference-20")), identity.caps(load_profile("reference-40"))
    for field in fields(small):
        if field.name in FIXED_BY_THE_PROTOCOL:
            continue
        assert getattr(small, field.name) != getattr(large, field.name), field.name


@pytest.mark.parametrize("name", ["reference-20", "reference-40"])
def test_the_shipped_limits_are_whole_steps(name: str) -> None:
    profile = load_profile(name)
    for volume_nl in (profile.bolus.volume_min_nl, profile.bolus.volume_max_nl):
        assert volume_nl % profile.motor.step_volume_nl == 0
    assert profile.therapy.rate_nl_per_day % profile.therapy.rate_quantum_nl_per_day == 0


def test_a_profile_takes_what_it_does_not_say_from_the_one_it_extends() -> None:
    mine = parsed('extends = "reference-40"\n[bolus]\nlease_s = { value = 7, chosen = "a hasty clinic" }\n')
    assert (mine.name, mine.bolus.lease_s, mine.bolus.duration_min_s) == ("mine", 7, 90)
    assert mine.device.model == "VP-40"
    assert mine.sources["bolus.lease_s"].text == "a hasty clinic"


def sentence(text: str, name: str = "mine") -> str:
    with pytest.raises(ProfileError) as caught:
        parsed(text, name)
    said = str(caught.value)
    assert "\n" not in said
    return said


def extending(body: str) -> str:
    return f'extends = "reference-20"\n{body}\n'


BROKEN = {
    "unknown section": (
        extending("[pump]"),
        f"profile mine, line 2: 'pump' is no section; allowed are {SECTION_NAMES}",
    ),
    "unknown word at the top": (
        extending("name = 5"),
        f"profile mine, line 2: 'name' is no section; allowed are {SECTION_NAMES}",
    ),
    "unknown key": (
        extending('[motor]\n\nstep_volume = { value = 25, chosen = "x" }'),
        "profile mine, line 4: motor.step_volume is no parameter; [motor] has step_volume_nl, journal_interval_steps,"
        " rate_max_nl_per_day, wear_pulses, wear_miss_every",
    ),
    "a bare value": (
        extending("[motor]\nstep_volume_nl = 25"),
        "profile mine, line 3: motor.step_volume_nl must be"
        ' { value = …, found = "source" } or { value = …, chosen = "reason" }',
    ),
    "no source": (
        extending("[motor]\nstep_volume_nl = { value = 25 }"),
        "profile mine, line 3: motor.step_volume_nl must be"
        ' { value = …, found = "source" } or { value = …, chosen = "reason" }',
    ),
    "two sources": (
        extending('[motor]\nstep_volume_nl = { value = 25, found = "a", chosen = "b" }'),
        "profile mine, line 3: motor.step_volume_nl must be"
        ' { value = …, found = "source" } or { value = …, chosen = "reason" }',
    ),
    "no value": (
        extending('[motor]\nstep_volume_nl = { chosen = "b" }'),
        "profile mine, line 3: motor.step_volume_nl must be"
        ' { value = …, found = "source" } or { value = …, chosen = "reason" }',
    ),
    "an empty source": (
        extending('[motor]\nstep_volume_nl = { value = 25, found = " " }'),
        "profile mine, line 3: motor.step_volume_nl says nothing under 'found'",
    ),
    "a fraction": (
        extending('[motor]\nstep_volume_nl = { value = 2.5, chosen = "x" }'),
        "profile mine, line 3: motor.step_volume_nl is 2.5, but allowed is a whole number from 1 to 10000 nl",
    ),
    "a text for a number": (
        extending('[motor]\nstep_volume_nl = { value = "25", chosen = "x" }'),
        "profile mine, line 3: motor.step_volume_nl is '25', but allowed is a whole number from 1 to 10000 nl",
    ),
    "a truth value for a number": (
        extending('[motor]\nstep_volume_nl = { value = true, chosen = "x" }'),
        "profile mine, line 3: motor.step_volume_nl is True, but allowed is a whole number from 1 to 10000 nl",
    ),
    "out of range": (
        extending('[log]\nrecords_per_page = { value = 65, chosen = "x" }'),
        "profile mine, line 3: log.records_per_page is 65, but allowed is a whole number from 6 to 64 records",
    ),
    "below its range": (
        extending('[clock]\noffset_min = { value = -1441, chosen = "x" }'),
        "profile mine, line 3: clock.offset_min is -1441, but allowed is a whole number from -1440 to 1440 min",
    ),
    "a text too long": (
        extending('[device]\nmodel = { value = "12345678901234567", chosen = "x" }'),
        "profile mine, line 3: device.model is '12345678901234567',"
        " but allowed is printable ASCII of up to 16 characters",
    ),
    "a text that is not ASCII": (
        extending('[device]\nmodel = { value = "VP-µ", chosen = "x" }'),
        "profile mine, line 3: device.model is 'VP-µ', but allowed is printable ASCII of up to 16 characters",
    ),
    "an alarm that there is not": (
        extending('[alarm.too_hot]\ncritical = { value = true, chosen = "x" }'),
        f"profile mine, line 2: 'alarm.too_hot' is no section; allowed are {SECTION_NAMES}",
    ),
    "alarms as one section": (
        extending('[alarm]\ncritical = { value = true, chosen = "x" }'),
        f"profile mine: 'alarm.critical' is no section; allowed are {SECTION_NAMES}",
    ),
    "a column that the table of alarms has not": (
        extending('[alarm.reset]\nloud = { value = true, chosen = "x" }'),
        "profile mine, line 3: alarm.reset.loud is no parameter;"
        " [alarm.reset] has critical, tone, repeat_min, latching, flow",
    ),
    "a word that is none of the few": (
        extending('[alarm.reset]\ntone = { value = "triple", chosen = "x" }'),
        "profile mine, line 3: alarm.reset.tone is 'triple', but allowed are none, single, dual",
    ),
    "a number for a word": (
        extending('[alarm.reset]\nflow = { value = 0, chosen = "x" }'),
        "profile mine, line 3: alarm.reset.flow is 0, but allowed are continue, minimum, stop",
    ),
    "a number for a flag": (
        extending('[alarm.reset]\nlatching = { value = 1, chosen = "x" }'),
        "profile mine, line 3: alarm.reset.latching is 1, but allowed are true and false",
    ),
    "a word for a flag": (
        extending('[therapy]\nstops_while_programming = { value = "yes", chosen = "x" }'),
        "profile mine, line 3: therapy.stops_while_programming is 'yes', but allowed are true and false",
    ),
    "levels in the wrong order": (
        extending(
            '[reservoir]\nempty_nl = { value = 600, chosen = "x" }\nlow_nl = { value = 500, chosen = "x" }',
        ),
        "profile mine, line 3: reservoir.empty_nl is 600, but at most 500 is allowed (reservoir.low_nl)",
    ),
    "a level below one of the profile that is extended": (
        extending('[reservoir]\nlow_nl = { value = 500, chosen = "x" }'),
        "profile mine, line 3: reservoir.low_nl is 500, but at least 1000000 is allowed (reservoir.empty_nl)",
    ),
    "extends what is not there": (
        '# mine\nextends = "reference-30"',
        "profile mine, line 2: extends 'reference-30', which is no profile",
    ),
    "extends what is no name": ("extends = 20", "profile mine, line 1: extends 20, which is no profile"),
    "nothing at all": ("", "profile mine: device.model is missing (model name)"),
    "one parameter missing": (
        (shipped_text("reference-20") or "").replace("lease_s =", "# lease_s ="),
        "profile mine: bolus.lease_s is missing (how long a prepared bolus may be executed)",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_profile_is_refused_with_one_sentence_that_says_all(case: str) -> None:
    text, said = BROKEN[case]
    assert sentence(text) == said


def with_values(values: dict[str, int]) -> str:
    """A profile that says these and takes the rest from reference-20."""
    body: dict[str, list[str]] = {}
    for key, value in values.items():
        section, name = key.split(".")
        body.setdefault(section, []).append(f'{name} = {{ value = {value}, chosen = "x" }}')
    return extending("\n".join(f"[{section}]\n" + "\n".join(lines) for section, lines in body.items()))


@pytest.mark.parametrize(("lesser", "greater"), ORDERED)
def test_of_each_pair_the_first_may_not_be_greater_than_the_second(lesser: str, greater: str) -> None:
    base = shipped("reference-20")
    least = value_of(base, lesser)
    others = [other for other, same in ORDERED if same == greater and other != lesser]
    beside = {other: min(value_of(base, other), least - 1) for other in others}
    parsed(with_values({**beside, greater: least}))
    said = sentence(with_values({**beside, greater: least - 1}))
    assert said.endswith(f": {greater} is {least - 1}, but at least {least} is allowed ({lesser})")
    said = sentence(with_values({**beside, greater: least - 1, lesser: least}))
    assert said.endswith(f": {lesser} is {least}, but at most {least - 1} is allowed ({greater})")


@pytest.mark.parametrize("name", ["reference-20", "reference-40"])
def test_the_table_of_alarms_has_a_row_for_every_type_and_a_critical_one_sounds_as_such(name: str) -> None:
    alarms = shipped(name).alarm
    assert set(alarms) == set(AlarmType)
    for row in alarms.values():
        assert row.tone == ("dual" if row.critical else "single")
        assert row.critical or row.flow == "continue", "what changes the flow is critical"


def test_a_profile_changes_one_cell_of_the_table_of_alarms_and_no_other() -> None:
    mine = parsed(extending('[alarm.motor_stall]\nflow = { value = "stop", chosen = "a cautious clinic" }'))
    base = shipped("reference-20")
    assert mine.alarm[AlarmType.MOTOR_STALL].flow == "stop"
    assert mine.sources["alarm.motor_stall.flow"].text == "a cautious clinic"
    changed = [
        (kind, field.name)
        for kind in AlarmType
        for field in fields(AlarmModel)
        if getattr(mine.alarm[kind], field.name) != getattr(base.alarm[kind], field.name)
    ]
    assert changed == [(AlarmType.MOTOR_STALL, "flow")]


def test_what_is_not_toml_is_refused_with_the_place() -> None:
    """In the words of Python's own reader, which may differ from one version to the next."""
    said = sentence("[motor]\nstep_volume_nl = { value = ")
    assert said.startswith("profile mine is not valid TOML: ")
    assert "line 2" in said or "end of document" in said


def named(texts: dict[str, str], first: str) -> Profile:
    return parse_profile(first, texts[first], texts.get)


@pytest.mark.parametrize(
    "texts",
    [
        {"a": 'extends = "a"'},
        {"a": 'extends = "b"', "b": 'extends = "a"'},
        {chr(97 + at): f'extends = "{chr(98 + at)}"' for at in range(20)},
    ],
    ids=["itself", "in a circle", "too long a chain"],
)
def test_a_chain_without_end_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(ProfileError) as caught:
        named(texts, "a")
    assert str(caught.value) == "profile a: more than 8 profiles extend one another"


def test_a_fault_in_an_extended_profile_names_that_profile() -> None:
    with pytest.raises(ProfileError) as caught:
        named({"mine": 'extends = "base"', "base": "[motor]\nstep_volume_nl = 3"}, "mine")
    assert str(caught.value).startswith("profile base, line 2: motor.step_volume_nl must be ")
