"""Vectors of the line: what a pump drops in silence and how it counts that, and streams that must be cut right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from cobs import cobs  # type: ignore[import-untyped]  # cobs ships no types

from protocol.export.examples import ADDRESS, TXN
from protocol.frame import ANY_ADDRESS, MAX_PAYLOAD, Flag, Frame
from protocol.framing import DELIMITER, ENCODED_MAX, LineFault, crc32, encode_wire
from protocol.messages.operations import by_name
from protocol.refusals import OK

_STATUS: Final = by_name["STATUS"].opcode
_CLOSE: Final = by_name["CLOSE"].opcode
_HELLO: Final = by_name["HELLO"].opcode
_OTHER_ADDRESS: Final = 0x00C0FFEF


@dataclass(frozen=True, slots=True)
class Dropped:
    """Bytes that a pump answers with nothing.

    fault      what LINK_STATS counts
    body       the body without its CRC-32, where there is one
    by_itself  a frame that is wrong whoever reads it; others are good ones that are not for this pump
    """

    what: str
    wire: bytes
    fault: LineFault
    body: bytes | None = None
    by_itself: bool = True


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes on the line, and what a reader finds in them, in this order: bodies without their CRC-32, or faults."""

    what: str
    stream: bytes
    found: tuple[bytes | LineFault, ...]


def _frame(opcode: int = _STATUS, address: int = ADDRESS, major: int = 1) -> Frame:
    return Frame(opcode=opcode, txn=TXN, address=address, payload=b"", major=major)


_GOOD: Final = _frame().to_body()
_GOOD_WIRE: Final = encode_wire(_GOOD)
_CHECKED: Final = _GOOD + crc32(_GOOD).to_bytes(4, "little")


def _coded(checked: bytes) -> bytes:
    coded: bytes = cobs.encode(checked)
    return DELIMITER + coded + DELIMITER


def _changed(at: int, *values: int) -> bytes:
    return _GOOD[:at] + bytes(values) + _GOOD[at + len(values) :]


def _broken(what: str, body: bytes, fault: LineFault) -> Dropped:
    """A body whose CRC-32 is right all the same."""
    return Dropped(what, _coded(body + crc32(body).to_bytes(4, "little")), fault, body)


def _not_for_us(what: str, frame: Frame, fault: LineFault) -> Dropped:
    return Dropped(what, frame.to_wire(), fault, frame.to_body(), by_itself=False)


DROPPED: Final[tuple[Dropped, ...]] = (
    Dropped("a COBS code that points behind the end", b"\x00\x05\x11\x22\x00", LineFault.COBS),
    Dropped("one bit of the CRC-32 has fallen over", _coded(_CHECKED[:-1] + bytes((_CHECKED[-1] ^ 1,))), LineFault.CRC),
    Dropped("one bit of the header has fallen over", _coded(bytes((_CHECKED[0] ^ 2,)) + _CHECKED[1:]), LineFault.CRC),
    Dropped("a CRC-32 in the other byte order", _coded(_GOOD + crc32(_GOOD).to_bytes(4, "big")), LineFault.CRC),
    _broken("15 bytes: a header cannot be that short", _GOOD[:11], LineFault.SHORT),
    Dropped("one byte", b"\x00\x02\x10\x00", LineFault.SHORT),
    _broken("a length that is more than there is", _changed(10, 1), LineFault.LENGTH),
    _broken("a payload that no length tells of", _GOOD + b"\x01", LineFault.LENGTH),
    _broken("a length above the greatest", _changed(10, MAX_PAYLOAD + 1) + bytes(MAX_PAYLOAD + 1), LineFault.LENGTH),
    _broken(
        "a secured frame without its counter and tag", _changed(0, 0x18)[:8] + b"\x34\x12\x00\x00", LineFault.LENGTH
    ),
    _broken("RESP without bit 15 of the opcode", _changed(0, 0x11), LineFault.FLAGS),
    _broken("bit 15 of the opcode without RESP", _changed(3, 0x82), LineFault.FLAGS),
    _broken("RESP and EVENT", _changed(0, 0x13, TXN, 0x01, 0x82), LineFault.FLAGS),
    _broken("RESP and RETRY", _changed(0, 0x15, TXN, 0x01, 0x82), LineFault.FLAGS),
    _broken("EVENT and RETRY", _changed(0, 0x16), LineFault.FLAGS),
    _broken("SECURED with session 0", _changed(0, 0x18) + bytes(13), LineFault.FLAGS),
    _broken("a session id without SECURED", _changed(8, 0x34, 0x12), LineFault.FLAGS),
    Dropped("255 bytes without a delimiter", b"\x00" + b"\xa5" * (ENCODED_MAX + 1), LineFault.OVERSIZE),
    _not_for_us(
        "an answer is sent to the pump", replace(_frame(_CLOSE), flags=Flag.RESP, payload=bytes((OK,))), LineFault.FLAGS
    ),
    _not_for_us("an event is sent to the pump", replace(_frame(), flags=Flag.EVENT), LineFault.FLAGS),
    _not_for_us("another major version, and not HELLO", _frame(major=2), LineFault.VERSION),
    _not_for_us("another pump's address", _frame(address=_OTHER_ADDRESS), LineFault.ADDRESS),
    _not_for_us("any pump's address, and not HELLO", _frame(address=ANY_ADDRESS), LineFault.ADDRESS),
    _not_for_us(
        "another pump's address in HELLO",
        replace(_frame(_HELLO, _OTHER_ADDRESS), payload=b"\x01\x00"),
        LineFault.ADDRESS,
    ),
)

STREAMS: Final[tuple[Stream, ...]] = (
    Stream("two frames, each with its delimiters", _GOOD_WIRE * 2, (_GOOD, _GOOD)),
    Stream("two frames that share a delimiter", _GOOD_WIRE + _GOOD_WIRE[1:], (_GOOD, _GOOD)),
    Stream("spare delimiters", b"\x00\x00" + _GOOD_WIRE + b"\x00\x00", (_GOOD,)),
    Stream("a frame without a delimiter before it", _GOOD_WIRE[1:], (_GOOD,)),
    Stream(
        "garbage costs the frame that it touches", b"\x7f\x3a" + _GOOD_WIRE[1:] + _GOOD_WIRE, (LineFault.COBS, _GOOD)
    ),
    Stream("a delimiter parts a frame from garbage", b"\x7f\x3a" + _GOOD_WIRE * 2, (LineFault.COBS, _GOOD, _GOOD)),
    Stream(
        "a frame is cut within a COBS group, the next one is whole",
        _GOOD_WIRE[:7] + _GOOD_WIRE,
        (LineFault.COBS, _GOOD),
    ),
    Stream(
        "a frame is cut behind a COBS group, the next one is whole",
        _GOOD_WIRE[:9] + _GOOD_WIRE,
        (LineFault.SHORT, _GOOD),
    ),
    Stream(
        "1,000 bytes without a delimiter are one fault, and the next frame is whole",
        b"\xa5" * 1000 + _GOOD_WIRE,
        (LineFault.OVERSIZE, _GOOD),
    ),
    Stream("a frame that is not finished", _GOOD_WIRE[:-1], ()),
)
