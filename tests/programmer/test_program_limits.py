"""What a file asks of a pump: laid over what the pump has, complete for its mode, and within what CAPS allows."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.programmer.program_file import ProgramFileError, read_program_file
from emulator.programmer.program_image import OF_SOME_MODES, Program, day_volumes, program_of
from emulator.programmer.program_limits import wanted_program
from emulator.programmer.program_ranges import peak_day_nl
from protocol.messages.codes import Mode
from tests.programmer.programs import (
    CAPS,
    FIRST,
    FLEX,
    NEW,
    PERIODIC,
    PROGRAMS,
    SINGLE,
    STOPPED,
    WITH_PATIENT,
    every_day,
    mutated,
)

PATIENT_TEXT = "[patient]\nbolus = '20uL'\nover = '10min'\nlockout = '2h'\nmost = 6\nwindow = '24h'"
FLEX_TEXT = "[infusion]\nmode = 'flex'\nrate = '1mL/day'\n[schedule]\n"
MONDAY = "monday = [{ at = '00:00', rate = '0.7mL/day' }]"


def wanted(text: str | bytes, active: Program = FIRST) -> Program:
    data = text if isinstance(text, bytes) else text.encode()
    return wanted_program(read_program_file("p.toml", data), active, CAPS)


def complaint(text: str | bytes, active: Program = FIRST) -> str:
    with pytest.raises(ProgramFileError) as caught:
        wanted(text, active)
    sentence = str(caught.value)
    assert sentence.startswith("p.toml")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    return sentence


@given(PROGRAMS, st.integers(1, 10_000), st.integers(1, 100))
def test_quantisation_rounds_down_and_touches_nothing_else(program: Program, quantum: int, step_nl: int) -> None:
    caps = replace(CAPS, rate_quantum_nl_per_day=quantum, volume_quantum_nl=step_nl)
    runs = program.quantised(caps)
    assert runs.quantised(caps) == runs
    pairs = [(program.rate_nl_per_day, runs.rate_nl_per_day, quantum)]
    pairs += [
        (asked.rate_nl_per_day, kept.rate_nl_per_day, quantum)
        for asked_day, day in zip(program.schedule, runs.schedule, strict=True)
        for asked, kept in zip(asked_day, day, strict=True)
    ]
    pairs.append((program.dose_volume_nl, runs.dose_volume_nl, step_nl))
    pairs.append((program.patient_volume_nl, runs.patient_volume_nl, step_nl))
    for asked_value, kept_value, unit in pairs:
        assert kept_value % unit == 0
        assert 0 <= asked_value - kept_value < unit
    same = ("rate_nl_per_day", "dose_volume_nl", "patient_volume_nl", "schedule")
    assert replace(runs, **{name: getattr(program, name) for name in same}) == program


@given(mutated(), st.sampled_from([FIRST, STOPPED, FLEX, PERIODIC, SINGLE, WITH_PATIENT]))
def test_any_mutation_is_a_program_or_one_sentence(data: bytes, active: Program) -> None:
    try:
        program = wanted(data, active)
    except ProgramFileError as error:
        sentence = str(error)
        assert sentence.startswith("p.toml")
        assert sentence.endswith(".")
        assert sentence.isprintable()
        return
    # What passes is within everything that the pump has said of itself.
    assert program.quantised(CAPS) == program_of(program.quantised(CAPS).image())
    assert program == program.used()
    for rate in (program.rate_nl_per_day, *(change.rate_nl_per_day for day in program.schedule for change in day)):
        assert rate == 0 or 48_000 <= rate <= program.rate_max_nl_per_day


@pytest.mark.parametrize("active", [FIRST, STOPPED, FLEX, PERIODIC, SINGLE, WITH_PATIENT])
@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[infusion]\nmode = 'stopped'", {"mode": Mode.STOPPED}),
        ("[infusion]\nmode = 'minimum rate'", {"mode": Mode.MINIMUM_RATE}),
        (
            "[infusion]\nmode = 'simple continuous'\nrate = '1mL/day'",
            {"mode": Mode.SIMPLE_CONTINUOUS, "rate_nl_per_day": 1_000_000},
        ),
        (
            FLEX_TEXT + "every_day = [{ at = '00:00', rate = '0.7mL/day' }]",
            {"mode": Mode.FLEX, "rate_nl_per_day": 1_000_000, "schedule": every_day((0, 700_000))},
        ),
        (
            "[infusion]\nmode = 'single bolus'\ndose = '60uL'\nover = '20min'",
            {"mode": Mode.SINGLE_BOLUS, "dose_volume_nl": 60_000, "dose_duration_s": 1_200},
        ),
        (
            "[infusion]\nmode = 'periodic bolus'\ndose = '60uL'\nover = '20min'\nevery = '4h'\nrate = 'none'",
            {
                "mode": Mode.PERIODIC_BOLUS,
                "dose_volume_nl": 60_000,
                "dose_duration_s": 1_200,
                "dose_interval_s": 14_400,
            },
        ),
    ],
    ids=["stopped", "minimum rate", "simple continuous", "flex", "single bolus", "periodic bolus"],
)  # fmt: skip
def test_a_mode_that_says_all_it_needs_can_follow_any_other(
    text: str, values: dict[str, object], active: Program
) -> None:
    assert wanted(text, active) == replace(active, **{**OF_SOME_MODES, **values})


def test_what_the_same_mode_has_stays() -> None:
    assert wanted("[infusion]\nover = '20min'", PERIODIC) == replace(PERIODIC, dose_duration_s=1_200)
    assert wanted("[infusion]\nrate = 'none'", PERIODIC) == replace(PERIODIC, rate_nl_per_day=0)
    assert wanted("[infusion]\nmode = 'flex'\nrate = '0.6mL/day'", FLEX) == replace(FLEX, rate_nl_per_day=600_000)
    monday = every_day((0, 700_000))[0]
    assert wanted(f"[schedule]\n{MONDAY}", FLEX) == replace(FLEX, schedule=(monday, *FLEX.schedule[1:]))


def test_what_another_mode_had_does_not_come_along() -> None:
    """Neither a base rate between doses, nor a schedule, nor a dose of which the file says nothing."""
    text = "[infusion]\nmode = 'periodic bolus'\ndose = '60uL'\nover = '20min'\nevery = '4h'"
    assert wanted(text, FIRST).rate_nl_per_day == 0
    assert wanted("[infusion]\nmode = 'stopped'", FLEX) == replace(FLEX, mode=Mode.STOPPED, **OF_SOME_MODES)
    assert "which needs a rate" in complaint("[infusion]\nmode = 'simple continuous'", PERIODIC)


def test_patient_boluses_come_as_a_whole_change_in_part_and_go() -> None:
    assert wanted(PATIENT_TEXT, NEW) == WITH_PATIENT
    assert wanted("[patient]\nmost = 4", WITH_PATIENT) == replace(WITH_PATIENT, patient_activations_max=4)
    for text in ("patient = false", "[patient]\nbolus = 'none'"):
        assert wanted(text, WITH_PATIENT) == wanted(text, NEW) == NEW
    assert wanted("[infusion]\nmode = 'stopped'", WITH_PATIENT).patient_volume_nl == 20_000


@pytest.mark.parametrize(
    ("text", "active", "said"),
    [
        ("[infusion]\nmode = 'simple continuous'", STOPPED, r"line 2: infusion\.mode is simple continuous, which need"),
        ("[infusion]\nrate = '1mL/day'", STOPPED, r"line 2: .*and the pump's mode is stopped; write one of them, or l"),
        ("[infusion]\nevery = '1h'", FIRST, r"only for the mode periodic bolus, and the pump's mode is simple continu"),
        (f"[schedule]\n{MONDAY}", FIRST, r"line 1: schedule is only for the mode flex, and .*; write mode = \"flex\","),
        ("[infusion]\nmode = 'flex'", FIRST, r"which needs a rate and a section \[schedule\], such as rate = .* and e"),
        ("[infusion]\nmode = 'flex'\nrate = '1mL/day'", FIRST, r"line 2: infusion\.mode is flex, which needs a sectio"),
        (
            f"{FLEX_TEXT}{MONDAY}",
            FIRST,
            r"line 4: schedule says nothing of tuesday, wednesday, .* and sunday; each day of the week needs its rates",
        ),
        (
            "[infusion]\nmode = 'periodic bolus'",
            FIRST,
            r"which needs a dose, infusion\.over and infusion\.every, such as dose = \"100uL\", over = \"30min\" and e",
        ),
        ("[infusion]\nrate = 'none'", FIRST, r"line 2: infusion\.rate is \"none\", which only the mode periodic bolus"),
        ("[patient]\nmost = 4", FIRST, r"line 2: patient\.most is there, but the pump lets the patient have no bolus;"),
        (
            "[patient]\nbolus = '20uL'\nover = '10min'",
            FIRST,
            r"line 2: patient\.bolus needs patient\.lockout, patient\.most and patient\.window as well, such as lockou",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_one_sentence(text: str, active: Program, said: str) -> None:
    assert re.search(said, complaint(text, active)), complaint(text, active)


PERIODIC_TEXT = "[infusion]\nmode = 'periodic bolus'\ndose = '100uL'\nover = '30min'\nevery = '6h'\nrate = '1mL/day'\n"


@pytest.mark.parametrize(
    ("text", "active", "said"),
    [
        ("[infusion]\nrate = '25mL/day'", FIRST, r"line 2: infusion\.rate is 25 mL/day, but 48 uL/day to 24 mL/day is"),
        ("[infusion]\nrate = '47.999uL/day'", FIRST, "but 48 uL/day to 24 mL/day is allowed on this pump"),
        (
            "[infusion]\nrate = '3mL/day'\n[limits]\nrate_max = '2mL/day'",
            FIRST,
            r"line 2: infusion\.rate is 3 mL/day, but 48 uL/day to 2 mL/day is allowed by limits\.rate_max",
        ),
        (
            "[infusion]\nrate = '3mL/day'",
            replace(FIRST, rate_max_nl_per_day=2_000_000),
            r"line 2: infusion\.rate is 3 mL/day, but 48 uL/day to 2 mL/day is allowed by limits\.rate_max",
        ),
        (
            "[limits]\nrate_max = '100uL/day'",
            FIRST,
            r"line 2: limits\.rate_max is 100 uL/day, but the rate in the pump, which stays, is 620 uL/day",
        ),
        (
            "[limits]\nrate_max = '600uL/day'",
            FLEX,
            r"line 2: limits\.rate_max is 600 uL/day, but schedule\.monday at 06:30 in the pump, which stays, is 800 "
            r"uL/day; allow at least that, or write a lower schedule\.monday",
        ),
        ("[limits]\nrate_max = '25mL/day'", FIRST, r"limits\.rate_max is 25 mL/day, but 48 uL/day to 24 mL/day"),
        ("[limits]\nbolus_max = '1.5mL'", FIRST, r"limits\.bolus_max is 1\.5 mL, but 1 uL to 1 mL is allowed"),
        (
            "[limits]\nbolus_max = '10uL'",
            WITH_PATIENT,
            r"line 2: limits\.bolus_max is 10 uL, but patient\.bolus in the pump, which stays, is 20 uL; allow at leas",
        ),
        ("[limits]\nwindow_max = '31mL'", FIRST, r"limits\.window_max is 31 mL, but 620 uL to 30 mL is allowed on thi"),
        (
            "[limits]\nwindow_max = '0.6mL'",
            FIRST,
            r"limits\.window_max is 600 uL, but 620 uL to 30 mL is allowed on this pump, for the program itself gives "
            r"up to 620 uL in 24 h",
        ),
        ("[alarms]\nlow_reservoir = '0mL'", FIRST, r"alarms\.low_reservoir is 0 nL, but 1 mL to 20 mL is allowed"),
        ("[alarms]\ncritical_repeat = '4min'", FIRST, r"alarms\.critical_repeat is 4min, but 5min to 4h is allowed"),
        (
            "[[drug]]\nname = 'a'\nconcentration = '51mg/mL'",
            FIRST,
            r"line 3: drug\.concentration is 51 mg/mL, but this pump allows at most 50 mg/mL",
        ),
        (
            "".join(f"[[drug]]\nname = '{i}'\nconcentration = '1ng/mL'\n" for i in range(5)),
            FIRST,
            "line 13: this is drug 5, but this pump allows 4",
        ),
        (
            FLEX_TEXT + "every_day = [{ at = '00:00', rate = '1mL/day' },\n{ at = '08:00', rate = '25mL/day' }]",
            FIRST,
            r"line 6: schedule\.monday at 08:00 is 25 mL/day, but 48 uL/day to 24 mL/day is allowed on this pump",
        ),
        (PERIODIC_TEXT + "[limits]\nbolus_max = '50uL'", FIRST, r"line 3: infusion\.dose is 100 uL, but 1 uL to 50 uL"),
        # 0.1 mL at 24 mL/day take six minutes.
        (PERIODIC_TEXT.replace("30min", "5min"), FIRST, r"line 4: infusion\.over is 5min, but 6min to 1d is allowed"),
        (PERIODIC_TEXT.replace("6h", "20min"), FIRST, r"line 5: infusion\.every is 20min, but at least 30min"),
        ("[patient]\nover = '30s'", WITH_PATIENT, r"line 2: patient\.over is 30s, but 1min 12s to 1d is allowed on th"),
        ("[patient]\nmost = 25", WITH_PATIENT, r"line 2: patient\.most is 25, but 1 to 24 is allowed on this pump"),
        ("[patient]\nlockout = 'none'", WITH_PATIENT, r"patient\.lockout is none, but 5min to 1d is allowed on this p"),
        ("[patient]\nwindow = '30min'", WITH_PATIENT, r"patient\.window is 30min, but 1h to 1d is allowed on this pum"),
    ],
)  # fmt: skip
def test_what_this_pump_cannot_do_is_one_sentence_with_its_range(text: str, active: Program, said: str) -> None:
    assert re.search(said, complaint(text, active)), complaint(text, active)


def test_a_rate_that_quantisation_would_bring_below_the_least_is_below_it() -> None:
    caps = replace(CAPS, rate_min_nl_per_day=48_500)
    file = read_program_file("p.toml", b"[infusion]\nrate = '48.9uL/day'")
    with pytest.raises(ProgramFileError, match="49 uL/day to 24 mL/day"):
        wanted_program(file, FIRST, caps)


def test_what_a_file_does_not_say_is_for_the_pump_to_judge() -> None:
    """A pump may have another limit, from a time when it was another pump; nobody here knows better."""
    odd = replace(PERIODIC, dose_volume_nl=0, dose_interval_s=0, window_max_nl=1)
    assert wanted("[alarms]\nlow_reservoir = '3mL'", odd) == replace(odd, low_reservoir_nl=3_000_000)


@settings(max_examples=30)
@given(PROGRAMS.filter(lambda program: program.mode == Mode.FLEX))
def test_the_fullest_24_hours_hold_no_less_than_any_day(program: Program) -> None:
    peak = peak_day_nl(program, CAPS)
    assert all(1_440 * peak >= volume for volume in day_volumes(program.schedule))
    rates = [change.rate_nl_per_day for day in program.schedule for change in day]
    assert peak <= max(*rates, program.rate_nl_per_day)
    assert peak >= program.flow_nl_per_day(CAPS)
