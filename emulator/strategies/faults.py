"""Faults as they are written, and schedules of several: lines for `--fault`, `arm_fault` and the plugin's marker."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hypothesis import strategies as st

from emulator.quantities import format_duration_us
from emulator.strategies.facts import DURATION, LINE, Fault, Parameter, faults_of

DAY_US = 86_400_000_000
MOST_FAULTS = 64
"""That can be armed at a time, of either kind."""
MOST_TIMES = 16
"""How far it is counted, and how often something comes: more than a test will see."""
SHORT_US = 1_000_000
"""How long something lasts that must end, and of which nothing else is known."""
_COUNTS = ("nth", "count")
_ANY = "any"


def faults(
    *,
    verbs: Collection[str] | None = None,
    kind: str | None = None,
    operations: Collection[str] | None = None,
    within_us: int = DAY_US,
    protocol: str = "vpump",
) -> st.SearchStrategy[str]:
    """One line of docs/faults.md, such as `drop answer BOLUS_EXECUTE nth=2`. Simple is a verb with no parameters.

    verbs       of these only, and kind: of the line only, or of the device only
    operations  line faults name these only, in each direction that they go; all of the wire and `any` if there are none
    within_us   the longest duration in it
    """
    return st.deferred(lambda: _faults(verbs, kind, operations, within_us, protocol))


def fault_schedules(
    *,
    verbs: Collection[str] | None = None,
    kind: str | None = None,
    operations: Collection[str] | None = None,
    within_us: int = DAY_US,
    max_size: int = 4,
    protocol: str = "vpump",
) -> st.SearchStrategy[list[str]]:
    """Several faults, to arm in this order. Those that begin later say so themselves: `after=…`."""
    if not 0 <= max_size <= MOST_FAULTS:
        raise ValueError(f"max_size is {max_size}, but at most {MOST_FAULTS} faults are armed at a time")
    one = faults(verbs=verbs, kind=kind, operations=operations, within_us=within_us, protocol=protocol)
    return st.lists(one, max_size=max_size, unique=True)


def _faults(
    verbs: Collection[str] | None,
    kind: str | None,
    operations: Collection[str] | None,
    within_us: int,
    protocol: str,
) -> st.SearchStrategy[str]:
    known = faults_of(protocol)
    wanted = [each for each in known.verbs if kind in (None, each.kind) and (verbs is None or each.verb in verbs)]
    unknown = sorted(set(verbs or ()) - {each.verb for each in known.verbs})
    if unknown or not wanted:
        names = ", ".join(each.verb for each in known.verbs)
        raise ValueError(f"no fault has kind {kind!r} and one of the verbs {unknown or verbs}; there are {names}")
    struck = [
        f"{direction} {name}"
        for direction, named in known.operations.items()
        for name in (*named, *([_ANY] if named else ()))
        if operations is None or name in operations
    ]
    return st.one_of(*[_lines(fault, struck, within_us) for fault in wanted])


def _lines(fault: Fault, struck: list[str], within_us: int) -> st.SearchStrategy[str]:
    heads = st.just(fault.verb)
    if fault.kind == LINE:
        heads = st.builds(f"{fault.verb} {{}}".format, st.sampled_from(struck))
    values = {parameter.name: st.integers(*_range(parameter, within_us)) for parameter in fault.parameters}
    # Each parameter may be left out, and is at first.
    return st.builds(lambda head, drawn: _line(fault, head, drawn), heads, st.fixed_dictionaries({}, optional=values))


def _range(parameter: Parameter, within_us: int) -> tuple[int, int]:
    most = parameter.maximum
    if parameter.unit == DURATION:
        most = min(most, within_us)
    elif parameter.name in _COUNTS:
        most = min(most, MOST_TIMES)
    return parameter.minimum, max(parameter.minimum, most)


def _line(fault: Fault, head: str, drawn: dict[str, int]) -> str:
    """The line that says so; what comes again ends before."""
    known = {parameter.name: parameter for parameter in fault.parameters}
    if "every" in known and drawn.get("count", int(known["count"].default)) > 1:
        drawn = {**drawn, **_coming_again(known, drawn)}
    return " ".join([head, *(f"{name}={_text(known[name], drawn[name])}" for name in known if name in drawn)])


def _coming_again(known: Mapping[str, Parameter], drawn: Mapping[str, int]) -> Mapping[str, int]:
    """Values for how long it lasts and when it comes again that go together; or that it comes once, if none do."""
    said: dict[str, int] = {}
    lasting_us = 0
    if "for" in known:
        said["for"] = lasting_us = drawn.get("for") or known["for"].default_us or SHORT_US
    said["every"] = drawn.get("every", known["every"].default_us)
    if said["every"] <= lasting_us:
        said["every"] += lasting_us + 1
    return said if said["every"] <= known["every"].maximum else {"count": 1}


def _text(parameter: Parameter, value: int) -> str:
    if parameter.choices:
        return parameter.choices[value]
    return format_duration_us(value).replace(" ", "") if parameter.unit == DURATION else str(value)
