"""Frames on the air: STX, a length, so many bytes, a checksum; and the cutter that finds them in a stream.

    02 | length u8 | operation u8 | data, length - 1 bytes | CRC-16 of length to data, high byte first

An answer has bit 7 of its operation set. Within a frame the line never pauses: what follows a pause begins a new one.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator

from emulator.wire import Direction, WireFrame
from wand_pump.messages import ANSWER_BIT, name_of, summary_of

STX = b"\x02"
LENGTH_MAX = 16
"""Of operation and data: what a cutter holds back is one frame of this length at most."""
PAUSE_US = 50_000
DATA_AT = 3
"""Where the data of a frame begins."""
_HEAD_BYTES, _CHECK_BYTES = 2, 2
_WRONG_WAY = {
    Direction.REQUEST: "a request from the side that answers",
    Direction.ANSWER: "an answer from the side that asks",
}


def frame_of(operation: int, data: bytes) -> bytes:
    """The bytes of a frame."""
    body = bytes((1 + len(data), operation)) + data
    return STX + body + _check(body)


def parts_of(raw: bytes) -> tuple[int, bytes]:
    """Operation and data of a good frame."""
    return raw[_HEAD_BYTES], raw[DATA_AT:-_CHECK_BYTES]


class Cutter:
    """Cuts one direction of a line, or with `direction` None a recording of both.

    `is_deaf` says whether the pump hears nothing just now.
    """

    def __init__(self, direction: Direction | None, is_deaf: Callable[[], bool] = lambda: False) -> None:
        self._direction = direction
        self._is_deaf = is_deaf
        self._held = b""
        self._heard_at = 0

    def feed(self, data: bytes, now: int) -> Iterator[WireFrame]:
        """The frames that are complete with these bytes, and what is none."""
        if self._held and now - self._heard_at > PAUSE_US:
            yield self._rejected(len(self._held), "a pause within a frame")
        self._held += data
        self._heard_at = now
        while self._held:
            if self._is_deaf():
                yield self._rejected(len(self._held), "came while the pump was answering")
            elif not self._held.startswith(STX):
                yield self._rejected(self._to_next_start(), "noise")
            elif len(self._held) < _HEAD_BYTES:
                return
            elif not 1 <= self._held[1] <= LENGTH_MAX:
                yield self._rejected(self._to_next_start(), f"a length of {self._held[1]}")
            elif len(self._held) < (size := _HEAD_BYTES + self._held[1] + _CHECK_BYTES):
                return
            elif _check(self._held[1 : size - _CHECK_BYTES]) != self._held[size - _CHECK_BYTES : size]:
                yield self._rejected(size, "wrong checksum")
            else:
                yield self._frame(size)

    def reset(self) -> None:
        """Forget an unfinished frame."""
        self._held = b""

    def _frame(self, size: int) -> WireFrame:
        operation, data = parts_of(self._held[:size])
        direction = Direction.ANSWER if operation & ANSWER_BIT else Direction.REQUEST
        if direction is not (self._direction or direction):
            return self._rejected(size, _WRONG_WAY[direction])
        name, effect = name_of(operation)
        return WireFrame(self._take(size), direction, name, effect, summary_of(operation, data))

    def _rejected(self, size: int, reason: str) -> WireFrame:
        return WireFrame(self._take(size), self._direction or Direction.REQUEST, rejected=reason)

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _to_next_start(self) -> int:
        start = self._held.find(STX, 1)
        return start if start > 0 else len(self._held)


def _check(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "big")
