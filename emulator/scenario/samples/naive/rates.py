"""Flaws in setting a rate: how wide the number is that holds it, and whether what the pump made of it is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from emulator.programmer.effects import Ask, Procedure, Reply, read
from emulator.programmer.ledger import read_op_list
from emulator.programmer.program_image import Program
from emulator.programmer.programming import read_program
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.hands import refusal_report
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.host_end import Answered, Refused
from protocol.messages.codes import Mode
from protocol.messages.link import CapsAnswer, CapsRequest
from protocol.messages.program import (
    BLOCK_PART_MAX,
    ProgramBeginAnswer,
    ProgramBeginRequest,
    ProgramCommitRequest,
    ProgramValidateAnswer,
    ProgramValidateRequest,
    ProgramWriteAnswer,
    ProgramWriteRequest,
)

_SIXTEEN_BITS: Final = 0xFFFF


def hold_rates_in_sixteen_bits(desk: Desk, task: Task) -> Procedure[Report]:
    """A rate is a number of motor steps a day, of sixteen bits; what was asked for is what is shown."""
    asked = task.number("RATE") or 0
    caps = yield from read(CapsRequest(), CapsAnswer)
    steps_per_day = asked // caps.volume_quantum_nl & _SIXTEEN_BITS
    active = yield from read_program()
    reply = yield from _write_and_commit(
        desk,
        replace(active, mode=Mode.SIMPLE_CONTINUOUS, rate_nl_per_day=steps_per_day * caps.volume_quantum_nl),
    )
    match reply:
        case Answered():
            return {"outcome": "done", "rate_nl_per_day": asked, "rounded": False}
        case Refused(nak):
            return refusal_report(nak)
        case _:
            return {"outcome": "failed"}


def _write_and_commit(desk: Desk, program: Program) -> Procedure[Reply]:
    """The program as it was meant: neither the summary nor the staged image is looked at."""
    stage_id = (yield from read(ProgramBeginRequest(), ProgramBeginAnswer)).stage_id
    for block, data in program.blocks().items():
        for at in range(0, len(data), BLOCK_PART_MAX):
            part = data[at : at + BLOCK_PART_MAX]
            request = ProgramWriteRequest(stage_id=stage_id, block=block, offset=at, data=part)
            yield from read(request, ProgramWriteAnswer)
    summary = yield from read(ProgramValidateRequest(stage_id=stage_id), ProgramValidateAnswer)
    listing = yield from read_op_list(desk.host)
    reply: Reply = yield Ask(
        ProgramCommitRequest(
            stage_id=stage_id,
            crc32=summary.crc32,
            op_id=listing.op_high.get(desk.host.role, 0) + 1,
            therapy_rev=listing.therapy_rev,
        )
    )
    return reply


FLAWS: Final = (
    GOOD.flawed(
        "holds-rates-in-sixteen-bits",
        "holds a rate in sixteen bits, and shows what was asked for instead of what the pump has made of it",
        {"rate": hold_rates_in_sixteen_bits},
    ),
)
