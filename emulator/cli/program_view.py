"""A program that is to be committed, beside the one that a pump has: for people, and as JSON values."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from emulator.cli.quantities import (
    S_PER_DAY,
    UNKNOWN_U32,
    US_PER_S,
    format_dose_a_day,
    format_duration_us,
    format_rate,
    format_volume_nl,
)
from emulator.cli.schedule_view import Row, schedule_rows
from emulator.cli.wording import aligned, document_of
from emulator.programmer.program_fields import FIELDS, NONE, PATIENT, drug_text
from emulator.programmer.program_image import (
    MINUTES_PER_DAY,
    OF_SOME_MODES,
    SCHEDULE,
    USES,
    Program,
    day_volumes,
)
from emulator.programmer.programming import Staged
from protocol.messages.codes import Mode, Warnings
from protocol.messages.link import CapsAnswer
from protocol.messages.program import WEEKDAYS, DrugEntry, ProgramValidateAnswer

_CHANGED: Final = "*"
_FG_PER_NG: Final = 10**6

_WARNING_TEXT: Final[Mapping[Warnings, str]] = {
    Warnings.NO_DELIVERY: "this program delivers nothing",
    Warnings.NEEDS_START: "therapy is stopped, and stays so until 'vpump therapy start'",
    Warnings.LOW_RESERVOIR: "the reservoir is at or below the level of its alarm already",
    Warnings.DRUGS_CHANGED: "other drugs or concentrations than now; see to it that the reservoir holds them",
    Warnings.BRIDGE_DUE: "the old drugs are still in tubing and catheter, and leave them first; give a bridge bolus",
}


def side_by_side(staged: Staged) -> list[str]:
    """Both programs in two columns with the changes marked, what follows from the new one, and warnings."""
    summary = staged.summary
    return [
        *aligned([("", "", "NOW", "NEW"), *_rows(staged)]),
        "",
        f"Motor steps: {summary.steps_per_day} a day.",
        f"Low reservoir: {_when(summary.low_reservoir_in_s, summary.low_reservoir_unix_s, summary.mode)}.",
        *_patient_lines(staged.new, summary),
        *_stability_lines(summary),
        *(f"Warning: {text}." for text in _warning_texts(staged)),
    ]


def _warning_texts(staged: Staged) -> list[str]:
    """The pump's warnings, in words."""
    texts = []
    for warning in Warnings:
        if warning not in staged.summary.warnings:
            continue
        texts.append(_rounded_text(staged) if warning == Warnings.RATE_ROUNDED else _WARNING_TEXT[warning])
    known = sum(int(warning) for warning in Warnings)
    rest = int(staged.summary.warnings) & ~known
    return [*texts, f"the pump warns of something that this programmer does not know ({rest:#x})"] if rest else texts


def staged_document(staged: Staged) -> dict[str, Any]:
    """Both programs, the pump's summary and its warnings as JSON values."""
    summary = document_of(staged.summary)
    warnings = summary.pop("warnings")
    old, new = program_document(staged.old, staged.caps), program_document(staged.new, staged.caps)
    changed = [key for key in new if key != "crc32" and old[key] != new[key]]
    return {"old": old, "new": new, "changed": changed, "summary": summary, "warnings": warnings}


def program_document(program: Program, caps: CapsAnswer) -> dict[str, Any]:
    """A program as JSON values under the wire's names.

    Doses are whole femtograms, rounded down: of an average day, of a programmed dose, and of a patient bolus.
    """
    flow_nl_per_day = program.flow_nl_per_day(caps)
    return {
        "crc32": f"{program.crc32:08X}",
        "drugs": [
            {
                **document_of(drug),
                "dose_fg_per_day": int(_mean_day(program, caps) * drug.concentration_ng_per_ml),
                "dose_fg": program.dose_volume_nl * drug.concentration_ng_per_ml,
                "patient_dose_fg": program.patient_volume_nl * drug.concentration_ng_per_ml,
            }
            for drug in program.drugs
        ],
        "mode": program.mode.name.lower(),
        "rate_nl_per_day": program.rate_nl_per_day,
        "flow_nl_per_day": flow_nl_per_day,
        "dose_volume_nl": program.dose_volume_nl,
        "dose_duration_s": program.dose_duration_s,
        "dose_interval_s": program.dose_interval_s,
        "schedule": {
            weekday: [document_of(change) for change in day]
            for weekday, day in zip(WEEKDAYS, program.schedule, strict=True)
            if day
        },
        **{attribute: getattr(program, attribute) for attribute in PATIENT},
        "rate_max_nl_per_day": program.rate_max_nl_per_day,
        "bolus_volume_max_nl": program.bolus_volume_max_nl,
        "window_max_nl": program.window_max_nl,
        "low_reservoir_nl": program.low_reservoir_nl,
        "critical_repeat_min": program.critical_repeat_min,
        "non_critical_repeat_min": program.non_critical_repeat_min,
        "catheter_nl": program.catheter_nl,
    }


def _rows(staged: Staged) -> list[tuple[str, ...]]:
    old, new, caps = staged.old, staged.new, staged.caps
    fields = _joined(_fields(old, caps), _fields(new, caps), [field.path for field in FIELDS])
    # The schedule is a part of how the program infuses, and stands with it.
    infusion = [row for row in fields if row[0].startswith("infusion.")]
    rows = [
        *_joined(_identity(old), _identity(new)),
        *infusion,
        *schedule_rows(old, new),
        *fields[len(infusion) :],
        *_joined(_doses(old, caps), _doses(new, caps)),
    ]
    return [(_CHANGED if now != then else "", label, now, then) for label, now, then in rows]


def _joined(old: Mapping[str, str], new: Mapping[str, str], order: Sequence[str] = ()) -> list[Row]:
    """What either column says, in an order if there is one."""
    labels = [label for label in order or {**old, **new} if label in old or label in new]
    return [(label, old.get(label, NONE), new.get(label, NONE)) for label in labels]


def _identity(program: Program) -> dict[str, str]:
    drugs = {f"drug {number}": drug_text(drug) for number, drug in enumerate(program.drugs, start=1)}
    return {"program": f"{program.crc32:08X}", **drugs}


def _fields(program: Program, caps: CapsAnswer) -> dict[str, str]:
    """The fields that say anything of a program, by their names in a file."""
    shown = {}
    for field in FIELDS:
        unused = field.attribute in OF_SOME_MODES and field.attribute not in USES[program.mode]
        if not unused and (field.attribute not in PATIENT[1:] or program.patient_volume_nl):
            shown[field.path] = field.show(getattr(program, field.attribute))
    if program.mode == Mode.MINIMUM_RATE:
        # What flows, which this mode says without a rate.
        shown["infusion.rate"] = format_rate(program.base_nl_per_day(caps))
    if program.mode == Mode.FLEX:
        shown["infusion.rate"] += " (clock lost)"
    return shown


def _doses(program: Program, caps: CapsAnswer) -> dict[str, str]:
    """What each drug comes to: of a day, of a dose of the program, of a patient bolus."""
    shown = {}
    for drug in program.drugs:
        days = _days(program, caps)
        if program.mode != Mode.SINGLE_BOLUS:
            least, most = _dose_text(min(days), drug), _dose_text(max(days), drug)
            shown[f"{drug.name} a day"] = f"{least}/day" if least == most else f"{least} to {most}/day"
        if program.dose_volume_nl:
            shown[f"{drug.name} a dose"] = _dose_text(Fraction(program.dose_volume_nl), drug)
        if program.patient_volume_nl:
            shown[f"{drug.name} a patient bolus"] = _dose_text(Fraction(program.patient_volume_nl), drug)
    return shown


def _days(program: Program, caps: CapsAnswer) -> list[Fraction]:
    """The volume of a day, in nl; FLEX: of each weekday."""
    if program.mode == Mode.FLEX:
        return [Fraction(volume, MINUTES_PER_DAY) for volume in day_volumes(program.schedule)]
    base = Fraction(program.base_nl_per_day(caps))
    if program.mode == Mode.PERIODIC_BOLUS:
        base += Fraction(program.dose_volume_nl * S_PER_DAY, max(1, program.dose_interval_s))
    return [base]


def _mean_day(program: Program, caps: CapsAnswer) -> Fraction:
    days = _days(program, caps)
    return sum(days, Fraction(0)) / len(days)


def _dose_text(volume_nl: Fraction, drug: DrugEntry) -> str:
    """The dose in a volume: exact, or to the next nanogram below, marked so."""
    dose_fg = volume_nl * drug.concentration_ng_per_ml
    if dose_fg.denominator == 1:
        return format_dose_a_day(int(dose_fg)).removesuffix("/day")
    return f"~{format_dose_a_day(int(dose_fg) // _FG_PER_NG * _FG_PER_NG).removesuffix('/day')}"


def _rounded_text(staged: Staged) -> str:
    asked, runs, caps = staged.asked, staged.new, staged.caps
    rounded = [
        f"{field.path} {field.show(getattr(asked, field.attribute))} to {field.show(getattr(runs, field.attribute))}"
        for field in FIELDS
        if field.attribute not in OF_SOME_MODES or field.attribute in USES[runs.mode]
        if getattr(asked, field.attribute) != getattr(runs, field.attribute)
    ]
    if asked.schedule != runs.schedule and SCHEDULE in USES[runs.mode]:
        rounded.append("rates of the schedule")
    quanta = f"{format_rate(caps.rate_quantum_nl_per_day)} and {format_volume_nl(caps.volume_quantum_nl)}"
    return f"rounded down: {', '.join(rounded)}, for this pump's rates and volumes are multiples of {quanta}"


def _patient_lines(program: Program, summary: ProgramValidateAnswer) -> list[str]:
    if not program.patient_volume_nl:
        return []
    most, peak_nl = summary.boluses_per_day_max, summary.window_peak_nl
    told = f"Most in 24 h: {format_volume_nl(peak_nl)}, with {most} patient bolus{'' if most == 1 else 'es'}"
    if peak_nl > program.window_max_nl:
        told += f"; limits.window_max holds it to {format_volume_nl(program.window_max_nl)}"
    when = _when(summary.refill_in_s, summary.refill_unix_s, summary.mode)
    return [f"{told}.", f"Refill, if the patient takes all of them: {when}."]


def _stability_lines(summary: ProgramValidateAnswer) -> list[str]:
    if summary.stability_in_s == UNKNOWN_U32:
        return []
    if summary.stability_in_s == 0:
        return ["Refill, for the drugs' stability: now, for it is over."]
    sooner = summary.stability_in_s < min(summary.refill_in_s, summary.low_reservoir_in_s)
    return [
        f"Refill, for the drugs' stability: {_in(summary.stability_in_s)}{', sooner than by volume' if sooner else ''}."
    ]


def _when(in_s: int, unix_s: int, mode: Mode) -> str:
    if in_s == UNKNOWN_U32 or mode == Mode.STOPPED:
        return "never, at this rate"
    when = _in(in_s) if in_s else "reached already"
    if unix_s == UNKNOWN_U32:
        return f"{when}; the pump's clock does not say on which date"
    return f"{when}, on {time.strftime('%Y-%m-%d', time.gmtime(unix_s))} UTC"


def _in(seconds: int) -> str:
    days = seconds // S_PER_DAY
    return f"in {days} day{'' if days == 1 else 's'}" if days else f"in {format_duration_us(seconds * US_PER_S)}"
