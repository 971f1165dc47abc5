"""Service 03, program: a program is staged in parts, validated, read back, and committed in one transaction.

The canonical image of a program is its blocks in the order of BLOCKS, each of the size that its table has, with nothing
between or behind them. Its CRC-32 names it.
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
CHANGES_MAX: Final = 13
NO_CHANGE: Final = 0xFFFF
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_STAGE: Final = "of PROGRAM_BEGIN's answer"
_CHANGES: Final = "thirteen places, used or empty; used places come first, the first of them at minute 0"
_REPEAT: Final = "after how long it sounds again; 0 = as the pump does by itself"


@message
class DrugEntry:
    """A place for a drug; one whose name is empty and whose numbers are 0 is an empty place."""

    name: str = text(16, meaning="the drug")
    concentration_ng_per_ml: int = u32(unit="ng/mL", meaning="for display: the pump meters volume")
    stability_days: int = u16(unit="days", meaning="how long it may stay in the reservoir; 0 = not said")


@message
class DrugsBlock:
    """The mixture. Used places come first; there are always five, so that the block has one size."""

    drugs: tuple[DrugEntry, ...] = places(DrugEntry, DRUGS_MAX, meaning="five places, used or empty")


@message
class InfusionBlock:
    """How the program infuses. A field that the mode does not use becomes 0."""

    mode: Mode = enum8(Mode, meaning="what kind of program it is")
    rate_nl_per_day: int = u32(
        unit="nl/d",
        meaning="SIMPLE_CONTINUOUS: the rate; PERIODIC_BOLUS: between doses, 0 = none; FLEX: while the clock is lost",
    )
    dose_volume_nl: int = u32(unit="nl", meaning="SINGLE_BOLUS, PERIODIC_BOLUS: a dose")
    dose_duration_s: int = u32(unit="s", meaning="SINGLE_BOLUS, PERIODIC_BOLUS: over how long it is given")
    dose_interval_s: int = u32(unit="s", meaning="PERIODIC_BOLUS: from the start of one dose to that of the next")


@message
class ChangeEntry:
    """A place for a change of rate; one with start FFFF and rate 0 is an empty place."""

    start_min: int = u16(unit="min", meaning="minute of the day, from 0 to 1439")
    rate_nl_per_day: int = u32(unit="nl/d", meaning="the rate from then on, until the next change")


@message
class ScheduleBlock:
    """FLEX: the rates of each day of the week in local time; in other modes all places become empty."""

    monday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)
    tuesday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)
    wednesday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)
    thursday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)
    friday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)
    saturday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)
    sunday: tuple[ChangeEntry, ...] = places(ChangeEntry, CHANGES_MAX, meaning=_CHANGES)


@message
class PatientBlock:
    """The bolus that the patient may give himself; all 0 = none."""

    volume_nl: int = u32(unit="nl", meaning="its volume")
    duration_s: int = u32(unit="s", meaning="over how long it is given")
    lockout_s: int = u32(unit="s", meaning="the least time from the start of one to that of the next")
    window_s: int = u32(unit="s", meaning="the time in which they are counted")
    activations_max: int = u16(unit="boluses", meaning="the most of them in any such time")


@message
class LimitsBlock:
    """The clinician's own limits, within the pump's."""

    rate_max_nl_per_day: int = u32(unit="nl/d", meaning="the greatest base rate that may be programmed")
    bolus_volume_max_nl: int = u32(unit="nl", meaning="the greatest bolus that may be prepared or programmed")
    window_max_nl: int = u32(unit="nl", meaning="the most volume in any 24 h, base and boluses together")


@message
class AlarmsBlock:
    """When the pump warns of its reservoir, and how often its alarms sound."""

    low_reservoir_nl: int = u32(unit="nl", meaning="the level of the low reservoir alarm")
    critical_repeat_min: int = u16(unit="min", meaning="a critical alarm: " + _REPEAT)
    non_critical_repeat_min: int = u16(unit="min", meaning="a non-critical alarm: " + _REPEAT)


@message
class CatheterBlock:
    """What lies behind the pump: the volume that priming and bridge boluses move, beside its own tubing."""

    catheter_nl: int = u32(
        unit="nl", meaning="what the implanted catheter holds, as the clinician knows it; 0 = unknown"
    )


BLOCKS: Final[Mapping[Block, type]] = MappingProxyType(
    {
        Block.DRUGS: DrugsBlock,
        Block.INFUSION: InfusionBlock,
        Block.SCHEDULE: ScheduleBlock,
        Block.PATIENT: PatientBlock,
        Block.LIMITS: LimitsBlock,
        Block.ALARMS: AlarmsBlock,
        Block.CATHETER: CatheterBlock,
    }
)
"""The blocks in the order of the canonical image."""


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
    mode: Mode = enum8(Mode, meaning="what kind of program it is")
    rate_nl_per_day: int = u32(
        unit="nl/d", meaning="the volume of a day on average over a week, programmed doses included"
    )
    steps_per_day: int = u32(unit="steps", meaning="whole motor steps of such a day")
    low_reservoir_in_s: int = u32(unit="s", meaning="until the low level, at the program's own flow; FFFFFFFF = never")
    low_reservoir_unix_s: int = u32(unit="s", meaning="when that is, Unix time in UTC; FFFFFFFF = unknown")
    warnings: Warnings = flags8(Warnings, meaning="what a clinician should be told; unknown bits are to be shown")
    window_peak_nl: int = u32(unit="nl", meaning="the most in any 24 h, with all boluses that the patient is allowed")
    boluses_per_day_max: int = u16(unit="boluses", meaning="the most of these in any 24 h")
    refill_in_s: int = u32(unit="s", meaning="until the low level, if the patient takes all of them; FFFFFFFF = never")
    refill_unix_s: int = u32(unit="s", meaning="when that is, Unix time in UTC; FFFFFFFF = unknown")
    stability_in_s: int = u32(unit="s", meaning="until a drug is no longer stable; FFFFFFFF = not known")


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
