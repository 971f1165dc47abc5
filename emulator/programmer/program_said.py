"""What a program file says, on which line, and how a complaint about it is worded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from emulator.programmer.program_fields import BY_ATTRIBUTE, FileField
from emulator.programmer.program_image import SCHEDULE
from emulator.programmer.toml_lines import KeyPath
from protocol.messages.program import WEEKDAYS

DAYS_OF_KEY: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        **{weekday: (number,) for number, weekday in enumerate(WEEKDAYS)},
        "weekdays": (0, 1, 2, 3, 4),
        "weekend": (5, 6),
        "every_day": tuple(range(len(WEEKDAYS))),
    }
)
"""The days that a key of [schedule] says."""


class ProgramFileError(Exception):
    """A file that cannot be used. One sentence: which file and line, which field, what is allowed."""


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """What a file says: values by the attribute of a Program, and the line on which each key stands.

    Of the schedule it may say some days only: then it is seven days, None for each that it does not say.
    """

    name: str
    said: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def line(self, *key: str | int) -> int | None:
        """The line of a key, or of the nearest thing around it that has one."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return self.lines[key[:length]]
        return None

    def says(self, attribute: str) -> bool:
        """Whether it says an attribute of the program, or a day of its schedule."""
        if attribute in WEEKDAYS:
            return SCHEDULE in self.said and self.said[SCHEDULE][WEEKDAYS.index(attribute)] is not None
        return attribute in self.said

    def line_of(self, attribute: str) -> int | None:
        """The line on which an attribute of the program, or a day of its schedule, is said; None if it is not."""
        if not self.says(attribute):
            return None
        if attribute in WEEKDAYS:
            return self.line(*self.day_key(WEEKDAYS.index(attribute)))
        if attribute == "drugs":
            return self.lines.get(("drug",), self.lines.get(("drugs",)))
        if attribute == SCHEDULE:
            return self.line(SCHEDULE)
        return self.line(BY_ATTRIBUTE[attribute].section, BY_ATTRIBUTE[attribute].name)

    def day_key(self, number: int) -> KeyPath:
        """The key that says a day of the schedule."""
        keys = ((SCHEDULE, key) for key, days in DAYS_OF_KEY.items() if number in days)
        return next((key for key in keys if key in self.lines), (SCHEDULE,))

    def place(self, line: int | None) -> str:
        """The file, and a line in it."""
        return self.name if line is None else f"{self.name}, line {line}"

    def error(self, complaint: str, *key: str | int) -> ProgramFileError:
        """A complaint about a key, which begins with its name."""
        return ProgramFileError(f"{self.place(self.line(*key))}: {complaint}.")

    def field_error(self, field: FileField, complaint: str) -> ProgramFileError:
        """A complaint about a field, which goes on behind its name."""
        return self.error(f"{field.path} {complaint}", field.section, field.name)
