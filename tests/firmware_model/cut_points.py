"""Every power cut that can come into a transaction: at each of its writes, in all modes, with each number of bytes.

What a cut leaves is found on a real pump. Only of torn and garbled writes not every number of bytes is: what the first
k bytes of a write leave is cut together from what none and all of them leave (`test_memory.py` proves that this is
what the modes mean, and `test_power_cuts.py` that it is what they do to a pump).
"""

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple

from firmware_model.memory import CutMode
from firmware_model.record_pair import WORD_BYTES, RecordPair
from firmware_model.state import canonical
from tests.firmware_model.copied import AnyBedside, Snapshot

_WHOLE = 1 << 20
"""More bytes than any write has."""
MOST_WRITES = 1_000
"""More writes than any transaction and any boot may take: chosen, three times what the longest takes."""


class Stored(NamedTuple):
    """The bytes of all regions of a memory."""

    control: bytes
    security: bytes
    log: bytes

    def put_into(self, bedside: AnyBedside) -> None:
        memory = bedside.pump.memory
        memory.control.region[:], memory.security.region[:], memory.log[:] = self


def stored_by(bedside: AnyBedside) -> Stored:
    """What memory holds."""
    memory = bedside.pump.memory
    return Stored(bytes(memory.control.region), bytes(memory.security.region), bytes(memory.log))


class Records(NamedTuple):
    """The bodies of the two records, None for one that is lost."""

    control: bytes | None
    security: bytes | None


def records_of(bedside: AnyBedside) -> Records:
    """The records that memory holds."""
    return records_in(stored_by(bedside))


def records_in(stored: Stored) -> Records:
    """The records that regions of these bytes hold."""
    return Records(_body_in(stored.control), _body_in(stored.security))


def _body_in(region: bytes) -> bytes | None:
    pair = RecordPair(len(region) // 2 - 2 * WORD_BYTES)
    pair.region[:] = region
    image = pair.read()
    return None if image is None else image.body


class Off(NamedTuple, Generic[AnyBedside]):
    """A pump that a cut has left without power.

    pump    its state, but for memory
    stored  what memory holds
    beside  what else a boot may find to be different: journal and plant, encoded
    """

    write: int
    mode: CutMode
    torn_bytes: int
    pump: Snapshot[AnyBedside]
    stored: Stored
    beside: bytes

    def again(self) -> AnyBedside:
        """That pump."""
        bedside = self.pump.copy()
        self.stored.put_into(bedside)
        return bedside

    def __str__(self) -> str:
        return f"write {self.write}, {self.mode.value}, {self.torn_bytes} bytes"


def every_cut(before: Snapshot[AnyBedside], act: Callable[[AnyBedside], object]) -> Iterator[Off[AnyBedside]]:
    """All pumps that cuts within an act can leave, write by write until none is cut any more.

    Of torn and garbled writes, those with all of their bytes come last.
    """
    kept: dict[bytes, Snapshot[AnyBedside]] = {}
    for write in range(1, MOST_WRITES):
        intact, written, garbled = (
            cut_in(before, act, write, mode, kept=kept) for mode in (CutMode.BEFORE, CutMode.AFTER, CutMode.GARBAGE)
        )
        if intact is None or written is None or garbled is None:
            assert intact is written is garbled is None
            return
        yield intact
        for mode in (CutMode.IGNORED, CutMode.LATE):
            off = cut_in(before, act, write, mode, kept=kept)
            assert off is not None
            yield off
        region, start, end = _place(intact.stored, garbled.stored)
        for count in range(1, end - start + 1):
            for mode, source in ((CutMode.GARBAGE, garbled), (CutMode.TORN, written)):
                stored = _joined(intact.stored, source.stored, region, start, start + count)
                yield source._replace(mode=mode, torn_bytes=count, stored=stored)
        yield written


def cut_in(
    before: Snapshot[AnyBedside],
    act: Callable[[AnyBedside], object],
    write: int,
    mode: CutMode,
    count: int = _WHOLE,
    *,
    kept: dict[bytes, Snapshot[AnyBedside]] | None = None,
) -> Off[AnyBedside] | None:
    """The pump that one cut leaves, None when the act has fewer writes than that.

    Pumps that differ in nothing but their memory are kept once.
    """
    bedside = before.copy()
    bedside.cut_power_at(write, mode, count)
    answer = act(bedside)
    pump = bedside.pump
    if pump.powered:
        return None
    assert answer is None, "answered, and then lost"
    beside = canonical((pump.memory.journal, pump.plant))
    stored, kept = stored_by(bedside), {} if kept is None else kept
    if beside not in kept:
        # What was volatile is gone: a boot makes its firmware anew.
        pump.firmware = pump._new_firmware()
        kept[beside] = Snapshot(bedside)
    return Off(write, mode, count, kept[beside], stored, beside)


def writes_of(before: Snapshot[AnyBedside], act: Callable[[AnyBedside], object]) -> int:
    """How many writes an act takes."""
    bedside = before.copy()
    memory = bedside.pump.memory
    memory.watched = True
    already = memory.primitives
    act(bedside)
    return bedside.pump.memory.primitives - already


def _place(intact: Stored, garbled: Stored) -> tuple[int, int, int]:
    """The region, and where in it the write begins and ends of which each byte has become garbage."""
    (region,) = [at for at, (one, other) in enumerate(zip(intact, garbled, strict=True)) if one != other]
    bad = [at for at, (one, other) in enumerate(zip(intact[region], garbled[region], strict=True)) if one != other]
    assert bad == list(range(bad[0], bad[-1] + 1))
    return region, bad[0], bad[-1] + 1


def _joined(intact: Stored, source: Stored, region: int, start: int, end: int) -> Stored:
    parts = list(intact)
    parts[region] = intact[region][:start] + source[region][start:end] + intact[region][end:]
    return Stored(*parts)
