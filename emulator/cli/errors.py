"""How a command fails: one exception for each exit status, printed as one sentence on stderr.

    0    done
    1    Refused             the pump refused, or a person said no
    2    UsageFailure        wrong usage or input file (click's own UsageError has the same status)
    3    LinkFailure         no pump, no answer, or a link that broke before anything could happen
    4    ExpectationFailed   an expectation failed
    5    OutOfTime           out of simulated time
    6    OutcomeUnknown      what became of an operation is unknown
    130  interrupted (Interrupted, or KeyboardInterrupt)

`as_json_requested` is where `--json` is remembered: an error that has a document prints it on stdout then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, ClassVar

import click

EXIT_INTERRUPTED = 130

_JSON_KEY = "emulator.cli.json"


def request_json(context: click.Context) -> None:
    """Remember, for this whole run of the command, that the user wants JSON on stdout."""
    context.meta[_JSON_KEY] = True


def json_requested() -> bool:
    """Whether the running command was asked for JSON; False outside of a command."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_JSON_KEY, False))


class CommandFailure(click.ClickException):
    """A command that ends without what it was asked for; subclasses have the exit status."""

    exit_code: ClassVar[int]

    def __init__(self, message: str, document: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        # The context is gone when click shows the error, so what it knows is kept here.
        self.json_document = document if json_requested() else None

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence on stderr, and the document (if there is one, and JSON was asked for) on stdout."""
        if self.json_document is not None:
            click.echo(json.dumps(self.json_document))
        say(self.format_message(), file)


class Refused(CommandFailure):
    """The pump refused, or a person said no. `code` is the refusal's name, `limit` what the pump named with it."""

    exit_code = 1

    def __init__(self, message: str, *, code: str = "", limit: int | None = None, **more: object) -> None:
        super().__init__(message, {"error": message, "code": code, "limit": limit, **more})


class UsageFailure(CommandFailure):
    """Wrong usage or a wrong input file: the message says which field, and what is allowed."""

    exit_code = 2


class LinkFailure(CommandFailure):
    """No pump, no answer, or a link that broke before anything could happen."""

    exit_code = 3


class ExpectationFailed(CommandFailure):
    """Something that the user expected did not come true."""

    exit_code = 4


class OutOfTime(CommandFailure):
    """The simulated time that was allowed is over."""

    exit_code = 5


class OutcomeUnknown(CommandFailure):
    """It is unknown what became of an operation; the message says which op id to ask for."""

    exit_code = 6

    def __init__(self, message: str, *, op_id: int | None = None, **more: object) -> None:
        super().__init__(message, {"error": message, "code": "outcome_unknown", "op_id": op_id, **more})


class Interrupted(CommandFailure):
    """The user ended the command; the message says what goes on without it."""

    exit_code = EXIT_INTERRUPTED


def say(sentence: str, file: IO[Any] | None = None) -> None:
    """Print one diagnostic sentence on stderr, under the command's name."""
    # A message of several lines (click makes some) is still one sentence for a reader of a CI log.
    text = " ".join(sentence.split())
    click.echo(f"vpump: {text}", file=file, err=file is None)
