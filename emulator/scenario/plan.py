"""A scenario as it is carried out: read, checked, and in the units of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emulator.events import Event
from emulator.inputs import Action
from emulator.scenario.subjects import Limit, Subject
from emulator.scenario.tasks import Task

SESSION_FLOOR: Final = 0
"""Above which the sessions of every pump are numbered: nobody can have recorded an earlier one."""


@dataclass(frozen=True, slots=True)
class PumpPlan:
    """The pump of a scenario.

    serial_number  None: the one that follows from the seed
    program        name and text of the program that it has when the timeline begins
    """

    profile: str
    seed: int
    insecure: bool
    role: str
    program: tuple[str, bytes] | None
    serial_number: int | None = None


@dataclass(frozen=True, slots=True)
class Previous:
    """As soon as the step before is done."""


@dataclass(frozen=True, slots=True)
class Ended:
    """When the programmer is at no task."""


@dataclass(frozen=True, slots=True)
class At:
    """So long after the timeline began."""

    elapsed_us: int


@dataclass(frozen=True, slots=True)
class After:
    """So long after the step before was done."""

    duration_us: int


@dataclass(frozen=True, slots=True)
class On:
    """At the nth event of a kind whose fields are these, counted from when the step before was done."""

    matches: Callable[[Event], bool]
    nth: int


When = Previous | Ended | At | After | On


@dataclass(frozen=True, slots=True)
class Arm:
    """Arm a fault; its one line is read with the names of the pump's wire at hand."""

    fault: str


@dataclass(frozen=True, slots=True)
class Act:
    """The tester's hand."""

    action: Action


@dataclass(frozen=True, slots=True)
class Begin:
    """Tell the programmer what to do. `another`: somebody else's does it, which nobody here hears of."""

    task: Task
    another: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """End the programmer where it stands; what it has stored, it keeps."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Let time pass at once."""

    duration_us: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge an expectation now."""

    name: str


Deed = Arm | Act | Begin | Kill | Pass | Judge


@dataclass(frozen=True, slots=True)
class Step:
    """One deed, and when it is done."""

    when: When
    deed: Deed
    name: str = ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is measured, and within which limits it must be. `at_step`: a step says when, and not the end."""

    name: str
    subject: Subject
    limit: Limit
    why: str
    at_step: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. All durations are virtual microseconds, but for `wall_us`.

    programs   the texts of the programs that its tasks name, by the name that they say
    """

    name: str
    title: str
    kind: str
    number: int
    sources: tuple[str, ...]
    story: str
    good: str
    naive: str
    flaw: str
    fails: tuple[str, ...]
    pump: PumpPlan
    virtual_us: int
    wall_us: int
    per_request_us: int
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]
    programs: tuple[tuple[str, bytes], ...] = ()

    def program(self, name: str) -> bytes:
        """The text of a program that a task names. Raises KeyError."""
        return dict(self.programs)[name]
