"""A profile as TOML: read with its sources, checked, and laid over those that it extends.

Each parameter is a table `{ value = …, found = "source" }` or `{ value = …, chosen = "reason" }`. `extends = "NAME"`
takes all that is not said from another profile. Nothing here reads a file: texts are passed in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from firmware_model.profile import ALARM_SECTIONS, ORDERED, SECTIONS, AlarmModel, Profile, Source

MOST_EXTENDS = 8
"""How long a chain of `extends` may be."""
_ALL_SECTIONS: Mapping[str, type] = MappingProxyType({**SECTIONS, **dict.fromkeys(ALARM_SECTIONS, AlarmModel)})


class ProfileError(Exception):
    """A profile that cannot be used. One sentence: which file and line, which field, what is allowed."""


def parse_profile(name: str, content: str, find: Callable[[str], str | None]) -> Profile:
    """The profile that a TOML text describes; `find` gives the text of a profile named by `extends`, or None.

    Raises ProfileError.
    """
    merged: dict[str, tuple[object, Source, str]] = {}
    texts = _chain(name, content, find)
    for origin, origin_text, document in reversed(texts):
        merged |= _parameters(origin, origin_text, document)
    sections: dict[str, object] = {}
    for section, model in _ALL_SECTIONS.items():
        values: dict[str, object] = {}
        for described in fields(model):
            key = f"{section}.{described.name}"
            if key not in merged:
                raise ProfileError(f"profile {name}: {key} is missing ({described.metadata['meaning']})")
            values[described.name] = merged[key][0]
        sections[section] = model(**values)
    for lesser, greater in ORDERED:
        low, high = merged[lesser][0], merged[greater][0]
        if isinstance(low, int) and isinstance(high, int) and low > high:
            # The profile itself is at fault, not one that it extends.
            if lesser in _said(texts[0][2]):
                raise ProfileError(f"{merged[lesser][2]}: {lesser} is {low}, but at most {high} is allowed ({greater})")
            raise ProfileError(f"{merged[greater][2]}: {greater} is {high}, but at least {low} is allowed ({lesser})")
    sources = {key: source for key, (_, source, _) in sorted(merged.items())}
    alarms = {kind: sections.pop(section) for section, kind in ALARM_SECTIONS.items()}
    # Each section has been made by its own class, which the table of sections does not tell a type checker.
    return Profile(name=name, alarm=MappingProxyType(alarms), sources=MappingProxyType(sources), **sections)  # type: ignore[arg-type]


def _said(document: Mapping[str, Mapping[str, object]]) -> set[str]:
    """The parameters that a document itself gives."""
    return {f"{section}.{key}" for section, entries in _flat(document).items() for key in entries}


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The sections by their names, those of the alarms by both their words."""
    flat: dict[str, Any] = {}
    for section, entries in document.items():
        if section == "alarm" and isinstance(entries, dict):
            flat |= {f"alarm.{name}": rows for name, rows in entries.items()}
        else:
            flat[section] = entries
    return flat


def _chain(name: str, content: str, find: Callable[[str], str | None]) -> list[tuple[str, str, dict[str, Any]]]:
    """The profile's document and those that it extends, nearest first."""
    chain: list[tuple[str, str, dict[str, Any]]] = []
    while True:
        try:
            document = tomllib.loads(content)
        except tomllib.TOMLDecodeError as error:
            raise ProfileError(f"profile {name} is not valid TOML: {error}") from None
        chain.append((name, content, document))
        base = document.pop("extends", None)
        if base is None:
            return chain
        found = find(base) if isinstance(base, str) else None
        if found is None:
            raise ProfileError(f"{_place(name, content, '', 'extends')}: extends {base!r}, which is no profile")
        if len(chain) == MOST_EXTENDS:
            raise ProfileError(f"profile {chain[0][0]}: more than {MOST_EXTENDS} profiles extend one another")
        name, content = base, found


def _parameters(name: str, content: str, document: dict[str, Any]) -> dict[str, tuple[object, Source, str]]:
    parameters: dict[str, tuple[object, Source, str]] = {}
    for section, entries in _flat(document).items():
        model = _ALL_SECTIONS.get(section)
        if model is None or not isinstance(entries, dict):
            place = _place(name, content, "", section)
            raise ProfileError(f"{place}: {section!r} is no section; allowed are {', '.join(_ALL_SECTIONS)}")
        described = {item.name: item for item in fields(model)}
        for key, entry in entries.items():
            place = _place(name, content, section, key)
            if key not in described:
                allowed = ", ".join(described)
                raise ProfileError(f"{place}: {section}.{key} is no parameter; [{section}] has {allowed}")
            value, source = _entry(place, f"{section}.{key}", entry)
            _check_value(place, f"{section}.{key}", value, described[key].metadata)
            parameters[f"{section}.{key}"] = (value, source, place)
    return parameters


def _entry(place: str, key: str, entry: object) -> tuple[object, Source]:
    kinds = [kind for kind in ("found", "chosen") if isinstance(entry, dict) and kind in entry]
    if not isinstance(entry, dict) or "value" not in entry or len(kinds) != 1 or len(entry) != 2:
        form = '{ value = …, found = "source" } or { value = …, chosen = "reason" }'
        raise ProfileError(f"{place}: {key} must be {form}")
    said = entry[kinds[0]]
    if not isinstance(said, str) or not said.strip():
        raise ProfileError(f"{place}: {key} says nothing under {kinds[0]!r}")
    return entry["value"], Source(kinds[0], said)


def _check_value(place: str, key: str, value: object, declared: Mapping[str, Any]) -> None:
    if "longest" in declared:
        longest = declared["longest"]
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or len(value) > longest:
            raise ProfileError(
                f"{place}: {key} is {value!r}, but allowed is printable ASCII of up to {longest} characters"
            )
        return
    if "allowed" in declared:
        if value not in declared["allowed"]:
            raise ProfileError(f"{place}: {key} is {value!r}, but allowed are {', '.join(declared['allowed'])}")
        return
    if "flag" in declared:
        if not isinstance(value, bool):
            raise ProfileError(f"{place}: {key} is {value!r}, but allowed are true and false")
        return
    low, high, unit = declared["minimum"], declared["maximum"], declared["unit"]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ProfileError(f"{place}: {key} is {value!r}, but allowed is a whole number from {low} to {high} {unit}")


def _place(name: str, content: str, section: str, key: str) -> str:
    """Profile and line where a key stands; the TOML reader does not say, so the line is looked for."""
    current = ""
    for number_, line in enumerate(content.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.strip("[] \t").split("]")[0].strip()
            if not section and current == key:
                return f"profile {name}, line {number_}"
        elif current == section and stripped.split("=")[0].strip().strip('"') == key:
            return f"profile {name}, line {number_}"
    return f"profile {name}"
