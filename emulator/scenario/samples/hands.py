"""Carries the effects of a sample programmer out, over a line of which time is virtual; a session when one is needed.

What met a dead session is asked again only if asking twice is the same as asking once, as `programmer.session` does it.
"""

from __future__ import annotations

from typing import Final, Protocol

from emulator.programmer.book import Book, BookError
from emulator.programmer.effects import NoPump, PumpRefused, Reply, run
from emulator.programmer.ledger import Host
from emulator.programmer.program_said import ProgramFileError
from emulator.programmer.programming import StageDiffers, StageGone
from emulator.scenario.samples.sample import Desk, Report, Sample, Shelf
from emulator.scenario.tasks import Task
from protocol.frame import MAJOR, MINOR
from protocol.host_end import Answered, HostEnd, HostEvent, NoAnswer, Refused, SessionReady
from protocol.host_session import SessionWanted
from protocol.keys import CHALLENGE_SIZE, test_keys
from protocol.messages.codes import Marks, Role
from protocol.messages.link import CloseRequest, HelloAnswer, HelloRequest
from protocol.messages.operations import Effect, operation_of
from protocol.refusals import Nak, NakCode

HOST_ID: Final = 0x5A4D_0001
ANOTHER_HOST_ID: Final = 0x5A4D_0002
MAX_REOPENINGS: Final = 3
PAUSE_US: Final = 5_000_000
"""How long it waits before it tries again to get a session that the pump does not open for now."""
MAX_TRIES: Final = 4
MAX_TOLD: Final = 200

_FOR_NOW = (NakCode.BUSY_OTHER_HOST, NakCode.DELAY, NakCode.CONDITIONS)
_AS_GOOD_TWICE = (Effect.LINK, Effect.READ, Effect.ALARM)


class SampleLine(Protocol):
    """A line to the pump, and the virtual time at it. Each call may raise what ends the programmer."""

    @property
    def now_us(self) -> int:
        """The virtual time."""

    def open(self) -> None:
        """Open the line."""

    def close(self) -> None:
        """Leave it."""

    def send(self, data: bytes) -> None:
        """Send to the pump."""

    def receive(self, until_us: int) -> bytes:
        """What has come; while nothing has, time passes up to `until_us`, and then it is empty."""

    def rest(self, duration_us: int) -> None:
        """Let time pass."""


class SampleHands:
    """One process of a sample programmer."""

    def __init__(self, line: SampleLine, shelf: Shelf, role: Role, host_id: int = HOST_ID) -> None:
        self._line = line
        self._shelf = shelf
        self._role = role
        self._host_id = host_id
        self._end = HostEnd()
        self._secured = False
        self._reopenings = 0
        self._has_had_session = False
        self.serial_number = 0
        self.sentences: list[str] = []

    def greet(self) -> None:
        """Find out which pump this is; raises NoPump."""
        reply = self._exchange_clear(HelloRequest(major=MAJOR, minor=MINOR))
        if not (isinstance(reply, Answered) and isinstance(reply.message, HelloAnswer)):
            raise NoPump("no pump answers")
        self.serial_number = reply.message.serial_number
        self._secured = Marks.INSECURE not in reply.message.marks

    @property
    def host_id(self) -> int:
        """The number that it goes by: without keys that of all hosts."""
        return self._host_id if self._secured else 0

    def ask(self, message: object) -> Reply:
        """Send a request, with retries, and wait."""
        if not self._secured:
            return self._exchange_clear(message)
        if isinstance(message, CloseRequest):
            return self._take_leave(message)
        again = operation_of(message).effect in _AS_GOOD_TWICE
        while True:
            if not self._end.session_id:
                failed = self._open_session()
                if failed is not None:
                    return failed
            self._end.request(message, self._line.now_us)
            reply = self._until_ended()
            if not (again and not self._end.session_id):
                return _reply_of(reply)

    def keep(self, book: Book) -> None:
        """Make the book durable."""
        self._shelf.books[book.serial_number] = book

    def pause(self, duration_us: int) -> None:
        """Let time pass."""
        self._reopenings = 0
        self._line.rest(duration_us)

    def tell(self, sentence: str) -> None:
        """Say something to the person."""
        if len(self.sentences) < MAX_TOLD:
            self.sentences.append(sentence)

    def _take_leave(self, message: CloseRequest) -> Reply:
        """End the session, if there is one; the next one is no reopening."""
        reply: HostEvent = NoAnswer(0)
        if self._end.session_id:
            self._end.request(message, self._line.now_us)
            reply = self._until_ended()
        self._end.forget_session()
        self._has_had_session = False
        return _reply_of(reply)

    def _exchange_clear(self, message: object) -> Reply:
        self._end.request(message, self._line.now_us)
        return _reply_of(self._until_ended())

    def _until_ended(self) -> HostEvent:
        end, line = self._end, self._line
        while (event := end.next_event()) is None:
            if request := end.data_to_send():
                line.send(request)
            deadline_us = end.next_deadline()
            assert deadline_us is not None  # noqa: S101 - a request is in hand
            if data := line.receive(deadline_us):
                end.receive(data, line.now_us)
            else:
                end.advance(max(deadline_us, line.now_us))
        return event

    def _open_session(self) -> Reply | None:
        """A session; or the reply to what was to be asked in it."""
        if self._reopenings >= MAX_REOPENINGS:
            raise NoPump("the pump ends each session as soon as it is open")
        self._reopenings += self._has_had_session
        for _ in range(MAX_TRIES):
            hello = self._exchange_clear(HelloRequest(major=MAJOR, minor=MINOR))
            if not isinstance(hello, Answered):
                return NoAnswer(0)
            self._end.open_session(self._wanted(), self._line.now_us)
            match self._until_ended():
                case SessionReady():
                    self._has_had_session = True
                    return None
                case NoAnswer():
                    return NoAnswer(0)
                case Refused(nak) if nak.code in _FOR_NOW:
                    self._line.rest(PAUSE_US)
                case Refused(nak):
                    raise NoPump(f"the pump opens no session ({nak.code.name})")
                case _:
                    raise NoPump("the pump does not hold our key")
        raise NoPump("the pump opens no session for now")

    def _wanted(self) -> SessionWanted:
        self._shelf.challenges += 1
        return SessionWanted(
            role=self._role,
            host_id=self.host_id,
            key=test_keys(self.serial_number).of_role[self._role],
            challenge=self._shelf.challenges.to_bytes(CHALLENGE_SIZE, "little"),
        )


def carry_out_task(
    sample: Sample,
    task: Task,
    line: SampleLine,
    shelf: Shelf,
    role: str,
    programs: ProgramReader,
    host_id: int = HOST_ID,
) -> Report:
    """A process of a sample programmer, from the opening of its line to its report."""
    hands = SampleHands(line, shelf, Role[role.upper()], host_id)
    line.open()
    try:
        hands.greet()
        book = shelf.books.get(hands.serial_number) or Book(serial_number=hands.serial_number)
        desk = Desk(Host(book, Role[role.upper()], hands.host_id), shelf, programs)
        report = run(sample.tasks[task.word](desk, task), hands)
    except (NoPump, BookError, ProgramFileError, StageDiffers, StageGone) as error:
        report = {"outcome": "failed", "reason": str(error)}
    except PumpRefused as refused:
        report = refusal_report(refused.nak)
    line.close()
    return {**report, "said": hands.sentences} if hands.sentences else report


class ProgramReader(Protocol):
    """Who has the bytes of a program by its name."""

    def __call__(self, name: str, /) -> bytes:
        """The bytes; raises KeyError."""


def refusal_report(nak: Nak) -> Report:
    """What is told of a refusal: its code, and the detail that came with it, such as the limit."""
    return {"outcome": "refused", "refusal": nak.code.name.lower(), "detail": nak.detail}


def _reply_of(event: HostEvent) -> Reply:
    if isinstance(event, Answered | Refused | NoAnswer):
        return event
    raise NoPump("the pump answered with something else")
