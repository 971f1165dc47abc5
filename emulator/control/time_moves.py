"""The moves of virtual time that clients ask for, one after another.

A move that has begun goes on when its client goes away: where time stands afterwards depends on what was asked for, and
never on how long a client waited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from emulator.control.contract import Serving
from emulator.control.refusal import RequestError

T = TypeVar("T")


class Moves(Protocol):
    """Makes moves of one pump's time, none of them within another."""

    async def run(self, move: Coroutine[Any, Any, T]) -> tuple[T, int]:
        """Make a move; returns its result, and the virtual time at which it ended."""


class TimeMoves:
    """Serialises the moves of one pump, and ends them when the control plane stops."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        # The number of those that wait is bounded by the server's bound on connections.
        self._turn = asyncio.Lock()
        self._moving: asyncio.Task[Any] | None = None
        self._stopped = False

    async def run(self, move: Coroutine[Any, Any, T]) -> tuple[T, int]:
        """Make a move in its turn; returns its result, and the virtual time at which it ended."""
        try:
            async with self._turn:
                if self._stopped:
                    raise _shutting_down()
                self._moving = asyncio.create_task(move)
                try:
                    # `wait` and not `await`: whoever cancels this request does not cancel the move.
                    await asyncio.wait({self._moving})
                    if self._moving.cancelled():
                        raise _shutting_down()
                    # The next move cannot begin before this one's end has been read.
                    return self._moving.result(), self._serving.now_us()
                finally:
                    self._moving = None
        finally:
            # Without effect on a move that was made; one that never began must not complain about it.
            move.close()

    def stop(self) -> None:
        """End the move that is being made, and refuse those that wait and all that come."""
        self._stopped = True
        if self._moving is not None:
            self._moving.cancel()


def _shutting_down() -> RequestError:
    return RequestError(409, "the pump is shutting down, and time no longer moves")
