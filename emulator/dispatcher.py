"""The one room where wire words meet model words: messages become commands, replies become messages or NAKs.

Three tables: COMMANDS (request message -> command of the model), ANSWERS (outcome -> answer message) and NAKS (the
model's reason -> NAK code). Enumerations of both sides have the same names; `_word` crosses from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from emulator import identity
from firmware_model import commands
from firmware_model.commands import Command, Origin, Reason, Refusal
from firmware_model.firmware import codes as model
from firmware_model.firmware.event_log import LogRecord as ModelRecord
from firmware_model.quantities import US_PER_SECOND, ceil_div, whole_seconds
from protocol.device_end import Request
from protocol.fields import table_of
from protocol.messages import alarm, deliver, link, log, op, pump_time, read
from protocol.messages import codes as wire
from protocol.messages.log_records import DATA_OF, log_record
from protocol.messages.operations import by_name
from protocol.refusals import NO_FIELD, REFUSALS, Nak, NakCode

E = TypeVar("E", bound=IntEnum)

NAKS: Final[Mapping[Reason, NakCode]] = MappingProxyType(
    {
        Reason.OP_ID_ABOVE_WINDOW: NakCode.RANGE,
        Reason.OP_ID_REUSED: NakCode.OP_ID_REUSED,
        Reason.OP_ID_STALE: NakCode.OP_ID_STALE,
        Reason.UNRESOLVED: NakCode.UNRESOLVED,
        Reason.ROLE: NakCode.ROLE,
        Reason.ALREADY_IN_STATE: NakCode.ALREADY_IN_STATE,
        Reason.ALARM_BLOCKS: NakCode.ALARM_BLOCKS,
        Reason.PUMP_STOPPED: NakCode.PUMP_STOPPED,
        Reason.BELOW_MINIMUM: NakCode.BELOW_MINIMUM,
        Reason.ABOVE_MAXIMUM: NakCode.ABOVE_MAXIMUM,
        Reason.NOT_QUANTIZABLE: NakCode.NOT_QUANTIZABLE,
        Reason.NOT_AS_PREPARED: NakCode.RANGE,
        Reason.KIND: NakCode.CONDITIONS,
        Reason.RESERVOIR: NakCode.RESERVOIR,
        Reason.BOLUS_RUNNING: NakCode.BOLUS_RUNNING,
        Reason.LEASE_EXPIRED: NakCode.LEASE_EXPIRED,
        Reason.NO_SUCH_BOLUS: NakCode.NO_SUCH_BOLUS,
        Reason.ALREADY_ENDED: NakCode.ALREADY_ENDED,
        Reason.NO_SUCH_ALARM: NakCode.NO_SUCH_ALARM,
        Reason.RECORD_OVERWRITTEN: NakCode.RECORD_OVERWRITTEN,
        Reason.LOG_EPOCH: NakCode.LOG_EPOCH,
        Reason.MEMORY_FAILURE: NakCode.MEMORY_FAILURE,
    }
)

OPCODE_OF_KIND: Final[Mapping[model.OpKind, int]] = MappingProxyType(
    {
        model.OpKind.STOP: by_name["STOP"].opcode,
        model.OpKind.START: by_name["START"].opcode,
        model.OpKind.BOLUS: by_name["BOLUS_EXECUTE"].opcode,
        model.OpKind.CANCEL: by_name["BOLUS_CANCEL"].opcode,
    }
)


def _word(words: type[E], word: IntEnum) -> E:
    """The other side's word of the same name."""
    return words[word.name]


def _therapy(request: Request) -> dict[str, Any]:
    """What every therapy command carries."""
    message = request.message
    return {
        "origin": _origin(request),
        "op_id": message.op_id,
        "therapy_rev": message.therapy_rev,
        "fingerprint": request.payload_hash,
    }


def _origin(request: Request) -> Origin:
    if request.role is None:
        raise RuntimeError(f"{request.operation.name} has come without a role")
    return Origin(_word(model.Role, request.role), request.host_id, request.session)


def _prepare(request: Request) -> Command:
    message: deliver.BolusPrepareRequest = request.message
    return commands.PrepareBolus(
        origin=_origin(request),
        kind=_word(model.BolusKind, message.kind),
        volume_nl=message.volume_nl,
        duration_s=message.duration_s,
    )


def _execute(request: Request) -> Command:
    message: deliver.BolusExecuteRequest = request.message
    return commands.ExecuteBolus(
        **_therapy(request), bolus_id=message.bolus_id, volume_nl=message.volume_nl, duration_s=message.duration_s
    )


COMMANDS: Final[Mapping[type, Callable[[Request], Command]]] = MappingProxyType(
    {
        read.StatusRequest: lambda _: commands.ReadStatus(),
        read.IdentRequest: lambda _: commands.ReadIdentity(),
        link.CapsRequest: lambda _: commands.ReadLimits(),
        deliver.StopRequest: lambda request: commands.Stop(**_therapy(request)),
        deliver.StartRequest: lambda request: commands.Start(**_therapy(request)),
        deliver.BolusPrepareRequest: _prepare,
        deliver.BolusExecuteRequest: _execute,
        deliver.BolusCancelRequest: lambda request: commands.CancelBolus(
            **_therapy(request), bolus_id=request.message.bolus_id
        ),
        alarm.AlarmListRequest: lambda request: commands.ListAlarms(request.message.from_instance),
        alarm.AlarmAckRequest: lambda request: commands.AcknowledgeAlarm(_origin(request), request.message.instance),
        log.LogStatusRequest: lambda _: commands.ReadLogRange(),
        log.LogReadRequest: lambda request: commands.ReadLog(
            request.message.epoch, request.message.from_sequence, request.message.maximum
        ),
        pump_time.TimeReadRequest: lambda _: commands.ReadTime(),
        op.OpQueryRequest: lambda request: commands.QueryOp(
            _word(model.Role, request.message.role), request.message.op_id
        ),
        op.OpListRequest: lambda _: commands.ListOps(),
    }
)
"""Request messages that the model answers. HELLO and LINK_STATS are the wire's own, and answered there."""


def _op_words(outcome: commands.OpOutcome) -> dict[str, Any]:
    flags = wire.OpFlag(0)
    if outcome.repeated:
        flags |= wire.OpFlag.REPEATED
    if not outcome.entered:
        flags |= wire.OpFlag.NOT_ENTERED
    return {
        "op_id": outcome.op_id,
        "state": _word(wire.OpState, outcome.state),
        "flags": flags,
        "delivered_min_nl": outcome.min_nl,
        "delivered_max_nl": outcome.max_nl,
        "log_sequence": outcome.log_sequence,
    }


def _target_words(outcome: commands.OpOutcome) -> dict[str, Any]:
    return {
        "target_op_id": outcome.target.op_id,
        "target_min_nl": outcome.target.min_nl,
        "target_max_nl": outcome.target.max_nl,
        "target_reason": _word(wire.BolusEndReason, outcome.target.reason),
    }


def _op_answer(request: Request, outcome: commands.OpOutcome) -> object:
    words = _op_words(outcome)
    message = request.message
    if isinstance(message, deliver.StopRequest):
        return deliver.StopAnswer(**words, **_target_words(outcome))
    if isinstance(message, deliver.BolusCancelRequest):
        return deliver.BolusCancelAnswer(**words, **_target_words(outcome))
    if isinstance(message, deliver.BolusExecuteRequest):
        return deliver.BolusExecuteAnswer(
            **words, bolus_id=message.bolus_id, volume_nl=message.volume_nl, duration_s=message.duration_s
        )
    return deliver.StartAnswer(**words)


def _prepared(_request: Request, outcome: commands.PreparedBolus) -> object:
    return deliver.BolusPrepareAnswer(
        bolus_id=outcome.bolus_id,
        volume_nl=outcome.volume_nl,
        duration_s=outcome.duration_s,
        steps=outcome.steps,
        lease_s=outcome.lease_s,
        available_nl=outcome.available_nl,
    )


def _status(_request: Request, outcome: commands.StatusAnswer) -> object:
    return read.StatusAnswer(
        run_state=_word(wire.RunState, outcome.run_state),
        stop_reason=_word(wire.StopReason, outcome.stop_reason),
        alarms_raised=outcome.alarms_raised,
        alarms_unacknowledged=outcome.alarms_unacknowledged,
        therapy_rev=outcome.therapy_rev,
        elapsed_s=whole_seconds(outcome.elapsed_us),
        base_rate_nl_per_day=outcome.base_rate_nl_per_day,
        programmed_rate_nl_per_day=outcome.programmed_rate_nl_per_day,
        reservoir_nl=outcome.reservoir_nl,
        bolus_id=outcome.bolus_id,
        bolus_volume_nl=outcome.bolus_volume_nl,
        bolus_delivered_nl=outcome.bolus_delivered_nl,
        bolus_remaining_s=ceil_div(outcome.bolus_remaining_us, US_PER_SECOND),
        delivered_nl=outcome.delivered_nl,
        log_epoch=outcome.log_epoch,
        log_last=outcome.log_last,
        boot=outcome.boot,
    )


def _time(_request: Request, outcome: commands.TimeAnswer) -> object:
    return pump_time.TimeReadAnswer(
        elapsed_s=whole_seconds(outcome.elapsed_us), rtc_unix_s=outcome.rtc_unix_s, offset_min=outcome.offset_min
    )


def _alarms(_request: Request, outcome: commands.AlarmsAnswer) -> object:
    entries = tuple(
        alarm.AlarmEntry(
            instance=entry.instance,
            type=_word(wire.AlarmType, model.AlarmType(entry.type)),
            priority=wire.Priority.CRITICAL if entry.critical else wire.Priority.NON_CRITICAL,
            state=_word(wire.AlarmState, entry.state),
            elapsed_s=entry.elapsed_s,
            steps=entry.steps,
            rate_nl_per_day=entry.rate_nl_per_day,
            reservoir_nl=entry.reservoir_nl,
            battery_mv=entry.battery_mv,
            last_op_id=entry.last_op_id,
        )
        for entry in outcome.alarms[: alarm.ALARMS_PER_PAGE]
    )
    return alarm.AlarmListAnswer(total=outcome.total, alarms=entries)


def _acknowledged(_request: Request, outcome: commands.AlarmAcknowledged) -> object:
    return alarm.AlarmAckAnswer(instance=outcome.instance, state=_word(wire.AlarmState, outcome.state))


def _log_range(_request: Request, outcome: commands.LogRange) -> object:
    return log.LogStatusAnswer(epoch=outcome.epoch, first=outcome.first, last=outcome.last, capacity=outcome.capacity)


def _records(_request: Request, outcome: commands.LogRecords) -> object:
    return log.LogReadAnswer(
        next_sequence=outcome.next_sequence, records=tuple(wire_record(record) for record in outcome.records)
    )


def wire_record(record: ModelRecord) -> log.LogRecord:
    """A record of the model's log as it goes on the wire."""
    data_class = DATA_OF[_word(wire.LogType, record.type)]
    words = {field.name: _detail_word(field.enum, record.detail[field.name]) for field in table_of(data_class)}
    return log_record(
        data_class(**words),
        sequence=record.sequence,
        epoch=record.epoch,
        boot=record.boot,
        elapsed_s=record.elapsed_s,
        rtc_unix_s=record.rtc_unix_s,
        op_id=record.op_id,
    )


def _detail_word(words: type[Any] | None, value: int) -> int:
    return value if words is None else words(value)


def _queried(_request: Request, outcome: commands.OpAnswer) -> object:
    entry = outcome.entry
    return op.OpQueryAnswer(
        epoch=outcome.epoch,
        role=_word(wire.Role, outcome.role),
        op_high=outcome.op_high,
        state=_word(wire.OpState, outcome.state),
        op_id=outcome.op_id,
        host_id=entry.host_id if entry else 0,
        opcode=OPCODE_OF_KIND[entry.kind] if entry else 0,
        payload_hash=entry.fingerprint if entry else bytes(8),
        delivered_min_nl=entry.min_nl if entry else 0,
        delivered_max_nl=entry.max_nl if entry else 0,
        log_sequence=entry.log_sequence if entry else 0,
    )


def _listed(request: Request, outcome: commands.OpsAnswer) -> object:
    page, size = request.message.page, op.OPS_PER_PAGE
    entries = outcome.entries[page * size : (page + 1) * size]
    return op.OpListAnswer(
        epoch=outcome.epoch,
        therapy_rev=outcome.therapy_rev,
        page=page,
        pages=max(1, ceil_div(len(outcome.entries), size)),
        clinician_op_high=outcome.clinician_op_high,
        patient_op_high=outcome.patient_op_high,
        ops=tuple(
            op.OpEntry(
                role=_word(wire.Role, entry.role),
                op_id=entry.op_id,
                host_id=entry.host_id,
                opcode=OPCODE_OF_KIND[entry.kind],
                payload_hash=entry.fingerprint,
                state=_word(wire.OpState, entry.state),
                delivered_min_nl=entry.min_nl,
                delivered_max_nl=entry.max_nl,
                log_sequence=entry.log_sequence,
            )
            for entry in entries
        ),
    )


ANSWERS: Final[Mapping[type, Callable[[Request, Any], object]]] = MappingProxyType(
    {
        commands.OpOutcome: _op_answer,
        commands.PreparedBolus: _prepared,
        commands.StatusAnswer: _status,
        commands.IdentityAnswer: lambda _, outcome: identity.ident(outcome),
        commands.LimitsAnswer: lambda _, outcome: identity.caps(outcome.profile),
        commands.TimeAnswer: _time,
        commands.AlarmsAnswer: _alarms,
        commands.AlarmAcknowledged: _acknowledged,
        commands.LogRange: _log_range,
        commands.LogRecords: _records,
        commands.OpAnswer: _queried,
        commands.OpsAnswer: _listed,
    }
)


def nak_of(request: Request, refusal: Refusal) -> Nak:
    """The NAK for a refusal: its code, the field's index in the request's table, and a detail if the code names one."""
    names = [field.name for field in table_of(type(request.message))]
    field = names.index(refusal.field) if refusal.field in names else NO_FIELD
    code = NAKS[refusal.reason]
    return Nak(code, field, refusal.element, refusal.detail if REFUSALS[code].detail else 0)
