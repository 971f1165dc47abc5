"""Check vectors: fixed frames byte for byte, and one example frame per message, built from one table of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.fields import encode
from protocol.frame import ANY_ADDRESS, Flag, Frame
from protocol.messages import alarm, codes, deliver, link, log, log_records, op, pump_time, read
from protocol.messages.operations import Operation, by_name, operation_of, payload_hash
from protocol.refusals import OK, Nak, NakCode

ADDRESS: Final = 0x00C0FFEE
TXN: Final = 7


@dataclass(frozen=True, slots=True)
class Vector:
    """A frame as it must be: its body with the CRC-32, and its bytes on the wire."""

    title: str
    body: bytes
    wire: bytes


def _vector(title: str, body: str, wire: str) -> Vector:
    return Vector(title, bytes.fromhex(body), bytes.fromhex(wire))


# These do not follow from the code: they were computed apart from it, and the code must meet them.
CHECK_VECTORS: Final[tuple[Vector, ...]] = (
    _vector(
        "HELLO, any pump",
        "10 00 01 01 ff ff ff ff 00 00 02 00 01 00 47 b8 45 42",
        "00 02 10 07 01 01 ff ff ff ff 01 02 02 02 01 05 47 b8 45 42 00",
    ),
    _vector(
        "STATUS, no session",
        "10 07 01 02 ee ff c0 00 00 00 00 00 7f 1e 46 8a",
        "00 08 10 07 01 02 ee ff c0 01 01 01 01 05 7f 1e 46 8a 00",
    ),
    _vector(
        "an OK answer (framing only: its payload is cut after two bytes)",
        "11 07 01 82 ee ff c0 00 00 00 03 00 0f 33 00 5a c1 b9 8a",
        "00 08 11 07 01 82 ee ff c0 01 01 02 03 03 0f 33 05 5a c1 b9 8a 00",
    ),
    _vector(
        "NAK 34 AUTH_REQUIRED to BOLUS_PREPARE",
        "11 08 03 84 ee ff c0 00 00 00 08 00 34 ff 00 00 00 00 00 00 2c 17 16 bb",
        "00 08 11 08 03 84 ee ff c0 01 01 02 08 03 34 ff 01 01 01 01 01 05 2c 17 16 bb 00",
    ),
)

_OP_ID: Final = 900
_REV: Final = 41
_EXECUTE: Final = deliver.BolusExecuteRequest(
    bolus_id=17,
    volume_nl=50_000,
    volume_complement=50_000 ^ 0xFFFFFFFF,
    duration_s=600,
    op_id=_OP_ID,
    therapy_rev=_REV,
)
_EXECUTE_OPCODE: Final = by_name["BOLUS_EXECUTE"].opcode
_EXECUTE_HASH: Final = payload_hash(_EXECUTE_OPCODE, _EXECUTE)

# A bolus of 50 uL is prepared, executed as op 900, and cut short by a STOP.
EXAMPLES: Final[tuple[object, ...]] = (
    link.HelloRequest(major=1, minor=0),
    link.HelloAnswer(
        major=1,
        minor=0,
        capabilities=codes.Capability(0x0F),
        model="VP-20",
        serial_number=ADDRESS,
        firmware_hash=bytes.fromhex("0123456789abcdef"),
        max_payload=224,
        marks=codes.Marks.EMULATOR | codes.Marks.INSECURE,
    ),
    link.CapsRequest(),
    link.CapsAnswer(
        volume_quantum_nl=25,
        rate_min_nl_per_day=48_000,
        rate_max_nl_per_day=24_000_000,
        rate_quantum_nl_per_day=1_000,
        bolus_volume_min_nl=1_000,
        bolus_volume_max_nl=1_000_000,
        bolus_duration_min_s=60,
        bolus_duration_max_s=86_400,
        bolus_rate_max_nl_per_day=24_000_000,
        lease_s=30,
        reservoir_capacity_nl=20_000_000,
        low_reservoir_nl=2_000_000,
        empty_reservoir_nl=1_000_000,
        journal_interval_nl=400,
        log_capacity=1_030,
        alarm_capacity=8,
    ),
    link.LinkStatsRequest(),
    link.LinkStatsAnswer(
        frames_received=120,
        frames_sent=119,
        cobs_errors=0,
        crc_errors=2,
        short_errors=1,
        length_errors=0,
        flags_errors=0,
        oversize_errors=0,
        version_errors=0,
        address_errors=0,
        duplicates=1,
        sequence_refusals=0,
    ),
    read.StatusRequest(),
    read.StatusAnswer(
        run_state=codes.RunState.RUNNING,
        stop_reason=codes.StopReason.NONE,
        alarms_raised=0,
        alarms_unacknowledged=0,
        therapy_rev=_REV,
        elapsed_s=86_400,
        base_rate_nl_per_day=620_000,
        programmed_rate_nl_per_day=620_000,
        reservoir_nl=19_380_000,
        bolus_id=0,
        bolus_volume_nl=0,
        bolus_delivered_nl=0,
        bolus_remaining_s=0,
        delivered_nl=620_000,
        log_epoch=1,
        log_last=2,
        boot=1,
    ),
    read.IdentRequest(),
    read.IdentAnswer(
        model="VP-20",
        profile="reference-20",
        serial_number=ADDRESS,
        firmware_version="1.0.0",
        firmware_hash=bytes.fromhex("0123456789abcdef"),
        model_version=1,
        boots=1,
    ),
    deliver.StopRequest(op_id=901, therapy_rev=_REV + 1),
    deliver.StopAnswer(
        op_id=901,
        state=codes.OpState.DONE,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=5,
        target_op_id=_OP_ID,
        target_min_nl=30_000,
        target_max_nl=30_000,
        target_reason=codes.BolusEndReason.STOPPED,
    ),
    deliver.StartRequest(op_id=902, therapy_rev=_REV + 2),
    deliver.StartAnswer(
        op_id=902,
        state=codes.OpState.DONE,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=6,
    ),
    deliver.BolusPrepareRequest(
        kind=codes.BolusKind.SINGLE, volume_nl=50_010, volume_complement=50_010 ^ 0xFFFFFFFF, duration_s=600
    ),
    deliver.BolusPrepareAnswer(
        bolus_id=17, volume_nl=50_000, duration_s=600, steps=2_000, lease_s=30, available_nl=1_000_000
    ),
    _EXECUTE,
    deliver.BolusExecuteAnswer(
        op_id=_OP_ID,
        state=codes.OpState.EXECUTING,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=3,
        bolus_id=17,
        volume_nl=50_000,
        duration_s=600,
    ),
    deliver.BolusCancelRequest(bolus_id=17, op_id=901, therapy_rev=_REV + 1),
    deliver.BolusCancelAnswer(
        op_id=901,
        state=codes.OpState.DONE,
        flags=codes.OpFlag.REPEATED,
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=4,
        target_op_id=_OP_ID,
        target_min_nl=30_000,
        target_max_nl=30_000,
        target_reason=codes.BolusEndReason.CANCELLED,
    ),
    alarm.AlarmListRequest(from_instance=0),
    alarm.AlarmListAnswer(
        total=1,
        alarms=(
            alarm.AlarmEntry(
                instance=1,
                type=codes.AlarmType.LOW_RESERVOIR,
                priority=codes.Priority.NON_CRITICAL,
                state=codes.AlarmState.RAISED,
                elapsed_s=2_508_388,
                steps=720_000,
                rate_nl_per_day=620_000,
                reservoir_nl=2_000_000,
                battery_mv=2_800,
                last_op_id=_OP_ID,
            ),
        ),
    ),
    alarm.AlarmAckRequest(instance=1),
    alarm.AlarmAckAnswer(instance=1, state=codes.AlarmState.ACKNOWLEDGED),
    log.LogStatusRequest(),
    log.LogStatusAnswer(epoch=1, first=1, last=6, capacity=1_030),
    log.LogReadRequest(epoch=1, from_sequence=3, maximum=1),
    log.LogReadAnswer(
        next_sequence=4,
        records=(
            log_records.log_record(
                log_records.BolusStartedData(
                    role=codes.Role.CLINICIAN, host_id=0, bolus_id=17, volume_nl=50_000, duration_s=600
                ),
                sequence=3,
                epoch=1,
                boot=1,
                elapsed_s=86_460,
                rtc_unix_s=1_893_542_460,
                op_id=_OP_ID,
            ),
        ),
    ),
    pump_time.TimeReadRequest(),
    pump_time.TimeReadAnswer(elapsed_s=86_460, rtc_unix_s=1_893_542_460, offset_min=-90),
    op.OpQueryRequest(role=codes.Role.CLINICIAN, op_id=_OP_ID),
    op.OpQueryAnswer(
        epoch=1,
        role=codes.Role.CLINICIAN,
        op_high=901,
        state=codes.OpState.PARTIAL,
        op_id=_OP_ID,
        host_id=0,
        opcode=_EXECUTE_OPCODE,
        payload_hash=_EXECUTE_HASH,
        delivered_min_nl=30_000,
        delivered_max_nl=30_000,
        log_sequence=3,
    ),
    op.OpListRequest(page=0),
    op.OpListAnswer(
        epoch=1,
        therapy_rev=_REV + 2,
        page=0,
        pages=1,
        clinician_op_high=_OP_ID,
        patient_op_high=0,
        ops=(
            op.OpEntry(
                role=codes.Role.CLINICIAN,
                op_id=_OP_ID,
                host_id=0,
                opcode=_EXECUTE_OPCODE,
                payload_hash=_EXECUTE_HASH,
                state=codes.OpState.PARTIAL,
                delivered_min_nl=30_000,
                delivered_max_nl=30_000,
                log_sequence=3,
            ),
        ),
    ),
)
EXAMPLE_NAK: Final = Nak(NakCode.ABOVE_MAXIMUM, field=1, detail=1_000_000)


def request_wire(message: object) -> bytes:
    operation = operation_of(message)
    # Only HELLO may ask whoever is there.
    address = ADDRESS if operation.needs_session else ANY_ADDRESS
    return Frame(opcode=operation.opcode, txn=TXN, address=address, payload=encode(message)).to_wire()


def answer_wire(message: object) -> bytes:
    return _response(operation_of(message), bytes((OK,)) + encode(message))


def refusal_wire(operation: Operation, nak: Nak) -> bytes:
    return _response(operation, nak.encode())


def _response(operation: Operation, payload: bytes) -> bytes:
    return Frame(opcode=operation.opcode, txn=TXN, address=ADDRESS, payload=payload, flags=Flag.RESP).to_wire()
