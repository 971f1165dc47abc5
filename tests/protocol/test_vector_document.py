"""The test vectors for others: what this codec and this pump make of them is what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from protocol.access import access_of
from protocol.channel import CounterOld, Direction, Opener, SessionKeys, TagWrong
from protocol.explain import explain
from protocol.export.catalogue import CARRIED, Way, all_classes
from protocol.export.plain_values import plain
from protocol.export.vector_document import vectors_json
from protocol.fields import FormatError, decode, encode, layout_of
from protocol.frame import Flag, parse_body
from protocol.framing import StreamReader
from protocol.messages.codes import Role
from protocol.messages.log_records import DATA_OF
from protocol.messages.program import BLOCKS
from protocol.refusals import NO_FIELD, Nak, NakCode
from tests.protocol.pump_line import PumpLine

VECTORS: Mapping[str, list[dict[str, Any]]] = json.loads(vectors_json())
CLASS_OF: Mapping[str, Any] = {cls.__name__: cls for cls in all_classes()}
ANSWERED = [*VECTORS["messages"], *VECTORS["log_records"], *VECTORS["refusals"], *VECTORS["spoilt"]]


def body_of(wire: str) -> bytes:
    (piece,) = StreamReader().feed(bytes.fromhex(wire))
    assert piece.fault is None
    return piece.body or b""


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["what"])


def test_every_message_in_each_direction_block_and_record_has_vectors() -> None:
    carried = {(each["operation"], each["way"]) for each in VECTORS["messages"]}
    assert carried == {(row.operation.name, row.way.value) for row in CARRIED}
    assert {each["block"] for each in VECTORS["blocks"]} == set(BLOCKS)
    assert [each["what"].removeprefix("LOG_READ answer, with ") for each in VECTORS["log_records"]] == [
        code.name for code in DATA_OF
    ]
    assert [each["nak"]["code"] for each in VECTORS["refusals"] if each["verdict"] == "ok"] == list(NakCode)


def test_every_vector_has_a_name_of_its_own() -> None:
    for name, vectors in VECTORS.items():
        if isinstance(vectors, list):
            whats = [each["what"] for each in vectors if "what" in each]
            assert len(whats) == len(set(whats)), name


@named(VECTORS["messages"] + VECTORS["log_records"])
def test_a_good_message_reads_as_it_says(vector: dict[str, Any]) -> None:
    told = explain(body_of(vector["wire"]))
    frame = told.frame
    assert (told.name, frame.opcode, frame.payload.hex()) == (vector["operation"], vector["opcode"], vector["payload"])
    assert told.message is not None
    assert type(told.message).__name__ == vector["message"]
    assert plain(told.message) == vector["fields"]


@named(VECTORS["blocks"])
def test_a_block_reads_as_it_says(vector: dict[str, Any]) -> None:
    assert plain(decode(CLASS_OF[vector["message"]], bytes.fromhex(vector["bytes"]))) == vector["fields"]


@named(VECTORS["refusals"])
def test_a_refusal_reads_as_it_says(vector: dict[str, Any]) -> None:
    told = explain(body_of(vector["wire"]))
    if vector["verdict"] == "ok":
        nak = told.nak
        assert nak is not None
        assert {"code": nak.code, "field": nak.field, "element": nak.element, "detail": nak.detail} == vector["nak"]
    else:
        assert told.problem
        assert told.message is told.nak is None


@named(VECTORS["spoilt"])
def test_a_spoilt_payload_is_refused_as_it_says(vector: dict[str, Any]) -> None:
    told = explain(body_of(vector["wire"]))
    assert told.message is None
    assert told.problem
    if vector["way"] != "request":
        assert vector["verdict"] == "unreadable"
        return
    expected = vector["nak"]
    if "message" in vector:
        with pytest.raises(FormatError) as caught:
            decode(CLASS_OF[vector["message"]], told.frame.payload)
        error = caught.value
        assert {"code": error.code, "field": error.field, "element": error.element} == expected
    if "message" not in vector or may_ask(vector["operation"]):
        line = PumpLine(insecure=True)
        assert line.send_wire(bytes.fromhex(vector["wire"])) is None
        ((_, nak),) = line.replies()
        assert isinstance(nak, Nak)
        assert {"code": nak.code, "field": nak.field, "element": nak.element} == expected


def may_ask(name: str) -> bool:
    """Whether a clinician's session without keys may ask for it."""
    return Role.CLINICIAN in access_of(name).roles or access_of(name).without_session


@named(VECTORS["dropped"])
def test_what_is_dropped_is_counted_as_it_says(vector: dict[str, Any]) -> None:
    line = PumpLine(insecure=True)
    fault = line.send_wire(bytes.fromhex(vector["wire"]))
    assert fault is not None
    assert f"{fault.value}_errors" == vector["counted_as"]
    assert line.wires() == []
    counters = line.end.stats(0).to_answer()
    counted = {name: count for name, count in plain(counters).items() if name.endswith("_errors") and count}
    assert counted == {vector["counted_as"]: 1}


@named(VECTORS["streams"])
def test_a_stream_is_cut_as_it_says_however_it_comes(vector: dict[str, Any]) -> None:
    stream = bytes.fromhex(vector["stream"])
    for size in (1, 7, len(stream)):
        reader = StreamReader()
        pieces = [piece for at in range(0, len(stream), size) for piece in reader.feed(stream[at : at + size])]
        told = [f"{piece.fault.value}_errors" if piece.fault else (piece.body or b"").hex() for piece in pieces]
        found = [each for each in told if each]
        assert found == vector["found"]


def test_sealed_frames_open_in_their_order_as_they_say() -> None:
    (session,) = VECTORS["session"]
    keys = SessionKeys(*(bytes.fromhex(session[name]) for name in ("host_to_pump_key", "pump_to_host_key", "salt")))
    for vector in VECTORS["sealed"]:
        frame = parse_body(body_of(vector["wire"]))
        opener = Opener(keys, Direction[vector["direction"].upper()])
        assert frame.session_id == session["session_id"]
        if vector["verdict"] == "ok":
            opener.last = vector["counter"] - 1
            assert opener.open(frame).hex() == vector["plain_payload"]
            told = explain(body_of(vector["wire"]), bytes.fromhex(vector["plain_payload"]))
            assert told.message is not None
            assert plain(told.message) == vector["fields"]
            continue
        opener.last = vector["last_good_counter"]
        with pytest.raises(CounterOld if vector["counted_as"] == "counter_errors" else TagWrong):
            opener.open(frame)


def test_in_a_session_each_direction_counts_its_frames() -> None:
    for direction in ("host_to_pump", "pump_to_host"):
        counters = [each["counter"] for each in VECTORS["sealed"] if each["direction"] == direction]
        first = [counter for counter in counters if counter < 0x100]
        assert first == list(range(1, len(first) + 1))


def test_later_fields_are_told_from_fields_that_are_missing() -> None:
    longer = [each for each in VECTORS["messages"] if each["what"].endswith("behind")]
    extensible = {row.cls.__name__ for row in CARRIED if layout_of(row.cls).extensible and row.way is not Way.REDUCED}
    assert {each["message"] for each in longer} == extensible


def test_an_answer_in_the_clear_is_flagged_as_one() -> None:
    for vector in ANSWERED:
        flags = parse_body(body_of(vector["wire"])).flags
        assert (Flag.RESP in flags) == (vector["way"] in ("answer", "answer without a session"))


def test_field_indices_of_refusals_are_those_of_the_tables() -> None:
    for vector in VECTORS["spoilt"]:
        if "nak" in vector and vector["nak"]["field"] != NO_FIELD:
            table = layout_of(CLASS_OF[vector["message"]]).fields
            name = table[vector["nak"]["field"]].name
            assert vector["what"].split(", ")[1].startswith((name, "the last byte"))


def test_the_specifications_frames_are_among_them() -> None:
    told = [body_of(each["wire"]) for each in VECTORS["framing"]]
    assert [each["body"][:-8] for each in VECTORS["framing"]] == [body.hex() for body in told]
    hello = next(each for each in VECTORS["messages"] if each["message"] == "HelloRequest")
    assert encode(CLASS_OF["HelloRequest"](**hello["fields"])).hex() == hello["payload"]
