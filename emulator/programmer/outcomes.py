"""What became of an intention: taken, not taken, or unknown; and how each is written into the book."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from emulator.programmer.book import BookedOutcome
from protocol.messages.codes import OpState
from protocol.refusals import Nak


class Why(Enum):
    """Why an intention is known not to have been taken."""

    REFUSED = "the pump refused it"
    NOT_SEEN = "the pump never received it"
    NEVER_TAKEN = "the pump never took it, and never will"
    OTHER_COMMAND = "another command has taken its op id"


@dataclass(frozen=True, slots=True)
class Taken:
    """It happened once; `state` says how far. Minimum and maximum differ only after a power cut."""

    state: OpState
    min_nl: int = 0
    max_nl: int = 0


@dataclass(frozen=True, slots=True)
class NotTaken:
    """It did not happen, and no copy of it can make it happen."""

    why: Why
    nak: Nak | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say. `final`: asking again will not help, so a person must book it."""

    reason: str
    final: bool


Outcome = Taken | NotTaken | Unknown


def to_booked(outcome: Outcome) -> BookedOutcome:
    """An outcome as the book holds it."""
    match outcome:
        case Taken():
            return BookedOutcome(
                kind="taken", state=outcome.state.name.lower(), min_nl=outcome.min_nl, max_nl=outcome.max_nl
            )
        case NotTaken():
            nak = outcome.nak.encode().hex() if outcome.nak is not None else ""
            return BookedOutcome(kind="not_taken", reason=outcome.why.name.lower(), nak=nak)
        case Unknown():
            return BookedOutcome(kind="unknown", reason=outcome.reason)


def from_booked(booked: BookedOutcome) -> Outcome:
    """The outcome that the book holds; ValueError if no version of ours wrote it."""
    try:
        if booked.kind == "taken":
            return Taken(OpState[booked.state.upper()], booked.min_nl, booked.max_nl)
        if booked.kind == "not_taken":
            nak = Nak.decode(bytes.fromhex(booked.nak)) if booked.nak else None
            return NotTaken(Why[booked.reason.upper()], nak)
    except KeyError as error:
        raise ValueError(f"{error} is no state of an operation") from error
    # Only what asking again cannot change is booked as unknown.
    return Unknown(booked.reason, final=True)
