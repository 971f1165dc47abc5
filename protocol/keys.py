"""The keys of a pump's roles, and everything that is derived from them: challenges, cryptograms, a session's keys.

The derivation is the one of GlobalPlatform SCP03 (Amendment D): SP 800-108 in counter mode with AES-CMAC, the counter
in the middle of the fixed input `label 12 | 00 | length in bits, BE16 | counter 1 | context`. A label is eleven 00 and
a constant.
"""

from __future__ import annotations

import enum
import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from protocol.channel import SessionKeys
from protocol.messages.codes import Role

KEY_SIZE: Final = 16
CHALLENGE_SIZE: Final = 8
CRYPTOGRAM_SIZE: Final = 8
SALT_SIZE: Final = 8
HELLO_HASH_SIZE: Final = 16
# Published on purpose: a pump whose keys come from it protects nobody, and says TEST KEYS wherever it shows itself.
TEST_KEY_CONSTANT: Final = b"vpump TEST KEYS!"

_CONTEXT: Final = struct.Struct(f"<BBII{CHALLENGE_SIZE}s{CHALLENGE_SIZE}s{HELLO_HASH_SIZE}s")
_LABEL_SIZE: Final = 12
_LENGTH_SIZE: Final = 2


class Constant(enum.IntEnum):
    """What is derived. 00 to 07 as in SCP03; the salt takes a number that SCP03 uses for nothing of the kind."""

    DEVICE_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    DEVICE_CHALLENGE = 0x02
    KEY_HOST_TO_PUMP = 0x04
    KEY_PUMP_TO_HOST = 0x06
    SALT = 0x07
    TEST_KEY = 0x10


@dataclass(frozen=True, slots=True, repr=False)
class RoleKeys:
    """The static keys of one pump, one for each role that is held. A programmer may hold fewer than its pump."""

    of_role: Mapping[Role, bytes]

    def __post_init__(self) -> None:
        for role, key in self.of_role.items():
            if len(key) != KEY_SIZE:
                # The length only: a wrong key is still somebody's key.
                raise ValueError(f"the key of {role.name} has {len(key)} bytes, not {KEY_SIZE}")

    def __repr__(self) -> str:
        return f"RoleKeys({', '.join(role.name for role in self.of_role)})"

    def get(self, role: Role) -> bytes | None:
        return self.of_role.get(role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What both ends know of a session that is being opened; all keys of the session depend on every part of it.

    `hello_hash` is `hello_hash` of HELLO's answer, so that nobody can talk a host down to less than the pump offers.
    """

    role: Role
    flags: int
    serial_number: int
    host_id: int
    host_challenge: bytes
    device_challenge: bytes
    hello_hash: bytes

    def context(self) -> bytes:
        """The 42 bytes that every derivation of this session is bound to."""
        return _CONTEXT.pack(
            self.role,
            self.flags,
            self.serial_number,
            self.host_id,
            self.host_challenge,
            self.device_challenge,
            self.hello_hash,
        )


def counter_mode(key: bytes, before_counter: bytes, after_counter: bytes, size: int) -> bytes:
    """SP 800-108 in counter mode with AES-CMAC, the counter one byte in the middle; `size` in bytes."""
    kdf = KBKDFCMAC(
        AES,
        Mode.CounterMode,
        length=size,
        rlen=1,
        llen=None,
        location=CounterLocation.MiddleFixed,
        label=None,
        context=None,
        fixed=before_counter + after_counter,
        break_location=len(before_counter),
    )
    return kdf.derive(key)


def derive(key: bytes, constant: Constant, context: bytes, size: int) -> bytes:
    """`counter_mode` with its input laid out as in SCP03; `size` in bytes."""
    label = bytes(_LABEL_SIZE - 1) + bytes((constant,))
    return counter_mode(key, label + b"\x00" + (size * 8).to_bytes(_LENGTH_SIZE, "big"), context, size)


def test_keys(serial_number: int) -> RoleKeys:
    """The published keys of a pump that was given none of its own."""
    serial = serial_number.to_bytes(4, "little")
    keys = {
        role: derive(TEST_KEY_CONSTANT, Constant.TEST_KEY, serial + bytes((role,)), KEY_SIZE)
        for role in (Role.READER, Role.PATIENT, Role.CLINICIAN)
    }
    return RoleKeys(MappingProxyType(keys))


def hello_hash(payload: bytes) -> bytes:
    """The first 16 bytes of SHA-256 over the payload of HELLO's answer as it came, without its result byte."""
    return hashlib.sha256(payload).digest()[:HELLO_HASH_SIZE]


def device_challenge(role_key: bytes, session_counter: int, serial_number: int) -> bytes:
    """Unpredictable without the key, and never twice the same under a counter that never repeats."""
    context = session_counter.to_bytes(8, "little") + serial_number.to_bytes(4, "little")
    return derive(role_key, Constant.DEVICE_CHALLENGE, context, CHALLENGE_SIZE)


def device_cryptogram(role_key: bytes, handshake: Handshake) -> bytes:
    """By which the pump shows that it has the key."""
    return derive(role_key, Constant.DEVICE_CRYPTOGRAM, handshake.context(), CRYPTOGRAM_SIZE)


def host_cryptogram(role_key: bytes, handshake: Handshake) -> bytes:
    """By which the host shows that it has the key."""
    return derive(role_key, Constant.HOST_CRYPTOGRAM, handshake.context(), CRYPTOGRAM_SIZE)


def session_keys(role_key: bytes, handshake: Handshake) -> SessionKeys:
    """The keys of the session that this handshake opens."""
    context = handshake.context()
    return SessionKeys(
        host_to_pump=derive(role_key, Constant.KEY_HOST_TO_PUMP, context, KEY_SIZE),
        pump_to_host=derive(role_key, Constant.KEY_PUMP_TO_HOST, context, KEY_SIZE),
        salt=derive(role_key, Constant.SALT, context, SALT_SIZE),
    )
