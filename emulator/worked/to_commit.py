"""A program, from HELLO to COMMIT: what a clinician's programmer sends, and what the pump answers."""

from __future__ import annotations

from typing import Final

from emulator.worked.desk import Desk, Entry, entries_markdown
from protocol.fields import encode
from protocol.messages.codes import Block, ChangedFlag, Mode, TelemetryField
from protocol.messages.link import CloseRequest, KeepaliveRequest
from protocol.messages.op import OpListAnswer, OpListRequest
from protocol.messages.program import (
    BLOCK_PART_MAX,
    BLOCKS,
    CHANGES_MAX,
    DRUGS_MAX,
    NO_CHANGE,
    WEEKDAYS,
    AlarmsBlock,
    CatheterBlock,
    ChangeEntry,
    DrugEntry,
    DrugsBlock,
    InfusionBlock,
    LimitsBlock,
    PatientBlock,
    ProgramBeginAnswer,
    ProgramBeginRequest,
    ProgramCommitRequest,
    ProgramValidateAnswer,
    ProgramValidateRequest,
    ProgramWriteRequest,
    ScheduleBlock,
    StageReadRequest,
)
from protocol.messages.read import StatusRequest
from protocol.messages.stream import ResetFlagsRequest, SubscribeRequest

HOST_CHALLENGE: Final = bytes.fromhex("0102030405060708")
ALL_FLAGS: Final = ChangedFlag(sum(ChangedFlag))
LOG_LAST: Final = 2
"""The record of the commit, behind that of the first boot."""
_NO_DRUG: Final = DrugEntry(name="", concentration_ng_per_ml=0, stability_days=0)
_EMPTY_DAY: Final = (ChangeEntry(start_min=NO_CHANGE, rate_nl_per_day=0),) * CHANGES_MAX
_DAY: Final = (
    ChangeEntry(start_min=0, rate_nl_per_day=480_000),
    ChangeEntry(start_min=7 * 60, rate_nl_per_day=720_500),
    *_EMPTY_DAY[2:],
)
_BACLOFEN: Final = DrugEntry(name="baclofen", concentration_ng_per_ml=500_000, stability_days=90)

PROGRAM: Final = {
    Block.DRUGS: DrugsBlock(drugs=(_BACLOFEN, *(_NO_DRUG,) * (DRUGS_MAX - 1))),
    Block.INFUSION: InfusionBlock(
        mode=Mode.FLEX, rate_nl_per_day=500_000, dose_volume_nl=0, dose_duration_s=0, dose_interval_s=0
    ),
    Block.SCHEDULE: ScheduleBlock(**dict.fromkeys(WEEKDAYS, _DAY)),
    Block.PATIENT: PatientBlock(volume_nl=25_000, duration_s=300, lockout_s=7_200, window_s=86_400, activations_max=4),
    Block.LIMITS: LimitsBlock(rate_max_nl_per_day=2_000_000, bolus_volume_max_nl=200_000, window_max_nl=5_000_000),
    Block.ALARMS: AlarmsBlock(low_reservoir_nl=2_000_000, critical_repeat_min=0, non_critical_repeat_min=0),
    Block.CATHETER: CatheterBlock(catheter_nl=150_000),
}
"""A weekly schedule of two rates a day, one of them no whole quantum; the patient's bolus; a drug."""


def session_to_commit() -> list[Entry]:
    """HELLO, OPEN, AUTH, STATUS, OP_LIST, the seven blocks, VALIDATE, STAGE_READ, COMMIT, an event, CLOSE."""
    desk = Desk()
    desk.open_line()
    desk.open_session(HOST_CHALLENGE)
    desk.ask(StatusRequest())
    listed = desk.ask(OpListRequest(page=0))
    begun = desk.ask(ProgramBeginRequest())
    if not (isinstance(listed, OpListAnswer) and isinstance(begun, ProgramBeginAnswer)):
        raise TypeError(f"the worked session came to {listed!r} and {begun!r}")
    for block in BLOCKS:
        _write(desk, begun.stage_id, block)
    validated = desk.ask(ProgramValidateRequest(stage_id=begun.stage_id))
    if not isinstance(validated, ProgramValidateAnswer):
        raise TypeError(f"the worked session came to {validated!r}")
    desk.remark("The host reads the whole image back, and shows it: block 0 is all of it.")
    for offset in range(0, validated.image_size, BLOCK_PART_MAX):
        desk.ask(StageReadRequest(stage_id=begun.stage_id, block=Block.IMAGE, offset=offset, length=BLOCK_PART_MAX))
    op_id = listed.clinician_op_high + 1
    desk.remark(
        f"CRC-32 of those {validated.image_size} bytes is {validated.crc32:08X}, as VALIDATE said. The clinician says "
        f"yes. The host stores op {op_id} durably."
    )
    desk.ask(
        ProgramCommitRequest(
            stage_id=begun.stage_id, crc32=validated.crc32, op_id=op_id, therapy_rev=listed.therapy_rev
        )
    )
    desk.remark("Telemetry: an event comes sealed among the answers, and what it has told is reset.")
    desk.ask(SubscribeRequest(fields=TelemetryField.RUN_STATE | TelemetryField.RESERVOIR, period_s=60))
    desk.ask(ResetFlagsRequest(changed=ALL_FLAGS, log_epoch=listed.epoch, log_sequence=LOG_LAST))
    desk.remark("KEEPALIVE stands outside the sequence: its txn comes from the host's other counter.")
    desk.ask(KeepaliveRequest())
    desk.ask(CloseRequest())
    return desk.entries


def _write(desk: Desk, stage_id: int, block: Block) -> None:
    content = encode(PROGRAM[block])
    for offset in range(0, len(content), BLOCK_PART_MAX):
        part = content[offset : offset + BLOCK_PART_MAX]
        desk.ask(ProgramWriteRequest(stage_id=stage_id, block=block, offset=offset, data=part))


def session_markdown() -> str:
    """The part of the specification."""
    return entries_markdown(session_to_commit())
