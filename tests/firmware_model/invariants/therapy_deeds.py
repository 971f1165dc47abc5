"""What clinician and patient may ask of a pump in a step, with good arguments and bad ones."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from firmware_model.commands import (
    CommitRefill,
    PreparedBolus,
    ProgramValidated,
    ReadAllowance,
    RefillBegun,
    Reply,
    StageBegun,
    TherapyCommand,
)
from firmware_model.firmware.codes import BolusKind, Mode, Role
from firmware_model.firmware.program import (
    BLOCK_BYTES,
    NO_PATIENT_BOLUS,
    WRITABLE_BLOCKS,
    PatientBolusSetting,
    Program,
)
from firmware_model.plant.mixture import mixture_of
from firmware_model.quantities import SECONDS_PER_DAY
from tests.firmware_model.invariants.ward import Ward
from tests.firmware_model.random_programs import MIXTURES, a_program, any_scale


def seldom(random: Random, one_in: int = 8) -> bool:
    """Once in so many times."""
    return random.randrange(one_in) == 0


def an_op_id(ward: Ward, random: Random, role: Role = Role.CLINICIAN) -> int:
    """The next one, unless it is to be wrong: an old one, one from ahead, or one beyond the window."""
    op_high = ward.bedside.op_high(role)
    return op_high + (random.choice((0, -1, 2, 1_000, 1_001)) if seldom(random, 12) else 1) if op_high else 1


def a_rev(ward: Ward, random: Random) -> int:
    """The revision of now, seldom an old one."""
    return max(0, ward.bedside.therapy_rev() - seldom(random, 12))


def stop(ward: Ward, random: Random) -> None:
    ward.bedside.stop(max(1, an_op_id(ward, random)))


def start(ward: Ward, random: Random) -> None:
    ward.bedside.start(max(1, an_op_id(ward, random)), rev=a_rev(ward, random))


def ask_again(ward: Ward, random: Random) -> None:
    """A command that was asked before comes once more, the same to the bit."""
    if ward.notes.commands:
        ward.bedside.ask(random.choice(ward.notes.commands))


def give_bolus(ward: Ward, random: Random) -> None:
    """Prepared, and executed as it was prepared or not."""
    kind = random.choice(
        (BolusKind.SINGLE,) * 8 + (BolusKind.PRIMING, BolusKind.PRIMING, BolusKind.BRIDGE, BolusKind.PATIENT)
    )
    limits, step_nl = ward.profile.bolus, ward.bedside.step_nl
    volume_nl = random.choice((random.randint(1, 20) * step_nl, random.randint(0, limits.volume_max_nl + 9)))
    duration_s = random.choice((random.randint(1, 900), random.randint(0, limits.duration_max_s + 9)))
    if kind in (BolusKind.PRIMING, BolusKind.BRIDGE) and not seldom(random):
        volume_nl, duration_s = 0, random.choice((0, 600, 90_000))
    session = random.choice((1, 1, 1, 2))
    reply = ward.bedside.prepare(volume_nl, duration_s, kind=kind, session=session)
    if isinstance(reply, PreparedBolus):
        if seldom(random, 6):
            ward.bedside.wait(random.choice((1, 29.999999, 30, 31)))
        execute(ward, random, reply, session)


def execute(ward: Ward, random: Random, prepared: PreparedBolus, session: int) -> None:
    step_nl = ward.bedside.step_nl
    wrong = seldom(random, 6) and random.choice(("id", "volume", "duration", "session"))
    allowance(ward)
    ward.bedside.execute(
        prepared.bolus_id + (wrong == "id"),
        prepared.volume_nl + (wrong == "volume") * random.choice((-step_nl, step_nl, 1)),
        prepared.duration_s + (wrong == "duration"),
        max(1, an_op_id(ward, random)),
        session=session + (wrong == "session"),
        rev=a_rev(ward, random),
    )
    allowance(ward)


def cancel(ward: Ward, random: Random) -> None:
    running = ward.pump.firmware.record.bolus if ward.pump.powered else None
    bolus_id = random.randint(0, 40) if running is None or seldom(random) else running.bolus_id
    ward.bedside.cancel(bolus_id, max(1, an_op_id(ward, random)))


def press(ward: Ward, random: Random) -> None:
    """A patient who presses, and presses again; of one who may not, the clinician often lets him."""
    if ward.books.program.patient == NO_PATIENT_BOLUS and ward.books.flow.running and not seldom(random, 3):
        transact(ward, random, replace(ward.books.program, patient=_a_patient(ward, random)))
        ward.bedside.wait(random.choice((0, 300)))
    for _ in range(random.choice((1, 1, 1, 3))):
        allowance(ward)
        ward.bedside.patient_bolus(max(1, an_op_id(ward, random, Role.PATIENT)), rev=a_rev(ward, random))
        allowance(ward)
        patient = ward.books.program.patient
        instants_s = (0, 1, patient.duration_s, patient.lockout_s, patient.lockout_s - 0.5, patient.window_s)
        ward.bedside.wait(max(0, random.choice(instants_s)))


def _a_patient(ward: Ward, random: Random) -> PatientBolusSetting:
    return PatientBolusSetting(
        volume_nl=random.randint(1, 5) * ward.bedside.step_nl,
        duration_s=random.choice((60, 600)),
        lockout_s=random.choice((300, 1_800)),
        window_s=random.choice((3_600, 86_400)),
        activations_max=random.choice((1, 2, 5)),
    )


def allowance(ward: Ward) -> None:
    """What the pump says that it still allows."""
    ward.bedside.ask(ReadAllowance(ward.bedside.origin(operation="LIMITS")))


def set_program(ward: Ward, random: Random) -> None:
    """The whole transaction, or as far as it comes."""
    modes = (tuple(Mode), (Mode.FLEX,), (Mode.PERIODIC_BOLUS,), (Mode.SIMPLE_CONTINUOUS,))
    program = a_program(random, ward.profile, random.choice(modes))
    if not seldom(random, 4):
        program = replace(program, drugs=_matching(ward, program))
    transact(ward, random, program, spoilt=seldom(random, 4))


def _matching(ward: Ward, program: Program) -> tuple:  # type: ignore[type-arg]
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
        max(1, an_op_id(ward, random)),
        session=session + (spoil == "session"),
        rev=a_rev(ward, random),
    )


_SPOILS = ("short", "bits", "left", "wait", "end", "abort", "rewrite", "stop", "stage", "crc", "session")
"""At what a transaction can fail."""


def refill(ward: Ward, random: Random) -> None:
    """Drained, filled and committed: rightly, or with another volume or mixture than is said."""
    drugs = tuple((drug.name, drug.concentration_ng_per_ml) for drug in random.choice(MIXTURES))
    if not seldom(random, 3):
        drugs = tuple((drug.name, drug.concentration_ng_per_ml) for drug in ward.books.program.drugs)
    capacity_nl = ward.profile.reservoir.capacity_nl
    volume_nl = random.choice((capacity_nl, random.randint(0, capacity_nl), random.randint(0, capacity_nl * 11 // 10)))
    wrong = seldom(random, 4) and random.choice(("volume", "mixture", "half", "session", "id"))
    refill_with(ward, random, volume_nl, drugs, str(wrong or ""))


def refill_with(
    ward: Ward, random: Random, volume_nl: int, drugs: tuple[tuple[str, int], ...], wrong: str = ""
) -> None:
    bedside, reservoir = ward.bedside, ward.pump.plant.reservoir
    begun = bedside.begin_refill()
    true_mixture = mixture_of(("morphine", 123)) if wrong == "mixture" else mixture_of(*drugs)
    withdrawn_nl, _ = ward.syringe(reservoir.volume_nl, 0, true_mixture)
    in_nl = max(0, volume_nl - reservoir.volume_nl) if wrong != "volume" else random.randint(0, volume_nl)
    ward.syringe(0, in_nl, true_mixture)
    if isinstance(begun, RefillBegun) and wrong != "half":
        bedside.commit_refill(
            begun.refill_id + (wrong == "id"),
            withdrawn_nl,
            volume_nl,
            drugs,
            max(1, an_op_id(ward, random)),
            session=1 + (wrong == "session"),
        )


def syringe(ward: Ward, random: Random) -> None:
    """Somebody puts a syringe to the port, and tells the pump nothing."""
    most_nl = ward.profile.reservoir.capacity_nl // 2
    ward.syringe(any_scale(random, 0, most_nl), any_scale(random, 0, most_nl), mixture_of(("saline", 1)))


def set_time(ward: Ward, random: Random) -> None:
    """Forwards, back, around midnights and weeks, and what is no time."""
    monday = 1_893_456_000 - SECONDS_PER_DAY
    near = monday + random.randint(0, 8) * SECONDS_PER_DAY + random.randint(-90, 90)
    unix_s = random.choice((near, near, monday + any_scale(random, 0, 50_000_000), any_scale(random, 0, 0xFFFF_FFFF)))
    offset_min = random.choice((0, 60, -300, random.randint(-1_441, 1_441)))
    ward.bedside.set_time(unix_s, offset_min, max(1, an_op_id(ward, random)))


def see_to_alarm(ward: Ward, random: Random) -> None:
    """Acknowledged, silenced or cleared: one that stands, or any number."""
    standing = tuple(ward.books.alarms.standing)
    instance = random.choice(standing) if standing and not seldom(random) else random.randint(0, 70)
    what = random.choice((ward.bedside.acknowledge, ward.bedside.silence, ward.bedside.silence, ward.bedside.clear))
    what(instance)


def note_command(ward: Ward) -> None:
    """Remember the therapy commands of a step, so that they can come again."""
    for asked in ward.step.asked:
        if isinstance(asked.command, TherapyCommand) and not isinstance(asked.command, CommitRefill):
            ward.notes.commands.append(asked.command)
