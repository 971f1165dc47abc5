"""`vpump scenario list`, `show`, `check` and `schema`: what scenarios there are, and what they say."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

import click

from emulator.cli.connection import json_option
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.scenario_run import WIDTH
from emulator.cli.wording import aligned
from emulator.scenario.batch import fault_names
from emulator.scenario.declaration import json_schema
from emulator.scenario.expectations import limit_text
from emulator.scenario.plan import Scenario
from emulator.scenario.reading import ScenarioFileError, load_scenario, shipped_scenarios


@click.command("list")
@json_option
def list_scenarios() -> None:
    """The scenarios that come with the product."""
    found = [load_scenario(name, fault_names()) for name in shipped_scenarios()]
    if json_requested():
        rows = [{"name": each.name, "kind": each.kind, "number": each.number, "title": each.title} for each in found]
        click.echo(json.dumps({"scenarios": rows}))
        return
    click.echo("\n".join(aligned([(each.name, each.kind, each.title) for each in found])))


@click.command("show")
@click.argument("name")
@json_option
def show_scenario(name: str) -> None:
    """What a scenario stages, what a good programmer does, and what must be true."""
    (found,) = load_all([name])
    if json_requested():
        click.echo(json.dumps(_document(found)))
        return
    click.echo("\n".join(_page(found)))


@click.command("check")
@click.argument("files", nargs=-1, required=True)
@json_option
def check_scenarios(files: Sequence[str]) -> None:
    """Check scenario files without running anything."""
    scenarios = load_all(files)
    if json_requested():
        click.echo(json.dumps({"scenarios": [_document(found) for found in scenarios]}))
        return
    for found in scenarios:
        click.echo(f"{found.name}: {len(found.steps)} steps, {len(found.expectations)} expectations")


@click.command("schema")
def show_schema() -> None:
    """The JSON Schema of a scenario file, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))


def load_all(files: Sequence[str]) -> list[Scenario]:
    """All of them, or none: what is wrong with the first is said before anything is run."""
    names = fault_names()
    try:
        return [load_scenario(file, names) for file in files]
    except ScenarioFileError as error:
        raise UsageFailure(str(error)) from None


def _document(scenario: Scenario) -> dict[str, object]:
    told = ("name", "title", "kind", "number", "sources", "story", "good", "naive", "flaw", "fails")
    expectations = [
        {
            "name": each.name,
            "subject": each.subject.described,
            "limit": limit_text(each.subject, each.limit),
            "why": each.why,
        }
        for each in scenario.expectations
    ]
    return {
        **{name: getattr(scenario, name) for name in told},
        "steps": len(scenario.steps),
        "expectations": expectations,
    }


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
