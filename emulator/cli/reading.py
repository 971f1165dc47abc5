"""`vpump interrogate` and `caps`: what the pump says of itself when it is asked."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from emulator.cli.connection import LineHands, Target, open_link, talks_to_pump
from emulator.cli.errors import json_requested
from emulator.cli.program_view import program_document
from emulator.cli.quantities import US_PER_S, format_duration_us, format_rate, format_volume_nl
from emulator.cli.wording import LOUD_MARKS, aligned, document_of, names_of, summary_of, table_rows
from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Procedure, PumpRefused, read, run
from emulator.programmer.ledger import read_op_pages
from emulator.programmer.program_fields import drug_text
from emulator.programmer.program_image import Program
from emulator.programmer.programming import read_program
from protocol.messages.alarm import AlarmEntry
from protocol.messages.link import CapsAnswer, CapsRequest, HelloAnswer, LinkStatsAnswer, LinkStatsRequest
from protocol.messages.log import LogStatusAnswer, LogStatusRequest
from protocol.messages.op import OpListAnswer
from protocol.messages.pump_time import TimeReadAnswer, TimeReadRequest
from protocol.messages.read import IdentAnswer, IdentRequest, StatusAnswer, StatusRequest
from protocol.refusals import NakCode


class Interrogation:
    """All that a programmer shows after an interrogation."""

    def __init__(self, hello: HelloAnswer) -> None:
        self.hello = hello
        self.ident: IdentAnswer
        self.status: StatusAnswer
        self.caps: CapsAnswer
        self.program: Program | None
        self.time: TimeReadAnswer
        self.alarms: list[AlarmEntry]
        self.ops: list[OpListAnswer]
        self.log: LogStatusAnswer
        self.link_stats: LinkStatsAnswer

    def read(self) -> Procedure[None]:
        """Ask for everything but the greeting."""
        self.ident = yield from read(IdentRequest(), IdentAnswer)
        self.status = yield from read(StatusRequest(), StatusAnswer)
        self.caps = yield from read(CapsRequest(), CapsAnswer)
        self.program = yield from _read_program()
        self.time = yield from read(TimeReadRequest(), TimeReadAnswer)
        self.alarms = yield from read_alarms()
        self.ops = yield from read_op_pages()
        self.log = yield from read(LogStatusRequest(), LogStatusAnswer)
        self.link_stats = yield from read(LinkStatsRequest(), LinkStatsAnswer)

    def document(self) -> dict[str, Any]:
        """As JSON values, grouped by message."""
        return {
            "hello": document_of(self.hello),
            "ident": document_of(self.ident),
            "status": document_of(self.status),
            "program": program_document(self.program, self.caps) if self.program is not None else None,
            "time": document_of(self.time),
            "alarms": [document_of(alarm) for alarm in self.alarms],
            "ops": ops_document(self.ops),
            "log": document_of(self.log),
            "link_stats": document_of(self.link_stats),
        }

    def lines(self) -> list[str]:
        """For people."""
        hello, status = self.hello, self.status
        warnings = [text for mark, text in LOUD_MARKS.items() if mark in hello.marks]
        shown = ["", *(f"  {text}" for text in warnings), ""] if warnings else []
        first = self.ops[0]
        rows = [
            ("serial number", f"{hello.serial_number:08X}"),
            ("model", f"{self.ident.model} (profile {self.ident.profile})"),
            ("firmware", f"{self.ident.firmware_version} ({self.ident.firmware_hash.hex()})"),
            ("protocol", f"{hello.major}.{hello.minor}, {', '.join(names_of(hello.capabilities))}"),
            ("marks", ", ".join(name.upper().replace("_", " ") for name in names_of(hello.marks)) or "none"),
            ("run state", run_state_text(status)),
            ("rate", f"{format_rate(status.base_rate_nl_per_day)} {_programmed_text(status)}".strip()),
            *_program_rows(self.program),
            ("reservoir", format_volume_nl(status.reservoir_nl)),
            ("bolus", bolus_text(status)),
            ("delivered in life", format_volume_nl(status.delivered_nl)),
            ("elapsed time", format_duration_us(self.time.elapsed_s * US_PER_S)),
            ("clock", _clock_text(self.time)),
            ("boots", str(self.ident.boots)),
            ("alarms", f"{status.alarms_raised} raised, {status.alarms_unacknowledged} unacknowledged"),
            ("op_high", f"clinician {first.clinician_op_high}, patient {first.patient_op_high}"),
            ("therapy_rev", str(first.therapy_rev)),
            ("log", f"records {self.log.first} to {self.log.last} of epoch {self.log.epoch}"),
        ]
        shown += aligned(rows)
        if self.alarms:
            shown += ["", "alarms:", *(f"  {summary_of(alarm)}" for alarm in self.alarms)]
        return shown


@click.command(
    epilog="\b\nExamples:\n  vpump interrogate\n  vpump interrogate -p /dev/pts/3 --json\n"
    "  vpump interrogate --keys keys.toml    a pump that has keys of its own"
)
@talks_to_pump(role="reader")
def interrogate(target: Target) -> None:
    """Everything a programmer shows after an interrogation."""
    with open_link(target) as link:
        found = Interrogation(link.hello)
        run(found.read(), LineHands(link))
    if json_requested():
        click.echo(json.dumps(found.document()))
    else:
        click.echo("\n".join(found.lines()))


@click.command(epilog="\b\nExamples:\n  vpump caps\n  vpump caps --json")
@talks_to_pump(role="reader")
def caps(target: Target) -> None:
    """The limits of the pump, and its quanta."""
    with open_link(target) as link:
        answer = run(read(CapsRequest(), CapsAnswer), LineHands(link))
    if json_requested():
        click.echo(json.dumps(document_of(answer)))
    else:
        click.echo("\n".join(aligned(table_rows(answer))))


def ops_document(pages: list[OpListAnswer]) -> dict[str, Any]:
    """All pages of OP_LIST as one."""
    document = document_of(pages[0])
    del document["page"], document["pages"]
    document["ops"] = [document_of(entry) for page in pages for entry in page.ops]
    return document


def _read_program() -> Procedure[Program | None]:
    """The active program, None for a pump that has lost its memory: it has the more to tell of itself."""
    try:
        return (yield from read_program())
    except PumpRefused as refused:
        if refused.nak.code != NakCode.MEMORY_FAILURE:
            raise
        return None


def _program_rows(program: Program | None) -> list[tuple[str, str]]:
    if program is None:
        return [("program", "lost with the pump's memory")]
    return [
        ("program", f"{program.crc32:08X}, {program.mode.name.lower().replace('_', ' ')}"),
        ("drugs", "; ".join(drug_text(drug) for drug in program.drugs) or "none named"),
        ("rate limit", format_rate(program.rate_max_nl_per_day)),
        ("bolus limit", format_volume_nl(program.bolus_volume_max_nl)),
        ("low reservoir at", format_volume_nl(program.low_reservoir_nl)),
    ]


def run_state_text(status: StatusAnswer) -> str:
    """Whether it runs, and if not, why."""
    state = status.run_state.name.lower()
    reason = status.stop_reason.name.lower().replace("_", " ")
    return state if reason == "none" else f"{state} ({reason})"


def _programmed_text(status: StatusAnswer) -> str:
    if status.base_rate_nl_per_day == status.programmed_rate_nl_per_day:
        return ""
    return f"(programmed {format_rate(status.programmed_rate_nl_per_day)})"


def bolus_text(status: StatusAnswer) -> str:
    """How far the running bolus has come."""
    if status.bolus_id == 0:
        return "none"
    left = format_duration_us(status.bolus_remaining_s * US_PER_S)
    given = f"{format_volume_nl(status.bolus_delivered_nl)} of {format_volume_nl(status.bolus_volume_nl)}"
    return f"{given} delivered, {left} left (bolus {status.bolus_id})"


def _clock_text(answer: TimeReadAnswer) -> str:
    if answer.rtc_unix_s == 0:
        return "not set"
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(answer.rtc_unix_s))
    return f"{stamp} UTC, local time {answer.offset_min:+d} min"
