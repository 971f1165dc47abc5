"""`vpump scenario`: run, list, show and check scenarios."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from typing import Final

import click

from emulator.assembly import DEFAULT_SERIAL_NUMBER, build_device
from emulator.cli.connection import json_option
from emulator.cli.errors import ExpectationFailed, LinkFailure, OutOfTime, UsageFailure, json_requested, say
from emulator.cli.wording import aligned
from emulator.programmer.book import state_directory
from emulator.programmer.link import LinkError
from emulator.quantities import format_duration_us
from emulator.scenario.expectations import limit_text
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import ScenarioFileError, load_scenario, shipped_scenarios
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import FLAWS, sample_named
from emulator.scenario.samples.sample import Sample
from emulator.scenario.tasks import TaskError, read_task
from emulator.scenario.verdict import Outcome, Verdict
from emulator.scenario.virtual import run_virtual
from emulator.wire import Names

_EXAMPLES: Final = """
\b
Examples:
  vpump scenario list
  vpump scenario run lost-answer-to-bolus
  vpump scenario run lost-answer-to-bolus --sample naive
  vpump scenario check my-scenario.toml
"""
_WIDTH: Final = 100


@click.group(epilog=_EXAMPLES)
def scenario() -> None:
    """The ways in which programmer software has hurt people, staged: a pump, what goes wrong, and what must be true."""


@scenario.command("list")
@json_option
def list_scenarios() -> None:
    """The scenarios that come with the product."""
    found = [load_scenario(name, _fault_names()) for name in shipped_scenarios()]
    if json_requested():
        rows = [{"name": each.name, "kind": each.kind, "number": each.number, "title": each.title} for each in found]
        click.echo(json.dumps({"scenarios": rows}))
        return
    click.echo("\n".join(aligned([(each.name, each.kind, each.title) for each in found])))


@scenario.command("show")
@click.argument("name")
def show_scenario(name: str) -> None:
    """What a scenario stages, what a good programmer does, and what must be true."""
    (found,) = _load_all([name])
    click.echo("\n".join(_page(found)))


@scenario.command("check")
@click.argument("files", nargs=-1, required=True)
def check_scenarios(files: Sequence[str]) -> None:
    """Check scenario files without running anything."""
    for found in _load_all(files):
        click.echo(f"{found.name}: {len(found.steps)} steps, {len(found.expectations)} expectations")


@scenario.command("run")
@click.argument("files", nargs=-1, required=True, metavar="FILE|NAME...")
@click.option("--sample", default="good", metavar="good|naive|FLAW", help="The sample programmer that is run.")
@json_option
def run_scenarios(files: Sequence[str], sample: str) -> None:
    """Run scenarios with a sample programmer, in virtual time."""
    scenarios = _load_all(files)
    verdicts = [run_virtual(each, _sample_for(each, sample)) for each in scenarios]
    if json_requested():
        click.echo(json.dumps({"verdicts": [verdict.as_json() for verdict in verdicts]}))
    else:
        for each, verdict in zip(scenarios, verdicts, strict=True):
            click.echo("\n".join(_told(each, verdict)))
    _end(verdicts)


@scenario.command("sample")
@click.argument("name", metavar="good|FLAW")
@click.argument("task")
@click.option("--port", required=True, metavar="URL", help="The port of the pump.")
@click.option("--clock", required=True, metavar="PATH", help="The lockstep clock of the scenario.")
@click.option("--role", type=click.Choice(["reader", "patient", "clinician"]), default="clinician", show_default=True)
def run_sample(name: str, task: str, port: str, clock: str, role: str) -> None:
    """Run a sample programmer as a process of its own, as a scenario starts one; it prints its report."""
    from emulator.scenario.samples.process import NoClock, report_text, run_sample_process

    sample = sample_named(name)
    if sample is None:
        raise UsageFailure(f"there is no sample programmer {name!r}; allowed are {', '.join((GOOD.name, *FLAWS))}.")
    try:
        asked = read_task(task)
    except TaskError as error:
        raise UsageFailure(f"{error}.") from None
    try:
        report = run_sample_process(sample, asked, port, clock, state_directory(os.environ), role)
    except (NoClock, LinkError) as error:
        raise LinkFailure(str(error)) from None
    click.echo(report_text(report))


def _fault_names() -> Names:
    device = build_device("reference-20", seed=0, serial_number=DEFAULT_SERIAL_NUMBER, insecure=True, session_floor=0)
    return device.fault_names


def _load_all(files: Sequence[str]) -> list[Scenario]:
    """All of them, or none: what is wrong with the first is said before anything is run."""
    names = _fault_names()
    try:
        return [load_scenario(file, names) for file in files]
    except ScenarioFileError as error:
        raise UsageFailure(str(error)) from None


def _sample_for(scenario: Scenario, name: str) -> Sample:
    wanted = scenario.flaw if name == "naive" else name
    found = sample_named(wanted)
    if found is None:
        allowed = ", ".join((GOOD.name, "naive", *FLAWS))
        what = f"scenario {scenario.name} names no flaw" if not wanted else f"there is no sample programmer {wanted!r}"
        raise UsageFailure(f"{what}; allowed are {allowed}.")
    return found


def _told(scenario: Scenario, verdict: Verdict) -> list[str]:
    """A verdict for people; of one that failed with the reason, and what a good programmer does."""
    elapsed = format_duration_us(verdict.ended_us - verdict.began_us)
    lines = [f"{verdict.outcome.value:<8} {scenario.name}  ({elapsed} of virtual time)"]
    if verdict.reason:
        lines.append(f"    {verdict.reason}")
    for failed in verdict.failures:
        lines.append(f"    {failed.name}: {failed.subject} is {failed.shown}, and had to be {failed.limit}")
        lines.append(f"        for {failed.why}")
    for unjudged in verdict.not_judged:
        lines.append(f"    {unjudged.name}: not judged, for {unjudged.reason}")
    if verdict.failures and scenario.good:
        lines += textwrap.wrap(
            f"A good programmer: {scenario.good}", _WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    return lines


def _end(verdicts: Sequence[Verdict]) -> None:
    failed = [verdict for verdict in verdicts if not verdict.passed]
    if not failed:
        say(f"{len(verdicts)} passed.")
        return
    names = ", ".join(verdict.scenario for verdict in failed)
    sentence = f"{len(failed)} of {len(verdicts)} did not pass: {names}."
    if any(verdict.outcome is Outcome.NOT_RUN for verdict in failed):
        raise UsageFailure(sentence)
    if all(verdict.outcome is Outcome.OUT_OF_TIME for verdict in failed):
        raise OutOfTime(sentence)
    raise ExpectationFailed(sentence)


def _page(scenario: Scenario) -> list[str]:
    lines = [f"{scenario.name}: {scenario.title}", ""]
    for heading, text in (("", scenario.story), ("Good: ", scenario.good), ("Naive: ", scenario.naive)):
        if text:
            lines += [*textwrap.wrap(heading + text, _WIDTH), ""]
    lines += [f"Source: {source}" for source in scenario.sources]
    lines += ["", "It must be true that"]
    lines += aligned(
        [
            (each.name, each.subject.text, limit_text(each.subject, each.limit), each.why)
            for each in scenario.expectations
        ],
        indent="  ",
    )
    return lines
