"""Requests as commands: what a message of the wire, or the wire itself, asks of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from emulator.dispatcher.refusals import gate_of
from emulator.dispatcher.words import flags, word
from firmware_model import commands
from firmware_model.commands import Command, Origin
from firmware_model.firmware import codes as model
from protocol.access import ACCESS
from protocol.errands import (
    AttemptToConfirm,
    AttemptToCount,
    FailureToNote,
    Request,
    SessionNumberWanted,
    TelemetryWanted,
)
from protocol.messages import alarm, deliver, link, log, op, program, pump_time, read, routine, stream

_GATES: Final = MappingProxyType({name: gate_of(name) for name in ACCESS})


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
    return Origin(word(model.Role, request.role), request.host_id, request.session, _GATES[request.operation.name])


def _write(request: Request) -> Command:
    message: program.ProgramWriteRequest = request.message
    return commands.WriteProgram(
        _origin(request), message.stage_id, word(model.Block, message.block), message.offset, message.data
    )


def _read_stage(request: Request) -> Command:
    message: program.StageReadRequest = request.message
    return commands.ReadStage(
        _origin(request), message.stage_id, word(model.Block, message.block), message.offset, message.length
    )


def _read_program(request: Request) -> Command:
    message: read.TherapyReadRequest = request.message
    return commands.ReadProgram(_origin(request), word(model.Block, message.block), message.offset, message.length)


def _prepare(request: Request) -> Command:
    message: deliver.BolusPrepareRequest = request.message
    return commands.PrepareBolus(
        origin=_origin(request),
        kind=word(model.BolusKind, message.kind),
        volume_nl=message.volume_nl,
        duration_s=message.duration_s,
    )


def _execute(request: Request) -> Command:
    message: deliver.BolusExecuteRequest = request.message
    return commands.ExecuteBolus(
        **_therapy(request), bolus_id=message.bolus_id, volume_nl=message.volume_nl, duration_s=message.duration_s
    )


def _refill(request: Request) -> Command:
    message: routine.RefillCommitRequest = request.message
    drugs = [(drug.name, drug.concentration_ng_per_ml) for drug in message.drugs]
    # Empty places follow the used ones; one between them is for the model to refuse.
    while drugs and drugs[-1] == ("", 0):
        drugs.pop()
    return commands.CommitRefill(
        **_therapy(request),
        refill_id=message.refill_id,
        measured_nl=message.measured_nl,
        volume_nl=message.volume_nl,
        drugs=tuple(drugs),
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
        deliver.PatientBolusRequest: lambda request: commands.GivePatientBolus(**_therapy(request)),
        alarm.AlarmListRequest: lambda request: commands.ListAlarms(request.message.from_instance),
        alarm.AlarmAckRequest: lambda request: commands.AcknowledgeAlarm(_origin(request), request.message.instance),
        alarm.AlarmClearRequest: lambda request: commands.ClearAlarm(_origin(request), request.message.instance),
        alarm.AlarmSnapshotRequest: lambda request: commands.ReadAlarm(request.message.instance),
        alarm.AlarmSilenceRequest: lambda request: commands.SilenceAlarm(_origin(request), request.message.instance),
        log.LogStatusRequest: lambda _: commands.ReadLogRange(),
        log.LogReadRequest: lambda request: commands.ReadLog(
            request.message.epoch, request.message.from_sequence, request.message.maximum
        ),
        log.LogFindByElapsedRequest: lambda request: commands.FindLog(request.message.epoch, request.message.elapsed_s),
        stream.ResetFlagsRequest: lambda request: commands.ResetFlags(
            _origin(request),
            flags(model.ChangedFlag, request.message.changed),
            request.message.log_epoch,
            request.message.log_sequence,
        ),
        pump_time.TimeReadRequest: lambda _: commands.ReadTime(),
        pump_time.TimeSetRequest: lambda request: commands.SetTime(
            **_therapy(request), unix_s=request.message.unix_s, offset_min=request.message.offset_min
        ),
        routine.SelftestRequest: lambda request: commands.BeginSelfTest(_origin(request)),
        routine.RefillBeginRequest: lambda request: commands.BeginRefill(_origin(request)),
        routine.RefillCommitRequest: _refill,
        op.OpQueryRequest: lambda request: commands.QueryOp(
            word(model.Role, request.message.role), request.message.op_id
        ),
        op.OpListRequest: lambda _: commands.ListOps(),
        read.TherapyReadRequest: _read_program,
        read.LimitsRequest: lambda request: commands.ReadAllowance(_origin(request)),
        read.CountersRequest: lambda _: commands.ReadCounters(),
        read.BatteryRequest: lambda _: commands.ReadBattery(),
        read.ReservoirRequest: lambda _: commands.ReadReservoir(),
        program.ProgramBeginRequest: lambda request: commands.BeginProgram(_origin(request)),
        program.ProgramWriteRequest: _write,
        program.ProgramValidateRequest: lambda request: commands.ValidateProgram(
            _origin(request), request.message.stage_id
        ),
        program.StageReadRequest: _read_stage,
        program.ProgramCommitRequest: lambda request: commands.CommitProgram(
            **_therapy(request), stage_id=request.message.stage_id, crc32=request.message.crc32
        ),
        program.ProgramAbortRequest: lambda request: commands.AbortProgram(_origin(request), request.message.stage_id),
    }
)
"""Requests that the model answers. All others are the wire's own: service 01 but for CAPS, SUBSCRIBE, UNSUBSCRIBE."""

SLOW_ENDS: Final[Mapping[type, Callable[[Request], Command]]] = MappingProxyType(
    {routine.SelftestRequest: lambda request: commands.TestSelf(_origin(request))}
)
"""What the model is asked at the end of a request that takes it a while."""

ERRANDS: Final[Mapping[type, Callable[[Any], Command]]] = MappingProxyType(
    {
        SessionNumberWanted: lambda errand: commands.NumberSession(word(model.Role, errand.role), errand.port),
        AttemptToCount: lambda errand: commands.CountAttempt(word(model.Role, errand.role), errand.port),
        AttemptToConfirm: lambda errand: commands.ConfirmAttempt(
            word(model.Role, errand.role), errand.port, errand.host_id, errand.from_host_id
        ),
        FailureToNote: lambda errand: commands.NoteFailure(
            errand.port, None if errand.role is None else word(model.Role, errand.role)
        ),
        TelemetryWanted: lambda errand: commands.ReadTelemetry(word(model.Role, errand.role)),
    }
)
"""What the wire itself wants of the model: while it opens sessions, and to tell those that have subscribed."""
