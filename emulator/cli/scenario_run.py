"""`vpump scenario run`: scenarios, their verdicts as they come, and the evidence of them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import (
    CommandFailure,
    ExpectationFailed,
    Interrupted,
    LinkFailure,
    OutOfTime,
    UsageFailure,
    json_requested,
    say,
)
from emulator.pacing import SpeedError, parse_speed
from emulator.ports.port import PortError
from emulator.ports.spec import PortSpecError, parse_port
from emulator.quantities import format_duration_us
from emulator.scenario.batch import Job, perform_all, scenario_of
from emulator.scenario.command import ProgrammerNotStarted, asks_for
from emulator.scenario.evidence import EvidenceFailed
from emulator.scenario.junit import junit_xml
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import ScenarioFileError, shipped_scenarios
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import FLAWS, sample_named
from emulator.scenario.verdict import Outcome, Verdict

WIDTH: Final = 100
MOST_JOBS: Final = 64
NAIVE: Final = "naive"
ALL: Final = "all"
NOT_REPRODUCIBLE: Final = "Time went by the wall clock: another run may come to something else."

_COMMAND: Final = "emulator.cli.scenario.command"
_SEPARATOR: Final = "--"

# Of several that did not pass, the first of these that there is gives the exit status.
_ENDS: Final[tuple[tuple[Outcome, type[CommandFailure]], ...]] = (
    (Outcome.NOT_RUN, UsageFailure),
    (Outcome.FAILED, ExpectationFailed),
    (Outcome.HUNG, LinkFailure),
    (Outcome.OUT_OF_TIME, OutOfTime),
    (Outcome.NOT_JUDGED, UsageFailure),
)

_EPILOG: Final = """
\b
Behind -- stands the programmer's command, that is run for every task; in its words are replaced
  {port}      the port of the pump, as pyserial opens it
  {task}      what it is to do, such as: bolus 100uL over 10min
  {report}    a file for its report, a JSON object; or it is the last line that it prints
  {programs}  a directory with the programs that its tasks name
  {control}   a control plane, for a programmer that moves time itself, or looks at what is so
  {clock}     the lockstep clock, for a programmer that lets virtual time pass by itself
  {scenario}  the name of the scenario

\b
Examples:
  vpump scenario run all --jobs 2 --junit scenarios.xml --out evidence
  vpump scenario run lost-answer-to-bolus --sample naive
  vpump scenario run lost-answer-to-bolus -- ./my-programmer --port {port} {task}

\b
Exit status: 0 all passed, 4 an expectation failed, 5 out of simulated time, 3 the programmer hung,
2 a file or the programmer's command is wrong, or nothing could be judged,
130 interrupted (what was finished is told and written).
"""


class _WithCommand(click.Command):
    """A command with another one behind `--`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Take the other command away before click sees it."""
        if _SEPARATOR in args:
            place = args.index(_SEPARATOR)
            context.meta[_COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(context, args)


@click.command("run", cls=_WithCommand, epilog=_EPILOG, options_metavar="[OPTIONS]")
@click.argument("files", nargs=-1, required=True, metavar="FILE|NAME|all... [-- PROGRAMMER...]")
@click.option("--sample", metavar="good|naive|FLAW", help="The sample programmer that is run when there is no other.")
@click.option(
    "--listen", "port", default="pty", show_default=True, metavar="SPEC", help="Where the line is: pty, tcp:HOST:PORT."
)
@click.option("--seed", type=click.IntRange(0, 0xFFFF_FFFF), help="Another seed than that of the file.")
@click.option(
    "--speed",
    metavar="S",
    help="So many virtual seconds pass in one while a programmer behind -- is at a task, instead of lockstep.",
)
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), default=1, show_default=True, help="How many at once.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML there.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write journal, capture and verdict there, a directory for each scenario.",
)
@json_option
@click.pass_context
def run(
    context: click.Context,
    files: Sequence[str],
    sample: str | None,
    port: str,
    seed: int | None,
    speed: str | None,
    jobs: int,
    junit: Path | None,
    out: Path | None,
) -> None:
    """Run scenarios and judge what the programmer makes of them; without one, the good sample programmer."""
    command: tuple[str, ...] | None = context.meta.get(_COMMAND)
    if command == ():
        raise UsageFailure("behind -- stands the programmer's command, and there is none.")
    if command is not None and sample is not None:
        raise UsageFailure("--sample and a programmer behind -- exclude each other.")
    names = [name for file in files for name in (shipped_scenarios() if file == ALL else (file,))]
    pace = None if speed is None else _speed(speed, command)
    given = Job("", sample or GOOD.name, command or (), port, seed, pace)
    orders, scenarios = _checked(names, given, out)
    if junit is not None:
        # What cannot be written is said before anything is run.
        _write(junit, b"")
    verdicts: dict[int, Verdict] = {}
    ended_early: CommandFailure | None = None
    try:
        _perform(orders, jobs, verdicts)
    except KeyboardInterrupt:
        ended_early = Interrupted(f"interrupted: {len(verdicts)} of {len(orders)} scenarios were finished.")
    except CommandFailure as failure:
        ended_early = failure
    finished = [verdicts[place] for place in sorted(verdicts)]
    _tell([(scenarios[place], verdicts[place]) for place in sorted(verdicts)])
    if junit is not None:
        _write(junit, junit_xml(finished))
    if ended_early is not None:
        raise ended_early
    _end(finished)


def _speed(text: str, command: tuple[str, ...] | None) -> Fraction:
    """How fast time goes for a programmer that can be told so."""
    try:
        speed = parse_speed(text)
    except SpeedError as error:
        raise UsageFailure(f"--speed: {error}") from None
    if command is None:
        raise UsageFailure("--speed is for a programmer behind --; a sample programmer has no wall clock.")
    if asks_for(command, "clock"):
        raise UsageFailure("--speed and {clock} exclude each other: by that clock, time goes in lockstep.")
    return speed


def _checked(names: Sequence[str], given: Job, out: Path | None) -> tuple[list[Job], list[Scenario]]:
    """What is to be run, each as `given`; all of it is read and checked before anything is."""
    orders: list[Job] = []
    scenarios: list[Scenario] = []
    try:
        parse_port(given.port)
        for name in names:
            scenario = scenario_of(Job(name))
            if scenario.name in {each.name for each in scenarios} and out is not None:
                raise UsageFailure(f"--out: two scenarios are called {scenario.name}, and would share a directory.")
            wanted = scenario.flaw if given.sample == NAIVE else given.sample
            if not given.command and sample_named(wanted) is None:
                raise UsageFailure(_no_sample(scenario, wanted))
            folder = None if out is None else out / scenario.name
            orders.append(replace(given, file=name, sample=wanted, folder=folder))
            scenarios.append(scenario)
    except (ScenarioFileError, PortSpecError) as error:
        raise UsageFailure(str(error)) from None
    return orders, scenarios


def _no_sample(scenario: Scenario, wanted: str) -> str:
    allowed = ", ".join((GOOD.name, NAIVE, *FLAWS))
    if not wanted:
        return f"scenario {scenario.name} names no flaw of a naive programmer; allowed are {allowed}."
    return f"there is no sample programmer {wanted!r}; allowed are {allowed}."


def _perform(orders: Sequence[Job], jobs: int, verdicts: dict[int, Verdict]) -> None:
    """Run them, and tell each on stderr as it is finished."""

    def done(place: int, verdict: Verdict) -> None:
        verdicts[place] = verdict
        if len(orders) > 1:
            say(f"[{len(verdicts)}/{len(orders)}] {verdict.scenario}: {verdict.outcome.value}")

    try:
        perform_all(orders, jobs, done)
    except (ScenarioFileError, EvidenceFailed, ProgrammerNotStarted) as error:
        raise UsageFailure(str(error)) from None
    except PortError as error:
        raise LinkFailure(str(error)) from None
    except BrokenProcessPool:
        raise LinkFailure("a process of ours was ended from outside; run fewer at once with --jobs.") from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise UsageFailure(f"--junit: {path} cannot be written: {error.strerror}.") from None


def _tell(verdicts: Sequence[tuple[Scenario, Verdict]]) -> None:
    if json_requested():
        document: dict[str, Any] = {"verdicts": [verdict.as_json() for _, verdict in verdicts]}
        click.echo(json.dumps(document))
        return
    for scenario, verdict in verdicts:
        click.echo("\n".join(told(scenario, verdict)))


def told(scenario: Scenario, verdict: Verdict) -> list[str]:
    """A verdict for people; of one that failed with the reason, and what a good programmer does."""
    elapsed = format_duration_us(verdict.ended_us - verdict.began_us)
    lines = [f"{verdict.outcome.value}: {scenario.name} ({elapsed} of virtual time)"]
    if not verdict.reproducible:
        lines.append(f"    {NOT_REPRODUCIBLE}")
    if verdict.reason:
        lines.append(f"    {verdict.reason}")
    for failed in verdict.failures:
        lines.append(f"    {failed.name}: {failed.described} is {failed.shown}, and had to be {failed.limit}")
        lines.append(f"        for {failed.why}")
    for unjudged in verdict.not_judged:
        lines.append(f"    {unjudged.name}: not judged, for {unjudged.reason}")
    if verdict.failures and scenario.good:
        good = f"A good programmer: {scenario.good}"
        lines += textwrap.wrap(good, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _end(verdicts: Sequence[Verdict]) -> None:
    not_judged = sum(len(verdict.not_judged) for verdict in verdicts)
    beside = f" {not_judged} expectations could not be judged." if not_judged else ""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if not failed:
        say(f"{len(verdicts)} of {len(verdicts)} passed.{beside}")
        return
    names = ", ".join(verdict.scenario for verdict in failed)
    outcomes = {verdict.outcome for verdict in failed}
    failure = next(failure for outcome, failure in _ENDS if outcome in outcomes)
    raise failure(f"{len(failed)} of {len(verdicts)} did not pass: {names}.{beside}")
