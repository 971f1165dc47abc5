"""What the control plane answers: the documents of its operations, typed, as clients get them.

They are plain dictionaries. A later version may add fields, and takes none away.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

NowUs = Annotated[int, Meta(ge=0, description="virtual time in microseconds")]


class Refusal(TypedDict):
    """Why a request was not carried out."""

    error: Annotated[str, Meta(description="one sentence")]
    field: NotRequired[Annotated[str, Meta(description="the field that is wrong")]]
    allowed: NotRequired[Annotated[str, Meta(description="what may stand there")]]


class Route(TypedDict):
    """One operation, and what may stand in its fields."""

    method: str
    path: str
    does: str
    fields: dict[str, str]


class Described(TypedDict):
    """What answers here."""

    name: Literal["vpump"]
    version: str
    now_us: NowUs
    serial_number: Annotated[str, Meta(pattern="^[0-9A-F]{8}$", description="of the pump that is there now")]
    journal: Annotated[str | None, Meta(description="the file of serve --journal")]
    capture: Annotated[str | None, Meta(description="the file of serve --capture")]
    artefacts: Annotated[str | None, Meta(description="the folder of serve --artefacts")]
    routes: list[Route]


class Description(TypedDict):
    """This description, in OpenAPI 3.1."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, str]]
    security: list[dict[str, list[str]]]
    paths: dict[str, dict[str, Any]]
    components: dict[str, Any]


class Now(TypedDict):
    """When it was done."""

    now_us: NowUs


class Event(TypedDict):
    """Something that happened; docs/events.md lists the kinds and their further fields."""

    event: Annotated[str, Meta(description="the kind")]
    number: Annotated[int, Meta(ge=1)]
    at_us: NowUs


class RunUntil(TypedDict):
    """Up to where time passed. `event` is null where none came within the limit."""

    now_us: NowUs
    event: dict[str, Any] | None
    reached: bool


class ArmedFault(TypedDict):
    """A fault that is armed; what follows `kind` is known of faults of the pump alone."""

    fault: Annotated[str, Meta(description="as it can be written")]
    kind: Literal["line", "device"]
    number: NotRequired[Annotated[int, Meta(ge=1, description="as its device-fault events name it")]]
    active: NotRequired[Annotated[bool, Meta(description="whether it is there now")]]
    next_change_us: NotRequired[
        Annotated[int | None, Meta(description="when it begins, or ends if it is active; null for never by itself")]
    ]
    left: NotRequired[Annotated[int, Meta(ge=0, description="how often it will yet begin")]]


class Armed(TypedDict):
    """All that is armed, faults of the line first."""

    armed: list[ArmedFault]


class FaultUnderstood(Armed):
    """The fault as it was understood, and all that is armed now."""

    fault: str


class SyringeUsed(TypedDict):
    """What truly came out, and went into the reservoir."""

    withdrawn_nl: Annotated[int, Meta(ge=0)]
    injected_nl: Annotated[int, Meta(ge=0)]
    now_us: NowUs


class PowerChanged(TypedDict):
    """What was done to the power; a cut also says when it comes and in which way."""

    change: Literal["cut", "restore"]
    at_write: NotRequired[int | None]
    mode: NotRequired[str]
    now_us: NowUs


class KeysReplaced(TypedDict):
    """Whose keys the pump has now."""

    keys: Literal["own", "test"]
    now_us: NowUs


class Environment(TypedDict):
    """What is around the pump as long as no fault makes it another; `GET /truth` says what it has come to."""

    temperature_cc: Annotated[int, Meta(description="hundredths of a degree Celsius")]
    field_on: Annotated[bool, Meta(description="whether a strong magnetic field is there")]
    now_us: NowUs


class Identity(TypedDict):
    """The pump that is behind the line now."""

    serial_number: Annotated[str, Meta(pattern="^[0-9A-F]{8}$", description="eight hexadecimal digits")]
    now_us: NowUs


class Capture(TypedDict):
    """A capture in the artefact folder."""

    name: Annotated[str, Meta(description="of its file")]
    bytes: Annotated[int, Meta(ge=0, description="so many are written")]
    running: bool


class Captures(TypedDict):
    """The captures of this run; `folder` is null where it has none."""

    folder: str | None
    captures: list[Capture]


class Truth(TypedDict):
    """What is physically so, and what the firmware believes; concentrations and masses are by the name of the drug."""

    now_us: NowUs
    powered: bool
    motor_steps: int
    motor_pulses: int
    rotor_stalled: bool
    delivered_nl: int
    reservoir_nl: int
    reservoir_ng_per_ml: dict[str, int]
    tip_nl: int
    tip_fg: dict[str, int]
    tip_ng_per_ml: dict[str, int]
    next_at_tip_in_nl: int | None
    pocket_nl: int
    pocket_fg: dict[str, int]
    cell_charge_ppm: int
    cell_mv: int
    temperature_cc: int
    field_on: bool
    memory_writes: int
    believed_delivered_nl: NotRequired[Annotated[int, Meta(description="only with power")]]
    believed_reservoir_nl: NotRequired[Annotated[int, Meta(description="only with power")]]
