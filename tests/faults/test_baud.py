"""What is heard of bytes that come at another speed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.faults.baud import FRAME_BITS, LEAST_BAUD, MOST_BAUD, heard_at

BAUDS = st.integers(LEAST_BAUD, MOST_BAUD)


@given(st.binary(max_size=64), BAUDS, st.integers(-30, 30))
def test_within_three_percent_every_byte_is_heard_as_it_is(raw: bytes, sent: int, per_mille: int) -> None:
    assert heard_at(raw, sent, sent * (1000 + per_mille) // 1000) == raw


@given(st.binary(min_size=1, max_size=64), BAUDS, st.integers(1, 400))
def test_a_slower_reader_hears_no_more_and_a_faster_one_at_most_a_byte_for_each_fall(
    raw: bytes, baud: int, times: int
) -> None:
    assert 1 <= len(heard_at(raw, baud * times, baud)) <= len(raw)
    assert 1 <= len(heard_at(raw, baud, baud * times)) <= len(raw) * FRAME_BITS // 2


@pytest.mark.parametrize(
    ("raw", "sent", "heard", "as_heard"),
    [
        ("00 55 ff", 9_600, 9_600, "00 55 ff"),
        # Nine low bits are four and a half of the slow one's: its start, and three of which the middle is low.
        ("00", 19_200, 9_600, "f8"),
        # Nine low bits are eighteen of the fast one's: it is through with a byte, and waits for the line to rise.
        ("00", 9_600, 19_200, "00"),
        # The start bit is two of the fast one's: its start, and a zero.
        ("ff", 9_600, 19_200, "fe"),
    ],
)
def test_by_hand(raw: str, sent: int, heard: int, as_heard: str) -> None:
    assert heard_at(bytes.fromhex(raw), sent, heard).hex(" ") == as_heard
