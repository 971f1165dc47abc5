"""B1 to B7: a bolus is given once, when it may be, as it was asked for, and its end says what it gave."""

from __future__ import annotations

from firmware_model.commands import (
    AllowanceAnswer,
    ExecuteBolus,
    GivePatientBolus,
    OpOutcome,
    Refusal,
)
from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusEnd, BolusKind
from firmware_model.firmware.event_log import LogType
from tests.firmware_model.invariants.told import End
from tests.firmware_model.invariants.ward import Ward

_EFFECTS = frozenset(
    {LogType.BOLUS_STARTED, LogType.PROGRAM_CHANGED, LogType.THERAPY_STARTED, LogType.REFILLED, LogType.TIME_SET}
)


def lockout_holds(ward: Ward) -> None:
    """B1: a press is not granted before the lockout's end, not by a microsecond."""
    for start in ward.step.starts:
        if start.kind is BolusKind.PATIENT:
            early_us = start.lockout_until_us - start.told.acted_us
            assert early_us <= 0, f"{early_us} us before the lockout's end"


def activations_hold(ward: Ward) -> None:
    """B2: no more starts in any window than the program allows."""
    for start in ward.step.starts:
        if start.kind is BolusKind.PATIENT:
            assert start.activations < start.told.program.patient.activations_max


def refused_bolus_gives_nothing(ward: Ward) -> None:
    """B3: what is refused starts nothing, not one step of it, and takes nothing of what is allowed."""
    begun = {(start.running.role, start.running.op_id) for start in ward.step.starts}
    taken = {asked.command.op_id for asked in ward.step.asked if isinstance(asked.reply, OpOutcome)
             and isinstance(asked.command, ExecuteBolus | GivePatientBolus)}  # fmt: skip
    for before, asked, after in zip(ward.step.asked, ward.step.asked[1:], ward.step.asked[2:], strict=False):
        command = asked.command
        if isinstance(command, ExecuteBolus | GivePatientBolus) and isinstance(asked.reply, Refusal):
            assert (command.origin.role, command.op_id) not in begun or command.op_id in taken
            if isinstance(before.reply, AllowanceAnswer) and isinstance(after.reply, AllowanceAnswer):
                assert before.reply == after.reply, "a refusal has changed what is allowed"


def nothing_twice(ward: Ward) -> None:
    """B4: one operation has its effect once, however often it is asked for."""
    effects = ward.books.effects
    for told in ward.step.told:
        if told.record.type in _EFFECTS and told.record.op_id:
            key = (told.record.detail["role"], told.record.op_id, told.record.type)
            effects[key] = effects.get(key, 0) + 1
            assert effects[key] == 1, f"op {told.record.op_id} of role {key[0]} came true twice"


def ends_are_exact(ward: Ward) -> None:
    """B5: what has been given and what is left are what was commanded; an end says what was given, and comes once."""
    for end in ward.step.ends:
        _end_is_exact(ward, end)
    books = ward.books
    bolus = books.flow.bolus
    status = ward.status() if books.judged else None
    if status is not None:
        running = (bolus.bolus_id, bolus.steps, bolus.pulses) if bolus is not None else (0, 0, 0)
        step_nl = books.flow.step_nl
        told = (status.bolus_id, status.bolus_volume_nl // step_nl, status.bolus_delivered_nl // step_nl)
        assert told == running
        assert status.bolus_remaining_us == (bolus.left_us if bolus is not None else 0)


def _end_is_exact(ward: Ward, end: End) -> None:
    detail, known = end.told.record.detail, end.known
    assert known is not None, f"bolus {detail['bolus_id']} has ended twice, or never began"
    step_nl = ward.books.flow.step_nl
    least, most = detail["delivered_min_nl"] // step_nl, detail["delivered_max_nl"] // step_nl
    assert least <= known.pulses <= most <= known.steps, f"{least} to {most} steps told, {known.pulses} given"
    match detail["reason"]:
        case BolusEnd.COMPLETE:
            assert least == most == known.steps
            assert known.due == known.steps * known.duration_us
        case BolusEnd.RESET:
            assert most - least <= ward.profile.motor.journal_interval_steps
        case BolusEnd.STALL:
            assert most == known.pulses
        case _:
            assert least == most == known.pulses


def stops_and_alarms_end_it(ward: Ward) -> None:
    """B6: with a stop or a critical alarm a bolus is over, within the same step."""
    step, flow = ward.step, ward.books.flow
    ended_us = {end.told.at_us for end in step.ends}
    for stop in step.stops:
        assert stop.told.bolus is None or stop.told.at_us in ended_us
    for raising in step.raisings:
        row = ward.profile.alarm[raising.type]
        if row.critical or row.flow == "stop":
            assert raising.told.bolus is None or raising.told.at_us in ended_us
    assert flow.running or not ward.books.judged or (flow.bolus is None and flow.dose is None)


def dead_volume_is_apart(ward: Ward) -> None:
    """B7: priming and bridge give what lies in tubing and catheter, no more, and are counted apart."""
    profile, books = ward.profile, ward.books
    for start in ward.step.starts:
        if start.kind in DEAD_VOLUME_KINDS:
            step_nl, catheter_nl = books.flow.step_nl, start.told.program.catheter_nl
            whole = (profile.catheter.tubing_nl + catheter_nl) // step_nl
            assert catheter_nl
            assert start.running.steps in (
                (whole,) if start.kind is BolusKind.BRIDGE else (whole, catheter_nl // step_nl)
            )
    if books.judged:
        assert ward.pump.firmware.record.dead_volume_steps == books.dead_steps
