"""A pump may put a host off for so long and no longer, however often and whenever it says that it is not ready."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.frame import Flag, Frame, parse_body
from protocol.framing import StreamReader
from protocol.host_end import (
    BUSY_WAIT_US,
    PENDING_TIMEOUT_US,
    PENDINGS_MAX,
    RENUMBERINGS_MAX,
    HostEnd,
    NoAnswer,
    Refused,
)
from protocol.messages.pump_time import TimeReadRequest
from protocol.refusals import Nak, NakCode

ADDRESS = 0x00C0FFEE
TIMEOUT_US = 600_000
RETRIES = 3
MOST_COPIES = (RENUMBERINGS_MAX + 1) * (RETRIES + 1)
MOST_WAITED_US = PENDINGS_MAX * PENDING_TIMEOUT_US + MOST_COPIES * TIMEOUT_US
NOT_READY = (NakCode.PENDING, NakCode.BUSY, NakCode.SEQUENCE)
STEP_US = BUSY_WAIT_US // 4

Saying = tuple[int, NakCode, int]
"""After how many steps, what, and its detail."""


def request_in(wire: bytes) -> Frame | None:
    bodies = [piece.body for piece in StreamReader().feed(wire) if piece.body is not None]
    return parse_body(bodies[0]) if bodies else None


def put_off(sayings: list[Saying]) -> tuple[int, int, object]:
    """A host that asks, and a pump that goes on saying these over and over; how many copies, how long, and the end."""
    host = HostEnd(address=ADDRESS, timeout_us=TIMEOUT_US, retries=RETRIES)
    host.request(TimeReadRequest(), 0)
    now, copies, asked = 0, 0, Frame(opcode=1, txn=0, address=ADDRESS, payload=b"")
    for turn in range(10_000):
        if (sent := request_in(host.data_to_send())) is not None:
            copies, asked = copies + 1, sent
        if sayings and turn:
            _, code, detail = sayings[turn % len(sayings)]
            nak = Nak(code, detail=detail)
            answer = Frame(opcode=asked.opcode, txn=asked.txn, address=ADDRESS, payload=nak.encode(), flags=Flag.RESP)
            host.receive(answer.to_wire(), now)
        if (event := host.next_event()) is not None:
            return copies, now, event
        now += sayings[(turn + 1) % len(sayings)][0] * STEP_US if sayings else TIMEOUT_US
        host.advance(now)
    pytest.fail("the host is still waiting")


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(NOT_READY), st.integers(0, 300)), max_size=6))
@example([])
@example([(1, NakCode.BUSY, 0)])
@example([(1, NakCode.PENDING, 0)])
@example([(1, NakCode.SEQUENCE, 7)])
@example([(1, NakCode.BUSY, 0), (1, NakCode.PENDING, 0)])
def test_whatever_a_pump_says_to_put_a_host_off_the_request_has_its_end(sayings: list[Saying]) -> None:
    if sayings and not any(steps for steps, _, _ in sayings):
        # Time must pass.
        sayings = [*sayings, (1, NakCode.BUSY, 0)]
    copies, waited_us, event = put_off(sayings)
    assert isinstance(event, NoAnswer | Refused)
    assert copies <= MOST_COPIES
    assert waited_us <= MOST_WAITED_US + 30 * STEP_US


def test_a_pump_that_is_pending_for_ever_is_given_up_after_its_five_times() -> None:
    copies, waited_us, event = put_off([(1, NakCode.PENDING, 0)])
    assert isinstance(event, NoAnswer)
    assert copies == 1 + RETRIES
    assert waited_us <= PENDINGS_MAX * STEP_US + PENDING_TIMEOUT_US + (1 + RETRIES) * TIMEOUT_US


def test_a_pump_that_is_busy_for_ever_is_asked_four_times() -> None:
    assert put_off([(1, NakCode.BUSY, 0)])[0] == 1 + RETRIES


def test_a_pump_that_never_agrees_on_a_txn_is_given_up() -> None:
    copies, _, event = put_off([(1, NakCode.SEQUENCE, 7)])
    assert copies == 1 + RENUMBERINGS_MAX
    assert isinstance(event, Refused)
    assert event.nak.code is NakCode.SEQUENCE
