"""Our own protocol through the seam: `protocol.device_end` and the dispatcher as one `WireProtocol`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from emulator import dispatcher, identity
from emulator.wire import (
    Direction,
    FrameCutter,
    Guard,
    LazyText,
    ModelRequest,
    Names,
    SessionChange,
    WireFrame,
    operation_names,
)
from firmware_model import commands
from firmware_model.commands import Command, Refusal, Reply
from firmware_model.profile import Profile
from firmware_model.pump_events import FlagsSet, PumpEvent
from protocol.channel import Opener, TagWrong, turned_tag
from protocol.device_end import DeviceEnd
from protocol.errands import Errand, FailureToNote, Request, SlowRequestDue, TelemetryWanted
from protocol.explain import FAULT_WORDS, explain, name_of
from protocol.frame import EVENT_FLAGS, Frame, FrameError, parse_body
from protocol.framing import DELIMITER, Piece, StreamReader
from protocol.keys import RoleKeys, test_keys
from protocol.makers import maker_of
from protocol.messages.codes import Role
from protocol.messages.link import HelloAnswer
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS
from protocol.refusals import Nak
from protocol.sessions import SessionEnded, SessionOpened
from protocol.streams import StreamLimits

_NOTHING = Piece(b"")
_NO_TOKEN = 0

FindOpener = Callable[[Frame], Opener | None]
"""What a secured frame can be read with, None if nobody here can."""


@dataclass(frozen=True, slots=True)
class VpumpFrame(WireFrame):
    """A frame of this protocol, with the piece of the stream that it was; `frame` is what a good one says."""

    piece: Piece = _NOTHING
    frame: Frame | None = None


_make_frame = maker_of(VpumpFrame)


class VpumpCutter:
    """Cuts and classifies one direction of a line."""

    def __init__(self, direction: Direction, find_opener: FindOpener = lambda _: None) -> None:
        self._direction = direction
        self._find_opener = find_opener
        self._reader = StreamReader()

    def feed(self, data: bytes, now: int) -> Iterable[WireFrame]:
        """The pieces that are complete with these bytes, whenever they came: no gap ends a frame.

        One may open the session in which the next is to be read, so each is classified only when it is taken.
        """
        del now
        return (classify(piece, self._direction, self._find_opener) for piece in self._reader.feed(data))

    def reset(self) -> None:
        """Forget an unfinished piece."""
        self._reader.reset()


def classify(piece: Piece, direction: Direction, find_opener: FindOpener = lambda _: None) -> VpumpFrame:
    """A piece of the stream as others may know it; a secured frame is read when somebody reads its words."""
    fault = piece.fault
    if (body := piece.body) is not None:
        try:
            frame = parse_body(body)
            name, effect = name_of(frame)
            opener = find_opener(frame) if frame.sealed else None
            words = LazyText(partial(_summary, body, frame, opener))
            if direction is Direction.ANSWER and frame.flags in EVENT_FLAGS:
                direction = Direction.EVENT
            sealed = bool(frame.sealed)
            return _make_frame(piece.raw, direction, name, effect, words, sealed=sealed, piece=piece, frame=frame)
        except FrameError as error:
            fault = error.fault
    if fault is None:
        return VpumpFrame(piece.raw, direction, silent=True, piece=piece)
    return VpumpFrame(piece.raw, direction, rejected=FAULT_WORDS[fault], piece=piece)


def _summary(body: bytes, frame: Frame, opener: Opener | None) -> str:
    return explain(body, _plain(frame, opener)).summary


def _plain(frame: Frame, opener: Opener | None) -> bytes | None:
    if opener is None:
        return None
    try:
        return opener.look(frame)
    except TagWrong:
        return None


class VpumpWire:
    """The pump's end of our protocol. `insecure`: no keys are asked, and HELLO says so. No keys: the published ones."""

    def __init__(self, profile: Profile, serial_number: int, *, insecure: bool, keys: RoleKeys | None = None) -> None:
        self._profile = profile
        self._serial_number = serial_number
        self._insecure = insecure
        self._role_keys = keys or test_keys(serial_number)
        limits = StreamLimits(profile.stream.period_min_s, profile.stream.period_max_s)
        self._end = DeviceEnd(
            hello=self._hello(self._role_keys), role_keys=self._role_keys, insecure=insecure, limits=limits
        )
        self._waiting: dict[int, Errand] = {}
        self._noted: list[Command] = []

    @property
    def names(self) -> Names:
        """The names of all operations, and of what the pump sends of its own accord."""
        return operation_names([row.name for row in OPERATIONS], [row.name for row in ANNOUNCEMENTS.values()])

    @property
    def session_open(self) -> bool:
        """Whether a client holds a session."""
        return self._end.session_open

    @property
    def guard(self) -> Guard:
        """Which keys protect the pump."""
        published = identity.are_published(self._serial_number, self._role_keys)
        return Guard.TEST_KEYS if published else Guard.OWN_KEYS

    def cutter(self, direction: Direction) -> FrameCutter:
        """A new cutter for one direction of a line."""
        return VpumpCutter(direction, partial(self._opener_of, direction))

    def line_opened(self, port: int, now: int) -> None:
        """A client opened the line."""
        self._end.line_opened(port, now)

    def line_closed(self, port: int, now: int) -> None:
        """The client is gone."""
        self._end.line_closed(port, now)

    def line_reading(self, port: int, now: int, *, reading: bool) -> None:
        """Whether the client takes what it is sent."""
        self._end.advance(now)
        self._end.streams.set_reading(port, reading=reading)

    def happened(self, event: PumpEvent, now: int) -> None:
        """Something happened in the pump: a flag that is newly set is told to who has subscribed in its role."""
        if isinstance(event, FlagsSet):
            self._end.advance(now)
            self._end.streams.flag_set(Role[event.role.name])

    def power_lost(self) -> None:
        """Everything volatile is gone."""
        self._end.power_lost()
        self._waiting.clear()
        self._noted.clear()

    def replace_keys(self, keys: Mapping[str, bytes]) -> None:
        """Other keys, all three of them, or none for the published ones; sessions under the old ones end."""
        role_keys = role_keys_of(keys) if keys else test_keys(self._serial_number)
        self._end.replace_keys(self._hello(role_keys), role_keys)
        self._role_keys = role_keys
        self._noted.append(commands.NoteKeysReplaced(self.guard is Guard.TEST_KEYS))

    def receive(self, port: int, frame: WireFrame, now: int) -> str:
        """Take one piece from the line; returns why it was silently rejected, or an empty text."""
        if not isinstance(frame, VpumpFrame):
            raise TypeError(f"a frame of another protocol: {frame!r}")
        fault = self._end.receive(port, frame.piece, now, frame.frame)
        return FAULT_WORDS[fault] if fault is not None and not frame.rejected else ""

    def next_request(self) -> ModelRequest | None:
        """The next command for the model."""
        if self._noted:
            return ModelRequest(_NO_TOKEN, self._noted.pop(0))
        errand = self._end.next_errand()
        if errand is None:
            return None
        if isinstance(errand, SlowRequestDue):
            request = self._waiting[errand.token] = errand.request
            return ModelRequest(errand.token, dispatcher.SLOW_ENDS[type(request.message)](request))
        if not isinstance(errand, FailureToNote):
            self._waiting[errand.token] = errand
        if isinstance(errand, Request):
            return ModelRequest(errand.token, dispatcher.COMMANDS[type(errand.message)](errand))
        return ModelRequest(errand.token, dispatcher.ERRANDS[type(errand)](errand))

    def reply(self, token: int, reply: Reply, now: int) -> None:
        """The model's outcome or refusal of a command."""
        self._end.advance(now)
        if token == _NO_TOKEN:
            return
        errand = self._waiting.pop(token)
        if isinstance(errand, Request) and (answer_to := dispatcher.ANSWERS.get(type(reply))) is not None:
            self._end.answer(token, answer_to(errand, reply))
            return
        match reply:
            case Refusal():
                self._end.refuse(token, _nak_of(errand, reply))
            case commands.SessionNumber(counter):
                self._end.number_session(token, counter)
            case commands.AttemptCounted(_, delay_s):
                self._end.check_attempt(token, delay_s)
            case commands.AttemptConfirmed(failures):
                self._end.open_session(token, failures)
            case commands.SelfTestBegun(until_us) if isinstance(errand, Request):
                self._end.slow.postpone(errand, now, until_us)
            case commands.TelemetryAnswer() if isinstance(errand, TelemetryWanted):
                self._end.streams.tell(token, dispatcher.stream_event(errand, reply))
            case _:
                raise TypeError(f"{reply!r} answers no {type(errand).__name__}")

    def next_session_change(self) -> SessionChange | None:
        """The next beginning or end of a session."""
        event = self._end.next_event()
        if event is None:
            return None
        return SessionChange(
            event.port,
            event.session,
            opened=isinstance(event, SessionOpened),
            reason=event.reason if isinstance(event, SessionEnded) else "",
            session_id=event.session_id,
            role=event.role.name.lower(),
            host_id=event.host_id,
        )

    def frames_to_send(self, port: int) -> list[bytes]:
        """Whole frames for the line."""
        return self._end.frames_to_send(port)

    def next_deadline(self) -> int | None:
        """When a session's silence runs out."""
        return self._end.next_deadline()

    def advance(self, now: int) -> None:
        """Let the wire's time-outs run out."""
        self._end.advance(now)

    def with_wrong_tag(self, raw: bytes) -> bytes:
        """A sealed frame, with a bit of its tag turned over."""
        return resealed(raw, turned_tag)

    def with_counter(self, raw: bytes, direction: Direction, by: int) -> bytes:
        """A sealed frame, with another counter and the tag that it has with it."""

        def recounted(frame: Frame) -> Frame:
            opener = self._opener_of(direction, frame)
            return frame if opener is None else opener.recounted(frame, by)

        return resealed(raw, recounted)

    def forget_session(self, port: int, now: int) -> None:
        """A client that has been silent for too long has lost its session."""
        self._end.advance(now)
        self._end.forget_session(port)

    def _hello(self, role_keys: RoleKeys) -> HelloAnswer:
        published = identity.are_published(self._serial_number, role_keys)
        return identity.hello(self._profile, self._serial_number, insecure=self._insecure, test_keys=published)

    def _opener_of(self, direction: Direction, frame: Frame) -> Opener | None:
        channel = self._end.channel_of(frame.session_id)
        if channel is None:
            return None
        return channel.requests if direction is Direction.REQUEST else channel.sent


def resealed(raw: bytes, change: Callable[[Frame], Frame]) -> bytes:
    """What a change makes of a sealed frame, with the checksum of the line made good; of anything else, nothing."""
    pieces = list(StreamReader().feed(raw))
    try:
        frame = parse_body(pieces[0].body or b"") if len(pieces) == 1 else None
        changed = change(frame).to_wire() if frame is not None and frame.sealed else raw
    except (FrameError, TagWrong):
        return raw
    # Of two frames in a row, the second may have no delimiter of its own before it.
    return changed if raw.startswith(DELIMITER) else changed.removeprefix(DELIMITER)


def role_keys_of(keys: Mapping[str, bytes]) -> RoleKeys:
    """Keys by the names of their roles. Raises ValueError, which shows no name: it may be a key in the wrong place."""
    try:
        return RoleKeys(MappingProxyType({Role[name.upper()]: key for name, key in keys.items()}))
    except KeyError:
        roles = ", ".join(role.name.lower() for role in Role)
        raise ValueError(f"one of the keys is for no role; roles are {roles}") from None


def _nak_of(errand: Errand, refusal: Refusal) -> Nak:
    if isinstance(errand, Request):
        return dispatcher.nak_of(errand, refusal)
    return Nak(dispatcher.NAKS[refusal.reason], detail=refusal.detail)
