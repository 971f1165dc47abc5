"""Programs: their image is the wire's, none runs outside the pump's limits, and VALIDATE foretells what comes."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firmware_model.commands import BlockWritten, ProgramValidated, Reason, Refusal, Reply
from firmware_model.firmware.codes import AlarmType, Block, Mode, ProgramWarning
from firmware_model.firmware.program import BLOCK_BYTES, Drug, Program, check_image, unpack_program
from firmware_model.profile import Profile
from protocol.fields import FormatError, decode
from protocol.messages.codes import Block as WireBlock
from protocol.messages.program import BLOCKS as WIRE_BLOCKS
from protocol.messages.program import DrugsBlock
from tests.firmware_model.bedside import SECOND, Bedside, granted, refused
from tests.firmware_model.drug_programs import (
    BLOCKS,
    any_programs,
    new_program,
    programs_near,
    wire_blocks,
    wire_image,
)
from tests.firmware_model.pump_profiles import LONG_LOG, changed, shipped

ODD_QUANTUM = changed(LONG_LOG, "therapy", rate_quantum_nl_per_day=1_000, rate_min_nl_per_day=1_234_567)
WITHIN_YEARS = changed(LONG_LOG, "therapy", rate_min_nl_per_day=1_000)
PROFILES = {"reference-20": shipped("reference-20"), "reference-40": shipped("reference-40"), "odd": ODD_QUANTUM}
profiles = st.sampled_from(list(PROFILES.values()))
pumps_and_programs = profiles.flatmap(lambda profile: st.tuples(st.just(profile), programs_near(profile)))


@given(any_programs)
def test_the_image_of_a_program_is_the_wires_encoding_byte_for_byte(program: Program) -> None:
    image = program.image()
    assert image == wire_image(program)
    assert len(image) == BLOCK_BYTES[Block.IMAGE] == 117
    assert program.crc32() == zlib.crc32(image)
    assert check_image(image) is None
    assert unpack_program(image) == program


@given(any_programs, st.sampled_from(Block), st.integers(0, 130), st.integers(1, 192))
def test_a_part_is_the_bytes_of_its_block_as_far_as_there_are_any(
    program: Program, block: Block, offset: int, length: int
) -> None:
    whole = wire_image(program) if block is Block.IMAGE else wire_blocks(program)[block]
    assert len(whole) == BLOCK_BYTES[block]
    assert program.part(block, offset, length) == whole[offset : offset + length]


def is_a_program(image: bytes) -> bool:
    """As the wire's own decoder sees it, and the rules of the places that no table can say."""
    start, drugs = 0, None
    for block in BLOCKS:
        content = image[start : start + BLOCK_BYTES[block]]
        start += BLOCK_BYTES[block]
        try:
            message: object = decode(WIRE_BLOCKS[WireBlock[block.name]], content)
        except FormatError:
            return False
        drugs = message.drugs if isinstance(message, DrugsBlock) else drugs
    assert drugs is not None
    names = [place.name for place in drugs]
    used = [name for name in names if name]
    filled = all(place.name or place.concentration_ng_per_ml == 0 for place in drugs)
    return filled and names[: len(used)] == used and len(set(used)) == len(used)


_bytes_of_interest = st.one_of(st.sampled_from([0x00, 0x1F, 0x20, 0x41, 0x7E, 0x7F, 0x80]), st.integers(0, 0xFF))
_places = st.one_of(st.integers(0, 116), st.sampled_from([0, 16, 20, 36, 100]))


@settings(max_examples=100)
@given(any_programs, st.lists(st.tuples(_places, _bytes_of_interest), max_size=3), st.sampled_from([None, (0, 20)]))
def test_an_image_is_admitted_exactly_if_it_is_one(
    program: Program, changes: list[tuple[int, int]], doubled: tuple[int, int] | None
) -> None:
    image = bytearray(wire_image(program))
    if doubled:
        image[doubled[1] : doubled[1] + 20] = image[doubled[0] : doubled[0] + 20]
    for place, value in changes:
        image[place] = value
    refusal = check_image(bytes(image))
    assert (refusal is None) == is_a_program(bytes(image))
    if refusal is None:
        assert unpack_program(bytes(image)).image() == bytes(image)
    else:
        assert refusal in (
            Refusal(Reason.FORMAT, "drugs", element=Block.DRUGS),
            Refusal(Reason.FORMAT, "mode", element=Block.INFUSION),
        )


def entry(name: bytes, concentration: int) -> bytes:
    return name.ljust(16, b"\0") + concentration.to_bytes(4, "little")


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(entry(b"", 1), id="a concentration of nothing"),
        pytest.param(entry(b"", 0) + entry(b"baclofen", 1), id="an empty place before a used one"),
        pytest.param(entry(b"baclofen", 1) + entry(b"baclofen", 2), id="a drug twice"),
        pytest.param(entry(b"bac\0fen", 1), id="something behind the end of the text"),
        pytest.param(entry(b"bac\nfen", 1), id="a control character"),
        pytest.param(entry("µ".encode(), 1), id="no ASCII"),
    ],
)
def test_a_mixture_that_no_block_may_hold(places: bytes) -> None:
    bedside = Bedside()
    stage_id = bedside.staged(new_program())
    bedside.write(stage_id, Block.DRUGS, 0, places.ljust(100, b"\0"))
    assert bedside.validate(stage_id) == Refusal(Reason.FORMAT, "drugs", element=Block.DRUGS)


def test_a_mode_that_this_pump_does_not_know() -> None:
    bedside = Bedside()
    stage_id = bedside.staged(new_program())
    for code in set(range(256)) - set(Mode):
        assert bedside.write(stage_id, Block.INFUSION, 0, bytes([code, 0, 0, 0, 0])) == BlockWritten(5)
        assert bedside.validate(stage_id) == Refusal(Reason.FORMAT, "mode", element=Block.INFUSION)


def validated(bedside: Bedside, program: Program) -> tuple[Reply | None, Program | None]:
    """What VALIDATE says, and the program that it would let run."""
    stage_id = bedside.staged(program)
    reply = bedside.validate(stage_id)
    if isinstance(reply, Refusal):
        return reply, None
    part = bedside.read_stage(stage_id)
    return reply, unpack_program(part.data)  # type: ignore[union-attr]


@settings(max_examples=70, deadline=None)
@given(pumps_and_programs)
def test_nothing_that_is_admitted_is_outside_the_limits_or_more_than_was_asked(
    pump: tuple[Profile, Program],
) -> None:
    profile, asked = pump
    _, admitted = validated(Bedside(profile), asked)
    assume(admitted is not None)
    assert admitted is not None
    therapy, bolus, reservoir = profile.therapy, profile.bolus, profile.reservoir
    assert replace(admitted, rate_nl_per_day=asked.rate_nl_per_day) == asked
    assert all(1 <= drug.concentration_ng_per_ml <= therapy.concentration_max_ng_per_ml for drug in admitted.drugs)
    assert therapy.rate_min_nl_per_day <= admitted.rate_max_nl_per_day <= therapy.rate_max_nl_per_day
    assert bolus.volume_min_nl <= admitted.bolus_volume_max_nl <= bolus.volume_max_nl
    assert reservoir.empty_nl <= admitted.low_reservoir_nl <= reservoir.capacity_nl
    if admitted.mode is Mode.SIMPLE_CONTINUOUS:
        assert therapy.rate_min_nl_per_day <= admitted.rate_nl_per_day <= admitted.rate_max_nl_per_day
        assert admitted.rate_nl_per_day % therapy.rate_quantum_nl_per_day == 0
        assert 0 <= asked.rate_nl_per_day - admitted.rate_nl_per_day < therapy.rate_quantum_nl_per_day
    else:
        assert admitted.rate_nl_per_day == 0


def repaired(program: Program, refusal: Refusal) -> Program:
    """The program with what the refusal says would do, in place of what it refuses."""
    if refusal.field != "drugs":
        assert getattr(program, refusal.field) != refusal.detail
        return replace(program, **{refusal.field: refusal.detail})  # type: ignore[arg-type] # a field of a number
    over = refusal.reason is Reason.ABOVE_MAXIMUM
    drugs = [
        replace(drug, concentration_ng_per_ml=(min if over else max)(drug.concentration_ng_per_ml, refusal.detail))
        for drug in program.drugs
    ]
    assert tuple(drugs) != program.drugs
    return replace(program, drugs=tuple(drugs))


@settings(max_examples=70, deadline=None)
@given(pumps_and_programs)
def test_a_limit_that_a_refusal_names_is_one_that_is_admitted(pump: tuple[Profile, Program]) -> None:
    """So a host that does what it is told gets there: one refusal for each field at most, and two for the drugs."""
    profile, program = pump
    # A maximum of the clinician's own may lie between the least rate and the least whole quantum: no rate is left.
    assume(profile is not ODD_QUANTUM or program.rate_max_nl_per_day >= 1_235_000)
    bedside = Bedside(profile)
    for _ in range(7):
        reply, admitted = validated(bedside, program)
        if admitted is not None:
            return
        refusal = refused(reply)
        assert refusal.element in BLOCKS
        program = repaired(program, refusal)
    pytest.fail(f"still refused: {program}")


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"drugs": (Drug("baclofen", 0),)}, (Reason.BELOW_MINIMUM, "drugs", Block.DRUGS, 1)),
        (
            {"drugs": (Drug("a", 5), Drug("b", 100_000_001))},
            (Reason.ABOVE_MAXIMUM, "drugs", Block.DRUGS, 100_000_000),
        ),
        ({"rate_nl_per_day": 47_999}, (Reason.BELOW_MINIMUM, "rate_nl_per_day", Block.INFUSION, 48_000)),
        ({"rate_nl_per_day": 24_000_001}, (Reason.ABOVE_MAXIMUM, "rate_nl_per_day", Block.INFUSION, 24_000_000)),
        (
            {"rate_max_nl_per_day": 619_999},
            (Reason.ABOVE_MAXIMUM, "rate_nl_per_day", Block.INFUSION, 619_999),
        ),
        ({"rate_max_nl_per_day": 47_999}, (Reason.BELOW_MINIMUM, "rate_max_nl_per_day", Block.LIMITS, 48_000)),
        (
            {"rate_max_nl_per_day": 24_000_001},
            (Reason.ABOVE_MAXIMUM, "rate_max_nl_per_day", Block.LIMITS, 24_000_000),
        ),
        ({"bolus_volume_max_nl": 999}, (Reason.BELOW_MINIMUM, "bolus_volume_max_nl", Block.LIMITS, 1_000)),
        ({"bolus_volume_max_nl": 1_000_001}, (Reason.ABOVE_MAXIMUM, "bolus_volume_max_nl", Block.LIMITS, 1_000_000)),
        ({"low_reservoir_nl": 999_999}, (Reason.BELOW_MINIMUM, "low_reservoir_nl", Block.ALARMS, 1_000_000)),
        ({"low_reservoir_nl": 20_000_001}, (Reason.ABOVE_MAXIMUM, "low_reservoir_nl", Block.ALARMS, 20_000_000)),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_a_refusal_names_field_block_and_limit(
    values: dict[str, object], refusal: tuple[Reason, str, Block, int]
) -> None:
    profile = PROFILES["reference-20"]
    reason, field, block, limit = refusal
    reply, _ = validated(Bedside(profile), new_program(profile, **values))
    assert reply == Refusal(reason, field, element=block, detail=limit)


def test_a_rate_that_rounding_would_bring_below_the_minimum_is_below_it() -> None:
    """The least rate is 1,234,567; in quanta of 1,000 that is 1,235,000."""
    bedside = Bedside(ODD_QUANTUM)
    for rate in (1_234_567, 1_234_999):
        reply, _ = validated(bedside, new_program(rate_nl_per_day=rate))
        assert reply == Refusal(Reason.BELOW_MINIMUM, "rate_nl_per_day", element=Block.INFUSION, detail=1_235_000)
    _, admitted = validated(bedside, new_program(rate_nl_per_day=1_235_999))
    assert admitted == new_program(rate_nl_per_day=1_235_000)


@settings(max_examples=100, deadline=None)
@given(programs_near(WITHIN_YEARS), st.integers(0, 1_500 * SECOND))
def test_the_low_reservoir_comes_in_the_second_that_was_foretold(program: Program, before_us: int) -> None:
    bedside = Bedside(WITHIN_YEARS)
    bedside.pump.advance(before_us)
    reply, _ = validated(bedside, program)
    assume(isinstance(reply, ProgramValidated))
    assert isinstance(reply, ProgramValidated)
    granted(bedside.program(program))
    in_s, now = reply.low_reservoir_in_s, bedside.now
    if in_s is None:
        assert reply.low_reservoir_unix_s is None
        bedside.pump.advance(now + 10**15)
        assert bedside.alarms() == ()
        return
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


def test_the_answer_says_what_would_really_run() -> None:
    profile = PROFILES["reference-20"]
    bedside = Bedside(profile)
    drugs = (Drug("baclofen", 2_000_000),)
    asked = new_program(profile, rate_nl_per_day=480_999, drugs=drugs)
    _, reply = bedside.validated(asked)
    # 18 mL at 0.48 mL a day are 37.5 days.
    assert reply == ProgramValidated(
        crc32=zlib.crc32(wire_image(replace(asked, rate_nl_per_day=480_000))),
        image_size=117,
        mode=Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=480_000,
        steps_per_day=19_200,
        low_reservoir_in_s=3_240_000,
        low_reservoir_unix_s=1_896_696_000,
        warnings=ProgramWarning.RATE_ROUNDED | ProgramWarning.DRUGS_CHANGED,
    )
    _, reply = bedside.validated(new_program(profile, mode=Mode.MINIMUM_RATE, rate_nl_per_day=777))
    assert (reply.rate_nl_per_day, reply.steps_per_day, reply.warnings) == (48_000, 1_920, ProgramWarning(0))
    _, reply = bedside.validated(new_program(profile, mode=Mode.STOPPED))
    assert (reply.rate_nl_per_day, reply.steps_per_day, reply.low_reservoir_in_s) == (0, 0, None)
    assert (reply.low_reservoir_unix_s, reply.warnings) == (None, ProgramWarning.NO_DELIVERY)


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
        assert reply.warnings == (ProgramWarning.DRUGS_CHANGED if told else ProgramWarning(0))


@pytest.mark.parametrize("mode", Mode)
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
