"""Device faults as one line: the verbs of the model's registry in the grammar of faults, with units.

VERB [PARAMETER=VALUE …]        stall for=2h after=10min        gain-error ppm=15%
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emulator.faults.parameters import form_of, read_value, word_of
from emulator.faults.syntax import FaultSyntaxError, split_parameters
from firmware_model.faults import FAULTS, DeviceFault, FaultKind, Parameter, device_fault
from firmware_model.faults.registry import TIMES, times_of

_USUAL_TIMES = {time.name: time.default for time in TIMES}


def parse_device_fault(text: str, verb: str, words: Sequence[str]) -> DeviceFault:
    """The fault that a line names, of which these are the words behind the verb. Raises FaultSyntaxError."""
    known = {parameter.name: parameter for parameter in parameters_of(FAULTS[verb])}
    said = split_parameters(text, words, {name: form_of(parameter) for name, parameter in known.items()})
    values = {name: read_value(text, known[name], value) for name, value in said.items()}
    try:
        return device_fault(verb, **values)
    except ValueError as error:
        raise FaultSyntaxError(f"fault {text!r}: {str(error).removeprefix(f'{verb}: ')}") from None


def fault_text(fault: DeviceFault) -> str:
    """The fault as it is written: with all that is its own, and its times as far as they are not the usual ones."""
    kind, own = FAULTS[fault.verb], dict(fault.values)
    words = [word_of(parameter, own[parameter.name]) for parameter in kind.parameters if parameter.name in own]
    times = {"after": fault.after_us, "for": fault.for_us, "every": fault.every_us, "count": fault.times}
    words += [
        word_of(time, times[time.name])
        for time in usual_times_of(kind)
        if not times[time.name] == time.default == _USUAL_TIMES[time.name]
    ]
    return " ".join([fault.verb, *words])


def parameters_of(kind: FaultKind) -> tuple[Parameter, ...]:
    """All that a kind of fault takes: first what only it takes, then the times."""
    return (*kind.parameters, *usual_times_of(kind))


def usual_times_of(kind: FaultKind) -> tuple[Parameter, ...]:
    """When and how often a fault comes, with the defaults of its kind."""
    defaults = _USUAL_TIMES | {"for": kind.for_us, "every": kind.every_us, "count": kind.count}
    return tuple(replace(time, default=defaults[time.name]) for time in times_of(kind))
