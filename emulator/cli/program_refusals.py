"""Why a pump refused a program: a sentence about the file that asked for it, with line, field and limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from emulator.cli.errors import CommandFailure, Refused
from emulator.cli.quantities import format_concentration, format_rate
from emulator.cli.therapy import failure_of
from emulator.programmer.outcomes import NotTaken
from emulator.programmer.program_fields import BY_ATTRIBUTE, drug_text, field_of_block
from emulator.programmer.program_file import ProgramFile
from emulator.programmer.program_image import Day, Program
from emulator.programmer.program_schedule import day_text
from emulator.programmer.programming import Staged
from emulator.programmer.rules import Report
from protocol.messages.codes import Block, Role
from protocol.messages.program import WEEKDAYS
from protocol.refusals import Nak, NakCode

# What is wrong with a field of a program, and how its limit is called.
_OF_A_FIELD: Final[Mapping[NakCode, str]] = {
    NakCode.BELOW_MINIMUM: "but this pump allows at least {limit}",
    NakCode.ABOVE_MAXIMUM: "but this pump allows at most {limit}",
    NakCode.NOT_QUANTIZABLE: "but this pump takes multiples of {limit}",
    NakCode.FORMAT: "which this pump does not take",
}
_WITH_A_LIMIT: Final = frozenset({NakCode.BELOW_MINIMUM, NakCode.ABOVE_MAXIMUM, NakCode.NOT_QUANTIZABLE})
_CHANGED_MEANWHILE: Final = frozenset({NakCode.UNRESOLVED, NakCode.STAGE_CHANGED, NakCode.NOTHING_STAGED})


def commit_failure(report: Report, staged: Staged, file: ProgramFile) -> CommandFailure | None:
    """How a commit ends, None for well."""
    nak = report.outcome.nak if isinstance(report.outcome, NotTaken) else None
    if nak is None:
        return failure_of(report)
    if nak.code in _CHANGED_MEANWHILE:
        return Refused(
            f"{_meanwhile(nak)} while the programs were looked at, so nothing was changed; run the command again.",
            code=nak.code.name.lower(),
        )
    return field_failure(nak, staged.asked, file) or failure_of(report)


def field_failure(nak: Nak, program: Program, file: ProgramFile) -> Refused | None:
    """A refusal that names a field of the program, as the file has it; None for any other."""
    attribute = field_of_block(Block(nak.element), nak.field) if nak.element in set(Block) else None
    if attribute is None or nak.code not in _OF_A_FIELD:
        return None
    path, shown, limit = _shown(attribute, program, nak)
    stays = "" if file.says(attribute) else " (as in the pump, for the file does not say it)"
    line = file.line_of(attribute)
    complaint = _OF_A_FIELD[nak.code].format(limit=limit)
    return Refused(
        f"{file.place(line)}: {path} is {shown}{stays}, {complaint}; nothing was changed.",
        code=nak.code.name.lower(),
        limit=nak.detail,
        field=path,
        line=line,
    )


def _meanwhile(nak: Nak) -> str:
    match nak.code:
        case NakCode.NOTHING_STAGED:
            return "the session with the pump ended"
        case NakCode.UNRESOLVED if nak.detail and nak.element in set(Role):
            last = f"its last operation is {nak.detail} of the {Role(nak.element).name.lower()}"
            return f"therapy changed ({last})"
        case _:
            return "therapy changed"


def _beyond(weekday: str, program: Program, nak: Nak) -> Day:
    """The changes of a day that are beyond the limit of a refusal; all of them where it names none."""
    day = program.schedule[WEEKDAYS.index(weekday)]
    beyond = {
        NakCode.BELOW_MINIMUM: tuple(change for change in day if change.rate_nl_per_day < nak.detail),
        NakCode.ABOVE_MAXIMUM: tuple(change for change in day if change.rate_nl_per_day > nak.detail),
    }.get(nak.code, ())
    return beyond or day


def _shown(attribute: str, program: Program, nak: Nak) -> tuple[str, str, str]:
    """The name of a field in the file, what was asked for, and the limit, each for people."""
    if attribute in BY_ATTRIBUTE:
        field = BY_ATTRIBUTE[attribute]
        limit = field.show(nak.detail) if nak.code in _WITH_A_LIMIT else ""
        return field.path, field.show(getattr(program, attribute)), limit
    if attribute in WEEKDAYS:
        return f"schedule.{attribute}", day_text(_beyond(attribute, program, nak)), format_rate(nak.detail)
    # The pump names the mixture, and the limit says which of it.
    beyond = {
        NakCode.BELOW_MINIMUM: [drug for drug in program.drugs if drug.concentration_ng_per_ml < nak.detail],
        NakCode.ABOVE_MAXIMUM: [drug for drug in program.drugs if drug.concentration_ng_per_ml > nak.detail],
    }.get(nak.code, [])
    shown = ", ".join(drug_text(drug) for drug in beyond or program.drugs) or "none"
    return "drug", shown, format_concentration(nak.detail)
