"""Field tables: a message is declared once, and its codec, its documents and its checks come from that declaration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final, TypeVar, cast, dataclass_transform, overload

import construct

from protocol.field_types import BlobType, BytesType, CodedType, FieldType, IntegerType, TextType
from protocol.framing import CRC_SIZE, crc32
from protocol.packed import PackedCodec, packed_codec
from protocol.refusals import NO_FIELD, OK, NakCode

M = TypeVar("M")

# "Not known" in a u32; it stays an integer, and is never a number to compute with.
UNKNOWN_U32: Final = 0xFFFFFFFF

_METADATA: Final = "vpump"
_LAYOUT: Final = "__field_layout__"
_PACKED: Final = "__packed_codec__"


class FormatError(Exception):
    """A payload that is no such message: the code to refuse it with, the index of the field (FF = none), the reason."""

    def __init__(self, code: NakCode, field: int, reason: str, element: int = 0) -> None:
        super().__init__(reason)
        self.code = code
        self.field = field
        self.reason = reason
        self.element = element


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row of a message's table. Offset and size are None behind and in the variable part.

    present   the field is there only when this bit is set in the field of its flag type, which stands before it
    """

    name: str
    kind: FieldType
    offset: int | None
    unit: str
    meaning: str
    complement_of: str | None = None
    present: IntFlag | None = None

    @property
    def type_name(self) -> str:
        return self.kind.name

    @property
    def size(self) -> int | None:
        return self.kind.size if self.present is None else None

    @property
    def minimum(self) -> int | None:
        return self.kind.minimum if isinstance(self.kind, IntegerType) else None

    @property
    def maximum(self) -> int | None:
        """Of an integer its greatest value, of records or a blob their greatest number."""
        return self.kind.maximum if isinstance(self.kind, IntegerType | RecordsType | BlobType) else None

    @property
    def enum(self) -> type[IntEnum] | type[IntFlag] | None:
        return self.kind.code if isinstance(self.kind, CodedType) else None

    @property
    def item(self) -> type[Any] | None:
        return self.kind.item if isinstance(self.kind, RecordsType | PlacesType) else None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a message class knows about itself: its table, its codec, and how it ends."""

    fields: tuple[Field, ...]
    codec: construct.Construct[Any, Any]
    extensible: bool
    ends_with_crc32: bool

    @property
    def fixed_size(self) -> int | None:
        sizes = [field.size for field in self.fields]
        if None in sizes:
            return None
        return sum(cast("list[int]", sizes)) + self._crc_size

    @property
    def maximum_size(self) -> int:
        return sum(_maximum_size(field) for field in self.fields) + self._crc_size

    @property
    def _crc_size(self) -> int:
        return CRC_SIZE if self.ends_with_crc32 else 0

    def _has(self, bit: IntFlag, payload: bytes) -> bool:
        """Whether a payload, which is long enough for its flags, says that the fields of a bit are there."""
        flags = next(field for field in self.fields if field.enum is type(bit))
        offset, size = cast("int", flags.offset), cast("int", flags.size)
        return bool(int.from_bytes(payload[offset : offset + size], "little") & bit)

    def measure(self, payload: bytes) -> int:
        """The size of the message at the payload's start, every count checked before construct sees it."""
        at = 0
        for index, field in enumerate(self.fields):
            size = field.kind.size
            if field.present is not None and not self._has(field.present, payload):
                size = 0
            elif size is None:
                size = _measure_counted(cast("RecordsType | BlobType", field.kind), payload[at : at + 1], index)
            at += size
            if at > len(payload):
                raise FormatError(NakCode.FORMAT, index, f"the payload ends within {field.name}")
        if at + self._crc_size > len(payload):
            raise FormatError(NakCode.FORMAT, NO_FIELD, "the payload ends within its CRC")
        return at + self._crc_size


def _measure_counted(kind: RecordsType | BlobType, count: bytes, index: int) -> int:
    if not count:
        raise FormatError(NakCode.FORMAT, index, "the payload ends before a count")
    if count[0] > kind.maximum:
        raise FormatError(NakCode.FORMAT, index, f"a count of at most {kind.maximum}, not {count[0]}")
    return 1 + count[0] * kind.item_size


def _maximum_size(field: Field) -> int:
    if field.kind.size is not None:
        return field.kind.size
    counted = cast("RecordsType | BlobType", field.kind)
    return 1 + counted.maximum * counted.item_size


@dataclass(frozen=True, slots=True)
class RecordsType(FieldType):
    """A count (u8), then so many messages of one fixed-size class."""

    item: type[Any]
    maximum: int

    @property
    def name(self) -> str:
        return f"records of {self.item.__name__}"

    @property
    def size(self) -> None:
        return None

    @property
    def item_size(self) -> int:
        return _item_size(self.item)

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return construct.PrefixedArray(construct.Int8ul, construct.Bytes(self.item_size))

    def to_wire(self, value: Any) -> Any:
        images = _images_of(self.item, value)
        if len(images) > self.maximum:
            raise ValueError(f"at most {self.maximum} records fit")
        return images

    def from_wire(self, value: Any) -> Any:
        return _items_of(self.item, value)


@dataclass(frozen=True, slots=True)
class PlacesType(FieldType):
    """Messages of one fixed-size class, always the same number of them."""

    item: type[Any]
    count: int

    @property
    def name(self) -> str:
        return f"{self.count} x {self.item.__name__}"

    @property
    def size(self) -> int:
        return self.count * _item_size(self.item)

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return construct.Array(self.count, construct.Bytes(_item_size(self.item)))

    def to_wire(self, value: Any) -> Any:
        images = _images_of(self.item, value)
        if len(images) != self.count:
            raise ValueError(f"exactly {self.count} of them are needed")
        return images

    def from_wire(self, value: Any) -> Any:
        return _items_of(self.item, value)


def _item_size(item: type[Any]) -> int:
    size = layout_of(item).fixed_size
    if not size:
        # construct would loop over items of no width without reading a byte.
        raise TypeError(f"{item.__name__} is no record: its size varies or is 0")
    return size


def _images_of(item: type[Any], value: Any) -> list[bytes]:
    if not isinstance(value, tuple) or not all(isinstance(each, item) for each in value):
        raise ValueError(f"a tuple of {item.__name__} is needed")
    return [encode(each) for each in value]


def _items_of(item: type[Any], images: list[bytes]) -> tuple[Any, ...]:
    items = []
    for element, image in enumerate(images):
        try:
            items.append(decode(item, image))
        except FormatError as error:
            raise FormatError(error.code, error.field, error.reason, element) from error
    return tuple(items)


def u8(
    *,
    meaning: str,
    unit: str = "",
    minimum: int | None = None,
    maximum: int | None = None,
    present: IntFlag | None = None,
) -> Any:
    return _declared(IntegerType.of("u8", minimum, maximum), unit, meaning, present=present)


def u16(
    *,
    meaning: str,
    unit: str = "",
    minimum: int | None = None,
    maximum: int | None = None,
    present: IntFlag | None = None,
) -> Any:
    return _declared(IntegerType.of("u16", minimum, maximum), unit, meaning, present=present)


def u32(
    *,
    meaning: str,
    unit: str = "",
    minimum: int | None = None,
    maximum: int | None = None,
    present: IntFlag | None = None,
) -> Any:
    return _declared(IntegerType.of("u32", minimum, maximum), unit, meaning, present=present)


def u64(
    *,
    meaning: str,
    unit: str = "",
    minimum: int | None = None,
    maximum: int | None = None,
    present: IntFlag | None = None,
) -> Any:
    return _declared(IntegerType.of("u64", minimum, maximum), unit, meaning, present=present)


def i16(
    *,
    meaning: str,
    unit: str = "",
    minimum: int | None = None,
    maximum: int | None = None,
    present: IntFlag | None = None,
) -> Any:
    return _declared(IntegerType.of("i16", minimum, maximum), unit, meaning, present=present)


def i32(
    *,
    meaning: str,
    unit: str = "",
    minimum: int | None = None,
    maximum: int | None = None,
    present: IntFlag | None = None,
) -> Any:
    return _declared(IntegerType.of("i32", minimum, maximum), unit, meaning, present=present)


def raw(length: int, *, meaning: str, unit: str = "") -> Any:
    return _declared(BytesType(length), unit, meaning)


def text(length: int, *, meaning: str, unit: str = "") -> Any:
    return _declared(TextType(length), unit, meaning)


def enum8(code: type[IntEnum], *, meaning: str, unit: str = "", present: IntFlag | None = None) -> Any:
    return _declared(CodedType(IntegerType.of("u8", None, None), code), unit, meaning, present=present)


def enum16(code: type[IntEnum], *, meaning: str, unit: str = "") -> Any:
    return _declared(CodedType(IntegerType.of("u16", None, None), code), unit, meaning)


def flags8(code: type[IntFlag], *, meaning: str, unit: str = "") -> Any:
    return _declared(CodedType(IntegerType.of("u8", None, None), code), unit, meaning)


def flags32(code: type[IntFlag], *, meaning: str, unit: str = "") -> Any:
    return _declared(CodedType(IntegerType.of("u32", None, None), code), unit, meaning)


def flags64(code: type[IntFlag], *, meaning: str, unit: str = "") -> Any:
    return _declared(CodedType(IntegerType.of("u64", None, None), code), unit, meaning)


def records(item: type[Any], *, maximum: int, meaning: str, unit: str = "") -> Any:
    return _declared(RecordsType(item, maximum), unit, meaning)


def places(item: type[Any], count: int, *, meaning: str, unit: str = "") -> Any:
    return _declared(PlacesType(item, count), unit, meaning)


def blob(maximum: int, *, meaning: str, unit: str = "bytes") -> Any:
    return _declared(BlobType(maximum), unit, meaning)


def complement_of(name: str, *, meaning: str, unit: str = "") -> Any:
    """A u32 that repeats another one of the same message with every bit turned."""
    return _declared(IntegerType.of("u32", None, None), unit, meaning, name)


def _declared(
    kind: FieldType, unit: str, meaning: str, complement: str | None = None, present: IntFlag | None = None
) -> Any:
    declared = {"kind": kind, "unit": unit, "meaning": meaning, "complement_of": complement, "present": present}
    return dataclasses.field(metadata={_METADATA: declared})


@overload
def message(cls: type[M], /) -> type[M]: ...
@overload
def message(*, extensible: bool = False, ends_with_crc32: bool = False) -> Callable[[type[M]], type[M]]: ...
@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        u8,
        u16,
        u32,
        u64,
        i16,
        i32,
        raw,
        text,
        enum8,
        enum16,
        flags8,
        flags32,
        flags64,
        records,
        places,
        blob,
        complement_of,
    ),
)
def message(cls: Any = None, /, *, extensible: bool = False, ends_with_crc32: bool = False) -> Any:
    """Make a class of declared fields a message. An extensible one skips what a later minor version adds at its end."""

    def decorate(declared: type[Any]) -> type[Any]:
        made = dataclass(frozen=True, slots=True, kw_only=True)(declared)
        fields = _fields_of(made)
        codec = construct.Struct(*(field.name / _subcon_of(field, fields) for field in fields))
        setattr(made, _LAYOUT, Layout(fields, codec, extensible, ends_with_crc32))
        setattr(made, _PACKED, None if ends_with_crc32 else packed_codec(made, fields, extensible=extensible))
        return made

    return decorate if cls is None else decorate(cls)


def _subcon_of(field: Field, fields: tuple[Field, ...]) -> construct.Construct[Any, Any]:
    bit, subcon = field.present, field.kind.subcon
    if bit is None:
        return subcon
    flags = next(
        (row.name for row in fields[: fields.index(field)] if row.enum is type(bit) and row.offset is not None), ""
    )
    if not flags:
        raise TypeError(f"{field.name} is present with {bit!r}, and no field before it says whether that is set")
    return construct.If(lambda values: values[flags] & bit, subcon)


def _fields_of(made: Any) -> tuple[Field, ...]:
    fields = []
    offset: int | None = 0
    for declared in dataclasses.fields(made):
        row = Field(name=declared.name, offset=offset, **declared.metadata[_METADATA])
        fields.append(row)
        offset = None if offset is None or row.size is None else offset + row.size
    return tuple(fields)


def layout_of(cls: type[Any]) -> Layout:
    layout: Layout = getattr(cls, _LAYOUT)
    return layout


def table_of(cls: type[Any]) -> tuple[Field, ...]:
    """The fields of a message class, in their order on the wire."""
    return layout_of(cls).fields


def encode(message: object) -> bytes:
    """The bytes of a message; ValueError names field, value and what is allowed."""
    packed: PackedCodec[object] | None = getattr(message, _PACKED)
    image = packed.encode(message) if packed is not None else None
    return encode_by_table(message) if image is None else image


def decode(cls: type[M], payload: bytes) -> M:
    """The message in a payload; anything that the table does not admit is a FormatError."""
    packed: PackedCodec[M] | None = getattr(cls, _PACKED)
    message = packed.decode(payload) if packed is not None else None
    return decode_by_table(cls, payload) if message is None else message


def encode_by_table(message: object) -> bytes:
    """What `encode` gives, field by field."""
    cls = type(message)
    layout = layout_of(cls)
    values: dict[str, Any] = {}
    for field in layout.fields:
        value = getattr(message, field.name)
        try:
            values[field.name] = _to_wire(field, value, message)
        except ValueError as error:
            raise ValueError(f"{cls.__name__}.{field.name} = {value!r}: {error}") from error
    broken = _broken_complement(layout.fields, values)
    if broken is not None:
        name = layout.fields[broken].name
        raise ValueError(f"{cls.__name__}.{name} = {values[name]!r}: allowed is the complement of its value")
    image: bytes = layout.codec.build(values)
    return image + crc32(image).to_bytes(CRC_SIZE, "little") if layout.ends_with_crc32 else image


def _to_wire(field: Field, value: Any, message: object) -> Any:
    if field.present is None:
        return field.kind.to_wire(value)
    flags = next(row.name for row in table_of(type(message)) if row.enum is type(field.present))
    wanted = field.present in getattr(message, flags)
    if wanted is (value is None):
        raise ValueError(f"it is there exactly when {flags} has {field.present.name}")
    return field.kind.to_wire(value) if wanted else None


def granted(answer: object) -> bytes:
    """The payload that answers a request which is granted."""
    return bytes((OK,)) + encode(answer)


def decode_by_table(cls: type[M], payload: bytes) -> M:
    """What `decode` gives, field by field."""
    layout = layout_of(cls)
    size = layout.measure(payload)
    if size < len(payload) and not layout.extensible:
        raise FormatError(NakCode.FORMAT, NO_FIELD, f"{len(payload) - size} bytes behind the last field")
    if layout.ends_with_crc32:
        size -= CRC_SIZE
        if crc32(payload[:size]) != int.from_bytes(payload[size : size + CRC_SIZE], "little"):
            raise FormatError(NakCode.FORMAT, NO_FIELD, "the CRC-32 does not match")
    parsed = layout.codec.parse(payload[:size])
    values: dict[str, Any] = {}
    for index, field in enumerate(layout.fields):
        try:
            value = parsed[field.name]
            absent = field.present is not None and value is None
            values[field.name] = None if absent else field.kind.from_wire(value)
        except ValueError as error:
            raise FormatError(NakCode.FORMAT, index, f"{field.name}: {error}") from error
        except FormatError as error:
            reason = f"{field.name}[{error.element}]: {error.reason}"
            raise FormatError(error.code, index, reason, error.element) from error
    broken = _broken_complement(layout.fields, values)
    if broken is not None:
        reason = f"{layout.fields[broken].name} is not the complement of its value"
        raise FormatError(NakCode.REDUNDANCY_MISMATCH, broken, reason)
    return cls(**values)


def _broken_complement(fields: tuple[Field, ...], values: Mapping[str, Any]) -> int | None:
    for index, field in enumerate(fields):
        if field.complement_of and values[field.name] ^ values[field.complement_of] != 0xFFFFFFFF:
            return index
    return None
