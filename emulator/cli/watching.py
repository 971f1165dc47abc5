"""`vpump watch`: live telemetry, as the pump sends it, or asked for where it sends none or not as often."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import click

from emulator.cli.connection import LineHands, Target, open_link, talks_to_pump
from emulator.cli.errors import json_requested
from emulator.cli.quantities import DURATION, US_PER_S, format_duration_us, format_rate, format_volume_nl
from emulator.cli.reading import bolus_text, run_state_text
from emulator.cli.wording import document_of
from emulator.programmer.effects import read, run
from emulator.programmer.link import SerialLink
from protocol.fields import table_of
from protocol.host_stream import Told
from protocol.messages.codes import Capability, TelemetryField
from protocol.messages.link import CapsAnswer, CapsRequest
from protocol.messages.read import StatusAnswer, StatusRequest
from protocol.messages.stream import StreamEvent, SubscribeAnswer, SubscribeRequest, UnsubscribeRequest

MAX_COUNT = 1_000_000_000
GRACE_US = US_PER_S
"""So long after its time we wait for an event before we subscribe anew."""
ALL_FIELDS = TelemetryField(sum(TelemetryField))


@click.command(epilog="\b\nExamples:\n  vpump watch\n  vpump watch --interval 250ms --count 20 --json")
@click.option(
    "--interval",
    "interval_us",
    type=DURATION,
    metavar="DURATION",
    help="Between two lines (1s, or the pump's shortest period). The pump sends whole seconds within its limits; "
    "any other interval is asked for.",
)
@click.option("--count", type=click.IntRange(1, MAX_COUNT), metavar="N", help="End after N lines.")
@talks_to_pump(role="reader")
def watch(target: Target, interval_us: int | None, count: int | None) -> None:
    """Live telemetry, a line at a time, until interrupted. Watching changes nothing, not even the latched flags."""
    with open_link(target) as link:
        hands = LineHands(link)
        period_s = _period_s(link, hands, interval_us)
        if period_s is None:
            _show_asked(hands, interval_us or US_PER_S, count or MAX_COUNT)
        else:
            with _subscription(link):
                _show_sent(hands, period_s, count or MAX_COUNT)


def _period_s(link: SerialLink, hands: LineHands, interval_us: int | None) -> int | None:
    """The period to subscribe with, or None where the pump must be asked."""
    if Capability.STREAM not in link.hello.capabilities:
        return None
    caps = run(read(CapsRequest(), CapsAnswer), hands)
    if interval_us is None:
        return max(1, caps.stream_period_min_s)
    period_s, rest_us = divmod(interval_us, US_PER_S)
    return period_s if not rest_us and caps.stream_period_min_s <= period_s <= caps.stream_period_max_s else None


@contextlib.contextmanager
def _subscription(link: SerialLink) -> Iterator[None]:
    """Whatever ends the watch: the pump is told that nobody listens any more."""
    try:
        yield
    finally:
        link.say_last(UnsubscribeRequest())


def _show_sent(hands: LineHands, period_s: int, count: int) -> None:
    """Show what the pump sends. When it is silent for too long, subscribing anew finds out why, and gets an event."""
    request = SubscribeRequest(fields=ALL_FIELDS, period_s=period_s)
    run(read(request, SubscribeAnswer), hands)
    while count:
        told = hands.listen(period_s * US_PER_S + GRACE_US)
        if told is None:
            run(read(request, SubscribeAnswer), hands)
            continue
        _show_told(told)
        count -= 1


def _show_asked(hands: LineHands, interval_us: int, count: int) -> None:
    for number in range(count):
        if number:
            hands.pause(interval_us)
        status = run(read(StatusRequest(), StatusAnswer), hands)
        click.echo(json.dumps(document_of(status)) if json_requested() else _status_line(status))


def _show_told(told: Told) -> None:
    if json_requested():
        click.echo(json.dumps(_document(told)))
        return
    if told.missed:
        click.echo(f"--- gap: {told.missed} event{'s are' if told.missed > 1 else ' is'} missing")
    click.echo(_status_line(_status_of(told.event)))


def _document(told: Told) -> dict[str, Any]:
    document = document_of(told.event)
    del document["fields"]
    return {**document, "missed": told.missed}


def _status_of(event: StreamEvent) -> StatusAnswer:
    """What STATUS would have answered; an event that has all fields tells it."""
    return StatusAnswer(**{row.name: getattr(event, row.name) for row in table_of(StatusAnswer)})


def _status_line(status: StatusAnswer) -> str:
    elapsed = format_duration_us(status.elapsed_s * US_PER_S)
    parts = [elapsed, run_state_text(status), format_rate(status.base_rate_nl_per_day)]
    parts += [f"reservoir {format_volume_nl(status.reservoir_nl)}", f"bolus {bolus_text(status)}"]
    return " | ".join([*parts, f"alarms {status.alarms_raised} ({status.alarms_unacknowledged} new)"])
