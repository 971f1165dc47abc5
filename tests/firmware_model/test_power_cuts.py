"""Power is cut at every write of every transaction, in every mode, and within it after each of its bytes."""

import pytest

from firmware_model.commands import Refusal
from firmware_model.firmware.codes import OpState
from firmware_model.memory import ArmedCut, CutMode
from firmware_model.pump import PowerCut, PowerRestored
from firmware_model.write_faults import ArmedWriteFault, WriteFaultKind
from tests.conftest import Counted
from tests.firmware_model.bedside import SECOND, granted
from tests.firmware_model.copied import Snapshot
from tests.firmware_model.cut_points import cut_in, every_cut, writes_of
from tests.firmware_model.cut_verdicts import Verdicts, check_after_boot
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.lead_ups import INTERVAL_NL, PATIENT, PROFILE, boot
from tests.firmware_model.transactions import (
    TRANSACTIONS,
    Transaction,
    transaction,
)


@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)
def test_a_cut_at_any_write_leaves_the_old_record_or_the_new(transaction: Transaction, counted: Counted) -> None:
    """And a boot makes of it what it makes of that record, to the last byte."""
    verdicts = Verdicts(Snapshot(transaction.brought_before()), transaction.act, INTERVAL_NL)
    verdicts.judge()
    assert len(verdicts.chain) == 1 + transaction.commits
    assert verdicts.figures.pumps > transaction.commits
    counted(f"power cuts: {transaction.name}", verdicts.figures.cuts)


def test_of_torn_and_garbled_writes_a_real_pump_has_just_the_bytes_that_are_cut_together() -> None:
    """A transaction in which a page is erased, words of the log are written, and all kinds of words of a record."""
    empty = transaction("single dose ends")
    before = Snapshot(empty.brought_before())
    pages = 0
    for off in every_cut(before, empty.act):
        real = cut_in(before, empty.act, off.write, off.mode, off.torn_bytes)
        assert real is not None
        assert (real.stored, real.beside) == (off.stored, off.beside), str(off)
        pages += off.torn_bytes > 100 and off.mode is CutMode.TORN
    assert pages


@pytest.mark.parametrize("name", ["execute", "program SIMPLE_CONTINUOUS"])
def test_a_second_cut_during_the_boot_behind_the_first(name: str, counted: Counted) -> None:
    """Every cut of the boot, behind one cut of each kind: the old record, both copies or one of them, and the new one.

    `scripts/soak cuts` tries the boots behind all cuts.
    """
    first = transaction(name)
    cuts, seen = 0, set()
    for off in every_cut(Snapshot(first.brought_before()), first.act):
        door = off.again()
        copies = tuple(door.pump.memory.control.copies())
        if copies not in seen:
            seen.add(copies)
            verdicts = Verdicts(Snapshot(door), boot, INTERVAL_NL)
            verdicts.judge()
            cuts += verdicts.figures.cuts
    assert len(seen) == 3
    counted(f"pairs of power cuts: {name}", cuts)


def test_a_bolus_stays_bounded_by_what_was_journalled_however_often_the_boot_is_cut() -> None:
    """13 of 40 steps were given. A boot that does not come to its end knows no less than the one before it."""
    door = transaction("boot, a bolus ran").brought_before()
    cut_boots(door, 3)
    (entry,) = [entry for entry in door.ops().entries if entry.max_nl]
    assert (entry.state, entry.min_nl, entry.max_nl) == (OpState.PARTIAL, 12_000, 16_000)


def cut_boots(door: Doorway, times: int) -> None:
    """The power goes so often at the third write of the boot, and then it stays."""
    door.cut_power()
    for _ in range(times):
        door.cut_power_at(3)
        door.restore_power()
        assert not door.pump.powered
    door.restore_power()


@pytest.mark.parametrize("times", [0, 1, 9])
def test_no_lockout_gets_shorter_and_no_count_runs_away_however_often_the_boot_is_cut(times: int) -> None:
    """100 of 600 seconds are over; a boot may add a journal's interval to what is left, and takes nothing from it."""
    door = transaction("patient bolus").brought_before()
    granted(door.patient_bolus())
    door.wait(100)
    delivered_nl = door.status().delivered_nl
    cut_boots(door, times)
    refusal = door.patient_bolus()
    assert isinstance(refusal, Refusal)
    assert PATIENT.lockout_s - 100 <= refusal.detail <= PATIENT.lockout_s - 100 + 60
    assert delivered_nl <= door.status().delivered_nl <= delivered_nl + INTERVAL_NL


def test_a_cut_is_told_with_its_write_and_the_boot_tells_what_had_become_true() -> None:
    """The commit word of a STOP was written, the answer never came: the record is told once power is back."""
    door = Doorway(PROFILE)
    writes = writes_of(Snapshot(door), lambda door: door.stop())
    door.events()
    door.cut_power_at(writes, CutMode.AFTER)
    assert door.stop() is None
    assert door.events() == [PowerCut(0, "control.commit")]
    door.wait(5)
    door.restore_power()
    assert door.words() == ["power restored", "tone", "THERAPY_STOPPED", "BOOT", "ALARM_RAISED"]
    assert PowerRestored(5 * SECOND) in door.happened
    assert door.query(1).state is OpState.DONE


def test_a_disarmed_cut_does_not_come() -> None:
    door = Doorway(PROFILE)
    door.cut_power_at(1)
    door.pump.disarm_power_cut()
    door.stop()
    assert door.pump.powered


def test_one_write_more_than_there_are_cuts_nothing() -> None:
    door = transaction("execute").brought_before()
    writes = writes_of(Snapshot(door), transaction("execute").act)
    door.cut_power_at(writes + 1)
    granted(door.execute(1, 40_000, 40))
    assert door.pump.powered
    assert door.stop() is None, "it waits for the next transaction"


@pytest.mark.parametrize("mode", [CutMode.BEFORE, CutMode.LATE])
def test_power_may_go_while_a_repair_of_the_boot_is_told(mode: CutMode) -> None:
    """The boot's first write is lost and done again; then the power goes at any write, those behind the boot's too."""
    before = Snapshot(transaction("boot, a bolus ran").brought_before())
    writes, told = writes_of(before, boot), 0
    for write in range(1, 3 * writes):
        door = before.copy()
        memory = door.pump.memory
        memory.armed_fault = ArmedWriteFault(1, WriteFaultKind.LOST)
        memory.armed_cut = ArmedCut(write, mode, 4)
        door.restore_power()
        if not door.pump.powered:
            told = max(told, write)
            door.events()
            door.restore_power()
        door.pump.disarm_power_cut()
        check_after_boot(door, INTERVAL_NL)
    assert told > writes + 1


def test_the_tone_of_a_memory_that_fails_is_told_at_once() -> None:
    door = transaction("execute").brought_before()
    door.events()
    door.pump.memory.armed_fault = ArmedWriteFault(1, WriteFaultKind.STUCK)
    assert isinstance(door.execute(1, 40_000, 40), Refusal)
    assert door.words() == ["tone"]
