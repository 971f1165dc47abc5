"""The registry of line faults, and the grammar of the one line that names a fault of either kind.

    VERB DIRECTION OPERATION [PARAMETER=VALUE …]        drop answer BOLUS_EXECUTE nth=1 count=2
    VERB [PARAMETER=VALUE …]                            stall for=2h after=10min

The verb tells which: one of this registry strikes frames on the line, one of `firmware_model.faults` the pump itself. A
new fault of the line is one entry here: its verb, its words, and a function from a frame's bytes to the frames that go
on in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from emulator.faults.device_faults import parse_device_fault
from emulator.faults.spec import ANY, FaultSpec
from emulator.faults.syntax import FaultSyntaxError, split_parameters, unknown, wrong_value
from emulator.wire import Direction
from firmware_model.faults import FAULTS, DeviceFault

MOST_NTH = 1_000_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number that a line fault takes, from 1 to `maximum`."""

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
_FORMS = {parameter.name: f"{parameter.name}=N" for parameter in PARAMETERS}


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


def example_for(verb: str, names: Sequence[str]) -> str:
    """A line fault as it can be written for a wire whose operations these are; of one that has none, as for ours."""
    _, direction, operation, *parameters = REGISTRY[verb].example.split()
    if names and operation not in names:
        operation = names[0]
    return " ".join((verb, direction, operation, *parameters))


def parse_fault(text: str, names: Sequence[str]) -> FaultSpec | DeviceFault:
    """The fault that a line names; `names` are the operations of the wire. Raises FaultSyntaxError."""
    verb, *words = text.split() or [""]
    if verb in REGISTRY:
        return _parse_line_fault(text, verb, words, names)
    if verb in FAULTS:
        return parse_device_fault(text, verb, words)
    if not verb:
        examples = f"{example_for('drop', names)!r} or {FAULTS['stall'].example!r}"
        raise FaultSyntaxError(f"fault {text!r} is empty: it begins with a verb, such as {examples}")
    raise unknown(text, "verb", verb, [*REGISTRY, *FAULTS])


def _parse_line_fault(text: str, verb: str, words: Sequence[str], names: Sequence[str]) -> FaultSpec:
    if len(words) < 2:
        example = example_for(verb, names)
        raise FaultSyntaxError(f"fault {text!r} is too short: it is VERB DIRECTION OPERATION, such as {example!r}")
    direction, name, *rest = words
    directions = [known.value for known in Direction]
    if direction not in directions:
        raise unknown(text, "direction", direction, directions)
    operation = ANY if name.lower() == ANY else name.upper()
    if operation != ANY and operation not in names:
        raise unknown(text, "operation", name, [*names, ANY])
    values = {parameter.name: parameter.default for parameter in PARAMETERS}
    for key, value in split_parameters(text, rest, _FORMS).items():
        values[key] = _read_number(text, key, value)
    return FaultSpec(verb, Direction(direction), operation, values["nth"], values["count"])


def _read_number(text: str, name: str, value: str) -> int:
    maximum = next(parameter.maximum for parameter in PARAMETERS if parameter.name == name)
    digits = value.lstrip("0") if value.isascii() and value.isdecimal() else ""
    if not digits or len(digits) > len(str(maximum)) or int(digits) > maximum:
        raise wrong_value(text, name, value, f"a number from 1 to {maximum}")
    return int(digits)
