"""The order of a session's sequenced requests: what becomes of each that arrives, as a table.

The pump remembers, per session, the last request that it has answered for good and its answer (`last`), and the one
that it has taken and not answered yet (`unanswered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from protocol.refusals import NakCode
from protocol.sessions import Asked, Session


class TxnState(StrEnum):
    """Where a session is in its order."""

    FIRST = "nothing asked yet"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


class Arrival(StrEnum):
    """What a request is, by what came before it."""

    NEXT = "the next txn, or the first of the session"
    SAME = "the same txn, opcode and payload again"
    OTHER = "anything else"


class Verdict(StrEnum):
    """What the pump does with it."""

    TAKE = "takes it"
    ANSWER_AGAIN = "sends the stored answer again"
    SEQUENCE = "NAK 24 SEQUENCE"
    PENDING = "NAK 78 PENDING"
    BUSY = "NAK 21 BUSY"


_FIRST, _ANSWERED, _UNANSWERED, _NEXT = TxnState.FIRST, TxnState.ANSWERED, TxnState.UNANSWERED, Arrival.NEXT

ORDER: Final[Mapping[tuple[TxnState, Arrival], tuple[Verdict, TxnState]]] = MappingProxyType(
    {
        (TxnState.FIRST, Arrival.NEXT): (Verdict.TAKE, TxnState.UNANSWERED),
        (TxnState.ANSWERED, Arrival.NEXT): (Verdict.TAKE, TxnState.UNANSWERED),
        (TxnState.ANSWERED, Arrival.SAME): (Verdict.ANSWER_AGAIN, TxnState.ANSWERED),
        (TxnState.ANSWERED, Arrival.OTHER): (Verdict.SEQUENCE, TxnState.ANSWERED),
        (TxnState.UNANSWERED, Arrival.SAME): (Verdict.PENDING, TxnState.UNANSWERED),
        (TxnState.UNANSWERED, Arrival.OTHER): (Verdict.BUSY, TxnState.UNANSWERED),
    }
)
NAKS: Final[Mapping[Verdict, NakCode]] = MappingProxyType(
    {Verdict.SEQUENCE: NakCode.SEQUENCE, Verdict.PENDING: NakCode.PENDING, Verdict.BUSY: NakCode.BUSY}
)
WHEN_ANSWERED: Final = TxnState.ANSWERED
"""Where a final answer leads, whether it grants or refuses. BUSY, SEQUENCE and PENDING are none."""


def state_of(session: Session) -> TxnState:
    if session.unanswered is not None:
        return _UNANSWERED
    return _FIRST if session.last is None else _ANSWERED


def arrival_of(session: Session, asked: Asked) -> Arrival:
    """What a request is in its session. While another one is unanswered, nothing is the next."""
    known = session.unanswered or session.last
    if known is None:
        return _NEXT
    if asked.txn == known.txn:
        return Arrival.SAME if asked == known else Arrival.OTHER
    if session.unanswered is None and asked.txn == (known.txn + 1) & 0xFF:
        return _NEXT
    return Arrival.OTHER


def verdict_on(session: Session, asked: Asked) -> Verdict:
    """What is done with a request that has arrived."""
    return ORDER[state_of(session), arrival_of(session, asked)][0]
