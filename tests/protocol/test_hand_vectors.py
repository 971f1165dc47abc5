"""What was written by hand is what the tables make: every message, block and log record, and every refusal."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from protocol.export.catalogue import all_classes
from protocol.fields import Layout, decode, encode, layout_of, table_of
from protocol.framing import crc32
from protocol.messages.operations import OPERATIONS
from protocol.refusals import Nak, NakCode
from tests.protocol.hand_vectors import HandVector, hand_vectors

VECTORS = hand_vectors()
# Items of lists are written within the messages that carry them.
ITEMS = {field.item for cls in all_classes() for field in table_of(cls)}

# Code, field, element and detail, each with bytes of its own.
NAKS = """
UNKNOWN_SERVICE 11, UNKNOWN_OP 12, FORMAT 13, BUSY 21, CONDITIONS 22, SEQUENCE 24, RANGE 31, ROLE 33, AUTH_REQUIRED 34,
KEY 35, ATTEMPTS 36, DELAY 37, MEMORY_FAILURE 72, BLOCK_SEQUENCE 73, PENDING 78, NO_SUCH_SESSION 7f, BATTERY_LOW 93,
BELOW_MINIMUM a0, ABOVE_MAXIMUM a1, NOT_QUANTIZABLE a2, LOCKOUT a3, WINDOW_DOSE_LIMIT a4, NOTHING_STAGED a5,
STAGE_CHANGED a6, LEASE_EXPIRED a7, NO_SUCH_BOLUS a8, BOLUS_RUNNING a9, ALREADY_ENDED aa, ALREADY_IN_STATE ab,
ALARM_BLOCKS ac, RESERVOIR ad, PUMP_STOPPED ae, STALLED af, UNRESOLVED b0, OP_ID_REUSED b1, BUSY_OTHER_HOST b2,
REDUNDANCY_MISMATCH b3, RECORD_OVERWRITTEN b4, RECORD_CORRUPT b5, NO_SUCH_ALARM b6, CLOCK_INVALID b7,
CONCENTRATION_MISMATCH b8, OP_ID_STALE b9, LOG_EPOCH ba
"""


def test_every_message_block_and_log_record_was_written_once() -> None:
    written = Counter(vector.cls for vector in VECTORS)
    assert written == Counter(cls for cls in all_classes() if cls not in ITEMS)
    for operation in OPERATIONS:
        assert {operation.request, operation.answer} <= written.keys()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.cls.__name__)
def test_what_was_written_is_what_the_codec_makes_and_reads(vector: HandVector) -> None:
    message = vector.message()
    assert encode(message).hex(" ") == vector.image.hex(" ")
    assert decode(vector.cls, vector.image) == message


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.cls.__name__)
def test_each_field_stands_where_it_was_written(vector: HandVector) -> None:
    places = _places(layout_of(vector.cls), vector.message(), "")
    assert [(each.path, len(each.image)) for each in vector.written] == places


def test_the_crc_of_a_log_record_was_not_made_by_the_codec() -> None:
    (vector,) = (vector for vector in VECTORS if vector.cls.__name__ == "LogReadAnswer")
    record, crc = vector.image[5:-4], vector.image[-4:]
    assert (crc.hex(), crc32(record).to_bytes(4, "little")) == ("0aa4c558", crc)


def test_every_refusal_was_written() -> None:
    codes = dict(row.split() for row in NAKS.replace("\n", " ").split(","))
    assert codes.keys() == set(NakCode.__members__)
    for name, code in codes.items():
        image = bytes.fromhex(code + "01 03 02 07 06 05 04")
        nak = Nak(NakCode[name], field=1, element=0x0203, detail=0x04050607)
        assert nak.encode() == image
        assert Nak.decode(image) == nak
    assert Nak(NakCode.BUSY).encode().hex(" ") == "21 ff 00 00 00 00 00 00"


def _places(layout: Layout, message: Any, prefix: str) -> list[tuple[str, int]]:
    """The name and size of every field, counts and CRCs included, in the order of the table."""
    places: list[tuple[str, int]] = []
    for field in layout.fields:
        path, value = prefix + field.name, getattr(message, field.name)
        if value is None:
            continue
        if field.kind.size is None:
            places.append((f"{prefix}#{field.name}", 1))
        if field.item is None:
            places.append((path, len(value) if field.kind.size is None else field.kind.size))
            continue
        for number, item in enumerate(value):
            places += _places(layout_of(field.item), item, f"{path}[{number}].")
    return [*places, (f"{prefix}crc32", 4)] if layout.ends_with_crc32 else places
