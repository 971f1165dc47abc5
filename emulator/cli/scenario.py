"""`vpump scenario`: list, show and check scenarios; run one, or a sample programmer."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import LinkFailure, UsageFailure, json_requested
from emulator.cli.scenario_run import WIDTH, run
from emulator.cli.wording import aligned
from emulator.programmer.book import state_directory
from emulator.programmer.link import LinkError
from emulator.scenario.batch import fault_names
from emulator.scenario.declaration import json_schema
from emulator.scenario.expectations import limit_text
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import ScenarioFileError, load_scenario, shipped_scenarios
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import FLAWS, sample_named
from emulator.scenario.tasks import TaskError, read_task

_EXAMPLES: Final = """
\b
Examples:
  vpump scenario list
  vpump scenario run lost-answer-to-bolus
  vpump scenario run lost-answer-to-bolus --sample naive
  vpump scenario check my-scenario.toml
"""


@click.group(epilog=_EXAMPLES)
def scenario() -> None:
    """The ways in which programmer software has hurt people, staged: a pump, what goes wrong, and what must be true."""


scenario.add_command(run)


@scenario.command("list")
@json_option
def list_scenarios() -> None:
    """The scenarios that come with the product."""
    found = [load_scenario(name, fault_names()) for name in shipped_scenarios()]
    if json_requested():
        rows = [{"name": each.name, "kind": each.kind, "number": each.number, "title": each.title} for each in found]
        click.echo(json.dumps({"scenarios": rows}))
        return
    click.echo("\n".join(aligned([(each.name, each.kind, each.title) for each in found])))


@scenario.command("show")
@click.argument("name")
def show_scenario(name: str) -> None:
    """What a scenario stages, what a good programmer does, and what must be true."""
    (found,) = load_all([name])
    click.echo("\n".join(_page(found)))


@scenario.command("check")
@click.argument("files", nargs=-1, required=True)
def check_scenarios(files: Sequence[str]) -> None:
    """Check scenario files without running anything."""
    for found in load_all(files):
        click.echo(f"{found.name}: {len(found.steps)} steps, {len(found.expectations)} expectations")


@scenario.command("schema")
def show_schema() -> None:
    """The JSON Schema of a scenario file, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))


@scenario.command("sample")
@click.argument("name", metavar="good|FLAW")
@click.argument("task")
@click.option("--port", required=True, metavar="URL", help="The port of the pump.")
@click.option("--clock", required=True, metavar="PATH", help="The lockstep clock of the scenario.")
@click.option("--role", type=click.Choice(["reader", "patient", "clinician"]), default="clinician", show_default=True)
@click.option(
    "--programs", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where its programs are."
)
def run_sample(name: str, task: str, port: str, clock: str, role: str, programs: Path) -> None:
    """Run a sample programmer as a process of its own, as a scenario starts one; it prints its report."""
    from emulator.scenario.samples.process import NoClock, report_text, run_sample_process

    sample = sample_named(name)
    if sample is None:
        raise UsageFailure(f"there is no sample programmer {name!r}; allowed are {', '.join((GOOD.name, *FLAWS))}.")
    try:
        asked = read_task(task)
    except TaskError as error:
        raise UsageFailure(f"{error}.") from None
    file = asked.values.get("FILE")
    if file is not None and not (programs / str(file)).is_file():
        raise UsageFailure(
            f"there is no program {file} in {programs}; the command of a scenario says --programs {{programs}}."
        )
    try:
        report = run_sample_process(sample, asked, port, clock, state_directory(os.environ), role, programs)
    except (NoClock, LinkError) as error:
        raise LinkFailure(str(error)) from None
    click.echo(report_text(report))


def load_all(files: Sequence[str]) -> list[Scenario]:
    """All of them, or none: what is wrong with the first is said before anything is run."""
    names = fault_names()
    try:
        return [load_scenario(file, names) for file in files]
    except ScenarioFileError as error:
        raise UsageFailure(str(error)) from None


def _page(scenario: Scenario) -> list[str]:
    lines = [f"{scenario.name}: {scenario.title}", ""]
    for heading, text in (("", scenario.story), ("Good: ", scenario.good), ("Naive: ", scenario.naive)):
        if text:
            lines += [*textwrap.wrap(heading + text, WIDTH), ""]
    lines += [f"Source: {source}" for source in scenario.sources]
    lines += ["", "It must be true that"]
    lines += aligned(
        [
            (each.name, each.subject.described, limit_text(each.subject, each.limit), each.why)
            for each in scenario.expectations
        ],
        indent="  ",
    )
    return lines
