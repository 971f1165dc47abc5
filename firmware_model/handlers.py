"""Which part of the firmware answers a command, and whose instants of the agenda that moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from firmware_model import commands
from firmware_model.agenda import Rank
from firmware_model.calendar import ALL
from firmware_model.commands import Reply
from firmware_model.firmware import (
    alarms,
    bolus,
    clock,
    lookup,
    reading,
    refill,
    security,
    staging,
    supervisor,
    telemetry,
    therapy,
)
from firmware_model.firmware.core import Firmware

_NONE: tuple[Rank, ...] = ()
_LEASE = (Rank.LEASE_OUT,)
_FAILURES = (Rank.FAILURES_LOGGED,)


class Handler(NamedTuple):
    """The function that answers, and the ranks that may be due at another instant afterwards."""

    answer: Callable[[Firmware, Any], Reply]
    moves: tuple[Rank, ...]


HANDLERS: Mapping[type, Handler] = MappingProxyType(
    {
        commands.Stop: Handler(therapy.stop, ALL),
        commands.Start: Handler(therapy.start, ALL),
        commands.PrepareBolus: Handler(bolus.prepare, _LEASE),
        commands.ExecuteBolus: Handler(bolus.execute, _LEASE),
        commands.GivePatientBolus: Handler(bolus.give_patient_bolus, _NONE),
        commands.CancelBolus: Handler(bolus.cancel, ALL),
        commands.BeginProgram: Handler(staging.begin, ALL),
        commands.WriteProgram: Handler(staging.write, _NONE),
        commands.ValidateProgram: Handler(staging.validate, _NONE),
        commands.ReadStage: Handler(staging.read_stage, _NONE),
        commands.CommitProgram: Handler(staging.commit, ALL),
        commands.AbortProgram: Handler(staging.abort, ALL),
        commands.ReadProgram: Handler(staging.read_program, _NONE),
        commands.BeginRefill: Handler(refill.begin, _NONE),
        commands.CommitRefill: Handler(refill.commit, ALL),
        commands.SetTime: Handler(clock.set_time, ALL),
        commands.BeginSelfTest: Handler(supervisor.begin_self_test, _NONE),
        commands.TestSelf: Handler(supervisor.test_self, _NONE),
        commands.QueryOp: Handler(reading.query_op, _NONE),
        commands.ListOps: Handler(reading.list_ops, _NONE),
        commands.ReadStatus: Handler(reading.status, _NONE),
        commands.ReadIdentity: Handler(reading.identity, _NONE),
        commands.ReadLimits: Handler(reading.limits, _NONE),
        commands.ReadTime: Handler(reading.time, _NONE),
        commands.ReadBattery: Handler(reading.battery, _NONE),
        commands.ReadReservoir: Handler(reading.reservoir, _NONE),
        commands.ReadCounters: Handler(reading.counters, _NONE),
        commands.ReadAllowance: Handler(lookup.allowance, _NONE),
        commands.ListAlarms: Handler(alarms.list_alarms, _NONE),
        commands.ReadAlarm: Handler(lookup.read_alarm, _NONE),
        commands.AcknowledgeAlarm: Handler(alarms.acknowledge, ALL),
        commands.SilenceAlarm: Handler(alarms.silence, ALL),
        commands.ClearAlarm: Handler(alarms.clear, ALL),
        commands.ReadLogRange: Handler(reading.log_range, _NONE),
        commands.ReadLog: Handler(reading.read_log, _NONE),
        commands.FindLog: Handler(lookup.find_log, _NONE),
        commands.ReadTelemetry: Handler(telemetry.telemetry, _NONE),
        commands.ResetFlags: Handler(telemetry.reset_flags, _NONE),
        commands.NumberSession: Handler(security.number_session, _NONE),
        commands.CountAttempt: Handler(security.count_attempt, _NONE),
        commands.ConfirmAttempt: Handler(security.confirm_attempt, _NONE),
        commands.NoteFailure: Handler(security.note_failure, _FAILURES),
        commands.NoteKeysReplaced: Handler(security.note_keys_replaced, _NONE),
    }
)
