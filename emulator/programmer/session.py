"""A session that lasts as long as a command: kept alive over pauses, and opened anew when it has died.

Rules of this file:

- What met a dead session is asked again only if asking twice is the same as asking once. A therapy command comes back
  as it was refused: the host's rules ask what became of it.
- A session is opened anew a few times between two pauses, so that two programs cannot end each other's for ever.
- Without a session, as on an INSECURE pump, everything is passed on as it is.
"""

from __future__ import annotations

from typing import Final

from emulator.programmer.link import LinkError, NobodyThere, SerialLink
from protocol.host_end import Answered, NoAnswer, Refused
from protocol.host_stream import Told
from protocol.messages.codes import Marks
from protocol.messages.link import KeepaliveRequest
from protocol.messages.operations import Effect, operation_of

MAX_REOPENINGS: Final = 3
KEEPALIVE_INTERVAL_US: Final = 60_000_000
"""The longest silence that we leave to a session; a pump ends it after 180 s."""

_AS_GOOD_TWICE: Final = frozenset({Effect.LINK, Effect.READ, Effect.ALARM})


class SessionLost(LinkError):
    """The pump ends each session as soon as it is open."""


class KeptSession:
    """Asks over a link, whether its session lives or not."""

    def __init__(self, link: SerialLink) -> None:
        self._link = link
        self._reopenings = 0

    def ask(self, message: object) -> Answered | Refused | NoAnswer:
        """What becomes of a request. Raises LinkError, such as the reason why no new session could be opened."""
        again = operation_of(message).effect in _AS_GOOD_TWICE
        while True:
            if self._link.session_lost:
                try:
                    self._reopen()
                except NobodyThere:
                    return NoAnswer(txn=0)
            reply = self._link.exchange(message)
            if not (again and self._link.session_lost):
                return reply

    def rest(self) -> None:
        """A pause: what ended sessions before it counts no more."""
        self._reopenings = 0

    def keep_alive(self) -> None:
        """Put off the end by silence; raises LinkBroke. A session that has ended all the same is opened when needed."""
        if self._link.session_open or Marks.INSECURE in self._link.hello.marks:
            self._link.exchange(KeepaliveRequest())

    def listen(self, patience_us: int) -> Told | None:
        """What the pump tells of its own accord within that time; raises LinkError.

        The session is kept alive meanwhile. One that has ended is told by silence, before its time.
        """
        while True:
            turn_us = max(0, min(patience_us, KEEPALIVE_INTERVAL_US - self._link.silent_us))
            told = self._link.listen(turn_us)
            if told is not None:
                self.rest()
                return told
            patience_us -= turn_us
            if patience_us <= 0 or self._link.session_lost:
                return None
            self.keep_alive()

    def _reopen(self) -> None:
        if self._reopenings >= MAX_REOPENINGS:
            raise SessionLost(
                f"pump {self._link.hello.serial_number:08X} has ended our session {MAX_REOPENINGS + 1} times; another "
                "command of this programmer may be at work on it."
            )
        self._reopenings += 1
        self._link.reopen_session()
