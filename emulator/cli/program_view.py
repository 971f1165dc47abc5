"""A program that is to be committed, beside the one that a pump has: for people, and as JSON values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from emulator.cli.quantities import (
    S_PER_DAY,
    UNKNOWN_U32,
    US_PER_S,
    format_dose_a_day,
    format_duration_us,
    format_rate,
)
from emulator.cli.wording import aligned, document_of
from emulator.programmer.program_file import FIELDS, drug_text
from emulator.programmer.program_image import Program
from emulator.programmer.programming import Staged
from protocol.messages.codes import Mode, Warnings
from protocol.messages.link import CapsAnswer
from protocol.messages.program import ProgramValidateAnswer

_CHANGED: Final = "*"
_NONE: Final = "none"

_WARNING_TEXT: Final[Mapping[Warnings, str]] = {
    Warnings.NO_DELIVERY: "this program delivers nothing",
    Warnings.NEEDS_START: "therapy is stopped, and stays so until 'vpump therapy start'",
    Warnings.LOW_RESERVOIR: "the reservoir is at or below the level of its alarm already",
    Warnings.DRUGS_CHANGED: "other drugs or concentrations than now; see to it that the reservoir holds them",
}


def side_by_side(staged: Staged) -> list[str]:
    """Both programs in two columns with the changes marked, what follows from the new one, and warnings."""
    summary = staged.summary
    return [
        *aligned([("", "", "NOW", "NEW"), *_rows(staged)]),
        "",
        f"Motor steps: {summary.steps_per_day} a day.",
        f"Low reservoir: {_refill_text(summary)}.",
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
    """A program as JSON values under the wire's names. A dose is a whole number of femtograms."""
    flow_nl_per_day = program.flow_nl_per_day(caps)
    return {
        "crc32": f"{program.crc32:08X}",
        "drugs": [
            {**document_of(drug), "dose_fg_per_day": flow_nl_per_day * drug.concentration_ng_per_ml}
            for drug in program.drugs
        ],
        "mode": program.mode.name.lower(),
        "rate_nl_per_day": program.rate_nl_per_day,
        "flow_nl_per_day": flow_nl_per_day,
        "rate_max_nl_per_day": program.rate_max_nl_per_day,
        "bolus_volume_max_nl": program.bolus_volume_max_nl,
        "low_reservoir_nl": program.low_reservoir_nl,
    }


def _groups(program: Program, caps: CapsAnswer) -> tuple[dict[str, str], ...]:
    """What stands in the column of a program, by the name of the row: its name, drugs, fields and doses."""
    flow_nl_per_day = program.flow_nl_per_day(caps)
    fields = {field.path: field.show(getattr(program, field.attribute)) for field in FIELDS}
    # What flows, which a mode may say without a rate.
    fields["infusion.rate"] = format_rate(flow_nl_per_day) if flow_nl_per_day else _NONE
    return (
        {"program": f"{program.crc32:08X}"},
        {f"drug {number}": drug_text(drug) for number, drug in enumerate(program.drugs, start=1)},
        fields,
        {
            f"{drug.name} a day": format_dose_a_day(flow_nl_per_day * drug.concentration_ng_per_ml)
            for drug in program.drugs
        },
    )


def _rows(staged: Staged) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for old, new in zip(_groups(staged.old, staged.caps), _groups(staged.new, staged.caps), strict=True):
        for label in {**old, **new}:
            now, then = old.get(label, _NONE), new.get(label, _NONE)
            rows.append((_CHANGED if now != then else "", label, now, then))
    return rows


def _rounded_text(staged: Staged) -> str:
    asked, runs = format_rate(staged.asked.rate_nl_per_day), format_rate(staged.new.rate_nl_per_day)
    quantum = format_rate(staged.caps.rate_quantum_nl_per_day)
    return f"the rate {asked} was rounded down to {runs}, for this pump's rates are multiples of {quantum}"


def _refill_text(summary: ProgramValidateAnswer) -> str:
    if summary.low_reservoir_in_s == UNKNOWN_U32 or summary.mode == Mode.STOPPED:
        return "never, at this rate"
    days = summary.low_reservoir_in_s // S_PER_DAY
    when = f"in {days} day{'' if days == 1 else 's'}"
    if not days:
        seconds = summary.low_reservoir_in_s
        when = f"in {format_duration_us(seconds * US_PER_S)}" if seconds else "reached already"
    if summary.low_reservoir_unix_s == UNKNOWN_U32:
        return f"{when}; the pump's clock does not say on which date"
    return f"{when}, on {time.strftime('%Y-%m-%d', time.gmtime(summary.low_reservoir_unix_s))} UTC"
