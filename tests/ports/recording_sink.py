"""A sink that records what a port tells it, answers whole lines of text, and lets a test wait for what it expects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from emulator.ports.port import Port

DEADLINE_S = 10


class RecordingSink:
    """Records; answers each `TEXT;` with `<TEXT>`, as a pump answers whole frames. A new line voids a half one."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes]] = []
        self.flow: list[str] = []
        self.port: Port | None = None
        self._partial = b""
        self._changed = asyncio.Event()

    def opened(self) -> None:
        self._note("opened")

    def closed(self) -> None:
        self._note("closed")

    def held(self) -> None:
        self.flow.append("held")
        self._changed.set()

    def flowing(self) -> None:
        self.flow.append("flowing")
        self._changed.set()

    def overrun(self) -> None:
        self._note("overrun")

    def received(self, data: bytes) -> None:
        *whole, self._partial = (self._partial + data).split(b";")
        if self.log and self.log[-1][0] == "received":
            self.log[-1] = ("received", self.log[-1][1] + data)
        else:
            self.log.append(("received", data))
        self._changed.set()
        for text in whole:
            if self.port is not None:
                self.port.send(b"<" + text + b">")

    def count(self, what: str) -> int:
        return sum(kind == what for kind, _ in self.log)

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.log]

    @property
    def bytes_received(self) -> bytes:
        return b"".join(data for _, data in self.log)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a report of the port makes it true."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_count(self, what: str, count: int) -> None:
        await self.until(lambda: self.count(what) >= count)

    def _note(self, what: str) -> None:
        self._partial = b""
        self.log.append((what, b""))
        self._changed.set()


async def readable(fd: int) -> None:
    """Wait until a descriptor can be read."""
    await _ready(fd, asyncio.get_running_loop().add_reader, asyncio.get_running_loop().remove_reader)


async def _ready(fd: int, add: Callable[..., None], remove: Callable[[int], object]) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done() -> None:
        if not future.done():
            future.set_result(None)

    add(fd, done)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await future
    finally:
        remove(fd)


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
