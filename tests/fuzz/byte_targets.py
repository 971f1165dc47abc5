"""Any bytes to the stream reader and to the decoders: nothing comes out but their own errors, and what is whole.

`reader` takes a stream behind a byte that says how it is chunked. `messages` takes a payload behind three bytes that
say what it is to be a message of.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from protocol.explain import explain, reject_words
from protocol.fields import FormatError, decode, encode, layout_of
from protocol.frame import FrameError, parse_body
from protocol.framing import DELIMITER, ENCODED_MAX, Piece, StreamReader, encode_wire
from protocol.messages.log import LogRecord
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import ANNOUNCEMENTS, OPERATIONS
from protocol.messages.program import BLOCKS
from protocol.refusals import NO_FIELD, Nak

REQUEST, ANSWER, REDUCED, LOG_DATA, BLOCK, NAK, RECORD, EVENT = range(8)
PIECE_MAX = ENCODED_MAX + 2


def _classes() -> dict[tuple[int, int], type[Any]]:
    found: dict[tuple[int, int], type[Any]] = {(RECORD, 0): LogRecord}
    for operation in OPERATIONS:
        found[REQUEST, operation.opcode] = operation.request
        found[ANSWER, operation.opcode] = operation.answer
        if operation.reduced is not None:
            found[REDUCED, operation.opcode] = operation.reduced
    found.update({(EVENT, told.opcode): told.message for told in ANNOUNCEMENTS.values()})
    found.update({(LOG_DATA, int(kind)): cls for kind, cls in DATA_OF.items()})
    found.update({(BLOCK, int(block)): cls for block, cls in BLOCKS.items()})
    return found


CLASSES: Mapping[tuple[int, int], type[Any]] = _classes()
_KEYS = tuple(CLASSES)


def reader(data: bytes) -> None:
    """The stream comes as a whole and in chunks; both give the same pieces, and a good frame is what we would send."""
    if not data:
        return
    size, stream = data[0] + 1, data[1:]
    whole, chunked = StreamReader(), StreamReader()
    pieces = list(whole.feed(stream))
    edges = [*range(0, len(stream), size), len(stream)]
    again = [piece for start, end in pairwise(edges) for piece in chunked.feed(stream[start:end])]
    assert again == pieces, "chunking makes a difference"
    assert b"".join(piece.raw for piece in pieces) == stream[: len(stream) - whole.pending], "bytes are lost"
    assert whole.pending == chunked.pending < PIECE_MAX, "more is held than a frame"
    for piece in pieces:
        _look_at(piece)


def _look_at(piece: Piece) -> None:
    assert 0 < len(piece.raw) <= PIECE_MAX
    if piece.body is None:
        reject_words(piece.fault, None)
        return
    assert piece.fault is None
    assert encode_wire(piece.body).strip(DELIMITER) == piece.raw.strip(DELIMITER), "a body in another coding"
    try:
        frame = parse_body(piece.body)
    except FrameError:
        reject_words(None, piece.body)
        return
    assert frame.to_body() == piece.body
    assert explain(piece.body).summary


def _look_at_refusal(error: FormatError, fields: int) -> None:
    assert error.reason
    assert error.field == NO_FIELD or error.field < fields
    assert Nak(error.code, error.field, error.element).encode(), "a refusal that cannot be told"


def messages(data: bytes) -> None:
    """A payload is refused with FormatError, or it is a message whose bytes it is."""
    if len(data) < 3:
        return
    key = (data[0], int.from_bytes(data[1:3], "little"))
    payload = data[3:]
    if key[0] == NAK:
        try:
            nak = Nak.decode(payload)
        except ValueError:
            return
        assert nak.encode() == payload
        return
    cls = CLASSES.get(key) or CLASSES[_KEYS[sum(key) % len(_KEYS)]]
    layout = layout_of(cls)
    try:
        message = decode(cls, payload)
    except FormatError as error:
        _look_at_refusal(error, len(layout.fields))
        return
    image = encode(message)
    assert payload.startswith(image)
    assert layout.extensible or image == payload
    assert len(image) <= layout.maximum_size
