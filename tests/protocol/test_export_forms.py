"""The descriptions for other tools have everything that the tables have, and know no type that they cannot describe."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any

import construct
import pytest

from protocol.export import ksy as ksy_module
from protocol.export import lua as lua_module
from protocol.export.catalogue import CARRIED, Way, all_classes, snake
from protocol.export.ksy import ksy
from protocol.export.lua import lua
from protocol.export.samples import SAMPLES
from protocol.export.spoilt import spoilt
from protocol.export.yaml_text import yaml_text
from protocol.field_types import FieldType
from protocol.fields import FormatError, decode, encode, message, table_of
from protocol.messages.codes import CODE_TABLES
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import OPERATIONS
from protocol.refusals import NakCode

CLASSES = all_classes()
KSY = ksy()
LUA = lua()


class OddType(FieldType):
    """A type that no table has."""

    @property
    def name(self) -> str:
        return "odd"

    @property
    def size(self) -> int:
        return 1

    @property
    def subcon(self) -> construct.Construct[Any, Any]:
        return construct.Int8ul


def ksy_of_field(cls: type[Any]) -> object:
    return [entry for field in table_of(cls) for entry in ksy_module._field(field)]


def lua_of_kind(cls: type[Any]) -> object:
    return [lua_module._kind(field.kind) for field in table_of(cls)]


def test_every_message_of_every_operation_is_carried() -> None:
    carried = {row.cls for row in CARRIED}
    for operation in OPERATIONS:
        assert {operation.request, operation.answer} <= carried
    assert carried | set(DATA_OF.values()) <= set(CLASSES)
    assert len(CLASSES) == len(set(CLASSES)) == len({snake(cls.__name__) for cls in CLASSES})


def test_names_are_written_small() -> None:
    assert snake("BolusPrepareRequest") == "bolus_prepare_request"
    assert snake("OpEntry") == "op_entry"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_samples_read_back_and_spoilt_ones_are_refused_as_they_say(cls: type[Any]) -> None:
    for make in SAMPLES.values():
        sample = make(cls)
        assert decode(cls, encode(sample)) == sample
    for each in spoilt(cls):
        with pytest.raises(FormatError) as caught:
            decode(cls, each.payload)
        error = caught.value
        assert (error.code, error.field, error.element) == (each.code, each.field, each.element), each.what


@pytest.mark.parametrize("row", CARRIED, ids=lambda row: row.name)
def test_both_descriptions_know_every_payload(row: Any) -> None:
    key = row.wire_opcode + {Way.EVENT: 0x10000, Way.REDUCED: 0x20000}.get(row.way, 0)
    name = snake(row.cls.__name__)
    assert f'"0x{key:x}": {name}\n' in KSY
    assert f'[0x{key:02x}] = "{name}",\n' in LUA


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_both_descriptions_have_every_field_in_its_order(cls: type[Any]) -> None:
    names = [field.name for field in table_of(cls)]
    in_ksy = KSY.split(f"\n  {snake(cls.__name__)}:\n")[1].split("\n  _")[0]
    in_lua = LUA.split(f"\n    {snake(cls.__name__)} = {{\n")[1]
    for text, form in ((in_ksy, "- id: {}\n"), (in_lua, 'name = "{}",')):
        places = [text.index(form.format(name)) for name in names]
        assert places == sorted(places)


def test_both_descriptions_know_every_code() -> None:
    for table in CODE_TABLES:
        for code in table.code:
            assert f"{(code.name or '').lower()}\n" in KSY
            assert str(code.name) in LUA or (code.name or "").lower() in LUA
    assert all(f"id: {code.name.lower()}\n" in KSY for code in NakCode)


FLAGS = [table.code for table in CODE_TABLES if issubclass(table.code, enum.IntFlag)]


@pytest.mark.parametrize("code", FLAGS, ids=lambda code: code.__name__)
def test_flags_begin_with_the_least_significant_bit(code: type[enum.IntFlag]) -> None:
    bits = KSY.split(f"\n  {snake(code.__name__)}:\n    seq:\n")[1].split("\n  _")[0]
    names = [flag.name.lower() for flag in sorted(code) if flag.name]
    places = [bits.index(f"- id: {name}\n        type: b1\n") for name in names]
    assert places == sorted(places)
    assert "\n  bit-endian: le\n" in KSY


@pytest.mark.parametrize("describe", [*SAMPLES.values(), ksy_of_field, lua_of_kind])
def test_a_type_that_they_cannot_describe_is_an_error(describe: Callable[[Any], Any]) -> None:
    @message
    class OddMessage:
        odd: int = dataclasses.field(metadata={"vpump": {"kind": OddType(), "unit": "", "meaning": "odd"}})

    with pytest.raises(TypeError, match="OddType"):
        describe(OddMessage)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"id": "plain_word"}, "id: plain_word\n"),
        ({"id": "no"}, 'id: "no"\n'),
        ({"doc": 'a "quoted": text'}, 'doc: "a \\"quoted\\": text"\n'),
        ({"doc": "µ"}, 'doc: "µ"\n'),
        ({"doc": "two\n\nlines"}, "doc: |-\n  two\n\n  lines\n"),
        ({"size": 3, "on": True, "y": 0.11}, 'size: 3\n"on": true\n"y": 0.11\n'),
        ({"seq": []}, "seq: []\n"),
        ({"seq": [{"id": "a", "valid": {"max": 1}}, "b"]}, "seq:\n  - id: a\n    valid:\n      max: 1\n  - b\n"),
        ({51: {"id": "x"}}, "51:\n  id: x\n"),
    ],
)
def test_yaml_is_written_so_that_every_reader_agrees(value: Any, text: str) -> None:
    assert yaml_text(value) == text
