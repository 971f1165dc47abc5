"""The life of therapy: whether the programmed infusion runs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from firmware_model.firmware.codes import RunState


class RunDeed(StrEnum):
    """What can happen to therapy."""

    START = "START"
    HALT = "STOP, an alarm that forbids flow, the end of a single dose, PROGRAM_BEGIN where therapy stands still then"
    FOLLOW = "PROGRAM_COMMIT of a program that delivers, unless STOP or an alarm has stopped the pump"
    REST = "PROGRAM_COMMIT of a program with mode STOPPED, unless STOP or an alarm has stopped the pump"
    STAY = "PROGRAM_COMMIT after STOP or an alarm"
    FAIL = "the memory fails"


RUN_LIFE: Mapping[tuple[RunState, RunDeed], RunState] = MappingProxyType(
    {
        (RunState.RUNNING, RunDeed.HALT): RunState.STOPPED,
        (RunState.RUNNING, RunDeed.FOLLOW): RunState.RUNNING,
        (RunState.RUNNING, RunDeed.REST): RunState.STOPPED,
        (RunState.RUNNING, RunDeed.FAIL): RunState.FAILED,
        (RunState.STOPPED, RunDeed.START): RunState.RUNNING,
        (RunState.STOPPED, RunDeed.HALT): RunState.STOPPED,
        (RunState.STOPPED, RunDeed.FOLLOW): RunState.RUNNING,
        (RunState.STOPPED, RunDeed.REST): RunState.STOPPED,
        (RunState.STOPPED, RunDeed.STAY): RunState.STOPPED,
        (RunState.STOPPED, RunDeed.FAIL): RunState.FAILED,
        (RunState.FAILED, RunDeed.FAIL): RunState.FAILED,
    }
)
