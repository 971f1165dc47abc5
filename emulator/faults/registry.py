"""The registry of line faults, and the grammar of the one line that names a fault of either kind.

    VERB DIRECTION OPERATION [PARAMETER=VALUE …]        delay answer BOLUS_EXECUTE by=2s nth=2
    VERB [PARAMETER=VALUE …]                            stall for=2h after=10min

The verb tells which: one of this registry strikes frames on the line, one of `firmware_model.faults` the pump itself. A
new fault of the line is one entry here and one function in `acts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from emulator.faults import acts
from emulator.faults.acts import Act
from emulator.faults.baud import LEAST_BAUD, MOST_BAUD
from emulator.faults.device_faults import parse_device_fault
from emulator.faults.parameters import DURATION, form_of, read_value, word_of
from emulator.faults.spec import ANY, CERTAIN_PPM, FaultSpec
from emulator.faults.syntax import FaultSyntaxError, split_parameters, unknown
from emulator.wire import Ability, Direction, FaultNames
from firmware_model.faults import FAULTS, DeviceFault, Parameter
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_SECOND

MOST_NTH = 1_000_000
_DAY_US = SECONDS_PER_DAY * US_PER_SECOND
_YEAR_US = 366 * _DAY_US
_MS_US = US_PER_SECOND // 1_000


@dataclass(frozen=True, slots=True)
class LineFaultKind:
    """A kind of line fault: `act` says what becomes of a frame, with the values of `parameters`.

    `needs`: what the protocol must be able to do. One that needs seals strikes sealed frames only. `repeats`: it brings
    the frame that matched before, and so strikes none that has none before it.
    """

    verb: str
    meaning: str
    example: str
    act: Act
    parameters: tuple[Parameter, ...] = ()
    needs: Ability | None = None
    repeats: bool = False


NTH, COUNT = "nth", "count"
PARAMETERS = (
    Parameter(NTH, "", "the first matching frame that is struck, counted in its window", 1, 1, MOST_NTH),
    Parameter(COUNT, "", "how many frames are struck", 1, 1, MOST_NTH),
    Parameter("chance", "ppm", "how likely each is struck whose turn it is", CERTAIN_PPM, 1, CERTAIN_PPM),
    Parameter("seed", "", "what all that is left to chance begins with", 0, 0, 0xFFFF_FFFF),
    Parameter("after", DURATION, "how long after it was armed its window begins", 0, 0, 20 * _YEAR_US),
    Parameter("for", DURATION, "how long its window lasts; 0 = until it is spent or cleared", 0, 0, 20 * _YEAR_US),
)
"""What every line fault takes."""


def _gap(default_us: int) -> Parameter:
    return Parameter("gap", DURATION, "how long after one the next one comes", default_us, 0, _DAY_US)


_KINDS = (
    LineFaultKind("drop", "the frame is lost on its way", "drop answer BOLUS_EXECUTE nth=1 count=1", acts.drop),
    LineFaultKind(
        "corrupt",
        "bits of the frame are turned over",
        "corrupt answer STATUS byte=7 bit=3 burst=1 where=given nth=1 count=1",
        acts.corrupt,
        (
            Parameter("byte", "", "in which byte, counted from 0, round and round", 4, 0, 65_535),
            Parameter("bit", "", "at which bit of it", 0, 0, acts.BITS - 1),
            Parameter("burst", "", "how many bits in a row, up to the end of the frame", 1, 1, 2_048),
            Parameter("where", "", "at the place given, or anywhere, as drawn", 0, 0, 1, ("given", "anywhere")),
        ),
    ),
    LineFaultKind(
        "truncate",
        "the end of the frame is lost",
        "truncate answer STATUS lost=3 nth=1 count=1",
        acts.truncate,
        (Parameter("lost", "bytes", "how many of its last bytes", 3, 1, 65_535),),
    ),
    LineFaultKind(
        "baud-mismatch",
        "the frame is read at another speed than it was sent: garbage, and more of it or less",
        "baud-mismatch answer STATUS sent=115200 heard=57600 nth=1 count=1",
        acts.misread,
        (
            Parameter("sent", "baud", "at which speed it is sent", 115_200, LEAST_BAUD, MOST_BAUD),
            Parameter("heard", "baud", "at which it is read", 57_600, LEAST_BAUD, MOST_BAUD),
        ),
    ),
    LineFaultKind(
        "duplicate",
        "the frame comes more than once",
        "duplicate request BOLUS_EXECUTE copies=1 gap=0s nth=1 count=1",
        acts.duplicate,
        (Parameter("copies", "", "how often more", 1, 1, 16), _gap(0)),
    ),
    LineFaultKind(
        "delay",
        "the frame comes late, and all behind it waits",
        "delay answer BOLUS_EXECUTE by=2s nth=1 count=1",
        acts.delay,
        (Parameter("by", DURATION, "how much later", 2 * US_PER_SECOND, 1, _DAY_US),),
    ),
    LineFaultKind(
        "reorder",
        "the frame is overtaken by what comes next",
        "reorder answer STATUS by=2s nth=1 count=1",
        acts.reorder,
        (Parameter("by", DURATION, "how long it waits to be overtaken", 2 * US_PER_SECOND, 1, _DAY_US),),
    ),
    LineFaultKind(
        "insert",
        "garbage comes with the frame",
        "insert answer STATUS bytes=8 where=before nth=1 count=1",
        acts.insert,
        (
            Parameter("bytes", "bytes", "how much of it, drawn from the seed", 8, 1, 512),
            Parameter("where", "", "on which side of the frame", 0, 0, 1, ("before", "behind")),
        ),
    ),
    LineFaultKind(
        "split",
        "the frame comes in two parts",
        "split answer STATUS at=3 gap=100ms nth=1 count=1",
        acts.split,
        (Parameter("at", "bytes", "how many are in the first", 3, 1, 65_535), _gap(100 * _MS_US)),
    ),
    LineFaultKind(
        "slow",
        "the frame drips",
        "slow answer STATUS bytes=1 gap=10ms nth=1 count=1",
        acts.slow,
        (Parameter("bytes", "bytes", "how many come at once", 1, 1, 512), _gap(10 * _MS_US)),
    ),
    LineFaultKind(
        "echo",
        "the frame also comes back to whoever has sent it",
        "echo request STATUS nth=1 count=1",
        acts.echo,
    ),
    LineFaultKind(
        "replay",
        "the frame that matched before comes once more behind it",
        "replay request BOLUS_EXECUTE gap=0s nth=2 count=1",
        acts.replay,
        (_gap(0),),
        repeats=True,
    ),
    LineFaultKind(
        "stale",
        "the frame that matched before comes in its place",
        "stale answer STATUS nth=2 count=1",
        acts.stale,
        repeats=True,
    ),
    LineFaultKind(
        "tag-flip",
        "the tag of a sealed frame is wrong, though the checksum of the line is right",
        "tag-flip answer BOLUS_EXECUTE nth=1 count=1",
        acts.flip_tag,
        needs=Ability.SEALS,
    ),
    LineFaultKind(
        "counter-skip",
        "a sealed frame has another counter than it should, and is otherwise good",
        "counter-skip request STATUS by=1000 nth=1 count=1",
        acts.skip_counter,
        (
            Parameter(
                "by",
                "",
                "how far it has gone on from the frame before: 1 as it should, 0 the same again, less goes back",
                1_000,
                -1_000_000,
                1_000_000_000_000,
            ),
        ),
        needs=Ability.SEALS,
    ),
    LineFaultKind(
        "session-drop",
        "the pump forgets the session as if by silence, and tells nobody: at a request before its effect, at an answer"
        " after it",
        "session-drop answer BOLUS_PREPARE nth=1 count=1",
        acts.drop_session,
        needs=Ability.SESSIONS,
    ),
    LineFaultKind(
        "hang",
        "the line falls silent: the frame is lost, and all that comes behind it either way",
        "hang request STATUS lasting=10s nth=1 count=1",
        acts.hang,
        (Parameter("lasting", DURATION, "for how long", 10 * US_PER_SECOND, 1, _DAY_US),),
    ),
    LineFaultKind(
        "disconnect",
        "the frame is lost and the line breaks, as when a cable is pulled: at a request before its effect, at an answer"
        " after it",
        "disconnect answer BOLUS_EXECUTE lasting=5s nth=1 count=1",
        acts.disconnect,
        (Parameter("lasting", DURATION, "how long until it can be opened again", 5 * US_PER_SECOND, 1, _DAY_US),),
    ),
    LineFaultKind(
        "crash",
        "the frame is lost and the power goes: at a request before its effect, at an answer after it",
        "crash answer BOLUS_EXECUTE off=5s nth=1 count=1",
        acts.crash,
        (Parameter("off", DURATION, "how long until it comes back; 0 = when the tester restores it", 0, 0, _DAY_US),),
    ),
)
REGISTRY: Mapping[str, LineFaultKind] = MappingProxyType({kind.verb: kind for kind in _KINDS})


def can_do(verb: str, names: FaultNames) -> bool:
    """Whether a wire can do what a verb asks of it; of a pump every fault can be."""
    needs = REGISTRY[verb].needs if verb in REGISTRY else None
    return needs is None or needs in names.abilities


def line_fault_text(fault: FaultSpec) -> str:
    """The fault as it is written: with all that is its own, which frames, and the rest where it is not the usual."""
    own = dict(fault.own)
    words = [word_of(parameter, own[parameter.name]) for parameter in REGISTRY[fault.verb].parameters]
    shared = (fault.nth, fault.count, fault.chance_ppm, fault.seed, fault.after_us, fault.for_us)
    words += [
        word_of(parameter, value)
        for parameter, value in zip(PARAMETERS, shared, strict=True)
        if parameter.name in (NTH, COUNT) or value != parameter.default
    ]
    return " ".join([fault.verb, fault.direction.value, fault.name, *words])


def example_for(verb: str, names: FaultNames) -> str:
    """A line fault as it can be written for a wire that has these names; for one that has none, as for ours."""
    _, direction, operation, *parameters = REGISTRY[verb].example.split()
    known = names.of.get(Direction(direction), ())
    if known and operation not in known:
        operation = known[0]
    return " ".join((verb, direction, operation, *parameters))


def parse_fault(text: str, names: FaultNames) -> FaultSpec | DeviceFault:
    """The fault that a line names; `names` are those of the wire. Raises FaultSyntaxError."""
    verb, *words = text.split() or [""]
    if verb in REGISTRY:
        return _parse_line_fault(text, verb, words, names)
    if verb in FAULTS:
        return parse_device_fault(text, verb, words)
    if not verb:
        examples = f"{example_for('drop', names)!r} or {FAULTS['stall'].example!r}"
        raise FaultSyntaxError(f"fault {text!r} is empty: it begins with a verb, such as {examples}")
    raise unknown(text, "verb", verb, [*REGISTRY, *FAULTS])


def _parse_line_fault(text: str, verb: str, words: Sequence[str], names: FaultNames) -> FaultSpec:
    if len(words) < 2:
        example = example_for(verb, names)
        raise FaultSyntaxError(f"fault {text!r} is too short: it is VERB DIRECTION OPERATION, such as {example!r}")
    needs = REGISTRY[verb].needs
    if needs is not None and not can_do(verb, names):
        raise FaultSyntaxError(f"fault {text!r}: {verb} needs {needs.value}, and the protocol of this pump has none")
    way, name, *rest = words
    direction = _direction(text, way, names)
    operation = _operation(text, name, direction, names)
    known = {parameter.name: parameter for parameter in (*REGISTRY[verb].parameters, *PARAMETERS)}
    values = {parameter.name: parameter.default for parameter in known.values()}
    for key, value in split_parameters(text, rest, {each: form_of(known[each]) for each in known}).items():
        values[key] = read_value(text, known[key], value)
    own = tuple((parameter.name, values[parameter.name]) for parameter in REGISTRY[verb].parameters)
    nth, count, chance_ppm, seed, after_us, for_us = (values[each.name] for each in PARAMETERS)
    return FaultSpec(verb, direction, operation, nth, count, chance_ppm, seed, after_us, for_us, own)


def _direction(text: str, word: str, names: FaultNames) -> Direction:
    used = [direction.value for direction in Direction if names.of.get(direction)]
    if word in used:
        return Direction(word)
    if word in [direction.value for direction in Direction]:
        raise FaultSyntaxError(f"fault {text!r}: no {word} ever goes on this line; allowed are {', '.join(used)}")
    raise unknown(text, "direction", word, used)


def _operation(text: str, word: str, direction: Direction, names: FaultNames) -> str:
    if word.lower() == ANY:
        return ANY
    operation = word.upper()
    if operation in names.of[direction]:
        return operation
    allowed = [*names.of[direction], ANY]
    if any(operation in elsewhere for elsewhere in names.of.values()):
        way = f"{'an' if direction is not Direction.REQUEST else 'a'} {direction.value}"
        raise FaultSyntaxError(f"fault {text!r}: {operation} is never {way}; allowed are {', '.join(allowed)}")
    raise unknown(text, "operation", word, allowed)
