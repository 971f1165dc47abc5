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
    CHANGES_MAX,
    DRUGS_MAX,
    NO_CHANGE,
    WEEKDAYS,
    AlarmsBlock,
    CatheterBlock,
    ChangeEntry,
    DrugEntry,
    DrugsBlock,
    InfusionBlock,
    LimitsBlock,
    PatientBlock,
    ProgramCommitRequest,
    ProgramValidateAnswer,
    ProgramWriteRequest,
    ScheduleBlock,
    StageReadAnswer,
)
from protocol.messages.read import TherapyReadAnswer
from protocol.refusals import NO_FIELD, NakCode
from tests.protocol.message_strategies import ANSWERS, REQUESTS

EXAMPLE_OF: dict[type, Any] = {type(example): example for example in EXAMPLES}
MORPHINE = DrugEntry(name="morphine", concentration_ng_per_ml=10_000_000, stability_days=180)
NO_CHANGES = (ChangeEntry(start_min=NO_CHANGE, rate_nl_per_day=0),) * CHANGES_MAX
ALARMS = AlarmsBlock(low_reservoir_nl=2_000_000, critical_repeat_min=10, non_critical_repeat_min=60)


def refusal_of(cls: type, payload: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        decode(cls, payload)
    return caught.value


def drugs(*used: DrugEntry) -> DrugsBlock:
    empty = DrugEntry(name="", concentration_ng_per_ml=0, stability_days=0)
    return DrugsBlock(drugs=used + (empty,) * (DRUGS_MAX - len(used)))


def schedule(**days: tuple[ChangeEntry, ...]) -> ScheduleBlock:
    filled = {weekday: (days.get(weekday, ()) + NO_CHANGES)[:CHANGES_MAX] for weekday in WEEKDAYS}
    return ScheduleBlock(**filled)


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
    for of_another_kind in (list(block.drugs), (*block.drugs[:-1], ALARMS)):
        with pytest.raises(ValueError, match="a tuple of DrugEntry is needed"):
            encode(DrugsBlock(drugs=of_another_kind))  # type: ignore[arg-type]
    assert refusal_of(DrugsBlock, encode(block)[:-1]).field == 0
    assert refusal_of(DrugsBlock, encode(block) + b"\x00").field == NO_FIELD


def test_a_wrong_place_is_named_by_its_number() -> None:
    payload = bytearray(encode(drugs(MORPHINE, MORPHINE, MORPHINE)))
    payload[2 * 22] = 0x07
    error = refusal_of(DrugsBlock, bytes(payload))
    assert (error.code, error.field, error.element) == (NakCode.FORMAT, 0, 2)
    assert error.reason.startswith("drugs[2]: name: printable ASCII")
    with pytest.raises(ValueError, match="at most 16 characters fit"):
        encode(drugs(replace(MORPHINE, name="seventeen letters")))


def test_a_wrong_day_is_named_by_its_field() -> None:
    whole = schedule()
    with pytest.raises(ValueError, match=r"ScheduleBlock\.friday .*exactly 13 of them are needed"):
        encode(replace(whole, friday=whole.friday[:-1]))
    with pytest.raises(ValueError, match=r"ScheduleBlock\.sunday .*a tuple of ChangeEntry is needed"):
        encode(replace(whole, sunday=(*whole.sunday[:-1], MORPHINE)))  # type: ignore[arg-type]
    assert [field.name for field in table_of(ScheduleBlock)] == list(WEEKDAYS)
    # A payload that ends within Wednesday.
    assert refusal_of(ScheduleBlock, encode(whole)[: 2 * 78 + 5]).field == WEEKDAYS.index("wednesday")


def test_every_block_has_one_size_and_the_canonical_image_is_written_down_by_hand() -> None:
    order = [Block.DRUGS, Block.INFUSION, Block.SCHEDULE, Block.PATIENT, Block.LIMITS, Block.ALARMS, Block.CATHETER]
    assert list(BLOCKS) == order
    assert [layout_of(cls).fixed_size for cls in BLOCKS.values()] == [110, 17, 546, 18, 12, 8, 4]
    tuesday = (
        ChangeEntry(start_min=0, rate_nl_per_day=500_000),
        ChangeEntry(start_min=480, rate_nl_per_day=900_000),
    )
    image = b"".join(
        encode(block)
        for block in (
            drugs(MORPHINE),
            InfusionBlock(
                mode=Mode.FLEX, rate_nl_per_day=620_000, dose_volume_nl=1, dose_duration_s=2, dose_interval_s=3
            ),
            schedule(tuesday=tuesday),
            PatientBlock(volume_nl=20_000, duration_s=600, lockout_s=7_200, window_s=86_400, activations_max=6),
            LimitsBlock(rate_max_nl_per_day=1_000_000, bolus_volume_max_nl=200_000, window_max_nl=2_000_000),
            ALARMS,
            CatheterBlock(catheter_nl=178_000),
        )
    )
    drug = "6d6f727068696e65 0000000000000000 80969800 b400"
    empty = "ffff 00000000"
    assert image == bytes.fromhex(
        f"{drug} {'00' * 88}"
        "5a e0750900 01000000 02000000 03000000"
        f"{empty * 13} 0000 20a10700 e001 a0bb0d00 {empty * 11} {empty * 13 * 5}"
        "204e0000 58020000 201c0000 80510100 0600"
        "40420f00 400d0300 80841e00"
        "80841e00 0a00 3c00"
        "50b70200"
    )


def test_the_examples_of_a_program_tell_one_story() -> None:
    commit = EXAMPLE_OF[ProgramCommitRequest]
    therapy = EXAMPLE_OF[TherapyReadAnswer]
    assert commit.crc32 == therapy.crc32 == EXAMPLE_OF[ProgramValidateAnswer].crc32
    assert therapy.block_size == len(therapy.data) == 17
    assert decode(InfusionBlock, therapy.data) == decode(InfusionBlock, EXAMPLE_OF[ProgramWriteRequest].data)
    assert decode(LimitsBlock, EXAMPLE_OF[StageReadAnswer].data).bolus_volume_max_nl == 200_000
