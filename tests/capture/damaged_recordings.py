"""Recordings that chance has damaged: whatever became of them, they are explained as far as they go."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from random import Random

from emulator.capture.explainer import Explained, Explainer, PacketExplainer
from emulator.capture.reader import CaptureError, PcapngReader
from emulator.cli.decode_view import document_of, lines_of
from emulator.vpump_decoder import VpumpDecoder
from protocol import keys
from protocol.keys import RoleKeys
from tests.capture.recorded_sessions import a_session, capture_of

MOST_CHANGES = 20


@cache
def _originals() -> tuple[bytes, bytes]:
    """The bytes of a session's line, and its capture."""
    packets = a_session()
    return b"".join(packet.data for packet in packets), capture_of(packets)


@cache
def _published(serial_number: int) -> RoleKeys:
    return keys.test_keys(serial_number)


def explain_damaged(chance: Random, figures: Counter[str]) -> None:
    """Damage a recording and explain it in pieces; an error that does not name its place in a capture is a fault."""
    line, capture = _originals()
    if chance.random() < 0.5:
        found = _explain_line(_damaged(line, chance), chance)
    else:
        found = _explain_capture(_damaged(capture, chance), chance, figures)
    for explained in found:
        figures["stretches"] += 1
        figures["rejected"] += bool(explained.rejected)
        assert explained.at is None or explained.at < len(explained.raw)
        lines_of(explained, verbose=True)
        json.dumps(document_of(explained, verbose=True))


def _explain_line(stream: bytes, chance: Random) -> Iterator[Explained]:
    explainer = Explainer(_decoder())
    for piece in _pieces(stream, chance):
        yield from explainer.feed(piece)
    yield from explainer.rest()


def _explain_capture(stream: bytes, chance: Random, figures: Counter[str]) -> Iterator[Explained]:
    reader, explainer = PcapngReader(), PacketExplainer(_decoder())
    try:
        for piece in _pieces(stream, chance):
            for packet in reader.feed(piece):
                yield from explainer.feed(packet)
        reader.end()
    except CaptureError as error:
        assert 0 <= error.offset <= len(stream)  # noqa: PT017 - most damage is an error, some is none
        figures["broken captures"] += 1
    yield from explainer.rest()


def _decoder() -> VpumpDecoder:
    return VpumpDecoder(lambda serial_number: (_published(serial_number),), thorough=True)


def _damaged(original: bytes, chance: Random) -> bytes:
    stream = bytearray(original)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        at = chance.randrange(len(stream))
        match chance.randrange(5):
            case 0:
                del stream[at : at + chance.choice((1, 4, 8))]
            case 1:
                stream[at:at] = chance.randbytes(chance.choice((1, 4, 8)))
            case _:
                stream[at] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
    return bytes(stream)


def _pieces(stream: bytes, chance: Random) -> Iterator[bytes]:
    at = 0
    while at < len(stream):
        size = chance.randint(1, 4000)
        yield stream[at : at + size]
        at += size
