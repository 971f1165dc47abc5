"""Our own protocol through the seam: `protocol.device_end` and the dispatcher as one `WireProtocol`."""

from __future__ import annotations

from dataclasses import dataclass

from emulator import dispatcher, identity
from emulator.wire import Direction, FrameCutter, LazyText, ModelRequest, SessionChange, WireFrame
from firmware_model.commands import Refusal, Reply
from firmware_model.profile import Profile
from protocol.device_end import DeviceEnd, Request, SessionEnded, SessionOpened
from protocol.explain import FAULT_WORDS, explain, name_of
from protocol.frame import FrameError, parse_body
from protocol.framing import Piece, StreamReader
from protocol.messages.link import HelloRequest, LinkStatsRequest
from protocol.messages.operations import OPERATIONS

_NOTHING = Piece(b"")


@dataclass(frozen=True, slots=True)
class VpumpFrame(WireFrame):
    """A frame of this protocol, with the piece of the stream that it was."""

    piece: Piece = _NOTHING


class VpumpCutter:
    """Cuts and classifies one direction of a line."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._reader = StreamReader()

    def feed(self, data: bytes) -> list[WireFrame]:
        """The pieces that are complete with these bytes."""
        return [classify(piece, self._direction) for piece in self._reader.feed(data)]

    def reset(self) -> None:
        """Forget an unfinished piece."""
        self._reader.reset()


def classify(piece: Piece, direction: Direction) -> VpumpFrame:
    """A piece of the stream as others may know it."""
    fault = piece.fault
    if (body := piece.body) is not None:
        try:
            name, effect = name_of(parse_body(body))
            return VpumpFrame(piece.raw, direction, name, effect, LazyText(lambda: explain(body).summary), piece=piece)
        except FrameError as error:
            fault = error.fault
    if fault is None:
        return VpumpFrame(piece.raw, direction, silent=True, piece=piece)
    return VpumpFrame(piece.raw, direction, rejected=FAULT_WORDS[fault], piece=piece)


class VpumpWire:
    """The pump's end of our protocol. `insecure`: no keys are asked, and HELLO says so."""

    def __init__(self, profile: Profile, serial_number: int, *, insecure: bool) -> None:
        self._end = DeviceEnd(address=serial_number, insecure=insecure)
        self._hello = identity.hello(profile, serial_number, insecure=insecure)
        self._waiting: dict[int, Request] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all operations."""
        return tuple(operation.name for operation in OPERATIONS)

    @property
    def session_open(self) -> bool:
        """Whether a client holds a session."""
        return self._end.session_open

    def cutter(self, direction: Direction) -> FrameCutter:
        """A new cutter for one direction of a line."""
        return VpumpCutter(direction)

    def line_opened(self, port: int, now: int) -> None:
        """A client opened the line."""
        self._end.line_opened(port, now)

    def line_closed(self, port: int, now: int) -> None:
        """The client is gone."""
        self._end.line_closed(port, now)

    def power_lost(self) -> None:
        """Everything volatile is gone."""
        self._end.power_lost()
        self._waiting.clear()

    def receive(self, port: int, frame: WireFrame, now: int) -> str:
        """Take one piece from the line; returns why it was silently rejected, or an empty text."""
        if not isinstance(frame, VpumpFrame):
            raise TypeError(f"a frame of another protocol: {frame!r}")
        fault = self._end.receive(port, frame.piece, now)
        return FAULT_WORDS[fault] if fault is not None and not frame.rejected else ""

    def next_request(self) -> ModelRequest | None:
        """The next command for the model; what is the wire's own is answered on the way."""
        while (request := self._end.next_request()) is not None:
            if isinstance(request.message, HelloRequest):
                self._end.answer(request.token, self._hello)
            elif isinstance(request.message, LinkStatsRequest):
                self._end.answer(request.token, self._end.stats(request.port).to_answer())
            else:
                self._waiting[request.token] = request
                return ModelRequest(request.token, dispatcher.COMMANDS[type(request.message)](request))
        return None

    def reply(self, token: int, reply: Reply, now: int) -> None:
        """The model's outcome or refusal of a command."""
        self._end.advance(now)
        request = self._waiting.pop(token)
        if isinstance(reply, Refusal):
            self._end.refuse(token, dispatcher.nak_of(request, reply))
        else:
            self._end.answer(token, dispatcher.ANSWERS[type(reply)](request, reply))

    def next_session_change(self) -> SessionChange | None:
        """The next beginning or end of a session."""
        match self._end.next_event():
            case SessionOpened(port, session):
                return SessionChange(port, session, opened=True)
            case SessionEnded(port, session, reason):
                return SessionChange(port, session, opened=False, reason=reason)
            case None:
                return None

    def frames_to_send(self, port: int) -> list[bytes]:
        """Whole frames for the line."""
        return self._end.frames_to_send(port)

    def next_deadline(self) -> int | None:
        """When a session's silence runs out."""
        return self._end.next_deadline()

    def advance(self, now: int) -> None:
        """Let the wire's time-outs run out."""
        self._end.advance(now)
