"""tshark with our dissector shows every field of every frame as we read it, and says of others why they are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.explain import FAULT_WORDS
from protocol.export.catalogue import carried_by_class
from protocol.export.vector_document import frame_of, vectors_json
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.framing import LineFault, encode_wire
from protocol.messages.codes import MemoryCondition, ResetReason
from protocol.messages.log import LogReadAnswer
from protocol.messages.log_records import BootData, log_record
from protocol.refusals import OK
from tests.conftest import Counted
from tests.interop.foreign_frames import wires
from tests.interop.our_reading import REJECTED, fields, read
from tests.interop.wireshark import INBOUND, OUTBOUND, UNKNOWN_FLOW, Dissected, dissect, missing
from tests.protocol.hand_vectors import hand_vectors

VECTORS: Mapping[str, list[dict[str, Any]]] = json.loads(vectors_json())
FRAMES = 1_000


@pytest.fixture(autouse=True)
def tshark_is_here() -> None:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)


def one_each(frames: Sequence[bytes], directory: Path) -> list[Dissected]:
    """Each frame in a packet of its own."""
    told = []
    for frame in dissect(frames, directory):
        (only,) = frame
        told.append(only)
    return told


def vectors_of(*sections: str) -> list[dict[str, Any]]:
    return [vector for section in sections for vector in VECTORS[section]]


def wire_of(vector: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(vector["wire"])


def test_it_shows_every_field_of_every_vector_as_we_read_it(tmp_path: Path) -> None:
    vectors = vectors_of("framing", "messages", "log_records", "refusals", "spoilt", "sealed", "dropped")
    vectors = [vector for vector in vectors if vector.get("counted_as") != "oversize_errors"]
    frames = [wire_of(vector) for vector in vectors]
    for vector, wire, told in zip(vectors, frames, one_each(frames, tmp_path), strict=True):
        assert told.reading == read(wire), vector


def test_it_shows_what_was_written_by_hand(tmp_path: Path) -> None:
    carried = [(vector, carried_by_class[vector.cls]) for vector in hand_vectors() if vector.cls in carried_by_class]
    frames = [
        frame_of(row, (bytes((OK,)) if row.is_answer else b"") + vector.image).to_wire() for vector, row in carried
    ]
    for (vector, _), told in zip(carried, one_each(frames, tmp_path), strict=True):
        assert told.reading["payload"]["message"] == fields(vector.message())


def test_it_shows_generated_frames_as_we_read_them(tmp_path: Path, counted: Counted) -> None:
    frames = list(wires(seed=21, count=FRAMES))
    for wire, told in zip(frames, one_each(frames, tmp_path), strict=True):
        assert told.reading == read(wire), wire.hex()
        assert (told.reading == REJECTED) == bool(told.against), wire.hex()
    counted("generated frames, read by tshark", FRAMES)


def test_it_says_why_a_frame_is_none(tmp_path: Path) -> None:
    vectors = [vector for vector in VECTORS["dropped"] if vector["by_itself"]]
    for vector, told in zip(vectors, one_each([wire_of(vector) for vector in vectors], tmp_path), strict=True):
        fault = vector["counted_as"].removesuffix("_errors")
        assert told.experts == (f"vpump.rejected.{fault}",), vector
        assert FAULT_WORDS[LineFault(fault)] in told.info


def test_it_says_what_is_unreadable_and_names_the_field(tmp_path: Path) -> None:
    vectors = [vector for vector in VECTORS["spoilt"] if "message" in vector]
    for vector, told in zip(vectors, one_each([wire_of(vector) for vector in vectors], tmp_path), strict=True):
        assert told.experts == ("vpump.unreadable",), vector
        place, _, problem = vector["what"].split(" ", 2)[2].removeprefix("without a session, ").partition(": ")
        if problem and problem not in ("its CRC-32 does not match",):
            # `field: problem`, or of an item of a list `list[1].field: problem`.
            assert f"unreadable: {place.replace('].', '], ')}: " in told.info, vector


def test_sealed_payloads_are_shown_as_sealed_and_refusals_as_refused(tmp_path: Path) -> None:
    sealed = vectors_of("sealed")
    for vector, told in zip(sealed, one_each([wire_of(vector) for vector in sealed], tmp_path), strict=True):
        assert told.experts == ("vpump.sealed",)
        assert f"sealed, session 0001, counter {vector['counter']}, " in told.info
    refusals = [vector for vector in VECTORS["refusals"] if vector["verdict"] == "ok"]
    for vector, told in zip(refusals, one_each([wire_of(vector) for vector in refusals], tmp_path), strict=True):
        assert told.experts == ("vpump.refused",)
        assert told.info.endswith(vector["what"].split(", ")[1])


def test_a_record_whose_data_is_odd_is_shown_as_bytes(tmp_path: Path) -> None:
    boot = BootData(reset_reason=ResetReason.POWER, memory=MemoryCondition.BOTH_SLOTS_GOOD, generation=7)
    record = replace(log_record(boot, sequence=1, epoch=1, boot=1, elapsed_s=0), data_length=3)
    carried = carried_by_class[LogReadAnswer]
    payload = bytes((OK,)) + encode(LogReadAnswer(next_sequence=2, records=(record,)))
    (told,) = one_each([frame_of(carried, payload).to_wire()], tmp_path)
    assert told.experts == ("vpump.odd_record",)
    assert told.reading["payload"]["message"]["records"][0]["record"] is None


def test_what_nobody_knows_is_no_error(tmp_path: Path) -> None:
    unknown = [
        Frame(opcode=0x0B01, txn=1, address=2, payload=b"\x01"),
        Frame(opcode=0x0101, txn=1, address=2, payload=b"", major=2),
    ]
    for told in one_each([frame.to_wire() for frame in unknown], tmp_path):
        assert told.experts == ("vpump.unknown",)


@pytest.mark.parametrize(
    ("flow", "way", "wrong"),
    [
        (UNKNOWN_FLOW, "", []),
        (INBOUND, "to the pump", ["CLOSE answer", "0B01 event"]),
        (OUTBOUND, "from the pump", ["CLOSE request"]),
    ],
)
def test_it_says_which_way_a_frame_goes_and_which_should_not(
    tmp_path: Path, flow: int, way: str, wrong: list[str]
) -> None:
    close = Frame(opcode=0x0104, txn=1, address=2, payload=b"")
    frames = [close, replace(close, flags=Flag.RESP, payload=b"\x0f"), replace(close, opcode=0x0B01, flags=Flag.EVENT)]
    told = [each for (each,) in dissect([frame.to_wire() for frame in frames], tmp_path, flow)]
    assert {each.way for each in told} == {way}
    against = [each.info.split(": ")[1].split(" txn")[0] for each in told if "vpump.wrong_way" in each.experts]
    assert against == wrong


def test_a_packet_may_hold_several_frames_or_half_of_one(tmp_path: Path) -> None:
    streams = [bytes.fromhex(vector["stream"]) for vector in VECTORS["streams"]]
    for vector, told in zip(VECTORS["streams"], dissect(streams, tmp_path), strict=True):
        if not vector["found"]:
            assert [each.experts for each in told] == [("vpump.unfinished",)]
            continue
        assert len(told) == len(vector["found"])
        for each, found in zip(told, vector["found"], strict=True):
            if found.endswith("_errors"):
                assert each.experts == (f"vpump.rejected.{found.removesuffix('_errors')}",)
            else:
                assert each.reading == read(encode_wire(bytes.fromhex(found)))
