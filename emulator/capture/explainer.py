"""Explains recordings, streams of bytes or packets of a capture, frame by frame through the decoder of a protocol.

Rules of this file:

- Nothing is kept of what has been explained but what the decoder keeps; a recording may be endless.
- Every byte is told, but those that mean nothing to the protocol, and every comment of a packet, once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from emulator.capture.pcapng import Flow
from emulator.capture.reader import CapturedPacket, Interface
from emulator.wire import Decoder, Direction, FrameWords, WireFrame

MOST_STREAMS: Final = 256
"""Directions of interfaces whose unfinished frames are kept; of the one that spoke least lately, they are forgotten."""

_DIRECTIONS: Final = {Flow.INBOUND: Direction.REQUEST, Flow.OUTBOUND: Direction.ANSWER}


@dataclass(frozen=True, slots=True)
class Explained:
    """A stretch of bytes: a frame with its name and words, or something else and why it is none.

    offset    of its first byte in a stream of bytes; None in a capture
    words     None when it is no frame
    rejected  why it is no good frame; empty for a good one
    at        index in `raw` of what is wrong; None where it is no one place
    packet    the packet that completed it; None in a stream of bytes
    comments  what the packet's comments say, on the first of what it completed
    """

    raw: bytes
    offset: int | None = None
    name: str = ""
    words: FrameWords | None = None
    rejected: str = ""
    at: int | None = None
    packet: CapturedPacket | None = None
    comments: tuple[str, ...] = ()


class Explainer:
    """Explains a stream that arrives in pieces; spare delimiters and skipped bytes are left out.

    `direction` None: nobody knows who spoke.
    """

    def __init__(self, decoder: Decoder, direction: Direction | None = None) -> None:
        self._decoder = decoder
        self._cutter = decoder.cutter(direction)
        self._offset = 0
        self._held = b""

    def feed(self, data: bytes, at_us: int = 0) -> Iterator[Explained]:
        """What is complete with these bytes. `at_us`: when they passed, where the recording says so."""
        held = self._held + data
        done = 0
        for frame in self._cutter.feed(data, at_us):
            at = self._offset + done
            done += len(frame.raw)
            if not frame.silent:
                yield self._explain(at, frame)
        self._offset += done
        self._held = held[done:]

    def rest(self) -> Iterator[Explained]:
        """What has begun and not ended."""
        if self._held and (why := self._decoder.unfinished(self._held)):
            yield Explained(self._held, self._offset, rejected=why)

    def _explain(self, offset: int, frame: WireFrame) -> Explained:
        if frame.rejected:
            return Explained(frame.raw, offset, rejected=frame.rejected, at=frame.at)
        words = self._decoder.explain(frame)
        return Explained(frame.raw, offset, frame.name, words, words.problem, words.at)


class PacketExplainer:
    """Explains the packets of a capture; a frame may be in several, and several frames in one."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._streams: OrderedDict[tuple[Interface, Flow], Explainer] = OrderedDict()
        self._last: dict[tuple[Interface, Flow], CapturedPacket] = {}

    def feed(self, packet: CapturedPacket) -> Iterator[Explained]:
        """What is complete with this packet; if nothing is, and it has comments, the packet itself."""
        comments = _comments(packet)
        for explained in self._stream(packet).feed(packet.data, packet.at_us or 0):
            yield replace(explained, offset=None, packet=packet, comments=comments)
            comments = ()
        if comments:
            yield Explained(packet.data, packet=packet, comments=comments)

    def rest(self) -> Iterator[Explained]:
        """What has begun and not ended, in all directions."""
        for key, stream in self._streams.items():
            for explained in stream.rest():
                yield replace(explained, offset=None, packet=self._last[key])

    def _stream(self, packet: CapturedPacket) -> Explainer:
        key = (packet.interface, packet.flow)
        if key not in self._streams:
            if len(self._streams) == MOST_STREAMS:
                forgotten, _ = self._streams.popitem(last=False)
                del self._last[forgotten]
            self._streams[key] = Explainer(self._decoder, _DIRECTIONS.get(packet.flow))
        self._streams.move_to_end(key)
        self._last[key] = packet
        return self._streams[key]


def explain(stream: bytes, decoder: Decoder, direction: Direction | None = None) -> list[Explained]:
    """All that a stream holds, an unfinished rest included."""
    explainer = Explainer(decoder, direction)
    return [*explainer.feed(stream), *explainer.rest()]


def _comments(packet: CapturedPacket) -> tuple[str, ...]:
    """What its writer said of it, and what its numbers say."""
    said = list(packet.comments)
    if packet.lost_before and not any(str(packet.lost_before) in comment for comment in said):
        said.append(f"{packet.lost_before} packets before this one were not captured")
    if packet.missing:
        said.append(f"{packet.missing} more bytes of this packet were not captured")
    return tuple(said)
