"""The non-volatile memory: 8-byte words and erasable pages, each write a named point at which power can be cut.

Control records live in two slots, A and B:

    head word    generation u32 | length of the body u32
    body         whole words, of which only those that differ are written
    commit word  CRC-32 over head and body u32 | generation, inverted u32; written last

A slot is valid when its commit word is. The valid slot with the higher generation is the record; the other one is
written next. The ring of log records is kept in pages; a page must be erased before its first record is written.

The step counters are journalled: see `Journal`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from enum import Enum

from firmware_model.quantities import ceil_div

WORD_BYTES = 8
ERASED = 0xFF
_HEAD = struct.Struct("<II")
_COMMIT = struct.Struct("<II")


class WritePoint(Enum):
    """The name of a write: where in the firmware's work it stands."""

    LOG_RECORD = "log.record"
    LOG_ERASE = "log.erase"
    CONTROL_BODY = "control.body"
    CONTROL_COMMIT = "control.commit"


class CutMode(Enum):
    """Where a power cut comes, seen from the primitive at which it is armed."""

    BEFORE = "before"
    AFTER = "after"
    TORN = "torn"


class PowerLost(Exception):
    """Power went away at a primitive. Raised by the memory, caught at the pump's outermost door only."""

    def __init__(self, point: WritePoint) -> None:
        super().__init__(point.value)
        self.point = point


@dataclass(slots=True)
class ArmedCut:
    """A power cut that waits for its primitive: `remaining` 1 is the next one."""

    remaining: int
    mode: CutMode
    torn_bytes: int


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
class ControlImage:
    """The valid control record in memory and how many of the two slots were good."""

    body: bytes
    generation: int
    good_slots: int


@dataclass(slots=True)
class Memory:
    """The memory of one pump. `control_bytes` is the length of a control record's body."""

    control_bytes: int
    log_pages: int
    log_page_bytes: int
    control: bytearray = field(init=False)
    log: bytearray = field(init=False)
    journal: Journal = field(default_factory=Journal)
    armed_cut: ArmedCut | None = None
    primitives: int = 0

    def __post_init__(self) -> None:
        self.control = bytearray([ERASED]) * (2 * self.slot_bytes)
        self.log = bytearray([ERASED]) * (self.log_pages * self.log_page_bytes)

    @property
    def body_words(self) -> int:
        return ceil_div(self.control_bytes, WORD_BYTES)

    @property
    def slot_bytes(self) -> int:
        return (self.body_words + 2) * WORD_BYTES

    def read_control(self) -> ControlImage | None:
        """The newest valid control record, or None when neither slot holds one."""
        images = [image for image in (self._read_slot(0), self._read_slot(1)) if image is not None]
        if not images:
            return None
        body, generation = max(images, key=lambda image: image[1])
        return ControlImage(body, generation, len(images))

    def commit_control(self, body: bytes) -> int:
        """Write `body` as the next control record; it is the record from the moment its commit word is written.

        Returns its generation. Raises PowerLost when an armed cut comes within.
        """
        if len(body) != self.control_bytes:
            raise ValueError(f"control record of {len(body)} bytes, expected {self.control_bytes}")
        slots = (self._read_slot(0), self._read_slot(1))
        generations = [-1 if slot is None else slot[1] for slot in slots]
        target = 0 if generations[0] < generations[1] else 1
        generation = max(generations) + 1
        padded = body.ljust(self.body_words * WORD_BYTES, b"\0")
        content = _HEAD.pack(generation, len(body)) + padded
        start = target * self.slot_bytes
        for offset in range(0, len(content), WORD_BYTES):
            word = content[offset : offset + WORD_BYTES]
            if self.control[start + offset : start + offset + WORD_BYTES] != word:
                self._write(self.control, start + offset, word, WritePoint.CONTROL_BODY)
        commit = _COMMIT.pack(zlib.crc32(content), generation ^ 0xFFFFFFFF)
        self._write(self.control, start + len(content), commit, WritePoint.CONTROL_COMMIT)
        return generation

    def write_log(self, offset: int, record: bytes) -> None:
        """Write a log record, word by word, at a byte offset of the ring."""
        for start in range(0, len(record), WORD_BYTES):
            self._write(self.log, offset + start, record[start : start + WORD_BYTES], WritePoint.LOG_RECORD)

    def erase_log_page(self, page: int) -> None:
        """Erase one page of the ring."""
        blank = bytes([ERASED]) * self.log_page_bytes
        self._write(self.log, page * self.log_page_bytes, blank, WritePoint.LOG_ERASE)

    def read_log(self, offset: int, length: int) -> bytes:
        """Bytes of the ring."""
        return bytes(self.log[offset : offset + length])

    def _read_slot(self, slot: int) -> tuple[bytes, int] | None:
        start = slot * self.slot_bytes
        content = self.control[start : start + self.slot_bytes - WORD_BYTES]
        generation, length = _HEAD.unpack_from(content)
        crc, inverted = _COMMIT.unpack_from(self.control, start + len(content))
        if length != self.control_bytes or inverted != generation ^ 0xFFFFFFFF or crc != zlib.crc32(content):
            return None
        return bytes(content[WORD_BYTES : WORD_BYTES + length]), generation

    def _write(self, region: bytearray, offset: int, data: bytes, point: WritePoint) -> None:
        """One primitive: a word or a page. An armed cut that is due leaves what its mode says and raises."""
        self.primitives += 1
        written = len(data)
        cut = self.armed_cut
        if cut is not None:
            cut.remaining -= 1
            if cut.remaining == 0:
                written = {CutMode.BEFORE: 0, CutMode.AFTER: len(data), CutMode.TORN: cut.torn_bytes}[cut.mode]
        region[offset : offset + written] = data[:written]
        if cut is not None and cut.remaining == 0:
            self.armed_cut = None
            raise PowerLost(point)
