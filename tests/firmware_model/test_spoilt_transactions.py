"""Writes go wrong while the power stays, at each write of every transaction: mended and told, or the pump stops."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import pytest

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.base_rate import wanted_rate
from firmware_model.firmware.codes import AlarmState, AlarmType, RunState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.record_layout import packed, unpack_record
from firmware_model.firmware.security_record import pack_security
from firmware_model.memory import MOST_REPEATS
from firmware_model.write_faults import ArmedWriteFault, WriteFaultKind
from tests.conftest import Counted
from tests.firmware_model.copied import Snapshot
from tests.firmware_model.cut_points import Records, records_of, stored_by, writes_of
from tests.firmware_model.cut_verdicts import check_after_boot
from tests.firmware_model.doorway import Doorway
from tests.firmware_model.lead_ups import INTERVAL_NL
from tests.firmware_model.transactions import TRANSACTIONS, Transaction, transaction

FAULTS: Mapping[str, Callable[[int], ArmedWriteFault]] = MappingProxyType(
    {
        "lost": lambda write: ArmedWriteFault(write, WriteFaultKind.LOST, count=MOST_REPEATS),
        "flipped": lambda write: ArmedWriteFault(write, WriteFaultKind.FLIPPED, bit=37 * write),
        "stuck": lambda write: ArmedWriteFault(write, WriteFaultKind.STUCK),
        "all lost": lambda write: ArmedWriteFault(write, WriteFaultKind.LOST, count=1_000),
    }
)
"""What may become of a write, and of those behind it, by its number."""
ENDS = MappingProxyType({"lost": "mended", "flipped": "mended", "stuck": "failed", "all lost": "failed"})
"""What that comes to, unless it is harmless: what was to be written stands there already, or is written over."""
OFTEN = ("lost", "flipped", "stuck")
each_transaction = pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda transaction: transaction.name)


@each_transaction
def test_therapy_never_runs_on_what_memory_does_not_hold(transaction: Transaction, counted: Counted) -> None:
    counted(f"spoilt writes: {transaction.name}", spoil_every_write(transaction, OFTEN))


@pytest.mark.parametrize("name", ["execute", "program SINGLE_BOLUS", "boot, a bolus ran", "attempt"])
def test_a_memory_that_takes_no_write_any_more_stops_the_pump(name: str) -> None:
    spoil_every_write(transaction(name), ["all lost"])


def test_a_log_that_takes_no_record_costs_no_copy_of_the_control_record() -> None:
    """Records are waited for before anything of a slot is written."""
    door = transaction("execute").brought_before()
    memory, stored = door.pump.memory, stored_by(door)
    memory.armed_fault = ArmedWriteFault(6, WriteFaultKind.STUCK)
    assert door.execute(1, 40_000, 40) == Refusal(Reason.MEMORY_FAILURE)
    assert stored_by(door).control == stored.control
    assert stored_by(door).log != stored.log


def spoil_every_write(transaction: Transaction, kinds: Sequence[str]) -> int:
    """Let each write of a transaction go wrong in these ways; returns how many faults that were."""
    before = Snapshot(transaction.brought_before())
    sound = before.copy()
    transaction.act(sound)
    writes = writes_of(before, transaction.act)
    ended = {
        (kind, spoil(before.copy(), transaction, FAULTS[kind](write), sound))
        for write in range(1, writes + 1)
        for kind in kinds
    }
    assert {(kind, end) for kind, end in ended if end != "harmless"} == {(kind, ENDS[kind]) for kind in kinds}
    return writes * len(kinds)


def spoil(door: Doorway, transaction: Transaction, fault: ArmedWriteFault, sound: Doorway) -> str:
    """One fault; what it came to: it was harmless, it was mended, or memory has failed."""
    repairs = door.pump.memory.repairs
    door.pump.memory.armed_fault = fault
    reply = transaction.act(door)
    # Whoever asks next learns of it.
    if door.status().run_state is RunState.FAILED:
        check_failed(door)
        if not (reply is None or isinstance(reply, Refusal)):
            assert door.ops() == sound.ops(), "answered, and then lost"
        return "failed"
    check_running(door)
    assert therapy_of(door) == therapy_of(sound)
    if door.pump.memory.repairs == repairs:
        return "harmless"
    assert AlarmType.MEMORY_REPAIRED in standing(door)
    assert LogType.MEMORY_REPAIRED in {record.type for record in door.log()}
    return "mended"


def standing(door: Doorway) -> set[AlarmType]:
    return {alarm.type for alarm in door.alarms() if alarm.state is not AlarmState.CLEARED}


def therapy_of(door: Doorway) -> tuple[object, ...]:
    """All that a transaction is about; the rest of the record tells of the repair."""
    record = door.pump.firmware.record
    alarms = [(alarm.type, alarm.state) for alarm in record.alarms if alarm.type is not AlarmType.MEMORY_REPAIRED]
    return (
        (record.program, record.run_state, record.stop_reason, record.bolus, record.dose, record.doses),
        (record.reservoir_nl, record.mixture, record.lockout_until_s, record.clock_base_us, record.clock_valid),
        (record.therapy_rev, record.ledger, record.told_steps, alarms, door.pump.firmware.security.record),
    )


def check_running(door: Doorway) -> None:
    """Memory holds what the firmware knows, and what flows is what it says."""
    firmware = door.pump.firmware
    record, flow = firmware.record, firmware.flow
    security = firmware.security.record
    assert security is not None
    assert records_of(door) == Records(packed(record, door.pump.profile), pack_security(security))
    assert (flow.bolus is None, flow.dose is None) == (record.bolus is None, record.dose is None)
    assert flow.base.gain == wanted_rate(firmware)


def check_failed(door: Doorway) -> None:
    """Nothing flows, an alarm says why, nothing more is written; and once memory can be written, a boot takes it up."""
    status, pump = door.status(), door.pump
    assert (status.stop_reason, status.base_rate_nl_per_day) == (StopReason.MEMORY_FAILURE, 0)
    assert standing(door) == {AlarmType.MEMORY_FAILURE}
    for reply in (door.start(1), door.prepare(1_000, 10), door.stop(1)):
        assert isinstance(reply, Refusal)
        assert reply.reason is Reason.MEMORY_FAILURE
    steps, stored = pump.plant.motor.steps, stored_by(door)
    pump.end_session(1, door.now)
    door.wait(100_000)
    assert pump.plant.motor.steps == steps
    assert stored_by(door) == stored
    pump.memory.armed_fault = None
    held = pump.memory.control.read()
    assert held is not None
    door.cut_power()
    door.events()
    door.restore_power()
    assert door.pump.firmware.record.program == unpack_record(held.body, pump.profile).program
    check_after_boot(door, INTERVAL_NL)
