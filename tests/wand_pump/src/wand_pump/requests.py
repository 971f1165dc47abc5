"""What each request makes of the model: the commands that it takes, one after the other, and what is answered.

A procedure yields commands of `firmware_model.commands` and is sent the model's replies; it returns the numbers of the
answer. The model numbers every intention and wants to know which state of therapy it is meant for. This wire has
neither, so a procedure takes the next number and the present state, each time: the model cannot know a repetition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypedDict, TypeVar

from emulator.wire import WireSetting
from firmware_model.commands import (
    AbortProgram,
    BeginProgram,
    BlockWritten,
    Command,
    CommitProgram,
    ExecuteBolus,
    ListOps,
    OpOutcome,
    OpsAnswer,
    Origin,
    PrepareBolus,
    PreparedBolus,
    ProgramPart,
    ProgramValidated,
    ReadProgram,
    ReadStatus,
    Reason,
    Refusal,
    Reply,
    StageBegun,
    Start,
    StatusAnswer,
    Stop,
    ValidateProgram,
    WriteProgram,
)
from firmware_model.firmware.codes import Block, BolusKind, Mode, PumpState, Role, RunState
from firmware_model.firmware.program_image import BLOCK_BYTES, WRITABLE_BLOCKS, unpack_program
from wand_pump.messages import BOLUS, IDENTIFY, SET_RATE, START, STATUS, STOP, Why

NL_PER_DAY_PER_RATE = 2_400
"""0.1 uL/h"""
NL_PER_VOLUME = 1_000
S_PER_DURATION = 60
NL_PER_RESERVOIR = 100_000

Procedure = Generator[Command, Reply, tuple[int, ...]]
R = TypeVar("R")

_WITH_MEMORY: Mapping[PumpState, Reason | None] = {
    **dict.fromkeys(PumpState),
    PumpState.FAILED: Reason.MEMORY_FAILURE,
}
_GATES: Mapping[int, Mapping[PumpState, Reason | None]] = MappingProxyType(
    {
        SET_RATE: {**_WITH_MEMORY, PumpState.BOLUS: Reason.BOLUS_RUNNING},
        BOLUS: {
            PumpState.RUNNING: None,
            PumpState.BOLUS: Reason.BOLUS_RUNNING,
            PumpState.STOPPED: Reason.PUMP_STOPPED,
            PumpState.IDLE: Reason.PUMP_STOPPED,
            PumpState.HELD: Reason.ALARM_BLOCKS,
            PumpState.FAILED: Reason.MEMORY_FAILURE,
        },
        STOP: _WITH_MEMORY,
        START: {
            PumpState.RUNNING: Reason.ALREADY_IN_STATE,
            PumpState.BOLUS: Reason.ALREADY_IN_STATE,
            PumpState.STOPPED: None,
            PumpState.IDLE: Reason.CONDITIONS,
            PumpState.HELD: Reason.ALARM_BLOCKS,
            PumpState.FAILED: Reason.MEMORY_FAILURE,
        },
    }
)
"""In which state of the pump each request is admitted, and why not in the others."""

_WHYS: Mapping[Reason, Why] = MappingProxyType(
    {
        Reason.BELOW_MINIMUM: Why.TOO_LOW,
        Reason.NOT_QUANTIZABLE: Why.TOO_LOW,
        Reason.ABOVE_MAXIMUM: Why.TOO_HIGH,
        Reason.WINDOW_LIMIT: Why.TOO_HIGH,
        Reason.RESERVOIR: Why.TOO_HIGH,
        Reason.MEMORY_FAILURE: Why.FAILURE,
    }
)
_UNITS: Mapping[str, int] = MappingProxyType(
    {"rate_nl_per_day": NL_PER_DAY_PER_RATE, "volume_nl": NL_PER_VOLUME, "duration_s": S_PER_DURATION}
)


class Refused(Exception):
    """The model refuses; `limit` is in this wire's unit of the field that is beyond it."""

    def __init__(self, refusal: Refusal) -> None:
        self.why = _WHYS.get(refusal.reason, Why.NOT_NOW)
        unit = _UNITS.get(refusal.field)
        # A limit that is not whole units is rounded to the side on which it is admitted.
        rounding = unit - 1 if unit and self.why is Why.TOO_LOW else 0
        self.limit = (refusal.detail + rounding) // unit if unit else 0
        super().__init__(refusal.reason)


class _Intention(TypedDict):
    origin: Origin
    op_id: int
    therapy_rev: int
    fingerprint: bytes


def identify(setting: WireSetting) -> Procedure:
    """Which pump it is."""
    yield from ()
    return (setting.serial_number,)


def status(_setting: WireSetting) -> Procedure:
    """What the pump does."""
    found = _granted(StatusAnswer, (yield ReadStatus()))
    return (
        int(found.run_state is RunState.RUNNING),
        _nearest(found.base_rate_nl_per_day, NL_PER_DAY_PER_RATE),
        found.reservoir_nl // NL_PER_RESERVOIR,
        _nearest(found.bolus_volume_nl - found.bolus_delivered_nl, NL_PER_VOLUME),
        found.alarms_raised,
    )


def set_rate(_setting: WireSetting, rate: int) -> Procedure:
    """A constant rate; all else of the program stays as it is."""
    origin = _origin(SET_RATE)
    image = _granted(ProgramPart, (yield ReadProgram(origin, Block.IMAGE, 0, BLOCK_BYTES[Block.IMAGE])))
    program = unpack_program(image.data)
    program = replace(program, mode=Mode.SIMPLE_CONTINUOUS, rate_nl_per_day=rate * NL_PER_DAY_PER_RATE)
    stage_id = _granted(StageBegun, (yield BeginProgram(origin))).stage_id
    try:
        for block in WRITABLE_BLOCKS:
            part = program.part(block, 0, BLOCK_BYTES[block])
            _granted(BlockWritten, (yield WriteProgram(origin, stage_id, block, 0, part)))
        valid = _granted(ProgramValidated, (yield ValidateProgram(origin, stage_id)))
        intention = yield from _intend(SET_RATE, rate)
        _granted(OpOutcome, (yield CommitProgram(**intention, stage_id=stage_id, crc32=valid.crc32)))
    except Refused:
        yield AbortProgram(origin, stage_id)
        raise
    return (_nearest(valid.rate_nl_per_day, NL_PER_DAY_PER_RATE),)


def bolus(_setting: WireSetting, volume: int, duration: int) -> Procedure:
    """A bolus of so much over so long."""
    wanted = PrepareBolus(
        origin=_origin(BOLUS),
        kind=BolusKind.SINGLE,
        volume_nl=volume * NL_PER_VOLUME,
        duration_s=duration * S_PER_DURATION,
    )
    lease = _granted(PreparedBolus, (yield wanted))
    intention = yield from _intend(BOLUS, volume, duration)
    given = ExecuteBolus(**intention, bolus_id=lease.bolus_id, volume_nl=lease.volume_nl, duration_s=lease.duration_s)
    _granted(OpOutcome, (yield given))
    return _nearest(lease.volume_nl, NL_PER_VOLUME), duration


def stop(_setting: WireSetting) -> Procedure:
    """Halt all delivery."""
    _granted(OpOutcome, (yield Stop(**(yield from _intend(STOP)))))
    return ()


def start(_setting: WireSetting) -> Procedure:
    """Resume the program."""
    _granted(OpOutcome, (yield Start(**(yield from _intend(START)))))
    return ()


PROCEDURES: Mapping[int, Callable[..., Procedure]] = MappingProxyType(
    {IDENTIFY: identify, STATUS: status, SET_RATE: set_rate, BOLUS: bolus, STOP: stop, START: start}
)


def _origin(operation: int) -> Origin:
    """Whoever holds the wand is the clinician; of hosts and sessions this wire knows nothing."""
    return Origin(Role.CLINICIAN, host_id=0, session=0, gate=_GATES[operation])


def _intend(operation: int, *values: int) -> Generator[Command, Reply, _Intention]:
    """What the model wants with a command that changes therapy: always a new number, and the state as it is now."""
    ops = _granted(OpsAnswer, (yield ListOps()))
    return {
        "origin": _origin(operation),
        "op_id": ops.clinician_op_high + 1,
        "therapy_rev": ops.therapy_rev,
        "fingerprint": hashlib.sha256(repr((operation, values)).encode()).digest()[:8],
    }


def _granted(outcome: type[R], reply: Reply) -> R:
    """The outcome that a command has; raises Refused."""
    if isinstance(reply, Refusal):
        raise Refused(reply)
    if not isinstance(reply, outcome):
        raise TypeError(f"{reply!r} is no {outcome.__name__}")
    return reply


def _nearest(value: int, unit: int) -> int:
    return (value + unit // 2) // unit
