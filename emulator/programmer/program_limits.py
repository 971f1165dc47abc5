"""What a program file asks of a pump: laid over the program that the pump has, and checked against its CAPS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from emulator.programmer.program_fields import (
    BY_ATTRIBUTE,
    CONCENTRATION,
    NONE,
    PATIENT,
    FileField,
    listed,
    mode_text,
)
from emulator.programmer.program_image import OF_SOME_MODES, RATE, SCHEDULE, USES, Program
from emulator.programmer.program_ranges import OPEN_END, Range, peak_day_nl, ranges
from emulator.programmer.program_said import ProgramFile, ProgramFileError
from emulator.programmer.program_schedule import EXAMPLE, time_of_day
from emulator.quantities import format_concentration, format_rate
from protocol.messages.codes import Mode
from protocol.messages.link import CapsAnswer
from protocol.messages.program import WEEKDAYS

_SCHEDULE_PATH: Final = "a section [schedule]"


def wanted_program(file: ProgramFile, active: Program, caps: CapsAnswer) -> Program:
    """What a file asks of a pump, laid over the program that the pump has; a pump that cannot do it is an error."""
    program = _laid_over(file, active)
    check_modes(file, program.mode)
    _check_complete(file, program)
    _check_patient(file, program, active)
    check_drugs(file, program, caps)
    check_ranges(file, program, caps)
    return program


def check_modes(file: ProgramFile, mode: Mode | None = None) -> None:
    """Whether a file says only what its mode uses; without one of its own, what the pump's does."""
    said_mode = file.said.get("mode", mode)
    if said_mode is None:
        return
    whose = "infusion.mode" if "mode" in file.said else "the pump's mode"
    for attribute in OF_SOME_MODES:
        if attribute in file.said and attribute not in USES[said_mode]:
            raise _of_other_modes(file, attribute, f"{whose} is {mode_text(said_mode)}")


def _laid_over(file: ProgramFile, active: Program) -> Program:
    said: dict[str, Any] = dict(file.said)
    if said.get("mode", active.mode) != active.mode:
        # What another mode had says nothing about this one.
        active = replace(active, **OF_SOME_MODES)
    if SCHEDULE in said:
        days = zip(said[SCHEDULE], active.schedule, strict=True)
        said[SCHEDULE] = tuple(was if day is None else day for day, was in days)
    return replace(active, **said)


def _of_other_modes(file: ProgramFile, attribute: str, because: str) -> ProgramFileError:
    modes = [mode_text(mode) for mode, used in USES.items() if attribute in used]
    word = "mode" if len(modes) == 1 else "modes"
    wanted = f'mode = "{modes[0]}"' if len(modes) == 1 else "one of them"
    complaint = f"is only for the {word} {listed(modes)}, and {because}; write {wanted}, or leave it out"
    if attribute == SCHEDULE:
        return file.error(f"schedule {complaint}", SCHEDULE)
    return file.field_error(BY_ATTRIBUTE[attribute], complaint)


def _check_complete(file: ProgramFile, program: Program) -> None:
    """Whether a program has all that its mode needs, if the file says anything of that."""
    if file.said.keys().isdisjoint({"mode", *OF_SOME_MODES}):
        return
    needed = [name for name in USES[program.mode] if (program.mode, name) != (Mode.PERIODIC_BOLUS, RATE)]
    missing = [name for name in needed if getattr(program, name) == OF_SOME_MODES[name]]
    if RATE in missing and RATE in file.said:
        complaint = f'is "{NONE}", which only the mode {mode_text(Mode.PERIODIC_BOLUS)} takes; write a rate'
        raise file.field_error(BY_ATTRIBUTE[RATE], complaint)
    mode = BY_ATTRIBUTE["mode"]
    if missing:
        names = [_SCHEDULE_PATH if name == SCHEDULE else _with_article(BY_ATTRIBUTE[name]) for name in missing]
        such_as = [f"every_day = {EXAMPLE}" if name == SCHEDULE else BY_ATTRIBUTE[name].assignment for name in missing]
        complaint = f"is {mode_text(program.mode)}, which needs {listed(names)}, such as {listed(such_as)}"
        raise file.field_error(mode, complaint)
    if program.mode == Mode.FLEX:
        left = [weekday for weekday, day in zip(WEEKDAYS, program.schedule, strict=True) if not day]
        if left:
            raise file.error(f"schedule says nothing of {listed(left)}; each day of the week needs its rates", SCHEDULE)


def _with_article(field: FileField) -> str:
    return f"a {field.name}" if field.name in ("rate", "dose") else field.path


def _check_patient(file: ProgramFile, program: Program, active: Program) -> None:
    """Whether a patient bolus is whole, or not there at all."""
    said = [BY_ATTRIBUTE[attribute] for attribute in PATIENT if attribute in file.said]
    if not said:
        return
    bolus = BY_ATTRIBUTE[PATIENT[0]]
    if not program.patient_volume_nl:
        if any(getattr(program, field.attribute) for field in said):
            complaint = f"is there, but the pump lets the patient have no bolus; write one, such as {bolus.assignment}"
            raise file.field_error(said[0], complaint)
        return
    # What the pump has stays only where it has a patient bolus already.
    left = [] if active.patient_volume_nl else [BY_ATTRIBUTE[name] for name in PATIENT if name not in file.said]
    if left:
        such_as = listed(field.assignment for field in left)
        complaint = f"needs {listed(field.path for field in left)} as well, such as {such_as}"
        raise file.field_error(bolus, complaint)


def check_drugs(file: ProgramFile, program: Program, caps: CapsAnswer) -> None:
    """Whether the pump takes the drugs that a file says."""
    if "drugs" not in file.said:
        return
    if len(program.drugs) > caps.drugs_max:
        raise file.error(
            f"this is drug {caps.drugs_max + 1}, but this pump allows {caps.drugs_max}", "drug", caps.drugs_max
        )
    for number, drug in enumerate(program.drugs):
        if drug.concentration_ng_per_ml > caps.concentration_max_ng_per_ml:
            most = format_concentration(caps.concentration_max_ng_per_ml)
            shown = format_concentration(drug.concentration_ng_per_ml)
            complaint = f"{CONCENTRATION.path} is {shown}, but this pump allows at most {most}"
            raise file.error(complaint, "drug", number, CONCENTRATION.name)


def check_ranges(file: ProgramFile, program: Program, caps: CapsAnswer) -> None:
    """Whether what a file says is within the pump's ranges; what it does not say is for the pump to judge."""
    beyond = next((allowed for allowed in ranges(program, caps) if not allowed.holds), None)
    if beyond is None:
        return
    if file.says(beyond.attribute):
        raise _out_of_range(file, program, caps, beyond)
    if beyond.narrowed_by is not None and file.says(beyond.narrowed_by):
        limit = BY_ATTRIBUTE[beyond.narrowed_by]
        what, shown = _shown(beyond, beyond.value, program)
        allowed = limit.show(getattr(program, limit.attribute))
        complaint = (
            f"is {allowed}, but {what} in the pump, which stays, is {shown}; allow at least that, or write a lower"
        )
        raise file.field_error(limit, f"{complaint} {_path(beyond.attribute)}")


def _out_of_range(file: ProgramFile, program: Program, caps: CapsAnswer, beyond: Range) -> ProgramFileError:
    why = f" by {BY_ATTRIBUTE[beyond.narrowed_by].path}" if beyond.narrowed_by else ""
    what, shown = _shown(beyond, beyond.value, program)
    _, lowest = _shown(beyond, beyond.lowest, program)
    _, highest = _shown(beyond, beyond.highest, program)
    if beyond.lowest > beyond.highest:
        complaint = f"is {shown}, but beside the rest of the program this pump has no room for any"
    elif beyond.highest == OPEN_END:
        complaint = f"is {shown}, but at least {lowest} is needed"
    elif beyond.lowest == beyond.highest:
        complaint = f"is {shown}, but only {lowest} is allowed{why} on this pump"
    else:
        complaint = f"is {shown}, but {lowest} to {highest} is allowed{why} on this pump"
    if beyond.attribute == "window_max_nl" and beyond.value < beyond.lowest:
        peak = BY_ATTRIBUTE["window_max_nl"].show(peak_day_nl(program, caps))
        complaint += f", for the program itself gives up to {peak} in 24 h"
    if beyond.attribute in WEEKDAYS:
        key = file.day_key(WEEKDAYS.index(beyond.attribute))
        return file.error(f"{what} {complaint}", *key, beyond.change, "rate")
    return file.field_error(BY_ATTRIBUTE[beyond.attribute], complaint)


def _path(attribute: str) -> str:
    return f"schedule.{attribute}" if attribute in WEEKDAYS else BY_ATTRIBUTE[attribute].path


def _shown(beyond: Range, value: int, program: Program) -> tuple[str, str]:
    """How a field and a value of it are called in a sentence."""
    if beyond.attribute in WEEKDAYS:
        change = program.schedule[WEEKDAYS.index(beyond.attribute)][beyond.change]
        return f"schedule.{beyond.attribute} at {time_of_day(change.start_min)}", format_rate(value)
    field = BY_ATTRIBUTE[beyond.attribute]
    return f"the {field.name}" if field.name == "rate" else field.path, field.show(value)
