"""The refill as a procedure: the computed residual is told, the measured one and the new content are committed."""

from __future__ import annotations

from firmware_model.commands import BeginRefill, CommitRefill, OpOutcome, Reason, RefillBegun, Refusal
from firmware_model.firmware.alarms import clear_gone
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import THERAPY_ROLES, OpKind
from firmware_model.firmware.core import Firmware, RefillInHand
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.lives.lease import LeaseDeed
from firmware_model.firmware.prepared import end_leases
from firmware_model.firmware.program import CONCENTRATION_MIN_NG_PER_ML, DRUG_NAME_BYTES, DRUG_PLACES
from firmware_model.firmware.therapy import admit, new_entry, outcome_of

_REFILLS_A_BOOT = 0xFFFF


def begin(firmware: Firmware, command: BeginRefill) -> RefillBegun | Refusal:
    """Tell what should be left. The pump runs on; only the commit changes anything."""
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    firmware.refills_begun += 1
    refill_id = firmware.record.boot << 16 | (firmware.refills_begun - 1) % _REFILLS_A_BOOT + 1
    firmware.refill = RefillInHand(refill_id, command.origin.session)
    return RefillBegun(refill_id, firmware.reservoir_nl)


def commit(firmware: Firmware, command: CommitRefill) -> OpOutcome | Refusal:
    """The reservoir holds what the clinician says: one commit of volume, mixture, lockout, ledger and log."""
    reply = admit(firmware, command, OpKind.REFILL)
    if reply is not None:
        return reply
    if firmware.refill != RefillInHand(command.refill_id, command.origin.session):
        return Refusal(Reason.NOTHING_STAGED, "refill_id")
    refusal = _refusal(firmware, command)
    if refusal is not None:
        return refusal
    record = firmware.record
    computed_nl, now_s = firmware.reservoir_nl, firmware.elapsed_s
    change = Change(firmware)
    entry = new_entry(firmware, command, OpKind.REFILL)
    change.log(
        LogType.REFILLED,
        command.op_id,
        role=command.origin.role,
        host_id=command.origin.host_id,
        computed_nl=computed_nl,
        measured_nl=command.measured_nl,
        volume_nl=command.volume_nl,
    )
    change.set(
        reservoir_nl=command.volume_nl,
        reservoir_steps=firmware.steps_total,
        refilled_s=max(1, now_s),
        filled_nl=command.volume_nl,
        discrepancy_nl=command.measured_nl - computed_nl,
        mixture=command.drugs,
        lockout_until_s=max(record.lockout_until_s, firmware.counts_from_s + record.program.patient.lockout_s),
        ledger=record.ledger.enter(entry),
    )
    change.raise_revision()
    firmware.refill = None
    end_leases(firmware, LeaseDeed.CHANGE)
    change.commit()
    clear_gone(firmware)
    follow(firmware)
    return outcome_of(entry)


def end_session(firmware: Firmware, session: int) -> None:
    """A session's refill dies with it: nothing has changed."""
    if firmware.refill is not None and firmware.refill.session == session:
        firmware.refill = None


def _refusal(firmware: Firmware, command: CommitRefill) -> Refusal | None:
    capacity_nl = firmware.profile.reservoir.capacity_nl
    highest = firmware.profile.therapy.concentration_max_ng_per_ml
    for field, volume_nl in (("measured_nl", command.measured_nl), ("volume_nl", command.volume_nl)):
        most_nl = capacity_nl + (firmware.profile.reservoir.overfill_max_nl if field == "measured_nl" else 0)
        if volume_nl > most_nl:
            return Refusal(Reason.ABOVE_MAXIMUM, field, detail=most_nl)
    names = [name for name, _ in command.drugs]
    proper = all(0 < len(name) <= DRUG_NAME_BYTES and name.isascii() and name.isprintable() for name in names)
    if len(names) > DRUG_PLACES or len(set(names)) < len(names) or not proper:
        return Refusal(Reason.FORMAT, "drugs")
    if len(names) > firmware.profile.therapy.drugs_max:
        return Refusal(Reason.TOO_MANY_DRUGS, "drugs", detail=firmware.profile.therapy.drugs_max)
    for _, concentration in command.drugs:
        if concentration < CONCENTRATION_MIN_NG_PER_ML:
            return Refusal(Reason.BELOW_MINIMUM, "drugs", detail=CONCENTRATION_MIN_NG_PER_ML)
        if concentration > highest:
            return Refusal(Reason.ABOVE_MAXIMUM, "drugs", detail=highest)
    return None
