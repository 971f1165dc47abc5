"""What a programmer is asked to do: a small vocabulary of words, that a wrapper of anybody's software can map.

A task is a line of words, such as `bolus 500uL over 10min`. A new one is an entry of `TASKS` here, and a procedure of
the sample programmers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emulator.quantities import (
    MASS_UNITS_FG,
    QuantityError,
    parse_amount,
    parse_duration_us,
    parse_level_nl,
    parse_rate_nl_per_day,
    parse_volume_nl,
)

MOST_TASK_CHARACTERS = 200


class TaskError(ValueError):
    """A task that is none; one sentence that says what is allowed."""


@dataclass(frozen=True, slots=True)
class TaskForm:
    """A task's form: words in capitals stand for a value, and […] for what may be left out."""

    form: str
    meaning: str
    example: str


TASKS: Mapping[str, TaskForm] = MappingProxyType(
    {
        entry.form.split()[0]: entry
        for entry in (
            TaskForm("interrogate", "read all that a programmer shows after an interrogation", "interrogate"),
            TaskForm(
                "bolus VOLUME [over DURATION] [and follow]",
                "give a bolus, once; `and follow`: stay with it until it has ended",
                "bolus 500uL over 10min and follow",
            ),
            TaskForm(
                "dose MASS of DRUG over DURATION",
                "give so much of a drug as a bolus, at the concentration that the pump holds",
                "dose 10ug of baclofen over 10min",
            ),
            TaskForm("complete", "give what the last bolus has not given, and no more", "complete"),
            TaskForm(
                "prime [catheter alone]",
                "fill tubing and catheter; `catheter alone`: the tubing is filled already",
                "prime catheter alone",
            ),
            TaskForm("cancel", "end the bolus that runs", "cancel"),
            TaskForm("stop", "halt all delivery", "stop"),
            TaskForm("start", "resume the programmed infusion", "start"),
            TaskForm("program FILE", "set the pump's program", "program simple-continuous"),
            TaskForm("rate RATE", "set the pump to one base rate, day and night", "rate 0.62mL/day"),
            TaskForm(
                "refill VOLUME measured MEASURED",
                "tell the pump what it holds after a refill, and what was withdrawn before",
                "refill 18mL measured 2.5mL",
            ),
            TaskForm("clock OFFSET", "set the pump's clock so much forward, or back", "clock -1h"),
            TaskForm("zone OFFSET", "set how far local time is ahead of UTC, or behind", "zone +2h"),
            TaskForm("scan DURATION", "see the pump through an MRI scan of that length", "scan 1h"),
            TaskForm("log", "read the event log from where it was last read to its end", "log"),
            TaskForm("alarms", "tell which alarms there are", "alarms"),
            TaskForm("ack", "acknowledge every alarm", "ack"),
            TaskForm("silence", "let the alarms that sound now be silent for a while", "silence"),
            TaskForm("resolve", "find out what became of all that is not known for certain", "resolve"),
            TaskForm("watch DURATION", "stay with the pump, and look at it now and then", "watch 1h"),
        )
    }
)


def _parse_offset_us(text: str) -> int:
    return -parse_duration_us(text[1:]) if text.startswith("-") else parse_duration_us(text.removeprefix("+"))


def _parse_mass_fg(text: str) -> int:
    mass_fg = parse_amount(text, MASS_UNITS_FG)
    if mass_fg <= 0:
        raise QuantityError(f"'{text}' is no dose; write a mass above 0, such as 10ug")
    return mass_fg


_VALUES: Mapping[str, Callable[[str], int | str]] = {
    "VOLUME": parse_volume_nl,
    "MEASURED": parse_level_nl,
    "MASS": _parse_mass_fg,
    "DURATION": parse_duration_us,
    "RATE": parse_rate_nl_per_day,
    "OFFSET": _parse_offset_us,
    "DRUG": str,
    "FILE": str,
}


@dataclass(frozen=True, slots=True)
class Task:
    """A task: its word, the values in it by what they stand for, and its text. A part in […] that is there is True."""

    word: str
    values: Mapping[str, int | str]
    said: frozenset[str]
    text: str

    def number(self, name: str) -> int | None:
        """A value that is a number, None if it was left out."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None


def read_task(text: str) -> Task:
    """The task that a line says. Raises TaskError."""
    words = text.split()
    known = TASKS.get(words[0]) if words and len(text) <= MOST_TASK_CHARACTERS else None
    if known is None:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise TaskError(f"{shown!r} is no task; allowed are: {', '.join(entry.form for entry in TASKS.values())}")
    found = _pattern(known.form).fullmatch(" ".join(words))
    if found is None:
        raise TaskError(f"{text!r} is no such task; allowed is: {known.form}, such as {known.example!r}")
    values: dict[str, int | str] = {}
    try:
        for name, value in found.groupdict().items():
            if value is not None and name in _VALUES:
                values[name] = _VALUES[name](value)
    except QuantityError as error:
        raise TaskError(f"task {text!r}: {error}") from None
    said = frozenset(name for name, value in found.groupdict().items() if value is not None and name not in _VALUES)
    return Task(words[0], MappingProxyType(values), said, " ".join(words))


def _pattern(form: str) -> re.Pattern[str]:
    """A form as a pattern: values are groups, and fixed words that may be left out are one by their last word."""
    pattern = ""
    for part in re.findall(r"\[[^]]*\]|\S+", form):
        optional = part.startswith("[")
        words = [f"(?P<{word}>\\S+)" if word in _VALUES else re.escape(word) for word in part.strip("[]").split()]
        if optional and not any(word in _VALUES for word in part.strip("[]").split()):
            words[-1] = f"(?P<{words[-1]}>{words[-1]})"
        joined = " ".join(words)
        pattern += f"(?: {joined})?" if optional else f" {joined}"
    return re.compile(pattern.removeprefix(" "))
