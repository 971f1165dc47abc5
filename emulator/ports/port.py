"""What a port is: a line for one client at a time, and what it tells whoever serves it.

Ports work on an asyncio loop, in one thread. A sink answers a call at once: what a port is sent while it is inside
`received` belongs to the client that those bytes came from.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from emulator.ports.spec import PortSpec

# Bytes that wait for a client to read, beside those that the kernel holds.
QUEUE_LIMIT = 65536


class PortError(Exception):
    """A port could not be opened; its text is one sentence for the user."""


class Sink(Protocol):
    """Who is told what happens at a port."""

    def opened(self) -> None:
        """A client is there. It always comes after `closed` of the client before."""

    def closed(self) -> None:
        """The client is gone; all that it wrote has been given to `received`."""

    def received(self, data: bytes) -> None:
        """Bytes from the client."""

    def held(self) -> None:
        """Bytes wait here, because the client does not read for now. `flowing`, or the line's end, comes after it."""

    def flowing(self) -> None:
        """It has read: no bytes wait here any more."""

    def overrun(self) -> None:
        """The client does not read; what was queued for it has been thrown away."""


class Started:
    """What `start` gives a port: the loop that it works on, and the sink that it tells. A mixin."""

    _started: tuple[asyncio.AbstractEventLoop, Sink] | None = None

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._of_start()[0]

    @property
    def _sink(self) -> Sink:
        return self._of_start()[1]

    def _of_start(self) -> tuple[asyncio.AbstractEventLoop, Sink]:
        if self._started is None:
            raise RuntimeError("the port is not started, or it is closed")
        return self._started


class Port(Protocol):
    """A line that clients can open."""

    @property
    def spec(self) -> PortSpec:
        """What it was asked to be."""

    @property
    def url(self) -> str:
        """Where a client finds it, in the form that pyserial's `serial_for_url` takes."""

    @property
    def link(self) -> str | None:
        """The path of a symbolic link to it, if it has one."""

    def start(self, loop: asyncio.AbstractEventLoop, sink: Sink) -> None:
        """Begin to take clients."""

    def send(self, data: bytes) -> None:
        """Send to the client, if there is one. Never blocks; at most `QUEUE_LIMIT` bytes wait."""

    def break_line(self) -> None:
        """Take the line from its client, as a cable that is pulled does, and let nobody open it.

        Tells the sink nothing, and is never called within a call of the sink.
        """

    def mend_line(self) -> None:
        """Let clients open the line again, at the same place if it is to be had. Raises PortError."""

    def close(self) -> None:
        """Give everything back. Without effect the second time; tells the sink nothing."""
