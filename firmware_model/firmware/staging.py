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
from firmware_model.firmware.alarm_causes import STOP_REASONS
from firmware_model.firmware.alarms import clear_gone, note_incomplete
from firmware_model.firmware.base_rate import follow
from firmware_model.firmware.cell_check import cell_refusal
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import (
    THERAPY_ROLES,
    Block,
    BolusEnd,
    Mode,
    OpKind,
    ProgramWarning,
    RunState,
    StopReason,
)
from firmware_model.firmware.core import Firmware, Stage, compile_program
from firmware_model.firmware.dates import allotted_peak_nl, boluses_per_day, mean_nl_per_day, refill_dates
from firmware_model.firmware.dose import start_flow, take_up, would_waste_its_dose
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal, holding_alarm
from firmware_model.firmware.lives.lease import LeaseDeed
from firmware_model.firmware.lives.run import RUN_LIFE, RunDeed
from firmware_model.firmware.lives.stage import STAGE_LIFE, StageDeed
from firmware_model.firmware.prepared import end_leases, end_stages, state_of
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
from firmware_model.firmware.therapy import admit, mixture_fits, new_entry, outcome_of
from firmware_model.quantities import HIGHEST_U32

MOST_STAGES = 4
"""Stages held at once, of different sessions; the oldest gives way."""
STAGES_A_BOOT = 0xFFFF
"""Stages of one boot that have numbers of their own; then the numbers begin anew."""
_ENDED_BY_A_PROGRAM = frozenset({StopReason.NONE, StopReason.PROGRAMMED, StopReason.PROGRAM_INCOMPLETE})
"""Why a pump may stand still without needing a START once it has another program."""
_NOTHING_STAGED = Refusal(Reason.NOTHING_STAGED, "stage_id")


def begin(firmware: Firmware, command: BeginProgram) -> StageBegun | Refusal:
    """A new, empty stage. Its number holds the boot, so that a host never finds another's under an old number."""
    if command.origin.role not in THERAPY_ROLES:
        return Refusal(Reason.ROLE)
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    if firmware.profile.therapy.stops_while_programming and firmware.record.run_state is RunState.RUNNING:
        refusal = _stand_still(firmware, command)
        if refusal is not None:
            return refusal
    number = firmware.stages_begun % STAGES_A_BOOT + 1
    stage = Stage(
        stage_id=firmware.record.boot << 16 | number,
        session=command.origin.session,
        written=(b"",) * len(WRITABLE_BLOCKS),
    )
    end_stages(firmware, StageDeed.REPLACE, lambda held: held.session == stage.session)
    if len(firmware.stages) == MOST_STAGES:
        oldest = firmware.stages[0]
        end_stages(firmware, StageDeed.REPLACE, lambda held: held is oldest)
    firmware.stages.append(stage)
    firmware.stages_begun += 1
    return StageBegun(stage.stage_id)


def write(firmware: Firmware, command: WriteProgram) -> BlockWritten | Refusal:
    """The next bytes of a block; what was validated before is so no longer."""
    stage = _asked(firmware, command, StageDeed.WRITE)
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
    stage = _asked(firmware, command, StageDeed.VALIDATE)
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
    compiled = compile_program(program, firmware.profile)
    mean_nl = mean_nl_per_day(compiled, firmware.profile)
    dates = refill_dates(firmware, compiled)
    return ProgramValidated(
        crc32=program.crc32(),
        image_size=IMAGE_BYTES,
        mode=program.mode,
        rate_nl_per_day=mean_nl,
        steps_per_day=mean_nl // firmware.profile.motor.step_volume_nl,
        low_reservoir_in_s=dates.low_in_s,
        low_reservoir_unix_s=_unix_s(firmware, dates.low_in_s),
        warnings=_warnings(firmware, asked, program),
        window_peak_nl=min(HIGHEST_U32, compiled.peak_day_nl + allotted_peak_nl(program)),
        boluses_per_day_max=boluses_per_day(program),
        refill_in_s=dates.refill_in_s,
        refill_unix_s=_unix_s(firmware, dates.refill_in_s),
        stability_in_s=dates.stability_in_s,
    )


def read_stage(firmware: Firmware, command: ReadStage) -> StagePart | Refusal:
    """Bytes of what was validated."""
    stage = _asked(firmware, command, StageDeed.READ)
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
    stage = _held(firmware, command.origin.session, command.stage_id, StageDeed.COMMIT)
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
    if not mixture_fits(program, record.mixture):
        return Refusal(Reason.CONCENTRATION_MISMATCH, element=Block.DRUGS)
    run_state, stop_reason = _run_state_under(firmware, program)
    weak = cell_refusal(firmware) if _begins(firmware, program, run_state) else None
    if weak is not None:
        return weak
    if would_waste_its_dose(firmware, program):
        return Refusal(Reason.STALLED)
    entry = new_entry(firmware, command, OpKind.PROGRAM)
    end_stages(firmware, StageDeed.COMMIT, lambda held: held is stage)
    # What was prepared was checked against the limits of the program before.
    end_leases(firmware, LeaseDeed.CHANGE)
    bridge_nl_per_day = record.bridge_nl_per_day
    if program.drugs != record.program.drugs and record.program.drugs:
        bridge_nl_per_day = mean_nl_per_day(firmware.active, firmware.profile)
    change = Change(firmware)
    change.log(
        LogType.PROGRAM_CHANGED,
        command.op_id,
        role=command.origin.role,
        host_id=command.origin.host_id,
        crc32=program.crc32(),
        mode=program.mode,
        rate_nl_per_day=mean_nl_per_day(compile_program(program, firmware.profile), firmware.profile),
    )
    # The dose ends with its program; it is no end of therapy, which goes on under the new one.
    change.set(dose_spent=False)
    change.end_dose(BolusEnd.STOPPED)
    stopped_since_s = record.stopped_since_s if record.run_state is RunState.STOPPED else firmware.elapsed_s
    change.set(
        program=program,
        run_state=run_state,
        stop_reason=stop_reason,
        stopped_since_s=0 if run_state is RunState.RUNNING else stopped_since_s,
        programming=False,
        bridge_nl_per_day=bridge_nl_per_day,
        lockout_until_s=max(record.lockout_until_s, firmware.counts_from_s + program.patient.lockout_s),
        ledger=record.ledger.enter(entry),
    )
    change.raise_revision()
    if run_state is RunState.RUNNING:
        take_up(change)
    change.commit()
    start_flow(firmware)
    follow(firmware)
    clear_gone(firmware)
    return outcome_of(entry)


def abort(firmware: Firmware, command: AbortProgram) -> ProgramAborted | Refusal:
    """Give a stage up."""
    stage = _asked(firmware, command, StageDeed.ABORT)
    if isinstance(stage, Refusal):
        return stage
    end_stages(firmware, StageDeed.ABORT, lambda held: held is stage)
    note_incomplete(firmware)
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
    end_stages(firmware, StageDeed.END_SESSION, lambda stage: stage.session == session)
    note_incomplete(firmware)


def _stand_still(firmware: Firmware, command: BeginProgram) -> Refusal | None:
    """The pump stands still until the program is complete, in profiles that do so."""
    bolus = firmware.record.bolus
    if bolus is not None:
        return Refusal(Reason.BOLUS_RUNNING, detail=bolus.bolus_id)
    origin = command.origin
    change = Change(firmware)
    crc32 = firmware.record.program.crc32()
    change.log(LogType.PROGRAM_BEGUN, role=origin.role, host_id=origin.host_id, crc32=crc32)
    change.halt(StopReason.PROGRAM_INCOMPLETE, role=origin.role, host_id=origin.host_id)
    change.end_dose(BolusEnd.STOPPED)
    change.set(programming=True)
    change.commit()
    return None


def _asked(
    firmware: Firmware, command: WriteProgram | ValidateProgram | ReadStage | AbortProgram, deed: StageDeed
) -> Stage | Refusal:
    """The stage that a command names, if it is its own session's, and neither its state nor the pump's forbids it."""
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    return _held(firmware, command.origin.session, command.stage_id, deed) or _NOTHING_STAGED


def _held(firmware: Firmware, session: int, stage_id: int, deed: StageDeed) -> Stage | None:
    """The stage of a session, if a deed is possible in its state."""
    for held in firmware.stages:
        if (held.session, held.stage_id) == (session, stage_id):
            return held if (state_of(held), deed) in STAGE_LIFE else None
    return None


def _keep(firmware: Firmware, changed: Stage) -> None:
    firmware.stages = [changed if held.session == changed.session else held for held in firmware.stages]


def _begins(firmware: Firmware, program: Program, run_state: RunState) -> bool:
    """Whether with a program something begins: therapy in a pump that stands still, or the program's one dose."""
    if run_state is not RunState.RUNNING:
        return False
    return firmware.record.run_state is not RunState.RUNNING or program.mode is Mode.SINGLE_BOLUS


def _run_state_under(firmware: Firmware, program: Program) -> tuple[RunState, StopReason]:
    """Whether the pump will run once a program is the active one.

    No program ends a stop that it did not make, nor one that an alarm demands.
    """
    record = firmware.record
    if record.stop_reason not in _ENDED_BY_A_PROGRAM:
        return RUN_LIFE[record.run_state, RunDeed.STAY], record.stop_reason
    if program.mode is Mode.STOPPED:
        return RUN_LIFE[record.run_state, RunDeed.REST], StopReason.PROGRAMMED
    alarm = holding_alarm(firmware)
    if alarm is not None:
        return RUN_LIFE[record.run_state, RunDeed.STAY], STOP_REASONS.get(alarm.type, StopReason.SUPERVISOR)
    return RUN_LIFE[record.run_state, RunDeed.FOLLOW], StopReason.NONE


def _unix_s(firmware: Firmware, in_s: int | None) -> int | None:
    """The date in so many seconds, None where there is none or no clock that knows it."""
    if in_s is None or not firmware.record.clock_valid:
        return None
    return min(firmware.rtc_unix_s + in_s, HIGHEST_U32)


def _warnings(firmware: Firmware, asked: Program, program: Program) -> ProgramWarning:
    before = firmware.record.program
    delivers = program.mode is not Mode.STOPPED
    run_state, _ = _run_state_under(firmware, program)
    applies = {
        ProgramWarning.RATE_ROUNDED: _is_rounded(asked, program),
        ProgramWarning.NO_DELIVERY: not delivers,
        ProgramWarning.NEEDS_START: delivers and run_state is RunState.STOPPED,
        ProgramWarning.LOW_RESERVOIR: firmware.reservoir_nl <= program.low_reservoir_nl,
        ProgramWarning.DRUGS_CHANGED: program.drugs != before.drugs,
        ProgramWarning.BRIDGE_DUE: bool(before.drugs) and program.drugs != before.drugs,
    }
    return ProgramWarning(sum(warning for warning in ProgramWarning if applies[warning]))


def _is_rounded(asked: Program, program: Program) -> bool:
    """Whether a rate that the mode uses was rounded down."""
    if program.mode is Mode.FLEX:
        return (program.schedule, program.rate_nl_per_day) != (asked.schedule, asked.rate_nl_per_day)
    with_a_rate = program.mode in (Mode.SIMPLE_CONTINUOUS, Mode.PERIODIC_BOLUS)
    return with_a_rate and program.rate_nl_per_day < asked.rate_nl_per_day
