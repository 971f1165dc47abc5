"""The bolus: prepared under a lease, executed in one commit, ended by its last step, a command or a fault."""

from __future__ import annotations

from firmware_model.commands import (
    CancelBolus,
    ExecuteBolus,
    OpOutcome,
    PrepareBolus,
    PreparedBolus,
    Reason,
    Refusal,
    Target,
)
from firmware_model.firmware.codes import THERAPY_ROLES, BolusEnd, BolusKind, OpKind, OpState
from firmware_model.firmware.core import Firmware, Lease, LogDraft
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.record import BolusRecord
from firmware_model.firmware.therapy import admit, new_entry, outcome_of
from firmware_model.profile import BolusLimits
from firmware_model.quantities import SECONDS_PER_DAY, US_PER_SECOND, ceil_div

MOST_LEASES = 4
"""Leases held at once, of different sessions; the oldest gives way."""


def prepare(firmware: Firmware, command: PrepareBolus) -> PreparedBolus | Refusal:
    """Check, quantise down to whole steps and lease a bolus. Only the number of the next bolus is committed."""
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    if command.kind is not BolusKind.SINGLE:
        return Refusal(Reason.KIND, "kind", detail=BolusKind.SINGLE)
    refusal = _check_limits(firmware, command.volume_nl, command.duration_s)
    if refusal is not None:
        return refusal
    steps = command.volume_nl // firmware.profile.motor.step_volume_nl
    if steps == 0:
        return Refusal(Reason.NOT_QUANTIZABLE, "volume_nl", detail=firmware.profile.motor.step_volume_nl)
    # What is leased must be admitted when it is executed, and rounding down may have brought it below the minimum.
    refusal = _check_limits(firmware, steps * firmware.profile.motor.step_volume_nl, command.duration_s)
    if refusal is not None:
        return refusal
    lease = Lease(
        bolus_id=firmware.record.next_bolus_id,
        session=command.origin.session,
        kind=command.kind,
        steps=steps,
        duration_s=command.duration_s,
        expires_us=firmware.now_us + firmware.profile.bolus.lease_s * US_PER_SECOND,
    )
    firmware.commit(next_bolus_id=lease.bolus_id + 1)
    others = [held for held in firmware.leases if held.session != lease.session]
    firmware.leases = [*others[-(MOST_LEASES - 1) :], lease]
    return PreparedBolus(
        bolus_id=lease.bolus_id,
        volume_nl=steps * firmware.profile.motor.step_volume_nl,
        duration_s=lease.duration_s,
        steps=steps,
        lease_s=firmware.profile.bolus.lease_s,
        available_nl=min(volume_max_nl(firmware), available_nl(firmware)),
    )


def execute(firmware: Firmware, command: ExecuteBolus) -> OpOutcome | Refusal:
    """Give a prepared bolus: one commit of ledger, revision, bolus and log, then the first step."""
    reply = admit(firmware, command, OpKind.BOLUS)
    if reply is not None:
        return reply
    record = firmware.record
    lease = next((held for held in firmware.leases if _fits(held, command)), None)
    if lease is None:
        issued = command.bolus_id < record.next_bolus_id
        return Refusal(Reason.LEASE_EXPIRED if issued else Reason.NO_SUCH_BOLUS, "bolus_id")
    volume_nl = lease.steps * firmware.profile.motor.step_volume_nl
    if command.volume_nl != volume_nl:
        return Refusal(Reason.NOT_AS_PREPARED, "volume_nl", detail=volume_nl)
    if command.duration_s != lease.duration_s:
        return Refusal(Reason.NOT_AS_PREPARED, "duration_s", detail=lease.duration_s)
    refusal = _check_limits(firmware, volume_nl, lease.duration_s)
    if refusal is not None:
        return refusal
    entry = new_entry(firmware, command, OpKind.BOLUS, OpState.EXECUTING)
    bolus = BolusRecord(
        bolus_id=lease.bolus_id,
        kind=lease.kind,
        role=command.origin.role,
        host_id=command.origin.host_id,
        op_id=command.op_id,
        steps=lease.steps,
        duration_s=lease.duration_s,
    )
    detail = {
        "role": bolus.role,
        "host_id": bolus.host_id,
        "bolus_id": bolus.bolus_id,
        "volume_nl": volume_nl,
        "duration_s": bolus.duration_s,
    }
    firmware.leases.remove(lease)
    firmware.commit(
        LogDraft(LogType.BOLUS_STARTED, command.op_id, detail),
        bolus=bolus,
        therapy_rev=record.therapy_rev + 1,
        ledger=record.ledger.enter(entry),
    )
    firmware.bolus_steps = 0
    firmware.flow.begin_bolus(bolus.steps, bolus.duration_s * US_PER_SECOND)
    return outcome_of(entry)


def cancel(firmware: Firmware, command: CancelBolus) -> OpOutcome | Refusal:
    """End the running bolus: motor first, then the commit."""
    reply = admit(firmware, command, OpKind.CANCEL, any_revision=True)
    if reply is not None:
        return reply
    record = firmware.record
    if record.bolus is None or record.bolus.bolus_id != command.bolus_id:
        issued = command.bolus_id < record.next_bolus_id
        return Refusal(Reason.ALREADY_ENDED if issued else Reason.NO_SUCH_BOLUS, "bolus_id")
    firmware.flow.end_bolus()
    entry = new_entry(firmware, command, OpKind.CANCEL, OpState.DONE)
    ended, ledger, outcome = firmware.ended_bolus(BolusEnd.CANCELLED, firmware.bolus_steps, firmware.bolus_steps)
    detail = {
        "role": command.origin.role,
        "host_id": command.origin.host_id,
        "bolus_id": command.bolus_id,
        "target_op_id": outcome.op_id,
    }
    firmware.commit(
        LogDraft(LogType.BOLUS_CANCELLED, command.op_id, detail),
        ended,
        bolus=None,
        therapy_rev=record.therapy_rev + 1,
        ledger=ledger.enter(entry),
    )
    target = Target(op_id=outcome.op_id, min_nl=outcome.min_nl, max_nl=outcome.max_nl, reason=BolusEnd.CANCELLED)
    return outcome_of(entry, target)


def complete_due(firmware: Firmware) -> int | None:
    """When the running bolus makes its last step."""
    if firmware.flow.bolus is None:
        return None
    left_steps = firmware.running_bolus().steps - firmware.bolus_steps
    wait_us = firmware.flow.bolus.us_until(left_steps) if left_steps else 0
    return None if wait_us is None else firmware.now_us + wait_us


def complete(firmware: Firmware) -> None:
    """The bolus has had its last step."""
    ended, ledger, _ = firmware.ended_bolus(BolusEnd.COMPLETE, firmware.bolus_steps, firmware.bolus_steps)
    firmware.flow.end_bolus()
    firmware.commit(ended, bolus=None, therapy_rev=firmware.record.therapy_rev + 1, ledger=ledger)


def lease_due(firmware: Firmware) -> int | None:
    """When the next lease runs out."""
    return min((lease.expires_us for lease in firmware.leases), default=None)


def drop_leases(firmware: Firmware, now: int) -> None:
    """Leases that have run out are void."""
    firmware.leases = [lease for lease in firmware.leases if lease.expires_us > now]


def end_session(firmware: Firmware, session: int) -> None:
    """A session's leases die with it."""
    firmware.leases = [lease for lease in firmware.leases if lease.session != session]


def available_nl(firmware: Firmware) -> int:
    """What the reservoir could give before it counts as empty."""
    return max(0, firmware.reservoir_nl - firmware.profile.reservoir.empty_nl)


def volume_max_nl(firmware: Firmware) -> int:
    """The greatest bolus: the pump's own limit, or the program's below it."""
    return min(firmware.profile.bolus.volume_max_nl, firmware.record.program.bolus_volume_max_nl)


def shortest_duration_s(limits: BolusLimits, volume_nl: int) -> int:
    """The least time over which a volume may be given."""
    return max(limits.duration_min_s, ceil_div(volume_nl * SECONDS_PER_DAY, limits.rate_max_nl_per_day))


def _fits(lease: Lease, command: ExecuteBolus) -> bool:
    return lease.bolus_id == command.bolus_id and lease.session == command.origin.session


def _check_limits(firmware: Firmware, volume_nl: int, duration_s: int) -> Refusal | None:
    limits = firmware.profile.bolus
    if volume_nl < limits.volume_min_nl:
        return Refusal(Reason.BELOW_MINIMUM, "volume_nl", detail=limits.volume_min_nl)
    if volume_nl > volume_max_nl(firmware):
        return Refusal(Reason.ABOVE_MAXIMUM, "volume_nl", detail=volume_max_nl(firmware))
    if duration_s > limits.duration_max_s:
        return Refusal(Reason.ABOVE_MAXIMUM, "duration_s", detail=limits.duration_max_s)
    shortest_s = shortest_duration_s(limits, volume_nl)
    if duration_s < shortest_s:
        return Refusal(Reason.BELOW_MINIMUM, "duration_s", detail=shortest_s)
    if volume_nl > available_nl(firmware):
        return Refusal(Reason.RESERVOIR, "volume_nl", detail=available_nl(firmware))
    return None
