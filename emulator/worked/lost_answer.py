"""The lost answer: a bolus whose every answer is lost, and how its host finds out what became of it."""

from __future__ import annotations

from typing import Final

from emulator.assembly import DEFAULT_SERIAL_NUMBER
from emulator.worked.desk import HOST_ID, ROLE, Desk, Entry, entries_markdown
from protocol.fields import encode
from protocol.host_end import NoAnswer, Refused
from protocol.messages.alarm import AlarmListRequest
from protocol.messages.codes import BolusKind
from protocol.messages.deliver import BolusExecuteRequest, BolusPrepareAnswer, BolusPrepareRequest
from protocol.messages.log import LogReadRequest
from protocol.messages.op import OpListAnswer, OpListRequest, OpQueryRequest
from protocol.messages.operations import by_name, payload_hash

VOLUME_NL: Final = 50_000
DURATION_S: Final = 86_400
STALL_AFTER_S: Final = DURATION_S * 1_200 // 2_000
_US_PER_S: Final = 1_000_000
_WHOLE: Final = 0xFFFF_FFFF
FIRST_CHALLENGE: Final = bytes.fromhex("090a0b0c0d0e0f10")
SECOND_CHALLENGE: Final = bytes.fromhex("1112131415161718")
OP_ID: Final = 1


def lost_answer() -> list[Entry]:
    """The bolus is taken and every answer lost; the line breaks; the motor stalls; the host comes back and asks."""
    desk = Desk()
    desk.open_line()
    desk.open_session(FIRST_CHALLENGE)
    listed = desk.ask(OpListRequest(page=0))
    prepared = desk.ask(
        BolusPrepareRequest(
            kind=BolusKind.SINGLE,
            volume_nl=VOLUME_NL,
            volume_complement=VOLUME_NL ^ _WHOLE,
            duration_s=DURATION_S,
        )
    )
    if not (isinstance(listed, OpListAnswer) and isinstance(prepared, BolusPrepareAnswer)):
        raise TypeError(f"the worked session came to {listed!r} and {prepared!r}")
    command = BolusExecuteRequest(
        bolus_id=prepared.bolus_id,
        volume_nl=prepared.volume_nl,
        volume_complement=prepared.volume_nl ^ _WHOLE,
        duration_s=prepared.duration_s,
        op_id=OP_ID,
        therapy_rev=listed.therapy_rev,
    )
    _intend(desk, command, listed.epoch)
    desk.arm("drop answer BOLUS_EXECUTE count=4")
    if not isinstance(desk.attempt(command), NoAnswer):
        raise TypeError("an answer that was to be lost has come")
    desk.remark(
        "No answer, which does not say that nothing happened. The host would ask OP_QUERY now, but the line breaks, "
        "and its session ends with it. The bolus runs on."
    )
    desk.close_line()
    desk.wait(STALL_AFTER_S * _US_PER_S)
    desk.arm("stall")
    desk.remark("At step 1,200 of 2,000 the rotor stalls. The pump notices, raises an alarm, and ends the bolus.")
    desk.wait(DURATION_S * _US_PER_S)
    desk.remark("The host is back. It opens a session as the same host, and first reads OP_LIST.")
    desk.open_line()
    desk.open_session(SECOND_CHALLENGE)
    told = desk.ask(OpListRequest(page=0))
    _book(desk, told)
    desk.remark("The same by OP_QUERY; then the alarm, and the log from the first record that the host does not have.")
    desk.ask(OpQueryRequest(role=ROLE, op_id=OP_ID))
    desk.ask(AlarmListRequest(from_instance=0))
    desk.ask(LogReadRequest(epoch=listed.epoch, from_sequence=2, maximum=4))
    desk.remark("A wrong host: another bolus under the revision that it read before the loss. Nothing moves.")
    _refused(desk, _again(command, op_id=OP_ID + 1, therapy_rev=listed.therapy_rev))
    desk.remark("Another wrong host sends the stored command again. The ledger answers, REPEATED, and nothing moves.")
    desk.ask(command)
    return desk.entries


def _intend(desk: Desk, command: BolusExecuteRequest, epoch: int) -> None:
    payload = encode(command)
    named = payload_hash(by_name["BOLUS_EXECUTE"].opcode, command)
    desk.remark(
        f"The host stores, durably: op {OP_ID}, role clinician, host {HOST_ID:08X}, pump {DEFAULT_SERIAL_NUMBER:08X}, "
        f"epoch {epoch}, opcode 0404 and the payload {payload.hex()}. Its hash is {named.hex()}."
    )


def _book(desk: Desk, told: object) -> None:
    if not isinstance(told, OpListAnswer):
        raise TypeError(f"the worked session came to {told!r}")
    (entry,) = told.ops
    desk.remark(
        f"Host, opcode, hash and epoch are the stored ones, so op {entry.op_id} was taken. The host books "
        f"{entry.state.name}, {entry.delivered_min_nl:,} to {entry.delivered_max_nl:,} nl: not {VOLUME_NL:,}, not 0."
    )


def _again(command: BolusExecuteRequest, *, op_id: int, therapy_rev: int) -> BolusExecuteRequest:
    return BolusExecuteRequest(
        bolus_id=command.bolus_id,
        volume_nl=command.volume_nl,
        volume_complement=command.volume_complement,
        duration_s=command.duration_s,
        op_id=op_id,
        therapy_rev=therapy_rev,
    )


def _refused(desk: Desk, command: BolusExecuteRequest) -> None:
    event = desk.attempt(command)
    if not isinstance(event, Refused):
        raise TypeError(f"the worked session came to {event!r}")


def lost_answer_markdown() -> str:
    """The part of the specification."""
    return entries_markdown(lost_answer())
