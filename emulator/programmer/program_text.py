"""A program as the text of a file that says all of it."""

from __future__ import annotations

import json

from emulator.programmer.program_fields import DRUG_FIELDS, PATIENT, SECTIONS, STABLE_FOR, FileField, Kind
from emulator.programmer.program_image import OF_SOME_MODES, USES, Program
from emulator.programmer.program_schedule import schedule_text
from protocol.messages.codes import Mode


def program_text(program: Program) -> str:
    """A program as the text of a file that says all of it."""
    sections = ["drugs = []\n"] if not program.drugs else []
    for drug in program.drugs:
        fields = [field for field in DRUG_FIELDS.values() if field is not STABLE_FOR or drug.stability_days]
        sections.append("[[drug]]\n" + "".join(_row(field, drug) for field in fields))
    for section, section_fields in SECTIONS.items():
        rows = [_row(field, program) for field in section_fields.values() if _is_said(field, program)]
        sections.append(f"[{section}]\n{''.join(rows)}")
        if section == "infusion" and program.mode == Mode.FLEX:
            sections.append(schedule_text(program.schedule))
    return "\n".join(sections)


def _row(field: FileField, said_of: object) -> str:
    shown = field.show(getattr(said_of, field.attribute))
    # The texts are printable ASCII, of which JSON makes what TOML reads.
    return f"{field.name} = {shown if field.kind is Kind.COUNT else json.dumps(shown)}\n"


def _is_said(field: FileField, program: Program) -> bool:
    """Whether a field says anything of a program: not what its mode does not use, nor of a bolus that is not there."""
    if field.attribute in OF_SOME_MODES:
        return field.attribute in USES[program.mode]
    return field.attribute not in PATIENT[1:] or program.patient_volume_nl > 0
