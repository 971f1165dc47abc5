"""What a test may choose of its pump: one table for command line, ini file, marker, `pumps()` and docs/pytest.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

Value = object
PORTS: Mapping[str, str] = MappingProxyType({"pty": "pty", "tcp": "tcp:127.0.0.1:0"})
"""Kinds of port, and where `serve` is told to listen. No port has a fixed number, so no two pumps can want the same."""


class SettingError(ValueError):
    """A setting that cannot be; one sentence that names it, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be chosen.

    allowed     what a value may be, in words
    fits        whether a value is that; what exactly is good, the pump itself says
    words       the words for `vpump serve` of a value
    of_session  whether command line and ini file have it as well, and not only marker and `pumps()`
    is_file     whether a value may name a file, and is then looked for
    """

    name: str
    meaning: str
    allowed: str
    default: Value
    fits: Callable[[Value], bool]
    words: Callable[[Value], Sequence[str]]
    of_session: bool = False
    is_file: bool = False

    @property
    def option(self) -> str:
        """Its option on the command line."""
        return f"--vpump-{self.name.replace('_', '-')}"

    @property
    def ini_name(self) -> str:
        """Its name in the ini file."""
        return f"vpump_{self.name}"

    def check(self, where: str, value: Value) -> Value:
        """The value, if it is one; raises SettingError."""
        if not self.fits(value):
            raise SettingError(f"{where}: {self.name} is {value!r}, but allowed is {self.allowed}")
        return value


def _is_text(value: Value) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Value) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return float(value) >= 0
    except ValueError:
        return False


def _is_whole(value: Value) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and str(value).isdecimal()


def _is_texts(value: Value) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _is_truth(value: Value) -> bool:
    return isinstance(value, bool)


def _given(option: str) -> Callable[[Value], Sequence[str]]:
    return lambda value: () if value is None else (option, str(value))


def _repeated(option: str) -> Callable[[Value], Sequence[str]]:
    def words(value: Value) -> Sequence[str]:
        assert isinstance(value, list | tuple)  # noqa: S101 - `fits` has seen to it
        return [word for each in value for word in (option, each)]

    return words


SETTINGS: Final = (
    Setting(
        "profile", "the device model", "a profile's name or its file", "reference-20", _is_text, _given("--profile"),
        of_session=True, is_file=True,
    ),
    Setting(
        "protocol", "what it speaks, of the protocols that are installed", "a protocol's name", "vpump", _is_text,
        _given("--protocol"), of_session=True,
    ),
    Setting(
        "port_kind", "a virtual serial port, or TCP", " or ".join(PORTS), "pty", lambda value: value in PORTS,
        lambda value: ("--listen", PORTS[str(value)]), of_session=True,
    ),
    Setting(
        "seed", "the seed of all chance, and of the serial number", "a whole number from 0", 0, _is_whole,
        _given("--seed"), of_session=True,
    ),
    Setting(
        "speed", "virtual seconds per second; 0: time moves by `pump.control` alone", "a number from 0", 1, _is_number,
        _given("--speed"), of_session=True,
    ),
    Setting(
        "session_speed", "the same while a session is open", "a number from 0", None, _is_number,
        _given("--session-speed"),
    ),
    Setting(
        "faults", "faults that are armed from the start, as in docs/faults.md", "a list of texts", (), _is_texts,
        _repeated("--fault"),
    ),
    Setting(
        "insecure", "whether it asks nobody for a key", "True or False", False, _is_truth,
        lambda value: ("--insecure",) if value else (),
    ),
    Setting(
        "keys", "its keys, in place of the published test keys", "the name of a key file", None, _is_text,
        _given("--keys"), is_file=True,
    ),
    Setting(
        "serial_number", "its serial number, in place of the one that follows from the seed", "up to 8 hex digits",
        None, _is_text, _given("--serial-number"),
    ),
    Setting(
        "emulated",
        "whether the test can do with an emulated pump only: on a device it is skipped before it begins",
        "True or False", False, _is_truth, lambda _value: (),
    ),
)  # fmt: skip
NAMED: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in SETTINGS})
Settings = Mapping[str, Value]


def defaults() -> Settings:
    """All settings as they are when nobody chooses."""
    return {setting.name: setting.default for setting in SETTINGS}


def checked(where: str, chosen: Mapping[str, Value], folder: Path) -> Settings:
    """What somebody has chosen, with names of files made whole from a folder; raises SettingError."""
    for name in chosen:
        if name not in NAMED:
            raise SettingError(f"{where}: {name} is not known; allowed are {', '.join(NAMED)}")
    return {name: _found(NAMED[name], NAMED[name].check(where, value), folder) for name, value in chosen.items()}


def serve_words(settings: Settings) -> Iterable[str]:
    """The words for `vpump serve` that make such a pump."""
    for setting in SETTINGS:
        yield from setting.words(settings[setting.name])


def _found(setting: Setting, value: Value, folder: Path) -> Value:
    """A file's name as it is good from anywhere; a profile that is no file there is a name."""
    if setting.is_file and isinstance(value, str) and (path := folder / value).is_file():
        return str(path.absolute())
    return value
