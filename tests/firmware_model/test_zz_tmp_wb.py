"""Commits that memory is given later: nobody who looks can tell, whenever and however they look."""

from collections.abc import Callable, Sequence
from itertools import zip_longest

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.memory import CutMode
from firmware_model.pump_state import save
from firmware_model.quantities import SECONDS_PER_DAY
from firmware_model.write_faults import ArmedWriteFault, WriteFaultKind
from tests.firmware_model.bedside import Bedside
from tests.firmware_model.cut_points import Stored, stored_by
from tests.firmware_model.hand import Hand
from tests.firmware_model.pump_profiles import SMALL, changed
from tests.firmware_model.random_histories import Act, histories

TINY_LOG = changed(SMALL, "log", pages=3, records_per_page=2)
"""A ring that wraps every few records."""
PUMPS = {"small": SMALL, "tiny log": TINY_LOG}
worlds = st.sampled_from(sorted(PUMPS)).flatmap(lambda name: st.tuples(st.just(name), histories(PUMPS[name])))


def seen_of(bedside: Bedside) -> tuple[Stored, str]:
    """All that memory holds and the pump is; but not whether anybody counted the writes."""
    memory = bedside.pump.memory
    stored, counted = stored_by(bedside), (memory.watched, memory.primitives)
    memory.watched, memory.primitives = False, 0
    digest = bedside.pump.digest()
    memory.watched, memory.primitives = counted
    return stored, digest


def do(bedside: Bedside, hand: Hand, act: Act) -> str:
    bedside.pump.advance(bedside.now + act.after_us)
    return repr(act.by(hand))


@settings(max_examples=4000, deadline=None)
@given(worlds, st.data())
def test_a_memory_that_is_given_commits_late_is_one_that_is_given_each_at_once(
    world: tuple[str, Sequence[Act]], data: st.DataObject
) -> None:
    """Two pumps with one history, one of them with a memory that is watched; looked at now and then, and at the end."""
    profile, history = PUMPS[world[0]], world[1]
    late, at_once = Bedside(profile), Bedside(profile)
    at_once.pump.memory.watched = True
    hands = Hand(late), Hand(at_once)
    looks = data.draw(st.sets(st.integers(0, len(history))))
    for number, act in enumerate(history):
        assert do(late, hands[0], act) == do(at_once, hands[1], act)
        if number in looks:
            assert late.events() == at_once.events()
            assert seen_of(late) == seen_of(at_once)
    assert late.events() == at_once.events()
    assert seen_of(late) == seen_of(at_once)


def _save(bedside: Bedside) -> None:
    bedside.events()
    save(bedside.pump)


def _read_log(bedside: Bedside) -> None:
    if bedside.pump.powered and bedside.log_range().last:
        bedside.log()


def _arm_and_disarm(bedside: Bedside) -> None:
    armed = bedside.pump.memory.armed_cut
    bedside.cut_power_at(1, CutMode.GARBAGE)
    bedside.pump.disarm_power_cut()
    bedside.pump.memory.armed_cut = armed


def _arm_what_never_comes(bedside: Bedside) -> None:
    """From here on each write is done by itself."""
    if bedside.pump.memory.armed_fault is None:
        bedside.pump.memory.armed_fault = ArmedWriteFault(1 << 40, WriteFaultKind.LOST)


def _disarm_it(bedside: Bedside) -> None:
    armed = bedside.pump.memory.armed_fault
    if armed is not None and armed.remaining > 1_000_000:
        bedside.pump.memory.armed_fault = None


LOOKS: tuple[Callable[[Bedside], object], ...] = (
    lambda bedside: bedside.pump.memory,
    lambda bedside: bedside.pump.digest(),
    lambda bedside: bedside.pump.delivery_digest(),
    lambda bedside: bedside.pump.truth(),
    _save,
    _read_log,
    lambda bedside: bedside.self_test(),
    _arm_and_disarm,
    _arm_what_never_comes,
    _disarm_it,
)
looks = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(LOOKS)), max_size=20)


@settings(max_examples=4000, deadline=None)
@given(worlds, looks)
def test_looking_at_any_moment_changes_nothing(
    world: tuple[str, Sequence[Act]], looks: list[tuple[int, Callable[[Bedside], object]]]
) -> None:
    profile, history = PUMPS[world[0]], world[1]
    looked_at, alone = Bedside(profile), Bedside(profile)
    hands = Hand(looked_at), Hand(alone)
    for number, act in enumerate(history):
        for when, look in looks:
            if when == number:
                look(looked_at)
        # The one that is alone asks nothing: a self-test, say, takes the time up to now like any command.
        assert do(looked_at, hands[0], act) == do(alone, hands[1], act)
    _disarm_it(looked_at)
    looked_at.events()
    alone.events()
    assert all(mine == other for mine, other in zip_longest(looked_at.happened, alone.happened))
    assert seen_of(looked_at) == seen_of(alone)


def test_a_year_that_nobody_looks_at_leaves_what_a_year_leaves_that_is_watched() -> None:
    """The ring wraps many times, and both slots of the record are written over and over."""
    late, at_once = Bedside(TINY_LOG), Bedside(TINY_LOG)
    at_once.pump.memory.watched = True
    for bedside in (late, at_once):
        bedside.wait(365 * SECONDS_PER_DAY)
    assert late.pump.firmware.behind.commits > 300
    assert seen_of(late) == seen_of(at_once)
    assert late.pump.firmware.behind.commits == 0


def test_a_power_cut_that_nobody_armed_finds_all_of_it_written() -> None:
    bedside = Bedside(SMALL)
    for _ in range(5):
        bedside.stop()
        bedside.start()
    log = bedside.pump.firmware.record.log_next
    assert bedside.pump.firmware.behind.commits == 1 + 10
    bedside.cut_power()
    bedside.restore_power()
    assert [record.type.name for record in bedside.log()[-4:]] == [
        "THERAPY_STOPPED",
        "THERAPY_STARTED",
        "BOOT",
        "ALARM_RAISED",
    ]
    assert bedside.pump.firmware.record.log_next == log + 2


def test_a_flipped_bit_strikes_what_was_committed_last() -> None:
    """The fault looks at memory, so all of it is there; without it the record would have been written over the flip."""
    bedside = Bedside(SMALL)
    for _ in range(5):
        bedside.stop()
        bedside.start()
    bedside.fault("memory-flip", bit=77)
    memory = bedside.pump.memory
    assert memory.check(memory.control) == 1
