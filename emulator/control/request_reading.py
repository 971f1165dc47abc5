"""From a request to its fields, or to one sentence for whatever they may not be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from emulator.control.bodies import Body
from emulator.control.refusal import RequestError, shortened

# The place that msgspec names in its message: the first step below the document is the field.
_FAILED_FIELD = re.compile(r"at `\$\.(\w+)")
_NOTHING: Mapping[str, str] = MappingProxyType({})

B = TypeVar("B", bound=Body)


def read_request(
    raw: bytes, kind: type[B], path: Mapping[str, str] = _NOTHING, query: Iterable[tuple[str, str]] = ()
) -> B:
    """What a request says: in its body, in its path, and behind the question mark. Raises RequestError.

    What is wrong is named: the field, its value, and what is allowed.
    """
    document = _whole(raw, kind) if kind.WHOLE else _object(raw, kind)
    for name, value in query:
        if name not in kind.QUERY:
            raise _unknown(kind, name, kind.QUERY)
        document[name] = value
    document |= path
    for described in msgspec.structs.fields(kind):
        name = described.encode_name
        if described.required and name not in document:
            allowed = kind.ALLOWED[name]
            raise RequestError(400, f"field '{name}' is missing; allowed is {allowed}", field=name, allowed=allowed)
    try:
        # Only what stands in an address is a text that means something else.
        return msgspec.convert(document, kind, strict=not (kind.PATH or kind.QUERY))
    except msgspec.ValidationError as error:
        raise _wrong(document, kind, error) from None


def _object(raw: bytes, kind: type[Body]) -> dict[str, object]:
    """The fields in a body, each of which it may have."""
    # An empty body is what most clients send when there is nothing to say.
    document = _decode(raw) if raw.strip() else {}
    elsewhere = (*kind.PATH, *kind.QUERY)
    names = [item.encode_name for item in msgspec.structs.fields(kind) if item.encode_name not in elsewhere]
    if not isinstance(document, dict):
        allowed = ", ".join(names) or "none"
        raise RequestError(400, f"the body is no JSON object; its fields are: {allowed}", allowed=allowed)
    for name in document:
        if name not in names:
            raise _unknown(kind, name, names)
    return document


def _whole(raw: bytes, kind: type[Body]) -> dict[str, object]:
    """A body that is the value of one field: bytes as they are, or a JSON object of any names."""
    if kind.MEDIA_TYPE != Body.MEDIA_TYPE:
        return {kind.WHOLE: raw}
    allowed = kind.ALLOWED[kind.WHOLE]
    if not raw.strip():
        raise RequestError(400, f"the body is missing; allowed is {allowed}", allowed=allowed)
    document = _decode(raw)
    if not isinstance(document, dict):
        raise RequestError(400, f"the body is no JSON object; allowed is {allowed}", allowed=allowed)
    return {kind.WHOLE: document}


def _wrong(document: Mapping[str, object], kind: type[Body], error: msgspec.ValidationError) -> RequestError:
    failed = _FAILED_FIELD.search(str(error))
    name = failed[1] if failed else ""
    allowed = kind.ALLOWED.get(name, ", ".join(kind.ALLOWED))
    if kind.SECRET:
        name = kind.culprit(document)
        return RequestError(400, f"field '{name}' is no such key; allowed is {allowed}", field=name, allowed=allowed)
    value = document.get(name)
    shown = f"{len(value)} bytes" if isinstance(value, bytes) else shortened(json.dumps(value, ensure_ascii=False))
    return RequestError(400, f"field '{name}' is {shown}; allowed is {allowed}", field=name, allowed=allowed)


def _unknown(kind: type[Body], name: str, names: Iterable[str]) -> RequestError:
    allowed = ", ".join(names) or "none"
    shown = "…" if kind.SECRET else shortened(name)
    return RequestError(400, f"field '{shown}' is unknown; allowed are: {allowed}", field=shown, allowed=allowed)


def _decode(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(400, f"the body is no JSON that can be read: {error}") from None
    except RecursionError:
        raise RequestError(400, "the body is no JSON that can be read: it is nested too deeply") from None
