"""`vpump demo`: the tour. A pump on a virtual serial port, driven through it by the reference programmer."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.chart import level_chart
from emulator.cli.connection import LineHands, failures, json_option
from emulator.cli.errors import ExpectationFailed, LinkFailure, json_requested
from emulator.cli.program_view import side_by_side
from emulator.cli.quantities import US_PER_S, format_duration_us, format_rate, format_volume_nl
from emulator.cli.therapy import taken_text
from emulator.cli.wording import record_type_name
from emulator.programmer.book import open_book
from emulator.programmer.disk import RealDisk
from emulator.programmer.effects import read, run
from emulator.programmer.ledger import Host, read_log_page, read_op_list
from emulator.programmer.outcomes import Taken
from emulator.programmer.program_file import read_program_file
from emulator.programmer.programming import Staged, commit_program, prepare_program, require_active
from emulator.programmer.rules import BolusOrder, Report, close, deliver_bolus
from protocol.keys import test_keys
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest, AlarmListAnswer, AlarmListRequest
from protocol.messages.codes import BolusKind, OpState, Role
from protocol.messages.deliver import BolusExecuteRequest
from protocol.messages.log import LogRecord, LogStatusAnswer, LogStatusRequest
from protocol.messages.log_records import DeliveredData, ProgramChangedData, data_of
from protocol.messages.operations import operation_of
from protocol.messages.read import StatusAnswer, StatusRequest

if TYPE_CHECKING:
    from emulator.control.client import ControlClient
    from emulator.programmer.link import SerialLink

START_PATIENCE_S = 10.0
STOP_PATIENCE_S = 5.0
BOOK_PATIENCE_S = 1.0
ANSWER_TIMEOUT_US = 150_000
LOST_ANSWERS = 4
"""The first answer and those to the three retries."""
US_PER_DAY = 86_400 * US_PER_S
DAYS = 30
CHART_ROWS = 5
FIRST_BOLUS_NL, SECOND_BOLUS_NL = 50_000, 40_000
EXAMPLE = "simple-continuous"
HOST_ID = 0xDE

NEXT = """\
What to try next (in a checkout the command is ./scripts/vpump):
  vpump serve --trace --control unix:/tmp/vpump.sock   a pump of your own, and every frame that it sees
  vpump interrogate                                    in a second terminal: what a programmer shows
  vpump program --example two-drugs > my.toml          a program to change and to commit: vpump program my.toml
  vpump bolus 50uL --over 10min                        a dose; run it again, nothing is given twice
  vpump control fault 'drop answer BOLUS_EXECUTE'      lose the next answer, as just now
  vpump control advance 30d                            a month in a moment
"""


@dataclass
class _Narrator:
    """Tells what is done and what the pump answered: a line each for people, a document each with --json."""

    steps: int = 0
    as_json: bool = field(default_factory=json_requested)

    def tell(self, done: str, answer: str, **facts: Any) -> None:
        """One step."""
        self.steps += 1
        if self.as_json:
            click.echo(json.dumps({"step": self.steps, "done": done, "answer": answer, **facts}))
        else:
            click.echo(f"{self.steps:2}. {done}\n    {answer}")

    def show(self, lines: Sequence[str]) -> None:
        """Something to look at; only for people."""
        if not self.as_json:
            for line in lines:
                click.echo(f"    {line}")


@dataclass
class _Stage:
    """The pump of the tour, and the programmer's tools for it."""

    ready: dict[str, Any]
    link: SerialLink
    control: ControlClient
    host: Host
    hands: LineHands


@click.command(
    epilog="""\b
Example:
  vpump demo            about ten steps, a few seconds; exit status 0
  vpump demo --json     one document for each step
"""
)
@json_option
def demo() -> None:
    """The tour: a pump on a virtual serial port, driven through it by the reference programmer."""
    narrator = _Narrator()
    with tempfile.TemporaryDirectory(prefix="vpump-demo-") as folder, failures(), _stage(Path(folder)) as stage:
        for step in _STEPS:
            step(stage, narrator)
    if not narrator.as_json:
        click.echo("\n" + NEXT, nl=False)


def _open_session(stage: _Stage, narrator: _Narrator) -> None:
    port = stage.ready["ports"][0]["url"]
    hello = stage.link.hello
    narrator.tell(
        f"vpump serve has put a pump on the virtual serial port {port}; say HELLO to whoever is there.",
        f"model {hello.model}, serial number {hello.serial_number:08X}, protocol {hello.major}.{hello.minor}; "
        "an emulator with TEST KEYS, which are published: it protects nobody.",
        serial_number=f"{hello.serial_number:08X}",
        port=port,
    )
    narrator.tell(
        "Open a session as clinician: OPEN and AUTH, and each end shows the other that it holds the key.",
        f"session {stage.link.session_id:04X}; from here on every frame is sealed, and a copy or a changed bit is no "
        "frame.",
        role=stage.host.role.name.lower(),
        session_id=stage.link.session_id,
    )


def _interrogate(stage: _Stage, narrator: _Narrator) -> None:
    status = _status(stage)
    narrator.tell(
        "Interrogate: STATUS.",
        f"therapy {status.run_state.name.lower()} at {format_rate(status.base_rate_nl_per_day)}, "
        f"{format_volume_nl(status.reservoir_nl)} in the reservoir, {status.alarms_raised} alarms.",
        reservoir_nl=status.reservoir_nl,
    )


def _set_program(stage: _Stage, narrator: _Narrator) -> None:
    text = (resources.files("emulator") / "programs" / f"{EXAMPLE}.toml").read_bytes()
    staged = run(prepare_program(stage.host, read_program_file(EXAMPLE, text)), stage.hands)
    if not isinstance(staged, Staged):
        raise ExpectationFailed("the tour expected that the example is another program than the pump's.")
    narrator.tell(
        f"Stage a program, the shipped example {EXAMPLE!r}; the pump says what would really run.",
        "old and new, side by side:",
        old=f"{staged.old.crc32:08X}",
        new=f"{staged.new.crc32:08X}",
    )
    narrator.show(side_by_side(staged))
    report = run(commit_program(stage.host, staged), stage.hands)
    run(require_active(staged.new), stage.hands)
    run(close(stage.host, report), stage.hands)
    narrator.tell(
        "Commit it, and read it back: one step in the pump's memory, the old program or the new one, never a mix.",
        f"program {staged.new.crc32:08X} is active (operation {report.intention.op_id}).",
        op_id=report.intention.op_id,
        program=f"{staged.new.crc32:08X}",
    )


def _give_bolus(stage: _Stage, narrator: _Narrator) -> None:
    report = _bolus(stage, FIRST_BOLUS_NL)
    _expect(isinstance(report.outcome, Taken), "the first bolus is taken")
    narrator.tell(
        f"Give a bolus of {format_volume_nl(FIRST_BOLUS_NL)}: the intention goes to the disk, then PREPARE, EXECUTE.",
        f"{taken_text(report)}.",
        op_id=report.intention.op_id,
    )
    stage.control.advance(10 * 60 * US_PER_S)
    entry = _entry(stage, report.intention.op_id)
    narrator.tell(
        "Ten minutes later (the tester's control plane moves time): what became of it?",
        f"the pump's ledger: operation {entry.op_id} {entry.state}, {format_volume_nl(entry.max_nl)} delivered.",
        state=entry.state,
        delivered_nl=entry.max_nl,
    )
    _expect(entry.state == "done" and entry.max_nl == FIRST_BOLUS_NL, "the first bolus is done")


def _lose_an_answer(stage: _Stage, narrator: _Narrator) -> None:
    fault = f"drop answer BOLUS_EXECUTE count={LOST_ANSWERS}"
    stage.control.arm_fault(fault)
    narrator.tell(
        f"Now lose an answer on purpose: vpump control fault '{fault}'.",
        "armed: the pump will hear the next command and every retry; the programmer will hear nothing.",
        fault=fault,
    )
    report = _bolus(stage, SECOND_BOLUS_NL)
    _expect(report.answer is None, "no answer to the second bolus arrives")
    _expect(isinstance(report.outcome, Taken) and report.outcome.state == OpState.EXECUTING, "the ledger knows it")
    narrator.tell(
        f"Give another bolus of {format_volume_nl(SECOND_BOLUS_NL)}. No answer, four times. Was it given? "
        "A bad programmer gives it again.",
        f"ours asks the ledger and sends nothing again; {taken_text(report)}.",
        op_id=report.intention.op_id,
    )
    stage.control.advance(10 * 60 * US_PER_S)
    opcode = operation_of(BolusExecuteRequest).opcode
    boluses = [entry for entry in run(read_op_list(stage.host), stage.hands).entries if entry.opcode == opcode]
    given_nl = sum(entry.max_nl for entry in boluses)
    narrator.tell(
        "Ten minutes later: how often was it given?",
        f"once: {len(boluses)} boluses in the ledger, {format_volume_nl(given_nl)} in all.",
        boluses=len(boluses),
        delivered_nl=given_nl,
    )
    _expect(given_nl == FIRST_BOLUS_NL + SECOND_BOLUS_NL, "each bolus was given once")


def _pass_weeks(stage: _Stage, narrator: _Narrator) -> None:
    began = time.monotonic()
    levels = [_true_reservoir_nl(stage)]
    for _ in range(DAYS):
        stage.control.advance(US_PER_DAY)
        levels.append(_true_reservoir_nl(stage))
    took_ms = round((time.monotonic() - began) * 1000)
    full = max(levels)
    narrator.tell(
        f"Let {DAYS} days pass.",
        f"{DAYS} days of infusion in {took_ms} ms; the reservoir, day by day:",
        reservoir_nl=levels,
    )
    chart = level_chart([level for level in levels for _ in range(2)], full, CHART_ROWS)
    labels = [format_volume_nl(full)] + [""] * (CHART_ROWS - 2) + ["0 mL"]
    width = max(len(label) for label in labels)
    narrator.show([f"{label:>{width}} ┤{line}" for label, line in zip(labels, chart, strict=True)])
    narrator.show([f"{'':>{width}} └{'─' * 2 * len(levels)} day {DAYS}"])


def _see_to_alarm(stage: _Stage, narrator: _Narrator) -> None:
    request = AlarmListRequest(from_instance=0)
    alarms = run(read(request, AlarmListAnswer), stage.hands).alarms
    _expect(len(alarms) == 1, "one alarm was raised")
    alarm = alarms[0]
    narrator.tell(
        "Any alarms?",
        f"alarm {alarm.instance}: {alarm.type.name.lower().replace('_', ' ')}, {alarm.state.name.lower()} after "
        f"{format_duration_us(alarm.elapsed_s // 3600 * 3600 * US_PER_S)} at {format_volume_nl(alarm.reservoir_nl)}.",
        type=alarm.type.name.lower(),
        elapsed_s=alarm.elapsed_s,
    )
    answer = run(read(AlarmAckRequest(instance=alarm.instance), AlarmAckAnswer), stage.hands)
    narrator.tell(
        "A person has seen it: acknowledge.",
        f"alarm {answer.instance}: {answer.state.name.lower()}; its cause stays until the pump is refilled.",
        state=answer.state.name.lower(),
    )


def _read_log(stage: _Stage, narrator: _Narrator) -> None:
    extent = run(read(LogStatusRequest(), LogStatusAnswer), stage.hands)
    records: list[LogRecord] = []
    sequence = extent.first
    while sequence <= extent.last:
        page, sequence = run(read_log_page(extent.epoch, sequence), stage.hands)
        records += page
    narrator.tell(
        "Read the event log: what the pump says of all this.",
        f"{len(records)} records, none missing:",
        records=[record_type_name(record) for record in records],
    )
    narrator.show(_record_lines(records))
    _expect([record.sequence for record in records] == list(range(1, extent.last + 1)), "the log has no gap")


_STEPS = (
    _open_session,
    _interrogate,
    _set_program,
    _give_bolus,
    _lose_an_answer,
    _pass_weeks,
    _see_to_alarm,
    _read_log,
)


def _record_lines(records: Sequence[LogRecord]) -> list[str]:
    """A line for each record; of days that are like the one before, how many there are."""
    lines: list[str] = []
    for given_nl, group in itertools.groupby(records, _given_in_a_day_nl):
        alike = list(group)
        shown = alike if given_nl is None else alike[:1]
        lines += [_record_line(record) for record in shown]
        left = len(alike) - len(shown)
        if left:
            lines.append(f"         {left} more {'day' if left == 1 else 'days'} like it")
    return lines


def _given_in_a_day_nl(record: LogRecord) -> int | None:
    detail = data_of(record)
    return detail.volume_nl if isinstance(detail, DeliveredData) else None


def _record_line(record: LogRecord) -> str:
    words = f"{record_type_name(record).replace('_', ' ')}"
    detail = data_of(record)
    if isinstance(detail, ProgramChangedData):
        words += f", {format_rate(detail.rate_nl_per_day)}"
    for name in ("volume_nl", "delivered_max_nl", "reservoir_nl"):
        if hasattr(detail, name):
            words += f", {format_volume_nl(getattr(detail, name))}"
    operation = f" (operation {record.op_id})" if record.op_id else ""
    return f"{record.sequence:3}  day {record.elapsed_s // 86_400:2}  {words}{operation}"


def _bolus(stage: _Stage, volume_nl: int) -> Report:
    order = BolusOrder(BolusKind.SINGLE, volume_nl, None)
    report = run(deliver_bolus(stage.host, order), stage.hands)
    run(close(stage.host, report), stage.hands)
    return report


def _entry(stage: _Stage, op_id: int) -> Any:
    return next(entry for entry in run(read_op_list(stage.host), stage.hands).entries if entry.op_id == op_id)


def _true_reservoir_nl(stage: _Stage) -> int:
    return stage.control.truth()["reservoir_nl"]


def _status(stage: _Stage) -> StatusAnswer:
    return run(read(StatusRequest(), StatusAnswer), stage.hands)


def _expect(truth: bool, what: str) -> None:
    if not truth:
        raise ExpectationFailed(f"the tour expected that {what}, and it is not so.")


class _QuietHands(LineHands):
    """The tour tells itself what happens."""

    def tell(self, sentence: str) -> None:
        """See Hands."""


@contextlib.contextmanager
def _stage(folder: Path) -> Iterator[_Stage]:
    """Start the pump in a process of its own, hidden from `vpump ls`, and reach it through its ports."""
    from emulator.control.client import ControlClient, ControlError, ControlUnreachable
    from emulator.programmer.link import SerialLink

    socket = folder / "control.sock"
    arguments = ["serve", "--json", "--speed", "0", "--control", f"unix:{socket}"]
    environment = {**os.environ, "VPUMP_RUNTIME_DIR": str(folder / "running")}
    process = subprocess.Popen(  # noqa: S603 - this very program, with arguments of our own
        [sys.executable, "-m", "emulator", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        ready = _ready(process)
        control = ControlClient(ready["control"])
        port = ready["ports"][0]["url"]
        with (
            SerialLink(port, ANSWER_TIMEOUT_US) as link,
            open_book(RealDisk(), folder / "book", link.hello.serial_number, BOOK_PATIENCE_S) as book_file,
        ):
            key = test_keys(link.hello.serial_number).of_role[Role.CLINICIAN]
            link.open_session(Role.CLINICIAN, key, HOST_ID)
            host = Host(book_file.book, link.role, link.host_id)
            yield _Stage(ready, link, control, host, _QuietHands(link, book_file))
    except (ControlError, ControlUnreachable) as error:
        raise LinkFailure(f"the control plane of the tour's pump failed: {error}.") from error
    finally:
        _end(process)


def _ready(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The ready line of a pump that has just been started."""
    line = b""
    if process.stdout is not None and select.select([process.stdout], [], [], START_PATIENCE_S)[0]:
        line = process.stdout.readline()
    if not line:
        raise LinkFailure("the pump of the tour did not start.")
    ready: dict[str, Any] = json.loads(line)
    return ready


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the pump, one way or the other."""
    process.terminate()
    try:
        process.communicate(timeout=STOP_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
