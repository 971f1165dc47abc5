"""The bolus: prepared under a lease, executed in one commit, ended by its last step, a command or a fault."""

from __future__ import annotations

from firmware_model.agenda import NEVER, Rank
from firmware_model.commands import (
    BegunBolus,
    CancelBolus,
    ExecuteBolus,
    GivePatientBolus,
    OpOutcome,
    PrepareBolus,
    PreparedBolus,
    Reason,
    Refusal,
    Target,
    TherapyCommand,
)
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, THERAPY_ROLES, BolusEnd, BolusKind, OpKind
from firmware_model.firmware.core import Firmware, Lease
from firmware_model.firmware.dead_volume import dead_volume_asked
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.flow import Channel
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.limits import (
    available_nl,
    bolus_refusal,
    patient_refusal,
    remembered,
    volume_max_nl,
    window_left_nl,
)
from firmware_model.firmware.lives.lease import LeaseDeed
from firmware_model.firmware.prepared import end_leases
from firmware_model.firmware.program import PatientBolusSetting
from firmware_model.firmware.record import BolusRecord, GivenDose
from firmware_model.firmware.therapy import admit, new_entry, outcome_of
from firmware_model.quantities import US_PER_SECOND

MOST_LEASES = 4
"""Leases held at once, of different sessions; the oldest gives way."""
PREPARED_KINDS = (BolusKind.SINGLE, BolusKind.PRIMING, BolusKind.BRIDGE)
"""The kinds of bolus that PREPARE takes."""

_PATIENT_BOLUS, _PATIENT = OpKind.PATIENT_BOLUS, BolusKind.PATIENT
_STARTED, _COMPLETE, _END = LogType.BOLUS_STARTED, BolusEnd.COMPLETE, Rank.BOLUS_COMPLETE


def prepare(firmware: Firmware, command: PrepareBolus) -> PreparedBolus | Refusal:
    """Check, quantise down to whole steps and lease a bolus. Only the number of the next bolus is committed."""
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    kind, volume_nl, duration_s = command.kind, command.volume_nl, command.duration_s
    if kind not in PREPARED_KINDS:
        return Refusal(Reason.KIND, "kind", detail=BolusKind.SINGLE)
    if kind in DEAD_VOLUME_KINDS:
        asked = dead_volume_asked(firmware, kind, volume_nl, duration_s)
        if isinstance(asked, Refusal):
            return asked
        volume_nl, duration_s = asked
    refusal = bolus_refusal(firmware, kind, volume_nl, duration_s)
    if refusal is not None:
        return refusal
    step_nl = firmware.profile.motor.step_volume_nl
    steps = volume_nl // step_nl
    if steps == 0:
        return Refusal(Reason.NOT_QUANTIZABLE, "volume_nl", detail=step_nl)
    # What is leased must be admitted when it is executed, and rounding down may have brought it below the minimum.
    refusal = bolus_refusal(firmware, kind, steps * step_nl, duration_s)
    if refusal is not None:
        return refusal
    lease = Lease(
        bolus_id=firmware.record.next_bolus_id,
        session=command.origin.session,
        kind=kind,
        steps=steps,
        duration_s=duration_s,
        expires_us=firmware.now_us + firmware.profile.bolus.lease_s * US_PER_SECOND,
    )
    firmware.record.next_bolus_id += 1
    firmware.commit(())
    end_leases(firmware, LeaseDeed.REPLACE, lambda held: held.session == lease.session)
    if len(firmware.leases) == MOST_LEASES:
        oldest = firmware.leases[0]
        end_leases(firmware, LeaseDeed.REPLACE, lambda held: held is oldest)
    firmware.leases.append(lease)
    available = available_nl(firmware)
    if kind not in DEAD_VOLUME_KINDS:
        available = min(volume_max_nl(firmware), available, window_left_nl(firmware))
    return PreparedBolus(
        bolus_id=lease.bolus_id,
        volume_nl=steps * step_nl,
        duration_s=lease.duration_s,
        steps=steps,
        lease_s=firmware.profile.bolus.lease_s,
        available_nl=available,
    )


def execute(firmware: Firmware, command: ExecuteBolus) -> OpOutcome | Refusal:
    """Give a prepared bolus: one commit of ledger, revision, bolus and log, then the first step."""
    reply = admit(firmware, command, OpKind.BOLUS)
    if reply is not None:
        return reply
    lease = next((held for held in firmware.leases if _fits(held, command)), None)
    if lease is None:
        issued = command.bolus_id < firmware.record.next_bolus_id
        return Refusal(Reason.LEASE_EXPIRED if issued else Reason.NO_SUCH_BOLUS, "bolus_id")
    volume_nl = lease.steps * firmware.profile.motor.step_volume_nl
    if command.volume_nl != volume_nl:
        return Refusal(Reason.NOT_AS_PREPARED, "volume_nl", detail=volume_nl)
    if command.duration_s != lease.duration_s:
        return Refusal(Reason.NOT_AS_PREPARED, "duration_s", detail=lease.duration_s)
    refusal = bolus_refusal(firmware, lease.kind, volume_nl, lease.duration_s)
    if refusal is not None:
        return refusal
    end_leases(firmware, LeaseDeed.EXECUTE, lambda held: held is lease)
    change = Change(firmware)
    outcome = begin(
        change, command, OpKind.BOLUS, lease.kind, lease.bolus_id, steps=lease.steps, duration_s=lease.duration_s
    )
    if lease.kind in DEAD_VOLUME_KINDS:
        follow(firmware)
    return outcome


def give_patient_bolus(firmware: Firmware, command: GivePatientBolus) -> OpOutcome | Refusal:
    """The patient's own bolus, within what the clinician allowed. What is refused starts no lockout anew."""
    reply = admit(firmware, command, _PATIENT_BOLUS)
    if reply is not None:
        return reply
    record = firmware.record
    setting = record.program.patient
    if not setting.activations_max:
        return Refusal(Reason.CONDITIONS)
    now_s = firmware.elapsed_s
    if now_s < record.lockout_until_s:
        return Refusal(Reason.LOCKOUT, detail=record.lockout_until_s - now_s)
    refusal = _activations_refusal(record.doses, setting, now_s) or patient_refusal(firmware)
    if refusal is not None:
        return refusal
    change = Change(firmware)
    bolus_id = record.next_bolus_id
    record.lockout_until_s, record.next_bolus_id = firmware.counts_from_s + setting.lockout_s, bolus_id + 1
    return begin(
        change,
        command,
        _PATIENT_BOLUS,
        _PATIENT,
        bolus_id,
        steps=setting.volume_nl // firmware.profile.motor.step_volume_nl,
        duration_s=setting.duration_s,
    )


def _activations_refusal(doses: tuple[GivenDose, ...], setting: PatientBolusSetting, now_s: int) -> Refusal | None:
    """Why the patient has to wait: as many activations as are allowed lie in the window that ends now."""
    if len(doses) < setting.activations_max:
        return None
    since_s = now_s - setting.window_s
    activations_s = [dose.start_s for dose in doses if dose.by_patient and dose.start_s > since_s]
    if len(activations_s) < setting.activations_max:
        return None
    return Refusal(Reason.LOCKOUT, element=len(activations_s), detail=min(now_s, *activations_s) - since_s)


def begin(
    change: Change,
    command: TherapyCommand,
    op_kind: OpKind,
    kind: BolusKind,
    bolus_id: int,
    *,
    steps: int,
    duration_s: int,
) -> OpOutcome:
    """Commit an admitted bolus, let it flow, and plan its end."""
    firmware, record, origin = change.firmware, change.record, command.origin
    volume_nl = steps * firmware.flow.step_volume_nl
    entry = new_entry(firmware, command, op_kind)
    change.log(
        _STARTED,
        command.op_id,
        role=origin.role,
        host_id=origin.host_id,
        bolus_id=bolus_id,
        volume_nl=volume_nl,
        duration_s=duration_s,
        kind=kind,
    )
    record.bolus = BolusRecord(bolus_id, kind, origin.role, origin.host_id, command.op_id, steps, duration_s)
    record.ledger = record.ledger.enter(entry)
    change.raise_revision()
    if kind not in DEAD_VOLUME_KINDS:
        start_s = firmware.counts_from_s
        given = GivenDose(bolus_id, start_s, start_s + duration_s, volume_nl, kind is _PATIENT)
        record.doses = remembered(firmware, given)
    firmware.bolus_steps = 0
    firmware.stall.bolus_steps = 0
    change.commit()
    duration_us = duration_s * US_PER_SECOND
    firmware.flow.bolus = Channel(duration_us, steps)
    # The last step falls exactly at the end.
    firmware.agenda.due_us[_END] = firmware.now_us + duration_us if firmware.hung_since_us is None else NEVER
    return outcome_of(entry, begun=BegunBolus(bolus_id, volume_nl, duration_s))


def cancel(firmware: Firmware, command: CancelBolus) -> OpOutcome | Refusal:
    """End the running bolus: motor first, then the commit."""
    reply = admit(firmware, command, OpKind.CANCEL, any_revision=True)
    if reply is not None:
        return reply
    record = firmware.record
    if record.bolus is None or record.bolus.bolus_id != command.bolus_id:
        issued = command.bolus_id < record.next_bolus_id
        return Refusal(Reason.ALREADY_ENDED if issued else Reason.NO_SUCH_BOLUS, "bolus_id")
    bolus, most_nl = record.bolus, firmware.bolus_steps * firmware.flow.step_volume_nl
    change = Change(firmware)
    change.log(
        LogType.BOLUS_CANCELLED,
        command.op_id,
        role=command.origin.role,
        host_id=command.origin.host_id,
        bolus_id=command.bolus_id,
        target_op_id=bolus.op_id,
    )
    entry = new_entry(firmware, command, OpKind.CANCEL)
    change.end_bolus(BolusEnd.CANCELLED)
    change.set(ledger=change.record.ledger.enter(entry))
    change.commit()
    follow(firmware)
    target = Target(op_id=bolus.op_id, min_nl=most_nl, max_nl=most_nl, reason=BolusEnd.CANCELLED)
    return outcome_of(entry, target)


def complete_due(firmware: Firmware) -> int:
    """When the running bolus makes its last step."""
    channel, bolus = firmware.flow.bolus, firmware.record.bolus
    if channel is None or bolus is None or firmware.hung_since_us is not None:
        return NEVER
    left_steps = bolus.steps - firmware.bolus_steps
    return firmware.now_us + (channel.us_until(left_steps) or 0 if left_steps else 0)


def complete(firmware: Firmware) -> None:
    """The bolus has had its last step."""
    bolus = firmware.running_bolus()
    change = Change(firmware)
    change.end_bolus(_COMPLETE)
    change.commit()
    firmware.agenda.due_us[_END] = NEVER
    if bolus.kind in DEAD_VOLUME_KINDS:
        follow(firmware)


def lease_due(firmware: Firmware) -> int:
    """When the next lease runs out."""
    return min([lease.expires_us for lease in firmware.leases], default=NEVER)


def drop_leases(firmware: Firmware) -> None:
    """Leases that have run out are void."""
    end_leases(firmware, LeaseDeed.RUN_OUT, lambda lease: lease.expires_us <= firmware.now_us)


def end_session(firmware: Firmware, session: int) -> None:
    """A session's leases die with it."""
    end_leases(firmware, LeaseDeed.END_SESSION, lambda lease: lease.session == session)


def _fits(lease: Lease, command: ExecuteBolus) -> bool:
    return lease.bolus_id == command.bolus_id and lease.session == command.origin.session
