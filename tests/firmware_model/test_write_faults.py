"""Writes that go wrong while the power stays: what barriers find and mend, and when memory is taken to have failed."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.memory import MOST_REPEATS, ArmedCut, CutMode, Memory, MemoryFailed, PowerLost, WritePoint
from firmware_model.state import canonical
from firmware_model.write_faults import ArmedWriteFault, Region, WriteFaultKind

LOST, FLIPPED, STUCK = WriteFaultKind.LOST, WriteFaultKind.FLIPPED, WriteFaultKind.STUCK
WORD = 8
BODY_BYTES = 4 * WORD
PAGE_BYTES = 64
OLD, NEW = bytes(BODY_BYTES), bytes(range(1, BODY_BYTES + 1))
RECORD = bytes(range(100, 148))


def with_records() -> Memory:
    """A memory with two records that are the same, and a page of the log that has been written all over."""
    memory = Memory(BODY_BYTES, 2 * WORD, log_pages=3, log_page_bytes=PAGE_BYTES)
    for _ in range(2):
        memory.commit(memory.control, OLD)
    memory.write_log(PAGE_BYTES, bytes(PAGE_BYTES))
    memory.watched = True
    return memory


def commit(memory: Memory) -> None:
    memory.commit(memory.control, NEW)


def log(memory: Memory) -> None:
    """A page is erased, and its first record written; then it is waited for."""
    memory.erase_log_page(1)
    memory.write_log(PAGE_BYTES, RECORD)
    memory.barrier()


def body(memory: Memory) -> bytes | None:
    image = memory.control.read()
    return None if image is None else image.body


def page(memory: Memory) -> bytes:
    return memory.read_log(PAGE_BYTES, PAGE_BYTES)


WORK: dict[str, tuple[Callable[[Memory], None], int]] = {"commit": (commit, 7), "log": (log, 7)}
"""What is done, and how many primitives it takes: wipe, head, four words, commit; a page, six words."""
everywhere = pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, (_, primitives) in WORK.items() for place in range(1, primitives + 1)]
)


def without_fault(name: str) -> Memory:
    memory = with_records()
    before = memory.primitives
    act, primitives = WORK[name]
    act(memory)
    assert memory.primitives - before == primitives
    assert memory.repairs == 0
    return memory


def contents(memory: Memory) -> tuple[bytes, bytes, bytes]:
    return bytes(memory.control.region), bytes(memory.security.region), bytes(memory.log)


def faults(place: int, first_bit: int) -> Iterator[ArmedWriteFault]:
    yield ArmedWriteFault(place, LOST)
    for bit in range(8 * WORD):
        yield ArmedWriteFault(place, FLIPPED, first_bit + bit)


def spent(memory: Memory) -> bool:
    return memory.armed_fault is None


@everywhere
def test_a_write_that_is_lost_or_lands_wrong_is_done_again(name: str, place: int) -> None:
    act, _ = WORK[name]
    whole = without_fault(name)
    erased = (name, place) == ("log", 1)
    for fault in faults(place, 8 * len(RECORD) if erased else 0):
        memory = with_records()
        memory.armed_fault = fault
        act(memory)
        assert contents(memory) == contents(whole)
        assert spent(memory)
        assert memory.repairs == memory.primitives - whole.primitives
        # An erase that is done again takes with it the six words that were written behind it.
        assert memory.repairs == (7 if erased else 1)


def test_any_bit_of_an_erased_page_may_be_wrong_and_is_found_unless_it_is_written_over() -> None:
    for bit in range(8 * PAGE_BYTES):
        memory = with_records()
        memory.armed_fault = ArmedWriteFault(1, FLIPPED, bit)
        log(memory)
        assert page(memory) == RECORD + b"\xff" * (PAGE_BYTES - len(RECORD))
        assert (memory.repairs == 0) == (bit < 8 * len(RECORD))


def test_bits_are_counted_around_the_length_of_a_write() -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(1, FLIPPED, 8 * WORD + 11)
    memory.write_log(0, OLD[:WORD])
    assert memory.read_log(0, WORD) == b"\0\x08\0\0\0\0\0\0"


@everywhere
@pytest.mark.parametrize("kind", [LOST, FLIPPED])
def test_faults_in_a_row_are_mended_unless_they_outlast_the_repeats_of_one_write(
    name: str, place: int, kind: WriteFaultKind
) -> None:
    act, _ = WORK[name]
    whole = without_fault(name)
    failed = 0
    for count in range(2, 16):
        memory = with_records()
        memory.armed_fault = ArmedWriteFault(place, kind, bit=3, count=count)
        try:
            act(memory)
        except MemoryFailed:
            failed += 1
            assert count > MOST_REPEATS
            continue
        assert contents(memory) == contents(whole)
        assert memory.repairs == memory.primitives - whole.primitives
        assert not failed, "more faults cannot do less harm"
    assert failed


@everywhere
def test_a_place_that_takes_no_write_makes_memory_fail(name: str, place: int) -> None:
    act, _ = WORK[name]
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(place, STUCK)
    if (name, place) == ("commit", 1):
        point = WritePoint.CONTROL_WIPE
    elif name == "commit":
        point = WritePoint.CONTROL_COMMIT if place == 7 else WritePoint.CONTROL_BODY
    else:
        point = WritePoint.LOG_ERASE if place == 1 else WritePoint.LOG_RECORD
    for _ in range(2):
        before = memory.repairs
        with pytest.raises(MemoryFailed, match=f"^{point.value}$") as caught:
            act(memory)
        assert caught.value.point is point
        assert memory.repairs - before >= MOST_REPEATS
        assert body(memory) == OLD, "with the one slot failed the other one holds the record"
        assert memory.check(memory.control) == (1 if name == "commit" and place > 1 else 0)
    memory.armed_fault = None
    act(memory)
    assert contents(memory)[1:] == contents(without_fault(name))[1:]
    assert body(memory) == (NEW if name == "commit" else OLD)


def test_words_in_a_page_that_takes_no_write_are_stuck_with_it_and_all_others_are_not() -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(1, STUCK)
    with pytest.raises(MemoryFailed):
        log(memory)
    with pytest.raises(MemoryFailed, match=r"^log\.record$"):
        log_word(memory, 2 * PAGE_BYTES - WORD)
    assert page(memory) == bytes(PAGE_BYTES)
    for offset in (PAGE_BYTES - WORD, 2 * PAGE_BYTES):
        log_word(memory, offset)
        assert memory.read_log(offset, WORD) == NEW[:WORD]
    commit(memory)
    assert body(memory) == NEW


def test_a_stuck_word_keeps_what_it_holds_when_its_page_is_erased() -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(1, STUCK)
    with pytest.raises(MemoryFailed):
        log_word(memory, PAGE_BYTES + WORD)
    memory.erase_log_page(1)
    assert page(memory) == b"\xff" * WORD + bytes(WORD) + b"\xff" * (PAGE_BYTES - 2 * WORD)
    with pytest.raises(MemoryFailed, match=r"^log\.erase$"):
        memory.barrier()


def test_a_stuck_word_that_need_not_change_harms_nobody() -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(1, STUCK)
    memory.write_log(PAGE_BYTES, bytes(WORD))
    memory.barrier()
    assert memory.repairs == 0


def test_so_many_places_may_be_stuck_as_a_fault_counts() -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(2, STUCK, count=2)
    left = [lands(memory, offset) for offset in (0, 8, 8, 24, 16, 8, 24)]
    assert left == [True, False, False, False, True, False, False]
    assert [(place.region, place.start) for place in memory.armed_fault.stuck] == [(Region.LOG, 8), (Region.LOG, 24)]


def lands(memory: Memory, offset: int) -> bool:
    try:
        log_word(memory, offset)
    except MemoryFailed:
        return False
    return True


def log_word(memory: Memory, offset: int) -> None:
    memory.write_log(offset, NEW[:WORD])
    memory.barrier()


def test_a_fault_that_is_taken_away_leaves_the_next_barrier_to_mend_what_it_did() -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(1, LOST, count=9)
    memory.write_log(0, NEW[:WORD])
    memory.armed_fault = None
    assert memory.read_log(0, WORD) == b"\xff" * WORD
    # What is written to the same place meanwhile is what the barrier looks for.
    memory.write_log(0, RECORD[:WORD])
    memory.write_log(WORD, RECORD[WORD:])
    memory.barrier()
    assert memory.read_log(0, len(RECORD)) == RECORD
    assert memory.repairs == 0


def test_a_write_that_an_armed_cut_has_swallowed_is_mended_when_the_cut_is_taken_away() -> None:
    memory = with_records()
    memory.armed_cut = ArmedCut(1, CutMode.IGNORED, 1)
    memory.write_log(0, NEW[:WORD])
    memory.armed_cut = None
    memory.barrier()
    assert memory.read_log(0, WORD) == NEW[:WORD]
    assert memory.repairs == 1


@pytest.mark.parametrize("mode", [CutMode.IGNORED, CutMode.LATE])
def test_a_repair_that_a_cut_swallows_is_not_repeated_but_the_power_goes(mode: CutMode) -> None:
    memory = with_records()
    memory.armed_fault = ArmedWriteFault(1, LOST)
    memory.armed_cut = ArmedCut(2, mode, 1)
    with pytest.raises(PowerLost, match=r"^log\.record$"):
        log_word(memory, 0)
    assert memory.read_log(0, WORD) == b"\xff" * WORD
    assert memory.repairs == 1


@everywhere
@pytest.mark.parametrize("mode", list(CutMode))
def test_power_may_go_in_a_repair(name: str, place: int, mode: CutMode) -> None:
    """Old or new, never a mixture, at any primitive of work in which a write was lost; and all is well from then on."""
    act, primitives = WORK[name]
    cut_short = 0
    for at_write in range(1, primitives + 9):
        memory = with_records()
        memory.armed_fault = ArmedWriteFault(place, LOST)
        memory.armed_cut = ArmedCut(at_write, mode, 3)
        try:
            act(memory)
        except PowerLost:
            cut_short += 1
            assert body(memory) in (OLD, NEW)
            memory.armed_fault = None
        memory.armed_cut = None
        act(memory)
        assert contents(memory)[2] == contents(without_fault(name))[2]
        assert body(memory) == body(without_fault(name))
    assert cut_short >= primitives


@given(
    st.sampled_from(sorted(WORK)),
    st.builds(
        ArmedWriteFault,
        st.integers(1, 20),
        st.sampled_from(WriteFaultKind),
        st.integers(0, 8 * PAGE_BYTES),
        st.integers(1, 12),
    ),
    st.none() | st.builds(ArmedCut, st.integers(1, 20), st.sampled_from(CutMode), st.integers(1, WORD)),
)
def test_a_record_is_the_old_one_or_the_new_whatever_goes_wrong(
    name: str, fault: ArmedWriteFault, cut: ArmedCut | None
) -> None:
    memory = with_records()
    memory.armed_fault, memory.armed_cut = fault, cut
    act, _ = WORK[name]
    whole = without_fault(name)
    try:
        act(memory)
    except (MemoryFailed, PowerLost):
        assert body(memory) in (OLD, body(whole))
    else:
        assert contents(memory) == contents(whole)
    memory.armed_fault = memory.armed_cut = None
    act(memory)
    assert body(memory) == body(whole)
    assert page(memory) == page(whole)


def test_what_is_armed_is_part_of_the_state() -> None:
    memory = with_records()
    states = {canonical(memory)}
    memory.armed_fault = ArmedWriteFault(2, STUCK)
    states.add(canonical(memory))
    memory.write_log(0, RECORD[:WORD])
    memory.barrier()
    states.add(canonical(memory))
    with pytest.raises(MemoryFailed):
        log_word(memory, 0)
    states.add(canonical(memory))
    assert len(states) == 4
