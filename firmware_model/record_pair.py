"""A record that changes as one: two slots, A and B, of which one holds it, and the other is written next.

    head word    generation u32 | length of the body u32
    body         whole words, of which only those that differ are written
    commit word  CRC-32 over head and body u32 | generation, inverted u32; wiped first, written last

A slot is valid when its commit word is. It is wiped before anything else of a slot is written, so that what a cut has
left of a record can never be completed by the words of another one. The valid slot with the higher generation is the
record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

WORD_BYTES: Final = 8
ERASED: Final = 0xFF
_TWO_U32 = struct.Struct("<II")
# As a commit word it would be that of generation FFFFFFFF, which no pump reaches.
_WIPED = bytes(WORD_BYTES)
_NONE: Final = -1


class RecordImage(NamedTuple):
    """A valid record in memory and how many slots of its pair have been lost."""

    body: bytes
    generation: int
    lost_slots: int


class Word(NamedTuple):
    """A word that is to be written at a byte offset of a pair's region."""

    offset: int
    data: bytes


class Plan(NamedTuple):
    """What makes a body the record: first what wipes the slot, then the words that differ, and last the commit word."""

    wipe: list[Word]
    body: list[Word]
    commit: Word


@dataclass(slots=True)
class RecordPair:
    """Two slots for one record, which is the old one or the new one at any time. `body_bytes`: its length."""

    body_bytes: int
    region: bytearray = field(init=False)

    def __post_init__(self) -> None:
        if self.body_bytes % WORD_BYTES:
            raise ValueError(f"record of {self.body_bytes} bytes, expected whole words of {WORD_BYTES}")
        self.region = bytearray([ERASED]) * (2 * self.slot_bytes)

    @property
    def slot_bytes(self) -> int:
        """The length of a slot."""
        return self.body_bytes + 2 * WORD_BYTES

    def read(self) -> RecordImage | None:
        """The newest valid record, or None when neither slot holds one."""
        copies = self.copies()
        if not copies:
            return None
        body, generation = max(copies, key=lambda copy: copy[1])
        # Beside the very first record the other slot has never been written, and none of it is lost.
        unwritten = generation == 0 and bytes([ERASED]) * self.slot_bytes in (self._slot(0), self._slot(1))
        return RecordImage(body, generation, 0 if unwritten else 2 - len(copies))

    def copies(self) -> list[tuple[bytes, int]]:
        """Body and generation of each valid slot."""
        return [copy for copy in (self._read_slot(0), self._read_slot(1)) if copy is not None]

    def lost_slots(self) -> int:
        """How many slots hold no record that once held one; both, when there is no record at all."""
        if len(self.copies()) == 2:
            return 0
        image = self.read()
        return 2 if image is None else image.lost_slots

    def plan(self, body: bytes) -> Plan:
        """What must be written to make a body the record, which it is from the moment that the last of it is written.

        Raises ValueError for a body of another length.
        """
        start, generation = self._next()
        content = self._content(generation, body)
        end = start + len(content) - WORD_BYTES
        stored = self.region[start:end]
        words = [
            Word(start + at, content[at : at + WORD_BYTES])
            for at in range(0, len(stored), WORD_BYTES)
            if stored[at : at + WORD_BYTES] != content[at : at + WORD_BYTES]
        ]
        wiped = self.region[end : end + WORD_BYTES] == _WIPED
        return Plan([] if wiped else [Word(end, _WIPED)], words, Word(end, content[-WORD_BYTES:]))

    def overwrite(self, commits: int, bodies: Sequence[bytes]) -> None:
        """Leave at once what so many commits leave, one after the other: these are their bodies, or the last two.

        Raises ValueError for a body of another length.
        """
        start, generation = self._next()
        other = self.slot_bytes - start
        # Older ones have been overwritten by these.
        for commit, body in zip((commits, commits - 1), reversed(bodies), strict=False):
            at = start if commit % 2 else other
            self.region[at : at + self.slot_bytes] = self._content(generation + commit - 1, body)

    def _next(self) -> tuple[int, int]:
        """Where the slot begins that is written next, and of which generation the record in it will be."""
        generations = [_NONE if copy is None else copy[1] for copy in (self._read_slot(0), self._read_slot(1))]
        return 0 if generations[0] < generations[1] else self.slot_bytes, max(generations) + 1

    def _content(self, generation: int, body: bytes) -> bytes:
        """A whole slot."""
        if len(body) != self.body_bytes:
            raise ValueError(f"record of {len(body)} bytes, expected {self.body_bytes}")
        content = _TWO_U32.pack(generation, len(body)) + body
        return content + _TWO_U32.pack(zlib.crc32(content), generation ^ 0xFFFFFFFF)

    def _slot(self, slot: int) -> bytes:
        return bytes(self.region[slot * self.slot_bytes : (slot + 1) * self.slot_bytes])

    def _read_slot(self, slot: int) -> tuple[bytes, int] | None:
        stored = self._slot(slot)
        content = stored[:-WORD_BYTES]
        generation, length = _TWO_U32.unpack_from(content)
        crc, inverted = _TWO_U32.unpack_from(stored, len(content))
        if length != self.body_bytes or inverted != generation ^ 0xFFFFFFFF or crc != zlib.crc32(content):
            return None
        return content[WORD_BYTES:], generation
