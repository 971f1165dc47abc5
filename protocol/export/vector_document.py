"""Test vectors as one JSON document: everything valid with its fields, everything invalid with the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from protocol.channel import counter_of
from protocol.export.catalogue import CARRIED, Carried, Way
from protocol.export.examples import ADDRESS, EXAMPLES, TXN
from protocol.export.line_vectors import DROPPED, STREAMS
from protocol.export.plain_values import plain
from protocol.export.samples import SAMPLES, patterned
from protocol.export.sealed_vectors import derivation, document, sealed_vectors
from protocol.export.spoilt import spoilt
from protocol.export.vectors import CHECK_VECTORS, VECTOR_KEYS
from protocol.fields import encode, layout_of
from protocol.frame import ANY_ADDRESS, MAJOR, MINOR, Flag, Frame, parse_body
from protocol.framing import CRC_SIZE, LineFault
from protocol.messages.codes import CODE_TABLES
from protocol.messages.log import LogReadAnswer
from protocol.messages.log_records import DATA_OF, log_record
from protocol.messages.operations import Operation, by_name
from protocol.messages.program import BLOCKS
from protocol.refusals import NO_FIELD, OK, Nak, NakCode

FORMAT: Final = 1
_LATER_FIELDS: Final = b"\xa1\xa2"
_NO_FLAGS: Final = Flag(0)

ABOUT: Final = (
    "Bytes are lower-case hexadecimal. Fields have their raw numbers; integers of 64 bits are decimal text, because "
    "many readers of JSON hold 53. A verdict is ok; dropped (the pump says nothing, and counts it as `counted_as` in "
    "LINK_STATS); nak (the pump refuses with these values, in a session that may ask for it); unreadable (a host must "
    "take nothing from this answer). docs/foreign-tools.md says more."
)


def vectors_json() -> str:
    """One vector a line, so that a change shows where it is."""
    sections: Mapping[str, Iterable[Any]] = {
        "framing": _framing(),
        "messages": _messages(),
        "blocks": _blocks(),
        "log_records": _log_records(),
        "refusals": _refusals(),
        "session": [derivation()],
        "sealed": map(document, sealed_vectors()),
        "dropped": _dropped(),
        "streams": _streams(),
        "spoilt": _spoilt(),
        "codes": _codes(),
    }
    head = {"format": FORMAT, "protocol": f"{MAJOR}.{MINOR}", "address": ADDRESS, "about": ABOUT}
    lines = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
    for name, vectors in sections.items():
        lines.append(f'"{name}": [\n' + ",\n".join(json.dumps(vector) for vector in vectors) + "\n]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def frame_of(carried: Carried, payload: bytes) -> Frame:
    """The frame in the clear that carries a payload; only HELLO may ask whoever is there."""
    asks_anybody = carried.operation.name == "HELLO" and carried.way is Way.REQUEST
    flags = Flag.RESP if carried.is_answer else Flag.EVENT if carried.way is Way.EVENT else _NO_FLAGS
    address = ANY_ADDRESS if asks_anybody else ADDRESS
    txn = carried.txn(payload, TXN)
    return Frame(opcode=carried.operation.opcode, txn=txn, address=address, payload=payload, flags=flags)


def payload_of(carried: Carried, message: object) -> bytes:
    return (bytes((OK,)) if carried.is_answer else b"") + encode(message)


def _framing() -> Iterator[dict[str, Any]]:
    for vector in CHECK_VECTORS:
        frame = parse_body(vector.body[:-CRC_SIZE])
        row = {"what": vector.title, "wire": vector.wire.hex(), "body": vector.body.hex(), "header": _header(frame)}
        if Flag.SECURED in frame.flags:
            key = VECTOR_KEYS.pump_to_host if Flag.RESP in frame.flags else VECTOR_KEYS.host_to_pump
            row["sealed"] = {"key": key.hex(), "salt": VECTOR_KEYS.salt.hex(), "counter": counter_of(frame)}
        yield row


def _header(frame: Frame) -> dict[str, Any]:
    return {
        "major": frame.major,
        "flags": [flag.name for flag in Flag if flag in frame.flags],
        "txn": frame.txn,
        "opcode": frame.opcode,
        "address": frame.address,
        "session_id": frame.session_id,
        "length": len(frame.payload),
    }


def _messages() -> Iterator[dict[str, Any]]:
    example_of = {type(example): example for example in EXAMPLES}
    for carried in CARRIED:
        if carried.cls in example_of:
            yield _message(carried, "as in the specification", example_of[carried.cls])
        if layout_of(carried.cls).fields:
            for name, make in SAMPLES.items():
                yield _message(carried, name, make(carried.cls))
        # The answer without a session is told from the whole one by its size alone.
        if layout_of(carried.cls).extensible and carried.way is not Way.REDUCED:
            yield _message(
                carried, "with fields of a later minor version behind", patterned(carried.cls), _LATER_FIELDS
            )


def _message(carried: Carried, what: str, message: object, behind: bytes = b"") -> dict[str, Any]:
    payload = payload_of(carried, message) + behind
    return {**_carried(carried, what, payload), "verdict": "ok", "fields": plain(message)}


def _carried(carried: Carried, what: str, payload: bytes) -> dict[str, Any]:
    return {
        "what": f"{carried.name}, {what}",
        "operation": carried.operation.name,
        "opcode": carried.operation.opcode,
        "way": carried.way.value,
        "message": carried.cls.__name__,
        "wire": frame_of(carried, payload).to_wire().hex(),
        "payload": payload.hex(),
    }


def _blocks() -> Iterator[dict[str, Any]]:
    for block, cls in BLOCKS.items():
        for name, make in SAMPLES.items():
            message = make(cls)
            row = {"what": f"{block.name}, {name}", "block": int(block), "message": cls.__name__}
            yield {**row, "bytes": encode(message).hex(), "fields": plain(message)}


def _log_records() -> Iterator[dict[str, Any]]:
    carried = next(row for row in CARRIED if row.cls is LogReadAnswer)
    for code, cls in DATA_OF.items():
        record = log_record(patterned(cls), sequence=3, epoch=1, boot=2, elapsed_s=86_460, op_id=900)
        yield _message(carried, f"with {code.name}", LogReadAnswer(next_sequence=4, records=(record,)))


def _refusals() -> Iterator[dict[str, Any]]:
    asked = by_name["BOLUS_PREPARE"]
    for code in NakCode:
        nak = Nak(code, field=1, element=0x0203, detail=0x07060504)
        fields = {"code": int(code), "field": nak.field, "element": nak.element, "detail": nak.detail}
        yield {**_answer(asked, f"NAK {code:02X} {code.name}", nak.encode()), "verdict": "ok", "nak": fields}
    for what, payload in (
        ("without a result byte", b""),
        ("with result byte 00, which is reserved", bytes(8)),
        ("with a refusal that this version does not know", bytes((0xEE, NO_FIELD)) + bytes(6)),
        ("with a refusal that is too short", Nak(NakCode.BUSY).encode()[:-1]),
        ("with a refusal that is too long", Nak(NakCode.BUSY).encode() + b"\x00"),
    ):
        yield {**_answer(asked, what, payload), "verdict": "unreadable"}


def _answer(asked: Operation, what: str, payload: bytes) -> dict[str, Any]:
    frame = Frame(opcode=asked.opcode, txn=TXN, address=ADDRESS, payload=payload, flags=Flag.RESP)
    row = {"what": f"{asked.name} answer, {what}", "operation": asked.name, "opcode": asked.opcode, "way": "answer"}
    return {**row, "wire": frame.to_wire().hex(), "payload": payload.hex()}


def _dropped() -> Iterator[dict[str, Any]]:
    for each in DROPPED:
        row = {
            "what": each.what,
            "wire": each.wire.hex(),
            "verdict": "dropped",
            "counted_as": f"{each.fault.value}_errors",
        }
        yield {**row, "by_itself": each.by_itself}


def _streams() -> Iterator[dict[str, Any]]:
    for each in STREAMS:
        found = [f"{one.value}_errors" if isinstance(one, LineFault) else one.hex() for one in each.found]
        yield {"what": each.what, "stream": each.stream.hex(), "found": found}


def _spoilt() -> Iterator[dict[str, Any]]:
    for carried in CARRIED:
        for each in spoilt(carried.cls):
            payload = (bytes((OK,)) if carried.is_answer else b"") + each.payload
            row = _carried(carried, each.what, payload)
            if carried.way is Way.REQUEST:
                nak = {"code": int(each.code), "field": each.field, "element": each.element}
                yield {**row, "verdict": "nak", "nak": nak}
            else:
                yield {**row, "verdict": "unreadable"}
    for opcode, code in ((0x0B01, NakCode.UNKNOWN_SERVICE), (0x01FF, NakCode.UNKNOWN_OP)):
        frame = Frame(opcode=opcode, txn=TXN, address=ADDRESS, payload=b"")
        nak = {"code": int(code), "field": NO_FIELD, "element": 0}
        what = {"what": f"{code.name.lower().replace('_', ' ')}", "opcode": opcode, "way": "request"}
        yield {**what, "wire": frame.to_wire().hex(), "payload": "", "verdict": "nak", "nak": nak}


def _codes() -> Iterator[dict[str, Any]]:
    for table in CODE_TABLES:
        yield {"name": table.code.__name__, "values": {code.name: int(code) for code in table.code}}
