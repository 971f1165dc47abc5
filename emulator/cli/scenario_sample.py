"""`vpump scenario sample`: a sample programmer in a process of its own, started for each task; so it loads little."""

from __future__ import annotations

import os
from pathlib import Path

import click

from emulator.cli.errors import LinkFailure, UsageFailure
from emulator.programmer.book import state_directory
from emulator.programmer.link import LinkError
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.naive import FLAWS, sample_named
from emulator.scenario.samples.process import NoClock, report_text, run_sample_process
from emulator.scenario.tasks import TaskError, read_task


@click.command("sample")
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
