"""One line of the pump: whether a host is there, how far its handshake has come, and the frames that wait for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from protocol.handshake import Opening
from protocol.link_statistics import LinkCounters
from protocol.sessions import AuthAnswered

# Frames that wait to be fetched from one line; further ones are lost, as on a line that nobody reads.
FRAMES_HELD_MAX: Final = 64
# Of these, so many at most before another event is dropped: the rest is for answers.
EVENTS_HELD_MAX: Final = 16


@dataclass(slots=True)
class PumpLine:
    """`displaced`: INSECURE, and another has taken the one place. `authenticated`: an AUTH that opened no session.

    `reading`: the host takes what it is sent; while it does not, it is sent no events.
    """

    open: bool = False
    displaced: bool = False
    reading: bool = True
    opening: Opening | None = None
    authenticated: AuthAnswered | None = None
    counters: LinkCounters = field(default_factory=LinkCounters)
    frames: deque[bytes] = field(default_factory=deque)

    def forget_handshake(self) -> None:
        self.opening = self.authenticated = None

    def send(self, wire: bytes) -> None:
        if len(self.frames) < FRAMES_HELD_MAX:
            self.frames.append(wire)
            self.counters.frames_sent += 1

    def send_event(self, wire: bytes) -> None:
        if len(self.frames) < EVENTS_HELD_MAX:
            self.send(wire)

    def take_frames(self) -> list[bytes]:
        frames = list(self.frames)
        self.frames.clear()
        return frames
