"""Save-states: what is sealed is what is opened, and whatever is foreign or damaged is refused in one sentence."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model import MODEL_VERSION, savestate
from firmware_model.profile import Profile
from firmware_model.savestate import (
    FORMAT_VERSION,
    MAGIC,
    MAX_SAVE_STATE_BYTES,
    SaveState,
    SaveStateError,
    open_sealed,
    profile_digest,
    read_sealed,
    seal,
)
from firmware_model.state import canonical
from firmware_model.state_reading import StateError, restore
from tests.firmware_model.pump_profiles import shipped
from tests.firmware_model.reflected import differences
from tests.firmware_model.state_values import CLASSES, values

REFERENCE = shipped("reference-20")
SERIAL = 0x00C0FFEE
CONTENT = canonical((1, "two", b"three"))
SHA_BYTES = 32
PARAMETERS = [described.name for described in fields(Profile) if described.name not in ("name", "sources")]


def refusal(data: bytes, profile: Profile = REFERENCE) -> str:
    with pytest.raises(SaveStateError) as caught:
        open_sealed(data, profile)
    sentence = str(caught.value)
    assert re.fullmatch(r"[^\n]+\.", sentence)
    return sentence


def resealed(body: bytes) -> bytes:
    """With a good SHA-256, as somebody makes it who means to."""
    return body + hashlib.sha256(body).digest()


@given(values, st.integers(1, 0xFFFF_FFFE))
def test_what_is_sealed_is_what_is_opened(value: object, serial_number: int) -> None:
    opened = open_sealed(seal(canonical(value), REFERENCE, serial_number), REFERENCE)
    assert differences(restore(opened.content, CLASSES), value) == []
    assert opened.serial_number == serial_number
    assert opened == SaveState(
        MODEL_VERSION, serial_number, "reference-20", profile_digest(REFERENCE), canonical(value)
    )


def test_the_envelope_is_what_is_written_down() -> None:
    by_hand = (
        b"\x89VPUMP\r\n"
        + struct.pack(">III", 1, MODEL_VERSION, SERIAL)
        + bytes.fromhex(profile_digest(REFERENCE))
        + b"\x0creference-20"
        + struct.pack(">I", len(CONTENT))
        + CONTENT
    )
    assert seal(CONTENT, REFERENCE, SERIAL) == resealed(by_hand)


def test_every_single_flipped_bit_is_refused() -> None:
    sealed = seal(CONTENT, REFERENCE, SERIAL)
    for at in range(8 * len(sealed)):
        flipped = bytearray(sealed)
        flipped[at // 8] ^= 1 << at % 8
        assert refusal(bytes(flipped))


def test_whatever_is_missing_at_its_end_it_is_refused() -> None:
    sealed = seal(CONTENT, REFERENCE, SERIAL)
    for length in range(len(sealed)):
        said = refusal(sealed[:length])
        assert ("truncated" in said) if length >= len(MAGIC) else (said == "this is no save-state of a pump.")
    assert (
        refusal(sealed[:-1])
        == f"this save-state is truncated: it has {len(sealed) - 1} of at least {len(sealed)} bytes."
    )


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    assert refusal(b"x" + data) == "this is no save-state of a pump."
    assert refusal(data)
    assert "this save-state" in refusal(MAGIC + data)
    assert "this save-state" in refusal(MAGIC + struct.pack(">I", FORMAT_VERSION) + data)


def test_a_transfer_as_text_is_noticed() -> None:
    sealed = seal(CONTENT, REFERENCE, SERIAL)
    for spoilt in (sealed.replace(b"\r\n", b"\n"), bytes(byte & 0x7F for byte in sealed)):
        assert refusal(spoilt) == "this is no save-state of a pump."


def test_what_follows_its_end_is_damage() -> None:
    assert refusal(seal(CONTENT, REFERENCE, SERIAL) + b"\0\0") == "this save-state is damaged: 2 bytes follow its end."


def test_a_changed_content_is_damage() -> None:
    sealed = bytearray(seal(CONTENT, REFERENCE, SERIAL))
    sealed[-SHA_BYTES - 1] ^= 1
    assert refusal(bytes(sealed)) == "this save-state is damaged: its SHA-256 is not that of what it holds."


def test_another_format_version_is_refused_before_anything_else_of_it_is_read() -> None:
    assert refusal(MAGIC + struct.pack(">I", 2)) == "this save-state has format version 2; only 1 is read here."


def test_another_model_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = seal(CONTENT, REFERENCE, SERIAL)
    monkeypatch.setattr(savestate, "MODEL_VERSION", 77)
    assert refusal(sealed) == f"this save-state was made by model version {MODEL_VERSION}; this is model version 77."
    assert read_sealed(sealed).model_version == MODEL_VERSION


def test_another_profile_is_refused() -> None:
    sealed = seal(CONTENT, REFERENCE, SERIAL)
    said = refusal(sealed, shipped("reference-40"))
    assert said == "this save-state is of a pump of profile reference-20; this is profile reference-40."


def test_another_profile_of_the_same_name_is_refused() -> None:
    other = replace(REFERENCE, motor=replace(REFERENCE.motor, journal_interval_steps=5))
    said = refusal(seal(CONTENT, REFERENCE, SERIAL), other)
    assert said == "this save-state is of a pump of profile reference-20 with other parameters than it has here."


def changed(value: object) -> object:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}x"
        case tuple():
            return (*value, *value[:1]) if value else (0,)
    raise TypeError(f"{type(value).__name__} is no parameter that this test knows")


def with_one_change(profile: Profile) -> Iterator[tuple[str, Profile]]:
    """Profiles that differ from this one in one parameter each, by its section."""
    sections: dict[str, Any] = {name: getattr(profile, name) for name in PARAMETERS}
    for name, section in sections.items():
        tables = section if isinstance(section, Mapping) else {"": section}
        for key, table in tables.items():
            for parameter in fields(table):
                other = replace(table, **{parameter.name: changed(getattr(table, parameter.name))})
                put: Any = MappingProxyType({**tables, key: other}) if isinstance(section, Mapping) else other
                yield name, replace(profile, **{name: put})


def test_every_parameter_of_a_profile_counts() -> None:
    told = [(section, profile_digest(other)) for section, other in with_one_change(REFERENCE)]
    assert {section for section, _ in told} == set(PARAMETERS)
    digests = [profile_digest(REFERENCE), *(digest for _, digest in told)]
    assert len(set(digests)) == len(digests) > 100


def test_neither_its_name_nor_its_sources_nor_the_order_of_a_table_changes_its_digest() -> None:
    turned_round = MappingProxyType({kind: REFERENCE.alarm[kind] for kind in reversed(list(REFERENCE.alarm))})
    other = replace(REFERENCE, name="other", sources=MappingProxyType({}), alarm=turned_round)
    assert profile_digest(other) == profile_digest(REFERENCE)


def test_the_largest_save_state_is_read_and_a_larger_one_is_neither_made_nor_read() -> None:
    overhead = len(seal(b"", REFERENCE, SERIAL))
    largest = seal(bytes(MAX_SAVE_STATE_BYTES - overhead), REFERENCE, SERIAL)
    assert len(largest) == MAX_SAVE_STATE_BYTES == 16 * 1024 * 1024
    assert len(open_sealed(largest, REFERENCE).content) == MAX_SAVE_STATE_BYTES - overhead
    with pytest.raises(SaveStateError, match="at most 16,777,216 bytes; this pump's would have more"):
        seal(bytes(MAX_SAVE_STATE_BYTES - overhead + 1), REFERENCE, SERIAL)
    assert refusal(largest + b"\0") == "a save-state has at most 16,777,216 bytes; this has more."


@pytest.mark.parametrize("name", ["", "two\nlines", "x" * 256, "\x1b[2J"])
def test_a_profile_without_a_name_that_can_be_said_has_no_save_states(name: str) -> None:
    with pytest.raises(SaveStateError, match="its name must be printable, at most 255 bytes long"):
        seal(CONTENT, replace(REFERENCE, name=name), SERIAL)


@pytest.mark.parametrize("name", [b"", b"a\nb", b"\x1b[2J", b"a\0"])
def test_nor_is_one_read_that_somebody_has_made(name: bytes) -> None:
    sealed = seal(CONTENT, REFERENCE, SERIAL)[:-SHA_BYTES]
    forged = resealed(sealed.replace(b"\x0creference-20", bytes([len(name)]) + name))
    assert refusal(forged) == "this save-state is damaged: the name of its profile is none."


def test_every_refusal_is_an_error_of_state() -> None:
    """Whoever restores a pump has one kind of error to catch."""
    assert issubclass(SaveStateError, StateError)
