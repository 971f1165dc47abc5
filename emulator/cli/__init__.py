"""The command line `vpump`: its commands, each loaded only when it is used, and how a run of it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from emulator import VERSION
from emulator.cli.errors import EXIT_INTERRUPTED, say
from emulator.cli.loading import load_command

EXIT_USAGE = 2
EXIT_BROKEN_PIPE = 141  # as of a program that SIGPIPE ended, which is what a shell expects of `vpump … | head`


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Where a command lives, and its line in the help, so that showing the help loads no command."""

    module: str
    summary: str


COMMANDS: dict[str, CommandEntry] = {
    "demo": CommandEntry("demo", "The tour: a pump, driven through its port by the reference programmer."),
    "serve": CommandEntry("serve", "Run a pump until interrupted."),
    "ls": CommandEntry("ls", "The pumps that run on this machine, with their ports."),
    "control": CommandEntry("control", "The tester's hand: time, faults, power, truth."),
    "keys": CommandEntry("keys", "Make key files, for pumps and for who talks to them."),
    "interrogate": CommandEntry("reading", "Everything a programmer shows after an interrogation."),
    "caps": CommandEntry("reading", "The limits of the pump."),
    "program": CommandEntry("program", "Set the pump's program: shown beside the old one, then committed."),
    "bolus": CommandEntry("therapy", "Deliver a bolus; safe to run again."),
    "therapy": CommandEntry("therapy", "Stop or start therapy, or cancel a bolus."),
    "op": CommandEntry("ops", "What became of an operation."),
    "alarm": CommandEntry("alarms", "List or acknowledge alarms."),
    "log": CommandEntry("event_log", "Read the event log."),
    "watch": CommandEntry("watching", "Live telemetry, a line at a time."),
    "send": CommandEntry("lines", "Send raw bytes to the line, and show what came back."),
    "decode": CommandEntry("decode", "Explain what was recorded of a line: hex, raw bytes, or a capture."),
    "replay": CommandEntry("replay", "Live through a journal again, and name the first divergence."),
    "spec": CommandEntry("spec", "The wire protocol, described for other tools and languages."),
    "scenario": CommandEntry("scenario", "Stage what has hurt people, and judge what a programmer makes of it."),
    "faults": CommandEntry("faults", "Everything that can be made to go wrong, on the line and in the pump."),
    "profile": CommandEntry("profile", "The parameters of device models, each with its source."),
    "state": CommandEntry("state", "Save-states: what one holds, and where two differ."),
}

EXAMPLES = """
\b
Examples:
  vpump serve                       a pump on a virtual serial port
  vpump interrogate                 everything the only running pump tells
  vpump bolus 50uL --over 10min     deliver; run it again, and nothing is given twice
  vpump op 7                        what became of operation 7
  vpump keys new FILE 00C0FFEE      keys of its own for a pump (vpump serve --keys FILE)
  vpump -h, vpump COMMAND -h        help

\b
Commands that talk to a pump find it by -p/--port URL, else by VPUMP_PORT, else it is the only
pump that runs here. They open a session with the key of their role, from --keys FILE, else from
VPUMP_KEYS, else with the published test keys if the pump has those. Quantities have units (50uL,
0.5mL/day, 30d).

\b
Exit status: 0 done, 1 the pump refused, 2 wrong usage, 3 no pump or no answer, 4 an expectation
failed, 5 out of simulated time, 6 the outcome is unknown, 130 interrupted.
"""


class _BrokenPipe(click.ClickException):
    """Whoever read our output is gone: nothing is left to say."""

    exit_code = EXIT_BROKEN_PIPE


class CommandLine(click.Group):
    """The group of all commands; every way that a run can end goes through `main`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the module of one command."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return load_command(entry.module, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments; `--help` prints here already."""
        with _quiet_pipe():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _quiet_pipe():
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result

    def main(  # type: ignore[override]  # there is one way to end a run, so nobody chooses another
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, print any error as one sentence, and leave with its exit status."""
        extra.pop("standalone_mode", None)
        try:
            result = super().main(args, prog_name or "vpump", standalone_mode=False, **extra)
        except _BrokenPipe as error:
            _forget_stdout()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            say(_usage_sentence(error))
            sys.exit(EXIT_USAGE)
        except click.ClickException as error:
            status = error.exit_code
            try:
                error.show()
            except BrokenPipeError:
                # The status says more than the pipe: an unknown outcome stays one when nobody reads on.
                _forget_stdout()
            if status == EXIT_INTERRUPTED:
                _outlive_interrupt()
            sys.exit(status)
        except click.Abort as abort:
            if isinstance(abort.__cause__, EOFError):
                say("there was a question, and nobody to answer it; give the answer as an option (see --help).")
                sys.exit(EXIT_USAGE)
            say("interrupted.")
            _outlive_interrupt()
            sys.exit(EXIT_INTERRUPTED)
        sys.exit(result if isinstance(result, int) and not isinstance(result, bool) else 0)


@contextlib.contextmanager
def _quiet_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _BrokenPipe("") from None


def _forget_stdout() -> None:
    """Let what is left in the buffer go nowhere, or the interpreter complains about it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _outlive_interrupt() -> None:
    """Let the exit status be ours.

    An interrupt that strikes within the `exec` of a text, as when a module makes its dataclasses, marks the whole
    interpreter: whatever becomes of the exception, in its end it dies of SIGINT. The next such `exec` takes that away.
    """
    exec("")  # noqa: S102 - nothing is executed


def _usage_sentence(error: click.UsageError) -> str:
    message = error.format_message().strip()
    if isinstance(error, click.NoSuchOption) and error.option_name.lstrip("-")[:1].isdigit():
        message = f"'{error.option_name}' is negative or no option; a quantity must be above zero."
    if message and message[-1] not in ".?!":
        message += "."
    command = error.ctx.command_path if error.ctx is not None else "vpump"
    return f"{message} (See {command} --help.)"


@click.group(
    "vpump",
    cls=CommandLine,
    epilog=EXAMPLES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, "--version", prog_name="vpump", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """A software stand-in for an implanted intrathecal drug pump.

    A test tool, not a medical device.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(EXIT_USAGE)
