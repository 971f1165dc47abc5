"""Reads `hand_vectors.txt`: messages that were written down by hand, byte for byte and value for value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.export.catalogue import all_classes
from protocol.field_types import CodedType, FieldType, TextType
from protocol.fields import table_of

FILE = Path(__file__).with_suffix(".txt")
_LINE = re.compile(
    r"(?:(?P<times>\d+) x )?(?P<hex>(?:[0-9a-f]{2}(?: |$))*) *(?P<path>#?[a-z][\w.\[\]]*) = (?P<value>.*)"
)
# Whole items, several alike or one.
_ITEMS = re.compile(r"(?P<list>.*)\[(?P<first>\d+)(?:\.\.(?P<last>\d+))?\]")
_CLASS_OF: Mapping[str, type[Any]] = {cls.__name__: cls for cls in all_classes()}


@dataclass(frozen=True)
class Written:
    """One field as it was written: its bytes, where it stands in the message, and its value as text."""

    image: bytes
    path: str
    value: str


@dataclass(frozen=True)
class HandVector:
    cls: type[Any]
    written: tuple[Written, ...]

    @property
    def image(self) -> bytes:
        return b"".join(each.image for each in self.written)

    def message(self) -> Any:
        """The message of the written values; ValueError if a field is missing, or one too many is there."""
        values = {each.path: each.value for each in self.written if not each.path.startswith("#")}
        message = _build(self.cls, "", values)
        left = [path for path in values if path and not path.endswith("crc32")]
        if left:
            raise ValueError(f"{self.cls.__name__} has no {', '.join(left)}")
        return message


def hand_vectors() -> tuple[HandVector, ...]:
    found: list[tuple[str, list[Written]]] = []
    for number, line in enumerate(FILE.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            found.append((line.strip("[]"), []))
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"line {number}: {line!r} is no bytes, name and value")
        found[-1][1].extend(_written(found[-1][0], match))
    return tuple(HandVector(_CLASS_OF[name], tuple(written)) for name, written in found)


def _written(name: str, match: re.Match[str]) -> Iterator[Written]:
    image = bytes.fromhex(match["hex"])
    items = _ITEMS.fullmatch(match["path"])
    if items is None:
        yield Written(image, match["path"], match["value"])
        return
    item = next(field.item for field in table_of(_CLASS_OF[name]) if field.name == items["list"])
    numbers = range(int(items["first"]), int(items["last"] or items["first"]) + 1)
    if item is None or len(numbers) != int(match["times"] or 1):
        raise ValueError(f"{match[0]!r} does not say how often its bytes come")
    yield from (each for number in numbers for each in _item(item, image, f"{items['list']}[{number}]", match["value"]))


def _item(item: type[Any], image: bytes, path: str, values: str) -> Iterator[Written]:
    at = 0
    for field, value in zip(table_of(item), values.split(), strict=True):
        size = field.size or 0
        yield Written(image[at : at + size], f"{path}.{field.name}", value)
        at += size


def _build(cls: type[Any], prefix: str, values: dict[str, str]) -> Any:
    built: dict[str, Any] = {}
    for field in table_of(cls):
        if field.present is not None and prefix + field.name not in values:
            built[field.name] = None
            continue
        if field.item is None:
            built[field.name] = _value(field.kind, values.pop(prefix + field.name))
            continue
        numbers = {
            int(found[1])
            for path in values
            if (found := re.match(re.escape(prefix + field.name) + r"\[(\d+)\]", path)) is not None
        }
        items = (_build(field.item, f"{prefix}{field.name}[{number}].", values) for number in sorted(numbers))
        built[field.name] = tuple(items)
    return cls(**built)


def _value(kind: FieldType, text: str) -> Any:
    if isinstance(kind, CodedType):
        # A name, names of flags, or a number where there is no name.
        return kind.code(sum(int(word, 0) if word[0].isdecimal() else kind.code[word] for word in text.split()))
    if isinstance(kind, TextType):
        return text[1:-1]
    return bytes.fromhex(text[1:]) if text.startswith("x") else int(text, 0)
