"""`vpump alarm`: lists alarms, and says to the pump that a person has seen them."""

from __future__ import annotations

import json

import click

from emulator.cli.connection import LineHands, Target, open_link, talks_to_pump
from emulator.cli.errors import UsageFailure, json_requested
from emulator.cli.quantities import US_PER_S, format_duration_us, format_rate, format_volume_nl
from emulator.cli.wording import aligned, document_of
from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Procedure, read, run
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest, AlarmEntry
from protocol.messages.codes import AlarmState

MAX_INSTANCE = 0xFFFF

_HEADINGS = ("INSTANCE", "TYPE", "PRIORITY", "STATE", "RAISED AT", "RATE", "RESERVOIR", "LAST OP")


@click.group()
def alarm() -> None:
    """List or acknowledge alarms."""


@alarm.command("list", epilog="\b\nExamples:\n  vpump alarm list\n  vpump alarm list --json")
@talks_to_pump(role="reader")
def list_command(target: Target) -> None:
    """The alarms that the pump holds, each with its freeze frame."""
    with open_link(target) as link:
        alarms = run(read_alarms(), LineHands(link))
    if json_requested():
        click.echo(json.dumps([document_of(entry) for entry in alarms]))
    elif not alarms:
        click.echo("No alarms.")
    else:
        click.echo("\n".join(aligned([_HEADINGS, *(_row(entry) for entry in alarms)])))


@alarm.command("ack", epilog="\b\nExamples:\n  vpump alarm ack\n  vpump alarm ack 3\n  vpump alarm ack --all")
@click.argument("instance", type=click.IntRange(1, MAX_INSTANCE), required=False)
@click.option("--all", "every", is_flag=True, help="Every alarm that is not acknowledged yet.")
@talks_to_pump(role="clinician")
def acknowledge(target: Target, instance: int | None, every: bool) -> None:
    """Say that a person has seen alarm INSTANCE; without one, the only alarm that waits for it."""
    if instance is not None and every:
        raise UsageFailure("name one INSTANCE (see 'vpump alarm list'), or --all, not both.")
    with open_link(target) as link:
        answers = run(_acknowledge(instance, every=every), LineHands(link))
    if json_requested():
        click.echo(json.dumps([document_of(answer) for answer in answers]))
    elif not answers:
        click.echo("No alarm waits for it.")
    else:
        for answer in answers:
            click.echo(f"alarm {answer.instance} is {answer.state.name.lower()}.")


def _acknowledge(instance: int | None, *, every: bool) -> Procedure[list[AlarmAckAnswer]]:
    instances = [instance] if instance is not None else []
    if instance is None:
        alarms = yield from read_alarms()
        instances = [entry.instance for entry in alarms if entry.state == AlarmState.RAISED]
        if len(instances) > 1 and not every:
            waiting = ", ".join(map(str, instances))
            raise UsageFailure(f"alarms {waiting} wait for it; name one INSTANCE, or --all.")
    answers = []
    for each in instances:
        answers.append((yield from read(AlarmAckRequest(instance=each), AlarmAckAnswer)))
    return answers


def _row(entry: AlarmEntry) -> tuple[str, ...]:
    return (
        str(entry.instance),
        entry.type.name.lower().replace("_", " "),
        entry.priority.name.lower().replace("_", "-"),
        entry.state.name.lower(),
        format_duration_us(entry.elapsed_s * US_PER_S),
        format_rate(entry.rate_nl_per_day),
        format_volume_nl(entry.reservoir_nl),
        str(entry.last_op_id),
    )
