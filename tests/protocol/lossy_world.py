"""A host, a pump that acknowledges alarms, and between them a line on which each frame has its fate."""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from protocol import keys
from protocol.channel import counter_of
from protocol.device_end import DeviceEnd
from protocol.errands import (
    AttemptToConfirm,
    AttemptToCount,
    Errand,
    Request,
    SessionNumberWanted,
    TelemetryWanted,
)
from protocol.frame import Flag
from protocol.framing import StreamReader
from protocol.host_end import Answered, HostEnd, HostEvent
from protocol.host_session import SessionWanted
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest
from protocol.messages.codes import AlarmState, Role, TelemetryField
from protocol.messages.link import HelloRequest
from protocol.refusals import Nak, NakCode
from protocol.sessions import SILENCE_US, SessionOpened
from tests.protocol.pump_line import ADDRESS, event_of, frame_of, hello_of

HOST_ID = 7
KEY = keys.test_keys(ADDRESS).of_role[Role.CLINICIAN]


class Fate(enum.Enum):
    PASSES = "passes"
    IS_LOST = "is lost"
    IS_DOUBLED = "is doubled"
    IS_DAMAGED = "is damaged"
    # Later frames overtake it.
    IS_LATE = "is late"
    IS_DOUBLED_LATE = "is doubled, and one of the two is late"


# What becomes of a frame: its copies, and which of them are late.
_COPIES = {
    Fate.PASSES: (False,),
    Fate.IS_LOST: (),
    Fate.IS_DOUBLED: (False, False),
    Fate.IS_DAMAGED: (False,),
    Fate.IS_LATE: (True,),
    Fate.IS_DOUBLED_LATE: (False, True),
}


@dataclass(order=True)
class Due:
    """Something that happens at a time, in the order in which it was set."""

    at_us: int
    order: int
    act: Callable[[], None] = field(compare=False)
    is_frame: bool = field(compare=False)


@dataclass
class World:
    """What runs out is ordinary: a frame passes, the pump answers at once. `None`: it never answers a request.

    `streaming`: with each frame that arrives at the pump it has something to tell of its own accord.
    """

    fates: Iterator[Fate]
    delays_us: Iterator[int | None] = field(default_factory=lambda: iter(()))
    late_us: Iterator[int] = field(default_factory=lambda: iter(()))
    insecure: bool = False
    streaming: bool = False
    now: int = 0
    host: HostEnd = field(default_factory=HostEnd)
    # The sessions that took each instance, and what was handed over under a txn of a session.
    taken: dict[int, list[int]] = field(default_factory=dict)
    txns: list[tuple[int, int, int]] = field(default_factory=list)
    seals: dict[tuple[int, bool, int], bytes] = field(default_factory=dict)
    salts: list[bytes] = field(default_factory=list)
    # Of the host's session: what the next event would be if none is missing.
    next_told: tuple[int, int] = (0, 1)
    due: list[Due] = field(default_factory=list)
    session_counter: int = 0
    _set: int = 0

    def __post_init__(self) -> None:
        self.pump = DeviceEnd(hello=hello_of(ADDRESS), role_keys=keys.test_keys(ADDRESS), insecure=self.insecure)
        self._reader = StreamReader()
        self.pump.line_opened(0, 0)
        assert isinstance(self.ask(HelloRequest(major=1, minor=0), undisturbed=True), Answered)

    def ask(self, message: object, *, undisturbed: bool = False) -> HostEvent:
        fates, self.fates = self.fates, iter(()) if undisturbed else self.fates
        self.host.request(message, self.now)
        event = self._outcome()
        self.fates = fates
        return event

    def acknowledge(self, instance: int) -> HostEvent:
        return self.ask(AlarmAckRequest(instance=instance))

    def open_session(self) -> HostEvent:
        self._set += 1
        challenge = self._set.to_bytes(8, "little")
        self.host.open_session(SessionWanted(Role.CLINICIAN, HOST_ID, KEY, challenge), self.now)
        return self._outcome()

    def heal(self) -> int:
        """From now on every frame passes and the pump answers at once; says how much is still to come of before."""
        self.fates, self.delays_us = iter(()), iter(())
        return len(self.due)

    def lose_power(self) -> None:
        self.pump.power_lost()

    def open_line_anew(self) -> None:
        """What was on the line is lost with it."""
        self.due = [each for each in self.due if not each.is_frame]
        self._reader.reset()
        self.pump.line_opened(0, self.now)

    def wait_out_silence(self) -> None:
        self._run_until(self.now + SILENCE_US)

    def _outcome(self) -> HostEvent:
        # 4 numberings of 4 copies, each extended by at most 5 PENDINGs, and what is late: far below this bound.
        for _ in range(1_000):
            self._settle()
            if (event := self.host.next_event()) is not None:
                return event
            deadline = self.host.next_deadline()
            assert deadline is not None, "a busy host has a deadline"
            self._run_until(min([deadline, *(each.at_us for each in self.due)]))
        raise AssertionError("the request never ended")

    def _run_until(self, now: int) -> None:
        while self.due and min(self.due).at_us <= now:
            self.now = max(self.now, min(self.due).at_us)
            self._settle()
        self.now = now
        self.pump.advance(now)
        self.host.advance(now)

    def _settle(self) -> None:
        """Let everything happen that happens now, until both ends are quiet."""
        while True:
            if data := self.host.data_to_send():
                self._carry(data, self._arrive_at_pump)
            for wire in self.pump.frames_to_send(0):
                self._carry(wire, self._arrive_at_host)
            if not self.due or min(self.due).at_us > self.now:
                return
            first = min(self.due)
            self.due.remove(first)
            first.act()

    def _set_due(self, delay_us: int, act: Callable[[], None], *, is_frame: bool = False) -> None:
        self._set += 1
        self.due.append(Due(self.now + delay_us, self._set, act, is_frame))

    def _carry(self, wire: bytes, arrive: Callable[[bytes], None]) -> None:
        self._note_seal(wire)
        fate = next(self.fates, Fate.PASSES)
        if fate is Fate.IS_DAMAGED:
            wire = wire[:5] + bytes((wire[5] ^ 0x40,)) + wire[6:]
        for is_late in _COPIES[fate]:
            delay_us = next(self.late_us, 1_000) if is_late else 0
            self._set_due(delay_us, lambda: arrive(wire), is_frame=True)

    def _note_seal(self, wire: bytes) -> None:
        """No counter is used twice under one key, unless by the very same frame."""
        frame = frame_of(wire)
        if Flag.SECURED in frame.flags:
            from_pump = bool(frame.flags & (Flag.RESP | Flag.EVENT))
            nonce = (frame.session_id, from_pump, counter_of(frame))
            assert self.seals.setdefault(nonce, wire) == wire, f"{nonce} was used twice"

    def _arrive_at_host(self, wire: bytes) -> None:
        self.host.receive(wire, self.now)
        while (told := self.host.next_told()) is not None:
            session, expected = self.next_told
            if session != self.host.session_id:
                session, expected = self.host.session_id, 1
            assert told.event.stream_sequence == expected + told.missed, "events rise, and what is missing is counted"
            self.next_told = session, told.event.stream_sequence + 1

    def _arrive_at_pump(self, wire: bytes) -> None:
        for piece in self._reader.feed(wire):
            self.pump.receive(0, piece, self.now)
        if self.streaming:
            for session in self.pump.sessions():
                session.stream.fields = TelemetryField(0)
                self.pump.streams.flag_set(session.role)
        self._serve()

    def _serve(self) -> None:
        while (errand := self.pump.next_errand()) is not None:
            if isinstance(errand, TelemetryWanted):
                self.pump.streams.tell(errand.token, event_of(errand))
                continue
            delay_us = next(self.delays_us, 0)
            if isinstance(errand, Request):
                instance = errand.message.instance
                self.taken.setdefault(instance, []).append(errand.session)
                self.txns.append((errand.session, errand.txn, instance))
                if delay_us is None:
                    continue
            self._set_due(delay_us or 0, lambda errand=errand: self._reply(errand))  # type: ignore[misc]
        while (event := self.pump.next_event()) is not None:
            if isinstance(event, SessionOpened) and (channel := self.pump.channel_of(event.session_id)) is not None:
                self.salts.append(channel.answers._salt)

    def _reply(self, errand: Errand) -> None:
        match errand:
            case SessionNumberWanted(token):
                self.session_counter += 1
                self.pump.number_session(token, self.session_counter)
            case AttemptToCount(token):
                self.pump.check_attempt(token, 0)
            case AttemptToConfirm(token):
                self.pump.open_session(token, 0)
            case Request():
                self._answer(errand.token, errand.message)
        self._serve()

    def _answer(self, token: int, message: Any) -> None:
        if message.instance % 5 == 0:
            self.pump.refuse(token, Nak(NakCode.NO_SUCH_ALARM, element=message.instance))
        else:
            self.pump.answer(token, AlarmAckAnswer(instance=message.instance, state=AlarmState.ACKNOWLEDGED))
