"""The pump's end does what the tables of its order say: every transition of a session's txn, and of a line's handshake.

The specification draws its diagrams from these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest

from protocol import handshake_order, order
from protocol.errands import AttemptToConfirm, AttemptToCount, SessionNumberWanted
from protocol.fields import encode
from protocol.frame import Flag
from protocol.handshake_order import (
    HANDSHAKE,
    HANDSHAKE_ENDS,
    HandshakeArrival,
    HandshakeEnd,
    HandshakeState,
    HandshakeVerdict,
)
from protocol.messages.codes import Role
from protocol.messages.link import AuthRequest, OpenRequest
from protocol.order import ORDER, WHEN_ANSWERED, Arrival, TxnState, Verdict
from protocol.refusals import OK, Nak, NakCode
from tests.protocol.host_by_hand import Host
from tests.protocol.pump_line import STATUS, TIME, TIME_READ, Named, PumpLine, frame_of, verdict_of

LAST = 5
FIRST_TXN = 200
OTHERS: Mapping[TxnState, tuple[tuple[Named, int], ...]] = {
    TxnState.ANSWERED: ((TIME_READ, LAST - 1), (TIME_READ, LAST + 2), (STATUS, LAST)),
    TxnState.UNANSWERED: ((TIME_READ, LAST - 1), (TIME_READ, LAST + 1), (STATUS, LAST)),
}


def line_in(state: TxnState) -> PumpLine:
    """A line whose open session is there in its order, after TIME_READ under txn LAST."""
    pump = PumpLine()
    if state is TxnState.ANSWERED:
        pump.exchange(LAST)
    if state is TxnState.UNANSWERED:
        pump.send(TIME_READ, LAST)
        pump.asked()
    assert txn_state(pump) is state
    return pump


def txn_state(pump: PumpLine) -> TxnState:
    (session,) = pump.end.sessions()
    return order.state_of(session)


def arrivals(state: TxnState, arrival: Arrival) -> tuple[tuple[Named, int], ...]:
    """Requests that are this, there."""
    match arrival:
        case Arrival.NEXT:
            return ((TIME_READ, LAST + 1 if state is TxnState.ANSWERED else FIRST_TXN),)
        case Arrival.SAME:
            return ((TIME_READ, LAST),)
        case Arrival.OTHER:
            return OTHERS[state]


@pytest.mark.parametrize(("state", "arrival"), ORDER, ids=lambda each: each.name)
@pytest.mark.parametrize("retry", [Flag(0), Flag.RETRY], ids=["first", "retry"])
def test_a_request_is_treated_as_the_table_of_the_order_says(state: TxnState, arrival: Arrival, retry: Flag) -> None:
    verdict, target = ORDER[state, arrival]
    for named, txn in arrivals(state, arrival):
        pump = line_in(state)
        pump.send(named, txn, flags=retry)
        if verdict is Verdict.TAKE:
            assert pump.asked().txn == txn
            assert pump.replies() == []
        else:
            detail = LAST if verdict is Verdict.SEQUENCE else 0
            said = OK if verdict is Verdict.ANSWER_AGAIN else Nak(order.NAKS[verdict], detail=detail)
            assert pump.replies() == [(txn, said)]
            assert pump.next_request() is None
        assert txn_state(pump) is target


@pytest.mark.parametrize("refused", [None, NakCode.CONDITIONS], ids=["granted", "refused"])
def test_a_final_answer_ends_what_was_unanswered(refused: NakCode | None) -> None:
    pump = PumpLine()
    pump.send(TIME_READ, LAST)
    token = pump.asked().token
    if refused:
        pump.end.refuse(token, Nak(refused))
    else:
        pump.end.answer(token, TIME)
    assert txn_state(pump) is WHEN_ANSWERED


def test_whatever_arrives_has_its_row() -> None:
    """The table leaves out what cannot be: nothing is the same, or out of order, before anything was asked."""
    met = set()
    for state, txn, named in product(TxnState, range(256), (TIME_READ, STATUS)):
        pump = line_in(state)
        pump.send(named, txn)
        met.add(txn_state(pump))
    assert met == {TxnState.ANSWERED, TxnState.UNANSWERED}


class Bench:
    """A line, and the hosts that shake hands on it; `earlier` has a session there already, and so an answered AUTH."""

    def __init__(self) -> None:
        self.pump = PumpLine(insecure=False)
        self.earlier = Host(self.pump, role=Role.READER, host_id=3)
        self.earlier.connect()
        self.host = Host(self.pump, host_id=7)
        self.opened = self.host.wanted()
        self.another = self.host.wanted()
        self.token = 0

    @property
    def state(self) -> HandshakeState:
        end = self.pump.end
        return handshake_order.state_of(end._lines[0].opening, end._errands.handshake(0))

    def open(self, request: OpenRequest, txn: int) -> None:
        self.pump.send(("OPEN", encode(request)), txn)

    def auth(self, request: AuthRequest, txn: int) -> None:
        self.pump.send(("AUTH", encode(request)), txn)

    @property
    def right(self) -> AuthRequest:
        assert self.host.auth_request is not None
        return self.host.auth_request

    def take_errand(self, kind: type[Any]) -> None:
        """What the pump is asked for; it stays unanswered."""
        errand = self.pump.end.next_errand()
        assert isinstance(errand, kind), errand
        self.token = errand.token


def _challenged(bench: Bench) -> None:
    bench.host.open(bench.opened)


def _numbering(bench: Bench) -> None:
    bench.open(bench.another.request(), 20)
    bench.take_errand(SessionNumberWanted)


def _renumbering(bench: Bench) -> None:
    _challenged(bench)
    _numbering(bench)


def _checking(bench: Bench) -> None:
    _challenged(bench)
    bench.auth(bench.right, 30)
    bench.take_errand(AttemptToCount)


REACHED: Mapping[HandshakeState, Callable[[Bench], None]] = {
    HandshakeState.IDLE: lambda _: None,
    HandshakeState.NUMBERING: _numbering,
    HandshakeState.CHALLENGED: _challenged,
    HandshakeState.RENUMBERING: _renumbering,
    HandshakeState.CHECKING: _checking,
}
WRONG = AuthRequest(host_cryptogram=bytes(8))
ARRIVES: Mapping[HandshakeArrival, Callable[[Bench], None]] = {
    HandshakeArrival.OPEN: lambda bench: bench.open(bench.host.wanted().request(), 40),
    HandshakeArrival.OPEN_IN_HAND: lambda bench: bench.open(bench.another.request(), 20),
    HandshakeArrival.OPEN_ANSWERED: lambda bench: bench.open(bench.opened.request(), 41),
    HandshakeArrival.AUTH: lambda bench: bench.auth(WRONG, 42),
    HandshakeArrival.AUTH_IN_HAND: lambda bench: bench.auth(bench.right, 30),
    HandshakeArrival.AUTH_ANSWERED: lambda bench: bench.earlier.send_auth(),
}


def bench_in(state: HandshakeState) -> Bench:
    bench = Bench()
    REACHED[state](bench)
    bench.pump.wires()
    assert bench.state is state
    return bench


@pytest.mark.parametrize(("state", "arrival"), HANDSHAKE, ids=lambda each: each.name)
def test_open_and_auth_are_treated_as_the_table_of_the_handshake_says(
    state: HandshakeState, arrival: HandshakeArrival
) -> None:
    verdict, target = HANDSHAKE[state, arrival]
    bench = bench_in(state)
    ARRIVES[arrival](bench)
    wires = bench.pump.wires()
    if verdict is HandshakeVerdict.TAKE:
        bench.take_errand(AttemptToCount if arrival is HandshakeArrival.AUTH else SessionNumberWanted)
        assert wires == []
    else:
        assert bench.pump.end.next_errand() is None
        (frame,) = (frame_of(wire) for wire in wires)
        if verdict is HandshakeVerdict.ANSWER_AGAIN:
            assert Flag.SECURED in frame.flags or verdict_of(frame.payload) == OK
        else:
            assert verdict_of(frame.payload) == Nak(handshake_order.NAKS[verdict])
    assert bench.state is target


def _right(bench: Bench) -> None:
    bench.pump.end.check_attempt(bench.token, 0)
    bench.take_errand(AttemptToConfirm)
    bench.pump.end.open_session(bench.token, 0)


def _taken(bench: Bench) -> None:
    Host(bench.pump, host_id=8, port=1).connect()
    _right(bench)


def _wrong(bench: Bench) -> None:
    _challenged(bench)
    bench.auth(WRONG, 43)
    bench.take_errand(AttemptToCount)
    bench.pump.end.check_attempt(bench.token, 15)


ENDS: Mapping[HandshakeEnd, Callable[[Bench], None]] = {
    HandshakeEnd.NUMBERED: lambda bench: bench.pump.end.number_session(bench.token, 9),
    HandshakeEnd.REFUSED: lambda bench: bench.pump.end.refuse(bench.token, Nak(NakCode.DELAY, detail=15)),
    HandshakeEnd.RIGHT: _right,
    HandshakeEnd.TAKEN: _taken,
    HandshakeEnd.WRONG: _wrong,
    HandshakeEnd.FORGOTTEN: lambda bench: bench.pump.end.power_lost(),
}


@pytest.mark.parametrize(("state", "end"), HANDSHAKE_ENDS, ids=lambda each: each.name)
def test_a_step_of_the_handshake_ends_as_the_table_says(state: HandshakeState, end: HandshakeEnd) -> None:
    # The attempt that is wrong must be the one in hand, so it is made from the first.
    bench = Bench() if end is HandshakeEnd.WRONG else bench_in(state)
    if end is HandshakeEnd.TAKEN:
        bench.pump.end.line_opened(1, 0)
    before = len(bench.pump.live())
    ENDS[end](bench)
    assert bench.state is HANDSHAKE_ENDS[state, end]
    if end is HandshakeEnd.RIGHT:
        assert len(bench.pump.live()) == before + 1
