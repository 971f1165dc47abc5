"""The types that a field can have: how each lies on the wire, and which values it admits."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import construct


class IntegerLayout(NamedTuple):
    subcon: construct.FormatField[Any, Any]
    size: int
    minimum: int
    maximum: int


INTEGERS: Final[Mapping[str, IntegerLayout]] = {
    "u8": IntegerLayout(construct.Int8ul, 1, 0, 0xFF),
    "u16": IntegerLayout(construct.Int16ul, 2, 0, 0xFFFF),
    "u32": IntegerLayout(construct.Int32ul, 4, 0, 0xFFFFFFFF),
    "u64": IntegerLayout(construct.Int64ul, 8, 0, 0xFFFFFFFFFFFFFFFF),
    "i16": IntegerLayout(construct.Int16sl, 2, -0x8000, 0x7FFF),
    "i32": IntegerLayout(construct.Int32sl, 4, -0x80000000, 0x7FFFFFFF),
}


class FieldType:
    """One type. `to_wire` gives what construct builds from, `from_wire` takes what construct parsed.

    Both raise ValueError, and its text says what is allowed: construct itself lets too much pass.
    """

    @property
    def name(self) -> str:
        raise NotImplementedError

    @property
    def size(self) -> int | None:
        """Bytes on the wire, None where it varies."""
        raise NotImplementedError

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        raise NotImplementedError

    def to_wire(self, value: Any) -> Any:
        raise NotImplementedError

    def from_wire(self, value: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class IntegerType(FieldType):
    layout_name: str
    minimum: int
    maximum: int

    @classmethod
    def of(cls, layout_name: str, minimum: int | None, maximum: int | None) -> IntegerType:
        layout = INTEGERS[layout_name]
        return cls(
            layout_name,
            layout.minimum if minimum is None else minimum,
            layout.maximum if maximum is None else maximum,
        )

    @property
    def name(self) -> str:
        return self.layout_name

    @property
    def size(self) -> int:
        return INTEGERS[self.layout_name].size

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return INTEGERS[self.layout_name].subcon

    @property
    def letter(self) -> str:
        """What struct calls it: construct's `<L` without the order of bytes, which is the same in all."""
        return str(INTEGERS[self.layout_name].subcon.fmtstr[1:])

    @property
    def is_narrow(self) -> bool:
        """Whether it admits less than its bytes can hold."""
        layout = INTEGERS[self.layout_name]
        return (self.minimum, self.maximum) != (layout.minimum, layout.maximum)

    def to_wire(self, value: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("an integer is needed")
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"allowed is {self.minimum} to {self.maximum}")
        return int(value)

    def from_wire(self, value: Any) -> Any:
        return self.to_wire(value)


@dataclass(frozen=True, slots=True)
class CodedType(FieldType):
    """An integer whose values are those of an enumeration, or whose bits are those of a flag type.

    Whether an unknown bit is refused or kept is the flag type's own `boundary`.
    """

    integer: IntegerType
    code: type[enum.IntEnum] | type[enum.IntFlag]

    @property
    def name(self) -> str:
        return self.integer.name

    @property
    def size(self) -> int:
        return self.integer.size

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return self.integer.subcon

    def to_wire(self, value: Any) -> Any:
        return int(self.from_wire(self.integer.to_wire(value)))

    def from_wire(self, value: Any) -> Any:
        try:
            return self.code(value)
        except ValueError:
            allowed = ", ".join(f"{member.name} ({member.value:#x})" for member in self.code)
            raise ValueError(f"allowed is {self.code.__name__}: {allowed}") from None


@dataclass(frozen=True, slots=True)
class BlockType(FieldType):
    """A fixed number of bytes."""

    length: int

    @property
    def size(self) -> int:
        return self.length

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return construct.Bytes(self.length)


@dataclass(frozen=True, slots=True)
class BytesType(BlockType):
    """Bytes as they are."""

    @property
    def name(self) -> str:
        return f"raw{self.length}"

    def to_wire(self, value: Any) -> Any:
        if not isinstance(value, bytes) or len(value) != self.length:
            raise ValueError(f"exactly {self.length} bytes are needed")
        return value

    def from_wire(self, value: Any) -> Any:
        return self.to_wire(value)


@dataclass(frozen=True, slots=True)
class TextType(BlockType):
    """Printable ASCII, filled up with NUL; nothing but NUL after the first one."""

    @property
    def name(self) -> str:
        return f"text{self.length}"

    def to_wire(self, value: Any) -> Any:
        if not isinstance(value, str) or not (value.isascii() and (value == "" or value.isprintable())):
            raise ValueError("printable ASCII text is needed")
        if len(value) > self.length:
            raise ValueError(f"at most {self.length} characters fit")
        return value.encode("ascii").ljust(self.length, b"\x00")

    def from_wire(self, value: Any) -> Any:
        try:
            text: str = value.rstrip(b"\x00").decode("ascii")
        except UnicodeDecodeError:
            raise ValueError("printable ASCII text is needed") from None
        self.to_wire(text)
        return text


@dataclass(frozen=True, slots=True)
class BlobType(FieldType):
    """A count (u8), then so many bytes."""

    maximum: int

    @property
    def name(self) -> str:
        return f"blob{self.maximum}"

    @property
    def size(self) -> None:
        return None

    @property
    def item_size(self) -> int:
        return 1

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return construct.Prefixed(construct.Int8ul, construct.GreedyBytes)

    def to_wire(self, value: Any) -> Any:
        if not isinstance(value, bytes) or len(value) > self.maximum:
            raise ValueError(f"bytes are needed, at most {self.maximum}")
        return value

    def from_wire(self, value: Any) -> Any:
        return self.to_wire(value)
