"""Commands that change therapy: which are admitted, and what each does in one commit with its ledger entry."""

from __future__ import annotations

from firmware_model.commands import (
    NO_TARGET,
    BegunBolus,
    LedgerEntry,
    OpOutcome,
    Reason,
    Refusal,
    Start,
    Stop,
    Target,
    TherapyCommand,
)
from firmware_model.firmware.alarms import clear_gone, note_incomplete
from firmware_model.firmware.base_rate import follow, programmed_rate
from firmware_model.firmware.cell_check import cell_refusal
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import (
    THERAPY_ROLES,
    BolusEnd,
    OpKind,
    OpState,
    RunState,
    StopReason,
)
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.dose import start_flow, take_up, would_waste_its_dose
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.ledger import check_op_id
from firmware_model.firmware.lives.op import STATE_WHEN_TAKEN
from firmware_model.firmware.lives.run import RUN_LIFE, RunDeed
from firmware_model.firmware.prepared import void_prepared
from firmware_model.firmware.program import Program

_STAYING_REASONS = frozenset({StopReason.EMPTY_RESERVOIR, StopReason.END_OF_SERVICE, StopReason.SUPERVISOR})
"""Of these a command to stop says nothing new; any other stop is from then on one that only START ends."""

_FAILED = RunState.FAILED
# In which states START is admitted, the gate says.
_WHEN_STARTED = RUN_LIFE[RunState.STOPPED, RunDeed.START]


def admit(
    firmware: Firmware, command: TherapyCommand, kind: OpKind, *, any_revision: bool = False
) -> OpOutcome | Refusal | None:
    """The checks that all therapy commands share, in their order: role, ledger, op_high, therapy_rev, state.

    Returns the stored outcome of a command that was taken before, a refusal, or None: the command is new and may go on.
    """
    record = firmware.record
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    if record.run_state is _FAILED:
        # The ledger is lost. Any refusal by op id or revision would say that the command was never taken.
        return Refusal(Reason.MEMORY_FAILURE)
    ledger = record.ledger.of(command.origin.role)
    known = ledger.find(command.op_id) if command.op_id <= ledger.op_high else None
    if known is not None:
        if is_same(known, command, kind):
            return stored_outcome(firmware.told(known))
        return Refusal(Reason.OP_ID_REUSED, "op_id", detail=ledger.op_high)
    refusal = check_op_id(ledger, command.op_id)
    if refusal is not None:
        return refusal
    if not any_revision and command.therapy_rev != record.therapy_rev:
        newest = record.ledger.newest()
        role, op_id = (newest.role, newest.op_id) if newest else (0, 0)
        return Refusal(Reason.UNRESOLVED, "therapy_rev", element=role, detail=op_id)
    return gate_refusal(firmware, command.origin)


def is_same(known: LedgerEntry, command: TherapyCommand, kind: OpKind) -> bool:
    """Whether an entry is that of this very command."""
    same_host = known.host_id == command.origin.host_id
    return same_host and known.kind is kind and known.fingerprint == command.fingerprint


def stored_outcome(known: LedgerEntry) -> OpOutcome:
    """The outcome of a command that was taken before."""
    return OpOutcome(
        op_id=known.op_id,
        state=known.state,
        min_nl=known.min_nl,
        max_nl=known.max_nl,
        log_sequence=known.log_sequence,
        repeated=True,
    )


def new_entry(firmware: Firmware, command: TherapyCommand, kind: OpKind) -> LedgerEntry:
    """The ledger entry of a command whose first log record is the next one."""
    return LedgerEntry(
        role=command.origin.role,
        op_id=command.op_id,
        host_id=command.origin.host_id,
        kind=kind,
        fingerprint=command.fingerprint,
        state=STATE_WHEN_TAKEN[kind],
        min_nl=0,
        max_nl=0,
        log_sequence=firmware.record.log_next,
    )


def outcome_of(
    entry: LedgerEntry,
    target: Target = NO_TARGET,
    begun: BegunBolus | None = None,
    base_rate_nl_per_day: int | None = None,
) -> OpOutcome:
    """The outcome of a command that has just been entered."""
    return OpOutcome(
        op_id=entry.op_id,
        state=entry.state,
        min_nl=entry.min_nl,
        max_nl=entry.max_nl,
        log_sequence=entry.log_sequence,
        target=target,
        begun=begun,
        base_rate_nl_per_day=base_rate_nl_per_day,
    )


def stop(firmware: Firmware, command: Stop) -> OpOutcome | Refusal:
    """Halt, always: the motor first, then the commit. Only a new op id within the window is entered.

    Nothing is asked but the role: not even the gate of states.
    """
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    firmware.flow.base.gain = 0
    firmware.flow.dose = firmware.flow.bolus = None
    void_prepared(firmware)
    record = firmware.record
    if record.run_state is _FAILED:
        return Refusal(Reason.MEMORY_FAILURE)
    part = record.ledger.of(command.origin.role)
    known = part.find(command.op_id)
    repeated = known is not None and is_same(known, command, OpKind.STOP)
    enters = known is None and check_op_id(part, command.op_id) is None
    halts = record.run_state is RunState.RUNNING
    if not halts and not enters:
        note_incomplete(firmware)
        if known is not None and repeated:
            return stored_outcome(known)
        return OpOutcome(op_id=command.op_id, state=OpState.DONE, min_nl=0, max_nl=0, log_sequence=0, entered=False)
    entry = new_entry(firmware, command, OpKind.STOP)
    target = _halt(firmware, command, entry if enters else None)
    return OpOutcome(
        op_id=command.op_id,
        state=OpState.DONE,
        min_nl=0,
        max_nl=0,
        log_sequence=entry.log_sequence,
        repeated=repeated,
        entered=enters or repeated,
        target=target,
    )


def _halt(firmware: Firmware, command: Stop, entry: LedgerEntry | None) -> Target:
    """Commit a halt of a motor that stands still already; returns the bolus that it ended."""
    record, origin = firmware.record, command.origin
    bolus, target = record.bolus, NO_TARGET
    if bolus is not None:
        given_nl = firmware.bolus_steps * firmware.flow.step_volume_nl
        target = Target(op_id=bolus.op_id, min_nl=given_nl, max_nl=given_nl, reason=BolusEnd.STOPPED)
    reason = record.stop_reason
    change = Change(firmware)
    change.halt(StopReason.COMMANDED, role=origin.role, host_id=origin.host_id, op_id=command.op_id)
    if reason in _STAYING_REASONS:
        change.set(stop_reason=reason)
    change.end_bolus(BolusEnd.STOPPED)
    change.end_dose(BolusEnd.STOPPED)
    change.set(programming=False)
    if entry:
        change.set(ledger=change.record.ledger.enter(entry))
    change.commit()
    return target


def start(firmware: Firmware, command: Start) -> OpOutcome | Refusal:
    """Resume the programmed infusion."""
    reply = admit(firmware, command, OpKind.START)
    if reply is not None:
        return reply
    record = firmware.record
    if not mixture_fits(record.program, record.mixture):
        return Refusal(Reason.CONCENTRATION_MISMATCH)
    weak = cell_refusal(firmware)
    if weak is not None:
        return weak
    if would_waste_its_dose(firmware, record.program):
        return Refusal(Reason.STALLED)
    entry = new_entry(firmware, command, OpKind.START)
    change = Change(firmware)
    change.set(
        run_state=_WHEN_STARTED,
        stop_reason=StopReason.NONE,
        stopped_since_s=0,
        programming=False,
        ledger=record.ledger.enter(entry),
    )
    change.log(
        LogType.THERAPY_STARTED,
        command.op_id,
        role=command.origin.role,
        host_id=command.origin.host_id,
        rate_nl_per_day=programmed_rate(firmware),
    )
    change.raise_revision()
    take_up(change)
    change.commit()
    start_flow(firmware)
    follow(firmware)
    clear_gone(firmware)
    return outcome_of(entry)


def mixture_fits(program: Program, mixture: tuple[tuple[str, int], ...]) -> bool:
    """Whether a program is meant for what the last refill said to be in the reservoir. Nothing said fits anything."""
    return not mixture or set(mixture) == {(drug.name, drug.concentration_ng_per_ml) for drug in program.drugs}
