"""What a person is told of a pump that stands still while it is programmed: before it does, and if it stays so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from emulator.cli.connection import LineHands
from emulator.cli.errors import Refused, say
from emulator.programmer.effects import read, run
from protocol.messages.codes import RunState, StopReason
from protocol.messages.link import CapsAnswer, CapsRequest
from protocol.messages.read import StatusAnswer, StatusRequest

LEFT_STANDING = (
    "therapy stands still since this program was begun, and the pump keeps the old one; "
    "'vpump therapy start' lets that run again."
)


def refuse_a_dry_run_that_stops(hands: LineHands) -> None:
    """Staging alone stops such a pump, if it runs: whoever only wants to look must not. Raises Refused."""
    caps = run(read(CapsRequest(), CapsAnswer), hands)
    if not caps.stops_while_programming:
        return
    if run(read(StatusRequest(), StatusAnswer), hands).run_state == RunState.RUNNING:
        raise Refused(
            "this pump stands still from the moment when a program is staged, so a dry run would stop therapy; "
            "nothing was changed.",
            code="stands_still",
        )


@contextlib.contextmanager
def standstill_told(hands: LineHands) -> Iterator[None]:
    """Whoever leaves before the program is committed is told, if the pump stands still by that."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit):
        with contextlib.suppress(Exception):
            if run(read(StatusRequest(), StatusAnswer), hands).stop_reason == StopReason.PROGRAM_INCOMPLETE:
                say(LEFT_STANDING)
        raise
