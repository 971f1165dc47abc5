"""The order of OPEN and AUTH on one line: what becomes of each that arrives, as a table.

A line holds the last OPEN that was answered (its *opening*), until an AUTH for it has been checked, and at most one
OPEN or AUTH that is still with the pump. An AUTH that was answered is held until the next OPEN, or while its session
lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from protocol.errands import Token
from protocol.handshake import Opening
from protocol.messages.link import AuthRequest, OpenRequest
from protocol.refusals import NakCode
from protocol.sessions import Asked, AuthAnswered


class HandshakeState(StrEnum):
    """Where a line is in its handshake."""

    IDLE = "no handshake"
    NUMBERING = "OPEN is with the pump"
    CHALLENGED = "challenged"
    RENUMBERING = "challenged, and another OPEN is with the pump"
    CHECKING = "AUTH is with the pump"


class HandshakeArrival(StrEnum):
    """What arrives, by what came before it."""

    OPEN = "OPEN"
    OPEN_IN_HAND = "the OPEN that is with the pump again"
    OPEN_ANSWERED = "the OPEN that was answered last again"
    AUTH = "AUTH"
    AUTH_IN_HAND = "the AUTH that is with the pump again"
    AUTH_ANSWERED = "an AUTH that was answered again"


class HandshakeVerdict(StrEnum):
    """What the pump does with it."""

    TAKE = "takes it"
    ANSWER_AGAIN = "sends the same answer again"
    PENDING = "NAK 78 PENDING"
    BUSY = "NAK 21 BUSY"
    CONDITIONS = "NAK 22 CONDITIONS"


class HandshakeEnd(StrEnum):
    """How what is with the pump comes to its end."""

    NUMBERED = "the pump gives its challenge"
    REFUSED = "NAK 37 DELAY or 72 MEMORY_FAILURE"
    RIGHT = "the cryptogram is right and the place is free, so the session begins"
    TAKEN = "NAK B2 BUSY_OTHER_HOST"
    WRONG = "NAK 35 KEY or 36 ATTEMPTS"
    FORGOTTEN = "power goes, or the keys are replaced"


HANDSHAKE: Final[Mapping[tuple[HandshakeState, HandshakeArrival], tuple[HandshakeVerdict, HandshakeState]]] = (
    MappingProxyType(
        {
            (HandshakeState.IDLE, HandshakeArrival.OPEN): (HandshakeVerdict.TAKE, HandshakeState.NUMBERING),
            (HandshakeState.IDLE, HandshakeArrival.AUTH): (HandshakeVerdict.CONDITIONS, HandshakeState.IDLE),
            (HandshakeState.NUMBERING, HandshakeArrival.OPEN): (HandshakeVerdict.TAKE, HandshakeState.NUMBERING),
            (HandshakeState.NUMBERING, HandshakeArrival.OPEN_IN_HAND): (
                HandshakeVerdict.PENDING,
                HandshakeState.NUMBERING,
            ),
            (HandshakeState.NUMBERING, HandshakeArrival.AUTH): (HandshakeVerdict.BUSY, HandshakeState.NUMBERING),
            (HandshakeState.CHALLENGED, HandshakeArrival.OPEN): (HandshakeVerdict.TAKE, HandshakeState.RENUMBERING),
            (HandshakeState.CHALLENGED, HandshakeArrival.OPEN_ANSWERED): (
                HandshakeVerdict.ANSWER_AGAIN,
                HandshakeState.CHALLENGED,
            ),
            (HandshakeState.CHALLENGED, HandshakeArrival.AUTH): (HandshakeVerdict.TAKE, HandshakeState.CHECKING),
            (HandshakeState.RENUMBERING, HandshakeArrival.OPEN): (HandshakeVerdict.TAKE, HandshakeState.RENUMBERING),
            (HandshakeState.RENUMBERING, HandshakeArrival.OPEN_IN_HAND): (
                HandshakeVerdict.PENDING,
                HandshakeState.RENUMBERING,
            ),
            (HandshakeState.RENUMBERING, HandshakeArrival.OPEN_ANSWERED): (
                HandshakeVerdict.ANSWER_AGAIN,
                HandshakeState.RENUMBERING,
            ),
            (HandshakeState.RENUMBERING, HandshakeArrival.AUTH): (HandshakeVerdict.BUSY, HandshakeState.RENUMBERING),
            (HandshakeState.CHECKING, HandshakeArrival.OPEN): (HandshakeVerdict.TAKE, HandshakeState.RENUMBERING),
            (HandshakeState.CHECKING, HandshakeArrival.OPEN_ANSWERED): (
                HandshakeVerdict.ANSWER_AGAIN,
                HandshakeState.CHECKING,
            ),
            (HandshakeState.CHECKING, HandshakeArrival.AUTH): (HandshakeVerdict.BUSY, HandshakeState.CHECKING),
            (HandshakeState.CHECKING, HandshakeArrival.AUTH_IN_HAND): (
                HandshakeVerdict.PENDING,
                HandshakeState.CHECKING,
            ),
            **{
                (state, HandshakeArrival.AUTH_ANSWERED): (HandshakeVerdict.ANSWER_AGAIN, state)
                for state in HandshakeState
            },
        }
    )
)

HANDSHAKE_ENDS: Final[Mapping[tuple[HandshakeState, HandshakeEnd], HandshakeState]] = MappingProxyType(
    {
        (HandshakeState.NUMBERING, HandshakeEnd.NUMBERED): HandshakeState.CHALLENGED,
        (HandshakeState.NUMBERING, HandshakeEnd.REFUSED): HandshakeState.IDLE,
        (HandshakeState.RENUMBERING, HandshakeEnd.NUMBERED): HandshakeState.CHALLENGED,
        (HandshakeState.RENUMBERING, HandshakeEnd.REFUSED): HandshakeState.CHALLENGED,
        (HandshakeState.CHECKING, HandshakeEnd.RIGHT): HandshakeState.IDLE,
        (HandshakeState.CHECKING, HandshakeEnd.TAKEN): HandshakeState.IDLE,
        (HandshakeState.CHECKING, HandshakeEnd.WRONG): HandshakeState.IDLE,
        (HandshakeState.CHECKING, HandshakeEnd.REFUSED): HandshakeState.CHALLENGED,
        **{(state, HandshakeEnd.FORGOTTEN): HandshakeState.IDLE for state in HandshakeState},
    }
)


NAKS: Final[Mapping[HandshakeVerdict, NakCode]] = MappingProxyType(
    {
        HandshakeVerdict.PENDING: NakCode.PENDING,
        HandshakeVerdict.BUSY: NakCode.BUSY,
        HandshakeVerdict.CONDITIONS: NakCode.CONDITIONS,
    }
)


def state_of(opening: Opening | None, underway: Token | None) -> HandshakeState:
    """Where a line is, by the OPEN that it has answered and by what of it is with the pump."""
    if underway is not None and underway.operation.name == "AUTH":
        return HandshakeState.CHECKING
    if underway is not None:
        return HandshakeState.NUMBERING if opening is None else HandshakeState.RENUMBERING
    return HandshakeState.IDLE if opening is None else HandshakeState.CHALLENGED


def arrival_of(
    opening: Opening | None,
    underway: Token | None,
    stored: AuthAnswered | None,
    asked: Asked,
    message: OpenRequest | AuthRequest,
) -> HandshakeArrival:
    """What an OPEN or AUTH is. `stored`: the AUTH that was answered, if it is this one."""
    in_hand = underway is not None and underway.asked == asked
    if isinstance(message, OpenRequest):
        if opening is not None and opening.request == message:
            return HandshakeArrival.OPEN_ANSWERED
        return HandshakeArrival.OPEN_IN_HAND if in_hand else HandshakeArrival.OPEN
    if stored is not None:
        return HandshakeArrival.AUTH_ANSWERED
    return HandshakeArrival.AUTH_IN_HAND if in_hand else HandshakeArrival.AUTH


def verdict_on(
    opening: Opening | None,
    underway: Token | None,
    stored: AuthAnswered | None,
    asked: Asked,
    message: OpenRequest | AuthRequest,
) -> HandshakeVerdict:
    """What is done with an OPEN or AUTH that has arrived."""
    verdict, _ = HANDSHAKE[state_of(opening, underway), arrival_of(opening, underway, stored, asked, message)]
    return verdict


def keeps_opening(state: HandshakeState, end: HandshakeEnd) -> bool:
    """Whether the OPEN that was answered is good for an AUTH behind this end."""
    return HANDSHAKE_ENDS[state, end] is HandshakeState.CHALLENGED
