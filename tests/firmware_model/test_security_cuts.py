"""Power is cut, bits fall over, and yet no session number comes twice and no one gains an attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from firmware_model.commands import AttemptConfirmed, AttemptCounted, Reason, Refusal, SessionNumber
from firmware_model.firmware.codes import AlarmType, Role
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.security_record import DELAYS_S, PLACES, SecurityRecord, delay_s, place_of
from firmware_model.memory import CutMode
from firmware_model.quantities import SECONDS_PER_DAY
from tests.conftest import Counted
from tests.firmware_model.bedside import SECOND
from tests.firmware_model.copied import Snapshot, copy_of
from tests.firmware_model.cut_points import every_cut, records_in
from tests.firmware_model.doorway import CLINICIAN, Doorway
from tests.firmware_model.lead_ups import PROFILE, full_ledger
from tests.firmware_model.pump_profiles import LONG_LOG

MINE = place_of(CLINICIAN, 0)
TOLD = 6
"""The highest session number that was given before each transaction."""
FAILURES = 5
FLOOR = 50


@dataclass(frozen=True)
class Transaction:
    """What stands before it, and what it does."""

    name: str
    before: Callable[[Doorway], object]
    act: Callable[[Doorway], object]


def _counted(door: Doorway) -> None:
    door.wait(60)
    door.attempt()


def _copy_lost(slot: int) -> Callable[[Doorway], None]:
    return lambda door: door.flip(slot * door.pair.slot_bytes * 8 + 77)


def _off_with_copy_lost(slot: int) -> Callable[[Doorway], None]:
    def lose(door: Doorway) -> None:
        door.cut_power()
        _copy_lost(slot)(door)

    return lose


def _nothing(_door: Doorway) -> None:
    pass


TRANSACTIONS = (
    Transaction("number", _nothing, lambda door: door.number()),
    Transaction("attempt", _nothing, lambda door: door.attempt()),
    Transaction("good attempt", _counted, lambda door: door.confirm()),
    Transaction("take over", _counted, lambda door: door.confirm(from_host_id=8)),
    Transaction("raise", _nothing, lambda door: door.pump.raise_session_counter(FLOOR, door.now)),
    Transaction("number, slot A lost meanwhile", _copy_lost(0), lambda door: door.number()),
    Transaction("number, slot B lost meanwhile", _copy_lost(1), lambda door: door.number()),
    Transaction("attempt, slot A lost meanwhile", _copy_lost(0), lambda door: door.attempt()),
    Transaction("attempt, slot B lost meanwhile", _copy_lost(1), lambda door: door.attempt()),
    Transaction("boot, slot A lost", _off_with_copy_lost(0), lambda door: door.restore_power()),
    Transaction("boot, slot B lost", _off_with_copy_lost(1), lambda door: door.restore_power()),
)


@cache
def _opened() -> Doorway:
    """Some sessions, the clinician's failures, and the last number given in the newest copy only."""
    door = Doorway(PROFILE)
    full_ledger(door)
    for _ in range(TOLD - 1):
        door.number()
    door.fail(FAILURES)
    door.wait(60)
    assert door.number() == SessionNumber(TOLD)
    return door


def brought_before(transaction: Transaction) -> Snapshot[Doorway]:
    door = copy_of(_opened())
    transaction.before(door)
    return Snapshot(door)


def check_after_boot(door: Doorway, least: SecurityRecord) -> None:
    """Nothing is below what was answered; every delay begins anew; and the pump goes on from there."""
    assert door.pump.powered
    record, copies = door.stored(), door.pair.copies()
    assert len(copies) == 2, "a boot leaves two good copies"
    assert record.session_counter >= least.session_counter
    assert all(count >= known for count, known in zip(record.failures, least.failures, strict=True))
    failures = record.failures[MINE]
    if delay_s(failures):
        assert door.attempt() == Refusal(Reason.DELAY, detail=delay_s(failures))
        door.wait(delay_s(failures))
    assert door.number() == SessionNumber(record.session_counter + 1)
    assert door.attempt() == AttemptCounted(failures, delay_s(failures + 1))
    assert door.confirm() == AttemptConfirmed(failures)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_a_cut_at_any_write_repeats_no_number_and_gives_no_attempt_away(
    transaction: Transaction, counted: Counted
) -> None:
    before = brought_before(transaction)
    whole = before.copy()
    # Only a good attempt may lower a count, and no other count than its own.
    good = transaction.name in ("good attempt", "take over")
    least = SecurityRecord(TOLD).counting(MINE, 0 if good else FAILURES)
    known, found = whole.pump.firmware.security.record, whole.stored()
    transaction.act(whole)
    legal = {record for record in (known, found, whole.stored()) if record is not None}
    legal |= {record.beyond() for record in legal}
    seen, cuts = set(), 0
    for off in every_cut(before, transaction.act):
        cuts += 1
        # All that a boot makes of sessions it makes of this.
        left = off.stored.security, records_in(off.stored).control
        if left not in seen:
            seen.add(left)
            door = off.again()
            door.restore_power()
            assert door.stored() in legal, str(off)
            taken_over = [record for record in door.log() if record.type is LogType.SESSION_TAKEN_OVER]
            assert not taken_over or door.stored().failures[MINE] == 0, "logged, and yet not done"
            check_after_boot(door, least)
    assert len(seen) > 1
    counted(f"power cuts, sessions: {transaction.name}", cuts)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_what_was_not_cut_holds_through_a_power_cut_behind_it(transaction: Transaction) -> None:
    door = brought_before(transaction).copy()
    transaction.act(door)
    record = door.stored()
    door.cut_power()
    door.restore_power()
    assert door.stored() == record
    check_after_boot(door, record)


@pytest.mark.parametrize("ahead", ["number", "attempt", "raise"])
def test_with_either_copy_lost_at_any_bit_nothing_is_repeated(ahead: str) -> None:
    """Each bit of both slots, while the newest copy alone holds what was answered last."""
    source = copy_of(_opened())
    highest, failures = TOLD, FAILURES
    match ahead:
        case "number":
            assert source.number() == SessionNumber(highest := TOLD + 1)
        case "attempt":
            assert source.attempt() == AttemptCounted(FAILURES, 30)
            failures = FAILURES + 1
        case "raise":
            source.pump.raise_session_counter(highest := FLOOR, source.now)
    source.cut_power()
    found: dict[object, int] = {}
    for bit in range(8 * len(source.pair.region)):
        source.flip(bit)
        found.setdefault(source.pair.read(), bit)
        source.flip(bit)
    assert len(found) == 2, "either copy"
    for bit in found.values():
        door = copy_of(source)
        door.flip(bit)
        door.restore_power()
        check_after_boot(door, SecurityRecord(highest).counting(MINE, failures))


def test_two_copies_lost_one_after_the_other_while_the_pump_runs() -> None:
    """Each is mended by the next commit, before the other may be the only one."""
    door = copy_of(_opened())
    told = TOLD
    for slot in (0, 1, 0, 0, 1, 1):
        _copy_lost(slot)(door)
        told += 1
        assert door.number() == SessionNumber(told)
        lost = copy_of(door)
        for other in (0, 1):
            again = copy_of(lost)
            _copy_lost(other)(again)
            again.cut_power()
            again.restore_power()
            check_after_boot(again, SecurityRecord(told).counting(MINE, FAILURES))


def test_a_copy_that_is_lost_is_mended_and_told_once_by_the_next_day() -> None:
    door = copy_of(_opened())
    _copy_lost(0)(door)
    assert len(door.pair.copies()) == 1
    for _ in range(3):
        door.wait(SECONDS_PER_DAY)
        assert len(door.pair.copies()) == 2
    (told,) = [record for record in door.log() if record.type is LogType.MEMORY_REPAIRED]
    assert told.detail["repairs"] == 1
    assert door.number() == SessionNumber(TOLD + 1)


def test_both_copies_that_are_lost_while_the_pump_knows_the_record_are_mended() -> None:
    door = copy_of(_opened())
    for slot in (0, 1):
        _copy_lost(slot)(door)
    door.wait(SECONDS_PER_DAY)
    (told,) = [record for record in door.log() if record.type is LogType.MEMORY_REPAIRED]
    assert told.detail["repairs"] == 2
    door.cut_power()
    door.restore_power()
    check_after_boot(door, SecurityRecord(TOLD).counting(MINE, FAILURES))


def test_a_record_that_cannot_be_mended_is_told_of_once() -> None:
    door = copy_of(_opened())
    door.cut_power()
    for slot in (0, 1):
        _copy_lost(slot)(door)
    door.restore_power()
    door.wait(3 * SECONDS_PER_DAY)
    assert [record.detail["repairs"] for record in door.log() if record.type is LogType.MEMORY_REPAIRED] == [0]
    assert AlarmType.MEMORY_REPAIRED in [alarm.type for alarm in door.alarms()]
    assert door.number() == Refusal(Reason.MEMORY_FAILURE)


roles = st.sampled_from([Role.CLINICIAN, Role.PATIENT])
ports = st.sampled_from([0, 1, 15, 16])


class Openings(RuleBasedStateMachine):
    """Hosts open sessions and fail, while power goes in every mode and copies of the record are lost.

    `least` holds for each place how many failures in a row have been answered, `since_us` when the last of them was
    or the pump booted; a count may be higher, for a cut may leave a failure counted that no one was told of.
    """

    def __init__(self) -> None:
        super().__init__()
        self.door = Doorway(LONG_LOG)
        self.highest = 0
        self.least = [0] * PLACES
        self.since_us = [0] * PLACES

    def check_refusal(self, refusal: Refusal, role: Role, port: int) -> None:
        """Only a delay refuses, and it is over when it says."""
        assert refusal.reason is Reason.DELAY
        assert 1 <= refusal.detail <= max(DELAYS_S)
        later = copy_of(self.door)
        later.pump.disarm_power_cut()
        later.wait(refusal.detail)
        assert isinstance(later.number(role, port), SessionNumber)
        assert isinstance(later.attempt(role, port), AttemptCounted)

    @rule(role=roles, port=ports)
    def number(self, role: Role, port: int) -> None:
        match self.door.number(role, port):
            case SessionNumber(counter):
                assert counter > self.highest
                self.highest = counter
            case Refusal() as refusal:
                self.check_refusal(refusal, role, port)

    @rule(role=roles, port=ports)
    def attempt(self, role: Role, port: int) -> None:
        place = place_of(role, port)
        match self.door.attempt(role, port):
            case AttemptCounted(failures, wait_s):
                assert failures >= self.least[place]
                assert wait_s == delay_s(failures + 1)
                assert self.door.now - self.since_us[place] >= delay_s(self.least[place]) * SECOND, "a try was gained"
                assert self.door.stored().failures[place] == failures + 1, "answered before it was counted"
                self.least[place], self.since_us[place] = failures + 1, self.door.now
            case Refusal() as refusal:
                self.check_refusal(refusal, role, port)

    @rule(role=roles, port=ports)
    def wrong_again_and_again(self, role: Role, port: int) -> None:
        for _ in range(4):
            self.attempt(role, port)

    @rule(role=roles, port=ports, taken_over=st.booleans())
    def good(self, role: Role, port: int, taken_over: bool) -> None:
        self.attempt(role, port)
        reply = self.door.confirm(role, port, from_host_id=3 if taken_over else None)
        assert isinstance(reply, AttemptConfirmed | None)
        # Whether it was answered or not: it may have been committed.
        self.least[place_of(role, port)] = 0

    @rule(role=st.none() | roles)
    def note(self, role: Role | None) -> None:
        self.door.note(role)

    @rule(ahead=st.integers(0, 1_000))
    def raise_counter(self, ahead: int) -> None:
        floor = self.highest + ahead
        self.door.pump.raise_session_counter(floor, self.door.now)
        if self.door.pump.powered:
            self.highest = floor

    @rule(seconds=st.sampled_from([0.000_001, 14.999_999, 15, 29.999_999, 30, 59.999_999, 60]) | st.integers(0, 70))
    def wait(self, seconds: float) -> None:
        self.door.wait(seconds)

    @rule(write=st.integers(1, 30), mode=st.sampled_from(CutMode), count=st.integers(1, 8))
    def arm(self, write: int, mode: CutMode, count: int) -> None:
        self.door.cut_power_at(write, mode, count)

    @rule()
    def cut(self) -> None:
        self.door.cut_power()

    @rule()
    def restore(self) -> None:
        if not self.door.pump.powered:
            self.door.restore_power()
            self.since_us = [self.door.now] * PLACES

    @rule(slot=st.integers(0, 1), bit=st.integers(0, 8 * 72 - 1))
    def lose_a_copy(self, slot: int, bit: int) -> None:
        if len(self.door.pair.copies()) == 2:
            self.door.flip(slot * 8 * self.door.pair.slot_bytes + bit)

    @rule(slot=st.integers(0, 1), bit=st.integers(0, 8 * 72 - 1))
    def lose_a_copy_and_boot(self, slot: int, bit: int) -> None:
        self.cut()
        self.lose_a_copy(slot, bit)
        self.restore()

    @invariant()
    def one_copy_is_always_good(self) -> None:
        assert self.door.pair.copies()


TestOpenings = Openings.TestCase
TestOpenings.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
