"""The latest events of a run, kept for whoever asks for them: a ring, and a place in it for each client.

Whoever reads too slowly, or asks too late, is told how many events have gone by. Nobody's reading holds anything up.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice
from typing import Final

from emulator.events import Event

RING_EVENTS: Final = 16_384
"""Events that are kept."""
BATCH_EVENTS: Final = 256
"""Events that one client is given at once, before others have their turn."""


class EventStream:
    """Takes every event, and hands out lines of JSON."""

    def __init__(self, ring_events: int = RING_EVENTS) -> None:
        self._ring: deque[Event] = deque(maxlen=ring_events)
        self._waiting: set[asyncio.Event] = set()
        self._closed = False

    def take(self, event: Event) -> None:
        """An observer of the run."""
        self._ring.append(event)
        for bell in self._waiting:
            bell.set()

    def close(self) -> None:
        """Nothing more happens: whoever follows is at the end."""
        self._closed = True
        for bell in self._waiting:
            bell.set()

    def lines(self, since: int) -> bytes:
        """All that is kept of the events with numbers above `since`."""
        parts = []
        while told := self._told(since):
            since, lines = told
            parts.append(lines)
        return b"".join(parts)

    async def follow(self, since: int) -> AsyncIterator[bytes]:
        """The events with numbers above `since`, also those to come, until the end of the run."""
        bell = asyncio.Event()
        self._waiting.add(bell)
        try:
            while True:
                bell.clear()
                while told := self._told(since):
                    since, lines = told
                    yield lines
                if self._closed:
                    return
                await bell.wait()
        finally:
            self._waiting.discard(bell)

    def _told(self, since: int) -> tuple[int, bytes] | None:
        """The number of the last of the next events, and their lines; None where there are none yet."""
        if not self._ring or self._ring[-1].number <= since:
            return None
        # Numbers have no gaps.
        start = max(0, since + 1 - self._ring[0].number)
        events = list(islice(self._ring, start, start + BATCH_EVENTS))
        dropped = events[0].number - since - 1
        documents: list[dict[str, object]] = [{"event": "dropped", "count": dropped}] if dropped else []
        documents += [event.as_json() for event in events]
        return events[-1].number, b"".join(map(_line, documents))


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
