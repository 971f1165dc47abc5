"""Two programs side by side: what follows from the new one, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from emulator.cli.program_view import program_document, side_by_side, staged_document
from emulator.cli.quantities import format_rate
from emulator.cli.schedule_view import schedule_rows
from emulator.programmer.program_image import Program, Week
from emulator.programmer.programming import Staged
from protocol.fields import UNKNOWN_U32
from protocol.messages.codes import Mode, Warnings
from protocol.messages.program import WEEKDAYS, DrugEntry
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
    summary_of,
    weeks,
)

WEEKEND = replace(FLEX, schedule=(*FLEX.schedule[:5], *every_day((0, 400_000), (540, 600_000))[5:]))


def staged(old: Program, new: Program, asked: Program | None = None, **summary: Any) -> Staged:
    return Staged(1, CAPS, old, asked or new, new, summary_of(new, **summary))


def rows(old: Program, new: Program) -> list[str]:
    """The rows between the head and what follows, without their columns."""
    lines = side_by_side(staged(old, new))
    return [" ".join(line.split()) for line in lines[1 : lines.index("")]]


@pytest.mark.parametrize(
    ("in_s", "unix_s", "said"),
    [
        (UNKNOWN_U32, UNKNOWN_U32, "Low reservoir: never, at this rate."),
        (86_400, 1_893_542_400, "Low reservoir: in 1 day, on 2030-01-02 UTC."),
        (7_200, 1_893_463_200, "Low reservoir: in 2h, on 2030-01-01 UTC."),
        (0, 1_893_456_000, "Low reservoir: reached already, on 2030-01-01 UTC."),
        (200_000, UNKNOWN_U32, "Low reservoir: in 2 days; the pump's clock does not say on which date."),
    ],
)
def test_the_low_reservoir_in_words(in_s: int, unix_s: int, said: str) -> None:
    assert said in side_by_side(staged(FIRST, FIRST, low_reservoir_in_s=in_s, low_reservoir_unix_s=unix_s))


def test_every_warning_has_words_and_an_unknown_one_is_shown() -> None:
    every = Warnings(sum(Warnings) | 0x80)
    lines = [line for line in side_by_side(staged(FIRST, FIRST, warnings=every)) if line.startswith("Warning: ")]
    assert len(lines) == len(Warnings) + 1
    assert "0x80" in lines[-1]


def test_what_was_rounded_down_is_named() -> None:
    asked = replace(
        FLEX,
        rate_nl_per_day=500_999,
        schedule=every_day((0, 400_001), (390, 800_000), (1_320, 400_000)),
        patient_volume_nl=20_001,
    )
    new = replace(FLEX, patient_volume_nl=20_000)
    lines = side_by_side(staged(FIRST, new, asked, warnings=Warnings.RATE_ROUNDED))
    assert lines[-1] == (
        "Warning: rounded down: infusion.rate 500.999 uL/day to 500 uL/day, patient.bolus 20.001 uL to 20 uL, rates of "
        "the schedule, for this pump's rates and volumes are multiples of 1 uL/day and 25 nL."
    )


def test_doses_follow_the_rate_that_flows() -> None:
    running = replace(FIRST, drugs=NEW.drugs)
    slow = replace(running, mode=Mode.MINIMUM_RATE, rate_nl_per_day=0)
    document = staged_document(staged(running, slow))
    assert [document[side]["drugs"][0]["dose_fg_per_day"] for side in ("old", "new")] == [31 * 10**10, 24 * 10**9]
    assert "* baclofen a day 310 ug/day 24 ug/day" in rows(running, slow)
    assert "* infusion.rate 620 uL/day 48 uL/day" in rows(running, slow)


def test_a_schedule_has_a_row_for_each_time_of_equal_days() -> None:
    assert [row for row in rows(NEW, FLEX) if "every day" in row] == [
        "* every day 00:00 none 400 uL/day",
        "* every day 06:30 none 800 uL/day",
        "* every day 22:00 none 400 uL/day",
    ]
    changed = rows(FLEX, WEEKEND)
    assert [row for row in changed if "day " in row and " to " in row and ":" in row] == [
        "monday to friday 00:00 400 uL/day 400 uL/day",
        "monday to friday 06:30 800 uL/day 800 uL/day",
        "monday to friday 22:00 400 uL/day 400 uL/day",
        "saturday to sunday 00:00 400 uL/day 400 uL/day",
        "* saturday to sunday 06:30 800 uL/day 400 uL/day",
        "* saturday to sunday 09:00 800 uL/day 600 uL/day",
        "* saturday to sunday 22:00 400 uL/day 600 uL/day",
    ]
    assert changed[2:4] == ["infusion.mode flex flex", "infusion.rate 500 uL/day (clock lost) 500 uL/day (clock lost)"]


def rates_shown(shown: list[tuple[str, str, str]], number: int, column: int) -> dict[int, str]:
    """What the rows say of a weekday: rates by minute of the day."""
    rates = {}
    for row in shown:
        days, _, time = row[0].rpartition(" ")
        first, _, last = days.partition(" to ")
        whole = days == "every day"
        if whole or WEEKDAYS.index(first) <= number <= WEEKDAYS.index(last or first):
            hour, minute = time.split(":")
            rates[int(hour) * 60 + int(minute)] = row[column]
    return rates


@settings(max_examples=50)
@given(weeks(), weeks())
def test_the_rows_of_two_weeks_say_all_of_both(one: Week, other: Week) -> None:
    shown = schedule_rows(replace(FLEX, schedule=one), replace(FLEX, schedule=other))
    for number in range(len(WEEKDAYS)):
        for day, column in ((one[number], 1), (other[number], 2)):
            rates = rates_shown(shown, number, column)
            assert set(rates) >= {change.start_min for change in day}
            for minute, rate in rates.items():
                flowing = [change.rate_nl_per_day for change in day if change.start_min <= minute]
                assert rate == format_rate(flowing[-1])


def test_a_dose_a_day_of_a_schedule_is_a_range() -> None:
    """A day of the weekend has 525 uL, any other 658 uL and a third of one, in which there is no whole femtogram."""
    assert "* baclofen a day ~329.166 ug/day 262.5 ug to ~329.166 ug/day" in rows(FLEX, WEEKEND)
    even = replace(FLEX, schedule=every_day((0, 400_000), (720, 800_000)))
    assert "* baclofen a day 250 ug/day 300 ug/day" in rows(NEW, even)


def test_a_programmed_dose_stands_beside_the_day() -> None:
    """0.1 mL/day and four doses of 0.1 mL are 0.5 mL a day."""
    shown = rows(NEW, PERIODIC)
    assert shown[2:7] == [
        "* infusion.mode simple continuous periodic bolus",
        "* infusion.rate 500 uL/day 100 uL/day",
        "* infusion.dose none 100 uL",
        "* infusion.over none 30min",
        "* infusion.every none 6h",
    ]
    assert shown[-2:] == ["baclofen a day 250 ug/day 250 ug/day", "* baclofen a dose none 50 ug"]
    assert rows(PERIODIC, SINGLE)[-2:] == ["* baclofen a day 250 ug/day none", "* baclofen a dose 50 ug 25 ug"]


def test_patient_boluses_their_most_and_the_refill_with_all_of_them() -> None:
    shown = rows(NEW, WITH_PATIENT)
    assert [row for row in shown if "patient" in row] == [
        "* patient.bolus none 20 uL",
        "* patient.over none 10min",
        "* patient.lockout none 2h",
        "* patient.most none 6",
        "* patient.window none 1d",
        "* baclofen a patient bolus none 10 ug",
    ]
    told: dict[str, Any] = {
        "window_peak_nl": 620_000,
        "boluses_per_day_max": 6,
        "refill_in_s": 29 * 86_400,
        "refill_unix_s": 1_893_456_000 + 29 * 86_400,
    }
    lines = side_by_side(staged(NEW, WITH_PATIENT, **told))
    assert lines[-2:] == [
        "Most in 24 h: 620 uL, with 6 patient boluses.",
        "Refill, if the patient takes all of them: in 29 days, on 2030-01-30 UTC.",
    ]
    narrow = side_by_side(staged(NEW, replace(WITH_PATIENT, window_max_nl=600_000), **told))
    assert "Most in 24 h: 620 uL, with 6 patient boluses; limits.window_max holds it to 600 uL." in narrow
    assert not any("Most in 24 h" in line for line in side_by_side(staged(WITH_PATIENT, NEW, **told)))


@pytest.mark.parametrize(
    ("in_s", "said"),
    [
        (20 * 86_400, "Refill, for the drugs' stability: in 20 days, sooner than by volume."),
        (40 * 86_400, "Refill, for the drugs' stability: in 40 days."),
        (0, "Refill, for the drugs' stability: now, for it is over."),
    ],
)
def test_the_end_of_stability_in_words(in_s: int, said: str) -> None:
    drug = DrugEntry(name="baclofen", concentration_ng_per_ml=500_000, stability_days=180)
    lines = side_by_side(staged(NEW, replace(NEW, drugs=(drug,)), low_reservoir_in_s=30 * 86_400, stability_in_s=in_s))
    assert said in lines
    assert any(line.endswith("baclofen 500 ug/mL, stable for 180d") for line in lines)


@given(PROGRAMS, PROGRAMS)
def test_any_two_programs_can_be_shown_and_change_marks_are_right(old: Program, new: Program) -> None:
    shown, document = side_by_side(staged(old, new)), staged_document(staged(old, new))
    assert (old == new) == (not document["changed"])
    marked = [line for line in shown[1 : shown.index("")] if line.startswith("*")]
    assert (old == new) == (not marked)


def test_a_program_as_a_document_has_every_field() -> None:
    document = program_document(WEEKEND, CAPS)
    assert document["flow_nl_per_day"] == (5 * 658_333 + 2 * 525_000 + 1) // 7
    assert list(document["schedule"]) == ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    assert document["schedule"]["sunday"][1] == {"start_min": 540, "rate_nl_per_day": 600_000}
    assert program_document(STOPPED, CAPS)["schedule"] == {}
    assert set(program_document(WITH_PATIENT, CAPS)) >= {"patient_volume_nl", "window_max_nl", "catheter_nl"}
    assert program_document(WITH_PATIENT, CAPS)["drugs"][0]["patient_dose_fg"] == 10**10
