"""The image of a program: it is the wire's encoding, and nothing but a program's image is admitted as one."""

import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_model.commands import Reason, Refusal
from firmware_model.firmware.codes import Block, Mode
from firmware_model.firmware.program import BLOCK_BYTES, Program, check_image, unpack_program
from firmware_model.firmware.schedule import WEEKDAYS, Change
from protocol.fields import FormatError, decode
from protocol.messages.codes import Block as WireBlock
from protocol.messages.program import BLOCKS as WIRE_BLOCKS
from protocol.messages.program import DrugsBlock, InfusionBlock, ScheduleBlock
from tests.firmware_model.drug_programs import (
    BLOCKS,
    FLEX_DAY,
    any_programs,
    new_program,
    same_every_day,
    wire_blocks,
    wire_image,
)

IMAGE_BYTES = 715


@given(any_programs)
def test_the_image_of_a_program_is_the_wires_encoding_byte_for_byte(program: Program) -> None:
    image = program.image()
    assert image == wire_image(program)
    assert len(image) == BLOCK_BYTES[Block.IMAGE] == IMAGE_BYTES
    assert program.crc32() == zlib.crc32(image)
    assert check_image(image) is None
    assert unpack_program(image) == program


@given(any_programs, st.sampled_from(Block), st.integers(0, IMAGE_BYTES + 10), st.integers(1, 192))
def test_a_part_is_the_bytes_of_its_block_as_far_as_there_are_any(
    program: Program, block: Block, offset: int, length: int
) -> None:
    whole = wire_image(program) if block is Block.IMAGE else wire_blocks(program)[block]
    assert len(whole) == BLOCK_BYTES[block]
    assert program.part(block, offset, length) == whole[offset : offset + length]


def is_a_program(image: bytes) -> bool:
    """As the wire's own decoder sees it, and the rules of the places that no table can say."""
    start = 0
    found: dict[Block, object] = {}
    for block in BLOCKS:
        content = image[start : start + BLOCK_BYTES[block]]
        start += BLOCK_BYTES[block]
        try:
            found[block] = decode(WIRE_BLOCKS[WireBlock[block.name]], content)
        except FormatError:
            return False
    drugs, infusion, schedule = found[Block.DRUGS], found[Block.INFUSION], found[Block.SCHEDULE]
    assert isinstance(drugs, DrugsBlock)
    assert isinstance(infusion, InfusionBlock)
    assert isinstance(schedule, ScheduleBlock)
    names = [place.name for place in drugs.drugs]
    used_names = [name for name in names if name]
    filled = all(place.name or (place.concentration_ng_per_ml, place.stability_days) == (0, 0) for place in drugs.drugs)
    days = [[(place.start_min, place.rate_nl_per_day) for place in getattr(schedule, day)] for day in WEEKDAYS]
    return (
        filled
        and names[: len(used_names)] == used_names
        and len(set(used_names)) == len(used_names)
        and all(is_a_day(day) for day in days)
        and (infusion.mode.name != "FLEX" or all(day[0][0] == 0 for day in days))
    )


def is_a_day(places: list[tuple[int, int]]) -> bool:
    changes = [place for place in places if place != (0xFFFF, 0)]
    in_front = places[: len(changes)] == changes
    rising = all(before < after for (before, _), (after, _) in pairwise(changes))
    return in_front and rising and (not changes or (changes[0][0] == 0 and changes[-1][0] < 1_440))


_bytes_of_interest = st.one_of(st.sampled_from([0x00, 0x1F, 0x20, 0x41, 0x5A, 0x7E, 0x7F, 0xFF]), st.integers(0, 0xFF))
_places = st.one_of(st.integers(0, IMAGE_BYTES - 1), st.sampled_from([0, 16, 22, 44, 110, 127, 128, 133, 134]))
_copies = st.sampled_from([None, (0, 22, 22), (127, 133, 6), (133, 127, 6), (127, 199, 6)])


@settings(max_examples=150)
@given(any_programs, st.lists(st.tuples(_places, _bytes_of_interest), max_size=3), _copies)
def test_an_image_is_admitted_exactly_if_it_is_one(
    program: Program, changes: list[tuple[int, int]], copied: tuple[int, int, int] | None
) -> None:
    image = bytearray(wire_image(program))
    if copied:
        source, target, length = copied
        image[target : target + length] = image[source : source + length]
    for place, value in changes:
        image[place] = value
    refusal = check_image(bytes(image))
    assert (refusal is None) == is_a_program(bytes(image))
    if refusal is None:
        assert unpack_program(bytes(image)).image() == bytes(image)
    else:
        assert (refusal.reason, refusal.detail) == (Reason.FORMAT, 0)
        fields = {Block.DRUGS: ("drugs",), Block.INFUSION: ("mode",), Block.SCHEDULE: WEEKDAYS}
        assert refusal.field in fields[Block(refusal.element)]


def entry(name: bytes, concentration: int, stability_days: int = 0) -> bytes:
    return name.ljust(16, b"\0") + concentration.to_bytes(4, "little") + stability_days.to_bytes(2, "little")


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(entry(b"", 1), id="a concentration of nothing"),
        pytest.param(entry(b"", 0, 90), id="a stability of nothing"),
        pytest.param(entry(b"", 0) + entry(b"baclofen", 1), id="an empty place before a used one"),
        pytest.param(entry(b"baclofen", 1) + entry(b"baclofen", 2), id="a drug twice"),
        pytest.param(entry(b"bac\0fen", 1), id="something behind the end of the text"),
        pytest.param(entry(b"bac\nfen", 1), id="a control character"),
        pytest.param(entry("µ".encode(), 1), id="no ASCII"),
    ],
)
def test_a_mixture_that_no_block_may_hold(places: bytes) -> None:
    image = places.ljust(BLOCK_BYTES[Block.DRUGS], b"\0") + new_program().image()[BLOCK_BYTES[Block.DRUGS] :]
    assert check_image(image) == Refusal(Reason.FORMAT, "drugs", element=Block.DRUGS)


@pytest.mark.parametrize(
    "day",
    [
        pytest.param(((1, 500_000),), id="nothing at midnight"),
        pytest.param(((0, 500_000), (60, 600_000), (60, 700_000)), id="two at the same minute"),
        pytest.param(((0, 500_000), (120, 600_000), (60, 700_000)), id="an earlier one behind a later one"),
        pytest.param(((0, 500_000), (1_440, 600_000)), id="the minute of the next midnight"),
        pytest.param(((0, 500_000), (0xFFFF, 0), (60, 600_000)), id="an empty place before a used one"),
        pytest.param(((0, 500_000), (0xFFFF, 1)), id="a rate in an empty place"),
        pytest.param((), id="a day without any"),
    ],
)
def test_a_day_that_no_schedule_may_hold(day: tuple[tuple[int, int], ...]) -> None:
    week = list(same_every_day(*FLEX_DAY))
    week[5] = tuple(Change(*change) for change in day)
    refusal = check_image(wire_image(new_program(mode=Mode.FLEX, schedule=tuple(week))))
    assert refusal == Refusal(Reason.FORMAT, "saturday", element=Block.SCHEDULE)


def test_a_mode_that_this_pump_does_not_know() -> None:
    image = bytearray(new_program().image())
    for code in set(range(256)) - set(Mode):
        image[BLOCK_BYTES[Block.DRUGS]] = code
        assert check_image(bytes(image)) == Refusal(Reason.FORMAT, "mode", element=Block.INFUSION)
