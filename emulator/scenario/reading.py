"""A scenario file, read and checked. What is wrong with one is one sentence: file, line, field, and what is allowed.

All of a file is checked before anything of it is run: fields and their types by the declaration, then what they say.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin

import msgspec

from emulator.assembly import profile_text, shipped_profiles
from emulator.control.awaited import event_predicate
from emulator.control.refusal import RequestError
from emulator.faults.arming import arming
from emulator.faults.syntax import FaultSyntaxError
from emulator.inputs import ClearFaults, CutPower, ReplaceKeys, RestorePower, SetEnvironment, SwapPump, UseSyringe
from emulator.keyfile import KEY_ALLOWED, ROLES, is_key
from emulator.programmer.program_file import ProgramFileError, read_program_file
from emulator.programmer.toml_lines import KeyPath, key_lines
from emulator.quantities import (
    TEMPERATURE_UNITS_CC,
    QuantityError,
    format_amount,
    parse_amount,
    parse_concentration_ng_per_ml,
    parse_duration_us,
    parse_level_nl,
)
from emulator.scenario.declaration import (
    DEEDS,
    LIMITS,
    WHENS,
    EnvironmentTable,
    ExpectTable,
    PumpTable,
    ScenarioTable,
    StepTable,
    SyringeTable,
    WhenTable,
)
from emulator.scenario.plan import (
    SESSION_FLOOR,
    Act,
    After,
    Arm,
    At,
    Begin,
    Deed,
    Ended,
    Expectation,
    Judge,
    Kill,
    On,
    Pass,
    Previous,
    PumpPlan,
    Scenario,
    Step,
    When,
)
from emulator.scenario.subjects import Limit, Subject, SubjectError, quantity, read_subject
from emulator.scenario.tasks import TaskError, read_task
from emulator.serial_number import read_serial_number
from emulator.wire import FaultNames
from firmware_model.plant.condition import HIGHEST_CC, LOWEST_CC
from firmware_model.profile_text import ProfileError

MAX_FILE_BYTES: Final = 65_536
LIBRARY: Final = resources.files("emulator") / "scenario" / "library"
_PROGRAMS: Final = resources.files("emulator") / "programs"
_AT_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$")
_AT_PATH: Final = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_PLACE: Final = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_FIELD: Final = re.compile(r"field `([^`]*)`")

T = TypeVar("T")
V = TypeVar("V")


class ScenarioFileError(Exception):
    """A file that is no scenario; one sentence."""


@dataclass(frozen=True, slots=True)
class _File:
    """Where we are reading, to say where something is wrong. `names`: the operations that a fault can name."""

    name: str
    lines: Mapping[KeyPath, int]
    folder: Path | None
    names: FaultNames

    def error(self, why: str, path: KeyPath) -> ScenarioFileError:
        """One sentence with the line of the nearest thing that has one."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        field = ".".join(f"{part}" for part in path if isinstance(part, str))
        where = f", {field}" if field else ""
        return ScenarioFileError(f"{self.name}, line {line}{where}: {' '.join(why.split()).rstrip('.')}.")

    def read(self, read: Callable[[V], T], value: V, path: KeyPath) -> T:
        """What a value says, by a reader of its kind."""
        try:
            return read(value)
        except (QuantityError, TaskError, SubjectError, FaultSyntaxError, RequestError, ProfileError) as error:
            raise self.error(str(error), path) from None


def shipped_scenarios() -> tuple[str, ...]:
    """The names of the scenarios that come with the product, in their order."""
    return tuple(sorted(item.name.removesuffix(".toml") for item in LIBRARY.iterdir() if item.name.endswith(".toml")))


def load_scenario(name_or_file: str, names: FaultNames) -> Scenario:
    """The scenario of a shipped name, or of a file. Raises ScenarioFileError."""
    if name_or_file in shipped_scenarios():
        return read_scenario(f"{name_or_file}.toml", (LIBRARY / f"{name_or_file}.toml").read_bytes(), names)
    path = Path(name_or_file)
    try:
        if path.suffix != ".toml" and not path.exists():
            raise ScenarioFileError(
                f"scenario {name_or_file!r} is neither a file nor one that is shipped; vpump scenario list shows those."
            )
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ScenarioFileError(f"{name_or_file} cannot be read: {reason}.") from None
    return read_scenario(str(path), data, names, path.parent)


def read_scenario(name: str, data: bytes, names: FaultNames, folder: Path | None = None) -> Scenario:
    """The scenario in a file's bytes; what it names stands beside it in `folder`. Raises ScenarioFileError."""
    document, lines = _document(name, data)
    file = _File(name, lines, folder, names)
    try:
        table = msgspec.convert(document, ScenarioTable)
    except msgspec.ValidationError as error:
        raise _worded(file, str(error)) from None
    expectations = _expectations(file, table)
    steps = tuple(_step(file, ("step", place), step) for place, step in enumerate(table.step))
    _check_judged(file, steps, expectations)
    fails = (table.fails,) if isinstance(table.fails, str) else tuple(table.fails)
    for failing in fails:
        if failing not in {each.name for each in expectations}:
            named = ", ".join(each.name for each in expectations)
            raise file.error(f"{failing!r} is the name of no expectation; they are {named}", ("fails",))
    return Scenario(
        name=Path(name).name.removesuffix(".toml"),
        title=table.title,
        kind=table.kind,
        number=table.number,
        sources=tuple(table.sources),
        story=table.story.strip(),
        good=table.good.strip(),
        naive=table.naive.strip(),
        flaw=table.flaw,
        fails=fails,
        pump=_pump(file, table.pump),
        virtual_us=file.read(parse_duration_us, table.limits.virtual, ("limits", "virtual")),
        wall_us=file.read(parse_duration_us, table.limits.wall, ("limits", "wall")),
        per_request_us=file.read(parse_duration_us, table.clock.per_request, ("clock", "per_request")),
        steps=steps,
        expectations=expectations,
        programs=tuple(
            _program(
                file, str(step.deed.task.values["FILE"]), ("step", place, "another" if step.deed.another else "task")
            )
            for place, step in enumerate(steps)
            if isinstance(step.deed, Begin) and "FILE" in step.deed.task.values
        ),
    )


def _document(name: str, data: bytes) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    if len(data) > MAX_FILE_BYTES:
        raise ScenarioFileError(f"{name} is larger than {MAX_FILE_BYTES} bytes, the most that a scenario may have.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad_line = data[: error.start].count(b"\n") + 1
        raise ScenarioFileError(f"{name}, line {bad_line}: this is not UTF-8 text.") from None
    try:
        return tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
        raise ScenarioFileError(f"{name}, line {line}: this is no TOML: {_AT_PLACE.sub('', str(error))}.") from None
    except RecursionError:
        raise ScenarioFileError(f"{name} is nested too deeply for a scenario.") from None
    except ValueError:
        raise ScenarioFileError(f"{name} has a number that is too long for a scenario.") from None


def _worded(file: _File, message: str) -> ScenarioFileError:
    """What the declaration does not allow, with where it stands and what it does."""
    found = _AT_PATH.search(message)
    path: KeyPath = tuple(key or int(place) for key, place in _PLACE.findall(found[1])) if found else ()
    what = _AT_PATH.sub("", message)
    table = _table_at(path)
    if (field := _FIELD.search(what)) and table is not None:
        allowed = ", ".join(each.encode_name for each in msgspec.structs.fields(table))
        if "unknown" in what:
            return file.error(f"there is no field {field[1]!r}; allowed are {allowed}", (*path, field[1]))
        return file.error(f"the field {field[1]!r} is missing", path)
    if words := _words_at(path):
        what = f"{what}; allowed are {', '.join(words)}"
    return file.error(what[:1].lower() + what[1:], path)


def _type_at(path: KeyPath) -> Any:
    """The declared type of what stands at a path; None for what has none."""
    found: Any = ScenarioTable
    for part in path:
        table = _struct_in(found)
        if isinstance(part, int):
            found = next((get_args(each)[0] for each in _parts(found) if get_origin(each) is list), None)
        elif table is not None:
            found = next((each.type for each in msgspec.structs.fields(table) if each.name == part), None)
        else:
            return None
    return found


def _parts(declared: Any) -> list[Any]:
    """The alternatives of a type, without what annotates them."""
    if hasattr(declared, "__metadata__"):
        return _parts(declared.__origin__)
    if get_args(declared) and get_origin(declared) not in (list, dict) and not _is_literal(declared):
        return [part for each in get_args(declared) for part in _parts(each)]
    return [declared]


def _is_literal(declared: Any) -> bool:
    return str(get_origin(declared)) == "typing.Literal"


def _struct_in(declared: Any) -> type[msgspec.Struct] | None:
    found = [each for each in _parts(declared) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    return found[0] if found else None


def _table_at(path: KeyPath) -> type[msgspec.Struct] | None:
    return _struct_in(_type_at(path))


def _words_at(path: KeyPath) -> list[str]:
    return [repr(word) for each in _parts(_type_at(path)) if _is_literal(each) for word in get_args(each)]


def _pump(file: _File, table: PumpTable) -> PumpPlan:
    profile = table.profile
    if profile not in shipped_profiles():
        profile = str(_beside(file, profile, ("pump", "profile"), shipped_profiles()))
        file.read(lambda text: profile_text(text).parse(), profile, ("pump", "profile"))
    program = _program(file, table.program, ("pump", "program")) if table.program is not None else None
    number = table.serial_number
    serial_number = None if number is None else _serial_number(file, ("pump", "serial_number"), number)
    return PumpPlan(profile, table.seed, table.insecure, table.role, program, serial_number)


def _program(file: _File, name: str, path: KeyPath) -> tuple[str, bytes]:
    """The name and the text of a program that is one."""
    shipped = sorted(item.name.removesuffix(".toml") for item in _PROGRAMS.iterdir() if item.name.endswith(".toml"))
    try:
        found = _PROGRAMS / f"{name}.toml" if name in shipped else _beside(file, name, path, shipped)
        data = found.read_bytes()
        read_program_file(name, data)
    except (OSError, ProgramFileError) as error:
        raise file.error(str(error), path) from None
    return name, data


def _beside(file: _File, name: str, path: KeyPath, shipped: Sequence[str]) -> Path:
    """A file that a scenario names: it stands beside it, or below."""
    if file.folder is not None and name.endswith(".toml") and not Path(name).is_absolute() and "\0" not in name:
        found = file.folder / name
        with contextlib.suppress(OSError):
            if found.is_file() and found.resolve().is_relative_to(file.folder.resolve()):
                return found
    allowed = ", ".join(shipped)
    raise file.error(f"{name!r} is neither a .toml file beside the scenario nor one of {allowed}", path)


def _step(file: _File, path: KeyPath, step: StepTable) -> Step:
    return Step(_when(file, path, step.when), _deed(file, path, step), step.name)


def _exactly_one(file: _File, path: KeyPath, table: msgspec.Struct, names: Sequence[str], what: str) -> str:
    said = [name for name in names if getattr(table, name) is not None]
    if len(said) != 1:
        has = "none of them" if not said else f"{' and '.join(said)}"
        raise file.error(f"{what} has exactly one of {', '.join(names)}; this one has {has}", path)
    return said[0]


def _when(file: _File, path: KeyPath, when: str | WhenTable) -> When:
    path = (*path, "when")
    if not isinstance(when, WhenTable):
        if when == "start" and 0 not in path:
            raise file.error("start is of the first step; allowed of a later one are previous and ended", path)
        return Ended() if when == "ended" else Previous()
    kind = _exactly_one(file, path, when, WHENS, "a condition")
    if kind != "event" and (when.match or when.nth != 1):
        raise file.error(f"match and nth belong to event; this condition has {kind}", path)
    if when.at is not None:
        return At(file.read(parse_duration_us, when.at, (*path, "at")))
    if when.after is not None:
        return After(file.read(parse_duration_us, when.after, (*path, "after")))
    assert when.event is not None  # noqa: S101 - exactly one of the three is there
    match: dict[str, int | str] = {}
    for name, value in when.match.items():
        read = file.read(partial(quantity, name), value, (*path, "match", name))
        assert not isinstance(read, bool)  # noqa: S101 - the declaration allows none
        match[name] = read
    matches = file.read(lambda kind: event_predicate(kind, match), when.event, (*path, "event"))
    return On(matches, when.nth)


def _deed(file: _File, path: KeyPath, step: StepTable) -> Deed:
    deed = _exactly_one(file, path, step, DEEDS, "a step")
    path = (*path, deed)
    value = getattr(step, deed)
    match deed:
        case "fault":
            file.read(lambda text: arming(text, file.names), value, path)
            return Arm(value)
        case "task" | "another":
            return Begin(file.read(read_task, value, path), another=deed == "another")
        case "advance":
            return Pass(file.read(parse_duration_us, value, path))
        case "power":
            return Act(CutPower() if value == "cut" else RestorePower())
        case "syringe":
            return Act(_syringe(file, path, value))
        case "environment":
            return Act(_environment(file, path, value))
        case "identity":
            return Act(SwapPump(_serial_number(file, path, value), SESSION_FLOOR))
        case "keys":
            return Act(ReplaceKeys(_keys(file, path, value)))
        case "expect":
            return Judge(value)
        case _:
            if value is not True:
                raise file.error(f"{deed} is false; allowed is true, or nothing", path)
            return Kill() if deed == "kill" else Act(ClearFaults())


def _keys(file: _File, path: KeyPath, table: Mapping[str, str]) -> Mapping[str, bytes]:
    """Keys by the role. A key is shown to nobody, also one that is none."""
    if table and set(table) != set(ROLES):
        raise file.error(f"a pump has a key for each of {', '.join(ROLES)}, or with {{}} the test keys", path)
    for role, key in table.items():
        if not is_key(key):
            raise file.error(f"this is no key; allowed are {KEY_ALLOWED}", (*path, role))
    return {role: bytes.fromhex(key) for role, key in table.items()}


def _environment(file: _File, path: KeyPath, table: EnvironmentTable) -> SetEnvironment:
    if table.temperature is None and table.field is None:
        raise file.error("neither temperature nor field is there, so nothing would change", path)
    temperature_cc = None
    if table.temperature is not None:
        path = (*path, "temperature")
        temperature_cc = file.read(partial(parse_amount, units=TEMPERATURE_UNITS_CC), table.temperature, path)
        if not LOWEST_CC <= temperature_cc <= HIGHEST_CC:
            lowest, highest = (format_amount(each, TEMPERATURE_UNITS_CC) for each in (LOWEST_CC, HIGHEST_CC))
            raise file.error(f"it is {table.temperature!r}; allowed is {lowest} to {highest}", path)
    return SetEnvironment(temperature_cc, table.field)


def _serial_number(file: _File, path: KeyPath, text: str) -> int:
    found = read_serial_number(text)
    if found is None:
        raise file.error(f"{text!r} is no serial number; allowed are up to eight hex digits, such as 00C0FFEF", path)
    return found


def _syringe(file: _File, path: KeyPath, table: SyringeTable) -> UseSyringe:
    withdraw_nl = None
    if table.withdraw is not None:
        withdraw_nl = file.read(parse_level_nl, table.withdraw, (*path, "withdraw"))
    inject_nl = file.read(parse_level_nl, table.inject, (*path, "inject"))
    drugs = tuple(
        (name, file.read(parse_concentration_ng_per_ml, value, (*path, "drugs", name)))
        for name, value in table.drugs.items()
    )
    return UseSyringe(withdraw_nl, inject_nl, drugs)


def _expectations(file: _File, table: ScenarioTable) -> tuple[Expectation, ...]:
    found: list[Expectation] = []
    for place, expect in enumerate(table.expect):
        path = ("expect", place)
        if expect.name in {each.name for each in found}:
            raise file.error(f"there is another expectation {expect.name!r} already", (*path, "name"))
        subject = file.read(partial(read_subject, where=expect.where), expect.of, (*path, "of"))
        limit = _limit(file, path, expect, subject)
        found.append(Expectation(expect.name, subject, limit, expect.why, at_step=expect.at == "step"))
    return tuple(found)


def _limit(file: _File, path: KeyPath, expect: ExpectTable, subject: Subject) -> Limit:
    if all(getattr(expect, name) is None for name in LIMITS):
        raise file.error(f"an expectation has at least one limit of {', '.join(LIMITS)}", path)
    field = subject.text

    def number(name: str) -> int | None:
        value = getattr(expect, name)
        if value is None:
            return None
        found = file.read(partial(quantity, field), value, (*path, name))
        if isinstance(found, str | bool):
            raise file.error(f"{found!r} is no number, and {field} has no unit to read it with", (*path, name))
        return found

    def of_field(value: Any, name: str) -> Any:
        found = file.read(partial(quantity, field), value, (*path, name))
        if isinstance(found, str | bool) and subject.how in ("count", "sum"):
            raise file.error(f"{found!r} is no number, and {field} is one", (*path, name))
        return found

    same_as = None
    if expect.same_as is not None:
        same_as = file.read(partial(read_subject, where=expect.same_where), expect.same_as, (*path, "same_as"))
    elif expect.same_where or expect.within:
        raise file.error("same_where and within belong to same_as, which is not there", path)
    return Limit(
        equals=None if expect.equals is None else of_field(expect.equals, "equals"),
        min=number("min"),
        max=number("max"),
        one_of=None if expect.one_of is None else tuple(of_field(each, "one_of") for each in expect.one_of),
        contains=expect.contains,
        lacks=expect.lacks,
        same_as=same_as,
        within=number("within") or 0,
    )


def _check_judged(file: _File, steps: Sequence[Step], expectations: Sequence[Expectation]) -> None:
    """An expectation of a step is judged by one, and no other."""
    at_step = [each.name for each in expectations if each.at_step]
    for place, step in enumerate(steps):
        if isinstance(step.deed, Judge) and step.deed.name not in at_step:
            allowed = ", ".join(at_step) or 'none, for no expectation has at = "step"'
            path = ("step", place, "expect")
            raise file.error(f"{step.deed.name!r} is no expectation of a step; allowed are {allowed}", path)
    judged = {step.deed.name for step in steps if isinstance(step.deed, Judge)}
    for place, expectation in enumerate(expectations):
        if expectation.at_step and expectation.name not in judged:
            raise file.error("no step judges it, so it would never be", ("expect", place, "at"))
