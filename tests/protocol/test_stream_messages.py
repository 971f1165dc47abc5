"""The messages of the stream byte for byte, as written down by hand; and fields that are there only with their bit."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from protocol.export.examples import announcement_wire
from protocol.field_types import IntegerType
from protocol.fields import FormatError, decode, encode, layout_of, message, table_of, u8
from protocol.framing import StreamReader
from protocol.messages.codes import CODE_TABLES, ChangedFlag, RunState, StopReason, TelemetryField
from protocol.messages.operations import ANNOUNCEMENTS, by_opcode, operation_of
from protocol.messages.stream import (
    ResetFlagsAnswer,
    ResetFlagsRequest,
    StreamEvent,
    SubscribeAnswer,
    SubscribeRequest,
    UnsubscribeAnswer,
    UnsubscribeRequest,
)
from protocol.refusals import NakCode
from tests.protocol.message_strategies import messages

NOTHING: dict[str, Any] = {row.name: None for row in table_of(StreamEvent) if row.present is not None}
HEAD: dict[str, Any] = {
    "stream_sequence": 0x0102,
    "elapsed_s": 0x0A0B0C0D,
    "changed": ChangedFlag.BOOT | ChangedFlag.SECURITY,
    "log_epoch": 0x0304,
    "log_last": 0x11121314,
}
HEAD_HEX = "0201 0d0c0b0a 01020000 0403 14131211"
BARE = StreamEvent(**HEAD, **NOTHING, fields=TelemetryField(0))
FULL = StreamEvent(
    **HEAD,
    fields=TelemetryField(sum(TelemetryField)),
    run_state=RunState.STOPPED,
    stop_reason=StopReason.END_OF_SERVICE,
    alarms_raised=1,
    alarms_unacknowledged=2,
    therapy_rev=3,
    base_rate_nl_per_day=4,
    programmed_rate_nl_per_day=5,
    reservoir_nl=6,
    bolus_id=7,
    bolus_volume_nl=8,
    bolus_delivered_nl=9,
    bolus_remaining_s=10,
    delivered_nl=11,
    boot=12,
    rtc_unix_s=13,
    offset_min=-1,
    idle_mv=14,
    loaded_mv=15,
    temperature_cc=-2,
)
SOME = StreamEvent(
    **HEAD,
    **NOTHING | {"therapy_rev": 3, "boot": 12, "idle_mv": 14, "loaded_mv": 15, "temperature_cc": -2},
    fields=TelemetryField.THERAPY_REV | TelemetryField.BOOT | TelemetryField.BATTERY,
)
VECTORS: list[tuple[int, Any, str]] = [
    (0x0701, SubscribeRequest(fields=TelemetryField.ALARMS | TelemetryField.BATTERY, period_s=600), "02020000 5802"),
    (0x0701, SubscribeAnswer(next_sequence=1), "0100"),
    (0x0702, UnsubscribeRequest(), ""),
    (0x0702, UnsubscribeAnswer(next_sequence=0xFFFE), "feff"),
    (
        0x0703,
        ResetFlagsRequest(changed=ChangedFlag.ALARM | ChangedFlag.MEMORY, log_epoch=2, log_sequence=0x10203),
        "10010000 0200 03020100",
    ),
    (0x0703, ResetFlagsAnswer(changed=ChangedFlag.CLOCK), "40000000"),
    (0x0704, BARE, HEAD_HEX + "00000000"),
    (
        0x0704,
        FULL,
        HEAD_HEX + "ff030000"
        "3c 05 01 02 03000000 04000000 05000000 06000000 07000000 08000000 09000000 0a000000 0b00000000000000"
        "0c00 0d000000 ffff 0e00 0f00 feff",
    ),
    (0x0704, SOME, HEAD_HEX + "84020000 03000000 0c00 0e00 0f00 feff"),
]


def opcode_of(message: Any) -> int:
    return 0x0704 if isinstance(message, StreamEvent) else operation_of(message).opcode


@pytest.mark.parametrize(("opcode", "message", "image"), VECTORS, ids=lambda each: type(each).__name__)
def test_a_message_lies_on_the_wire_as_written_down_by_hand(opcode: int, message: Any, image: str) -> None:
    assert opcode_of(message) == opcode
    assert encode(message) == bytes.fromhex(image)
    assert decode(type(message), bytes.fromhex(image)) == message


def test_an_event_in_the_clear_is_this_frame() -> None:
    """Flag EVENT, the low byte of the sequence for a txn, no bit 15, no result byte."""
    (piece,) = (piece for piece in StreamReader().feed(announcement_wire(BARE)) if piece.raw != b"\x00")
    assert piece.body == bytes.fromhex("12 02 0407 eeffc000 0000 1400" + HEAD_HEX + "00000000")


@given(messages(StreamEvent))
def test_a_field_is_there_exactly_with_its_bit(event: StreamEvent) -> None:
    payload = encode(event)
    assert decode(StreamEvent, payload) == event
    present = [row for row in table_of(StreamEvent) if row.present is None or row.present & event.fields]
    assert len(payload) == sum(row.kind.size or 0 for row in present)
    assert {row.name for row in table_of(StreamEvent)} - {row.name for row in present} == {
        name for name in NOTHING if getattr(event, name) is None
    }


@pytest.mark.parametrize("name", NOTHING)
def test_a_field_without_its_bit_and_a_bit_without_its_fields_are_no_event(name: str) -> None:
    (row,) = (row for row in table_of(StreamEvent) if row.name == name)
    whole: dict[str, Any] = {
        name: row.kind.minimum if isinstance(row.kind, IntegerType) else next(iter(row.enum or ()))
    }
    absent: dict[str, Any] = {name: None}
    with pytest.raises(ValueError, match=f"StreamEvent.{name} = .*exactly when fields has"):
        encode(replace(BARE, **whole))
    with pytest.raises(ValueError, match=f"StreamEvent.{name} = None.*exactly when fields has"):
        encode(replace(FULL, **absent))


def test_fields_of_bits_to_come_are_skipped_with_the_end_of_the_event() -> None:
    later = bytes.fromhex(HEAD_HEX + "01000080 33 00 aabbcc")
    event = decode(StreamEvent, later)
    assert (event.run_state, event.stop_reason, event.alarms_raised) == (RunState.RUNNING, StopReason.NONE, None)
    assert int(event.fields) == 0x8000_0001


def test_an_event_that_ends_within_a_field_names_it() -> None:
    whole = encode(SOME)
    with pytest.raises(FormatError, match="ends within loaded_mv") as caught:
        decode(StreamEvent, whole[:-3])
    (index,) = (at for at, row in enumerate(table_of(StreamEvent)) if row.name == "loaded_mv")
    assert (caught.value.code, caught.value.field) == (NakCode.FORMAT, index)


def test_the_bits_and_the_fields_stand_in_the_same_order_and_are_explained() -> None:
    bits = [row.present for row in table_of(StreamEvent) if row.present is not None]
    assert bits == sorted(bits)
    assert set(bits) == set(TelemetryField)
    (table,) = (table for table in CODE_TABLES if table.code is TelemetryField)
    for bit in TelemetryField:
        assert table.meanings[bit] == ", ".join(row.name for row in table_of(StreamEvent) if row.present is bit)


def test_an_event_is_no_request_and_fits_a_frame() -> None:
    assert not set(ANNOUNCEMENTS) & set(by_opcode)
    assert layout_of(StreamEvent).maximum_size == len(encode(FULL)) == 78
    assert layout_of(StreamEvent).fixed_size is None


def test_a_bit_that_no_field_before_tells_of_is_no_declaration() -> None:
    with pytest.raises(TypeError, match="no field before it says whether that is set"):

        @message
        class _Orphan:
            value: int | None = u8(meaning="nobody says whether it is there", present=TelemetryField.BOOT)
