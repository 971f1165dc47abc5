"""The memory alone: what each mode of a power cut leaves of a write, what barriers are for, records, flipped bits."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_model.memory import ArmedCut, CutMode, Memory, PowerLost, WritePoint, garbage
from firmware_model.record_pair import RecordPair
from firmware_model.write_faults import Region

WORD = 8
CONTROL_BYTES, SECURITY_BYTES = 32, 16
OLD, NEW = b"old word", b"NEW WORD"
Pick = Callable[[Memory], RecordPair]
PAIRS: tuple[Pick, ...] = (lambda memory: memory.control, lambda memory: memory.security)

cuts = st.builds(ArmedCut, st.integers(1, 12), st.sampled_from(CutMode), st.integers(1, 8))


def blank() -> Memory:
    """A new memory, of which each primitive is counted."""
    memory = Memory(CONTROL_BYTES, SECURITY_BYTES, log_pages=3, log_page_bytes=64)
    memory.watched = True
    return memory


def with_two_words() -> Memory:
    memory = blank()
    memory.write_log(0, OLD + OLD)
    return memory


def lost_at(act: Callable[[], None]) -> WritePoint | None:
    """Where the power went, None: it did not."""
    try:
        act()
    except PowerLost as lost:
        return lost.point
    return None


def cut_word(mode: CutMode, torn_bytes: int = 4) -> bytes:
    """What a word holds after a cut in it, with a barrier right behind it."""
    memory = with_two_words()
    memory.armed_cut = ArmedCut(1, mode, torn_bytes)

    def write_and_wait() -> None:
        memory.write_log(0, NEW)
        memory.barrier()

    assert lost_at(write_and_wait) is WritePoint.LOG_RECORD
    memory.barrier()
    assert memory.read_log(WORD, WORD) == OLD
    return memory.read_log(0, WORD)


def test_before_ignored_and_late_leave_the_word_as_it_was_and_after_does_not() -> None:
    assert [cut_word(mode) for mode in (CutMode.BEFORE, CutMode.IGNORED, CutMode.LATE)] == [OLD] * 3
    assert cut_word(CutMode.AFTER) == NEW


@pytest.mark.parametrize("count", range(1, 8))
def test_a_torn_word_has_its_first_bytes(count: int) -> None:
    assert cut_word(CutMode.TORN, count) == NEW[:count] + OLD[count:]


@pytest.mark.parametrize("count", range(1, 9))
def test_garbage_is_neither_old_nor_new_in_any_of_its_bytes(count: int) -> None:
    left = cut_word(CutMode.GARBAGE, count)
    assert left[count:] == OLD[count:]
    assert all(byte not in pair for byte, *pair in zip(left[:count], OLD, NEW, strict=False))


@pytest.mark.parametrize("mode", [CutMode.TORN, CutMode.GARBAGE])
def test_of_a_shorter_write_all_bytes_are_meant(mode: CutMode) -> None:
    assert cut_word(mode, 4_096) == cut_word(mode, WORD)
    assert len(with_two_words().log) == 3 * 64


@given(
    st.binary(max_size=200).flatmap(
        lambda old: st.tuples(st.just(old), st.binary(min_size=len(old), max_size=len(old)))
    )
)
def test_garbage_is_the_same_each_time_and_in_no_place_right(words: tuple[bytes, bytes]) -> None:
    old, new = words
    left = garbage(old, new)
    assert left == garbage(old, new)
    assert len(left) == len(old)
    assert not any(byte in (before, after) for byte, before, after in zip(left, old, new, strict=True))


def test_what_follows_an_ignored_write_lands_until_the_barrier() -> None:
    memory = with_two_words()
    memory.armed_cut = ArmedCut(1, CutMode.IGNORED, 4)
    memory.write_log(0, NEW + NEW)
    memory.write_log(2 * WORD, NEW)
    assert memory.read_log(0, 3 * WORD) == OLD + NEW + NEW
    assert lost_at(memory.barrier) is WritePoint.LOG_RECORD
    memory.barrier()


def test_the_write_behind_a_late_one_overtakes_it_and_no_other_does() -> None:
    memory = with_two_words()
    memory.armed_cut = ArmedCut(1, CutMode.LATE, 4)
    memory.erase_log_page(1)
    assert lost_at(lambda: memory.write_log(0, NEW + NEW)) is WritePoint.LOG_ERASE
    assert memory.read_log(0, 2 * WORD) == NEW + OLD


def test_a_barrier_lets_pass_whatever_has_landed() -> None:
    memory = with_two_words()
    memory.armed_cut = ArmedCut(2, CutMode.LATE, 4)
    memory.write_log(0, NEW)
    memory.barrier()
    assert memory.read_log(0, WORD) == NEW
    assert memory.armed_cut == ArmedCut(1, CutMode.LATE, 4)


@pytest.mark.parametrize("count", [1, 20, 63, 64])
def test_a_page_may_be_torn_or_garbled_at_any_of_its_bytes(count: int) -> None:
    for mode in (CutMode.TORN, CutMode.GARBAGE):
        memory = blank()
        memory.write_log(0, bytes(3 * 64))
        memory.armed_cut = ArmedCut(1, mode, count)
        assert lost_at(lambda memory=memory: memory.erase_log_page(1)) is WritePoint.LOG_ERASE  # type: ignore[misc]
        page = memory.read_log(64, 64)
        assert page[count:] == bytes(64 - count)
        assert (page[:count] == b"\xff" * count) == (mode is CutMode.TORN)
        assert not {0x00, 0xFF} & set(page[:count]) or mode is CutMode.TORN
        assert memory.read_log(0, 64) + memory.read_log(128, 64) == bytes(128)


def every_cut(writes: int) -> Iterator[ArmedCut]:
    """Each write in each mode, with each number of bytes that can be torn or become garbage."""
    counted = {CutMode.TORN: range(1, WORD), CutMode.GARBAGE: range(1, WORD + 1)}
    for write in range(1, writes + 1):
        for mode in CutMode:
            for count in counted.get(mode, [1]):
                yield ArmedCut(write, mode, count)


@pytest.mark.parametrize("pick", PAIRS, ids=["control", "security"])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_a_record_is_the_old_one_or_the_new_whatever_is_cut(pick: Pick, before: int) -> None:
    def with_records() -> Memory:
        memory = blank()
        for number in range(before):
            memory.commit(pick(memory), body_of(memory, number))
        return memory

    def body_of(memory: Memory, number: int) -> bytes:
        return bytes([number]) * pick(memory).body_bytes

    whole = with_records()
    old, writes_before = pick(whole).read(), whole.primitives
    new_body = body_of(whole, before)
    whole.commit(pick(whole), new_body)
    left = set()
    for cut in every_cut(whole.primitives - writes_before):
        memory = with_records()
        memory.armed_cut = cut
        assert lost_at(lambda memory=memory: memory.commit(pick(memory), new_body)) is not None  # type: ignore[misc]
        image = pick(memory).read()
        body = None if image is None else image.body
        assert body in (new_body, old.body if old else None)
        left.add(body == new_body)
        # It is mended by the next commit.
        memory.commit(pick(memory), body_of(memory, 9))
        mended = pick(memory).read()
        assert mended is not None
        assert mended.body == body_of(memory, 9)
    assert left == {False, True}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 255), st.none() | cuts), max_size=20))
def test_whatever_was_committed_stays_and_neither_record_touches_the_other(
    commits: list[tuple[bool, int, ArmedCut | None]],
) -> None:
    memory = blank()
    stored: dict[bool, bytes | None] = {False: None, True: None}
    for is_security, fill, cut in commits:
        pair = PAIRS[is_security](memory)
        memory.armed_cut = None if cut is None else ArmedCut(cut.remaining, cut.mode, cut.torn_bytes)
        body = bytes([fill]) * pair.body_bytes
        legal = {body}
        if lost_at(lambda pair=pair, body=body: memory.commit(pair, body)) is not None:  # type: ignore[misc]
            legal.add(stored[is_security] or b"")
        image = pair.read()
        found = image.body if image else b""
        assert found in legal
        stored[is_security] = found or None
        other = PAIRS[not is_security](memory).read()
        assert (other.body if other else None) == stored[not is_security]


def test_a_slot_that_was_never_written_is_not_lost_and_any_other_is() -> None:
    memory = blank()
    pair = memory.security
    assert pair.read() is None
    told = []
    for number in range(3):
        memory.commit(pair, bytes([number]) * SECURITY_BYTES)
        image = pair.read()
        assert image is not None
        told.append((image.body[0], image.generation, image.lost_slots))
        assert memory.check(pair) == 0
    assert told == [(0, 0, 0), (1, 1, 0), (2, 2, 0)]

    # The newest, which is the third, lies where the first lay: in slot B.
    pair.region[pair.slot_bytes :] = bytes([0xFF]) * pair.slot_bytes
    image = pair.read()
    assert image is not None
    assert (image.body[0], image.generation, image.lost_slots) == (1, 1, 1)


def test_the_second_record_of_all_is_known_to_be_lost() -> None:
    """It may have been written and acted on, although the first has generation 0."""
    memory = blank()
    pair = memory.security
    for number in range(2):
        memory.commit(pair, bytes([number]) * SECURITY_BYTES)
    pair.region[3] ^= 1
    image = pair.read()
    assert image is not None
    assert (image.body[0], image.generation, image.lost_slots) == (0, 0, 1)


def test_only_words_that_differ_are_written() -> None:
    memory = blank()
    for _ in range(2):
        memory.commit(memory.control, bytes(CONTROL_BYTES))
    before = memory.primitives
    memory.commit(memory.control, bytes(CONTROL_BYTES - 1) + b"\x01")
    assert memory.primitives - before == 4, "commit word wiped, head, one word of four, commit word"


def test_what_a_cut_has_left_of_a_record_is_never_completed_by_another_one() -> None:
    """The lost record and the next one share all words but one, so the next one writes what was missing."""
    first, lost, following = (bytes(CONTROL_BYTES - 1) + bytes((last,)) for last in range(3))
    shared = b"\x07" * WORD
    lost, following = shared + lost[WORD:], shared + following[WORD:]
    histories = 0
    for missing in range(1, 7):
        for at_write in range(1, 7):
            for mode in CutMode:
                memory = blank()
                for _ in range(2):
                    memory.commit(memory.control, first)
                memory.armed_cut = ArmedCut(missing, CutMode.IGNORED, 4)
                lost_at(partial(memory.commit, memory.control, lost))
                taken = memory.control.read()
                assert taken is not None
                if taken.body == lost:
                    continue
                memory.armed_cut = ArmedCut(at_write, mode, 4)
                lost_at(partial(memory.commit, memory.control, following))
                found = memory.control.read()
                assert found is not None
                assert found.body in (first, following)
                histories += 1
    assert histories > 100


@pytest.mark.parametrize("region", list(Region))
def test_any_bit_of_the_memory_can_be_flipped_and_no_other(region: Region) -> None:
    memory = blank()
    before = stored(memory)
    bits = memory.bits(region)
    assert bits == 8 * len(before[region])
    for bit in range(bits):
        memory.flip_bit(region, bit)
        after = stored(memory)
        assert int.from_bytes(after.pop(region), "little") == int.from_bytes(before[region], "little") ^ 1 << bit
        assert after == {other: before[other] for other in after}
        memory.flip_bit(region, bit)
    assert stored(memory) == before
    for beyond in (-1, bits):
        with pytest.raises(ValueError, match=rf"^bit {beyond} of the {region.value} memory, which has {bits}$"):
            memory.flip_bit(region, beyond)
    assert stored(memory) == before


def stored(memory: Memory) -> dict[Region, bytes]:
    return {
        Region.CONTROL: bytes(memory.control.region),
        Region.SECURITY: bytes(memory.security.region),
        Region.LOG: bytes(memory.log),
    }


@pytest.mark.parametrize("region", [Region.CONTROL, Region.SECURITY])
def test_every_flipped_bit_of_a_slot_is_found_and_mended(region: Region) -> None:
    pick = PAIRS[region is Region.SECURITY]
    bits = blank().bits(region)
    for bit in range(bits):
        memory = blank()
        pair = pick(memory)
        old, new = bytes(pair.body_bytes), bytes([1]) * pair.body_bytes
        for body in (old, new):
            memory.commit(pair, body)
        memory.flip_bit(region, bit)
        assert memory.check(pair) == 1
        image = pair.read()
        assert image is not None
        assert image.body == (old if bit < bits // 2 else new), "the newer one of the two is in the first slot"
        memory.commit(pair, image.body)
        assert memory.check(pair) == 0, "it is the lost slot that is written next"


def test_with_both_slots_hit_a_record_is_lost_and_with_one_of_them_found_out_before() -> None:
    memory = blank()
    assert memory.check(memory.control) == 2, "there is none yet"
    memory.commit(memory.control, bytes(CONTROL_BYTES))
    assert memory.check(memory.control) == 0, "the other slot has never been written"
    memory.commit(memory.control, bytes(CONTROL_BYTES))
    told = []
    for bit in (5, 8 * memory.control.slot_bytes + 5):
        memory.flip_bit(Region.CONTROL, bit)
        told.append(memory.check(memory.control))
    assert told == [1, 2]
    assert memory.control.read() is None
    assert memory.check(memory.security) == 2
    for left in (1, 0):
        memory.commit(memory.control, bytes(CONTROL_BYTES))
        assert memory.check(memory.control) == left, "one slot is written at a time"
