"""A program as a TOML file, read.

What a file does not say stays as it is in the pump. A file that cannot be used is a ProgramFileError: one sentence with
the file, the line, the field and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from emulator.programmer.program_fields import (
    SECTIONS,
    clip,
    meant,
    quoted,
)
from emulator.programmer.program_image import SCHEDULE
from emulator.programmer.program_limits import check_modes
from emulator.programmer.program_said import ProgramFile, ProgramFileError
from emulator.programmer.program_schedule import read_schedule
from emulator.programmer.program_sections import Number, read_drugs, read_section
from emulator.programmer.toml_lines import KeyPath, key_lines

__all__ = [
    "MAX_FILE_BYTES",
    "SAYABLE",
    "ProgramFile",
    "ProgramFileError",
    "load_program_file",
    "read_program_file",
]

MAX_FILE_BYTES: Final = 65_536
SAYABLE: Final = (
    "[[drug]] with name, concentration and stable_for (or drugs = [] for none), [infusion] with mode, rate, dose, over "
    "and every, [schedule] with days, [patient] with bolus, over, lockout, most and window (or patient = false for "
    "none), [limits] with rate_max, bolus_max and window_max, [alarms] with low_reservoir, critical_repeat and "
    "non_critical_repeat, [catheter] with volume"
)
_TOP: Final = ("drugs", "drug", SCHEDULE, *SECTIONS)
_AT_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$")


def load_program_file(path: Path) -> ProgramFile:
    """The program in a file of the disk."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ProgramFileError(f"{path} cannot be read: {reason}.") from error
    return read_program_file(str(path), data)


def read_program_file(name: str, data: bytes) -> ProgramFile:
    """The program in a file's bytes."""
    document, lines = _document(name, data)
    file = ProgramFile(name, {}, lines)
    said: dict[str, Any] = {}
    for key, value in document.items():
        if key in SECTIONS:
            said |= read_section(file, key, value)
        elif key == SCHEDULE:
            said[SCHEDULE] = read_schedule(file, value)
        elif key not in _TOP:
            kind = f"section [{key}]" if isinstance(value, dict) else f"field {quoted(key)}"
            raise file.error(f"there is no {clip(kind)}{meant(key, _TOP)}; a program may say {SAYABLE}", key)
    if "drug" in document or "drugs" in document:
        said["drugs"] = read_drugs(file, document)
    if not said:
        raise ProgramFileError(f"{name} says nothing; a program may say {SAYABLE}.")
    file = replace(file, said=MappingProxyType(said))
    check_modes(file)
    return file


def _document(name: str, data: bytes) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    if len(data) > MAX_FILE_BYTES:
        raise ProgramFileError(f"{name} is larger than {MAX_FILE_BYTES} bytes, the most that a program may have.")
    try:
        # Some editors begin a file with a byte order mark, which is no part of it.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad_line = data[: error.start].count(b"\n") + 1
        raise ProgramFileError(f"{name}, line {bad_line}: this is not UTF-8 text.") from None
    try:
        return tomllib.loads(text, parse_float=Number), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
        raise ProgramFileError(f"{name}, line {line}: this is no TOML: {_AT_PLACE.sub('', str(error))}.") from None
    except RecursionError:
        raise ProgramFileError(f"{name} is nested too deeply; a program may say {SAYABLE}.") from None
    except ValueError:
        raise ProgramFileError(f"{name} has a number that is too long; write quantities as text with a unit.") from None
