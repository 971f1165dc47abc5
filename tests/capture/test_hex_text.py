"""Hex is read line by line, however it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.capture import hex_text
from emulator.capture.hex_text import HexError, HexText, is_hex

TEXT = "# a greeting\n00 02 0x10, 7:\n\\x01-ff // its end\n\n;\n5"
MEANT = bytes.fromhex("00021007 01ff 05")


@given(st.integers(1, len(TEXT)))
def test_in_any_pieces(size: int) -> None:
    reader = HexText()
    found = b"".join(line for start in range(0, len(TEXT), size) for line in reader.feed(TEXT[start : start + size]))
    assert found + reader.end() == MEANT


def test_a_line_is_read_as_soon_as_it_ends() -> None:
    reader = HexText()
    assert list(reader.feed("00 01")) == []
    assert list(reader.feed("\n02")) == [b"\x00\x01"]
    assert reader.end() == b"\x02"


def test_the_line_that_is_wrong_is_named_however_it_arrives() -> None:
    reader = HexText()
    assert list(reader.feed("00\n01\n0")) == [b"\0", b"\1"]
    with pytest.raises(HexError, match="line 3: '0g' is no hex; allowed are pairs of 0 to 9 and a to f"):
        list(reader.feed("g\n"))


def test_a_line_without_an_end_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hex_text, "MAX_LINE_CHARACTERS", 10)
    reader = HexText()
    assert list(reader.feed("00 01 02\n00 01 02"))
    with pytest.raises(HexError, match="line 2: more than 10 characters without an end"):
        list(reader.feed(" 03 04"))


@pytest.mark.parametrize(
    ("text", "is_one"), [("00 ff", True), ("00 # x\n", True), ("# only words", False), ("", False), ("zz", False)]
)
def test_what_is_hex(text: str, is_one: bool) -> None:
    assert is_hex(text) is is_one
