"""Kaitai's own compiler takes the description, and its parsers read every vector and every frame as we do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from protocol.export.catalogue import carried_by_class
from protocol.export.vector_document import frame_of, vectors_json
from protocol.fields import decode
from protocol.frame import Flag, parse_body
from protocol.framing import StreamReader
from protocol.messages.program import BLOCKS
from protocol.refusals import OK
from tests.conftest import Counted
from tests.interop.foreign_frames import wires
from tests.interop.kaitai_parsers import LANGUAGES, Asked, ClearPayload, OneType, Parsers, WholeFrame, missing, same
from tests.interop.our_reading import REJECTED, fields, read
from tests.protocol.hand_vectors import hand_vectors

VECTORS: Mapping[str, list[dict[str, Any]]] = json.loads(vectors_json())
# Of the 100,000 frames of `scripts/soak foreign`, what fits a run of all tests.
FRAMES = 1_500

in_both_languages = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def parsers() -> Parsers:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return Parsers()


def agree(parsers: Parsers, language: str, asked: Sequence[Asked], expected: Sequence[Any]) -> None:
    found = list(parsers.read(language, asked))
    differing = [row for row in zip(asked, expected, found, strict=True) if not same(row[1], row[2])]
    assert differing == []


@in_both_languages
def test_it_reads_every_vector_as_we_do_and_as_it_says(parsers: Parsers, language: str) -> None:
    vectors = [
        vector
        for section in ("framing", "messages", "log_records", "refusals", "spoilt", "sealed", "dropped")
        for vector in VECTORS[section]
        # A description begins behind the delimiters.
        if vector.get("counted_as") != "oversize_errors"
    ]
    frames = [bytes.fromhex(vector["wire"]) for vector in vectors]
    ours = [read(wire) for wire in frames]
    for vector, reading in zip(vectors, ours, strict=True):
        assert (reading != REJECTED) == is_read(vector), vector
    agree(parsers, language, [WholeFrame(wire) for wire in frames], ours)


def is_read(vector: Mapping[str, Any]) -> bool:
    """Whether a frame of a vector is one that a decoder without keys or place understands."""
    if "nonce" in vector or "header" in vector:
        # Of the frame alone, or sealed: only who has the keys can say more.
        return True
    if vector["verdict"] == "nak" and "message" not in vector:
        # An operation that nobody knows: its frame is good.
        return True
    return vector["verdict"] == "ok" or vector.get("by_itself") is False


@in_both_languages
def test_it_reads_what_a_cipher_has_opened(parsers: Parsers, language: str) -> None:
    asked, expected = [], []
    for vector in VECTORS["sealed"]:
        (piece,) = StreamReader().feed(bytes.fromhex(vector["wire"]))
        frame = parse_body(piece.body or b"")
        opcode = frame.opcode | (0x8000 if Flag.RESP in frame.flags else 0)
        plain = bytes.fromhex(vector["plain_payload"])
        asked.append(ClearPayload(plain, opcode, Flag.EVENT in frame.flags))
        cls = next(cls for cls in carried_by_class if cls.__name__ == vector["message"])
        message: Any = decode(cls, plain[1:] if vector["way"] == "answer" else plain)
        told: dict[str, Any] = {"#": "Payload", "opcode": opcode, "secured": True, "major": 1, "laterfields": ""}
        told |= {"event": Flag.EVENT in frame.flags, "message": fields(message)}
        expected.append(told | ({"result": OK} if vector["way"] == "answer" else {}))
    agree(parsers, language, asked, expected)


@in_both_languages
def test_it_reads_what_was_written_by_hand(parsers: Parsers, language: str) -> None:
    asked: list[Asked] = []
    expected = []
    for vector in hand_vectors():
        carried = carried_by_class.get(vector.cls)
        if carried is None:
            asked.append(OneType(vector.cls.__name__, vector.image))
            expected.append(fields(vector.message()))
        else:
            payload = (bytes((OK,)) if carried.is_answer else b"") + vector.image
            wire = frame_of(carried, payload).to_wire()
            asked.append(WholeFrame(wire))
            expected.append(read(wire))
            assert expected[-1]["payload"]["message"] == fields(vector.message())
    agree(parsers, language, asked, expected)


@in_both_languages
def test_it_reads_blocks_alone_and_the_whole_image_of_a_program(parsers: Parsers, language: str) -> None:
    blocks = [(vector["message"], bytes.fromhex(vector["bytes"])) for vector in VECTORS["blocks"]]
    classes = {cls.__name__: cls for cls in BLOCKS.values()}
    read_alone = [fields(decode(classes[name], image)) for name, image in blocks]
    agree(parsers, language, [OneType(name, image) for name, image in blocks], read_alone)
    patterned = {name: (image, told) for (name, image), told in zip(blocks[::3], read_alone[::3], strict=True)}
    whole = b"".join(patterned[cls.__name__][0] for cls in BLOCKS.values())
    told = {block.name.lower(): patterned[cls.__name__][1] for block, cls in BLOCKS.items()}
    agree(parsers, language, [OneType("ProgramImage", whole)], [{"#": "ProgramImage", **told}])


@in_both_languages
def test_it_reads_generated_frames_as_we_do(parsers: Parsers, language: str, counted: Counted) -> None:
    frames = list(wires(seed=20, count=FRAMES))
    ours = [read(wire) for wire in frames]
    agree(parsers, language, [WholeFrame(wire) for wire in frames], ours)
    counted(f"generated frames, read by {language}", FRAMES)


def test_generated_frames_are_of_every_kind() -> None:
    kinds = Counter(kind_of(read(wire)) for wire in wires(seed=20, count=FRAMES))
    for cls in carried_by_class:
        assert kinds[cls.__name__], cls
    for kind in ("rejected", "sealed", "refused", "UnknownPayload"):
        assert kinds[kind] >= 10, kind
    assert kinds["rejected"] < FRAMES / 2


def kind_of(reading: dict[str, Any]) -> str:
    if reading == REJECTED:
        return "rejected"
    if reading["secured"]:
        return "sealed"
    message = reading["payload"].get("message")
    return message["#"] if message else "refused"


def test_the_same_seed_gives_the_same_frames() -> None:
    assert list(wires(seed=3, count=50)) == list(wires(seed=3, count=50)) != list(wires(seed=4, count=50))


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"a": [1, "x"]}, {"a": [1, "x"]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [1], False),
        (1, True, False),
        (1, "1", False),
        ((1 << 53) + 1, 1 << 53, True),
        ((1 << 64) - 1, 18446744073709552000, True),
        ((1 << 64) - 1, (1 << 64) - 4096, False),
        ((1 << 53) - 1, 1 << 53, False),
    ],
)
def test_readings_are_told_apart(ours: Any, theirs: Any, expected: bool) -> None:
    assert same(ours, theirs) is expected
