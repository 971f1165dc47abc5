"""Outcomes as answers: what the model replied, in the messages of the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec.structs import asdict

from emulator import identity
from emulator.dispatcher.care_answers import CARE_ANSWERS
from emulator.dispatcher.telemetry import status_words
from emulator.dispatcher.words import flags, known_u32, word
from firmware_model import commands
from firmware_model.firmware import codes as model
from firmware_model.firmware.event_log import LogRecord as ModelRecord
from firmware_model.quantities import ceil_div, whole_seconds
from protocol.errands import Request
from protocol.fields import UNKNOWN_U32, table_of
from protocol.makers import maker_of
from protocol.messages import codes as wire
from protocol.messages import deliver, log, op, program, pump_time, read, stream
from protocol.messages.log_records import DATA_OF, log_record
from protocol.messages.operations import by_name

_MOST_U16: Final = 0xFFFF

OPCODE_OF_KIND: Final[Mapping[model.OpKind, int]] = MappingProxyType(
    {
        model.OpKind.STOP: by_name["STOP"].opcode,
        model.OpKind.START: by_name["START"].opcode,
        model.OpKind.BOLUS: by_name["BOLUS_EXECUTE"].opcode,
        model.OpKind.CANCEL: by_name["BOLUS_CANCEL"].opcode,
        model.OpKind.PROGRAM: by_name["PROGRAM_COMMIT"].opcode,
        model.OpKind.PATIENT_BOLUS: by_name["PATIENT_BOLUS"].opcode,
        model.OpKind.REFILL: by_name["REFILL_COMMIT"].opcode,
        model.OpKind.TIME_SET: by_name["TIME_SET"].opcode,
    }
)


def _op_words(outcome: commands.OpOutcome) -> dict[str, Any]:
    flags = wire.OpFlag(0)
    if outcome.repeated:
        flags |= wire.OpFlag.REPEATED
    if not outcome.entered:
        flags |= wire.OpFlag.NOT_ENTERED
    return {
        "op_id": outcome.op_id,
        "state": word(wire.OpState, outcome.state),
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
        "target_reason": word(wire.BolusEndReason, outcome.target.reason),
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
    if isinstance(message, deliver.PatientBolusRequest):
        return deliver.PatientBolusAnswer(**words, **_begun_words(outcome.begun))
    if isinstance(message, pump_time.TimeSetRequest):
        return pump_time.TimeSetAnswer(**words, base_rate_nl_per_day=known_u32(outcome.base_rate_nl_per_day))
    # The answers of all others have no further fields.
    return request.operation.answer(**words)


def _begun_words(begun: commands.BegunBolus | None) -> dict[str, Any]:
    if begun is None:
        return dict.fromkeys(commands.BegunBolus.__struct_fields__, UNKNOWN_U32)
    return asdict(begun)


def _prepared(_request: Request, outcome: commands.PreparedBolus) -> object:
    return deliver.BolusPrepareAnswer(
        bolus_id=outcome.bolus_id,
        volume_nl=outcome.volume_nl,
        duration_s=outcome.duration_s,
        steps=outcome.steps,
        lease_s=outcome.lease_s,
        available_nl=outcome.available_nl,
    )


def _validated(_request: Request, outcome: commands.ProgramValidated) -> object:
    return program.ProgramValidateAnswer(
        crc32=outcome.crc32,
        image_size=outcome.image_size,
        mode=word(wire.Mode, outcome.mode),
        rate_nl_per_day=outcome.rate_nl_per_day,
        steps_per_day=outcome.steps_per_day,
        low_reservoir_in_s=known_u32(outcome.low_reservoir_in_s),
        low_reservoir_unix_s=known_u32(outcome.low_reservoir_unix_s),
        warnings=flags(wire.Warnings, outcome.warnings),
        window_peak_nl=outcome.window_peak_nl,
        boluses_per_day_max=min(outcome.boluses_per_day_max, _MOST_U16),
        refill_in_s=known_u32(outcome.refill_in_s),
        refill_unix_s=known_u32(outcome.refill_unix_s),
        stability_in_s=known_u32(outcome.stability_in_s),
    )


def _program_part(_request: Request, outcome: commands.ProgramPart) -> object:
    return read.TherapyReadAnswer(crc32=outcome.crc32, block_size=outcome.block_size, data=outcome.data)


# Of all answers, this one is asked for again and again.
_status_answer: Final = maker_of(read.StatusAnswer)


def _status(request: Request, outcome: commands.StatusAnswer) -> object:
    if request.role is None:
        return read.ReducedStatusAnswer(
            run_state=word(wire.RunState, outcome.run_state), alarm_present=int(outcome.alarms_raised > 0)
        )
    return _status_answer(**status_words(outcome))


def _time(_request: Request, outcome: commands.TimeAnswer) -> object:
    return pump_time.TimeReadAnswer(
        elapsed_s=whole_seconds(outcome.elapsed_us), rtc_unix_s=outcome.rtc_unix_s, offset_min=outcome.offset_min
    )


def _log_range(_request: Request, outcome: commands.LogRange) -> object:
    return log.LogStatusAnswer(epoch=outcome.epoch, first=outcome.first, last=outcome.last, capacity=outcome.capacity)


def _records(_request: Request, outcome: commands.LogRecords) -> object:
    return log.LogReadAnswer(
        next_sequence=outcome.next_sequence, records=tuple(wire_record(record) for record in outcome.records)
    )


def wire_record(record: ModelRecord) -> log.LogRecord:
    """A record of the model's log as it goes on the wire."""
    data_class = DATA_OF[word(wire.LogType, record.type)]
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
    if words is wire.BolusKind:
        # Critical codes have other numbers on the wire than in the model.
        return word(wire.BolusKind, model.BolusKind(value))
    return value if words is None else words(value)


def _queried(_request: Request, outcome: commands.OpAnswer) -> object:
    entry = outcome.entry
    return op.OpQueryAnswer(
        epoch=outcome.epoch,
        role=word(wire.Role, outcome.role),
        op_high=outcome.op_high,
        state=word(wire.OpState, outcome.state),
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
                role=word(wire.Role, entry.role),
                op_id=entry.op_id,
                host_id=entry.host_id,
                opcode=OPCODE_OF_KIND[entry.kind],
                payload_hash=entry.fingerprint,
                state=word(wire.OpState, entry.state),
                delivered_min_nl=entry.min_nl,
                delivered_max_nl=entry.max_nl,
                log_sequence=entry.log_sequence,
            )
            for entry in entries
        ),
    )


ANSWERS: Final[Mapping[type, Callable[[Request, Any], object]]] = MappingProxyType(
    {
        **CARE_ANSWERS,
        commands.OpOutcome: _op_answer,
        commands.PreparedBolus: _prepared,
        commands.StatusAnswer: _status,
        commands.IdentityAnswer: lambda _, outcome: identity.ident(outcome),
        commands.LimitsAnswer: lambda _, outcome: identity.caps(outcome.profile),
        commands.TimeAnswer: _time,
        commands.LogRange: _log_range,
        commands.LogRecords: _records,
        commands.LogFound: lambda _, outcome: log.LogFindByElapsedAnswer(sequence=outcome.sequence),
        commands.OpAnswer: _queried,
        commands.OpsAnswer: _listed,
        commands.StageBegun: lambda _, outcome: program.ProgramBeginAnswer(stage_id=outcome.stage_id),
        commands.BlockWritten: lambda _, outcome: program.ProgramWriteAnswer(written=outcome.written),
        commands.ProgramValidated: _validated,
        commands.StagePart: lambda _, outcome: program.StageReadAnswer(
            block_size=outcome.block_size, data=outcome.data
        ),
        commands.ProgramAborted: lambda _, _outcome: program.ProgramAbortAnswer(),
        commands.ProgramPart: _program_part,
        commands.FlagsReset: lambda _, outcome: stream.ResetFlagsAnswer(
            changed=flags(wire.ChangedFlag, outcome.changed)
        ),
    }
)
