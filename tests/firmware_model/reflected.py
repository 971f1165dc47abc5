"""What differs between two graphs of objects, by reflection over every attribute: whatever a copy has lost is found.

Values are compared with their types. An object that can change is compared by its place in the graph, too: where one
graph has it twice, the other must have one object twice; and none may belong to both. Functions are compared by their
qualified names and by what they hold: the object of a method, the cells of a closure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, CellType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, NamedTuple

_ATOMS = (type(None), bool, int, float, complex, str, bytes)
_NAMED = (Enum, type, ModuleType)
_CALLABLES = (FunctionType, BuiltinFunctionType, MethodType, partial)
_UNCHANGING = (tuple, frozenset, MappingProxyType, CellType, *_CALLABLES)
_LONGEST_SHOWN = 80
_ABSENT = "absent"


class Difference(NamedTuple):
    """Where two graphs differ, and what stands there in each. The path of the root is a single point."""

    path: str
    one: str
    other: str


def differences(one: object, other: object, *, derived: bool = True) -> list[Difference]:
    """All places where two graphs differ: none when nothing is lost. Without `derived`, such fields are left out."""
    return list(_Walk(derived).found(one, other))


class _Walk:
    """One comparison; remembers which objects stand for each other."""

    def __init__(self, derived: bool) -> None:
        self._derived = derived
        # By id, with the path: what an object of one graph is in the other, and the other way round.
        self._there: dict[int, tuple[int, str]] = {}
        self._back: dict[int, tuple[int, str]] = {}
        self._seen: set[tuple[int, int]] = set()
        # Held, so that no object gets the id of one that is gone.
        self._held: list[object] = []

    def found(self, one: object, other: object) -> Iterator[Difference]:
        waiting = [("", one, other)]
        while waiting:
            path, one, other = waiting.pop()
            if type(one) is not type(other):
                yield _difference(path, one, other)
            elif type(one) in _ATOMS or isinstance(one, _NAMED):
                if one != other:
                    yield _difference(path, one, other)
            elif (id(one), id(other)) not in self._seen:
                self._seen.add((id(one), id(other)))
                self._held += (one, other)
                elsewhere = None if _cannot_change(one) else self._elsewhere(path, one, other)
                if elsewhere is None:
                    within = (_within(one, self._derived), _within(other, self._derived))
                    yield from _of_names(path, one, other, *within)
                    ours, theirs = within[0] or {}, within[1] or {}
                    waiting += [(path + name, ours[name], theirs[name]) for name in reversed(ours) if name in theirs]
                else:
                    yield elsewhere

    def _elsewhere(self, path: str, one: object, other: object) -> Difference | None:
        """The difference when two objects that can change do not stand for each other alone."""
        if one is other:
            return _told(path, "shared with the other", "shared with the other")
        other_id, at_one = self._there.setdefault(id(one), (id(other), path))
        one_id, at_other = self._back.setdefault(id(other), (id(one), path))
        if (one_id, other_id) == (id(one), id(other)):
            return None
        return _told(path, f"what stands at {_shown(at_one)}", f"what stands at {_shown(at_other)}")


def _of_names(
    path: str, one: object, other: object, ours: dict[str, Any] | None, theirs: dict[str, Any] | None
) -> Iterator[Difference]:
    """What is absent in one of them, or in another order; and what can only be compared as a whole."""
    if ours is None or theirs is None:
        if one is not other:
            yield _told(path, f"{_short(one)}, which cannot be looked into", _short(other))
        return
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        if name not in theirs or name not in ours:
            yield _told(
                path + name,
                _short(ours[name]) if name in ours else _ABSENT,
                _short(theirs[name]) if name in theirs else _ABSENT,
            )
    if ours.keys() == theirs.keys() and list(ours) != list(theirs):
        yield _told(path, "in the order " + " ".join(ours), "in the order " + " ".join(theirs))


def _within(value: Any, derived: bool) -> dict[str, Any] | None:
    """What an object holds, by the last part of its path; None for what cannot be looked into."""
    held: dict[str, Any] = {}
    if isinstance(value, Mapping):
        held |= {f"[{key!r}]": (key, item) for key, item in value.items()}
    elif isinstance(value, tuple | list | deque):
        names = getattr(value, "_fields", None)
        held |= {f".{names[at]}" if names else f"[{at}]": item for at, item in enumerate(value)}
    elif isinstance(value, bytearray):
        held["[:]"] = bytes(value)
    elif isinstance(value, _ATOMS):
        held["()"] = next(_repr_as(kind, value) for kind in _ATOMS if isinstance(value, kind))
    elif isinstance(value, set | frozenset):
        held["{}"] = tuple(sorted(map(repr, value)))
    elif not isinstance(value, (*_CALLABLES, CellType)) and not _has_attributes(value):
        return None
    names_of_parts = _PARTS_OF_KIND.get(type(value), ())
    held |= {f".{name}": getattr(value, name) for name in names_of_parts if hasattr(value, name)}
    return held | {f".{name}": item for name, item in _attributes(value, derived)}


_PARTS_OF_KIND: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        deque: ("maxlen",),
        # A function that was made anew by the same source is the same one if it holds the same.
        FunctionType: ("__module__", "__qualname__", "__defaults__", "__kwdefaults__", "__closure__"),
        BuiltinFunctionType: ("__module__", "__qualname__", "__self__"),
        MethodType: ("__func__", "__self__"),
        partial: ("func", "args", "keywords"),
        CellType: ("cell_contents",),
    }
)


def _attributes(value: object, derived: bool) -> Iterator[tuple[str, Any]]:
    """Every attribute that is set: of the slots of all its classes, and of its __dict__."""
    left_out = {"__dict__", "__weakref__"}
    if not derived and is_dataclass(value):
        left_out |= {described.name for described in fields(value) if described.metadata.get("derived")}
    slots = [name for cls in type(value).__mro__ for name in _slots(cls)]
    for name in dict.fromkeys([*slots, *getattr(value, "__dict__", ())]):
        if name not in left_out and hasattr(value, name):
            yield name, getattr(value, name)


def _slots(cls: type) -> list[str]:
    """The names of a class's own slots, as attributes have them."""
    slots = cls.__dict__.get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    private = f"_{cls.__name__.lstrip('_')}"
    return [private + name if name.startswith("__") and not name.endswith("__") else name for name in names]


def _repr_as(kind: Any, value: object) -> str:
    text: str = kind.__repr__(value)
    return text


def _has_attributes(value: object) -> bool:
    return hasattr(value, "__dict__") or any("__slots__" in cls.__dict__ for cls in type(value).__mro__)


def _cannot_change(value: object) -> bool:
    """Whether it is the same wherever it stands; what it holds may still change."""
    described = getattr(type(value), "__struct_config__", None) or getattr(type(value), "__dataclass_params__", None)
    return isinstance(value, _UNCHANGING) or (described is not None and described.frozen)


def _difference(path: str, one: object, other: object) -> Difference:
    return _told(path, _short(one), _short(other))


def _told(path: str, one: str, other: str) -> Difference:
    return Difference(_shown(path), one, other)


def _shown(path: str) -> str:
    return path.removeprefix(".") or "."


def _short(value: object) -> str:
    if not isinstance(value, (*_ATOMS, *_NAMED)):
        return f"a {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
