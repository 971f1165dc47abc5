"""HELLO and its answer, from docs/protocol.md alone."""

import struct
import zlib

HELLO = bytes.fromhex("00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00")
ANSWER = 0x8101


def uncobs(coded: bytes) -> bytes:
    """What was between two delimiters."""
    plain = bytearray()
    while coded:
        length, coded = coded[0], coded[1:]
        plain += coded[: length - 1]
        coded = coded[length - 1 :]
        if coded and length < 0xFF:
            plain.append(0)
    return bytes(plain)


def serial_number(answer: bytes) -> str:
    """The serial number in an answer to HELLO."""
    body = uncobs(answer.strip(b"\0"))
    assert zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
    _version, _txn, opcode, address = struct.unpack_from("<BBHI", body)
    assert opcode == ANSWER
    return f"{address:08X}"
