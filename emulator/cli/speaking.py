"""Which protocol a command speaks: the option `--protocol`, and what is wrong with one as the command's failure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.errors import UsageFailure

if TYPE_CHECKING:
    from emulator.protocols import InstalledProtocol


def protocol_option(*, default: str | None, otherwise: str = "") -> Callable[[Any], Any]:
    """Add `--protocol`; `otherwise` says what holds without it where that is no fixed name."""
    return click.option(
        "--protocol",
        metavar="NAME",
        default=default,
        show_default=otherwise or True,
        help="The protocol that is spoken: vpump, or one that an installed package offers.",
    )


def protocol_named(name: str) -> InstalledProtocol:
    """The protocol that `--protocol` names; raises UsageFailure."""
    from emulator.protocols import installed_protocol

    with protocol_failures():
        return installed_protocol(name)


@contextlib.contextmanager
def protocol_failures() -> Iterator[None]:
    """Turn what is wrong with a protocol into the command's failure."""
    from emulator.protocols import KeysError, ProtocolError

    try:
        yield
    except KeysError as error:
        raise UsageFailure(f"--keys: {error}") from error
    except ProtocolError as error:
        raise UsageFailure(f"--protocol: {error}") from error
