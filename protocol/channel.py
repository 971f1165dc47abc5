"""The sealed channel of a session: AES-CCM under one key per direction, and counters that only rise.

Rules of this file:

- The nonce is salt | BE40(direction << 39 | counter). The direction comes from who seals or opens, never from a frame.
- The twelve bytes of the header are authenticated beside the payload.
- A counter not above the last accepted one is refused before any cryptography; nothing moves before a tag verifies.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from protocol.frame import NO_FLAGS, SECURED_OF, Flag, Frame, pack_header, parse_body

TAG_SIZE: Final = 8
COUNTER_SIZE: Final = 5
# The top bit of the 40 says the direction, and a counter of 39 bits never wraps: at its end the session ends.
COUNTER_MAX: Final = (1 << 39) - 1


class Direction(enum.IntEnum):
    """Which way a frame goes, as the nonce has it."""

    HOST_TO_PUMP = 0
    PUMP_TO_HOST = 1


class TagWrong(Exception):
    """The tag does not verify: another key, or another frame than the one that was sealed."""


class CounterOld(Exception):
    """The counter is not above the last one that was accepted: a copy of an earlier frame."""


class CounterExhausted(Exception):
    """This direction has sealed its last frame."""


@dataclass(frozen=True, slots=True, repr=False)
class SessionKeys:
    """The keys of one session: 16 bytes for each direction, and 8 of salt. They never appear in a text."""

    host_to_pump: bytes
    pump_to_host: bytes
    salt: bytes

    def __repr__(self) -> str:
        return "SessionKeys(…)"


class Sealer:
    """Seals the frames of one direction, counting from 1."""

    def __init__(self, keys: SessionKeys, direction: Direction) -> None:
        self._cipher = cipher_of(_key_of(keys, direction))
        self._salt = keys.salt
        self._direction = direction
        self.counter = 0

    @property
    def exhausted(self) -> bool:
        return self.counter >= COUNTER_MAX

    def seal(
        self, *, opcode: int, txn: int, address: int, session_id: int, payload: bytes, flags: Flag = NO_FLAGS
    ) -> Frame:
        """The secured frame of a payload in the clear; raises CounterExhausted."""
        return parse_body(
            self.seal_body(opcode=opcode, txn=txn, address=address, session_id=session_id, payload=payload, flags=flags)
        )

    def seal_body(
        self, *, opcode: int, txn: int, address: int, session_id: int, payload: bytes, flags: Flag = NO_FLAGS
    ) -> bytes:
        """The same, as it goes on the wire."""
        if self.counter >= COUNTER_MAX:
            raise CounterExhausted
        self.counter += 1
        header = pack_header(SECURED_OF[flags], txn, opcode, address, session_id, len(payload))
        sealed = self._cipher.encrypt(nonce_of(self._salt, self._direction, self.counter), payload, header)
        counter = self.counter.to_bytes(COUNTER_SIZE, "little")
        return b"".join((header, sealed[:-TAG_SIZE], counter, sealed[-TAG_SIZE:]))


class Opener:
    """Opens the frames of one direction."""

    def __init__(self, keys: SessionKeys, direction: Direction) -> None:
        self._cipher = cipher_of(_key_of(keys, direction))
        self._salt = keys.salt
        self._direction = direction
        self.last = 0

    def open(self, frame: Frame) -> bytes:
        """The payload in the clear, its counter now the last; raises CounterOld or TagWrong, and nothing moves."""
        counter = counter_of(frame)
        if counter <= self.last:
            raise CounterOld
        payload = self.look(frame)
        self.last = counter
        return payload

    def look(self, frame: Frame) -> bytes:
        """The payload in the clear, whatever its counter, and without a trace; raises TagWrong."""
        counter = counter_of(frame)
        if not 0 < counter <= COUNTER_MAX:
            raise TagWrong
        nonce = nonce_of(self._salt, self._direction, counter)
        try:
            return self._cipher.decrypt(nonce, frame.payload + frame.sealed[COUNTER_SIZE:], frame.header())
        except InvalidTag:
            raise TagWrong from None

    def recounted(self, frame: Frame, by: int) -> Frame:
        """The same frame, sealed with the counter that is `by` above the one before its own, within what there is.

        For who tests how an end bears it: two frames may then share a nonce. Raises TagWrong.
        """
        payload = self.look(frame)
        counter = min(max(counter_of(frame) - 1 + by, 0), COUNTER_MAX)
        sealed = self._cipher.encrypt(nonce_of(self._salt, self._direction, counter), payload, frame.header())
        seal = counter.to_bytes(COUNTER_SIZE, "little") + sealed[-TAG_SIZE:]
        return replace(frame, payload=sealed[:-TAG_SIZE], sealed=seal)


def turned_tag(frame: Frame) -> Frame:
    """The same frame, with a tag that is wrong by one bit."""
    return replace(frame, sealed=frame.sealed[:-1] + bytes([frame.sealed[-1] ^ 1]))


def counter_of(frame: Frame) -> int:
    """The counter of a secured frame, as its sender says it."""
    return int.from_bytes(frame.sealed[:COUNTER_SIZE], "little")


def cipher_of(key: bytes) -> AESCCM:
    """The cipher of one direction, as every frame is sealed with it."""
    return AESCCM(key, tag_length=TAG_SIZE)


def nonce_of(salt: bytes, direction: Direction, counter: int) -> bytes:
    """The 13 bytes that no two frames of a session share."""
    return salt + (direction << 39 | counter).to_bytes(COUNTER_SIZE, "big")


def _key_of(keys: SessionKeys, direction: Direction) -> bytes:
    return keys.host_to_pump if direction is Direction.HOST_TO_PUMP else keys.pump_to_host
