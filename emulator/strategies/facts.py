"""What vpump takes, in its own words: the JSON of `vpump faults` and `vpump profile show`, asked for once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from emulator.quantities import format_duration_us, parse_duration_us

DEADLINE_S = 60.0
LINE = "line"
DURATION = "us"
"""The unit of a parameter that is a duration."""
_OF_PARAMETER = ("name", "unit", "minimum", "maximum", "default")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a fault takes: a whole number of `unit` in a range, both ends allowed, or one of some words."""

    name: str
    unit: str
    minimum: int
    maximum: int
    choices: tuple[str, ...]
    default: str

    @property
    def default_us(self) -> int:
        """The default of a duration."""
        return 0 if self.default == format_duration_us(0) else parse_duration_us(self.default)


@dataclass(frozen=True, slots=True)
class Fault:
    """A verb. `kind`: what it strikes, line or device."""

    verb: str
    kind: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Faults:
    """All verbs, and for each direction the operations of the wire that a fault of the line can name."""

    verbs: tuple[Fault, ...]
    operations: Mapping[str, tuple[str, ...]]


@cache
def faults_of(protocol: str) -> Faults:
    """What can go wrong with a pump that speaks a protocol."""
    document = _asked("faults", "--protocol", protocol)
    verbs = tuple(
        Fault(
            each["verb"],
            each["kind"],
            tuple(
                Parameter(**{name: given[name] for name in _OF_PARAMETER} | {"choices": tuple(given["choices"])})
                for given in each["parameters"]
            ),
        )
        for each in document["faults"]
    )
    return Faults(verbs, {direction: tuple(named) for direction, named in document["operations"].items()})


@cache
def parameters_of(profile: str) -> Mapping[str, int]:
    """The whole numbers of a profile (its name, or its file) by their names, such as `therapy.rate_max_nl_per_day`."""
    listed: Sequence[Mapping[str, Any]] = _asked("profile", "show", profile)["parameters"]
    return {each["name"]: each["value"] for each in listed if type(each["value"]) is int}


def _asked(*words: str) -> Any:
    """The document of a command; raises ValueError with its sentence."""
    finished = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-I", "-m", "emulator", *words, "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    if finished.returncode:
        raise ValueError(finished.stderr.strip() or f"vpump {words[0]} ended with status {finished.returncode}")
    return json.loads(finished.stdout)
