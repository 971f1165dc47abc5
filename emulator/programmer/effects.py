"""What a procedure of the programmer asks of the world, one effect at a time, and how a procedure is run.

A procedure is a generator: it yields effects, is sent their results, and returns what it found out. It does no I/O, so
the command line (a real disk, a real line) and the tests (lost frames, a host that dies at any effect) run the same
code.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from emulator.programmer.book import Book
from protocol.host_end import Answered, NoAnswer, Refused
from protocol.refusals import OUTSIDE_SEQUENCE, Nak

MAX_READ_ATTEMPTS = 8
BUSY_PAUSE_US = 100_000

T = TypeVar("T")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request and wait for what becomes of it; the result is a Reply."""

    message: object


@dataclass(frozen=True, slots=True)
class Keep:
    """Make the book durable; the procedure goes on only when it is."""

    book: Book


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass."""

    duration_us: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something to the person at once."""

    sentence: str


@dataclass(frozen=True, slots=True)
class LineLost:
    """The line broke while we waited, or before."""

    reason: str


Effect = Ask | Keep | Pause | Tell
Reply = Answered | Refused | NoAnswer | LineLost
Procedure = Generator[Effect, Any, T]


class Hands(Protocol):
    """Whoever carries effects out."""

    def ask(self, message: object) -> Reply:
        """Send a request, with retries, and wait."""

    def keep(self, book: Book) -> None:
        """Make the book durable."""

    def pause(self, duration_us: int) -> None:
        """Let time pass."""

    def tell(self, sentence: str) -> None:
        """Say something to the person."""


class NoPump(Exception):
    """No answer to be had; nothing that the procedure was about has happened by its doing."""


class PumpRefused(Exception):
    """The pump refused a request that changes nothing."""

    def __init__(self, nak: Nak, request: object) -> None:
        super().__init__(nak.code.name)
        self.nak = nak
        self.request = request


def run(procedure: Procedure[T], hands: Hands) -> T:
    """Carry out a procedure to its end."""
    reply: Reply | None = None
    try:
        while True:
            effect = procedure.send(reply)
            reply = None
            match effect:
                case Ask(message):
                    reply = hands.ask(message)
                case Keep(book):
                    hands.keep(book)
                case Pause(duration_us):
                    hands.pause(duration_us)
                case Tell(sentence):
                    hands.tell(sentence)
    except StopIteration as end:
        value: T = end.value
        return value


def read(request: object, answer: type[A]) -> Procedure[A]:
    """Ask something that changes nothing, again while the pump is busy; raises PumpRefused and NoPump."""
    for _ in range(MAX_READ_ATTEMPTS):
        reply: Reply = yield Ask(request)
        match reply:
            case Answered():
                if not isinstance(reply.message, answer):
                    raise NoPump(f"the pump answered with {type(reply.message).__name__} instead of {answer.__name__}")
                return reply.message
            case Refused():
                if reply.nak.code not in OUTSIDE_SEQUENCE:
                    raise PumpRefused(reply.nak, request)
                yield Pause(BUSY_PAUSE_US)
            case NoAnswer():
                raise NoPump("the pump does not answer")
            case LineLost():
                raise NoPump(reply.reason)
    raise NoPump("the pump stays busy with something else")
