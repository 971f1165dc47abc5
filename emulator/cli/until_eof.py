"""`serve --until-eof`: the pump ends with its standard input, and so with whoever holds the other end of it.

The system closes that end however its holder dies, so that a test run that is killed leaves no pump behind.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable

from emulator.cli.errors import UsageFailure

MOST_AT_ONCE_BYTES = 4_096
_STDIN = 0


def read_until_eof(*, until_eof: bool) -> bool:
    """--until-eof, which needs an input that has an end to wait for; raises UsageFailure."""
    if until_eof and not _can_be_waited_for():
        raise UsageFailure(
            "--until-eof: standard input is neither a pipe nor a terminal, so there is no end of it to wait for."
        )
    return until_eof


def when_standard_input_ends(end: Callable[[], object]) -> None:
    """Have the running event loop call `end` at the end of standard input; what comes before it means nothing."""
    import asyncio

    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            ended = not os.read(_STDIN, MOST_AT_ONCE_BYTES)
        except BlockingIOError:
            return
        except OSError:  # a terminal that is gone
            ended = True
        if ended:
            loop.remove_reader(_STDIN)
            end()

    loop.add_reader(_STDIN, read)


def _can_be_waited_for() -> bool:
    # None: it was closed, and its number may by now be somebody else's.
    if sys.stdin is None:
        return False
    mode = os.fstat(_STDIN).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(_STDIN)
