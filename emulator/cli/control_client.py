"""The pump that a verb of `vpump control` is for: found, asked, and its answer shown."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping

import click

from emulator.cli.errors import CommandFailure, LinkFailure, OutcomeUnknown, Refused, UsageFailure, json_requested
from emulator.control.client import ControlClient, ControlError, ControlUnreachable
from emulator.control.spec import ControlSpecError
from emulator.running import RunningError, running_pumps

Address = tuple[str | None, str | None]
"""The URL and the token that the user has given."""


@contextlib.contextmanager
def client_of(address: Address) -> Iterator[ControlClient]:
    """The client of the pump that is meant; what goes wrong with it leaves with an exit status."""
    url, token = address
    try:
        yield ControlClient(*_found(url, token))
    except ControlSpecError as error:
        raise UsageFailure(_sentence(str(error))) from None
    except ControlUnreachable as error:
        failure = OutcomeUnknown if error.maybe_done else LinkFailure
        raise failure(_sentence(error.sentence)) from None
    except ControlError as error:
        raise _failure(error) from None


def _found(url: str | None, token: str | None) -> tuple[str, str | None]:
    """Where the control plane is, and its token as far as it is known."""
    try:
        steered = [pump for pump in running_pumps() if pump.control is not None]
    except RunningError as error:
        # Only who must look for the pump needs the list of those that run.
        if url is None:
            raise LinkFailure(_sentence(str(error))) from None
        steered = []
    if url is None:
        if not steered:
            raise LinkFailure(
                "no pump with a control plane runs here; start one with 'vpump serve --control unix:PATH', "
                "or say where it is with --control URL."
            )
        if len(steered) > 1:
            choices = ", ".join(f"{pump.control} ({pump.serial_number})" for pump in steered)
            raise UsageFailure(f"several pumps with a control plane run here; choose one with --control: {choices}.")
        url = steered[0].control or ""
    if token is None:
        token = next((pump.control_token for pump in steered if pump.control == url.removesuffix("/")), None)
    return url, token


def _failure(error: ControlError) -> CommandFailure:
    sentence = _sentence(error.sentence)
    if error.status in (400, 404, 405, 413):
        return UsageFailure(sentence)
    if error.status == 409:
        return Refused(sentence)
    if error.status == 401:
        return LinkFailure(f"{sentence} Give it with --token or VPUMP_CONTROL_TOKEN.")
    return LinkFailure(sentence)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def show(document: Mapping[str, object], *lines: str) -> None:
    """Print the JSON document if it was asked for, else the lines for people."""
    if json_requested():
        click.echo(json.dumps(document))
        return
    for line in lines:
        click.echo(line)
