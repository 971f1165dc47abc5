"""P1 to P7: what runs is one whole program that somebody has seen, or the pump stands still and says so."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from firmware_model.commands import (
    BlockWritten,
    CommitProgram,
    OpOutcome,
    ProgramPart,
    ProgramValidated,
    ReadProgram,
    ValidateProgram,
    WriteProgram,
)
from firmware_model.firmware.codes import AlarmType, Block, Mode, Role, StopReason
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.program import IMAGE_BYTES, NO_PATIENT_BOLUS, Program
from firmware_model.firmware.record_layout import stored_image
from firmware_model.profile import Profile
from firmware_model.quantities import SECONDS_PER_DAY
from tests.firmware_model.invariants.ward import Ward

_SAID_BY: Final = MappingProxyType(
    {
        StopReason.EMPTY_RESERVOIR: AlarmType.EMPTY_RESERVOIR,
        StopReason.END_OF_SERVICE: AlarmType.END_OF_SERVICE,
        StopReason.SUPERVISOR: AlarmType.SUPERVISOR,
        StopReason.PROGRAM_INCOMPLETE: AlarmType.PROGRAM_INCOMPLETE,
    }
)


def one_whole_program(ward: Ward) -> None:
    """P1: the active program is the last that the log named, one of those that were read back whole."""
    for told in ward.step.of(LogType.PROGRAM_CHANGED):
        assert told.record.detail["crc32"] in ward.books.programs, "a program that nobody has read back"
    if ward.books.judged:
        program = ward.pump.firmware.record.program
        if program is not ward.notes.stored:
            assert program == ward.books.program
            ward.notes.stored = program


def within_hard_limits(ward: Ward) -> None:
    """P2: no value of a program that runs, or of a bolus that was given, lies beyond what the pump allows."""
    program = ward.books.program
    if program is not ward.notes.within_limits:
        for name, value, lowest, highest in _limits(program, ward.profile):
            assert lowest <= value <= highest, f"{name} is {value}, allowed is {lowest} to {highest}"
        ward.notes.within_limits = program


def _limits(program: Program, profile: Profile) -> list[tuple[str, int, int, int]]:
    therapy, bolus, patient = profile.therapy, profile.bolus, program.patient
    least, most = therapy.rate_min_nl_per_day, therapy.rate_max_nl_per_day
    rates = [change.rate_nl_per_day for day in program.schedule for change in day]
    if program.mode in (Mode.SIMPLE_CONTINUOUS, Mode.FLEX) or program.rate_nl_per_day:
        rates.append(program.rate_nl_per_day)
    found = [("rate", rate, least, min(most, program.rate_max_nl_per_day)) for rate in rates]
    found.append(("rate_max", program.rate_max_nl_per_day, least, most))
    found.append(("bolus_volume_max", program.bolus_volume_max_nl, bolus.volume_min_nl, bolus.volume_max_nl))
    found.append(("window_max", program.window_max_nl, 1, therapy.window_max_nl))
    found.append(("low", program.low_reservoir_nl, profile.reservoir.empty_nl, profile.reservoir.capacity_nl))
    volume_max_nl = program.bolus_volume_max_nl
    dosed = [(program.dose_volume_nl, program.dose_duration_s)] if program.dose_volume_nl else []
    if patient != NO_PATIENT_BOLUS:
        dosed.append((patient.volume_nl, patient.duration_s))
        limits = profile.patient
        found.append(("lockout", patient.lockout_s, limits.lockout_min_s, limits.lockout_max_s))
        found.append(("window", patient.window_s, limits.window_min_s, limits.window_max_s))
        found.append(("activations", patient.activations_max, 1, limits.activations_max))
    for volume_nl, duration_s in dosed:
        found.append(("volume", volume_nl, bolus.volume_min_nl, volume_max_nl))
        found.append(("duration", duration_s, bolus.duration_min_s, bolus.duration_max_s))
        found.append(("flow", volume_nl * SECONDS_PER_DAY, 0, bolus.rate_max_nl_per_day * duration_s))
    return found


def readback_is_stored_is_run(ward: Ward) -> None:
    """P3: what anyone reads, what memory holds and what the flow follows are one program."""
    books, pump = ward.books, ward.pump
    if not (books.judged and (ward.ending or ward.step.begun)):
        return
    origin = ward.bedside.origin(Role.READER, operation="THERAPY_READ")
    reply = pump.command(ReadProgram(origin, Block.IMAGE, 0, IMAGE_BYTES), pump.now_us)
    stored = pump.memory.control.read()
    assert isinstance(reply, ProgramPart)
    assert reply.data == books.program.image()
    if stored is not None:
        assert stored_image(stored.body) == reply.data


def commit_needs_what_was_seen(ward: Ward) -> None:
    """P4: a program is taken only under the checksum that was shown for its stage, with therapy unchanged since."""
    shown = ward.notes.shown
    for command, reply, therapy_rev in ward.step.asked:
        if isinstance(command, ValidateProgram):
            place = (command.origin.session, command.stage_id)
            shown[place] = (reply.crc32, therapy_rev) if isinstance(reply, ProgramValidated) else (0, 0)
        elif isinstance(command, WriteProgram) and isinstance(reply, BlockWritten):
            shown.pop((command.origin.session, command.stage_id), None)
        elif isinstance(command, CommitProgram) and isinstance(reply, OpOutcome) and not reply.repeated:
            place = (command.origin.session, command.stage_id)
            assert shown.get(place) == (command.crc32, command.therapy_rev), "a program that nobody was shown"


def mismatch_stays_stopped(ward: Ward) -> None:
    """P5: nothing begins that is not meant for what the last refill said to be in the reservoir."""
    for begun in ward.step.begun:
        assert begun.fits, "a program runs on a mixture that it is not meant for"


def never_silently_stopped(ward: Ward) -> None:
    """P6: a pump that stands still was told to, or an alarm says why until a person has seen to it."""
    books, seen_to = ward.books, ward.notes.seen_to
    if books.flow.running:
        seen_to.clear()
    for clearing in ward.step.clearings:
        by_refill = any(told.at_us == clearing.told.at_us for told in ward.step.refills)
        if clearing.told.record.detail["role"] or by_refill:
            seen_to.add(clearing.type)
    if not books.judged or books.flow.running:
        return
    reason, types = books.stop_reason, books.alarms.types
    if reason is StopReason.PROGRAM_INCOMPLETE and ward.pump.firmware.stages:
        assert ward.profile.therapy.stops_while_programming
    elif reason not in (StopReason.COMMANDED, StopReason.PROGRAMMED):
        assert _SAID_BY[reason] in types | seen_to, "silently stopped"


def schedule_is_followed(ward: Ward) -> None:
    """P7: the rate in force is that of the program at this local time, and each dose has its turn, once."""
    step, books = ward.step, ward.books
    assert not step.missed_doses, f"no dose at {step.missed_doses} of elapsed time"
    for start in step.starts:
        assert start.due, "a dose out of turn"
    for begun in step.begun:
        if begun.told.record.type is LogType.THERAPY_STARTED:
            assert begun.told.record.detail["rate_nl_per_day"] == begun.rate_nl_per_day
    for told in step.of(LogType.TIME_SET):
        # The rate before the new time; it follows at once, which the next line but one holds.
        assert told.record.detail["rate_nl_per_day"] <= ward.profile.therapy.rate_max_nl_per_day
    if books.judged:
        gain = ward.pump.firmware.flow.base.gain
        assert gain == books.flow.base_rate(), f"{gain} nl/d flow, {books.flow.base_rate()} are programmed"
