"""A real pump allows of each value of a program what the specification says: its bounds, and nothing behind them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emulator.worked.to_commit import PROGRAM
from protocol.export.program_ranges import PROGRAM_RANGES, ProgramRange
from protocol.fields import encode, table_of
from protocol.host_end import Answered, HostEvent, Refused
from protocol.messages.codes import Block, Mode
from protocol.messages.link import CapsAnswer, CapsRequest
from protocol.messages.program import (
    BLOCK_PART_MAX,
    BLOCKS,
    ChangeEntry,
    DrugEntry,
    InfusionBlock,
    LimitsBlock,
    PatientBlock,
    ProgramBeginRequest,
    ProgramValidateRequest,
    ProgramWriteRequest,
)
from protocol.refusals import NakCode
from tests.device.desk import Desk, new_device
from tests.firmware_model.pump_profiles import shipped

PROFILES = ("reference-20", "reference-40")
HIGHEST = 0xFFFF_FFFF


@pytest.fixture(scope="module", params=PROFILES)
def desk(request: pytest.FixtureRequest) -> Desk:
    made = Desk(new_device(shipped(request.param)))
    made.open()
    return made


def roomy(caps: CapsAnswer, mode: Mode) -> dict[Block, Any]:
    """A program in which nothing is tight, so that a value meets its own bounds and not another one's."""
    least_rate, least_bolus = caps.rate_min_nl_per_day, caps.bolus_volume_min_nl
    empty = ChangeEntry(start_min=0xFFFF, rate_nl_per_day=0)
    day = (ChangeEntry(start_min=0, rate_nl_per_day=least_rate), *(empty,) * 12)
    schedule: Any = PROGRAM[Block.SCHEDULE]
    return {
        **PROGRAM,
        Block.INFUSION: InfusionBlock(
            mode=mode,
            rate_nl_per_day=least_rate,
            dose_volume_nl=least_bolus,
            dose_duration_s=caps.bolus_duration_max_s,
            dose_interval_s=caps.bolus_duration_max_s,
        ),
        Block.SCHEDULE: replace(schedule, **{row.name: day for row in table_of(type(schedule))}),
        Block.PATIENT: PatientBlock(
            volume_nl=least_bolus,
            duration_s=caps.bolus_duration_max_s,
            lockout_s=caps.patient_lockout_max_s,
            window_s=caps.patient_window_max_s,
            activations_max=1,
        ),
        Block.LIMITS: LimitsBlock(
            rate_max_nl_per_day=caps.rate_max_nl_per_day,
            bolus_volume_max_nl=caps.bolus_volume_max_nl,
            window_max_nl=caps.window_max_nl,
        ),
    }


def mode_for(row: ProgramRange) -> Mode:
    """A mode that uses the value."""
    if row.block is Block.SCHEDULE:
        return Mode.FLEX
    return Mode.PERIODIC_BOLUS if row.field.startswith("dose_") else Mode.SIMPLE_CONTINUOUS


def with_value(blocks: dict[Block, Any], row: ProgramRange, value: int) -> dict[Block, Any]:
    """The program with another value."""
    block = blocks[row.block]
    if row.block is Block.DRUGS:
        drug = DrugEntry(name="baclofen", concentration_ng_per_ml=value, stability_days=0)
        block = replace(block, drugs=(drug, *block.drugs[1:]))
    elif row.block is Block.SCHEDULE:
        block = replace(block, monday=(ChangeEntry(start_min=0, rate_nl_per_day=value), *block.monday[1:]))
    else:
        block = replace(block, **{row.field: value})
    return {**blocks, row.block: block}


def verdict(desk: Desk, blocks: dict[Block, Any]) -> HostEvent:
    stage_id = desk.ask(ProgramBeginRequest()).stage_id
    for block in BLOCKS:
        content = encode(blocks[block])
        for at in range(0, len(content), BLOCK_PART_MAX):
            part = content[at : at + BLOCK_PART_MAX]
            desk.ask(ProgramWriteRequest(stage_id=stage_id, block=block, offset=at, data=part))
    return desk.exchange(ProgramValidateRequest(stage_id=stage_id))


def bound(caps: CapsAnswer, said: int | str) -> int:
    return said if isinstance(said, int) else int(getattr(caps, said))


@pytest.mark.parametrize("row", PROGRAM_RANGES, ids=lambda row: f"{row.block.name}-{row.field}")
def test_a_value_may_be_what_the_specification_says(desk: Desk, row: ProgramRange) -> None:
    caps: CapsAnswer = desk.ask(CapsRequest())
    lowest = 1 if row.lowest is None else bound(caps, row.lowest)
    highest = bound(caps, row.highest)
    index = [field.name for field in table_of(BLOCKS[row.block])].index(row.field)
    blocks = roomy(caps, mode_for(row))
    assert isinstance(verdict(desk, blocks), Answered)

    def refusal(value: int) -> tuple[NakCode, int, int, int] | None:
        """Why this value is refused: None where it is not, or where another value is what is wrong."""
        event = verdict(desk, with_value(blocks, row, value))
        if not isinstance(event, Refused) or (event.nak.element, event.nak.field) != (row.block, index):
            return None
        return event.nak.code, event.nak.element, event.nak.field, event.nak.detail

    if row.lowest is not None:
        assert refusal(lowest) is None
    if lowest and "0 is allowed" not in row.also:
        code, *_ = refusal(lowest - 1) or (None,)
        assert code is NakCode.BELOW_MINIMUM
    if highest < HIGHEST:
        assert refusal(highest + 1) == (NakCode.ABOVE_MAXIMUM, row.block, index, highest)
