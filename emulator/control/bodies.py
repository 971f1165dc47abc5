"""The bodies of control requests, their limits, and one sentence for everything that a body may not be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec

from firmware_model.memory import CutMode

MAX_BODY_BYTES = 64 * 1024
MAX_DURATION_US = 36_525 * 86_400 * 1_000_000  # 100 years
MAX_MATCH_FIELDS = 16
MAX_FAULT_CHARACTERS = 1_000
MAX_AT_WRITE = 1_000_000_000  # far more writes than a pump's memory endures
MAX_TORN_BYTES = 4_096  # more than the largest page of a pump's memory has
MAX_SYRINGE_NL = 1_000_000_000  # a litre, far more than a reservoir holds
MAX_SYRINGE_DRUGS = 5  # as many as a program names
MAX_CONCENTRATION_NG_PER_ML = 0xFFFF_FFFE
MAX_SHOWN_CHARACTERS = 60  # of a wrong value, in a message

_DURATION_ALLOWED = f"a whole number of microseconds from 1 to {MAX_DURATION_US} (100 years)"
_DurationUs = Annotated[int, msgspec.Meta(ge=1, le=MAX_DURATION_US)]

_KEY_ALLOWED = "32 hex digits; all three roles, or none of them for the test keys"
_Key = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{32}\Z")]

COUNTED_MODES = (CutMode.TORN, CutMode.GARBAGE)
"""The cut modes that `torn_bytes` has a meaning in."""

# The place that msgspec names in its message: the first step below the document is the field.
_FAILED_FIELD = re.compile(r"at `\$\.(\w+)")


class RequestError(Exception):
    """A request that is not carried out: HTTP status, sentence, and where they apply the field and what is allowed."""

    def __init__(self, status: int, error: str, *, field: str | None = None, allowed: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.field = field
        self.allowed = allowed

    def as_json(self) -> dict[str, object]:
        """The document that answers the request."""
        document: dict[str, object] = {"error": self.error}
        if self.field is not None:
            document["field"] = self.field
        if self.allowed is not None:
            document["allowed"] = self.allowed
        return document


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request's JSON object; `ALLOWED` says for each field what may stand in it.

    `SECRET`: no value of its fields is ever shown, and no name that should not be there.
    """

    ALLOWED: ClassVar[Mapping[str, str]] = {}
    SECRET: ClassVar[bool] = False


class EmptyBody(Body):
    """No fields."""


class AdvanceBody(Body):
    """Let time pass."""

    ALLOWED: ClassVar[Mapping[str, str]] = {"duration_us": _DURATION_ALLOWED}

    duration_us: _DurationUs


class RunUntilBody(Body):
    """Let time pass up to an event."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "event": "the kind of an event, as text",
        "match": f"an object of at most {MAX_MATCH_FIELDS} fields of that event with texts or whole numbers",
        "limit_us": _DURATION_ALLOWED,
    }

    event: str
    limit_us: _DurationUs
    match: Annotated[dict[str, int | str], msgspec.Meta(max_length=MAX_MATCH_FIELDS)] = msgspec.field(
        default_factory=dict
    )


class FaultBody(Body):
    """Arm a fault."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "fault": f"a fault as on the command line, of at most {MAX_FAULT_CHARACTERS} characters"
    }

    fault: Annotated[str, msgspec.Meta(max_length=MAX_FAULT_CHARACTERS)]


class SyringeDrug(msgspec.Struct, forbid_unknown_fields=True):
    """A drug in what is injected."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[ -~]{1,16}\Z")]
    concentration_ng_per_ml: Annotated[int, msgspec.Meta(ge=0, le=MAX_CONCENTRATION_NG_PER_ML)]


class SyringeBody(Body):
    """A syringe at the reservoir's port: withdraw, then inject."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "withdraw_nl": f'a whole number from 0 to {MAX_SYRINGE_NL}, or "all"',
        "inject_nl": f"a whole number from 0 to {MAX_SYRINGE_NL}",
        "drugs": f"at most {MAX_SYRINGE_DRUGS} objects with a name (1 to 16 characters of printable ASCII) and "
        f"concentration_ng_per_ml (0 to {MAX_CONCENTRATION_NG_PER_ML}), no name twice; only with inject_nl above 0",
    }

    withdraw_nl: Annotated[int, msgspec.Meta(ge=0, le=MAX_SYRINGE_NL)] | Literal["all"] = 0
    inject_nl: Annotated[int, msgspec.Meta(ge=0, le=MAX_SYRINGE_NL)] = 0
    drugs: Annotated[list[SyringeDrug], msgspec.Meta(max_length=MAX_SYRINGE_DRUGS)] = msgspec.field(
        default_factory=list
    )

    def check(self) -> None:
        """Refuse what would do nothing, and drugs that cannot be."""
        if not self.withdraw_nl and not self.inject_nl:
            sentence = "withdraw_nl and inject_nl are both 0, so the syringe would do nothing"
            raise RequestError(400, sentence, field="withdraw_nl", allowed="one of the two above 0")
        names = [drug.name for drug in self.drugs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            sentence = f"drug '{twice}' is there twice; a mixture has one concentration of it"
        elif names and not self.inject_nl:
            sentence = "drugs say what is injected, so they need inject_nl"
        else:
            return
        raise RequestError(400, sentence, field="drugs", allowed=self.ALLOWED["drugs"])


class PowerBody(Body):
    """Take the power away, or give it back."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "change": "cut or restore",
        "at_write": f"a whole number from 1 (the next write) to {MAX_AT_WRITE}, or null for now",
        "mode": ", ".join(mode.value for mode in CutMode),
        "torn_bytes": f"a whole number from 1 to {MAX_TORN_BYTES}",
    }

    change: Literal["cut", "restore"]
    at_write: Annotated[int, msgspec.Meta(ge=1, le=MAX_AT_WRITE)] | None = None
    mode: CutMode | None = None
    torn_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_TORN_BYTES)] | None = None

    def check(self) -> None:
        """Refuse a field that would mean nothing beside the others."""
        if self.change == "restore" and (self.at_write, self.mode, self.torn_bytes) != (None, None, None):
            raise RequestError(
                400, "change 'restore' takes no other field", field="change", allowed="no other field with restore"
            )
        if self.mode is not None and self.at_write is None:
            raise RequestError(
                400,
                f"mode '{self.mode.value}' says what becomes of a write, so it needs at_write",
                field="mode",
                allowed="only together with at_write",
            )
        if self.torn_bytes is not None and self.mode not in COUNTED_MODES:
            raise RequestError(
                400,
                "torn_bytes counts the bytes that are written or become garbage, so it needs mode 'torn' or 'garbage'",
                field="torn_bytes",
                allowed="only together with mode torn or garbage",
            )


class KeysBody(Body):
    """Give the pump other keys: all three, or none for the published test keys."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "reader": _KEY_ALLOWED,
        "patient": _KEY_ALLOWED,
        "clinician": _KEY_ALLOWED,
    }
    SECRET: ClassVar[bool] = True

    reader: _Key | None = None
    patient: _Key | None = None
    clinician: _Key | None = None

    def keys(self) -> dict[str, bytes]:
        """The keys by role. Raises RequestError when some are there and some are not."""
        given = {name: getattr(self, name) for name in self.ALLOWED}
        missing = [name for name, key in given.items() if key is None]
        if missing and len(missing) < len(given):
            raise RequestError(
                400,
                f"field '{missing[0]}' is missing; a pump needs a key for each role",
                field=missing[0],
                allowed=_KEY_ALLOWED,
            )
        return {name: bytes.fromhex(key) for name, key in given.items() if key is not None}


B = TypeVar("B", bound=Body)


def read_body(raw: bytes, kind: type[B]) -> B:
    """The body of a request, or a refusal that names the field, its value and what is allowed."""
    # An empty body is what most clients send when there is nothing to say.
    document = _decode(raw) if raw.strip() else {}
    fields = {described.encode_name: described for described in msgspec.structs.fields(kind)}
    names = ", ".join(fields) or "none"
    if not isinstance(document, dict):
        raise RequestError(400, f"the body is no JSON object; its fields are: {names}", allowed=names)
    for name in document:
        if name not in fields:
            shown = "…" if kind.SECRET else shortened(name)
            raise RequestError(400, f"field '{shown}' is unknown; allowed are: {names}", field=shown, allowed=names)
    for name, described in fields.items():
        if described.required and name not in document:
            allowed = kind.ALLOWED[name]
            raise RequestError(400, f"field '{name}' is missing; allowed is {allowed}", field=name, allowed=allowed)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        failed = _FAILED_FIELD.search(str(error))
        name = failed[1] if failed else ""
        allowed = kind.ALLOWED.get(name, names)
        value = "no such key" if kind.SECRET else shortened(json.dumps(document.get(name), ensure_ascii=False))
        message = f"field '{name}' is {value}; allowed is {allowed}"
        raise RequestError(400, message, field=name, allowed=allowed) from None


def _decode(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(400, f"the body is no JSON that can be read: {error}") from None
    except RecursionError:
        raise RequestError(400, "the body is no JSON that can be read: it is nested too deeply") from None


def shortened(text: str) -> str:
    """A text from outside, as long as it may be in a message."""
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 1]}…"
