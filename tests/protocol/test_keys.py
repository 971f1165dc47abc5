"""Everything that is derived from a role's key hangs on every part of what it is derived from."""

import hashlib
import struct
from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import keys
from protocol.channel import SessionKeys
from protocol.export.examples import ADDRESS, HANDSHAKE, ROLE_KEY
from protocol.keys import Constant, Handshake, RoleKeys, derive
from protocol.messages.codes import OpenFlag, Role
from tests.protocol.naive_cmac import naive_cmac

KEYS = st.binary(min_size=16, max_size=16)
CHALLENGES = st.binary(min_size=8, max_size=8)
U32 = st.integers(0, 0xFFFF_FFFF)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "role": st.sampled_from(Role),
    "flags": st.sampled_from([0, int(OpenFlag.TAKEOVER)]),
    "serial_number": U32,
    "host_id": U32,
    "host_challenge": CHALLENGES,
    "device_challenge": CHALLENGES,
    "hello_hash": st.binary(min_size=16, max_size=16),
}
HANDSHAKES = st.builds(Handshake, **PARTS)


def derived(role_key: bytes, handshake: Handshake) -> dict[str, bytes]:
    """Every value that both ends derive from a handshake."""
    session = keys.session_keys(role_key, handshake)
    return {
        "device cryptogram": keys.device_cryptogram(role_key, handshake),
        "host cryptogram": keys.host_cryptogram(role_key, handshake),
        "host to pump": session.host_to_pump,
        "pump to host": session.pump_to_host,
        "salt": session.salt,
    }


@given(KEYS, st.sampled_from(Constant), st.binary(max_size=60), st.integers(1, 80))
def test_a_derivation_is_the_cmac_of_bytes_that_are_laid_out_by_hand(
    key: bytes, constant: Constant, context: bytes, size: int
) -> None:
    blocks = [
        naive_cmac(key, bytes(11) + bytes([constant]) + b"\x00" + struct.pack(">HB", size * 8, count) + context)
        for count in range(1, 6)
    ]
    assert derive(key, constant, context, size) == b"".join(blocks)[:size]


@given(KEYS, HANDSHAKES)
def test_each_value_has_its_own_constant_and_the_context_of_the_specification(key: bytes, handshake: Handshake) -> None:
    context = (
        bytes([handshake.role, handshake.flags])
        + struct.pack("<II", handshake.serial_number, handshake.host_id)
        + handshake.host_challenge
        + handshake.device_challenge
        + handshake.hello_hash
    )
    assert len(context) == 42

    def value(constant: int, size: int) -> bytes:
        label = bytes(11) + bytes([constant, 0])
        return naive_cmac(key, label + struct.pack(">HB", size * 8, 1) + context)[:size]

    assert derived(key, handshake) == {
        "device cryptogram": value(0x00, 8),
        "host cryptogram": value(0x01, 8),
        "host to pump": value(0x04, 16),
        "pump to host": value(0x06, 16),
        "salt": value(0x07, 8),
    }


def test_the_parts_are_those_of_a_handshake() -> None:
    assert list(PARTS) == [field.name for field in fields(Handshake)]


@given(KEYS, HANDSHAKES, st.sampled_from(sorted(PARTS)), st.data())
def test_a_change_of_any_one_part_changes_every_derived_value(
    key: bytes, handshake: Handshake, part: str, drawn: st.DataObject
) -> None:
    before = getattr(handshake, part)
    changed = replace(handshake, **{part: drawn.draw(PARTS[part].filter(lambda value: value != before))})
    ours, theirs = derived(key, handshake), derived(key, changed)
    assert [name for name in ours if ours[name] == theirs[name]] == []


@given(KEYS, KEYS, HANDSHAKES)
def test_another_key_of_the_role_gives_other_values(key: bytes, other: bytes, handshake: Handshake) -> None:
    ours, theirs = derived(key, handshake), derived(other, handshake)
    assert [name for name in ours if ours[name] == theirs[name]] == ([] if key != other else list(ours))


@given(KEYS, HANDSHAKES)
def test_no_two_values_of_one_handshake_begin_alike(key: bytes, handshake: Handshake) -> None:
    # A cryptogram goes over the line in the clear: it may say nothing of a key.
    for left, right in combinations(derived(key, handshake).values(), 2):
        assert left[:8] != right[:8]


def test_sizes_are_those_of_the_messages_and_the_cipher() -> None:
    sizes = {name: len(value) for name, value in derived(ROLE_KEY, HANDSHAKE).items()}
    assert sizes == {
        "device cryptogram": 8,
        "host cryptogram": 8,
        "host to pump": 16,
        "pump to host": 16,
        "salt": 8,
    }
    assert len(keys.device_challenge(ROLE_KEY, 1, ADDRESS)) == 8


@given(KEYS, st.integers(0, 2**64 - 1), U32)
def test_a_device_challenge_comes_from_the_counter_and_the_serial_number(key: bytes, counter: int, serial: int) -> None:
    challenge = keys.device_challenge(key, counter, serial)
    label = bytes(11) + b"\x02\x00\x00\x40\x01"
    assert challenge == naive_cmac(key, label + struct.pack("<QI", counter, serial))[:8]
    assert challenge != keys.device_challenge(key, counter ^ 1, serial)
    assert challenge != keys.device_challenge(key, counter, serial ^ 1)


def test_the_hash_of_hello_is_the_first_half_of_its_sha_256() -> None:
    assert keys.hello_hash(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223"
    assert keys.hello_hash(b"abc") == hashlib.sha256(b"abc").digest()[:16]


@given(U32, U32)
def test_test_keys_differ_between_roles_and_between_pumps(serial: int, other: int) -> None:
    pumps = {number: keys.test_keys(number) for number in (serial, other)}
    all_keys = [key for role_keys in pumps.values() for key in role_keys.of_role.values()]
    assert len(set(all_keys)) == len(all_keys) == 3 * len(pumps)
    assert all(list(role_keys.of_role) == list(Role) for role_keys in pumps.values())


def test_test_keys_can_be_worked_out_by_anybody() -> None:
    label = bytes(11) + b"\x10\x00\x00\x80\x01"
    for role in Role:
        message = label + bytes.fromhex("eeffc000") + bytes([role])
        assert keys.test_keys(ADDRESS).get(role) == naive_cmac(b"vpump TEST KEYS!", message)


def test_a_programmer_may_hold_fewer_keys_than_the_pump() -> None:
    held = RoleKeys({Role.PATIENT: bytes(range(16))})
    assert held.get(Role.PATIENT) == bytes(range(16))
    assert held.get(Role.CLINICIAN) is None


@pytest.mark.parametrize("length", [0, 1, 15, 17, 24, 32])
def test_a_key_of_the_wrong_length_is_refused_with_its_length_and_without_itself(length: int) -> None:
    wrong = bytes(range(0xA0, 0xA0 + length))
    with pytest.raises(ValueError, match=f"^the key of PATIENT has {length} bytes, not 16$"):
        RoleKeys({Role.CLINICIAN: bytes(16), Role.PATIENT: wrong})


def test_no_text_of_keys_or_handshake_tells_a_key() -> None:
    role_keys = RoleKeys(dict.fromkeys(Role, ROLE_KEY))
    session = keys.session_keys(ROLE_KEY, HANDSHAKE)
    secrets = (ROLE_KEY, session.host_to_pump, session.pump_to_host, session.salt)
    holders: tuple[RoleKeys | SessionKeys | Handshake, ...] = (role_keys, session, HANDSHAKE)
    for holder in holders:
        for text in (repr(holder), str(holder), f"{holder}", f"{[holder]}"):
            assert not any(form in text for secret in secrets for form in forms_of(secret))
    assert not any(secret in HANDSHAKE.context() for secret in secrets)
    assert repr(role_keys) == "RoleKeys(READER, PATIENT, CLINICIAN)"


def forms_of(secret: bytes) -> tuple[str, ...]:
    """The forms in which a text could hold some bytes."""
    return (
        secret.hex(),
        secret.hex().upper(),
        secret.hex(" "),
        repr(secret)[2:-1],
        str(list(secret)),
        secret.decode("latin-1"),
    )
