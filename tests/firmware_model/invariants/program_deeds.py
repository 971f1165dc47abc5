"""Programs that are set in a step: whole, spoilt at one point or another, at their limits, left alone."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from firmware_model.commands import ProgramValidated, Reply, StageBegun
from firmware_model.firmware.codes import Mode
from firmware_model.firmware.program import BLOCK_BYTES, WRITABLE_BLOCKS, Drug, PatientBolusSetting, Program
from tests.firmware_model.invariants.deed_values import a_rev, an_op_id, seldom
from tests.firmware_model.invariants.ward import Ward
from tests.firmware_model.random_programs import MIXTURES, a_program


def set_program(ward: Ward, random: Random) -> None:
    """The whole transaction, or as far as it comes."""
    modes = (tuple(Mode), (Mode.FLEX,), (Mode.PERIODIC_BOLUS,), (Mode.SIMPLE_CONTINUOUS,))
    program = a_program(random, ward.profile, random.choice(modes))
    if seldom(random, 6):
        program = _at_a_limit(ward, random, program)
    if not seldom(random, 4):
        program = replace(program, drugs=_matching(ward, program))
    transact(ward, random, program, spoilt=seldom(random, 4))


def _at_a_limit(ward: Ward, random: Random, program: Program) -> Program:
    """One value is just within what the pump allows, or just beyond."""
    profile, beside = ward.profile, random.choice((-1, 0, 1))
    if program.mode is Mode.FLEX and seldom(random, 2):
        therapy, day, week = profile.therapy, random.randrange(7), list(program.schedule)
        rate = random.choice((therapy.rate_min_nl_per_day, therapy.rate_max_nl_per_day)) + beside
        week[day] = (*week[day][:-1], week[day][-1]._replace(rate_nl_per_day=rate))
        return replace(program, schedule=tuple(week))
    bolus, patient = profile.bolus, profile.patient
    limits = {
        "volume_nl": (bolus.volume_min_nl, bolus.volume_max_nl),
        "duration_s": (bolus.duration_min_s, bolus.duration_max_s),
        "lockout_s": (patient.lockout_min_s, patient.lockout_max_s),
        "window_s": (patient.window_min_s, patient.window_max_s),
        "activations_max": (1, patient.activations_max),
    }
    field = random.choice(tuple(limits))
    value = max(0, random.choice(limits[field]) + beside)
    return replace(program, patient=replace(a_patient_bolus(ward, random), **{field: value}))


def _matching(ward: Ward, program: Program) -> tuple[Drug, ...]:
    """Drugs that are in the reservoir, as far as it was said."""
    mixture = set(ward.books.mixture)
    fitting = [drugs for drugs in MIXTURES if mixture == {(drug.name, drug.concentration_ng_per_ml) for drug in drugs}]
    return fitting[0] if mixture and fitting else program.drugs


def transact(ward: Ward, random: Random, program: Program, *, spoilt: bool = False) -> Reply | None:
    """Stage, validate, read back, commit; spoilt at one point or another."""
    bedside = ward.bedside
    session = random.choice((1, 1, 1, 2, 3))
    begun = bedside.begin(session)
    if not isinstance(begun, StageBegun):
        return begun
    spoil = random.choice(_SPOILS) if spoilt else ""
    stage_id, at, image = begun.stage_id, 0, program.image()
    for block in WRITABLE_BLOCKS:
        content = image[at : at + BLOCK_BYTES[block]]
        at += BLOCK_BYTES[block]
        if spoil == "short" and seldom(random, 3):
            content = content[:-1]
        elif spoil == "bits":
            content = bytes(byte ^ (random.getrandbits(8) if seldom(random, 200) else 0) for byte in content)
        bedside.write(stage_id, block, 0, content, session)
    if spoil == "left":
        return None
    shown = bedside.validate(stage_id, session)
    if not isinstance(shown, ProgramValidated):
        return shown
    bedside.read_stage(stage_id, length=len(image), session=session)
    if spoil in ("wait", "end"):
        bedside.wait(random.randint(0, 100_000))
    if spoil == "end":
        bedside.pump.end_session(session, bedside.now)
    elif spoil == "abort":
        return bedside.abort(stage_id, session)
    elif spoil == "rewrite":
        bedside.write(stage_id, WRITABLE_BLOCKS[1], 0, image[: BLOCK_BYTES[WRITABLE_BLOCKS[1]]], session)
    elif spoil == "stop":
        bedside.stop()
    return bedside.commit(
        stage_id + (spoil == "stage"),
        shown.crc32 ^ (spoil == "crc"),
        an_op_id(ward, random),
        session=session + (spoil == "session"),
        rev=a_rev(ward, random),
    )


_SPOILS = ("short", "bits", "left", "wait", "end", "abort", "rewrite", "stop", "stage", "crc", "session")
"""At what a transaction can fail."""


def a_patient_bolus(ward: Ward, random: Random) -> PatientBolusSetting:
    return PatientBolusSetting(
        volume_nl=random.randint(1, 5) * ward.bedside.step_nl,
        duration_s=random.choice((60, 600)),
        lockout_s=random.choice((300, 1_800)),
        window_s=random.choice((3_600, 86_400)),
        activations_max=random.choice((1, 2, 5)),
    )
