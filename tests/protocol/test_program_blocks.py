"""Blobs, places and blocks: the parts that a program is written, read back and named by."""

from dataclasses import replace
from typing import Any

import pytest

from protocol.export.examples import EXAMPLES
from protocol.field_types import BlobType
from protocol.fields import FormatError, decode, encode, layout_of, table_of
from protocol.messages.codes import Block, Mode
from protocol.messages.program import (
    BLOCK_PART_MAX,
    BLOCKS,
    DRUGS_MAX,
    AlarmsBlock,
    DrugEntry,
    DrugsBlock,
    InfusionBlock,
    LimitsBlock,
    ProgramCommitRequest,
    ProgramValidateAnswer,
    ProgramWriteRequest,
    StageReadAnswer,
)
from protocol.messages.read import TherapyReadAnswer
from protocol.refusals import NO_FIELD, NakCode
from tests.protocol.message_strategies import ANSWERS, REQUESTS

EXAMPLE_OF: dict[type, Any] = {type(example): example for example in EXAMPLES}
MORPHINE = DrugEntry(name="morphine", concentration_ng_per_ml=10_000_000)


def refusal_of(cls: type, payload: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        decode(cls, payload)
    return caught.value


def drugs(*used: DrugEntry) -> DrugsBlock:
    empty = DrugEntry(name="", concentration_ng_per_ml=0)
    return DrugsBlock(drugs=used + (empty,) * (DRUGS_MAX - len(used)))


BLOBS = [
    pytest.param(cls, index, field, id=f"{cls.__name__}.{field.name}")
    for cls in (*REQUESTS, *ANSWERS)
    for index, field in enumerate(table_of(cls))
    if isinstance(field.kind, BlobType)
]


@pytest.mark.parametrize(("cls", "index", "field"), BLOBS)
def test_a_blob_is_as_long_as_its_count_says_and_no_longer_than_its_table_allows(
    cls: type, index: int, field: Any
) -> None:
    for length in (0, 1, field.maximum):
        whole = replace(EXAMPLE_OF[cls], **{field.name: bytes(length)})
        assert decode(cls, encode(whole)) == whole
    payload = bytearray(encode(replace(EXAMPLE_OF[cls], **{field.name: b"abc"})))
    for count in (4, field.maximum):
        payload[field.offset] = count
        error = refusal_of(cls, bytes(payload))
        assert (error.code, error.field, error.reason) == (
            NakCode.FORMAT,
            index,
            f"the payload ends within {field.name}",
        )
    # Refused for its count alone, though the bytes are there.
    payload[field.offset] = field.maximum + 1
    error = refusal_of(cls, bytes(payload) + bytes(field.maximum))
    assert (error.field, error.reason) == (index, f"a count of at most {field.maximum}, not {field.maximum + 1}")
    assert refusal_of(cls, bytes(payload[: field.offset])).reason == "the payload ends before a count"


@pytest.mark.parametrize("wrong", [bytes(BLOCK_PART_MAX + 1), "text", bytearray(3), None])
def test_a_blob_takes_bytes_only_and_not_too_many(wrong: object) -> None:
    with pytest.raises(ValueError, match=f"bytes are needed, at most {BLOCK_PART_MAX}"):
        encode(replace(EXAMPLE_OF[ProgramWriteRequest], data=wrong))


def test_places_are_always_the_same_number_of_one_kind() -> None:
    block = drugs(MORPHINE)
    assert decode(DrugsBlock, encode(block)) == block
    for wrong in (block.drugs[:-1], (*block.drugs, MORPHINE), ()):
        with pytest.raises(ValueError, match="exactly 5 of them are needed"):
            encode(DrugsBlock(drugs=wrong))
    for of_another_kind in (list(block.drugs), (*block.drugs[:-1], AlarmsBlock(low_reservoir_nl=1))):
        with pytest.raises(ValueError, match="a tuple of DrugEntry is needed"):
            encode(DrugsBlock(drugs=of_another_kind))  # type: ignore[arg-type]
    assert refusal_of(DrugsBlock, encode(block)[:-1]).field == 0
    assert refusal_of(DrugsBlock, encode(block) + b"\x00").field == NO_FIELD


def test_a_wrong_place_is_named_by_its_number() -> None:
    payload = bytearray(encode(drugs(MORPHINE, MORPHINE, MORPHINE)))
    payload[2 * 20] = 0x07
    error = refusal_of(DrugsBlock, bytes(payload))
    assert (error.code, error.field, error.element) == (NakCode.FORMAT, 0, 2)
    assert error.reason.startswith("drugs[2]: name: printable ASCII")
    with pytest.raises(ValueError, match="at most 16 characters fit"):
        encode(drugs(replace(MORPHINE, name="seventeen letters")))


def test_every_block_has_one_size_and_the_canonical_image_is_written_down_by_hand() -> None:
    assert list(BLOCKS) == [Block.DRUGS, Block.INFUSION, Block.LIMITS, Block.ALARMS]
    assert [layout_of(cls).fixed_size for cls in BLOCKS.values()] == [100, 5, 8, 4]
    image = b"".join(
        encode(block)
        for block in (
            drugs(MORPHINE),
            InfusionBlock(mode=Mode.SIMPLE_CONTINUOUS, rate_nl_per_day=620_000),
            LimitsBlock(rate_max_nl_per_day=1_000_000, bolus_volume_max_nl=200_000),
            AlarmsBlock(low_reservoir_nl=2_000_000),
        )
    )
    drug = "6d6f727068696e65 0000000000000000 80969800"
    assert image == bytes.fromhex(f"{drug} {'00' * 80} 55 e0750900 40420f00 400d0300 80841e00")


def test_the_examples_of_a_program_tell_one_story() -> None:
    commit = EXAMPLE_OF[ProgramCommitRequest]
    therapy = EXAMPLE_OF[TherapyReadAnswer]
    assert commit.crc32 == therapy.crc32 == EXAMPLE_OF[ProgramValidateAnswer].crc32
    assert therapy.block_size == len(therapy.data) == 5
    assert decode(InfusionBlock, therapy.data) == decode(InfusionBlock, EXAMPLE_OF[ProgramWriteRequest].data)
    assert decode(LimitsBlock, EXAMPLE_OF[StageReadAnswer].data).bolus_volume_max_nl == 200_000
