"""NAKs: their layout, their codes, and which of them say that a command was not taken."""

import pytest

from protocol.refusals import NOT_TAKEN, REFUSALS, Nak, NakCode


def test_a_nak_lies_on_the_wire_as_written_down_by_hand() -> None:
    nak = Nak(NakCode.ABOVE_MAXIMUM, field=1, element=2, detail=1_200)
    assert nak.encode().hex(" ") == "a1 01 02 00 b0 04 00 00"
    assert Nak(NakCode.AUTH_REQUIRED).encode().hex(" ") == "34 ff 00 00 00 00 00 00"
    assert Nak.decode(nak.encode()) == nak


@pytest.mark.parametrize("payload", [b"", bytes(8), b"\x0f" * 8, b"\x13" * 7, b"\x13" * 9])
def test_what_is_no_nak_is_not_read_as_one(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"a NAK has 8 bytes|is not a valid NakCode"):
        Nak.decode(payload)


def test_a_nak_that_does_not_fit_is_not_written() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Nak(NakCode.RANGE, detail=1 << 32).encode()


def test_every_code_has_a_meaning_and_a_cure() -> None:
    assert list(REFUSALS) == list(NakCode)
    assert all(row.meaning and row.cure for row in REFUSALS.values())


def test_only_these_codes_resolve_a_command_as_not_taken() -> None:
    assert {int(code) for code in NOT_TAKEN} == {0x22, 0x31, 0x93, *range(0xA0, 0xB2), 0xB7, 0xB8}
