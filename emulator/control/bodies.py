"""What control requests say: the fields of each, their limits, and what is allowed in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import msgspec

from emulator.control.refusal import RequestError
from firmware_model.memory import CutMode
from firmware_model.plant.condition import HIGHEST_CC, LOWEST_CC
from firmware_model.savestate import MAX_SAVE_STATE_BYTES

MAX_BODY_BYTES = 64 * 1024
MAX_DURATION_US = 36_525 * 86_400 * 1_000_000  # 100 years
MAX_MATCH_FIELDS = 16
MAX_FAULT_CHARACTERS = 1_000
MAX_AT_WRITE = 1_000_000_000  # far more writes than a pump's memory endures
MAX_TORN_BYTES = 4_096  # more than the largest page of a pump's memory has
MAX_SYRINGE_NL = 1_000_000_000  # a litre, far more than a reservoir holds
MAX_SYRINGE_DRUGS = 5  # as many as a program names
MAX_CONCENTRATION_NG_PER_ML = 0xFFFF_FFFE
MAX_EVENT_NUMBER = 2**53 - 1  # what every reader of JSON can tell apart
MAX_KEYS = 16  # more roles than any protocol has

_DURATION_ALLOWED = f"a whole number of microseconds from 1 to {MAX_DURATION_US} (100 years)"
_DurationUs = Annotated[int, msgspec.Meta(ge=1, le=MAX_DURATION_US)]

_FILE_NAME_ALLOWED = (
    "a file name of 1 to 100 letters, digits, dots, hyphens and underscores, the first a letter or digit"
)
_FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]

_KEY = re.compile(r"^(?:[0-9A-Fa-f]{2}){1,64}\Z")
_KeyName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,40}\Z")]
_Key = Annotated[str, msgspec.Meta(pattern=_KEY.pattern)]
_SHOWABLE = re.compile(r"(?!.*[0-9A-Fa-f]{5})[A-Za-z0-9_-]{1,24}", re.ASCII)

COUNTED_MODES = (CutMode.TORN, CutMode.GARBAGE)
"""The cut modes that `torn_bytes` has a meaning in."""


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """What a request says; `ALLOWED` says for each field what may stand in it.

    PATH, QUERY  the fields that stand in the path of the address, or behind its question mark; the others in the body
    WHOLE        the one field that the body is; empty for a body that is a JSON object with the fields by their names
    SECRET       no value of its fields is ever shown, and no name that should not be there
    """

    ALLOWED: ClassVar[Mapping[str, str]] = {}
    PATH: ClassVar[tuple[str, ...]] = ()
    QUERY: ClassVar[tuple[str, ...]] = ()
    WHOLE: ClassVar[str] = ""
    MEDIA_TYPE: ClassVar[str] = "application/json"
    MOST_BYTES: ClassVar[int] = MAX_BODY_BYTES
    SECRET: ClassVar[bool] = False

    @classmethod
    def culprit(cls, document: Mapping[str, object]) -> str:
        """The name, as far as it may be shown, of what is wrong in a document that is secret."""
        raise NotImplementedError


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


class EnvironmentBody(Body):
    """Let other things be around the pump; what is left out stays."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "temperature_cc": f"a whole number of hundredths of a degree Celsius from {LOWEST_CC} to {HIGHEST_CC}",
        "field_on": "true or false: whether a strong magnetic field is there",
    }

    temperature_cc: Annotated[int, msgspec.Meta(ge=LOWEST_CC, le=HIGHEST_CC)] | None = None
    field_on: bool | None = None

    def check(self) -> None:
        """Refuse what would do nothing."""
        if self.temperature_cc is None and self.field_on is None:
            sentence = "neither temperature_cc nor field_on is there, so nothing would change"
            raise RequestError(400, sentence, field="temperature_cc", allowed="one of the two, or both")


class CaptureBody(Body):
    """Begin a capture."""

    ALLOWED: ClassVar[Mapping[str, str]] = {"name": _FILE_NAME_ALLOWED}

    name: _FileName


class NamedCapture(Body):
    """End a capture, or fetch it."""

    ALLOWED: ClassVar[Mapping[str, str]] = {"name": _FILE_NAME_ALLOWED}
    PATH: ClassVar[tuple[str, ...]] = ("name",)

    name: _FileName


class EventsBody(Body):
    """Hand out events."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "since": f"the number of the last event that is known, from 0 (unless given) to {MAX_EVENT_NUMBER}",
        "follow": "true or false (unless given): whether to go on with what happens from now on",
    }
    QUERY: ClassVar[tuple[str, ...]] = ("since", "follow")

    since: Annotated[int, msgspec.Meta(ge=0, le=MAX_EVENT_NUMBER)] = 0
    follow: bool = False


class IdentityBody(Body):
    """Put another pump behind the line."""

    ALLOWED: ClassVar[Mapping[str, str]] = {"serial_number": "8 hex digits, from 00000001 to FFFFFFFE"}

    serial_number: Annotated[str, msgspec.Meta(pattern=r"^(?!0{8}|[Ff]{8})[0-9A-Fa-f]{8}\Z")]


class StateBody(Body):
    """Restore a save-state."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "state": f"a save-state as GET /state gives it, of at most {MAX_SAVE_STATE_BYTES} bytes"
    }
    WHOLE: ClassVar[str] = "state"
    MEDIA_TYPE: ClassVar[str] = "application/octet-stream"
    MOST_BYTES: ClassVar[int] = MAX_SAVE_STATE_BYTES

    state: bytes


class KeysBody(Body):
    """Give the pump other keys, by the names that its protocol knows them by; none for its own test keys."""

    ALLOWED: ClassVar[Mapping[str, str]] = {
        "keys": f"an object of at most {MAX_KEYS} names with hex digits each, all that the protocol has "
        "(reader, patient, clinician: 32 digits), or {} for its test keys"
    }
    WHOLE: ClassVar[str] = "keys"
    SECRET: ClassVar[bool] = True

    keys: Annotated[dict[_KeyName, _Key], msgspec.Meta(max_length=MAX_KEYS)]

    @classmethod
    def culprit(cls, document: Mapping[str, object]) -> str:
        """See Body. A key that stands in the wrong place is still a key."""
        given = document[cls.WHOLE]
        wrong = [name for name, key in given.items() if not _is_key(key)] if isinstance(given, dict) else []
        return wrong[0] if wrong and _SHOWABLE.fullmatch(wrong[0]) else "…"

    def by_name(self) -> dict[str, bytes]:
        """The keys by their names."""
        return {name: bytes.fromhex(key) for name, key in self.keys.items()}


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.search(value) is not None
