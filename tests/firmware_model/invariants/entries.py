"""What each kind of log record changes in the books."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from firmware_model.agenda import NEVER
from firmware_model.firmware.codes import (
    DEAD_VOLUME_KINDS,
    AlarmType,
    BolusEnd,
    BolusKind,
    Mode,
    StopReason,
)
from firmware_model.firmware.core import ELAPSED_JOURNAL_US
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import Program
from firmware_model.quantities import US_PER_DAY, US_PER_SECOND
from tests.firmware_model.invariants.causes import CAUSES, LEVELS, STAYING
from tests.firmware_model.invariants.flow_book import Running
from tests.firmware_model.invariants.told import Begun, Clearing, Day, End, Raising, Start, Stop, Told

if TYPE_CHECKING:
    from tests.firmware_model.invariants.books import Books

ENDED_BY_A_PROGRAM: Final = frozenset({StopReason.NONE, StopReason.PROGRAMMED, StopReason.PROGRAM_INCOMPLETE})
"""Why a pump may stand still and run again with the next program, without a START."""
KEPT_BY_A_STOP: Final = frozenset({StopReason.EMPTY_RESERVOIR, StopReason.END_OF_SERVICE, StopReason.SUPERVISOR})
"""Reasons that a command to stop does not replace."""
STOPPED_BY: Final = MappingProxyType(
    {
        AlarmType.EMPTY_RESERVOIR: StopReason.EMPTY_RESERVOIR,
        AlarmType.END_OF_SERVICE: StopReason.END_OF_SERVICE,
        AlarmType.SUPERVISOR: StopReason.SUPERVISOR,
    }
)
"""Why therapy stands still under an alarm that forbids it."""
_MOVING: Final = frozenset({LogType.BOOT, LogType.PROGRAM_CHANGED, LogType.REFILLED, LogType.ALARM_CLEARED})
"""What can leave the computed reservoir below a level at once."""
_MOST_CHANNELS: Final = 3
"""Base, dose and bolus may each make a step at the same instant."""


def _booted(books: Books, told: Told) -> None:
    """Elapsed time has gone ahead to the end of a journal interval; so have the turns of the program's doses."""
    books.reviving = False
    books.boot = told.record.boot
    books.offset_us = told.record.elapsed_s * US_PER_SECOND - books.now_us
    books.alarms.silent_until(books.elapsed_us)
    if books.doses_doubtful:
        books.dose_due_us = NEVER
    elif books.dose_due_us < NEVER:
        books.dose_due_us += ELAPSED_JOURNAL_US
    books.step.boots += 1


def _started(books: Books, told: Told) -> None:
    books.set_running(True, StopReason.NONE)
    books.stopped_since_s, books.programming = 0, False
    _note_begun(books, told)


def _stopped(books: Books, told: Told) -> None:
    reason = StopReason(told.record.detail["reason"])
    books.step.stops.append(Stop(told, reason))
    if told.running:
        books.stopped_since_s = told.record.elapsed_s
    kept = reason is StopReason.COMMANDED and books.stop_reason in KEPT_BY_A_STOP
    books.set_running(False, books.stop_reason if kept else reason)


def _programmed(books: Books, told: Told) -> None:
    program = books.programs.get(told.record.detail["crc32"], books.program)
    books.flow.take_program(program)
    books.dose_spent = books.programming = False
    books.taps.clear()
    if books.stop_reason in ENDED_BY_A_PROGRAM:
        books.set_running(*_under_a_program(books, program))
    if books.flow.running:
        books.stopped_since_s = 0
    elif told.running:
        books.stopped_since_s = told.record.elapsed_s
    _lock_out(books, told)
    _note_begun(books, told)


def _under_a_program(books: Books, program: Program) -> tuple[bool, StopReason]:
    """Whether therapy runs now, and why not."""
    if program.mode is Mode.STOPPED:
        return False, StopReason.PROGRAMMED
    if not books.alarms.holds:
        return True, StopReason.NONE
    held = next(
        alarm.type for alarm in books.alarms.standing.values() if books.profile.alarm[alarm.type].flow == "stop"
    )
    return False, STOPPED_BY.get(held, StopReason.SUPERVISOR)


def _note_begun(books: Books, told: Told) -> None:
    drugs = {(drug.name, drug.concentration_ng_per_ml) for drug in books.program.drugs}
    fits = not books.mixture or set(books.mixture) == drugs
    rate = books.flow.programmed_rate()
    books.step.begun.append(Begun(told, books.program, fits, rate, books.alarms.holds))


def _lock_out(books: Books, told: Told) -> None:
    until_us = told.acted_us + books.program.patient.lockout_s * US_PER_SECOND
    books.lockout_until_us = max(books.lockout_until_us, until_us)


def _bolus_started(books: Books, told: Told) -> None:
    detail, at_us, flow = told.record.detail, told.acted_us, books.flow
    kind = BolusKind(detail["kind"])
    steps = detail["volume_nl"] // flow.step_nl
    running = Running(
        detail["bolus_id"], kind, detail["role"], told.record.op_id, steps, detail["duration_s"] * US_PER_SECOND, at_us
    )
    running.gone = books.reviving
    window_us = books.program.patient.window_s * US_PER_SECOND
    late = at_us - window_us
    activations = sum(given.by_patient and given.start_us > late for given in books.given)
    given_nl = books.given_since(at_us - US_PER_DAY)
    lockout_until_us = books.lockout_until_us
    due = True
    if kind is BolusKind.PROGRAMMED:
        due = _dose_is_due(books, told)
        flow.dose = running
    else:
        flow.bolus = running
    if kind not in DEAD_VOLUME_KINDS and kind is not BolusKind.PROGRAMMED:
        by_patient = kind is BolusKind.PATIENT
        books.note_given(detail["bolus_id"], at_us, at_us + running.duration_us, detail["volume_nl"], by_patient)
        if by_patient:
            _lock_out(books, told)
    rate = flow.rate_nl_per_day()
    books.step.starts.append(
        Start(told, kind, running, lockout_until_us, activations, given_nl, rate, books.alarms.holds, due)
    )


def _dose_is_due(books: Books, told: Told) -> bool:
    """Whether the program's dose has its turn: one single, or each at its own instant; late ones right after a boot."""
    if books.program.mode is Mode.SINGLE_BOLUS:
        spent, books.dose_spent = books.dose_spent, True
        return not spent and bool(books.step.begun) and books.step.begun[-1].told.at_us == told.at_us
    if books.doses_doubtful:
        return True
    ahead_us = books.dose_due_us - books.elapsed_us
    if books.program.mode is not Mode.PERIODIC_BOLUS or ahead_us > 0:
        return False
    books.dose_due_us += books.program.dose_interval_s * US_PER_SECOND
    return not ahead_us or books.booted_us == told.at_us


def _bolus_ended(books: Books, told: Told) -> None:
    detail = told.record.detail
    ended = books.flow.end(detail["bolus_id"])
    books.step.ends.append(End(told, ended))
    if ended is not None and ended.kind in DEAD_VOLUME_KINDS:
        books.dead_steps += detail["delivered_max_nl"] // books.flow.step_nl
    elif detail["reason"] != BolusEnd.COMPLETE:
        books.cut_short(detail["bolus_id"], told.acted_us, detail["delivered_max_nl"])


def _alarm_raised(books: Books, told: Told) -> None:
    kind = AlarmType(told.record.detail["type"])
    # What was raised as the power went is told after a boot, when the books have gone on from that instant.
    caused = books.reviving or CAUSES[kind](books) or _comes_back(books, told, kind)
    ill_timed = not books.reviving and _is_ill_timed(books, kind)
    books.step.raisings.append(Raising(told, kind, caused, kind in books.alarms.types, ill_timed))
    books.alarms.raised(told.record.detail["instance"], kind, told.at_us)
    books.flow.lowered = books.alarms.lowers
    if kind is AlarmType.MOTOR_STALL:
        books.flow.know_stall(True)
    elif kind is AlarmType.CLOCK_LOST:
        books.clock.valid = False
    elif kind is AlarmType.PROGRAM_INCOMPLETE:
        books.programming = False
    elif kind is AlarmType.REPLACEMENT and not books.replacement_s:
        books.replacement_s = max(1, told.record.elapsed_s)


def _comes_back(books: Books, told: Told, kind: AlarmType) -> bool:
    """Whether it was cleared with its cause still there."""
    before = books.step.clearings[-1:]
    return any(
        was.type is kind and was.caused and was.told.record.sequence + 1 == told.record.sequence for was in before
    )


def _is_ill_timed(books: Books, kind: AlarmType) -> bool:
    """Whether a stall that was not known cannot have been noticed yet, or a level was reached before."""
    if kind in LEVELS:
        return _is_late(books, kind)
    worn = books.flow.pulses > books.profile.motor.wear_pulses
    return kind is AlarmType.MOTOR_STALL and books.flow.counting and not worn and books.rotor.is_early(books.now_us)


def _is_late(books: Books, kind: AlarmType) -> bool:
    """Whether a level was passed by more than the steps of one instant, unless it was moved at this very instant."""
    moved = any(told.at_us == books.now_us and told.record.type in _MOVING for told in books.step.told)
    if moved:
        return False
    level_nl = books.program.low_reservoir_nl if kind is AlarmType.LOW_RESERVOIR else books.profile.reservoir.empty_nl
    return books.reservoir_nl <= level_nl - _MOST_CHANNELS * books.flow.step_nl


def _alarm_cleared(books: Books, told: Told) -> None:
    kind = AlarmType(told.record.detail["type"])
    books.step.clearings.append(Clearing(told, kind, STAYING[kind](books)))
    books.alarms.cleared(told.record.detail["instance"])
    books.flow.lowered = books.alarms.lowers


def _delivered(books: Books, told: Told) -> None:
    books.step.days.append(Day(told, books.told_steps))
    books.told_steps = told.record.detail["steps"]


def _refilled(books: Books, told: Told) -> None:
    ahead = (told.reservoir_nl - told.record.detail["computed_nl"]) // books.flow.step_nl if told.slack else 0
    books.said_nl, books.said_steps = told.record.detail["volume_nl"], told.counted + ahead
    books.mixture = books.refills.get(told.record.op_id, ())
    _lock_out(books, told)


def _time_set(books: Books, told: Told) -> None:
    reading_us = books.cut_reading_us if books.reviving else books.clock.reading_us(books.now_us)
    books.clock.set(told.record.detail["unix_s"], told.record.detail["offset_min"], told.acted_us, reading_us)
    books.taps.clear()


def _program_begun(books: Books, _told: Told) -> None:
    books.programming = True


ENTRIES: Final[Mapping[LogType, Callable[[Books, Told], None]]] = MappingProxyType(
    {
        LogType.BOOT: _booted,
        LogType.THERAPY_STARTED: _started,
        LogType.THERAPY_STOPPED: _stopped,
        LogType.BOLUS_STARTED: _bolus_started,
        LogType.BOLUS_ENDED: _bolus_ended,
        LogType.ALARM_RAISED: _alarm_raised,
        LogType.ALARM_ACKNOWLEDGED: lambda books, told: books.alarms.acknowledged(told.record.detail["instance"]),
        LogType.ALARM_SILENCED: lambda books, told: books.alarms.silenced(
            told.record.detail["instance"], told.record.elapsed_s
        ),
        LogType.ALARM_CLEARED: _alarm_cleared,
        LogType.PROGRAM_CHANGED: _programmed,
        LogType.DELIVERED: _delivered,
        LogType.STALL_ENDED: lambda books, _: books.flow.know_stall(False),
        LogType.REFILLED: _refilled,
        LogType.TIME_SET: _time_set,
        LogType.PROGRAM_BEGUN: _program_begun,
    }
)
"""By the kind of record; the others only say something."""
