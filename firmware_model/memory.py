"""The non-volatile memory: 8-byte words and erasable pages, each write a named point at which power can be cut.

A record that must change as one lies in two slots, A and B (`RecordPair`):

    head word    generation u32 | length of the body u32
    body         whole words, of which only those that differ are written
    commit word  CRC-32 over head and body u32 | generation, inverted u32; wiped first, written last

A slot is valid when its commit word is. It is wiped before anything else of a slot is written, so that what a cut has
left of a record can never be completed by the words of another one. The valid slot with the higher generation is the
record; the other one is written next. There are two pairs, the control record and the security record, so that either
outlives the other.

The ring of log records is kept in pages; a page must be erased before its first record is written. The step counters
are journalled: see `Journal`.

Writes may land late and out of order. Nothing is built on one before a `barrier`, which waits for all of them and reads
them back: behind log records, before the record that makes them part of the log; and behind each commit word, wiped or
written.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import NoReturn

from firmware_model.quantities import ceil_div

WORD_BYTES = 8
ERASED = 0xFF
_HEAD = struct.Struct("<II")
_COMMIT = struct.Struct("<II")
# As a commit word it would be that of generation FFFFFFFF, which no pump reaches.
_WIPED = bytes(WORD_BYTES)


class WritePoint(Enum):
    """The name of a write: where in the firmware's work it stands."""

    LOG_RECORD = "log.record"
    LOG_ERASE = "log.erase"
    CONTROL_WIPE = "control.wipe"
    CONTROL_BODY = "control.body"
    CONTROL_COMMIT = "control.commit"
    SECURITY_WIPE = "security.wipe"
    SECURITY_BODY = "security.body"
    SECURITY_COMMIT = "security.commit"


class CutMode(Enum):
    """What becomes of the write at which a power cut is armed, and when the power goes.

    BEFORE   none of it is written; the power goes at once
    AFTER    all of it is written; the power goes at once
    TORN     its first bytes are written; the power goes at once
    GARBAGE  its first bytes are neither what stood there nor what was to stand there; the power goes at once
    IGNORED  none of it is written, those behind it are; the power goes at the next barrier
    LATE     it is held back until the next write has landed; then the power goes, and it is lost. A barrier waits for
             it, so the power goes there if no other write comes first
    """

    BEFORE = "before"
    AFTER = "after"
    TORN = "torn"
    GARBAGE = "garbage"
    IGNORED = "ignored"
    LATE = "late"


class PowerLost(Exception):
    """Power went away at a primitive. Raised by the memory, caught at the pump's outermost door only."""

    def __init__(self, point: WritePoint) -> None:
        super().__init__(point.value)
        self.point = point


@dataclass(slots=True)
class ArmedCut:
    """A power cut that waits for its primitive: `remaining` 1 is the next one.

    `torn_bytes` is how many bytes are written, or become garbage; a write that has fewer has all of them. `missing` is
    the write point of the armed write once it has come and not landed, while the power is still there.
    """

    remaining: int
    mode: CutMode
    torn_bytes: int
    missing: WritePoint | None = None


@dataclass(slots=True)
class Journal:
    """What the memory holds of quantities that change with every step: counts rounded down to whole intervals.

    Written whenever an interval is complete. Its content follows from the counts, so it is worked out when the power
    goes, not written step by step.
    """

    steps_total: int = 0
    bolus_steps: int = 0
    elapsed_us: int = 0


@dataclass(frozen=True, slots=True)
class RecordImage:
    """A valid record in memory and how many slots of its pair have been lost."""

    body: bytes
    generation: int
    lost_slots: int


@dataclass(frozen=True, slots=True)
class Write:
    """One primitive that is to be done: these bytes, at this place of a region."""

    offset: int
    data: bytes
    point: WritePoint


@dataclass(slots=True)
class RecordPair:
    """Two slots for one record, which is the old one or the new one at any time. `body_bytes` is its length."""

    body_bytes: int
    wipe_point: WritePoint
    body_point: WritePoint
    commit_point: WritePoint
    region: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.region = bytearray([ERASED]) * (2 * self.slot_bytes)

    @property
    def body_words(self) -> int:
        return ceil_div(self.body_bytes, WORD_BYTES)

    @property
    def slot_bytes(self) -> int:
        return (self.body_words + 2) * WORD_BYTES

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

    def writes(self, body: bytes) -> tuple[list[Write], list[Write]]:
        """What must be written to make `body` the record: first what wipes the slot, then, behind a barrier, the rest.

        It is the record from the moment the last of it is written.
        """
        if len(body) != self.body_bytes:
            raise ValueError(f"record of {len(body)} bytes, expected {self.body_bytes}")
        slots = (self._read_slot(0), self._read_slot(1))
        generations = [-1 if slot is None else slot[1] for slot in slots]
        start = 0 if generations[0] < generations[1] else self.slot_bytes
        generation = max(generations) + 1
        content = _HEAD.pack(generation, len(body)) + body.ljust(self.body_words * WORD_BYTES, b"\0")
        end = start + len(content)
        wiped = self.region[end : end + WORD_BYTES] == _WIPED
        commit = _COMMIT.pack(zlib.crc32(content), generation ^ 0xFFFFFFFF)
        words = [
            Write(start + offset, content[offset : offset + WORD_BYTES], self.body_point)
            for offset in range(0, len(content), WORD_BYTES)
            if self.region[start + offset : start + offset + WORD_BYTES] != content[offset : offset + WORD_BYTES]
        ]
        return [] if wiped else [Write(end, _WIPED, self.wipe_point)], [*words, Write(end, commit, self.commit_point)]

    def _slot(self, slot: int) -> bytes:
        return bytes(self.region[slot * self.slot_bytes : (slot + 1) * self.slot_bytes])

    def _read_slot(self, slot: int) -> tuple[bytes, int] | None:
        stored = self._slot(slot)
        content = stored[:-WORD_BYTES]
        generation, length = _HEAD.unpack_from(content)
        crc, inverted = _COMMIT.unpack_from(stored, len(content))
        if length != self.body_bytes or inverted != generation ^ 0xFFFFFFFF or crc != zlib.crc32(content):
            return None
        return content[WORD_BYTES : WORD_BYTES + length], generation


@dataclass(slots=True)
class Memory:
    """The memory of one pump: two records of so many bytes, and the ring of the log."""

    control_bytes: int
    security_bytes: int
    log_pages: int
    log_page_bytes: int
    control: RecordPair = field(init=False)
    security: RecordPair = field(init=False)
    log: bytearray = field(init=False)
    journal: Journal = field(default_factory=Journal)
    armed_cut: ArmedCut | None = None
    primitives: int = 0

    def __post_init__(self) -> None:
        self.control = RecordPair(
            self.control_bytes, WritePoint.CONTROL_WIPE, WritePoint.CONTROL_BODY, WritePoint.CONTROL_COMMIT
        )
        self.security = RecordPair(
            self.security_bytes, WritePoint.SECURITY_WIPE, WritePoint.SECURITY_BODY, WritePoint.SECURITY_COMMIT
        )
        self.log = bytearray([ERASED]) * (self.log_pages * self.log_page_bytes)

    def commit(self, pair: RecordPair, body: bytes) -> None:
        """Make `body` the record of a pair, and wait until it is. Raises PowerLost when an armed cut comes within."""
        for writes in pair.writes(body):
            for write in writes:
                self._write(pair.region, write)
            self.barrier()

    def write_log(self, offset: int, record: bytes) -> None:
        """Write a log record, word by word, at a byte offset of the ring."""
        for start in range(0, len(record), WORD_BYTES):
            self._write(self.log, Write(offset + start, record[start : start + WORD_BYTES], WritePoint.LOG_RECORD))

    def erase_log_page(self, page: int) -> None:
        """Erase one page of the ring."""
        blank = bytes([ERASED]) * self.log_page_bytes
        self._write(self.log, Write(page * self.log_page_bytes, blank, WritePoint.LOG_ERASE))

    def read_log(self, offset: int, length: int) -> bytes:
        """Bytes of the ring."""
        return bytes(self.log[offset : offset + length])

    def barrier(self) -> None:
        """Wait for every write so far, and read it back. With one of them missing the power goes here at the latest."""
        if self.armed_cut is not None and self.armed_cut.missing is not None:
            self._lose_power(self.armed_cut.missing)

    def _write(self, region: bytearray, write: Write) -> None:
        """One primitive: a word or a page. An armed cut that is due leaves what its mode says."""
        self.primitives += 1
        place = slice(write.offset, write.offset + len(write.data))
        cut = self.armed_cut
        if cut is None:
            region[place] = write.data
        elif cut.missing is not None:
            region[place] = write.data
            if cut.mode is CutMode.LATE:
                self._lose_power(cut.missing)
        elif cut.remaining > 1:
            cut.remaining -= 1
            region[place] = write.data
        else:
            region[place] = _LEFT_BY[cut.mode](bytes(region[place]), write.data, cut.torn_bytes)
            if cut.mode not in _UNNOTICED:
                self._lose_power(write.point)
            cut.missing = write.point

    def _lose_power(self, point: WritePoint) -> NoReturn:
        self.armed_cut = None
        raise PowerLost(point)


def garbage(old: bytes, new: bytes) -> bytes:
    """Bytes of which each is neither the old nor the new one of its place."""
    found = bytearray()
    for place, (before, after) in enumerate(zip(old, new, strict=True)):
        byte = (before + after + 85 * (place + 1)) & 0xFF
        while byte in (before, after):
            byte = (byte + 1) & 0xFF
        found.append(byte)
    return bytes(found)


_LEFT_BY: Mapping[CutMode, Callable[[bytes, bytes, int], bytes]] = MappingProxyType(
    {
        CutMode.BEFORE: lambda old, _new, _torn: old,
        CutMode.AFTER: lambda _old, new, _torn: new,
        CutMode.TORN: lambda old, new, torn: new[:torn] + old[torn:],
        CutMode.GARBAGE: lambda old, new, torn: garbage(old[:torn], new[:torn]) + old[torn:],
        CutMode.IGNORED: lambda old, _new, _torn: old,
        CutMode.LATE: lambda old, _new, _torn: old,
    }
)
"""What the place of the armed write holds after it, from what it held, what was to be written, and `torn_bytes`."""
_UNNOTICED = frozenset({CutMode.IGNORED, CutMode.LATE})
"""The modes in which the power stays on for a while after the armed write."""
