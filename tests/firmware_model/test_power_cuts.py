"""Power is cut at every write of every transaction, in every mode, and within it after each of its bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import pytest

from firmware_model.firmware.codes import OpState, RunState
from firmware_model.firmware.event_log import LogType
from firmware_model.memory import WORD_BYTES, CutMode, WritePoint
from firmware_model.pump import PowerCut, PowerRestored
from tests.firmware_model.bedside import SECOND, Bedside
from tests.firmware_model.copied import copy_of
from tests.firmware_model.drug_programs import new_program
from tests.firmware_model.pump_profiles import SMALL, changed

# The base rate stands almost still, so that every step of the motor is one of the bolus. Four steps are an interval.
PROFILE = changed(SMALL, "therapy", rate_nl_per_day=1)
INTERVAL_NL = 4_000
BOLUS_NL, BOLUS_S = 40_000, 40
BOLUS_OP = 5

OTHER_PROGRAM = new_program(PROFILE, rate_nl_per_day=2, low_reservoir_nl=100_000)

Cut = tuple[CutMode, int]
# After a write is before the next one, and garbage is what a torn word is: a slot without its commit word.
FIRST_CUTS: tuple[Cut, ...] = tuple((mode, 4) for mode in CutMode if mode not in (CutMode.AFTER, CutMode.GARBAGE))
SECOND_CUTS: tuple[Cut, ...] = ((CutMode.BEFORE, 0), (CutMode.TORN, 4))


def every_cut(write_bytes: int) -> tuple[Cut, ...]:
    """All modes, with each number of bytes that can be torn or become garbage in a write of so many bytes."""
    counted = {CutMode.TORN: range(1, write_bytes), CutMode.GARBAGE: range(1, write_bytes + 1)}
    return tuple((mode, count) for mode in CutMode for count in counted.get(mode, [0]))


@dataclass(frozen=True)
class Transaction:
    """What stands before it, and what it does in one commit."""

    name: str
    before: Callable[[Bedside], None]
    act: Callable[[Bedside], object]


def _nothing(_bedside: Bedside) -> None:
    pass


def _history(bedside: Bedside) -> None:
    """Four outcomes, so that the ledger is full, and the page of the log that comes next is to be erased."""
    for _ in range(2):
        bedside.stop()
        bedside.start()


def _prepared(bedside: Bedside) -> None:
    _history(bedside)
    bedside.prepare(BOLUS_NL, BOLUS_S)


def _only_prepared(bedside: Bedside) -> None:
    bedside.prepare(BOLUS_NL, BOLUS_S)


def _stopped(bedside: Bedside) -> None:
    _history(bedside)
    bedside.stop()


def _running(bedside: Bedside, seconds: float = 13.5) -> None:
    _history(bedside)
    assert bedside.bolus(BOLUS_NL, BOLUS_S).op_id == BOLUS_OP
    bedside.wait(seconds)


def _just_begun(bedside: Bedside) -> None:
    _running(bedside, 0.5)


def _off(bedside: Bedside) -> None:
    _running(bedside)
    bedside.cut_power()


def _just_before_its_end(bedside: Bedside) -> None:
    _running(bedside, BOLUS_S - 0.000_001)


def _hold(bedside: Bedside, volume_nl: int) -> None:
    """The reservoir was never fuller than this, in truth and in what the next commit writes."""
    bedside.pump.firmware.record = replace(bedside.pump.firmware.record, reservoir_nl=volume_nl)
    bedside.pump.plant.reservoir.volume_nl = volume_nl


def _just_above_low(bedside: Bedside) -> None:
    """13 steps of the bolus are given, and one more reaches the level."""
    _hold(bedside, 134_000)
    _running(bedside, 13.999_999)


def _just_above_empty(bedside: Bedside) -> None:
    """As before, with less in the reservoir than the bolus was granted on; the low-reservoir alarm stands."""
    _running(bedside, 0.5)
    _hold(bedside, 64_000)
    bedside.wait(13.499_999)
    assert len(bedside.alarms()) == 1


def _validated(bedside: Bedside) -> None:
    _history(bedside)
    bedside.validated(OTHER_PROGRAM)


def _low(bedside: Bedside) -> None:
    _just_above_low(bedside)
    bedside.wait(0.000_001)


def _instant(bedside: Bedside) -> None:
    bedside.wait(0.000_001)


def _program(bedside: Bedside) -> object:
    (stage,) = bedside.pump.firmware.stages
    return bedside.commit(stage.stage_id, OTHER_PROGRAM.crc32())


TRANSACTIONS = (
    Transaction("prepare", _history, lambda bedside: bedside.prepare(BOLUS_NL, BOLUS_S)),
    Transaction("execute", _prepared, lambda bedside: bedside.execute(1, BOLUS_NL, BOLUS_S)),
    Transaction("execute, the first of a life", _only_prepared, lambda bedside: bedside.execute(1, BOLUS_NL, BOLUS_S)),
    Transaction("cancel", _running, lambda bedside: bedside.cancel(1)),
    Transaction("stop", _nothing, lambda bedside: bedside.stop()),
    Transaction("stop while a bolus runs", _running, lambda bedside: bedside.stop()),
    Transaction("stop before its first step", _just_begun, lambda bedside: bedside.stop()),
    Transaction("start", _stopped, lambda bedside: bedside.start()),
    Transaction("program", _validated, _program),
    Transaction("acknowledge", _low, lambda bedside: bedside.acknowledge(1)),
    Transaction("end of the bolus", _just_before_its_end, _instant),
    Transaction("low reservoir", _just_above_low, _instant),
    Transaction("empty reservoir", _just_above_empty, _instant),
    Transaction("boot", _off, lambda bedside: bedside.restore_power()),
)


def body(bedside: Bedside) -> bytes:
    """The control record that memory holds."""
    image = bedside.pump.memory.control.read()
    assert image is not None, "no valid control record"
    return image.body


@cache
def _just_before(transaction: Transaction) -> Bedside:
    bedside = Bedside(PROFILE)
    transaction.before(bedside)
    return bedside


def brought_before(transaction: Transaction) -> Bedside:
    return copy_of(_just_before(transaction))


def stored_by(bedside: Bedside) -> tuple[bytes, bytes, bytes]:
    """All that memory holds of records."""
    memory = bedside.pump.memory
    return bytes(memory.control.region), bytes(memory.security.region), bytes(memory.log)


def bytes_of_writes(bedside: Bedside, act: Callable[[Bedside], object]) -> list[int]:
    """How many bytes each write of a transaction has; the power is cut at one after the other to see which it is."""
    sizes = {WritePoint.LOG_ERASE.value: bedside.pump.memory.log_page_bytes}
    found: list[int] = []
    while True:
        cut = copy_of(bedside)
        cut.cut_power_at(len(found) + 1)
        act(cut)
        if cut.pump.powered:
            return found
        (write,) = [event.write for event in cut.events() if isinstance(event, PowerCut)]
        found.append(sizes.get(write, WORD_BYTES))


def bolus_op(bedside: Bedside) -> int:
    """The op id that the bolus has or would have."""
    entries = [entry for entry in bedside.ops().entries if entry.kind.name == "BOLUS"]
    return entries[-1].op_id if entries else bedside.op_high() + 1


def check_after_boot(bedside: Bedside, stored: bytes) -> None:
    """What holds for any pump that has booted, `stored` being the control record that it found."""
    pump = bedside.pump
    assert pump.powered
    assert body(bedside) != stored
    status = bedside.status()

    # A bolus never resumes, and what moved is known: between min and max, which are an interval apart at most.
    assert (status.bolus_id, pump.firmware.flow.bolus) == (0, None)
    given_nl = pump.plant.motor.steps * bedside.step_nl
    answer = bedside.query(bolus_op(bedside))
    if answer.entry is None:
        assert (answer.state, given_nl) == (OpState.NOT_SEEN, 0)
    else:
        entry = answer.entry
        assert entry.min_nl <= given_nl <= entry.max_nl <= entry.min_nl + INTERVAL_NL
        match entry.state:
            case OpState.DONE:
                assert given_nl == entry.min_nl == entry.max_nl == BOLUS_NL
            case OpState.REJECTED:
                assert given_nl == entry.max_nl == 0
            case state:
                assert state is OpState.PARTIAL
                assert entry.max_nl <= BOLUS_NL

    # The programme runs exactly if the record says so, and no step of a bolus comes any more.
    assert status.run_state in (RunState.RUNNING, RunState.STOPPED)
    programmed = pump.firmware.record.program.rate_nl_per_day
    assert status.base_rate_nl_per_day == (programmed if status.run_state is RunState.RUNNING else 0)
    bedside.wait(100)
    assert pump.plant.motor.steps * bedside.step_nl == given_nl

    # The log has no half record and no gap, and its last boot is this one.
    records = bedside.log()
    assert [record.sequence for record in records] == list(range(records[0].sequence, status.log_last + 1))
    assert len(records) >= 4 or records[0].sequence == 1
    assert LogType.CORRUPT not in [record.type for record in records]
    boots = [record for record in records if record.type is LogType.BOOT]
    assert boots[-1].boot == status.boot
    # A boot ends a bolus, and may find that the reservoir may have come down to a level.
    after = [record.type.name for record in records[records.index(boots[-1]) + 1 :]]
    assert after == [name for name in ("BOLUS_ENDED", "ALARM_RAISED", "THERAPY_STOPPED") if name in after]

    # And it obeys.
    bedside.stop()
    assert bedside.status().run_state is RunState.STOPPED


def cut_in(transaction: Transaction, write: int, cut: Cut) -> Bedside:
    bedside = brought_before(transaction)
    bedside.cut_power_at(write, *cut)
    assert transaction.act(bedside) is None, "answered, and then lost"
    assert not bedside.pump.powered
    return bedside


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_a_cut_at_any_write_leaves_the_old_record_or_the_new(
    transaction: Transaction, record_testsuite_property: Callable[[str, object], None]
) -> None:
    whole = brought_before(transaction)
    old, writes_before = body(whole), whole.pump.memory.primitives
    old_log = [] if not whole.pump.powered else whole.log()
    sizes = bytes_of_writes(whole, transaction.act)
    transaction.act(whole)
    new, writes = body(whole), whole.pump.memory.primitives - writes_before
    assert writes == len(sizes) > 1
    assert old != new

    outcomes, seen, points = set(), set(), 0
    for write, size in enumerate(sizes, start=1):
        for cut in every_cut(size):
            points += 1
            bedside = cut_in(transaction, write, cut)
            stored = body(bedside)
            assert stored in (old, new)
            outcomes.add(stored)
            # A boot knows nothing of the cut but what it left in memory.
            if (left := stored_by(bedside)) in seen:
                continue
            seen.add(left)
            bedside.restore_power()
            kept = {record.sequence: record for record in bedside.log()}
            assert all(kept[record.sequence] == record for record in old_log if record.sequence >= min(kept))
            check_after_boot(bedside, stored)
    assert outcomes == {old, new}

    # One write more than there are: nothing is cut.
    spared = brought_before(transaction)
    spared.cut_power_at(writes + 1)
    transaction.act(spared)
    assert spared.pump.powered
    assert body(spared) == new
    record_testsuite_property(f"cut points: {transaction.name}", points)


def distinct_first_cuts(transaction: Transaction) -> Iterator[Bedside]:
    """Pumps without power, one for each different memory that a cut within the transaction can leave."""
    counted = brought_before(transaction)
    writes_before = counted.pump.memory.primitives
    transaction.act(counted)
    seen = set()
    for write in range(1, counted.pump.memory.primitives - writes_before + 1):
        for cut in FIRST_CUTS:
            bedside = cut_in(transaction, write, cut)
            if (left := stored_by(bedside)) not in seen:
                seen.add(left)
                yield bedside


@pytest.mark.parametrize("name", ["execute", "boot"])
def test_a_second_cut_during_the_boot_after_the_first(
    name: str, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """Every write of the transaction with every write of the boot: before it, and in the middle of its word."""
    (transaction,) = [transaction for transaction in TRANSACTIONS if transaction.name == name]
    cuts, seen = 0, set()
    for first in distinct_first_cuts(transaction):
        counted = copy_of(first)
        writes_before = counted.pump.memory.primitives
        counted.restore_power()
        for write in range(1, counted.pump.memory.primitives - writes_before + 1):
            for cut in SECOND_CUTS:
                cuts += 1
                bedside = copy_of(first)
                bedside.cut_power_at(write, *cut)
                bedside.restore_power()
                assert not bedside.pump.powered
                stored = body(bedside)
                if (left := stored_by(bedside)) not in seen:
                    seen.add(left)
                    bedside.restore_power()
                    check_after_boot(bedside, stored)
    record_testsuite_property(f"pairs of cuts: {name}", cuts)


def test_a_bolus_stays_bounded_by_what_was_journalled_however_often_the_boot_is_cut() -> None:
    """13 of 40 steps were given. A boot that does not come to its end knows no less than the one before it."""
    bedside = Bedside(PROFILE)
    _running(bedside)
    bedside.cut_power()
    for write in (1, 2, 3):
        bedside.cut_power_at(write)
        bedside.restore_power()
        assert not bedside.pump.powered
    bedside.restore_power()
    entry = bedside.query(BOLUS_OP).entry
    assert entry is not None
    assert (entry.state, entry.min_nl, entry.max_nl) == (OpState.PARTIAL, 12_000, 16_000)


def test_a_cut_is_told_with_its_write_and_the_boot_tells_what_had_become_true() -> None:
    """The commit word of a STOP was written, the answer never came: the record is told once power is back."""
    counted = Bedside(PROFILE)
    writes_before = counted.pump.memory.primitives
    counted.stop()
    writes = counted.pump.memory.primitives - writes_before

    bedside = Bedside(PROFILE)
    bedside.events()
    bedside.cut_power_at(writes, CutMode.AFTER)
    assert bedside.stop() is None
    assert bedside.events() == [PowerCut(0, "control.commit")]
    bedside.wait(5)
    bedside.restore_power()
    assert bedside.words() == ["power restored", "THERAPY_STOPPED", "BOOT"]
    assert PowerRestored(5 * SECOND) in bedside.happened
    assert bedside.query(1).state is OpState.DONE


def test_a_disarmed_cut_does_not_come() -> None:
    bedside = Bedside(PROFILE)
    bedside.cut_power_at(1)
    bedside.pump.disarm_power_cut()
    bedside.stop()
    assert bedside.pump.powered


def test_with_one_copy_of_the_record_lost_the_other_is_used_and_the_log_says_so() -> None:
    bedside = Bedside(PROFILE)
    _history(bedside)
    bedside.cut_power()
    for slot in (0, 1):
        lost = copy_of(bedside)
        # The older copy: the slot whose loss leaves the record as it is.
        pair = lost.pump.memory.control
        pair.region[slot * pair.slot_bytes + 20] ^= 1
        if body(lost) == body(bedside):
            break
    else:
        pytest.fail("both slots are the newest")
    lost.restore_power()
    assert lost.log()[-1].detail["memory"] == 1


@pytest.mark.parametrize("bolus", [False, True], ids=["at rest", "with a bolus running"])
def test_with_both_copies_lost_the_pump_stays_stopped_with_an_alarm_and_knows_nothing(bolus: bool) -> None:
    bedside = Bedside(SMALL)
    if bolus:
        bedside.bolus(BOLUS_NL, BOLUS_S)
    bedside.wait(25)
    bedside.cut_power()
    steps = bedside.pump.plant.motor.steps
    pair = bedside.pump.memory.control
    pair.region[20] ^= 1
    pair.region[pair.slot_bytes + 20] ^= 1
    kept = bytes(pair.region)
    bedside.restore_power()
    bedside.wait(10_000)
    status = bedside.status()
    assert (status.run_state.name, status.stop_reason.name, status.base_rate_nl_per_day) == (
        "FAILED",
        "MEMORY_FAILURE",
        0,
    )
    assert [alarm.type for alarm in bedside.alarms()] == [3]
    assert bedside.query(1).state is OpState.UNKNOWN_EVICTED
    for reply in (
        bedside.stop(9),
        bedside.start(9),
        bedside.prepare(5_000, 10),
        bedside.execute(1, BOLUS_NL, BOLUS_S, 9),
        bedside.cancel(1, 9),
        bedside.acknowledge(1),
    ):
        assert getattr(reply, "reason", None) is not None
        assert reply.reason.name == "MEMORY_FAILURE"  # type: ignore[union-attr]
    assert bedside.pump.plant.motor.steps == steps
    assert (bedside.log_range().first, bedside.log_range().last) == (0, 0)
    assert bytes(pair.region) == kept, "nothing may be written over what others may still read"


def test_every_flipped_bit_of_a_slot_is_found() -> None:
    """A wrong bit anywhere in a copy, and the other copy is used; the record is the newest or the one before it."""
    bedside = Bedside(PROFILE)
    bedside.stop()
    before = body(bedside)
    bedside.start()
    after = body(bedside)
    pair = bedside.pump.memory.control
    control = pair.region
    assert pair.body_words * WORD_BYTES - pair.body_bytes < WORD_BYTES
    for place in range(len(control)):
        for bit in range(8):
            control[place] ^= 1 << bit
            assert body(bedside) in (before, after)
            control[place] ^= 1 << bit
    assert body(bedside) == after
