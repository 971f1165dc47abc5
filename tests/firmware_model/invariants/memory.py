"""M1 to M6: power and memory may fail at any instant; the pump comes back, whole or standing still and saying so."""

from __future__ import annotations

from firmware_model.commands import AttemptCounted, ConfirmAttempt, CountAttempt, NumberSession, Refusal, SessionNumber
from firmware_model.firmware.codes import AlarmType, BolusKind, RunState, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.security_record import MOST_FAILURES
from tests.firmware_model.invariants.fault_book import MEMORY, VOLTAGE
from tests.firmware_model.invariants.ward import Ward

_MOST_CHANGES = 1_000
"""A fault that comes again and again may bring as many boots."""


def boots_once(ward: Ward) -> None:
    """M1: a power that stays on boots the pump once, to what the log says, or to a standstill with an alarm."""
    step, pump = ward.step, ward.pump
    chances = ward.chances + len(step.faults_changed) * _MOST_CHANGES
    assert step.restored <= chances, f"{step.restored} boots"
    if ward.must_run:
        assert pump.powered, "it does not come back"
    if pump.powered and pump.firmware.record.run_state is RunState.FAILED:
        assert [alarm.type for alarm in pump.firmware.record.alarms] == [AlarmType.MEMORY_FAILURE]
        flow = pump.firmware.flow
        assert flow.base.gain == 0
        assert flow.bolus is None
        assert flow.dose is None


def flips_are_found_or_harmless(ward: Ward) -> None:
    """M2: after any one bit has fallen over, the pump is the same, or tells of it and mends it; bad data never flow."""
    step, notes = ward.step, ward.notes
    for flip in step.flips:
        assert flip.same or flip.told, f"bit {flip.bit} of {flip.region} has changed the pump, and nothing says so"
        assert flip.failed or not flip.both, "both copies are bad, and the pump goes on"
        assert not (flip.failed and flip.flows)
    for boot in step.of(LogType.BOOT):
        assert notes.may_lose_a_copy or not boot.record.detail["memory"], "a copy was lost without a reason"
    struck = not MEMORY.isdisjoint(step.faults_changed)
    if not ward.books.judged or not (struck or notes.lost_a_copy):
        return
    memory = ward.pump.memory
    security_known = ward.pump.firmware.security.record is not None
    lost = memory.check(memory.control) + security_known * memory.check(memory.security)
    told = bool(step.of(LogType.MEMORY_REPAIRED))
    if step.days and not (struck or step.cuts or memory.armed_fault or ward.suspended):
        # Another commit may have overwritten it before anyone looked: one with a record, or a dose's turn that passed.
        turns = ward.books.program.dose_interval_s
        undisturbed = step.told[0].record.type is LogType.DELIVERED and not step.asked and not turns
        assert told or not (notes.lost_a_copy and undisturbed), "a lost copy is not told of"
        assert not lost, "a lost copy is not mended"
    notes.lost_a_copy = bool(lost)


def thresholds_fire_in_order(ward: Ward) -> None:
    """M3: charge only falls; below its level replacement is raised within a day; behind the end no step is made."""
    step, books, notes = ward.step, ward.books, ward.notes
    assert ward.seen.charge_fc <= ward.before.charge_fc
    # While none of these changes, the measured voltage falls with the charge.
    changed = not VOLTAGE.isdisjoint(step.faults_changed)
    eri_mv = ward.profile.cell.eri_mv
    for raising in step.raisings:
        if raising.type is AlarmType.REPLACEMENT:
            assert raising.caused or changed or ward.seen.measured_mv < eri_mv, "a false alarm: REPLACEMENT"
        elif raising.type is AlarmType.END_OF_SERVICE:
            notes.served_pulses = ward.seen.pulses
    if ward.before.measured_mv < eri_mv and not changed and step.days:
        assert books.replacement_s, "no alarm says REPLACEMENT"
    assert notes.served_pulses in (None, ward.seen.pulses), "a step behind the end of service"


def watchdog_makes_safe(ward: Ward) -> None:
    """M4: a scheduler that is blocked for so long stands still by command, too, from that instant on."""
    for raising in ward.step.raisings:
        if raising.type is AlarmType.SUPERVISOR and raising.told.running:
            reasons = [stop.reason for stop in ward.step.stops if stop.told.at_us == raising.told.at_us]
            assert StopReason.SUPERVISOR in reasons
    assert AlarmType.SUPERVISOR not in ward.step.untold, "a blocked scheduler is left alone"
    if ward.books.judged:
        assert ward.pump.firmware.hung_since_us == ward.books.hung_since_us


def nothing_begins_on_a_weak_cell(ward: Ward) -> None:
    """M6: as long as the measured voltage stays below what the electronics start with."""
    step = ward.step
    weak = ward.before.measured_mv < ward.profile.cell.restart_mv
    if weak and VOLTAGE.isdisjoint(step.faults_changed):
        assert all(start.kind is BolusKind.PROGRAMMED for start in step.starts), "a bolus begins on a weak cell"
        assert not step.of(LogType.THERAPY_STARTED), "therapy begins on a weak cell"


def numbers_never_come_twice(ward: Ward) -> None:
    """M5: session numbers rise, and attempts are counted before they are judged, over any loss of power."""
    notes = ward.notes
    for command, reply, _ in ward.step.asked:
        if isinstance(command, NumberSession) and isinstance(reply, SessionNumber):
            assert reply.counter > notes.session_high, f"session {reply.counter} comes again"
            notes.session_high = reply.counter
        elif isinstance(command, CountAttempt) and isinstance(reply, AttemptCounted):
            place = (command.role, command.port)
            assert reply.failures >= min(notes.wrong[place], MOST_FAILURES - 1), "an attempt was gained"
            notes.wrong[place] += 1
        elif isinstance(command, ConfirmAttempt) and not isinstance(reply, Refusal):
            notes.wrong[command.role, command.port] = 0
