"""What a scenario file may say, declared once: for the reader, and for the JSON Schema that editors use."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from emulator.events import SCHEMA

Text = Annotated[str, Meta(min_length=1, max_length=2_000)]
Word = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")]
Quantity = Annotated[str, Meta(min_length=1, max_length=64)]
Value = int | str | bool
DEEDS: Final = (
    "fault",
    "task",
    "another",
    "kill",
    "advance",
    "power",
    "clear_faults",
    "syringe",
    "environment",
    "identity",
    "keys",
    "expect",
)
WHENS: Final = ("at", "after", "event")
LIMITS: Final = ("equals", "min", "max", "one_of", "contains", "lacks", "same_as")
MOST_STEPS = 200
MOST_EXPECTATIONS = 100


class PumpTable(Struct, frozen=True, forbid_unknown_fields=True):
    """Which pump, and who its programmer is to it."""

    profile: Annotated[str, Meta(description="a shipped profile, or a file beside the scenario")] = "reference-20"
    seed: Annotated[int, Meta(ge=0, le=0xFFFF_FFFF, description="what all that is left to chance begins with")] = 0
    serial_number: Annotated[
        Quantity | None, Meta(description="up to eight hex digits; it follows from the seed if there is none")
    ] = None
    insecure: Annotated[bool, Meta(description="no keys are asked")] = False
    program: Annotated[
        str | None, Meta(description="a shipped program, or a file beside the scenario, that it has from the start")
    ] = None
    role: Literal["reader", "patient", "clinician"] = "clinician"


class LimitsTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How long it may take."""

    virtual: Annotated[Quantity, Meta(description="beyond: out of simulated time")] = "7d"
    wall: Annotated[Quantity, Meta(description="of a programmer's process: a deadline instead of a hang")] = "60s"


class ClockTable(Struct, frozen=True, forbid_unknown_fields=True):
    """How virtual time passes by the programmer's doing."""

    per_request: Annotated[Quantity, Meta(description="with each request that the pump takes")] = "100ms"


class WhenTable(Struct, frozen=True, forbid_unknown_fields=True):
    """When a step is done: exactly one of `at`, `after` and `event`."""

    at: Annotated[Quantity | None, Meta(description="so long after the timeline began")] = None
    after: Annotated[Quantity | None, Meta(description="so long after the step before")] = None
    event: Annotated[str | None, Meta(description="a kind of docs/events.md")] = None
    match: Annotated[dict[str, int | str], Meta(description="fields of the event, with their values")] = {}
    nth: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class SyringeTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A syringe at the reservoir's port."""

    withdraw: Annotated[Quantity | None, Meta(description="all that it can, if it is not said")] = None
    inject: Annotated[Quantity, Meta(description="a volume, or 0mL")] = "0mL"
    drugs: Annotated[dict[str, Quantity], Meta(description="concentrations by the drug")] = {}


class EnvironmentTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What is around the pump from now on; what is left out stays."""

    temperature: Annotated[Quantity | None, Meta(description="such as 41C")] = None
    field: Annotated[
        bool | None, Meta(description="whether a strong magnetic field is there, as of an MRI scanner")
    ] = None


class StepTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A step of the timeline: exactly one deed, and when it is done."""

    name: str = ""
    when: Literal["start", "previous", "ended"] | WhenTable = "previous"
    fault: Annotated[str | None, Meta(description="a fault to arm, as in docs/faults.md")] = None
    task: Annotated[str | None, Meta(description="what the programmer is told to do")] = None
    another: Annotated[str | None, Meta(description="what another programmer does, between two tasks of ours")] = None
    kill: Annotated[bool | None, Meta(description="true: the programmer is killed where it stands")] = None
    advance: Annotated[Quantity | None, Meta(description="time passes at once")] = None
    power: Literal["cut", "restore"] | None = None
    clear_faults: Annotated[bool | None, Meta(description="true: every fault ends")] = None
    syringe: SyringeTable | None = None
    environment: EnvironmentTable | None = None
    identity: Annotated[Quantity | None, Meta(description="another pump, as new, by its serial number")] = None
    keys: Annotated[
        dict[str, str] | None, Meta(description="the pump's keys by the role, each 32 hex digits; {}: the test keys")
    ] = None
    expect: Annotated[str | None, Meta(description='judge an expectation of `at = "step"` now')] = None


class ExpectTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What must be true: a measurement, and its limits."""

    name: Word
    of: Annotated[Text, Meta(description="what is measured: see docs/scenarios.md")]
    why: Text
    where: Annotated[dict[str, Value], Meta(description="which of many")] = {}
    equals: Value | None = None
    min: int | str | None = None
    max: int | str | None = None
    one_of: list[int | str] | None = None
    contains: Annotated[str | None, Meta(description="what a list has")] = None
    lacks: Annotated[str | None, Meta(description="what a list has not")] = None
    same_as: Annotated[str | None, Meta(description="another subject")] = None
    same_where: dict[str, Value] = {}
    within: Annotated[int | str, Meta(description="give or take so much, of `same_as`")] = 0
    at: Literal["end", "step"] = "end"


class ScenarioTable(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario of vpump."""

    title: Text
    kind: Literal["bug", "recall", "own"]
    expect: Annotated[list[ExpectTable], Meta(min_length=1, max_length=MOST_EXPECTATIONS)]
    number: Annotated[int, Meta(ge=0, le=1_000, description="of the twenty bugs; 0 for none")] = 0
    sources: list[Text] = []
    story: Annotated[str, Meta(description="what happened to people")] = ""
    good: Annotated[str, Meta(description="what a good programmer does")] = ""
    naive: Annotated[str, Meta(description="what a naive one does")] = ""
    flaw: Annotated[str, Meta(description="the flaw of the naive sample programmer that must fail")] = ""
    fails: Annotated[str | list[str], Meta(description="at exactly which expectations it fails")] = []
    pump: PumpTable = PumpTable()
    limits: LimitsTable = LimitsTable()
    clock: ClockTable = ClockTable()
    step: Annotated[list[StepTable], Meta(max_length=MOST_STEPS)] = []


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file: fields and their types, and which of them exclude or need each other."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(ScenarioTable)}
    tables = schema["$defs"]
    tables["StepTable"]["oneOf"] = [{"required": [name]} for name in DEEDS]
    tables["WhenTable"]["oneOf"] = [{"required": [name]} for name in WHENS]
    tables["WhenTable"]["dependentRequired"] = {"match": ["event"], "nth": ["event"]}
    tables["WhenTable"]["properties"]["event"]["enum"] = [kind.kind for kind in SCHEMA]
    tables["ExpectTable"]["anyOf"] = [{"required": [name]} for name in LIMITS]
    tables["ExpectTable"]["dependentRequired"] = {"same_where": ["same_as"], "within": ["same_as"]}
    return schema
