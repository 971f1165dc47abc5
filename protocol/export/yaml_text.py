"""Writes mappings, lists and scalars as YAML, in the plain subset that every reader of YAML agrees on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# Words that a reader of YAML takes for something else than text.
_RESERVED: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def yaml_text(value: Mapping[Any, Any]) -> str:
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{_scalar(key)}:", item)
    else:
        for item in value:
            first, *others = _lines(item) if _nested(item) else [_scalar(item)]
            yield f"- {first}"
            yield from (f"  {line}" for line in others)


def _entry(key: str, item: Any) -> Iterator[str]:
    if isinstance(item, str) and "\n" in item:
        yield f"{key} |-"
        yield from (f"  {line}".rstrip() for line in item.split("\n"))
        return
    if not _nested(item):
        yield f"{key} {_scalar(item)}"
        return
    yield key
    yield from (f"  {line}" for line in _lines(item))


def _nested(item: Any) -> bool:
    return isinstance(item, Mapping | Sequence) and not isinstance(item, str) and bool(item)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # Text in double quotes is the same in YAML and in JSON.
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _RESERVED
        return value if is_plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
