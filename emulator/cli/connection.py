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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from emulator import OUR_PROTOCOL
from emulator.cli.errors import CommandFailure, LinkFailure, OutcomeUnknown, Refused, UsageFailure, request_json, say
from emulator.cli.quantities import DURATION, US_PER_S

if TYPE_CHECKING:
    from emulator.keyfile import KeyFile
    from emulator.programmer.book import Book, BookFile, Intention
    from emulator.programmer.effects import LineLost, PumpRefused, Reply
    from emulator.programmer.ledger import Host
    from emulator.programmer.link import SerialLink, SessionRefused
    from emulator.running import RunningPump
    from protocol.host_stream import Told
    from protocol.messages.codes import Role
    from protocol.refusals import Nak

DEFAULT_TIMEOUT_US = 600_000  # of one try; the programmer asks four times in all
BOOK_PATIENCE_S = 10.0
# As the protocol has them, which the options do not load.
ROLES = ("reader", "patient", "clinician")
TAKEN_PLACE = (
    "another program has opened a line to this pump and taken our session; run the command again to take it back."
)
STAGE_LOST = "the session has ended, and what was staged in it is gone; nothing was changed, so run the command again."


@dataclass(frozen=True, slots=True)
class Target:
    """Which pump the user means, how patient he is with it, and as whom he comes.

    role_chosen   the user named the role himself
    keys          the key file, if he gave one
    """

    url: str | None
    timeout_us: int
    role: str = "reader"
    role_chosen: bool = False
    keys: Path | None = None
    takeover: bool = False


def json_option(command: Any) -> Any:
    """Add `--json`."""

    def remember(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            request_json(context)

    option = click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember, help="Print JSON on stdout."
    )
    return option(command)


def reaches_port(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that uses a pump's port; the function gets a `target`."""

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


def talks_to_pump(*, role: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of a command that opens a session, as `role` unless the user says otherwise."""

    def adorn(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def with_identity(
            *args: Any, target: Target, as_role: str | None, keys: Path | None, takeover: bool, **rest: Any
        ) -> None:
            chosen = as_role is not None
            whole = replace(target, role=as_role or role, role_chosen=chosen, keys=keys, takeover=takeover)
            function(*args, target=whole, **rest)

        key_file = click.option(
            "--keys",
            metavar="FILE",
            envvar="VPUMP_KEYS",
            type=click.Path(path_type=Path),
            help="The keys of your pumps ('vpump keys --help'); else VPUMP_KEYS, else only the published test keys.",
        )
        as_role = click.option("--role", "as_role", type=click.Choice(ROLES), help=f"As whom to come ({role}).")
        takeover = click.option(
            "--takeover", is_flag=True, help="As clinician: take the place from another programmer that holds it."
        )
        adorned: Callable[..., None] = reaches_port(key_file(as_role(takeover(with_identity))))
        return adorned

    return adorn


def port_of(target: Target) -> tuple[str, RunningPump | None]:
    """The port that is meant, and the pump behind it if it runs here; raises UsageFailure and LinkFailure."""
    from emulator.running import RunningError, running_pumps

    try:
        pumps = running_pumps()
    except RunningError as error:
        if target.url:
            # Whoever names a port needs no list.
            return target.url, None
        raise LinkFailure(str(error)) from error
    if target.url:
        meant = os.path.realpath(target.url)
        behind = (pump for pump in pumps for port in pump.ports if meant == os.path.realpath(port.url))
        return target.url, next(behind, None)
    if not pumps:
        raise LinkFailure("no pump runs here; start one with 'vpump serve', or name its port with --port.")
    if len(pumps) > 1:
        ports = ", ".join(f"{pump.serial_number} at {pump.ports[0].url}" for pump in pumps if pump.ports)
        raise UsageFailure(f"{len(pumps)} pumps run here ({ports}); name one with --port.")
    if not pumps[0].ports:
        raise LinkFailure(f"the pump {pumps[0].serial_number} has no port.")
    return pumps[0].ports[0].url, pumps[0]


def url_of(target: Target) -> str:
    """The port of a pump that the reference programmer can talk to; raises UsageFailure and LinkFailure."""
    url, pump = port_of(target)
    if pump is not None and pump.protocol != OUR_PROTOCOL:
        raise UsageFailure(
            f"the pump {pump.serial_number} at {url} speaks the protocol {pump.protocol}, and this command only "
            f"{OUR_PROTOCOL}; 'vpump send' speaks any."
        )
    return url


@contextlib.contextmanager
def failures(target: Target | None = None) -> Iterator[None]:
    """Turn what can go wrong with a pump, before anything has happened, into the command's failure."""
    from emulator.keyfile import KeyFileError
    from emulator.programmer.book import BookError
    from emulator.programmer.effects import NoPump, PumpRefused
    from emulator.programmer.host_identity import HostIdError, NoKey
    from emulator.programmer.link import LinkError, SessionRefused

    try:
        yield
    except SessionRefused as refused:
        raise session_refused_failure(refused) from refused
    except LinkError as error:
        raise LinkFailure(str(error)) from error
    except NoPump as error:
        raise LinkFailure(f"{error}.") from error
    except PumpRefused as refused:
        raise _refused_read(refused, target) from refused
    except (BookError, KeyFileError, HostIdError, NoKey) as error:
        raise UsageFailure(str(error)) from error


def _refused_read(refused: PumpRefused, target: Target | None) -> CommandFailure:
    from protocol.messages.codes import Role
    from protocol.messages.operations import Effect, operation_of
    from protocol.refusals import NakCode

    if refused.nak.code == NakCode.NO_SUCH_SESSION:
        staged = operation_of(refused.request).effect is Effect.STAGE
        return LinkFailure(STAGE_LOST if staged else TAKEN_PLACE)
    role = Role[target.role.upper()] if target is not None else None
    return refused_failure(refused.nak, refused.request, role)


def refused_failure(nak: Nak, request: object, role: Role | None = None) -> Refused:
    """A NAK as the command's failure, with the limit that the pump named. `role`: as whom we asked."""
    from emulator.cli.wording import refusal_sentence
    from protocol.refusals import REFUSALS

    limit = nak.detail if REFUSALS[nak.code].detail else None
    return Refused(refusal_sentence(nak, request, role), code=nak.code.name.lower(), limit=limit)


def session_refused_failure(refused: SessionRefused) -> Refused:
    """Why the pump opens no session, as the command's failure."""
    return Refused(str(refused), code=refused.nak.code.name.lower(), limit=refused.nak.detail or None)


def unknown_failure(intention: Intention, reason: str, *, final: bool = False) -> OutcomeUnknown:
    """Nobody can say what became of an intention; `final`: asking again will not help."""
    from emulator.cli.wording import in_peoples_units

    op_id = intention.op_id
    advice = f"ask again with 'vpump op {op_id}'"
    if final:
        advice = f"look at the pump, then book that with 'vpump op {op_id} --book-unknown'"
    what = f"operation {op_id} ({in_peoples_units(intention.command)})"
    return OutcomeUnknown(f"the outcome of {what} is unknown: {reason}; {advice}.", op_id=op_id, final=final)


@contextlib.contextmanager
def open_link(target: Target) -> Iterator[SerialLink]:
    """The line to the pump, greeted, and in a session unless the pump is INSECURE."""
    with failures(target), _greeted(target) as (link, key_file):
        _open_session(link, target, key_file)
        yield link


@contextlib.contextmanager
def _greeted(target: Target) -> Iterator[tuple[SerialLink, KeyFile | None]]:
    from emulator.keyfile import read_key_file
    from emulator.programmer.link import SerialLink

    key_file = read_key_file(target.keys) if target.keys is not None else None
    with SerialLink(url_of(target), target.timeout_us) as link:
        yield link, key_file


def _open_session(link: SerialLink, target: Target, key_file: KeyFile | None) -> None:
    from emulator.programmer.book import state_directory
    from emulator.programmer.disk import RealDisk
    from emulator.programmer.host_identity import host_id_for, key_for
    from protocol.messages.codes import Marks, Role

    role = Role[target.role.upper()]
    if Marks.INSECURE in link.hello.marks:
        if key_file is not None and link.hello.serial_number in key_file.pumps:
            say(f"pump {link.hello.serial_number:08X} is INSECURE, so its keys in {key_file.path} protect nothing.")
        return
    held = key_for(link.hello, role, key_file)
    host_id = host_id_for(role, RealDisk(), state_directory(os.environ))
    takeover = target.takeover and role is Role.CLINICIAN
    link.open_session(role, held.key, host_id, takeover=takeover, source=held.source)


class LineHands:
    """Carries out the effects of a procedure on a real line, a real disk and the wall clock."""

    def __init__(self, link: SerialLink, book_file: BookFile | None = None) -> None:
        from emulator.programmer.session import KeptSession

        self._session = KeptSession(link)
        self._book_file = book_file
        self._broken: LineLost | None = None

    def ask(self, message: object) -> Reply:
        """See Hands; a line that broke once stays broken. Raises KeyNotAccepted and SessionRefused."""
        from emulator.programmer.effects import LineLost
        from emulator.programmer.link import KeyNotAccepted, LinkError, SessionRefused

        if self._broken is None:
            try:
                return self._session.ask(message)
            except (KeyNotAccepted, SessionRefused):
                # The line is well; the pump has another opinion of us than it had before.
                raise
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
        """See Hands; a session outlives it, however long it is."""
        from emulator.programmer.session import KEEPALIVE_INTERVAL_US

        self._session.rest()
        while duration_us > KEEPALIVE_INTERVAL_US and self._broken is None:
            time.sleep(KEEPALIVE_INTERVAL_US / US_PER_S)
            duration_us -= KEEPALIVE_INTERVAL_US
            self.keep_alive()
        time.sleep(duration_us / US_PER_S)

    def listen(self, patience_us: int) -> Told | None:
        """What the pump tells of its own accord within that time, or nothing. Raises LinkError."""
        return self._session.listen(patience_us)

    def keep_alive(self) -> None:
        """Put off the end of the session by silence; for who waits for somebody else than the pump."""
        from emulator.programmer.effects import LineLost
        from emulator.programmer.link import LinkError

        try:
            self._session.keep_alive()
        except LinkError as error:
            self._broken = LineLost(str(error).rstrip("."))

    def tell(self, sentence: str) -> None:
        """See Hands."""
        from emulator.cli.wording import in_peoples_units

        say(in_peoples_units(sentence))


@contextlib.contextmanager
def pump_at_work(target: Target, least_role: Callable[[Book], str] | None = None) -> Iterator[tuple[Host, LineHands]]:
    """The line and the book, for a command that reads or writes what must not be forgotten.

    `least_role`: the role to come as, if the pump lets us and the user chose none, by what the book holds.
    """
    from emulator.programmer.book import open_book, state_directory
    from emulator.programmer.disk import RealDisk
    from emulator.programmer.host_identity import NoKey
    from emulator.programmer.ledger import Host
    from emulator.programmer.link import PlaceTaken

    with failures(target), _greeted(target) as (link, key_file):
        directory = state_directory(os.environ)
        # The book first: our session would end that of another command of ours that is still at work.
        with open_book(RealDisk(), directory, link.hello.serial_number, BOOK_PATIENCE_S) as book_file:
            role = target.role
            if least_role is not None and not target.role_chosen:
                role = least_role(book_file.book)
            with _nothing_forgotten(book_file):
                try:
                    _open_session(link, replace(target, role=role), key_file)
                except (PlaceTaken, NoKey):
                    if role == target.role:
                        raise
                    # Most of what can be asked, the lesser role is told as well.
                    _open_session(link, target, key_file)
            yield Host(book_file.book, link.role, link.host_id), LineHands(link, book_file)


@contextlib.contextmanager
def _nothing_forgotten(book_file: BookFile) -> Iterator[None]:
    """A pump that opens no session says nothing of what an earlier run has left open."""
    from emulator.programmer.link import SessionRefused

    try:
        yield
    except SessionRefused as refused:
        begun = [each for each in book_file.book.unfinished if each.stage == "open"]
        if not begun:
            raise
        raise unknown_failure(begun[-1], str(refused).rstrip(".")) from refused


def leave_with(failure: CommandFailure) -> NoReturn:
    """End the command with a failure that has been shown already."""
    sys.stdout.flush()
    click.get_current_context().exit(failure.exit_code)
