"""The non-volatile memory: 8-byte words and erasable pages, each write a named point at which power can be cut.

A record that must change as one lies in two slots: see `record_pair.py`. There are two pairs, the control record and
the security record, so that either outlives the other. The ring of log records is kept in pages; a page must be erased
before its first record is written. The step counters are journalled: see `Journal`.

Writes may land late, out of order, wrong or not at all. Nothing is built on one before a `barrier`, which waits for all
of them, reads them back, and does again what has not landed: behind log records, before the record that makes them part
of the log; and behind each commit word, wiped or written.

While nothing is armed that could come between, and nobody counts, writes are done in bulk; they leave the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, NoReturn

from firmware_model.record_pair import ERASED, RecordPair
from firmware_model.record_pair import WORD_BYTES as WORD_BYTES
from firmware_model.state import DERIVED
from firmware_model.write_faults import ArmedWriteFault, Place, Region

MOST_REPEATS = 3
"""How often a write that has not landed is done again, before memory is taken to have failed. Chosen."""


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


class MemoryFailed(Exception):
    """A write has not landed however often it was done again. Raised by a barrier; nothing behind it is looked at."""

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

    programmed_steps  lifetime steps of the programmed infusion
    stalled_pulses    lifetime pulses while a stall was known
    """

    steps_total: int = 0
    bolus_steps: int = 0
    elapsed_us: int = 0
    programmed_steps: int = 0
    stalled_pulses: int = 0


class Write(NamedTuple):
    """One primitive that is to be done: these bytes, at this byte offset of a region."""

    region: Region
    offset: int
    data: bytes
    point: WritePoint

    @property
    def place(self) -> Place:
        return Place(self.region, self.offset, self.offset + len(self.data))


class _Points(NamedTuple):
    """How the writes of a record are named."""

    region: Region
    wipe: WritePoint
    body: WritePoint
    commit: WritePoint


_CONTROL = _Points(Region.CONTROL, WritePoint.CONTROL_WIPE, WritePoint.CONTROL_BODY, WritePoint.CONTROL_COMMIT)
_SECURITY = _Points(Region.SECURITY, WritePoint.SECURITY_WIPE, WritePoint.SECURITY_BODY, WritePoint.SECURITY_COMMIT)


@dataclass(slots=True)
class Memory:
    """The memory of one pump: two records of so many bytes, and the ring of the log.

    watched     primitives are counted, and so done one by one, although nothing is armed
    primitives  those that were done one by one: while it is watched, or a cut or a fault is armed
    repairs     those of them by which a barrier did a write again
    """

    control_bytes: int
    security_bytes: int
    log_pages: int
    log_page_bytes: int
    control: RecordPair = field(init=False)
    security: RecordPair = field(init=False)
    log: bytearray = field(init=False)
    journal: Journal = field(default_factory=Journal)
    armed_cut: ArmedCut | None = None
    armed_fault: ArmedWriteFault | None = None
    watched: bool = False
    primitives: int = 0
    repairs: int = 0
    # What was written word by word since the last barrier: nothing while the firmware rests, for commits end with one.
    _unproved: list[Write] = field(default_factory=list, init=False, metadata=DERIVED, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.control = RecordPair(self.control_bytes)
        self.security = RecordPair(self.security_bytes)
        self.log = bytearray([ERASED]) * (self.log_pages * self.log_page_bytes)

    @property
    def unwatched(self) -> bool:
        """Whether nothing can come between two writes, and nobody counts them: then they may be done in bulk."""
        return self.armed_cut is None and self.armed_fault is None and not self._unproved and not self.watched

    def commit(self, pair: RecordPair, body: bytes) -> None:
        """Make a body the record of a pair, and wait until it is.

        Raises ValueError for a body of another length; PowerLost when an armed cut comes within; and MemoryFailed when
        a write does not land, and then the record is still the old one.
        """
        if self.unwatched:
            pair.overwrite(1, (body,))
            return
        points = _CONTROL if pair is self.control else _SECURITY
        plan = pair.plan(body)
        for word in plan.wipe:
            self._write(Write(points.region, *word, points.wipe))
        self.barrier()
        for word in plan.body:
            self._write(Write(points.region, *word, points.body))
        self._write(Write(points.region, *plan.commit, points.commit))
        self.barrier()

    def write_log(self, offset: int, record: bytes) -> None:
        """Write a log record, word by word, at a byte offset of the ring."""
        if self.unwatched:
            self.log[offset : offset + len(record)] = record
            return
        for at in range(0, len(record), WORD_BYTES):
            self._write(Write(Region.LOG, offset + at, record[at : at + WORD_BYTES], WritePoint.LOG_RECORD))

    def erase_log_page(self, page: int) -> None:
        """Erase one page of the ring."""
        start, blank = page * self.log_page_bytes, bytes([ERASED]) * self.log_page_bytes
        if self.unwatched:
            self.log[start : start + self.log_page_bytes] = blank
            return
        self._write(Write(Region.LOG, start, blank, WritePoint.LOG_ERASE))

    def read_log(self, offset: int, length: int) -> bytes:
        """Bytes of the ring."""
        return bytes(self.log[offset : offset + length])

    def check(self, pair: RecordPair) -> int:
        """How many slots of a pair are lost: with one the record is still there, with both it is not."""
        return pair.lost_slots()

    def bits(self, region: Region) -> int:
        """How many bits a region has."""
        return 8 * len(self._stored(region))

    def flip_bit(self, region: Region, bit: int) -> None:
        """Turn a stored bit over, the lowest one of the first byte being bit 0. Raises ValueError for one beyond."""
        stored = self._stored(region)
        if not 0 <= bit < 8 * len(stored):
            raise ValueError(f"bit {bit} of the {region.value} memory, which has {8 * len(stored)}")
        stored[bit // 8] ^= 1 << bit % 8

    def barrier(self) -> None:
        """Wait for every write so far, read it back, and do again what has not landed as it should.

        With a write missing for which an armed cut has come, the power goes here at the latest.
        """
        self._wait()
        if self._unproved:
            self._prove()

    def _wait(self) -> None:
        if self.armed_cut is not None and self.armed_cut.missing is not None:
            self._lose_power(self.armed_cut.missing)

    def _prove(self) -> None:
        """Read back what was written since the last barrier, in that order: a page before the words written into it."""
        writes, self._unproved = self._unproved, []
        for write, words in zip(writes, _words_that_last(writes), strict=True):
            repeats = 0
            while not self._holds(write, words):
                if repeats == MOST_REPEATS:
                    raise MemoryFailed(write.point)
                repeats += 1
                self.repairs += 1
                self._do(write)
                self._wait()

    def _holds(self, write: Write, words: Sequence[int]) -> bool:
        stored = self._stored(write.region)
        return all(
            stored[write.offset + at : write.offset + at + WORD_BYTES] == write.data[at : at + WORD_BYTES]
            for at in words
        )

    def _stored(self, region: Region) -> bytearray:
        if region is Region.LOG:
            return self.log
        return (self.control if region is Region.CONTROL else self.security).region

    def _write(self, write: Write) -> None:
        """One primitive, which the next barrier reads back."""
        self._unproved.append(write)
        self._do(write)

    def _do(self, write: Write) -> None:
        """One primitive: a word or a page. What a fault that is due lets land, a cut that is due may cut short."""
        self.primitives += 1
        stored = self._stored(write.region)
        place = slice(write.offset, write.offset + len(write.data))
        data, fault, cut = write.data, self.armed_fault, self.armed_cut
        if fault is not None:
            data = fault.landing(write.place, bytes(stored[place]), data)
            if fault.spent:
                self.armed_fault = None
        if cut is None:
            stored[place] = data
        elif cut.missing is not None:
            stored[place] = data
            if cut.mode is CutMode.LATE:
                self._lose_power(cut.missing)
        elif cut.remaining > 1:
            cut.remaining -= 1
            stored[place] = data
        else:
            stored[place] = _LEFT_BY[cut.mode](bytes(stored[place]), data, cut.torn_bytes)
            if cut.mode not in _UNNOTICED:
                self._lose_power(write.point)
            cut.missing = write.point

    def _lose_power(self, point: WritePoint) -> NoReturn:
        self.armed_cut = None
        self._unproved = []
        raise PowerLost(point)


def _words_that_last(writes: Sequence[Write]) -> list[list[int]]:
    """For each write the offsets in it of the words that no later one writes again."""
    later: set[tuple[Region, int]] = set()
    lasting = []
    for write in reversed(writes):
        offsets = range(0, len(write.data), WORD_BYTES)
        lasting.append([at for at in offsets if (write.region, write.offset + at) not in later])
        later |= {(write.region, write.offset + at) for at in offsets}
    return lasting[::-1]


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
