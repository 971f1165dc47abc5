"""Records written in bulk and word by word: the same bytes, the same record, the same from then on."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import NamedTuple, TypeAlias, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.memory import ArmedCut, CutMode, Journal, Memory, PowerLost, WritePoint
from firmware_model.record_pair import WORD_BYTES, RecordPair
from firmware_model.state import canonical
from firmware_model.state_reading import Classes, restore
from firmware_model.write_faults import ArmedWriteFault, Region, WriteFaultKind

BODY_WORDS = 6
BODY_BYTES = BODY_WORDS * WORD_BYTES
PAGES, PAGE_BYTES = 2, 64
CLASSES = Classes([Memory, RecordPair, Journal, ArmedCut, CutMode, ArmedWriteFault, WriteFaultKind, WritePoint])
T = TypeVar("T")


def blank() -> Memory:
    return Memory(BODY_BYTES, BODY_BYTES, PAGES, PAGE_BYTES)


def watched() -> Memory:
    memory = blank()
    memory.watched = True
    return memory


class Twins:
    """A memory that writes in bulk where it may, and one that is watched: it goes word by word."""

    def __init__(self) -> None:
        self.bulk, self.words = blank(), watched()
        self.bodies = {Region.CONTROL: [0] * BODY_WORDS, Region.SECURITY: [0] * BODY_WORDS}

    def do(self, act: Callable[[Memory], T]) -> T:
        """The same to both, with the same result."""
        in_bulk, by_words = act(self.bulk), act(self.words)
        assert in_bulk == by_words
        return in_bulk

    def body(self, region: Region) -> bytes:
        return b"".join(word.to_bytes(WORD_BYTES, "little") for word in self.bodies[region])


class Commit(NamedTuple):
    """A record in which some words are others now; the power may go on the way."""

    region: Region
    changes: list[tuple[int, int]]
    cut: tuple[int, CutMode, int] | None

    def run(self, twins: Twins) -> None:
        for place, word in self.changes:
            twins.bodies[self.region][place] = word
        body = twins.body(self.region)

        def commit(memory: Memory) -> WritePoint | None:
            memory.armed_cut = ArmedCut(*self.cut) if self.cut else None
            try:
                memory.commit(pair_of(memory, self.region), body)
            except PowerLost as lost:
                return lost.point
            memory.armed_cut = None
            return None

        twins.do(commit)


class Several(NamedTuple):
    """Commits of which the one memory is told at once, afterwards: how many there were, and the last two or all."""

    region: Region
    words: list[int]
    all_told: bool

    def run(self, twins: Twins) -> None:
        bodies = []
        for word in self.words:
            twins.bodies[self.region][-1] = word
            bodies.append(twins.body(self.region))
        for body in bodies:
            twins.words.commit(pair_of(twins.words, self.region), body)
        pair_of(twins.bulk, self.region).overwrite(len(bodies), bodies if self.all_told else bodies[-2:])


class Flip(NamedTuple):
    """A bit turned over at rest."""

    region: Region
    bit: int

    def run(self, twins: Twins) -> None:
        twins.do(lambda memory: memory.flip_bit(self.region, self.bit % memory.bits(self.region)))


class Look(NamedTuple):
    """Somebody looks at what is stored."""

    region: Region

    def run(self, twins: Twins) -> None:
        twins.do(lambda memory: bytes(pair_of(memory, self.region).region))
        twins.do(lambda memory: pair_of(memory, self.region).read())
        twins.do(lambda memory: memory.check(pair_of(memory, self.region)))


class Log(NamedTuple):
    """A log record, behind it a barrier; a page may be erased before."""

    erased: bool
    word: int
    content: bytes

    def run(self, twins: Twins) -> None:
        def write(memory: Memory) -> bytes:
            offset = self.word * WORD_BYTES
            if self.erased:
                memory.erase_log_page(offset // PAGE_BYTES)
            memory.write_log(offset, self.content)
            memory.barrier()
            return memory.read_log(0, PAGES * PAGE_BYTES)

        twins.do(write)


class Renew(NamedTuple):
    """One of the two goes on as a copy of itself, or from its save-state."""

    bulk: bool
    saved: bool

    def run(self, twins: Twins) -> None:
        def renewed(memory: Memory) -> Memory:
            again: Memory = restore(canonical(memory), CLASSES) if self.saved else deepcopy(memory)
            return again

        if self.bulk:
            twins.bulk = renewed(twins.bulk)
        else:
            twins.words = renewed(twins.words)


def pair_of(memory: Memory, region: Region) -> RecordPair:
    return memory.control if region is Region.CONTROL else memory.security


Act: TypeAlias = Commit | Several | Flip | Look | Log | Renew
records = st.sampled_from([Region.CONTROL, Region.SECURITY])
words = st.sampled_from([0, 1, 1 << 63, 2**64 - 1])
changes = st.lists(st.tuples(st.integers(0, BODY_WORDS - 1), words), max_size=4)
cuts = st.tuples(st.integers(1, 9), st.sampled_from(CutMode), st.integers(1, 8))
acts = st.one_of(
    st.builds(Commit, records, changes, st.none()),
    st.builds(Commit, records, changes, cuts),
    st.builds(Several, records, st.lists(words, min_size=1, max_size=5), st.booleans()),
    st.builds(Flip, st.sampled_from(Region), st.integers(0, 2_000)),
    st.builds(Look, records),
    st.builds(Log, st.booleans(), st.integers(0, 10), st.binary(min_size=48, max_size=48)),
    st.builds(Renew, st.booleans(), st.booleans()),
)


@settings(max_examples=300)
@given(st.lists(acts, max_size=25))
def test_in_bulk_and_word_by_word_is_the_same_whatever_comes_between(history: list[Act]) -> None:
    live_as_twins(history)


def live_as_twins(history: Iterable[Act]) -> None:
    """Do all this to both memories: what differs between them fails."""
    twins = Twins()
    for act in history:
        act.run(twins)
    for region in twins.bodies:
        Look(region).run(twins)
    # All else is the same, but that one of them was counted.
    twins.words.watched, twins.words.primitives = False, twins.bulk.primitives
    assert canonical(twins.bulk) == canonical(twins.words)


def test_twins_that_differ_in_one_bit_are_told_apart() -> None:
    twins = Twins()
    Commit(Region.CONTROL, [(0, 1)], None).run(twins)
    twins.bulk.flip_bit(Region.CONTROL, 70)
    with pytest.raises(AssertionError):
        Look(Region.CONTROL).run(twins)


@pytest.mark.parametrize("memory", [blank(), watched()], ids=["bulk", "words"])
@pytest.mark.parametrize("length", [0, 40, 47, 49, 56])
def test_what_is_no_record_is_refused_and_nothing_written(memory: Memory, length: int) -> None:
    for _ in range(2):
        memory.commit(memory.control, bytes(BODY_BYTES))
    before, primitives = bytes(memory.control.region), memory.primitives
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"^record of {length} bytes, expected 48$"):
            memory.commit(memory.control, bytes(length))
    assert bytes(memory.control.region) == before
    assert memory.primitives == primitives


def test_records_are_of_whole_words() -> None:
    with pytest.raises(ValueError, match=r"^record of 30 bytes, expected whole words of 8$"):
        RecordPair(30)


def test_what_is_changed_in_the_region_is_there() -> None:
    memory = watched()
    for number in range(3):
        memory.commit(memory.control, bytes([number]) * BODY_BYTES)
    memory.control.region[:] = bytes(len(memory.control.region))
    assert memory.control.read() is None
    memory.commit(memory.control, bytes(BODY_BYTES))
    memory.control.region = bytearray(len(memory.control.region))
    assert memory.control.read() is None
    before = memory.primitives
    memory.commit(memory.control, bytes(BODY_BYTES))
    assert memory.primitives - before == 2, "head word and commit word, which is wiped already"


@pytest.mark.parametrize("differing", range(BODY_WORDS + 1))
def test_a_commit_writes_three_words_beside_those_that_differ(differing: int) -> None:
    memory = watched()
    for _ in range(2):
        memory.commit(memory.control, bytes(BODY_BYTES))
    before = memory.primitives
    memory.commit(memory.control, b"\0\0\0\0\0\0\0\x80" * differing + bytes(WORD_BYTES) * (BODY_WORDS - differing))
    assert memory.primitives - before == 3 + differing


def test_a_plan_wipes_first_and_makes_the_slot_valid_with_its_last_word() -> None:
    """Word after word: the record is the old one, and the slot is none, until the very last is written."""
    pair = blank().control
    pair.overwrite(2, [bytes(BODY_BYTES), bytes([1]) * BODY_BYTES])
    old, new = pair.read(), bytes([2]) * BODY_BYTES
    plan = pair.plan(new)
    assert old is not None
    assert len(plan.wipe) == 1
    assert plan.wipe[0].offset == plan.commit.offset
    for word in (*plan.wipe, *plan.body):
        pair.region[word.offset : word.offset + WORD_BYTES] = word.data
        assert pair.copies() == [(old.body, old.generation)]
    pair.region[plan.commit.offset : plan.commit.offset + WORD_BYTES] = plan.commit.data
    image = pair.read()
    assert image is not None
    assert (image.body, image.generation, image.lost_slots) == (new, old.generation + 1, 0)
