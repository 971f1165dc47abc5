"""Which event `run-until` waits for: a kind and values of its fields, checked against the one event schema.

A kind or a field that does not exist would only ever run out of simulated time, so it is refused before time moves.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import get_args, get_origin, get_type_hints

from emulator.control.refusal import RequestError, shortened
from emulator.events import SCHEMA, Event
from emulator.inputs import LineChange
from emulator.wire import Direction, LazyText
from firmware_model.firmware.codes import AlarmType
from firmware_model.firmware.event_log import DETAIL, LogType

KINDS = {described.kind: described for described in SCHEMA}

# A field of a mapping is named as `detail.NAME`.
_MAPPING_STEP = "."

_LOG_TYPES = {described.name.lower(): described for described in LogType}

# Fields that hold one of a few words.
_WORDS: Mapping[tuple[str, str], Sequence[str]] = {
    ("line", "change"): [*(change.value for change in LineChange), "broken", "mended"],
    ("session", "change"): ["opened", "ended"],
    ("frame", "direction"): [direction.value for direction in Direction],
    ("power", "change"): ["cut", "restored"],
    ("device-fault", "change"): ["began", "ended"],
    ("tone", "alarm"): [alarm.name.lower() for alarm in AlarmType],
    ("tone", "tone"): ["dual", "single"],
    ("log", "type"): list(_LOG_TYPES),
}

_MEANINGS: Mapping[type, str] = {int: "a whole number", str: "a text", bytes: "bytes as lower-case hex"}


def event_predicate(kind: str, match: Mapping[str, int | str]) -> Callable[[Event], bool]:
    """A test for the events of that kind whose fields have these values."""
    described = KINDS.get(kind)
    if described is None:
        allowed = ", ".join(KINDS)
        message = f"event '{shortened(kind)}' is no kind of event; allowed are: {allowed}"
        raise RequestError(400, message, field="event", allowed=allowed)
    field_types = types_of_fields(kind, match.get("type"))
    for name, value in match.items():
        _check(kind, name, value, field_types)
    wanted = tuple((name.partition(_MAPPING_STEP), value) for name, value in match.items())

    def predicate(event: Event) -> bool:
        if event.kind != kind:
            return False
        document = event.as_json()
        for (name, step, inner), value in wanted:
            found = document[name]
            if step:
                found = found.get(inner) if isinstance(found, Mapping) else None
            if found != value:
                return False
        return True

    return predicate


def types_of_fields(kind: str, log_type: object = None) -> dict[str, type]:
    """The fields of a kind of event with their types, those of `detail` as `detail.NAME`; none for an unknown kind.

    With a `log_type` that exists they are those of a log record of that type, else those of any.
    """
    described = KINDS.get(kind)
    if described is None:
        return {}
    hints = get_type_hints(described)
    types_by_name: dict[str, type] = {}
    for member in fields(described):
        plain = _plain_type(hints[member.name])
        if issubclass(plain, Mapping):
            inner = _detail_names(_LOG_TYPES.get(str(log_type)))
            types_by_name |= dict.fromkeys((f"{member.name}{_MAPPING_STEP}{name}" for name in inner), int)
        else:
            types_by_name[member.name] = plain
    return types_by_name


def _detail_names(log_type: LogType | None) -> Sequence[str]:
    layouts = DETAIL.values() if log_type is None else [DETAIL[log_type]]
    # A dict keeps the order in which the names come, and each once.
    return list(dict.fromkeys(name for layout in layouts for name, _ in layout))


def _check(kind: str, name: str, value: int | str, field_types: Mapping[str, type]) -> None:
    wanted = field_types.get(name)
    words = _WORDS.get((kind, name))
    if wanted is None:
        allowed = ", ".join(field_types)
        sentence = f"event '{kind}' has no field '{shortened(name)}'; allowed are: {allowed}"
    elif not isinstance(value, str if wanted is bytes else wanted):
        allowed = _MEANINGS[wanted]
        sentence = f"match '{name}' is {shortened(repr(value))}; allowed is {allowed}"
    elif words is not None and value not in words:
        allowed = ", ".join(words)
        sentence = f"match '{name}' is {shortened(repr(value))}; allowed are: {allowed}"
    else:
        return
    raise RequestError(400, sentence, field="match", allowed=allowed)


def _plain_type(hint: object) -> type:
    if LazyText in get_args(hint):
        return str
    origin = get_origin(hint)
    if isinstance(origin, type) and origin is not types.UnionType:
        return origin
    if isinstance(hint, type):
        return hint
    raise TypeError(f"a field of an event has the type {hint}, which run-until cannot compare")
