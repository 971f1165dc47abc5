"""The ring of the event log: numbered for ever, what is gone is a gap that is named, what is broken is said to be."""

from struct import calcsize
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import LogRecords, ReadLog, Reason, Refusal
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.event_log import (
    DETAIL,
    DETAIL_BYTES,
    RECORD_BYTES,
    LogRecord,
    LogType,
    decode_record,
    encode_record,
)
from firmware_model.profile import LogModel
from firmware_model.pump import Recorded
from firmware_model.quantities import HIGHEST_U32
from tests.firmware_model.bedside import Bedside, granted, refused
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import LONG_LOG, SMALL, changed

PAGES, PER_PAGE = 3, 6
RANGES = {
    "B": st.integers(0, 0xFF),
    "H": st.integers(0, 0xFFFF),
    "h": st.integers(-0x8000, 0x7FFF),
    "I": st.integers(0, 0xFFFF_FFFF),
    "Q": st.integers(0, 0xFFFF_FFFF_FFFF_FFFF),
}


def page(bedside: Bedside, from_sequence: int, maximum: int = 4, epoch: int = 1) -> LogRecords:
    reply = bedside.ask(ReadLog(epoch, from_sequence, maximum))
    assert isinstance(reply, LogRecords), reply
    return reply


def make_records(bedside: Bedside, count: int) -> None:
    """So many further records, one to a commit."""
    for _ in range(count):
        bedside.stop()


@pytest.mark.parametrize("last", range(1, 44))
def test_the_ring_holds_all_pages_but_the_one_that_is_erased_next(last: int) -> None:
    bedside = Bedside(SMALL)
    make_records(bedside, last - 1)
    held = bedside.log_range()
    full_pages, in_page = divmod(last, PER_PAGE)
    first = max(1, (full_pages - PAGES + 1) * PER_PAGE + 1)
    assert (held.epoch, held.first, held.last, held.capacity) == (1, first, last, 12)
    assert last - first + 1 == min(last, 12 + in_page)
    assert [record.sequence for record in bedside.log()] == list(range(first, last + 1))


def test_what_is_overwritten_is_refused_with_the_first_that_is_left() -> None:
    bedside = Bedside(SMALL)
    make_records(bedside, 20)
    assert bedside.log_range().first == 7
    for gone in (0, 1, 6):
        assert refused(bedside.ask(ReadLog(1, gone, 4))) == Refusal(
            Reason.RECORD_OVERWRITTEN, "from_sequence", detail=7
        )
    assert [record.sequence for record in page(bedside, 7).records] == [7, 8, 9, 10]


def test_reading_consumes_nothing_and_ends_with_an_empty_page() -> None:
    bedside = Bedside(LONG_LOG)
    make_records(bedside, 4)
    assert page(bedside, 2, maximum=2) == page(bedside, 2, maximum=2)
    assert page(bedside, 4).next_sequence == 6
    assert page(bedside, 6) == LogRecords(6, ())
    assert page(bedside, 1_000) == LogRecords(1_000, ())


def test_another_epoch_is_refused_with_the_current_one() -> None:
    bedside = Bedside(SMALL)
    for epoch in (0, 2, 65_535):
        assert refused(bedside.ask(ReadLog(epoch, 1, 4))) == Refusal(Reason.LOG_EPOCH, "epoch", detail=1)


@pytest.mark.parametrize("byte", [0, 5, 16, 30, 47])
def test_a_broken_record_comes_as_corrupt_and_paging_goes_on(byte: int) -> None:
    bedside = Bedside(LONG_LOG)
    make_records(bedside, 4)
    good = page(bedside, 1, maximum=5).records
    # Record 3 lies third in the first page.
    bedside.pump.memory.log[2 * RECORD_BYTES + byte] ^= 0x10
    broken = page(bedside, 1, maximum=5)
    corrupt = LogRecord(3, 0, 0, 0, 0, LogType.CORRUPT, 0, MappingProxyType({}))
    assert broken.records == (*good[:2], corrupt, *good[3:])
    assert broken.next_sequence == 6


def test_a_record_of_the_lap_before_is_not_taken_for_the_one_that_belongs_there() -> None:
    bedside = Bedside(SMALL)
    stale = bytes(bedside.pump.memory.log[:RECORD_BYTES])
    make_records(bedside, 19)
    bedside.pump.memory.log[:RECORD_BYTES] = stale
    assert [record.type for record in page(bedside, 19).records] == [LogType.CORRUPT, LogType.THERAPY_STOPPED]


def test_every_record_is_announced_once_and_as_it_can_be_read() -> None:
    bedside = Bedside(LONG_LOG)
    bedside.bolus(10_000, 100)
    bedside.wait(50)
    bedside.cut_power()
    bedside.restore_power()
    bedside.stop()
    bedside.start()
    bedside.wait(3_000)
    announced = [event.record for event in bedside.events() if isinstance(event, Recorded)]
    assert announced == bedside.log()


def test_the_smallest_log_holds_the_largest_commit() -> None:
    """An empty reservoir that ends a bolus writes three records at once; none of them may be lost at once."""
    least = LogModel.__dataclass_fields__
    profile = changed(
        SMALL,
        "log",
        pages=least["pages"].metadata["minimum"],
        records_per_page=least["records_per_page"].metadata["minimum"],
    )
    for before in range(profile.log.pages * profile.log.records_per_page):
        bedside = Bedside(profile)
        make_records(bedside, before)
        bedside.start()
        bedside.bolus(200_000, 3_600)
        bedside.wait(3_600)
        told = [event.record for event in bedside.events() if isinstance(event, Recorded)]
        assert [record.sequence for record in told] == list(range(1, len(told) + 1))
        names = [record.type.name for record in told[-3:]]
        assert names == ["ALARM_RAISED", "THERAPY_STOPPED", "BOLUS_ENDED"]
        assert bedside.log()[-3:] == told[-3:]


def test_the_smallest_log_holds_all_that_a_boot_can_have_to_tell() -> None:
    """A dose and a bolus that end, a copy of the record and a clock that are lost: seven records in one commit."""
    profile = changed(SMALL, "log", pages=3, records_per_page=6)
    for before in range(18):
        bedside = Bedside(profile)
        make_records(bedside, before)
        bedside.start()
        once = new_program(profile, mode=Mode.SINGLE_BOLUS, dose_volume_nl=20_000, dose_duration_s=3_600)
        granted(bedside.program(once))
        bedside.bolus(20_000, 3_600)
        bedside.wait(60)
        bedside.cut_power()
        bedside.fault("clock-loss")
        pair = bedside.pump.memory.control
        stored = pair.read()
        assert stored is not None
        # The first record, of generation 0, stands in the second slot, and then they take turns.
        older_slot = stored.generation % 2
        bedside.fault("memory-flip", region=0, bit=8 * pair.slot_bytes * older_slot + 99)
        bedside.events()
        bedside.restore_power()
        told = [event.record for event in bedside.events() if isinstance(event, Recorded)]
        assert sorted(record.type.name for record in told) == sorted(
            ["BOOT", "THERAPY_STOPPED", *["BOLUS_ENDED"] * 2, *["ALARM_RAISED"] * 3]
        )
        assert bedside.log()[-7:] == told


def records_of_any_kind() -> st.SearchStrategy[LogRecord]:
    def of(kind: LogType) -> st.SearchStrategy[LogRecord]:
        detail = {name: RANGES[code] for name, code in DETAIL[kind]}
        u32, u16 = st.integers(0, 0xFFFF_FFFF), st.integers(0, 0xFFFF)
        times_s = st.integers(0, HIGHEST_U32)
        return st.builds(
            LogRecord,
            u32,
            u16,
            u16,
            times_s,
            times_s,
            st.just(kind),
            u32,
            st.fixed_dictionaries(detail).map(MappingProxyType),
        )

    return st.sampled_from([kind for kind in LogType if kind is not LogType.CORRUPT]).flatmap(of)


@given(records_of_any_kind())
def test_a_record_is_48_bytes_and_reads_back(record: LogRecord) -> None:
    stored = encode_record(record)
    assert len(stored) == RECORD_BYTES == 48
    assert decode_record(stored, record.sequence) == record


@settings(max_examples=20, deadline=None)
@given(records_of_any_kind(), st.integers(0, RECORD_BYTES * 8 - 1))
def test_every_flipped_bit_of_a_record_is_found(record: LogRecord, bit: int) -> None:
    stored = bytearray(encode_record(record))
    stored[bit // 8] ^= 1 << bit % 8
    assert decode_record(bytes(stored), record.sequence).type is LogType.CORRUPT


def test_the_details_of_every_type_fit_their_place() -> None:
    assert set(DETAIL) == set(LogType)
    for layout in DETAIL.values():
        assert calcsize("<" + "".join(code for _, code in layout)) <= DETAIL_BYTES
