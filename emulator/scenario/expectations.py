"""Measurements and their limits: what was, what had to be, and whether it was so. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from emulator.events import Event
from emulator.scenario.plan import Expectation
from emulator.scenario.subjects import ALARMS, Limit, Subject, Value, shown

EXITED: Final = "exited"
"""How a task has ended that has come to its end."""


class Looks(Protocol):
    """Who can be asked how things stand, without any traffic."""

    def truth(self) -> Mapping[str, object]:
        """What is physically so."""

    def belief(self) -> Mapping[str, object]:
        """What the pump believes; nothing of one without power."""

    def alarms(self) -> Sequence[Mapping[str, object]]:
        """The alarms that the pump holds."""

    def elapsed_us(self) -> int:
        """Virtual time since the timeline began."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a task of the programmer ended. `report` None: it said nothing that could be read."""

    task: str
    word: str
    report: Mapping[str, object] | None
    ended: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Measured:
    """An expectation as it came out. `met` None: it could not be judged, and `reason` says why.

    `described` is the subject with which of the many are meant.
    """

    name: str
    subject: str
    described: str
    value: object
    limit: str
    met: bool | None
    why: str
    reason: str = ""

    @property
    def shown(self) -> str:
        """The value, for people."""
        return shown(self.subject, self.value)


@dataclass(slots=True)
class Tally:
    """What has been seen of the events that a subject is of."""

    subject: Subject
    count: int = 0
    first: Mapping[str, object] | None = None
    last: Mapping[str, object] | None = None
    total: int = 0

    def see(self, event: Event) -> None:
        """One more event."""
        if self.subject.matches is None or not self.subject.matches(event):
            return
        self.count += 1
        if self.subject.how == "count":
            return
        document = event.as_json()
        self.first = self.first or document
        self.last = document
        value = at_path(document, self.subject.field)
        self.total += value if isinstance(value, int) else 0

    def value(self) -> object:
        """The measurement; None when there is nothing to measure."""
        match self.subject.how:
            case "count":
                return self.count
            case "sum":
                return self.total
            case "first":
                return at_path(self.first, self.subject.field)
            case _:
                return at_path(self.last, self.subject.field)


@dataclass(slots=True)
class Judgement:
    """Who sees all events and reports of a run, and judges its expectations."""

    expectations: Sequence[Expectation]
    measured: dict[str, Measured] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    _tallies: dict[int, Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for expectation in self.expectations:
            for subject in (expectation.subject, expectation.limit.same_as):
                if subject is not None and subject.matches is not None:
                    self._tallies[id(subject)] = Tally(subject)

    def see(self, event: Event) -> None:
        """An event of the device."""
        for tally in self._tallies.values():
            tally.see(event)

    def judge(self, name: str, looks: Looks) -> None:
        """Judge one expectation now."""
        expectation = next(each for each in self.expectations if each.name == name)
        self.measured[name] = self._judged(expectation, looks)

    def judge_end(self, looks: Looks) -> None:
        """Judge what is to be judged in the end."""
        for expectation in self.expectations:
            if not expectation.at_step:
                self.judge(expectation.name, looks)

    def results(self) -> list[Measured]:
        """Every expectation in the order of the file; what was never reached is not judged."""
        return [
            self.measured.get(each.name)
            or Measured(
                each.name,
                each.subject.text,
                each.subject.described,
                None,
                limit_text(each.subject, each.limit),
                None,
                each.why,
                "the timeline did not come to it",
            )
            for each in self.expectations
        ]

    def _judged(self, expectation: Expectation, looks: Looks) -> Measured:
        subject, limit = expectation.subject, expectation.limit
        text = limit_text(subject, limit)
        if subject.family == "told" and self._report(subject) is None:
            told = self._last_told(subject)
            beside = "" if told is None or told.ended == EXITED else f": {told.ended}"
            said = f"the programmer reported nothing{beside}"
            return Measured(expectation.name, subject.text, subject.described, None, text, None, expectation.why, said)
        value = self._value(subject, looks)
        met = _within(value, limit)
        if met and limit.same_as is not None:
            other = self._value(limit.same_as, looks)
            text = f"{text} ({shown(limit.same_as.text, other)})"
            met = _same(value, other, limit.within)
        return Measured(expectation.name, subject.text, subject.described, value, text, met, expectation.why)

    def _value(self, subject: Subject, looks: Looks) -> object:
        if subject.matches is not None:
            return self._tallies[id(subject)].value()
        match subject.family:
            case "truth":
                return at_path(looks.truth(), subject.field)
            case "belief":
                return at_path(looks.belief(), subject.field)
            case "told":
                return at_path(self._report(subject), subject.field)
            case "run":
                return looks.elapsed_us()
            case _:
                assert subject.family == ALARMS  # noqa: S101 - `read_subject` knows no other
                return _of_many(subject, looks.alarms())

    def _report(self, subject: Subject) -> Mapping[str, object] | None:
        told = self._last_told(subject)
        return None if told is None else told.report

    def _last_told(self, subject: Subject) -> Told | None:
        """What came of the last task that is meant."""
        word = subject.where.get("task")
        told = [each for each in self.told if word in (None, each.word)]
        return told[-1] if told else None


def _of_many(subject: Subject, many: Sequence[Mapping[str, object]]) -> object:
    found = [each for each in many if all(each.get(name) == value for name, value in subject.where.items())]
    match subject.how:
        case "count":
            return len(found)
        case "sum":
            values = [at_path(each, subject.field) for each in found]
            return sum(value for value in values if isinstance(value, int))
        case how:
            return at_path(found[0 if how == "first" else -1], subject.field) if found else None


def at_path(document: object, path: str) -> object:
    """The value at a path of names with dots between them; None where there is none."""
    for name in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def _within(value: object, limit: Limit) -> bool:
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    many = value if isinstance(value, list | tuple) else ()
    checks = (
        limit.equals is None or value == limit.equals,
        limit.min is None or (number is not None and number >= limit.min),
        limit.max is None or (number is not None and number <= limit.max),
        limit.one_of is None or value in limit.one_of,
        limit.contains is None or limit.contains in many,
        limit.lacks is None or (isinstance(value, list | tuple) and limit.lacks not in many),
    )
    return all(checks)


def _same(value: object, other: object, within: int) -> bool:
    if isinstance(value, int) and isinstance(other, int):
        return abs(value - other) <= within
    return value is not None and value == other


def limit_text(subject: Subject, limit: Limit) -> str:
    """A limit as people read it: `at least 1`."""

    def said(value: Value) -> str:
        return shown(subject.text, value)

    parts = (
        said(limit.equals) if limit.equals is not None else "",
        f"at least {said(limit.min)}" if limit.min is not None else "",
        f"at most {said(limit.max)}" if limit.max is not None else "",
        f"one of {', '.join(map(said, limit.one_of))}" if limit.one_of is not None else "",
        f"with {limit.contains} among them" if limit.contains is not None else "",
        f"without {limit.lacks}" if limit.lacks is not None else "",
        f"the same as {limit.same_as.described}" if limit.same_as is not None else "",
        f"give or take {said(limit.within)}" if limit.within else "",
    )
    return ", ".join(part for part in parts if part)
