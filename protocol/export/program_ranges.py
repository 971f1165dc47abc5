"""What a pump allows of each value of a program, by its CAPS and by what the program says elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from protocol.export.tables import markdown_table
from protocol.messages.codes import Block

CATHETER_MAX_NL: Final = 10_000_000
"""The largest catheter that a program can name."""


class ProgramRange(NamedTuple):
    """A value, the least and the greatest of it, and what else bounds it.

    A bound is a number, or the name of a field of CAPS; None for a least that follows from the program alone.
    `field` is one of the block's table.
    """

    block: Block
    field: str
    lowest: int | str | None
    highest: int | str
    also: str = ""


PROGRAM_RANGES: Final[Sequence[ProgramRange]] = (
    ProgramRange(Block.DRUGS, "drugs", 1, "concentration_max_ng_per_ml", "each used place; no name twice"),
    ProgramRange(
        Block.INFUSION,
        "rate_nl_per_day",
        "rate_min_nl_per_day",
        "rate_max_nl_per_day",
        "also at most `rate_max_nl_per_day` of LIMITS, and beside a dose at most what `flow_max_nl_per_day` and "
        "`window_max_nl` of CAPS leave; in PERIODIC_BOLUS 0 is allowed",
    ),
    ProgramRange(
        Block.INFUSION,
        "dose_volume_nl",
        "bolus_volume_min_nl",
        "bolus_volume_max_nl",
        "also at most `bolus_volume_max_nl` of LIMITS",
    ),
    ProgramRange(
        Block.INFUSION,
        "dose_duration_s",
        "bolus_duration_min_s",
        "bolus_duration_max_s",
        "also so long that the dose flows no faster than `bolus_rate_max_nl_per_day`",
    ),
    ProgramRange(
        Block.INFUSION,
        "dose_interval_s",
        None,
        0xFFFF_FFFF,
        "at least the dose's duration, and so long that the doses of 24 h fit into `window_max_nl` of CAPS",
    ),
    ProgramRange(
        Block.SCHEDULE,
        "monday",
        "rate_min_nl_per_day",
        "rate_max_nl_per_day",
        "each rate of each day, also at most `rate_max_nl_per_day` of LIMITS; starts rise within a day",
    ),
    ProgramRange(
        Block.PATIENT,
        "volume_nl",
        "bolus_volume_min_nl",
        "bolus_volume_max_nl",
        "also at most `bolus_volume_max_nl` of LIMITS",
    ),
    ProgramRange(
        Block.PATIENT,
        "duration_s",
        "bolus_duration_min_s",
        "bolus_duration_max_s",
        "also so long that the bolus flows no faster than `bolus_rate_max_nl_per_day`, nor beside the program's own "
        "flow faster than `flow_max_nl_per_day`",
    ),
    ProgramRange(Block.PATIENT, "lockout_s", "patient_lockout_min_s", "patient_lockout_max_s"),
    ProgramRange(Block.PATIENT, "window_s", "patient_window_min_s", "patient_window_max_s"),
    ProgramRange(Block.PATIENT, "activations_max", 1, "patient_activations_max"),
    ProgramRange(Block.LIMITS, "rate_max_nl_per_day", "rate_min_nl_per_day", "rate_max_nl_per_day"),
    ProgramRange(Block.LIMITS, "bolus_volume_max_nl", "bolus_volume_min_nl", "bolus_volume_max_nl"),
    ProgramRange(
        Block.LIMITS,
        "window_max_nl",
        None,
        "window_max_nl",
        "at least what the program itself gives in any 24 h, the patient's boluses left out",
    ),
    ProgramRange(Block.ALARMS, "low_reservoir_nl", "empty_reservoir_nl", "reservoir_capacity_nl"),
    ProgramRange(Block.ALARMS, "critical_repeat_min", "tone_repeat_min_min", "tone_repeat_max_min", "0 is allowed"),
    ProgramRange(Block.ALARMS, "non_critical_repeat_min", "tone_repeat_min_min", "tone_repeat_max_min", "0 is allowed"),
    ProgramRange(Block.CATHETER, "catheter_nl", 0, CATHETER_MAX_NL),
)


def program_ranges_markdown() -> str:
    """The part of the specification."""
    rows = (
        (row.block.name, f"`{row.field}`", _bound(row.lowest), _bound(row.highest), row.also) for row in PROGRAM_RANGES
    )
    return markdown_table(("block", "field", "from", "to", "and"), rows)


def _bound(bound: int | str | None) -> str:
    if bound is None:
        return "see right"
    return f"`{bound}`" if isinstance(bound, str) else str(bound)
