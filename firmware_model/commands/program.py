"""Commands of the programming transaction, and what they answer."""

from __future__ import annotations

from msgspec import Struct

from firmware_model.commands.origin import Origin, TherapyCommand
from firmware_model.firmware.codes import Block, Mode, ProgramWarning


class BeginProgram(Struct, frozen=True):
    """A new, empty stage for this session; an older one of it is void."""

    origin: Origin


class WriteProgram(Struct, frozen=True):
    """The next bytes of a block. `offset` is how many have been written before; 0 begins the block anew."""

    origin: Origin
    stage_id: int
    block: Block
    offset: int
    data: bytes


class ValidateProgram(Struct, frozen=True):
    """Check and quantise what is staged."""

    origin: Origin
    stage_id: int


class ReadStage(Struct, frozen=True):
    """Bytes of the validated stage."""

    origin: Origin
    stage_id: int
    block: Block
    offset: int
    length: int


class CommitProgram(TherapyCommand, frozen=True, kw_only=True):
    """Make the validated stage the active program; `crc32` is that of the image that was validated."""

    stage_id: int
    crc32: int


class AbortProgram(Struct, frozen=True):
    """Give a stage up."""

    origin: Origin
    stage_id: int


class ReadProgram(Struct, frozen=True):
    """Bytes of the active program."""

    origin: Origin
    block: Block
    offset: int
    length: int


class StageBegun(Struct, frozen=True):
    """The number of the new stage."""

    stage_id: int


class BlockWritten(Struct, frozen=True):
    """How many bytes of the block have been written now."""

    written: int


class ProgramValidated(Struct, frozen=True, kw_only=True):
    """What would really run; times to come count from now, and None stands for never or not known.

    rate_nl_per_day      the volume of a day, on average over a week, rounded down
    steps_per_day        whole motor steps of such a day
    low_reservoir_…      the low level, at the program's own flow
    window_peak_nl       the most volume in any 24 hours, with all boluses that the patient is allowed
    boluses_per_day_max  the most of these in any 24 hours
    refill_…             the low level, if the patient takes all of them
    stability_in_s       the first drug's end of stability, from the last refill on
    """

    crc32: int
    image_size: int
    mode: Mode
    rate_nl_per_day: int
    steps_per_day: int
    low_reservoir_in_s: int | None
    low_reservoir_unix_s: int | None
    warnings: ProgramWarning
    window_peak_nl: int
    boluses_per_day_max: int
    refill_in_s: int | None
    refill_unix_s: int | None
    stability_in_s: int | None


class StagePart(Struct, frozen=True):
    """Bytes of a staged block, and the block's whole size."""

    block_size: int
    data: bytes


class ProgramPart(Struct, frozen=True):
    """Bytes of a block of the active program, the block's whole size, and the CRC-32 of the active image."""

    crc32: int
    block_size: int
    data: bytes


class ProgramAborted(Struct, frozen=True):
    """The stage is gone."""
