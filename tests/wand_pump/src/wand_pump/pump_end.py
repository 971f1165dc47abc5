"""The pump's end: it hears one request, asks the model, and answers when the answer has gone over the air.

Half-duplex: from the end of a request to the end of its answer the pump hears nothing. Without sessions: whoever holds
a wand over it may do everything. Without a number for an intention: a request that is heard twice is done twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.wire import Direction, Guard, ModelRequest, Names, SessionChange, WireFrame, WireSetting, operation_names
from firmware_model.commands import Command, Reply
from firmware_model.pump_events import PumpEvent
from wand_pump.frames import Cutter, frame_of, parts_of
from wand_pump.messages import ACK, ANSWER_BIT, NAK, OPERATIONS, REFUSAL, Why, pack, unpack
from wand_pump.requests import PROCEDURES, Procedure, Refused

BITS_PER_SECOND = 4_800
BITS_PER_BYTE = 10
TURNAROUND_US = 5_000
_TOKEN = 1


class PumpEnd:
    """One pump under a wand."""

    def __init__(self, setting: WireSetting) -> None:
        self._setting = setting
        self._port = 0
        self._operation = 0
        self._procedure: Procedure | None = None
        self._command: Command | None = None
        self._answer = b""
        self._answered_at: int | None = None
        self._sent: list[bytes] = []

    @property
    def names(self) -> Names:
        """The names of all operations. Unasked, this pump says nothing."""
        return operation_names([operation.name for operation in OPERATIONS.values()])

    @property
    def session_open(self) -> bool:
        """There are no sessions; but an exchange takes the time that it takes."""
        return self._is_answering()

    @property
    def guard(self) -> Guard:
        """Nothing."""
        return Guard.NO_KEYS

    def cutter(self, direction: Direction) -> Cutter:
        """A cutter; that of the requests is deaf while the pump answers."""
        return Cutter(direction, self._is_answering) if direction is Direction.REQUEST else Cutter(direction)

    def line_opened(self, port: int, now: int) -> None:
        """Another wand, maybe: it is owed nothing."""
        self.line_closed(port, now)

    def line_closed(self, port: int, now: int) -> None:
        """Nobody is there to hear an answer."""
        del now
        if port == self._port:
            self._forget()

    def line_reading(self, port: int, now: int, *, reading: bool) -> None:
        """There is never more than one answer to keep for whoever does not read."""
        del port, now, reading

    def happened(self, event: PumpEvent, now: int) -> None:
        """Nothing is told that nobody has asked for."""
        del event, now

    def power_lost(self) -> None:
        """The answer is lost."""
        self._forget()

    def replace_keys(self, keys: Mapping[str, bytes]) -> None:
        """There are none."""
        del keys
        raise ValueError("the protocol wand has no keys")

    def receive(self, port: int, frame: WireFrame, now: int) -> str:
        """Hear a frame."""
        if frame.rejected:
            return ""
        if self._is_answering():
            return "came while the pump was answering"
        self._port = port
        self._operation, data = parts_of(frame.raw)
        known = OPERATIONS.get(self._operation)
        values = unpack(known.request, data) if known else None
        if values is None:
            self._refuse(Why.FORMAT, 0, now)
            return ""
        self._procedure = PROCEDURES[self._operation](self._setting, **values)
        self._go_on(None, now)
        return ""

    def next_request(self) -> ModelRequest | None:
        """The next command of the request in hand."""
        command, self._command = self._command, None
        return None if command is None else ModelRequest(_TOKEN, command)

    def reply(self, token: int, reply: Reply, now: int) -> None:
        """What the model says to it."""
        del token
        self._go_on(reply, now)

    def next_session_change(self) -> SessionChange | None:
        """There are no sessions."""
        return None

    def frames_to_send(self, port: int) -> list[bytes]:
        """The answer, once all of it has gone over the air."""
        if port != self._port:
            return []
        sent, self._sent = self._sent, []
        return sent

    def next_deadline(self) -> int | None:
        """When the last byte of the answer is out."""
        return self._answered_at

    def advance(self, now: int) -> None:
        """Time passes: the answer is out, and the pump hears again."""
        if self._answered_at is not None and self._answered_at <= now:
            self._sent = [self._answer]
            self._answered_at = None

    def _is_answering(self) -> bool:
        return self._procedure is not None or self._answered_at is not None

    def _go_on(self, reply: Reply | None, now: int) -> None:
        """Take the next step of the request in hand."""
        procedure = self._procedure
        if procedure is None:
            return
        try:
            self._command = next(procedure) if reply is None else procedure.send(reply)
        except StopIteration as done:
            answer = OPERATIONS[self._operation].answer
            self._answer_with(bytes((ACK,)) + pack(answer, done.value), now)
        except Refused as refused:
            self._refuse(refused.why, refused.limit, now)

    def _refuse(self, why: Why, limit: int, now: int) -> None:
        self._answer_with(bytes((NAK,)) + pack(REFUSAL, (why, limit)), now)

    def _answer_with(self, data: bytes, now: int) -> None:
        self._procedure = None
        self._answer = frame_of(self._operation | ANSWER_BIT, data)
        self._answered_at = now + TURNAROUND_US + len(self._answer) * BITS_PER_BYTE * 1_000_000 // BITS_PER_SECOND

    def _forget(self) -> None:
        self._procedure = self._command = self._answered_at = None
        self._sent = []
