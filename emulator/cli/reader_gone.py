"""Whoever reads what a command says has gone: `… | head` ends a command that waits for more, as it does `tail -f`.

A system tells of it at the next line that is written, and there may never be one.
"""

from __future__ import annotations

import os
import select
import threading
from typing import Final

from emulator.cli import EXIT_BROKEN_PIPE

_STDOUT: Final = 1


def nobody_reads(wait_ms: int | None = 0) -> bool:
    """Whether the other end of standard output has gone, or goes within so many milliseconds; None for however long."""
    gone = select.poll()
    gone.register(_STDOUT, 0)  # that it has gone is told in any case
    return any(told & (select.POLLERR | select.POLLHUP) for _, told in gone.poll(wait_ms))


def end_when_nobody_reads() -> None:
    """Let the process end then, wherever it waits. For a command that leaves nothing behind."""

    def watch() -> None:
        if nobody_reads(None):
            os._exit(EXIT_BROKEN_PIPE)

    threading.Thread(target=watch, name="reader", daemon=True).start()
