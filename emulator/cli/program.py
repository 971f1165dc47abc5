"""`vpump program`: a program out of a file, shown beside the one that runs, and committed once."""

from __future__ import annotations

import contextlib
import json
import select
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

import click

from emulator.cli.connection import LineHands, Target, leave_with, open_link, pump_at_work, talks_to_pump
from emulator.cli.errors import (
    CommandFailure,
    ExpectationFailed,
    OutcomeUnknown,
    Refused,
    UsageFailure,
    json_requested,
    say,
)
from emulator.cli.program_refusals import commit_failure, field_failure
from emulator.cli.program_view import program_document, side_by_side, staged_document
from emulator.cli.quantities import US_PER_S
from emulator.cli.standstill import refuse_a_dry_run_that_stops, standstill_told
from emulator.cli.therapy import document_of_report, failure_of, first_outcome, nothing_lost
from emulator.cli.wording import in_peoples_units
from emulator.programmer.effects import NoPump, PumpRefused, read, run
from emulator.programmer.ledger import Host
from emulator.programmer.link import LinkError
from emulator.programmer.program_file import ProgramFile, ProgramFileError, load_program_file
from emulator.programmer.program_image import Program
from emulator.programmer.program_text import program_text
from emulator.programmer.programming import (
    Earlier,
    NotActive,
    Prepared,
    ProgramRefused,
    Staged,
    StageDiffers,
    StageGone,
    Unchanged,
    abort_stage,
    command_of,
    commit_program,
    prepare_program,
    read_program,
    require_active,
)
from emulator.programmer.rules import Report, close
from emulator.programmer.session import KEEPALIVE_INTERVAL_US
from protocol.messages.deliver import OP_ID_MAX
from protocol.messages.link import CapsAnswer, CapsRequest

_PROGRAMS: Final = resources.files("emulator") / "programs"
EXAMPLE_NAMES: Final = tuple(
    sorted(file.name.removesuffix(".toml") for file in _PROGRAMS.iterdir() if file.name.endswith(".toml"))
)
_NOTHING_STAGED: Final[Mapping[str, object]] = {"changed": [], "summary": None, "warnings": []}
_QUESTION: Final = "Commit this program? [y/N] "

_HELP = f"""
\b
Examples:
  vpump program --example simple-continuous > my.toml
  vpump program my.toml             show old and new, ask, commit
  vpump program my.toml --yes       without the question
  vpump program my.toml --dry-run   only show
  vpump program --show > now.toml   the pump's program as a file

\b
Shipped examples: {", ".join(EXAMPLE_NAMES)}.
What a file does not say stays as it is in the pump; docs/programs.md has every field.

\b
Exit status: 0 committed, or the pump has this program already; 1 the pump refused, or you said
no; 2 wrong usage or file; 3 no pump; 4 another program is active than was committed; 6 unknown.
"""


@click.command(epilog=_HELP)
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Commit without asking.")
@click.option("--dry-run", is_flag=True, help="Stage it, show it, give it up again.")
@click.option("--show", is_flag=True, help="Print the pump's program as a file.")
@click.option("--example", metavar="NAME", type=click.Choice(EXAMPLE_NAMES), help="Print a shipped example.")
@click.option(
    "--op-id",
    type=click.IntRange(1, OP_ID_MAX),
    metavar="N",
    help="The number of this intention: the same number again never does it twice.",
)
@talks_to_pump(role="clinician")
def program(
    target: Target,
    path: Path | None,
    yes: bool,
    dry_run: bool,
    show: bool,
    example: str | None,
    op_id: int | None,
) -> None:
    """Set the pump's program: FILE is staged, shown beside the old one, and committed."""
    if (path is not None) + show + (example is not None) != 1:
        raise UsageFailure("name a program FILE, or ask for --show or --example NAME. (See vpump program --help.)")
    if path is None and (yes or dry_run or op_id is not None):
        raise UsageFailure("--yes, --dry-run and --op-id go with a program FILE.")
    if yes and dry_run:
        raise UsageFailure("--yes and --dry-run exclude each other.")
    if example is not None:
        _print_example(example)
    elif path is None:
        _show_active(target)
    else:
        _program(target, _loaded(path), op_id, yes=yes, dry_run=dry_run)


def _print_example(name: str) -> None:
    text = (_PROGRAMS / f"{name}.toml").read_text(encoding="utf-8")
    if json_requested():
        click.echo(json.dumps({"name": name, "text": text}))
    else:
        click.echo(text, nl=False)


def _show_active(target: Target) -> None:
    if not target.role_chosen:
        target = replace(target, role="reader")
    with open_link(target) as link:
        hands = LineHands(link)
        caps = run(read(CapsRequest(), CapsAnswer), hands)
        active = run(read_program(), hands)
    if json_requested():
        click.echo(json.dumps(program_document(active, caps)))
    else:
        click.echo(f"# Program {active.crc32:08X} of pump {link.hello.serial_number:08X}.\n")
        click.echo(program_text(active), nl=False)


def _loaded(path: Path) -> ProgramFile:
    try:
        return load_program_file(path)
    except ProgramFileError as error:
        raise UsageFailure(str(error)) from error


def _program(target: Target, file: ProgramFile, op_id: int | None, *, yes: bool, dry_run: bool) -> None:
    with pump_at_work(target) as (host, hands), nothing_lost(host), standstill_told(hands):
        if dry_run:
            refuse_a_dry_run_that_stops(hands)
        prepared = _prepared(host, hands, file, op_id, settling=not dry_run)
        match prepared:
            case Earlier():
                _tell_earlier(host, hands, prepared)
            case Unchanged(program=active, caps=caps):
                same = program_document(active, caps)
                _say_or_document(
                    f"the pump has this program already ({active.crc32:08X}), so nothing was committed.",
                    {"outcome": "unchanged", "old": same, "new": same, **_NOTHING_STAGED, "op": None},
                )
            case Staged():
                _decide(host, hands, file, prepared, op_id, yes=yes, dry_run=dry_run)


def _prepared(host: Host, hands: LineHands, file: ProgramFile, op_id: int | None, *, settling: bool) -> Prepared:
    try:
        if not settling:
            return run(prepare_program(host, file, op_id, settling=False), hands)
        return first_outcome(host, hands, lambda host: prepare_program(host, file, op_id))
    except ProgramFileError as error:
        raise UsageFailure(str(error)) from error
    except ProgramRefused as refused:
        of_a_field = field_failure(refused.nak, refused.program, file)
        if of_a_field is None:
            raise
        raise of_a_field from refused
    except StageDiffers as differs:
        raise ExpectationFailed(
            f"the pump staged another program ({differs}) than the one that was written; nothing was changed.",
            {"error": "another program was staged", "code": "stage_differs"},
        ) from differs


def _decide(
    host: Host, hands: LineHands, file: ProgramFile, staged: Staged, op_id: int | None, *, yes: bool, dry_run: bool
) -> None:
    """Show both programs; then commit the new one, or give it up."""
    document = staged_document(staged)
    with _given_up_unless_meant(hands, staged):
        # In JSON, standard output is for the document alone.
        click.echo("\n".join(side_by_side(staged)), err=json_requested())
        if dry_run:
            run(abort_stage(staged.stage_id), hands)
        elif not (yes or _says_yes(hands, stands_still=bool(staged.caps.stops_while_programming))):
            kept = "the old program stays." if staged.caps.stops_while_programming else "nothing was changed."
            raise Refused(kept, code="declined")
    if dry_run:
        _say_or_document("this was a dry run: nothing was changed.", {"outcome": "dry_run", **document, "op": None})
        return
    try:
        report = first_outcome(host, hands, lambda host: commit_program(host, staged, op_id))
    except StageGone as gone:
        raise Refused(f"{gone}; nothing was changed, so run the command again.", code="nothing_staged") from gone
    failure = commit_failure(report, staged, file) or _other_program(hands, report, staged.new)
    told = f"operation {report.intention.op_id}: program {staged.new.crc32:08X} is active."
    _end(host, hands, report, failure, told, {"outcome": "committed", **document, "op": document_of_report(report)})


def _tell_earlier(host: Host, hands: LineHands, earlier: Earlier) -> None:
    """Report what an earlier run began, as if this one had."""
    report = earlier.report
    say(f"continued operation {report.intention.op_id}, which an earlier run began; nothing new was begun.")
    op = document_of_report(report)
    told = f"operation {report.intention.op_id}: {in_peoples_units(report.intention.command)} was committed"
    if report.intention.command == command_of(earlier.active):
        told += ", and is active."
    else:
        told += f"; the pump has program {earlier.active.crc32:08X} now."
    document = {"outcome": "earlier", "old": None, "new": program_document(earlier.active, earlier.caps)}
    _end(host, hands, report, failure_of(report), told, {**document, **_NOTHING_STAGED, "op": op})


def _other_program(hands: LineHands, report: Report, wanted: Program) -> CommandFailure | None:
    """Whether the pump has the program that it took, by reading it back."""
    op_id = report.intention.op_id
    try:
        run(require_active(wanted), hands)
    except NotActive as other:
        return ExpectationFailed(
            f"operation {op_id} was taken, but the pump now has program {other.active.crc32:08X} and not "
            f"{wanted.crc32:08X}; 'vpump program --show' prints it, and 'vpump log' says what happened.",
            {"error": "another program is active", "code": "not_active", "op_id": op_id},
        )
    except (NoPump, PumpRefused, LinkError) as error:
        raise OutcomeUnknown(
            f"operation {op_id} was taken, but that its program is active could not be read back, as {_why(error)}; "
            "run the command again to see it.",
            op_id=op_id,
        ) from error
    return None


def _end(
    host: Host,
    hands: LineHands,
    report: Report,
    failure: CommandFailure | None,
    told: str,
    document: dict[str, Any],
) -> None:
    """Tell the outcome, and only then close the intention in the book."""
    if failure is not None:
        failure.show()
    else:
        _say_or_document(told, document)
    sys.stdout.flush()
    run(close(host, report), hands)
    if failure is not None:
        leave_with(failure)


def _why(error: Exception) -> str:
    return f"the pump refused to say more ({error})" if isinstance(error, PumpRefused) else str(error).rstrip(".")


def _say_or_document(sentence: str, document: dict[str, Any]) -> None:
    click.echo(json.dumps(document) if json_requested() else sentence)


def somebody_is_there() -> bool:
    """Whether a question can be answered."""
    return sys.stdin is not None and sys.stdin.isatty()


def answer_comes_within(seconds: float) -> bool:
    """Whether something can be read from standard input by then; True where only reading itself can wait for it."""
    try:
        return bool(select.select([sys.stdin], [], [], seconds)[0])
    except (OSError, ValueError):
        return True


def _says_yes(hands: LineHands, *, stands_still: bool) -> bool:
    if not somebody_is_there():
        raise EOFError
    if stands_still:
        say("therapy stands still until this program is committed.")
    click.echo(_QUESTION, nl=False, err=True)
    try:
        # Who reads carefully takes longer than a silent session lives, and the stage would die with it.
        while not answer_comes_within(KEEPALIVE_INTERVAL_US / US_PER_S):
            hands.keep_alive()
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        click.echo(err=True)
        raise
    if not answer:
        raise EOFError
    return answer.strip().lower() in ("y", "yes")


@contextlib.contextmanager
def _given_up_unless_meant(hands: LineHands, staged: Staged) -> Iterator[None]:
    """A person who says no, leaves, or is not there, leaves no stage behind if that can be helped."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        with contextlib.suppress(Exception):
            run(abort_stage(staged.stage_id), hands)
        raise
