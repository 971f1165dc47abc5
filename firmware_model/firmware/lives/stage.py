"""The life of a staged program, from PROGRAM_BEGIN to its commit or its end."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class StageState(StrEnum):
    """What has become of a stage id. Only stages that are written or validated are kept."""

    NONE = "no such stage"
    WRITTEN = "being written"
    VALIDATED = "validated"
    COMMITTED = "committed"
    VOID = "void"


class StageDeed(StrEnum):
    """What can happen to a stage."""

    BEGIN = "PROGRAM_BEGIN"
    WRITE = "PROGRAM_WRITE"
    VALIDATE = "PROGRAM_VALIDATE"
    READ = "STAGE_READ"
    COMMIT = "PROGRAM_COMMIT"
    ABORT = "PROGRAM_ABORT"
    REPLACE = "another PROGRAM_BEGIN"
    END_SESSION = "its session ends"
    HALT = "STOP, or an alarm stops the pump"


_VOIDING = (
    StageDeed.ABORT,
    StageDeed.REPLACE,
    StageDeed.END_SESSION,
    StageDeed.HALT,
)

STAGE_LIFE: Mapping[tuple[StageState, StageDeed], StageState] = MappingProxyType(
    {
        (StageState.NONE, StageDeed.BEGIN): StageState.WRITTEN,
        (StageState.WRITTEN, StageDeed.WRITE): StageState.WRITTEN,
        (StageState.WRITTEN, StageDeed.VALIDATE): StageState.VALIDATED,
        (StageState.VALIDATED, StageDeed.WRITE): StageState.WRITTEN,
        (StageState.VALIDATED, StageDeed.VALIDATE): StageState.VALIDATED,
        (StageState.VALIDATED, StageDeed.READ): StageState.VALIDATED,
        (StageState.VALIDATED, StageDeed.COMMIT): StageState.COMMITTED,
        **{(StageState.WRITTEN, deed): StageState.VOID for deed in _VOIDING},
        **{(StageState.VALIDATED, deed): StageState.VOID for deed in _VOIDING},
    }
)
