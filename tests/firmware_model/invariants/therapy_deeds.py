"""What clinician and patient may ask of a pump in a step, with good arguments and bad ones."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from firmware_model.commands import (
    AllowanceAnswer,
    CommitRefill,
    PreparedBolus,
    ReadAllowance,
    RefillBegun,
    TherapyCommand,
)
from firmware_model.firmware.codes import BolusKind, Role
from firmware_model.firmware.program import NO_PATIENT_BOLUS
from firmware_model.memory import CutMode
from firmware_model.plant.mixture import mixture_of
from firmware_model.quantities import SECONDS_PER_DAY
from tests.firmware_model.invariants.deed_values import a_rev, an_op_id, seldom
from tests.firmware_model.invariants.program_deeds import a_patient_bolus, transact
from tests.firmware_model.invariants.ward import Ward
from tests.firmware_model.random_programs import MIXTURES, any_scale


def stop(ward: Ward, random: Random) -> None:
    ward.bedside.stop(an_op_id(ward, random))


def start(ward: Ward, random: Random) -> None:
    ward.bedside.start(an_op_id(ward, random), rev=a_rev(ward, random))


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


def fill_window(ward: Ward, random: Random) -> None:
    """As much as may be given in a day, then almost a day of nothing, and one bolus more."""
    bedside, duration_s = ward.bedside, random.choice((60, 900))
    for wait_s in (duration_s, duration_s, duration_s, random.choice((82_000, 84_000, 86_398, 86_400)), 0):
        left = bedside.ask(ReadAllowance(bedside.origin(operation="LIMITS")))
        if isinstance(left, AllowanceAnswer):
            volume_nl = min(left.window_left_nl, left.bolus_volume_max_nl, 40 * bedside.step_nl)
            reply = bedside.prepare(max(volume_nl, bedside.step_nl), duration_s)
            if isinstance(reply, PreparedBolus):
                bedside.execute(reply.bolus_id, reply.volume_nl, reply.duration_s)
        bedside.wait(wait_s)


def move_dead_volume(ward: Ward, random: Random) -> None:
    """Priming, or a bridge between two mixtures, and perhaps something that comes between."""
    bedside, program = ward.bedside, ward.books.program
    if not program.catheter_nl or seldom(random, 3):
        catheter_nl = random.choice((ward.profile.catheter.catheter_nl, 1_500))
        drugs = program.drugs if ward.books.mixture else random.choice(MIXTURES)
        transact(ward, random, replace(program, catheter_nl=catheter_nl, drugs=drugs))
    kind = random.choice((BolusKind.PRIMING, BolusKind.PRIMING, BolusKind.BRIDGE))
    reply = bedside.prepare(0, 0, kind=kind)
    if isinstance(reply, PreparedBolus):
        bedside.execute(reply.bolus_id, reply.volume_nl, reply.duration_s)
        bedside.wait(random.choice((reply.duration_s, reply.duration_s // 2)))


def execute(ward: Ward, random: Random, prepared: PreparedBolus, session: int) -> None:
    step_nl = ward.bedside.step_nl
    wrong = seldom(random, 6) and random.choice(("id", "volume", "duration", "session"))
    allowance(ward)
    ward.bedside.execute(
        prepared.bolus_id + (wrong == "id"),
        prepared.volume_nl + (wrong == "volume") * random.choice((-step_nl, step_nl, 1)),
        prepared.duration_s + (wrong == "duration"),
        an_op_id(ward, random),
        session=session + (wrong == "session"),
        rev=a_rev(ward, random),
    )
    allowance(ward)


def cancel(ward: Ward, random: Random) -> None:
    running = ward.pump.firmware.record.bolus if ward.pump.powered else None
    bolus_id = random.randint(0, 40) if running is None or seldom(random) else running.bolus_id
    ward.bedside.cancel(bolus_id, an_op_id(ward, random))


def press(ward: Ward, random: Random, *, trouble: bool = False) -> None:
    """A patient who presses, and presses again; of one who may not, the clinician often lets him."""
    if ward.books.program.patient == NO_PATIENT_BOLUS and ward.books.flow.running and not seldom(random, 3):
        transact(ward, random, replace(ward.books.program, patient=a_patient_bolus(ward, random)))
        ward.bedside.wait(random.choice((0, 300)))
    for _ in range(random.choice((1, 1, 2, 3))):
        allowance(ward)
        ward.bedside.patient_bolus(an_op_id(ward, random, Role.PATIENT), rev=a_rev(ward, random))
        allowance(ward)
        patient = ward.books.program.patient
        before_s = patient.lockout_s - random.choice((2, 30, 61))
        instants_s = (0, 1, patient.duration_s, patient.lockout_s, before_s, before_s, patient.window_s)
        ward.bedside.wait(max(0, random.choice(instants_s)))
        if trouble and seldom(random, 3):
            blink(ward, random)


def press_on(ward: Ward, random: Random) -> None:
    """The same with a pump that loses its power now and then."""
    press(ward, random, trouble=True)


def blink(ward: Ward, random: Random) -> None:
    """The power goes for an instant, and perhaps once more while the pump boots."""
    pump = ward.pump
    pump.cut_power(pump.now_us)
    for _ in range(random.choice((0, 0, 1, 3))):
        ward.chances += 1
        pump.arm_power_cut(random.randint(1, 30), random.choice(tuple(CutMode)), 4, pump.now_us)
        pump.restore_power(pump.now_us)
    pump.disarm_power_cut()
    ward.chances += 1
    pump.restore_power(pump.now_us)


def allowance(ward: Ward) -> None:
    """What the pump says that it still allows."""
    ward.bedside.ask(ReadAllowance(ward.bedside.origin(operation="LIMITS")))


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
            an_op_id(ward, random),
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
    ward.bedside.set_time(unix_s, offset_min, an_op_id(ward, random))


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
