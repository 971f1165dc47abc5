"""The registry of faults, and the grammar of the one line that names one.

    VERB DIRECTION OPERATION [PARAMETER=VALUE …]        drop answer BOLUS_EXECUTE nth=1 count=2

A new fault of the line is one entry here: its verb, its words, and a function from a frame's bytes to the frames that
go on in its place.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from emulator.faults.spec import ANY, FaultSpec
from emulator.wire import Direction

MOST_NTH = 1_000_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number that a fault takes, from 1 to `maximum`."""

    name: str
    meaning: str
    default: int
    maximum: int


@dataclass(frozen=True, slots=True)
class LineFaultKind:
    """A kind of line fault. `act` gives the frames that go on instead of the one that was struck."""

    verb: str
    meaning: str
    example: str
    act: Callable[[bytes], Sequence[bytes]]


PARAMETERS = (
    Parameter("nth", "the first matching frame that is struck, counted from when the fault was armed", 1, MOST_NTH),
    Parameter("count", "how many matching frames are struck, one after the other", 1, MOST_NTH),
)
"""What every line fault takes."""


def _drop(_frame: bytes) -> Sequence[bytes]:
    return ()


REGISTRY: Mapping[str, LineFaultKind] = MappingProxyType(
    {
        kind.verb: kind
        for kind in (
            LineFaultKind(
                verb="drop",
                meaning="the frame is lost on its way",
                example="drop answer BOLUS_EXECUTE nth=1 count=1",
                act=_drop,
            ),
        )
    }
)


class FaultSyntaxError(ValueError):
    """A fault's line that says nothing known; one sentence that names the word and what is allowed."""


def parse_fault(text: str, names: Sequence[str]) -> FaultSpec:
    """The fault that a line names; `names` are the operations of the wire. Raises FaultSyntaxError."""
    words = text.split()
    if len(words) < 3:
        example = REGISTRY["drop"].example
        raise FaultSyntaxError(f"fault {text!r} is too short: it is VERB DIRECTION OPERATION, such as {example!r}")
    verb, direction, name, *rest = words
    if verb not in REGISTRY:
        raise FaultSyntaxError(_unknown(text, "verb", verb, list(REGISTRY)))
    directions = [known.value for known in Direction]
    if direction not in directions:
        raise FaultSyntaxError(_unknown(text, "direction", direction, directions))
    operation = ANY if name.lower() == ANY else name.upper()
    if operation != ANY and operation not in names:
        raise FaultSyntaxError(_unknown(text, "operation", name, [*names, ANY]))
    values = _parameters(text, rest)
    return FaultSpec(verb, Direction(direction), operation, values["nth"], values["count"])


def _parameters(text: str, words: Sequence[str]) -> dict[str, int]:
    known = {parameter.name: parameter for parameter in PARAMETERS}
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    seen: set[str] = set()
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            raise FaultSyntaxError(_unknown(text, "parameter", key, [f"{name}=N" for name in known]))
        if key in seen:
            raise FaultSyntaxError(f"fault {text!r}: {key} is given twice")
        maximum = known[key].maximum
        digits = value.lstrip("0") if value.isascii() and value.isdecimal() else ""
        if not digits or len(digits) > len(str(maximum)) or int(digits) > maximum:
            raise FaultSyntaxError(f"fault {text!r}: {key} is {value!r}, but allowed is a number from 1 to {maximum}")
        seen.add(key)
        values[key] = int(digits)
    return values


def _unknown(text: str, what: str, word: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.upper(), allowed, n=1) or difflib.get_close_matches(word, allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"fault {text!r}: {what} {word!r} is not known{hint}; allowed are {', '.join(allowed)}"
