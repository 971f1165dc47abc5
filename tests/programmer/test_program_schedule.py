"""A schedule in a program file: what it says comes back, and what is wrong with it is one sentence with its line."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from emulator.programmer.program_file import ProgramFile, ProgramFileError, read_program_file
from emulator.programmer.program_image import SCHEDULE, Week
from emulator.programmer.program_schedule import schedule_text, time_of_day
from emulator.programmer.program_text import program_text
from protocol.messages.program import WEEKDAYS, ChangeEntry
from tests.programmer.programs import FLEX, GOOD_FLEX, every_day, weeks

NIGHT = "{ at = '00:00', rate = '0.4mL/day' }"
DAY = "{ at = '06:30', rate = '0.8mL/day' }"
FOURTEEN = "".join(f"{{ at = '{time_of_day(minute)}', rate = '1mL/day' }},\n" for minute in range(14))


def read(text: str) -> ProgramFile:
    return read_program_file("p.toml", text.encode())


def complaint(text: str) -> str:
    with pytest.raises(ProgramFileError) as caught:
        read(text)
    sentence = str(caught.value)
    assert sentence.startswith("p.toml, line ")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    return sentence


@given(weeks())
def test_a_week_that_was_written_is_read_as_itself(week: Week) -> None:
    assert read(schedule_text(week)).said == {SCHEDULE: week}


def test_equal_days_stand_under_one_key_where_there_is_one() -> None:
    def keys(week: Week) -> list[str]:
        return [line.partition(" =")[0] for line in schedule_text(week).splitlines()[1:]]

    assert keys(FLEX.schedule) == ["every_day"]
    other = every_day((0, 100_000))[0]
    assert keys((*FLEX.schedule[:5], other, other)) == ["weekdays", "weekend"]
    assert keys((other, *FLEX.schedule[1:])) == ["weekend", *WEEKDAYS[:5]]
    assert keys((*FLEX.schedule[:6], other)) == ["weekdays", "saturday", "sunday"]


def test_the_text_of_a_flex_program_reads_like_its_file() -> None:
    text = program_text(replace(FLEX, schedule=every_day((0, 400_000), (390, 800_000))))
    assert "\n".join(
        [
            "[infusion]",
            'mode = "flex"',
            'rate = "500 uL/day"',
            "",
            "[schedule]",
            'every_day = [{ at = "00:00", rate = "400 uL/day" }, { at = "06:30", rate = "800 uL/day" }]',
        ]
    ) in text  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        f"[schedule]\nevery_day = [{NIGHT}, {DAY}]",
        f"schedule = {{ weekdays = [{NIGHT}, {DAY}], weekend = [{NIGHT}, {DAY}] }}",
        f"[schedule]\nweekdays = [{NIGHT}, {DAY}]\nsaturday = [\n  {NIGHT},\n  {DAY},\n]\nsunday = [{NIGHT}, {DAY}]",
        "[[schedule.every_day]]\nat = '00:00'\nrate = '0.4mL/day'\n"
        "[[schedule.every_day]]\nat = '06:30'\nrate = '0.8mL/day'",
    ],
)  # fmt: skip
def test_a_week_can_be_said_in_several_ways(text: str) -> None:
    assert read(text).said[SCHEDULE] == every_day((0, 400_000), (390, 800_000))


def test_days_that_a_file_does_not_say_are_left_open() -> None:
    file = read(f"[schedule]\nsunday = [{NIGHT}]\nmonday = [{NIGHT}, {DAY}]")
    night, day = (ChangeEntry(start_min=start, rate_nl_per_day=rate) for start, rate in ((0, 400_000), (390, 800_000)))
    assert file.said[SCHEDULE] == ((night, day), None, None, None, None, None, (night,))
    assert [file.line_of(weekday) for weekday in WEEKDAYS] == [3, None, None, None, None, None, 2]


def test_a_day_is_found_under_the_key_that_says_it() -> None:
    file = read_program_file("p.toml", GOOD_FLEX)
    lines = {weekday: file.line_of(weekday) for weekday in WEEKDAYS}
    assert lines == {**dict.fromkeys(WEEKDAYS[:5], 7), "saturday": 8, "sunday": 9}
    assert file.line_of("schedule") == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schedule = 5", r"line 1: schedule must be a section: write \[schedule\], and below it monday.* or every_day"),
        ("[[schedule]]", r"line 1: schedule must be a section"),
        ("[schedule]", r"line 1: schedule says no day; write monday.* such as every_day = \[\{ at = \"00:00\""),
        ("[schedule]\n\nmonnday = []", r"line 3: there is no schedule\.monnday \(did you mean monday\?\); schedule ha"),
        ("[schedule]\nmonday = []", r"line 2: schedule\.monday must be a list of changes, such as \[\{ at = \"00:00\""),
        ("[schedule]\nmonday = '0.5mL/day'", "must be a list of changes"),
        ("[schedule]\nmonday = ['0.5mL/day']", "must be a list of changes"),
        (f"[schedule.monday]\nat = {NIGHT}", "must be a list of changes"),
        (f"[schedule]\nmonday = [{DAY}]", r"line 2: schedule\.monday must begin at 00:00, and begins at 06:30"),
        (f"[schedule]\nmonday = [{NIGHT},\n{DAY},\n{DAY}]", r"line 4: schedule\.monday: 06:30 stands behind 06:30; wr"),
        (f"[schedule]\nmonday = [{NIGHT}, {DAY}, {NIGHT}]", "00:00 stands behind 06:30; write the changes in the orde"),
        ("[schedule]\nmonday = [{ at = '00:00' }]", r"line 2: this change has no rate; write rate = \"0\.9mL/day\""),
        ("[schedule]\nmonday = [{ rate = '1mL/day' }]", r"this change has no at; write at = \"08:00\""),
        ("[schedule]\nmonday = [{ at = '00:00', rat = 1 }]", r"there is no schedule\.rat \(did you mean rate\?\); sch"),
        ("[schedule]\nmonday = [{ at = '24:00', rate = '1mL/day' }]", r"schedule\.at: '24:00' is no time of day; writ"),
        ("[schedule]\nmonday = [{ at = '8:00', rate = '1mL/day' }]", "'8:00' is no time of day; .* such as 08:00"),
        ("[schedule]\nmonday = [{ at = 00:00:00, rate = '1mL/day' }]", r"schedule\.at is a time, but must be text in"),
        ("[schedule]\nmonday = [{ at = 0, rate = '1mL/day' }]", r"schedule\.at is a number, but must be text in quote"),
        ("[schedule]\nmonday = [{ at = '00:00', rate = 0.5 }]", r"schedule\.rate: '0\.5' has no unit.*in quotes: rate"),
        ("[schedule]\nmonday = [{ at = '00:00', rate = '0mL/day' }]", "is zero"),
        (
            f"[schedule]\nweekdays = [{NIGHT}]\n\nfriday = [{NIGHT}]",
            r"line 4: friday is there twice: schedule\.weekdays says it, and schedule\.friday",
        ),
        (
            f"[schedule]\nsunday = [{NIGHT}]\nevery_day = [{NIGHT}]",
            r"line 3: sunday is there twice: schedule\.sunday says it, and schedule\.every_day",
        ),
        (
            f"[schedule]\nmonday = [\n{FOURTEEN}]",
            r"line 16: this is change 14 of schedule\.monday, and a day has at most 13",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_with_its_line(text: str, said: str) -> None:
    assert re.search(said, complaint(text)), complaint(text)
