"""Service 03, program: a program is staged in parts, validated, read back, and committed in one transaction.

The canonical image of a program is its blocks in the order of their numbers, each of the size that its table has, with
nothing between or behind them. Its CRC-32 names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.fields import blob, enum8, flags8, message, places, text, u8, u16, u32
from protocol.messages.codes import Block, Mode, Warnings
from protocol.messages.deliver import OP_ID_MAX, OpAnswer

BLOCK_PART_MAX: Final = 192
DRUGS_MAX: Final = 5
_STAGE: Final = "of PROGRAM_BEGIN's answer"


@message
class DrugEntry:
    """A place for a drug; an empty name with concentration 0 is an empty place."""

    name: str = text(16, meaning="the drug")
    concentration_ng_per_ml: int = u32(unit="ng/mL", meaning="for display: the pump meters volume")


@message
class DrugsBlock:
    """The mixture. Used places come first; there are always five, so that the block has one size."""

    drugs: tuple[DrugEntry, ...] = places(DrugEntry, DRUGS_MAX, meaning="five places, used or empty")


@message
class InfusionBlock:
    mode: Mode = enum8(Mode, meaning="how the base rate is made")
    rate_nl_per_day: int = u32(unit="nl/d", meaning="SIMPLE_CONTINUOUS: the rate; else 0")


@message
class LimitsBlock:
    """The clinician's own limits, within the pump's."""

    rate_max_nl_per_day: int = u32(unit="nl/d", meaning="the greatest base rate that may be programmed")
    bolus_volume_max_nl: int = u32(unit="nl", meaning="the greatest bolus that may be prepared")


@message
class AlarmsBlock:
    low_reservoir_nl: int = u32(unit="nl", meaning="the level of the low reservoir alarm")


BLOCKS: Final[Mapping[Block, type]] = MappingProxyType(
    {
        Block.DRUGS: DrugsBlock,
        Block.INFUSION: InfusionBlock,
        Block.LIMITS: LimitsBlock,
        Block.ALARMS: AlarmsBlock,
    }
)


@message
class ProgramBeginRequest:
    pass


@message(extensible=True)
class ProgramBeginAnswer:
    stage_id: int = u32(meaning="names the new, empty stage of this session")


@message
class ProgramWriteRequest:
    stage_id: int = u32(meaning=_STAGE)
    block: Block = enum8(Block, meaning="which block; not IMAGE")
    offset: int = u16(unit="bytes", meaning="how many bytes of the block have been written before; 0 begins it anew")
    data: bytes = blob(BLOCK_PART_MAX, meaning="the next bytes of the block")


@message(extensible=True)
class ProgramWriteAnswer:
    written: int = u16(unit="bytes", meaning="how many bytes of the block have been written now")


@message
class ProgramValidateRequest:
    stage_id: int = u32(meaning=_STAGE)


@message(extensible=True)
class ProgramValidateAnswer:
    """What will really run, in brief; STAGE_READ gives all of it."""

    crc32: int = u32(meaning="of the canonical image: PROGRAM_COMMIT quotes it")
    image_size: int = u16(unit="bytes", meaning="of the canonical image")
    mode: Mode = enum8(Mode, meaning="how the base rate is made")
    rate_nl_per_day: int = u32(unit="nl/d", meaning="the base rate that will flow, and the volume of a day")
    steps_per_day: int = u32(unit="steps", meaning="whole motor steps of a day")
    low_reservoir_in_s: int = u32(unit="s", meaning="until the low reservoir alarm; FFFFFFFF = never")
    low_reservoir_unix_s: int = u32(unit="s", meaning="when that is, Unix time in UTC; FFFFFFFF = unknown")
    warnings: Warnings = flags8(Warnings, meaning="what a clinician should be told; unknown bits are to be shown")


@message
class StageReadRequest:
    stage_id: int = u32(meaning=_STAGE)
    block: Block = enum8(Block, meaning="which block of the validated stage")
    offset: int = u16(unit="bytes", meaning="from which byte of the block on")
    length: int = u8(unit="bytes", minimum=1, maximum=BLOCK_PART_MAX, meaning="at most so many")


@message(extensible=True)
class StageReadAnswer:
    block_size: int = u16(unit="bytes", meaning="the whole block")
    data: bytes = blob(BLOCK_PART_MAX, meaning="the bytes that were asked for, as far as there are any")


@message
class ProgramCommitRequest:
    stage_id: int = u32(meaning=_STAGE)
    crc32: int = u32(meaning="of PROGRAM_VALIDATE's answer")
    op_id: int = u32(minimum=1, maximum=OP_ID_MAX, meaning="the host's id of this intention")
    therapy_rev: int = u32(meaning="the revision of a complete OP_LIST that the host has booked")


@message(extensible=True)
class ProgramCommitAnswer(OpAnswer):
    pass


@message
class ProgramAbortRequest:
    stage_id: int = u32(meaning=_STAGE)


@message(extensible=True)
class ProgramAbortAnswer:
    pass
