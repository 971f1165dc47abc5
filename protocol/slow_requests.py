"""Requests that take longer than a pump may be silent: PENDING in time, and the pump is asked again at the end.

Rules of this file:

- PENDING goes out at once, and again while it lasts: the host is never without a word for longer than it waits.
- It comes five times at most; what would take longer is a defect of the pump.
- A request whose token is dead is forgotten. A STOP ends all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.errands import Errands, Request, SlowRequestDue
from protocol.refusals import Nak, NakCode
from protocol.sessions import NEVER

# A host waits 500 ms for the first byte (P2), and 5 s behind each PENDING (P2*).
P2_US: Final = 500_000
PENDING_REPEAT_US: Final = 4_000_000
PENDINGS_MAX: Final = 5
LONGEST_US: Final = PENDINGS_MAX * PENDING_REPEAT_US


@dataclass(slots=True)
class _Slow:
    request: Request
    until_us: int
    pending_us: int = NEVER


class SlowRequests:
    """The requests that are being worked on. `refuse` sends a NAK for a token."""

    def __init__(self, errands: Errands, refuse: Callable[[int, Nak], None]) -> None:
        self._errands = errands
        self._refuse = refuse
        self._slow: dict[int, _Slow] = {}

    @property
    def due_us(self) -> int:
        """When something is next to be done, NEVER for nothing."""
        return min((min(each.until_us, each.pending_us) for each in self._live().values()), default=NEVER)

    def postpone(self, request: Request, now: int, until_us: int) -> None:
        """The request takes until then; ValueError for longer than five PENDINGs can tell."""
        if until_us - now > LONGEST_US:
            raise ValueError(f"{until_us - now} us are longer than a host waits; allowed are {LONGEST_US}")
        slow = self._slow[request.token] = _Slow(request, until_us)
        if until_us - now > P2_US:
            self._say_pending(slow, now)

    def advance(self, now: int) -> None:
        """Say PENDING where it is time, and ask the pump again where its work is done."""
        for token, slow in tuple(self._live().items()):
            if slow.until_us <= now:
                del self._slow[token]
                self._errands.queue.append(SlowRequestDue(slow.request))
            elif slow.pending_us <= now:
                self._say_pending(slow, now)

    def stop(self) -> None:
        """A STOP has halted the pump: whatever it was at is given up."""
        for token in tuple(self._live()):
            del self._slow[token]
            self._refuse(token, Nak(NakCode.PUMP_STOPPED))

    def _say_pending(self, slow: _Slow, now: int) -> None:
        slow.pending_us = now + PENDING_REPEAT_US
        self._refuse(slow.request.token, Nak(NakCode.PENDING))

    def _live(self) -> dict[int, _Slow]:
        self._slow = {token: slow for token, slow in self._slow.items() if token in self._errands.waiting}
        return self._slow
