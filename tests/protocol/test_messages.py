"""Messages read back what was written, and nothing that their tables do not admit."""

import enum
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.export.examples import EXAMPLES
from protocol.field_types import INTEGERS, CodedType, IntegerType
from protocol.fields import FormatError, decode, encode, layout_of, table_of
from protocol.frame import MAX_PAYLOAD
from protocol.messages.codes import (
    CODE_TABLES,
    HAMMING_CODES,
    Block,
    BolusEndReason,
    BolusKind,
    Capability,
    MemoryCondition,
    OpenFlag,
    OpFlag,
    OpState,
    ResetReason,
    Role,
    RunState,
)
from protocol.messages.deliver import BolusExecuteAnswer, BolusExecuteRequest, BolusPrepareRequest, StopRequest
from protocol.messages.link import AuthRequest, HelloAnswer, HelloRequest, KeepaliveRequest, OpenRequest
from protocol.messages.log import LogReadAnswer, LogRecord
from protocol.messages.log_records import DATA_OF, BolusEndedData, BootData, data_of, log_record
from protocol.messages.op import OpListAnswer, OpQueryRequest
from protocol.messages.operations import OPERATIONS, by_name, by_opcode, operation_of, payload_hash
from protocol.messages.program import (
    ProgramCommitRequest,
    ProgramWriteRequest,
    StageReadRequest,
)
from protocol.messages.read import ReducedStatusAnswer, StatusAnswer
from protocol.refusals import NO_FIELD, NakCode
from tests.protocol.message_strategies import ANSWERS, MESSAGES, REQUESTS, messages

EXAMPLE_OF: dict[type, Any] = {type(example): example for example in EXAMPLES}


def refusal_of(cls: type, payload: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        decode(cls, payload)
    return caught.value


@given(st.sampled_from(MESSAGES).flatmap(messages))
def test_every_message_reads_back(message: Any) -> None:
    assert decode(type(message), encode(message)) == message


@given(st.sampled_from(MESSAGES), st.binary(max_size=MAX_PAYLOAD))
def test_any_payload_is_a_message_that_writes_back_or_a_format_error(cls: type, payload: bytes) -> None:
    try:
        message: Any = decode(cls, payload)
    except FormatError as error:
        refused_field = error.field
    else:
        assert payload.startswith(encode(message))
        return
    assert refused_field == NO_FIELD or refused_field < len(table_of(cls))


@pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)
def test_a_truncated_payload_names_the_field_that_it_ends_in(cls: type) -> None:
    payload = encode(EXAMPLE_OF[cls]) if cls in EXAMPLE_OF else bytes(layout_of(cls).maximum_size)
    for length in range(len(payload)):
        ends_in = [
            index for index, field in enumerate(table_of(cls)) if field.offset is not None and field.offset <= length
        ]
        error = refusal_of(cls, payload[:length])
        assert error.code == NakCode.FORMAT
        # Behind its flags the fields of an event have no fixed places.
        assert error.field == ends_in[-1] or (table_of(cls)[error.field].present and error.field > ends_in[-1])


@pytest.mark.parametrize("cls", REQUESTS, ids=lambda cls: cls.__name__)
def test_requests_take_no_trailing_byte_save_hello_and_keepalive(cls: type) -> None:
    payload = encode(EXAMPLE_OF[cls]) + b"\x00"
    if cls in (HelloRequest, KeepaliveRequest):
        assert decode(cls, payload) == EXAMPLE_OF[cls]
    else:
        assert refusal_of(cls, payload).field == NO_FIELD


@pytest.mark.parametrize("cls", ANSWERS, ids=lambda cls: cls.__name__)
def test_answers_may_grow_at_their_end(cls: type) -> None:
    assert decode(cls, encode(EXAMPLE_OF[cls]) + b"\x01\x02") == EXAMPLE_OF[cls]


CODED = [
    pytest.param(cls, index, field, id=f"{cls.__name__}.{field.name}")
    for cls in (*REQUESTS, *ANSWERS)
    for index, field in enumerate(table_of(cls))
    if isinstance(field.kind, CodedType) and field.size == 1
]


@pytest.mark.parametrize(("cls", "index", "field"), CODED)
def test_every_unknown_code_is_refused_with_its_field(cls: type, index: int, field: Any) -> None:
    code: type[enum.IntEnum] = field.enum
    payload = bytearray(encode(EXAMPLE_OF[cls]))
    for value in range(256):
        payload[field.offset] = value
        try:
            known = bool(code(value) or True)
        except ValueError:
            known = False
        if known:
            assert getattr(decode(cls, bytes(payload)), field.name) == value
        else:
            assert refusal_of(cls, bytes(payload)).field == index


def test_unknown_capabilities_are_kept_and_unknown_op_flags_refused() -> None:
    hello = replace(EXAMPLE_OF[HelloAnswer], capabilities=Capability(1 << 40))
    assert decode(HelloAnswer, encode(hello)).capabilities == 1 << 40
    with pytest.raises(ValueError, match="OpFlag: REPEATED"):
        encode(replace(EXAMPLE_OF[BolusExecuteAnswer], flags=0x80))


RANGED = [
    pytest.param(cls, index, field, id=f"{cls.__name__}.{field.name}")
    for cls in REQUESTS
    for index, field in enumerate(table_of(cls))
    if isinstance(field.kind, IntegerType) and field.size
]


@pytest.mark.parametrize(("cls", "index", "field"), RANGED)
def test_values_outside_the_range_are_neither_written_nor_read(cls: type, index: int, field: Any) -> None:
    for value in (field.minimum - 1, field.maximum + 1):
        with pytest.raises(ValueError, match=f"{cls.__name__}.{field.name} = {value}: allowed is "):
            encode(replace(EXAMPLE_OF[cls], **{field.name: value}))
        whole = INTEGERS[field.type_name]
        if whole.minimum <= value <= whole.maximum:
            payload = bytearray(encode(EXAMPLE_OF[cls]))
            image = value.to_bytes(field.size, "little", signed=whole.minimum < 0)
            payload[field.offset : field.offset + field.size] = image
            error = refusal_of(cls, bytes(payload))
            assert (error.code, error.field) == (NakCode.FORMAT, index)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("major", True, "an integer is needed"),
        ("major", "1", "an integer is needed"),
        ("model", "seventeen letters", "at most 16 characters fit"),
        ("model", "µ", "printable ASCII"),
        ("model", "a\nb", "printable ASCII"),
        ("firmware_hash", b"short", "exactly 8 bytes"),
    ],
)
def test_values_of_the_wrong_kind_are_not_written(name: str, value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encode(replace(EXAMPLE_OF[HelloAnswer], **{name: value}))


@pytest.mark.parametrize("image", [b"a\x00b".ljust(16, b"\x00"), b"\xff" * 16, b"\x0a".ljust(16, b"\x00")])
def test_text_is_printable_ascii_with_nothing_behind_its_end(image: bytes) -> None:
    payload = bytearray(encode(EXAMPLE_OF[HelloAnswer]))
    payload[10:26] = image
    assert refusal_of(HelloAnswer, bytes(payload)).field == 3


def test_too_many_records_are_refused_before_they_are_read() -> None:
    page = EXAMPLE_OF[OpListAnswer]
    (entry,) = page.ops
    with pytest.raises(ValueError, match="at most 6 records fit"):
        encode(replace(page, ops=(entry,) * 7))
    with pytest.raises(ValueError, match="a tuple of OpEntry is needed"):
        encode(replace(page, ops=[entry]))
    payload = encode(replace(page, ops=()))
    error = refusal_of(OpListAnswer, payload[:-1] + b"\xff" + bytes(255))
    assert (error.field, error.reason) == (6, "a count of at most 6, not 255")


def test_a_wrong_record_is_named_by_its_place() -> None:
    page = EXAMPLE_OF[OpListAnswer]
    payload = bytearray(encode(replace(page, ops=page.ops * 2)))
    payload[17 + 32] = 9
    error = refusal_of(OpListAnswer, bytes(payload))
    assert (error.field, error.element) == (6, 1)


@given(messages(BolusPrepareRequest), st.integers(0, 31))
def test_a_complement_that_does_not_match_is_refused_as_such(request_: BolusPrepareRequest, bit: int) -> None:
    payload = bytearray(encode(request_))
    payload[5 + bit // 8] ^= 1 << bit % 8
    error = refusal_of(BolusPrepareRequest, bytes(payload))
    assert (error.code, error.field) == (NakCode.REDUNDANCY_MISMATCH, 2)
    with pytest.raises(ValueError, match="allowed is the complement"):
        encode(replace(request_, volume_complement=request_.volume_complement ^ 1 << bit))


def test_every_message_fits_a_frame() -> None:
    assert all(layout_of(cls).maximum_size <= MAX_PAYLOAD for cls in REQUESTS)
    assert all(1 + layout_of(cls).maximum_size <= MAX_PAYLOAD for cls in ANSWERS)


def test_field_tables_say_where_each_field_lies() -> None:
    rows = [(field.name, field.type_name, field.offset, field.size) for field in table_of(BolusExecuteRequest)]
    assert rows == [
        ("bolus_id", "u32", 0, 4),
        ("volume_nl", "u32", 4, 4),
        ("volume_complement", "u32", 8, 4),
        ("duration_s", "u32", 12, 4),
        ("op_id", "u32", 16, 4),
        ("therapy_rev", "u32", 20, 4),
    ]


def test_operations_are_found_by_number_name_and_message() -> None:
    for operation in OPERATIONS:
        assert by_opcode[operation.opcode] is by_name[operation.name] is operation
        assert operation_of(operation.request) is operation_of(EXAMPLE_OF[operation.answer]) is operation
    assert operation_of(ReducedStatusAnswer) is by_name["STATUS"]
    unsequenced = [operation.name for operation in OPERATIONS if not operation.sequenced]
    assert unsequenced == ["HELLO", "OPEN", "AUTH", "KEEPALIVE", "STOP", "OP_QUERY"]


def test_therapy_operations_are_those_that_carry_an_op_id_and_a_revision() -> None:
    for operation in OPERATIONS:
        names = {field.name for field in table_of(operation.request)}
        assert ({"op_id", "therapy_rev"} <= names) == (operation.effect.value == "therapy")
        if operation.effect.value == "therapy":
            assert "therapy_rev" not in {field.name for field in table_of(operation.answer)}


def test_critical_codes_are_far_apart_and_every_code_is_explained() -> None:
    for table in CODE_TABLES:
        assert set(table.meanings) == {int(code) for code in table.code}
        if table.critical:
            assert set(table.meanings) <= set(HAMMING_CODES)
    assert all((a ^ b).bit_count() == 4 for a in HAMMING_CODES for b in HAMMING_CODES if a not in (b, b ^ 0xFF))


@given(messages(BolusExecuteRequest), st.data())
def test_the_payload_hash_ignores_therapy_rev_and_nothing_else(
    request_: BolusExecuteRequest, data: st.DataObject
) -> None:
    other = data.draw(messages(BolusExecuteRequest))
    opcode = by_name["BOLUS_EXECUTE"].opcode
    same = replace(other, therapy_rev=request_.therapy_rev) == request_
    assert (payload_hash(opcode, request_) == payload_hash(opcode, other)) == same
    assert payload_hash(opcode, replace(request_, therapy_rev=other.therapy_rev)) == payload_hash(opcode, request_)
    for name in ("bolus_id", "duration_s"):
        changed = replace(request_, **{name: getattr(request_, name) ^ 1})
        assert payload_hash(opcode, changed) != payload_hash(opcode, request_)


def test_the_payload_hash_depends_on_the_opcode_and_is_what_the_specification_says() -> None:
    stop = StopRequest(op_id=901, therapy_rev=42)
    # sha256(01 04 | 85 03 00 00)
    assert payload_hash(0x0401, stop).hex() == "b136a59ff0ae98fd"
    assert payload_hash(0x0402, stop) != payload_hash(0x0401, stop)


def test_log_records_carry_the_fields_of_their_type() -> None:
    ended = BolusEndedData(
        role=3,
        host_id=0,
        reason=BolusEndReason.COMPLETE,
        bolus_id=17,
        delivered_min_nl=49_000,
        delivered_max_nl=50_000,
    )
    record = log_record(ended, sequence=4, epoch=1, boot=1, elapsed_s=600, op_id=900)
    assert len(encode(record)) == 48
    assert data_of(record) == ended
    assert data_of(replace(record, type=0x7777)) is None
    with pytest.raises(FormatError):
        data_of(replace(record, data_length=3))
    assert all(layout_of(data).maximum_size <= 20 for data in DATA_OF.values())


def test_a_later_version_may_add_to_a_log_records_data() -> None:
    boot = BootData(reset_reason=ResetReason.POWER, memory=MemoryCondition.ONE_SLOT_LOST, generation=5)
    record = log_record(boot, sequence=1, epoch=1, boot=1, elapsed_s=0)
    assert data_of(replace(record, data_length=9, data=record.data[:6] + bytes(14))) == boot


def test_every_flipped_bit_of_a_log_record_is_found() -> None:
    (record,) = EXAMPLE_OF[LogReadAnswer].records
    image = encode(record)
    for bit in range(len(image) * 8):
        flipped = bytearray(image)
        flipped[bit // 8] ^= 1 << bit % 8
        refusal_of(LogRecord, bytes(flipped))
    assert refusal_of(LogRecord, image[:-1]).field == NO_FIELD


def test_messages_lie_on_the_wire_as_written_down_by_hand() -> None:
    execute = BolusExecuteRequest(
        bolus_id=17, volume_nl=50_000, volume_complement=0xFFFF3CAF, duration_s=600, op_id=900, therapy_rev=41
    )
    assert encode(execute).hex(" ", 4) == "11000000 50c30000 af3cffff 58020000 84030000 29000000"
    answer = BolusExecuteAnswer(
        op_id=900,
        state=OpState.EXECUTING,
        flags=OpFlag.REPEATED,
        delivered_min_nl=1,
        delivered_max_nl=2,
        log_sequence=3,
        bolus_id=17,
        volume_nl=50_000,
        duration_s=600,
    )
    assert encode(answer).hex() == "8403000033010100000002000000030000001100000050c3000058020000"
    assert encode(OpQueryRequest(role=Role.CLINICIAN, op_id=900)).hex() == "0384030000"
    assert encode(HelloRequest(major=1, minor=0)).hex() == "0100"
    prepare = BolusPrepareRequest(kind=BolusKind.SINGLE, volume_nl=1, volume_complement=0xFFFFFFFE, duration_s=60)
    assert encode(prepare).hex(" ", 4) == "33 01000000 feffffff 3c000000"
    opening = OpenRequest(role=Role.PATIENT, flags=OpenFlag.TAKEOVER, host_id=0x51, host_challenge=bytes(range(8)))
    assert encode(opening).hex(" ") == "02 01 51 00 00 00 00 01 02 03 04 05 06 07"
    assert encode(AuthRequest(host_cryptogram=bytes(range(8)))).hex() == "0001020304050607"
    assert encode(ReducedStatusAnswer(run_state=RunState.FAILED, alarm_present=1)).hex() == "6601"
    write = ProgramWriteRequest(stage_id=3, block=Block.LIMITS, offset=4, data=b"\x01\x02\x03")
    assert encode(write).hex(" ") == "03 00 00 00 03 04 00 03 01 02 03"
    read_back = StageReadRequest(stage_id=3, block=Block.IMAGE, offset=192, length=192)
    assert encode(read_back).hex(" ") == "03 00 00 00 00 c0 00 c0"
    commit = ProgramCommitRequest(stage_id=3, crc32=0x11223344, op_id=903, therapy_rev=44)
    assert encode(commit).hex(" ", 4) == "03000000 44332211 87030000 2c000000"
    status = encode(replace(EXAMPLE_OF[StatusAnswer], run_state=RunState.STOPPED))
    assert status.hex() == (
        "3c"
        "00"
        "00"
        "00"
        "29000000"
        "80510100"
        "e0750900"
        "e0750900"
        "20b72701"
        "00000000"
        "00000000"
        "00000000"
        "00000000"
        "e075090000000000"
        "0100"
        "02000000"
        "0100"
    )
