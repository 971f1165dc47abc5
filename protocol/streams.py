"""The pump's side of subscriptions: which session is told what and how often, and the number that each event bears.

Rules of this file:

- A session has one subscription at most. Another SUBSCRIBE takes its place, and the numbers go on.
- An event is owed at SUBSCRIBE, at the end of each period, and when a flag of the session's role is newly set. While
  the pump is being asked for one, nothing else is owed.
- An event that is owed takes its number. Where the host does not read, it is dropped then and there; when he reads
  again, one more is owed at once.
- Events have no part in the order of requests, and do not put off the end by silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from protocol.channel import CounterExhausted
from protocol.errands import Errands, TelemetryWanted
from protocol.fields import encode, granted
from protocol.messages.codes import Role, TelemetryField
from protocol.messages.operations import EVENT
from protocol.messages.stream import (
    StreamEvent,
    SubscribeAnswer,
    SubscribeRequest,
    UnsubscribeAnswer,
    UnsubscribeRequest,
)
from protocol.pump_line import PumpLine
from protocol.refusals import Nak, NakCode
from protocol.sessions import NEVER, Session, Sessions, event_wire

ALL_FIELDS: Final = TelemetryField(sum(TelemetryField))
_FIELDS, _PERIOD = 0, 1
_US_PER_S: Final = 1_000_000


class StreamLimits(NamedTuple):
    """The periods that a pump grants."""

    period_min_s: int
    period_max_s: int


ANY_PERIOD: Final = StreamLimits(1, 0xFFFF)


class Streams:
    """The subscriptions of all sessions. Each lies in its session, and is gone with it."""

    def __init__(
        self,
        limits: StreamLimits,
        address: int,
        sessions: Sessions,
        lines: Mapping[int, PumpLine],
        errands: Errands,
    ) -> None:
        self._limits = limits
        self._address = address
        self._sessions = sessions
        self._lines = lines
        self._errands = errands

    def take(self, session: Session, request: SubscribeRequest | UnsubscribeRequest, now: int) -> bytes:
        """The payload that answers a request of a session, which then holds."""
        stream = session.stream
        if isinstance(request, UnsubscribeRequest):
            stream.fields, stream.asked, stream.due_us = None, 0, NEVER
            return granted(UnsubscribeAnswer(next_sequence=stream.next_sequence))
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal.encode()
        answer = granted(SubscribeAnswer(next_sequence=stream.next_sequence))
        stream.fields, stream.asked = request.fields, 0
        stream.period_us = request.period_s * _US_PER_S
        stream.due_us = now + stream.period_us
        self._owe(session)
        return answer

    def advance(self, now: int) -> None:
        """Owe what is due. Periods that went by unheard of are owed once."""
        for session in self._sessions.live:
            stream = session.stream
            if stream.due_us <= now:
                stream.due_us += ((now - stream.due_us) // stream.period_us + 1) * stream.period_us
                self._owe(session)

    def flag_set(self, role: Role) -> None:
        """A flag of this role is set that was not."""
        for session in self._sessions.live:
            if session.role is role:
                self._owe(session)

    def set_reading(self, port: int, *, reading: bool) -> None:
        """Whether the host of a line takes what it is sent. While it does not, it is sent no events."""
        line = self._lines.get(port)
        if line is None or line.reading is reading:
            return
        line.reading = reading
        for session in self._sessions.live:
            if reading and session.port == port and session.stream.dropped:
                self._owe(session)

    def tell(self, token: int, event: StreamEvent) -> None:
        """The event that was asked for under a token. Tokens that are unknown or dead are ignored."""
        for session in self._sessions.live:
            stream = session.stream
            if stream.asked != token or stream.fields is None:
                continue
            stream.asked = 0
            try:
                wire = event_wire(
                    session, self._address, EVENT.opcode, txn=event.stream_sequence & 0xFF, payload=encode(event)
                )
            except CounterExhausted:
                return
            self._lines[session.port].send_event(wire)
            return

    def _owe(self, session: Session) -> None:
        stream = session.stream
        if stream.fields is None or stream.asked:
            return
        sequence = stream.take_sequence()
        stream.dropped = not self._lines[session.port].reading
        if not stream.dropped:
            stream.asked = self._errands.number_token()
            self._errands.queue.append(TelemetryWanted(stream.asked, session.role, stream.fields, sequence))

    def _refusal(self, request: SubscribeRequest) -> Nak | None:
        least, most = self._limits
        if int(request.fields) & ~int(ALL_FIELDS):
            return Nak(NakCode.RANGE, _FIELDS, detail=ALL_FIELDS)
        if request.period_s < least:
            return Nak(NakCode.BELOW_MINIMUM, _PERIOD, detail=least)
        return Nak(NakCode.ABOVE_MAXIMUM, _PERIOD, detail=most) if request.period_s > most else None
