"""VALIDATE: what it says would run is what runs, and what it foretells comes."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import BlockWritten, ProgramValidated, Reason, Refusal, Reply
from firmware_model.firmware.codes import AlarmType, Block, Mode, ProgramWarning
from firmware_model.firmware.program import (
    BLOCK_BYTES,
    Drug,
    PatientBolusSetting,
    Program,
    check_limits,
    quantised,
    unpack_program,
)
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import (
    FLEX_DAY,
    mended_for,
    new_program,
    programs_near,
    same_every_day,
    wire_image,
)
from tests.firmware_model.pump_profiles import LONG_LOG, changed, shipped

REFERENCE = shipped("reference-20")
WITHIN_YEARS = changed(LONG_LOG, "therapy", rate_min_nl_per_day=1_000)
DAY_S = 86_400


def validated(bedside: Bedside, program: Program) -> tuple[Reply | None, Program | None]:
    """What VALIDATE says, and the program that it would let run."""
    stage_id = bedside.staged(program)
    reply = bedside.validate(stage_id)
    if isinstance(reply, Refusal):
        return reply, None
    image = b""
    while len(image) < BLOCK_BYTES[Block.IMAGE]:
        image += bedside.read_stage(stage_id, offset=len(image)).data  # type: ignore[union-attr]
    return reply, unpack_program(image)


@settings(max_examples=60)
@given(programs_near(LONG_LOG))
def test_a_stage_is_admitted_exactly_if_its_program_is(program: Program) -> None:
    reply, admitted = validated(Bedside(LONG_LOG), program)
    refusal = check_limits(program, LONG_LOG)
    if refusal is None:
        assert isinstance(reply, ProgramValidated)
        assert admitted == quantised(program, LONG_LOG)
        assert reply.crc32 == zlib.crc32(wire_image(admitted))
    else:
        assert reply == refusal


def test_a_value_that_no_block_may_hold_is_refused_when_it_is_validated() -> None:
    bedside = Bedside()
    stage_id = bedside.staged(new_program())
    assert bedside.write(stage_id, Block.INFUSION, 0, b"\x34".ljust(17, b"\0")) == BlockWritten(17)
    assert bedside.validate(stage_id) == Refusal(Reason.FORMAT, "mode", element=Block.INFUSION)


@settings(max_examples=60)
@given(
    programs_near(WITHIN_YEARS),
    st.sampled_from([Mode.MINIMUM_RATE, Mode.SIMPLE_CONTINUOUS, Mode.FLEX]),
    st.integers(0, 1_500 * SECOND),
)
def test_the_low_reservoir_comes_in_the_second_that_was_foretold(program: Program, mode: Mode, before_us: int) -> None:
    program = mended_for(replace(program, mode=mode), WITHIN_YEARS)
    bedside = Bedside(WITHIN_YEARS)
    bedside.pump.advance(before_us)
    reply, _ = validated(bedside, program)
    assert isinstance(reply, ProgramValidated)
    granted(bedside.program(program))
    in_s, now = reply.low_reservoir_in_s, bedside.now
    assert in_s is not None
    assert reply.low_reservoir_unix_s == 1_893_456_000 + now // SECOND + in_s
    if in_s:
        bedside.pump.advance(now + (in_s - 1) * SECOND)
        assert bedside.alarms() == ()
    bedside.pump.advance(now + in_s * SECOND)
    assert bedside.alarms()[0].type == AlarmType.LOW_RESERVOIR
    assert bedside.alarms()[0].elapsed_s in (now // SECOND + in_s - 1, now // SECOND + in_s)


def test_what_is_too_far_away_is_as_far_as_32_bits_go() -> None:
    """180 steps at one nanolitre a day are a thousand centuries; that is not never."""
    bedside = Bedside()
    _, reply = bedside.validated(new_program(mode=Mode.MINIMUM_RATE))
    assert (reply.low_reservoir_in_s, reply.low_reservoir_unix_s) == (0xFFFF_FFFE, 0xFFFF_FFFE)


def summary(**values: object) -> ProgramValidated:
    """What VALIDATE says of a program for a full pump."""
    return Bedside(REFERENCE).validated(new_program(REFERENCE, **values))[1]


def test_the_answer_says_what_would_really_run() -> None:
    drugs = (Drug("baclofen", 2_000_000, 180),)
    runs = new_program(REFERENCE, rate_nl_per_day=480_000, drugs=drugs)
    # 18 mL at 0.48 mL a day are 37.5 days.
    assert summary(rate_nl_per_day=480_999, drugs=drugs) == ProgramValidated(
        crc32=zlib.crc32(wire_image(runs)),
        image_size=715,
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=480_000,
        steps_per_day=19_200,
        low_reservoir_in_s=3_240_000,
        low_reservoir_unix_s=1_896_696_000,
        warnings=ProgramWarning.RATE_ROUNDED | ProgramWarning.DRUGS_CHANGED,
        window_peak_nl=480_000,
        boluses_per_day_max=0,
        refill_in_s=3_240_000,
        refill_unix_s=1_896_696_000,
        stability_in_s=180 * DAY_S,
    )
    minimum = summary(mode=Mode.MINIMUM_RATE, rate_nl_per_day=777)
    assert (minimum.rate_nl_per_day, minimum.steps_per_day, minimum.warnings) == (48_000, 1_920, ProgramWarning(0))
    stopped = summary(mode=Mode.STOPPED)
    assert (stopped.rate_nl_per_day, stopped.steps_per_day, stopped.low_reservoir_in_s) == (0, 0, None)
    assert (stopped.low_reservoir_unix_s, stopped.warnings) == (None, ProgramWarning.NO_DELIVERY)


def test_a_day_of_a_schedule_and_of_doses_is_their_average() -> None:
    """14 hours of 0.9, 8 of 0.5 and 2 of 0.6 mL/day are 741,667 nl, but for a third; four doses and a base 500,000."""
    flex = summary(mode=Mode.FLEX, schedule=same_every_day(*FLEX_DAY))
    assert (flex.rate_nl_per_day, flex.steps_per_day, flex.window_peak_nl) == (741_666, 29_666, 741_667)
    periodic = summary(
        mode=Mode.PERIODIC_BOLUS,
        rate_nl_per_day=100_000,
        dose_volume_nl=100_000,
        dose_duration_s=1_800,
        dose_interval_s=21_600,
    )
    # Of five doses some part can lie within the same 24 hours.
    assert (periodic.rate_nl_per_day, periodic.steps_per_day, periodic.window_peak_nl) == (500_000, 20_000, 600_000)


def test_the_refill_comes_sooner_if_the_patient_takes_all_boluses() -> None:
    """Six of 20 uL a day beside 0.5 mL: 18 mL are 36 days without, and 29 days with them."""
    patient = PatientBolusSetting(20_000, 600, 7_200, DAY_S, 6)
    told = summary(rate_nl_per_day=500_000, patient=patient)
    assert (told.window_peak_nl, told.boluses_per_day_max) == (620_000, 6)
    assert told.low_reservoir_in_s == 36 * DAY_S
    assert told.refill_in_s is not None
    assert told.refill_in_s // DAY_S == 29
    assert told.refill_unix_s == 1_893_456_000 + told.refill_in_s


def test_a_level_that_has_been_passed_is_foretold_as_now() -> None:
    bedside = Bedside()
    for level_nl, warned in ((299_999, False), (300_000, True), (500_000, True)):
        _, reply = bedside.validated(new_program(low_reservoir_nl=level_nl))
        assert (ProgramWarning.LOW_RESERVOIR in reply.warnings) is warned
        assert reply.low_reservoir_in_s == (0 if warned else 10)


def test_other_drugs_are_told_from_those_of_the_active_program() -> None:
    bedside = Bedside()
    mixture = (Drug("morphine", 10_000_000), Drug("bupivacaine", 5_000_000))
    granted(bedside.program(new_program(drugs=mixture)))
    for drugs, told in ((mixture, False), (mixture[::-1], True), (mixture[:1], True), ((), True)):
        _, reply = bedside.validated(new_program(drugs=drugs))
        assert (ProgramWarning.DRUGS_CHANGED in reply.warnings) is told


@pytest.mark.parametrize("mode", [Mode.STOPPED, Mode.MINIMUM_RATE, Mode.SIMPLE_CONTINUOUS])
def test_who_must_start_the_pump_is_told_so(mode: Mode) -> None:
    """A stop by command outlives a program that delivers; one by program does not."""
    bedside = Bedside()
    bedside.stop()
    _, stopped = bedside.validated(new_program(mode=mode))
    assert (ProgramWarning.NEEDS_START in stopped.warnings) is (mode is not Mode.STOPPED)
    bedside.start()
    granted(bedside.program(new_program(mode=Mode.STOPPED)))
    _, idle = bedside.validated(new_program(mode=mode))
    assert ProgramWarning.NEEDS_START not in idle.warnings


def test_a_program_names_no_more_drugs_than_the_pump_keeps_apart() -> None:
    for name, most in (("reference-20", 5), ("reference-40", 4)):
        profile = shipped(name)
        bedside = Bedside(profile)
        mixture = tuple(Drug(drug, 1_000_000) for drug in ("a", "b", "c", "d", "e"))
        _, reply = bedside.validated(new_program(profile, drugs=mixture[:most]))
        assert reply.crc32
        for count in range(most + 1, len(mixture) + 1):
            refusal = refused(bedside.program(new_program(profile, drugs=mixture[:count])))
            assert refusal == Refusal(Reason.TOO_MANY_DRUGS, "drugs", element=Block.DRUGS, detail=most)
