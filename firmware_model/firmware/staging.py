"""The programming transaction: a program is staged block by block, validated, read back, and committed as one."""

from __future__ import annotations

from dataclasses import replace

from firmware_model.commands import (
    AbortProgram,
    BeginProgram,
    BlockWritten,
    CommitProgram,
    OpOutcome,
    ProgramAborted,
    ProgramPart,
    ProgramValidated,
    ReadProgram,
    ReadStage,
    Reason,
    Refusal,
    StageBegun,
    StagePart,
    ValidateProgram,
    WriteProgram,
)
from firmware_model.firmware.codes import (
    THERAPY_ROLES,
    Mode,
    OpKind,
    OpState,
    ProgramWarning,
    RunState,
    StopReason,
)
from firmware_model.firmware.core import Firmware, LogDraft, Stage
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.flow import Channel
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.program import (
    BLOCK_BYTES,
    IMAGE_BYTES,
    WRITABLE_BLOCKS,
    Program,
    check_image,
    check_limits,
    quantised,
    unpack_program,
)
from firmware_model.firmware.therapy import admit, new_entry, outcome_of
from firmware_model.quantities import HIGHEST_U32, US_PER_SECOND, ceil_div

MOST_STAGES = 4
"""Stages held at once, of different sessions; the oldest gives way."""
STAGES_A_BOOT = 0xFFFF
"""Stages of one boot that have numbers of their own; then the numbers begin anew."""
_NOTHING_STAGED = Refusal(Reason.NOTHING_STAGED, "stage_id")


def begin(firmware: Firmware, command: BeginProgram) -> StageBegun | Refusal:
    """A new, empty stage. Its number holds the boot, so that a host never finds another's under an old number."""
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    number = firmware.stages_begun % STAGES_A_BOOT + 1
    stage = Stage(
        stage_id=firmware.record.boot << 16 | number,
        session=command.origin.session,
        written=(b"",) * len(WRITABLE_BLOCKS),
    )
    others = [held for held in firmware.stages if held.session != stage.session]
    firmware.stages = [*others[-(MOST_STAGES - 1) :], stage]
    firmware.stages_begun += 1
    return StageBegun(stage.stage_id)


def write(firmware: Firmware, command: WriteProgram) -> BlockWritten | Refusal:
    """The next bytes of a block; what was validated before is so no longer."""
    stage = _asked(firmware, command)
    if isinstance(stage, Refusal):
        return stage
    block = command.block
    if block not in WRITABLE_BLOCKS:
        return Refusal(Reason.BLOCK_SEQUENCE, "block", element=block)
    place = WRITABLE_BLOCKS.index(block)
    before = stage.written[place] if command.offset else b""
    if command.offset != len(before):
        return Refusal(Reason.BLOCK_SEQUENCE, "offset", element=block, detail=len(before))
    after = before + command.data
    if len(after) > BLOCK_BYTES[block]:
        return Refusal(Reason.BLOCK_SEQUENCE, "data", element=block, detail=BLOCK_BYTES[block])
    written = (*stage.written[:place], after, *stage.written[place + 1 :])
    _keep(firmware, Stage(stage.stage_id, stage.session, written))
    return BlockWritten(len(after))


def validate(firmware: Firmware, command: ValidateProgram) -> ProgramValidated | Refusal:
    """Check what is staged, round it down to what will really run, and say what that means."""
    stage = _asked(firmware, command)
    if isinstance(stage, Refusal):
        return stage
    for block, content in zip(WRITABLE_BLOCKS, stage.written, strict=True):
        if len(content) < BLOCK_BYTES[block]:
            return Refusal(Reason.BLOCK_SEQUENCE, element=block, detail=len(content))
    image = b"".join(stage.written)
    refusal = check_image(image)
    if refusal is not None:
        return refusal
    asked = unpack_program(image)
    refusal = check_limits(asked, firmware.profile)
    if refusal is not None:
        return refusal
    program = quantised(asked, firmware.profile)
    _keep(firmware, replace(stage, validated=program, validated_rev=firmware.record.therapy_rev))
    rate = program.flow_nl_per_day(firmware.profile)
    low_in_s = _low_reservoir_in_s(firmware, program)
    return ProgramValidated(
        crc32=program.crc32(),
        image_size=IMAGE_BYTES,
        mode=program.mode,
        rate_nl_per_day=rate,
        steps_per_day=rate // firmware.profile.motor.step_volume_nl,
        low_reservoir_in_s=low_in_s,
        low_reservoir_unix_s=None if low_in_s is None else min(firmware.rtc_unix_s + low_in_s, HIGHEST_U32),
        warnings=_warnings(firmware, asked, program),
    )


def read_stage(firmware: Firmware, command: ReadStage) -> StagePart | Refusal:
    """Bytes of what was validated."""
    stage = _asked(firmware, command)
    if isinstance(stage, Refusal):
        return stage
    if stage.validated is None:
        return _NOTHING_STAGED
    return StagePart(BLOCK_BYTES[command.block], stage.validated.part(command.block, command.offset, command.length))


def commit(firmware: Firmware, command: CommitProgram) -> OpOutcome | Refusal:
    """Make the validated program the active one: one commit of program, run state, revision, ledger and log."""
    reply = admit(firmware, command, OpKind.PROGRAM)
    if reply is not None:
        return reply
    stage = _held(firmware, command.origin.session, command.stage_id)
    if stage is None or stage.validated is None:
        return _NOTHING_STAGED
    record, program = firmware.record, stage.validated
    if command.crc32 != program.crc32():
        return Refusal(Reason.STAGE_CHANGED, "crc32")
    if stage.validated_rev != record.therapy_rev:
        return Refusal(Reason.STAGE_CHANGED)
    refusal = check_limits(program, firmware.profile)
    if refusal is not None:
        return refusal
    entry = new_entry(firmware, command, OpKind.PROGRAM, OpState.DONE)
    run_state, stop_reason = _run_state_under(firmware, program)
    detail = {
        "role": command.origin.role,
        "host_id": command.origin.host_id,
        "crc32": program.crc32(),
        "mode": program.mode,
        "rate_nl_per_day": program.flow_nl_per_day(firmware.profile),
    }
    firmware.stages.remove(stage)
    # What was prepared was checked against the limits of the program before.
    firmware.leases.clear()
    firmware.commit(
        LogDraft(LogType.PROGRAM_CHANGED, command.op_id, detail),
        program=program,
        run_state=run_state,
        stop_reason=stop_reason,
        therapy_rev=record.therapy_rev + 1,
        ledger=record.ledger.enter(entry),
    )
    firmware.follow_program()
    return outcome_of(entry)


def abort(firmware: Firmware, command: AbortProgram) -> ProgramAborted | Refusal:
    """Give a stage up."""
    stage = _asked(firmware, command)
    if isinstance(stage, Refusal):
        return stage
    firmware.stages.remove(stage)
    return ProgramAborted()


def read_program(firmware: Firmware, command: ReadProgram) -> ProgramPart | Refusal:
    """Bytes of the active program."""
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    program = firmware.record.program
    return ProgramPart(
        program.crc32(), BLOCK_BYTES[command.block], program.part(command.block, command.offset, command.length)
    )


def end_session(firmware: Firmware, session: int) -> None:
    """A session's stage dies with it."""
    firmware.stages = [stage for stage in firmware.stages if stage.session != session]


def _asked(firmware: Firmware, command: WriteProgram | ValidateProgram | ReadStage | AbortProgram) -> Stage | Refusal:
    """The stage that a command names, if it is its own session's and the pump's state admits the command."""
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    return _held(firmware, command.origin.session, command.stage_id) or _NOTHING_STAGED


def _held(firmware: Firmware, session: int, stage_id: int) -> Stage | None:
    return next((held for held in firmware.stages if (held.session, held.stage_id) == (session, stage_id)), None)


def _keep(firmware: Firmware, changed: Stage) -> None:
    firmware.stages = [changed if held.session == changed.session else held for held in firmware.stages]


def _run_state_under(firmware: Firmware, program: Program) -> tuple[RunState, StopReason]:
    """Whether the pump will run once a program is the active one: no program ends a stop that it did not make."""
    record = firmware.record
    if record.stop_reason not in (StopReason.NONE, StopReason.PROGRAMMED):
        return RunState.STOPPED, record.stop_reason
    if program.mode is Mode.STOPPED:
        return RunState.STOPPED, StopReason.PROGRAMMED
    return RunState.RUNNING, StopReason.NONE


def _low_reservoir_in_s(firmware: Firmware, program: Program) -> int | None:
    """Whole seconds until the computed reservoir comes down to the program's level at its base rate; None for never."""
    step_nl = firmware.profile.motor.step_volume_nl
    steps = ceil_div(firmware.reservoir_nl - program.low_reservoir_nl, step_nl)
    if steps <= 0:
        return 0
    base = firmware.flow.base
    wait_us = Channel(base.threshold, program.flow_nl_per_day(firmware.profile), base.phase).us_until(steps)
    return None if wait_us is None else min(ceil_div(wait_us, US_PER_SECOND), HIGHEST_U32)


def _warnings(firmware: Firmware, asked: Program, program: Program) -> ProgramWarning:
    delivers = program.mode is not Mode.STOPPED
    run_state, _ = _run_state_under(firmware, program)
    applies = {
        ProgramWarning.RATE_ROUNDED: program.mode is Mode.SIMPLE_CONTINUOUS
        and program.rate_nl_per_day < asked.rate_nl_per_day,
        ProgramWarning.NO_DELIVERY: not delivers,
        ProgramWarning.NEEDS_START: delivers and run_state is RunState.STOPPED,
        ProgramWarning.LOW_RESERVOIR: firmware.reservoir_nl <= program.low_reservoir_nl,
        ProgramWarning.DRUGS_CHANGED: program.drugs != firmware.record.program.drugs,
    }
    return ProgramWarning(sum(warning for warning in ProgramWarning if applies[warning]))
