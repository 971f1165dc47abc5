"""How a command reaches its pump: the options, the port that is meant, the open line, and errors as exit statuses.

Commands that only take an option from here stay quick: the programmer, pyserial and the protocol are loaded where a
line is opened.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from emulator.cli.errors import CommandFailure, LinkFailure, Refused, UsageFailure, request_json, say
from emulator.cli.quantities import DURATION, US_PER_S

if TYPE_CHECKING:
    from emulator.programmer.book import Book, BookFile
    from emulator.programmer.effects import LineLost, Reply
    from emulator.programmer.ledger import Host
    from emulator.programmer.link import SerialLink
    from protocol.refusals import Nak

DEFAULT_TIMEOUT_US = 600_000  # of one try; the programmer asks four times in all
BOOK_PATIENCE_S = 10.0
TAKEN_PLACE = (
    "another program has opened a line to this pump and taken our session; run the command again to take it back."
)


@dataclass(frozen=True, slots=True)
class Target:
    """Which pump the user means, and how patient he is with it."""

    url: str | None
    timeout_us: int


def json_option(command: Any) -> Any:
    """Add `--json`."""

    def remember(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            request_json(context)

    option = click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember, help="Print JSON on stdout."
    )
    return option(command)


def talks_to_pump(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that talks to a pump; the function gets a `target`."""

    @functools.wraps(function)
    def with_target(*args: Any, port: str | None, timeout_us: int, **rest: Any) -> None:
        function(*args, target=Target(port, timeout_us), **rest)

    option = click.option(
        "-p",
        "--port",
        metavar="URL",
        envvar="VPUMP_PORT",
        help="The pump's port: a device, socket://HOST:PORT, rfc2217://…; else VPUMP_PORT, else the only running pump.",
    )
    patience = click.option(
        "--timeout",
        "timeout_us",
        type=DURATION,
        default=DEFAULT_TIMEOUT_US,
        metavar="DURATION",
        help="How long to wait for an answer before asking again, at most four times (600ms).",
    )
    adorned: Callable[..., None] = option(patience(json_option(with_target)))
    return adorned


def url_of(target: Target) -> str:
    """The port that is meant; raises UsageFailure and LinkFailure."""
    if target.url:
        return target.url
    from emulator.running import RunningError, running_pumps

    try:
        pumps = running_pumps()
    except RunningError as error:
        raise LinkFailure(str(error)) from error
    if not pumps:
        raise LinkFailure("no pump runs here; start one with 'vpump serve', or name its port with --port.")
    if len(pumps) > 1:
        ports = ", ".join(f"{pump.serial_number} at {pump.ports[0].url}" for pump in pumps if pump.ports)
        raise UsageFailure(f"{len(pumps)} pumps run here ({ports}); name one with --port.")
    if not pumps[0].ports:
        raise LinkFailure(f"the pump {pumps[0].serial_number} has no port.")
    return pumps[0].ports[0].url


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn what can go wrong with a pump, before anything has happened, into the command's failure."""
    from emulator.programmer.book import BookError
    from emulator.programmer.effects import NoPump, PumpRefused
    from emulator.programmer.link import LinkError
    from protocol.refusals import NakCode

    try:
        yield
    except LinkError as error:
        raise LinkFailure(str(error)) from error
    except NoPump as error:
        raise LinkFailure(f"{error}.") from error
    except PumpRefused as refused:
        if refused.nak.code == NakCode.NO_SUCH_SESSION:
            raise LinkFailure(TAKEN_PLACE) from refused
        raise refused_failure(refused.nak, refused.request) from refused
    except BookError as error:
        raise UsageFailure(str(error)) from error


def refused_failure(nak: Nak, request: object) -> Refused:
    """A NAK as the command's failure, with the limit that the pump named."""
    from emulator.cli.wording import refusal_sentence
    from protocol.refusals import REFUSALS

    limit = nak.detail if REFUSALS[nak.code].detail else None
    return Refused(refusal_sentence(nak, request), code=nak.code.name.lower(), limit=limit)


@contextlib.contextmanager
def open_link(target: Target) -> Iterator[SerialLink]:
    """The line to the pump, greeted."""
    from emulator.programmer.link import SerialLink

    with failures(), SerialLink(url_of(target), target.timeout_us) as link:
        yield link


class LineHands:
    """Carries out the effects of a procedure on a real line, a real disk and the wall clock."""

    def __init__(self, link: SerialLink, book_file: BookFile | None = None) -> None:
        self._link = link
        self._book_file = book_file
        self._broken: LineLost | None = None

    def ask(self, message: object) -> Reply:
        """See Hands; a line that broke once stays broken."""
        from emulator.programmer.effects import LineLost
        from emulator.programmer.link import LinkError

        if self._broken is None:
            try:
                return self._link.exchange(message)
            except LinkError as error:
                self._broken = LineLost(str(error).rstrip("."))
        return self._broken

    def keep(self, book: Book) -> None:
        """See Hands."""
        from emulator.programmer.book import BookError

        if self._book_file is None:
            raise BookError("this command keeps no book.")
        self._book_file.keep(book)

    def pause(self, duration_us: int) -> None:
        """See Hands."""
        time.sleep(duration_us / US_PER_S)

    def tell(self, sentence: str) -> None:
        """See Hands."""
        from emulator.cli.wording import in_peoples_units

        say(in_peoples_units(sentence))


@contextlib.contextmanager
def pump_at_work(target: Target) -> Iterator[tuple[Host, LineHands]]:
    """The line and the book, for a command that reads or writes what must not be forgotten."""
    from emulator.programmer.book import open_book, state_directory
    from emulator.programmer.disk import RealDisk
    from emulator.programmer.ledger import Host

    with open_link(target) as link:
        directory = state_directory(os.environ)
        with open_book(RealDisk(), directory, link.hello.serial_number, BOOK_PATIENCE_S) as book_file:
            yield Host(book_file.book), LineHands(link, book_file)


def leave_with(failure: CommandFailure) -> NoReturn:
    """End the command with a failure that has been shown already."""
    sys.stdout.flush()
    click.get_current_context().exit(failure.exit_code)
