"""A client that has none of the product's code: descriptors, sockets, zlib and cobs, after docs/protocol.md."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Protocol

from cobs import cobs  # type: ignore[import-untyped]

from tests.end_to_end.streams import DEADLINE_S

HELLO_VECTOR = bytes.fromhex("00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00")
HELLO, STATUS = 0x0101, 0x0201
ANY_PUMP = 0xFFFF_FFFF
VERSION = 0x10
RESP_FLAG, SECURED_FLAG = 0x01, 0x08
ANSWER_BIT = 0x8000
OK = 0x0F


class Line(Protocol):
    """Anything that carries bytes."""

    def fileno(self) -> int:
        """What `select` waits for."""

    def send(self, data: bytes) -> None:
        """Write."""

    def receive(self) -> bytes:
        """Read what is there."""

    def close(self) -> None:
        """Leave."""


class SerialPort:
    """A serial port, by its path."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)

    def fileno(self) -> int:
        """See Line."""
        return self._fd

    def send(self, data: bytes) -> None:
        """See Line."""
        assert os.write(self._fd, data) == len(data)

    def receive(self) -> bytes:
        """See Line."""
        return os.read(self._fd, 4096)

    def close(self) -> None:
        """See Line."""
        os.close(self._fd)


class TcpPort:
    """A TCP connection; `url` as the pump prints it."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("socket://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), DEADLINE_S)

    def fileno(self) -> int:
        """See Line."""
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """See Line. One byte after the other: a stream has no messages."""
        for byte in data:
            self._socket.sendall(bytes([byte]))

    def receive(self) -> bytes:
        """See Line."""
        return self._socket.recv(4096)

    def close(self) -> None:
        """See Line."""
        self._socket.close()


def line_to(url: str) -> Line:
    """Open a port of a pump."""
    return TcpPort(url) if url.startswith("socket://") else SerialPort(url)


@contextlib.contextmanager
def opened(url: str) -> Iterator[Line]:
    """A port of a pump, for as long as the context lasts."""
    line = line_to(url)
    try:
        yield line
    finally:
        line.close()


def frame(
    opcode: int, payload: bytes = b"", *, address: int, txn: int = 7, first: int = VERSION, session_id: int = 0
) -> bytes:
    """A body without its CRC; `first` is version and flags."""
    return struct.pack("<BBHIHH", first, txn, opcode, address, session_id, len(payload)) + payload


def on_wire(body: bytes) -> bytes:
    """A body with its CRC, as it leaves."""
    return coded(body + zlib.crc32(body).to_bytes(4, "little"))


def coded(body: bytes) -> bytes:
    """Bytes between their delimiters."""
    return b"\0" + bytes(cobs.encode(body)) + b"\0"


def read_answer(line: Line) -> bytes:
    """The body of the next frame, without its CRC, which matched."""
    received = b""
    give_up_at = time.monotonic() + DEADLINE_S
    while received.strip(b"\0") == b"" or not received.endswith(b"\0"):
        readable, _, _ = select.select([line], [], [], max(0.0, give_up_at - time.monotonic()))
        assert readable, f"no whole answer came: {received.hex(' ')}"
        received += line.receive()
    (part,) = [part for part in received.split(b"\0") if part]
    body = bytes(cobs.decode(part))
    assert zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
    return body[:-4]
