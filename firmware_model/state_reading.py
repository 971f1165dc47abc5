"""Reads the canonical encoding of state: back into its classes (`restore`), or into plain names and values (`tree`).

The bytes may come from anywhere: whatever they are, they give a value whose encoding they are, or a StateError. Nothing
is allocated for a length or a count that goes beyond them, nor for more than MAX_VALUES values; and nothing is nested
deeper than MAX_DEPTH.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from firmware_model.state import (
    MAX_DEPTH,
    MAX_INTEGER_BYTES,
    MAX_VALUES,
    NO_MAXLEN,
    U32,
    Shape,
    canonical,
    integer_bytes,
    is_name,
    shape_of,
)


class StateError(ValueError):
    """These bytes are no state that can be read here; the message is one sentence."""


def restore(data: bytes, classes: Classes) -> Any:
    """The value of which this is the encoding. Wiring is unset, what is derived has its default. Raises StateError."""
    return _Reader(data, classes).whole()


def tree(data: bytes) -> Tree:
    """What an encoding holds, in plain names and values, without its classes. Raises StateError."""
    value: Tree = _Reader(data, _PlainNames()).whole()
    return value


class Member(NamedTuple):
    """A member of an enum in a tree: the name of its class, its value."""

    name: str
    value: Tree


class Branch(NamedTuple):
    """Whatever holds others in a tree.

    kind    tuple, list, deque, named tuple, dataclass
    name    of the class, and `fields` the names of its items; both are empty for the first three
    maxlen  of a deque; None for none
    """

    kind: str
    name: str
    fields: tuple[str, ...]
    items: tuple[Tree, ...]
    maxlen: int | None = None


Tree: TypeAlias = "bool | int | str | bytes | bytearray | Member | Branch | None"


class _Builder(Protocol):
    """Makes values of what a reader has read."""

    def sequence(self, kind: type, items: list[Any], maxlen: int | None) -> Any:
        """A tuple, list or deque."""

    def member(self, name: str, value: Any) -> Any:
        """A member of an enum."""

    def record(self, kind: str, name: str, names: tuple[str, ...], values: list[Any]) -> Any:
        """A named tuple or a dataclass."""


class _PlainNames:
    """Builds a tree."""

    def sequence(self, kind: type, items: list[Any], maxlen: int | None) -> Branch:
        return Branch(kind.__name__, "", (), tuple(items), maxlen)

    def member(self, name: str, value: Any) -> Member:
        return Member(name, value)

    def record(self, kind: str, name: str, names: tuple[str, ...], values: list[Any]) -> Branch:
        return Branch(kind, name, names, tuple(values))


class Classes:
    """The classes that a state is made of, by their names: enums, named tuples, structs and dataclasses."""

    def __init__(self, classes: Iterable[type]) -> None:
        """Raises TypeError for a class that no state is made of, ValueError for two of one name."""
        self._by_name: dict[str, tuple[type, Shape | None]] = {}
        for cls in classes:
            described = (cls, None if issubclass(cls, Enum) else shape_of(cls))
            if self._by_name.setdefault(cls.__name__, described) != described:
                raise ValueError(f"two classes are named {cls.__name__}")

    def sequence(self, kind: type, items: list[Any], maxlen: int | None) -> Any:
        """A tuple, list or deque."""
        return deque(items, maxlen) if kind is deque else kind(items)

    def member(self, name: str, value: Any) -> Any:
        """A member of an enum."""
        cls, _ = self._class(name)
        try:
            member = cls(value) if issubclass(cls, Enum) else None
        except (KeyError, TypeError, ValueError):
            member = None
        # An enum takes what is equal to a value of its own, as True for 1; flags drop or fill up bits.
        if not isinstance(member, Enum) or canonical(member.value) != canonical(value):
            raise StateError(f"the state has a member of {name} that there is none of here.")
        return member

    def record(self, kind: str, name: str, names: tuple[str, ...], values: list[Any]) -> Any:
        """A named tuple or a dataclass."""
        cls, shape = self._class(name)
        if shape is None or (shape.kind, shape.names) != (kind, names):
            raise StateError(f"the state has a {name} of other fields than it has here.")
        if issubclass(cls, tuple):
            return tuple.__new__(cls, values)
        if issubclass(cls, Struct):
            return cls(**dict(zip(names, values, strict=True)))
        instance = object.__new__(cls)
        for field_name, value in zip(names, values, strict=True):
            object.__setattr__(instance, field_name, value)
        for derived in shape.derived:
            default = derived.default if derived.default_factory is MISSING else derived.default_factory()
            object.__setattr__(instance, derived.name, default)
        return instance

    def _class(self, name: str) -> tuple[type, Shape | None]:
        described = self._by_name.get(name)
        if described is None:
            raise StateError(f"the state has a {name}, which no state is made of here.")
        return described


class _Reader:
    """Reads one encoding from its first byte to its last."""

    def __init__(self, data: bytes, build: _Builder) -> None:
        self._data = data
        self._at = 0
        self._values = 0
        self._build = build
        self._known_names: dict[bytes, str] = {}

    def whole(self) -> Any:
        value = self._value(0)
        if self._left():
            raise StateError(f"the state is damaged: {self._left()} bytes follow its end.")
        return value

    def _value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise StateError(f"the state is damaged: it is nested deeper than {MAX_DEPTH}.")
        self._values += 1
        if self._values > MAX_VALUES:
            raise StateError(f"the state is damaged: it has more than {MAX_VALUES:,} values.")
        tag = self._take(1)
        read = _READERS.get(tag)
        if read is None:
            raise self._damaged(f"byte {tag.hex()} begins no value")
        return read(self, depth + 1)

    def _left(self) -> int:
        return len(self._data) - self._at

    def _take(self, length: int) -> bytes:
        if length > self._left():
            raise StateError("the state is damaged: it ends before what it announces.")
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def _damaged(self, what: str) -> StateError:
        return StateError(f"the state is damaged: {what}, before byte {self._at}.")

    def _u32(self) -> int:
        number: int = U32.unpack(self._take(U32.size))[0]
        return number

    def _count(self) -> int:
        """How many values follow; each is a byte at least."""
        count = self._u32()
        if count > self._left():
            raise StateError("the state is damaged: it ends before what it announces.")
        return count

    def _sized(self) -> bytes:
        return self._take(self._u32())

    def _name(self) -> str:
        content = self._take(self._take(1)[0])
        name = self._known_names.get(content)
        if name is None:
            name = content.decode("ascii", "replace")
            if not is_name(name):
                raise self._damaged("a name is none")
            self._known_names[content] = name
        return name

    def _integer(self, _depth: int) -> int:
        content = self._sized()
        value = int.from_bytes(content, "big", signed=True)
        if len(content) > MAX_INTEGER_BYTES or len(content) != integer_bytes(value):
            raise self._damaged("an integer is too long")
        return value

    def _text(self, _depth: int) -> str:
        try:
            return self._sized().decode()
        except UnicodeDecodeError:
            raise self._damaged("a text is not UTF-8") from None

    def _items(self, depth: int) -> list[Any]:
        return [self._value(depth) for _ in range(self._count())]

    def _deque(self, depth: int) -> Any:
        limit = self._u32()
        items = self._items(depth)
        if len(items) > limit:
            raise self._damaged("a deque holds more than it can")
        return self._build.sequence(deque, items, None if limit == NO_MAXLEN else limit)

    def _member(self, depth: int) -> Any:
        return self._build.member(self._name(), self._value(depth))

    def _record(self, kind: str, depth: int) -> Any:
        name, names, values = self._name(), [], []
        for _ in range(self._count()):
            names.append(self._name())
            values.append(self._value(depth))
        if len(set(names)) != len(names):
            raise self._damaged(f"two fields of a {name} have one name")
        return self._build.record(kind, name, tuple(names), values)


_READERS: Final[Mapping[bytes, Callable[[_Reader, int], Any]]] = MappingProxyType(
    {
        b"N": lambda _reader, _depth: None,
        b"T": lambda _reader, _depth: True,
        b"F": lambda _reader, _depth: False,
        b"I": _Reader._integer,
        b"S": _Reader._text,
        b"B": lambda reader, _depth: reader._sized(),
        b"Y": lambda reader, _depth: bytearray(reader._sized()),
        b"P": lambda reader, depth: reader._build.sequence(tuple, reader._items(depth), None),
        b"L": lambda reader, depth: reader._build.sequence(list, reader._items(depth), None),
        b"Q": _Reader._deque,
        b"E": _Reader._member,
        b"R": lambda reader, depth: reader._record("named tuple", depth),
        b"D": lambda reader, depth: reader._record("dataclass", depth),
    }
)
