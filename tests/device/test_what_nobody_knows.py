"""What a later version, another major or a careless host says: each piece of it is treated as the specification says.

Services and operations that there are not are told at `test_access.py`, what messages are made of at
`tests/protocol/test_messages.py`. Here the pump is asked, in a session, and goes on as before.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from protocol.access import PumpState, access_of
from protocol.field_types import BlobType, CodedType, IntegerType
from protocol.fields import Field, decode, encode, table_of
from protocol.frame import ANY_ADDRESS, MAJOR, MAX_PAYLOAD, Flag, Frame
from protocol.framing import encode_wire
from protocol.host_end import Answered, HostEnd
from protocol.messages.codes import Block, ChangedFlag, Mode, Role
from protocol.messages.link import HelloAnswer, HelloRequest, LinkStatsRequest
from protocol.messages.log import LogStatusRequest
from protocol.messages.operations import OPERATIONS, Operation, by_name
from protocol.messages.program import (
    BLOCK_PART_MAX,
    ProgramBeginRequest,
    ProgramValidateRequest,
    ProgramWriteRequest,
)
from protocol.messages.read import StatusRequest
from protocol.messages.stream import ResetFlagsRequest
from protocol.refusals import NO_FIELD, OK, Nak, NakCode
from protocol.streams import ALL_FIELDS
from tests.device.care_requests import nak, nak_of
from tests.device.desk import frames_in
from tests.device.hand_host import HandHost, body_of, nothing_moves
from tests.device.pump_states import WellMeant, host_of
from tests.firmware_model.drug_programs import new_program, wire_blocks
from tests.protocol.message_strategies import messages

OTHER_MAJORS = [major for major in range(16) if major != MAJOR]
GROWING = {"HELLO", "KEEPALIVE"}
"""The requests behind whose fields a later minor version may say more."""
NOT_IN_A_SESSION = {"OPEN", "AUTH"}
SIZES = {block: len(content) for block, content in wire_blocks(new_program()).items()}


@cache
def _waiting(operation: Operation) -> tuple[HandHost, bytes]:
    """A host whose role may ask for an operation, and the payload of a request that is meant well."""
    role = Role.PATIENT if operation.name == "PATIENT_BOLUS" else Role.CLINICIAN
    host = host_of(PumpState.RUNNING, None if operation.name in NOT_IN_A_SESSION else role)
    return host, encode(WellMeant(host).request(operation.name))


def told(operation: Operation, payload: bytes) -> Nak | None:
    """What a host is told that sends this payload in place of the well-meant one, None for OK."""
    host, _ = _waiting(operation)
    answer = host.opened(host.send(host.opcode(operation.opcode, payload)))
    return None if answer[0] == OK else Nak.decode(answer)


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_done_by_what_is_refused() -> Iterator[None]:
    """To whichever pumps these tests share."""
    waiting = [_waiting(operation)[0].device.pump for operation in OPERATIONS]
    before = [pump.delivery_digest() for pump in waiting]
    yield
    assert [pump.delivery_digest() for pump in waiting] == before


# --- other versions -------------------------------------------------------------------------------------------------


def in_major(major: int, opcode: int, payload: bytes, host: HandHost) -> bytes:
    return Frame(opcode=opcode, txn=1, address=host.device.serial_number, payload=payload, major=major).to_wire()


@pytest.mark.parametrize("major", OTHER_MAJORS)
def test_in_another_major_version_only_the_greeting_is_answered_and_in_this_one(major: int) -> None:
    host = host_of(PumpState.RUNNING, None)
    for operation in OPERATIONS:
        answers = host.send(in_major(major, operation.opcode, _waiting(operation)[1], host))
        assert bool(answers) == (operation.name == "HELLO"), operation.name
    (greeting,) = host.send(in_major(major, by_name["HELLO"].opcode, b"\x63\x07later", host))
    assert (greeting.major, greeting.payload[0]) == (MAJOR, OK)
    assert decode(HelloAnswer, greeting.payload[1:]).major == MAJOR


@given(
    st.sampled_from(OTHER_MAJORS),
    st.integers(0, 0x7FFF) | st.just(by_name["HELLO"].opcode),
    st.binary(max_size=2) | st.binary(max_size=40),
)
@settings(max_examples=60)
def test_whatever_another_major_version_says_moves_nothing_and_is_counted(
    major: int, opcode: int, payload: bytes
) -> None:
    host, _ = _waiting(by_name["STATUS"])
    greets = opcode == by_name["HELLO"].opcode
    before = host.ask(LinkStatsRequest()).version_errors
    with nothing_moves(host.device):
        answers = host.send(in_major(major, opcode, payload, host))
    verdicts = [None if answer.payload[0] == OK else Nak.decode(answer.payload) for answer in answers]
    assert verdicts == ([None if len(payload) >= 2 else Nak(NakCode.FORMAT, len(payload))] if greets else [])
    assert host.ask(LinkStatsRequest()).version_errors == before + (not greets)


def test_a_sealed_frame_of_another_major_version_is_not_even_opened() -> None:
    host, payload = _waiting(by_name["STATUS"])
    body = bytearray(body_of(host.sealed_opcode(by_name["STATUS"].opcode, payload)))
    body[0] = (MAJOR + 1) << 4 | body[0] & 0x0F
    with nothing_moves(host.device):
        assert host.send(encode_wire(bytes(body))) == []
    host.txns[True] -= 1
    assert host.verdict(host.sealed(StatusRequest())) is None


@pytest.mark.parametrize("minor", [0, 1, 255])
def test_a_host_of_any_minor_version_is_answered_alike_and_opens_a_session(minor: int) -> None:
    host = host_of(PumpState.RUNNING, None)
    greeting = host.ask(HelloRequest(major=MAJOR, minor=minor))
    assert greeting == host.ask(HelloRequest(major=MAJOR, minor=0))
    host.connect()
    assert host.ask(StatusRequest()).boot == 1


def test_hello_and_keepalive_may_say_more_than_this_pump_understands() -> None:
    for operation in (by_name["HELLO"], by_name["KEEPALIVE"]):
        _, payload = _waiting(operation)
        for more in (b"\x00", b"a TLV of a later minor version", bytes(MAX_PAYLOAD - len(payload))):
            assert told(operation, payload + more) is None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@given(data=st.data())
@settings(max_examples=8)
def test_a_host_skips_what_a_later_pump_says_behind_the_fields_of_an_answer(
    operation: Operation, data: st.DataObject
) -> None:
    answer = data.draw(messages(operation.answer))
    more = data.draw(st.binary(min_size=1, max_size=60))
    payload = (bytes((OK,)) + encode(answer) + more)[:MAX_PAYLOAD]
    address = getattr(answer, "serial_number", 5)
    assume(address != ANY_ADDRESS)  # which is no pump's, and no answer's
    host = HostEnd(address=address)
    host.request(data.draw(messages(operation.request)), 0)
    (asked,) = frames_in(host.data_to_send())
    reply = Frame(opcode=operation.opcode, txn=asked.txn, address=address, payload=payload, flags=Flag.RESP)
    host.receive(reply.to_wire(), 0)
    assert host.next_event() == Answered(answer, asked.txn)


# --- requests that no table admits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@given(more=st.binary(min_size=1, max_size=40))
@settings(max_examples=5)
def test_a_byte_too_many_is_refused_and_no_field_is_blamed(operation: Operation, more: bytes) -> None:
    _, payload = _waiting(operation)
    assert told(operation, payload + more) == (None if operation.name in GROWING else Nak(NakCode.FORMAT, NO_FIELD))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_payload_that_ends_too_early_blames_the_field_in_which_it_ends(operation: Operation) -> None:
    _, payload = _waiting(operation)
    ends = _ends_of(operation, len(payload))
    for size in range(len(payload)):
        field = next(index for index, end in enumerate(ends) if size < end)
        assert told(operation, payload[:size]) == Nak(NakCode.FORMAT, field), f"cut to {size} bytes"


def _ends_of(operation: Operation, size: int) -> list[int]:
    """Where each field of a request ends; only the last one may vary."""
    table = table_of(operation.request)
    return [size if field.size is None else (field.offset or 0) + field.size for field in table]


CODED = [
    (operation, index, field)
    for operation in OPERATIONS
    for index, field in enumerate(table_of(operation.request))
    if isinstance(field.kind, CodedType)
]
ENUMERATED = [row for row in CODED if not issubclass(row[2].enum or enum.Enum, enum.IntFlag)]
FLAGGED = [row for row in CODED if row not in ENUMERATED]
OF_UNKNOWN_BITS: dict[tuple[str, str], Nak | None] = {
    ("OPEN", "flags"): Nak(NakCode.FORMAT, 1),
    ("SUBSCRIBE", "fields"): Nak(NakCode.RANGE, 0, detail=ALL_FIELDS),
    ("RESET_FLAGS", "changed"): None,
}
"""A host is told which fields there are; and what the pump never sets may be reset."""


@pytest.mark.parametrize(("operation", "index", "field"), ENUMERATED, ids=lambda part: getattr(part, "name", ""))
def test_every_code_that_there_is_not_blames_its_field(operation: Operation, index: int, field: Field) -> None:
    assert field.size == 1
    _, payload = _waiting(operation)
    at = field.offset or 0
    for value in set(range(256)) - {int(code) for code in field.enum or ()}:
        wrong = payload[:at] + bytes((value,)) + payload[at + 1 :]
        assert told(operation, wrong) == Nak(NakCode.FORMAT, index), f"{field.name} {value:02X}"


@pytest.mark.parametrize(("operation", "index", "field"), FLAGGED, ids=lambda part: getattr(part, "name", ""))
def test_every_bit_that_means_nothing_is_treated_as_the_specification_says(
    operation: Operation, index: int, field: Field
) -> None:
    """Alone, beside what was meant well, and beside every known bit."""
    expected = OF_UNKNOWN_BITS[operation.name, field.name]
    assert expected is None or expected.field == index
    _, payload = _waiting(operation)
    at, size = field.offset or 0, field.size or 0
    known = sum(int(bit) for bit in field.enum or ())
    meant_well = int.from_bytes(payload[at : at + size], "little")
    for bit in (1 << place for place in range(8 * size)):
        if not bit & known:
            for others in (0, meant_well, known):
                said = payload[:at] + (bit | others).to_bytes(size, "little") + payload[at + size :]
                assert told(operation, said) == expected, f"{field.name} {bit | others:X}"


def test_all_flags_that_may_ever_be_are_reset_at_once_and_none_is_invented() -> None:
    host = host_of(PumpState.RUNNING, Role.CLINICIAN)
    last = host.ask(LogStatusRequest()).last
    whole = ChangedFlag(0xFFFF_FFFF)
    assert host.ask(ResetFlagsRequest(changed=whole, log_epoch=1, log_sequence=last)).changed == ChangedFlag(0)


NARROW = [
    (operation, index, field)
    for operation in OPERATIONS
    for index, field in enumerate(table_of(operation.request))
    if isinstance(field.kind, IntegerType) and field.minimum is not None
    if (field.minimum, field.maximum) != (0, (1 << 8 * (field.size or 0)) - 1) and field.minimum >= 0
]


@pytest.mark.parametrize(("operation", "index", "field"), NARROW, ids=lambda part: getattr(part, "name", ""))
def test_a_number_that_no_message_holds_blames_its_field(operation: Operation, index: int, field: Field) -> None:
    _, payload = _waiting(operation)
    at, size = field.offset or 0, field.size or 0
    assert field.minimum is not None
    assert field.maximum is not None
    for value in (field.minimum - 1, field.maximum + 1):
        if 0 <= value < 1 << 8 * size:
            wrong = payload[:at] + value.to_bytes(size, "little") + payload[at + size :]
            assert told(operation, wrong) == Nak(NakCode.FORMAT, index), f"{field.name} {value}"


def test_a_count_that_promises_more_than_there_is_or_may_be_is_never_believed() -> None:
    operation = by_name["PROGRAM_WRITE"]
    (index,) = (at for at, field in enumerate(table_of(operation.request)) if isinstance(field.kind, BlobType))
    head = bytes(4) + bytes((Block.DRUGS,)) + bytes(2)
    for count in range(1, 256):
        assert told(operation, head + bytes((count,)) + bytes(count - 1)[:200]) == Nak(NakCode.FORMAT, index)
    over = bytes((BLOCK_PART_MAX + 1,)) + bytes(BLOCK_PART_MAX + 1)
    assert told(operation, head + over) == Nak(NakCode.FORMAT, index)


@pytest.mark.parametrize("length", [0, 1, 7, 9, 224, 225, 255, 256, 0xFFFF])
def test_a_header_that_lies_about_the_length_is_dropped_in_silence_and_counted(length: int) -> None:
    host, _ = _waiting(by_name["STATUS"])
    before = host.ask(LinkStatsRequest()).length_errors
    body = bytearray(body_of(HandHost(host.device).plain(HelloRequest(major=MAJOR, minor=0)))) + bytes(6)
    body[10:12] = length.to_bytes(2, "little")
    with nothing_moves(host.device):
        assert host.send(encode_wire(bytes(body))) == []
    assert host.ask(LinkStatsRequest()).length_errors == before + 1


def test_whoever_may_not_ask_learns_nothing_of_formats() -> None:
    """The role comes before the format, and a session before the role."""
    for operation in OPERATIONS:
        access = access_of(operation.name)
        payload = _waiting(operation)[1] + b"\x00"
        if Role.READER not in access.roles:
            reader = host_of_once(Role.READER)
            assert nak_of(reader, reader.opcode(operation.opcode, payload)) == Nak(NakCode.ROLE)
        if not access.without_session:
            nobody = host_of_once(None)
            assert nak_of(nobody, nobody.opcode(operation.opcode, payload)) == Nak(NakCode.AUTH_REQUIRED)


@cache
def host_of_once(role: Role | None) -> HandHost:
    return host_of(PumpState.RUNNING, role)


# --- programs -------------------------------------------------------------------------------------------------------


def written(host: HandHost, blocks: dict[Block, bytes]) -> int:
    """A stage with these blocks."""
    stage_id: int = host.ask(ProgramBeginRequest()).stage_id
    for block, content in blocks.items():
        for at in range(0, len(content), BLOCK_PART_MAX):
            part = content[at : at + BLOCK_PART_MAX]
            host.ask(ProgramWriteRequest(stage_id=stage_id, block=block, offset=at, data=part))
    return stage_id


def blocks_of_a_program() -> dict[Block, bytes]:
    return {Block(block): content for block, content in wire_blocks(new_program()).items()}


@pytest.mark.parametrize("block", [block for block in Block if block is not Block.IMAGE], ids=lambda block: block.name)
def test_a_block_with_something_more_behind_it_is_refused_with_its_size(block: Block) -> None:
    """Also a TLV that a later version would put there."""
    host = host_of(PumpState.RUNNING, Role.CLINICIAN)
    blocks = blocks_of_a_program()
    stage_id = written(host, blocks)
    size = len(blocks[block])
    more = ProgramWriteRequest(stage_id=stage_id, block=block, offset=size, data=b"\x01\x02\x03\x04")
    assert nak(host, more) == Nak(NakCode.BLOCK_SEQUENCE, field=3, element=block, detail=size)
    assert host.ask(ProgramValidateRequest(stage_id=stage_id)).image_size == sum(map(len, blocks.values()))


def test_a_block_that_there_is_not_and_the_image_are_not_written() -> None:
    operation = by_name["PROGRAM_WRITE"]
    assert told(operation, bytes(4) + b"\x08" + bytes(3)) == Nak(NakCode.FORMAT, 1)
    host = host_of(PumpState.RUNNING, Role.CLINICIAN)
    stage_id = host.ask(ProgramBeginRequest()).stage_id
    image = ProgramWriteRequest(stage_id=stage_id, block=Block.IMAGE, offset=0, data=b"\x00")
    assert nak(host, image) == Nak(NakCode.BLOCK_SEQUENCE, field=1)


@given(mode=st.integers(0, 255).filter(lambda value: value not in {int(mode) for mode in Mode}))
@settings(max_examples=20)
def test_a_mode_that_there_is_not_is_refused_with_block_and_field(mode: int) -> None:
    host = host_of_once(Role.CLINICIAN)
    blocks = blocks_of_a_program()
    blocks[Block.INFUSION] = bytes((mode,)) + blocks[Block.INFUSION][1:]
    stage_id = written(host, blocks)
    refused = nak(host, ProgramValidateRequest(stage_id=stage_id))
    assert refused == Nak(NakCode.FORMAT, field=0, element=Block.INFUSION)
