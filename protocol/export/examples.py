"""One example of every message, as a frame on the wire: a session is opened, and a bolus is given and cut short."""

from __future__ import annotations

from typing import Final

from protocol import keys
from protocol.channel import Direction, Sealer
from protocol.export.care_examples import CARE_EXAMPLES
from protocol.export.stream_examples import STREAM_EXAMPLES
from protocol.fields import encode
from protocol.frame import ANY_ADDRESS, Flag, Frame
from protocol.framing import crc32
from protocol.messages import alarm, codes, deliver, link, log, log_records, op, program, pump_time, read, stream
from protocol.messages.operations import EVENT, Operation, by_name, operation_of, payload_hash
from protocol.refusals import OK, Nak, NakCode

ADDRESS: Final = 0x00C0FFEE
TXN: Final = 7
SESSION_ID: Final = 1
SESSION_COUNTER: Final = 1
HOST_ID: Final = 0x51

_HELLO: Final = link.HelloAnswer(
    major=1,
    minor=0,
    capabilities=codes.Capability(0x1FFF),
    model="VP-20",
    serial_number=ADDRESS,
    firmware_hash=bytes.fromhex("0123456789abcdef"),
    max_payload=224,
    marks=codes.Marks.EMULATOR | codes.Marks.TEST_KEYS,
)
ROLE_KEY: Final = keys.test_keys(ADDRESS).of_role[codes.Role.CLINICIAN]
HANDSHAKE: Final = keys.Handshake(
    role=codes.Role.CLINICIAN,
    flags=0,
    serial_number=ADDRESS,
    host_id=HOST_ID,
    host_challenge=bytes.fromhex("c0c1c2c3c4c5c6c7"),
    device_challenge=keys.device_challenge(ROLE_KEY, SESSION_COUNTER, ADDRESS),
    hello_hash=keys.hello_hash(encode(_HELLO)),
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

_INFUSION: Final = program.InfusionBlock(
    mode=codes.Mode.SIMPLE_CONTINUOUS, rate_nl_per_day=620_000, dose_volume_nl=0, dose_duration_s=0, dose_interval_s=0
)
_LIMITS: Final = program.LimitsBlock(
    rate_max_nl_per_day=1_000_000, bolus_volume_max_nl=200_000, window_max_nl=2_000_000
)
_NO_DRUG: Final = program.DrugEntry(name="", concentration_ng_per_ml=0, stability_days=0)
_DRUGS: Final = program.DrugsBlock(
    drugs=(
        program.DrugEntry(name="morphine", concentration_ng_per_ml=10_000_000, stability_days=0),
        program.DrugEntry(name="bupivacaine", concentration_ng_per_ml=5_000_000, stability_days=0),
        _NO_DRUG,
        _NO_DRUG,
        _NO_DRUG,
    )
)
_NO_CHANGES: Final = (program.ChangeEntry(start_min=program.NO_CHANGE, rate_nl_per_day=0),) * program.CHANGES_MAX
_IMAGE: Final = b"".join(
    encode(block)
    for block in (
        _DRUGS,
        _INFUSION,
        program.ScheduleBlock(**dict.fromkeys(program.WEEKDAYS, _NO_CHANGES)),
        program.PatientBlock(volume_nl=0, duration_s=0, lockout_s=0, window_s=0, activations_max=0),
        _LIMITS,
        program.AlarmsBlock(low_reservoir_nl=2_000_000, critical_repeat_min=0, non_critical_repeat_min=0),
        program.CatheterBlock(catheter_nl=0),
    )
)

# A bolus of 50 uL is prepared, executed as op 900, and cut short by a STOP.
EXAMPLES: Final[tuple[object, ...]] = (
    link.HelloRequest(major=1, minor=0),
    _HELLO,
    link.OpenRequest(
        role=HANDSHAKE.role,
        flags=codes.OpenFlag(HANDSHAKE.flags),
        host_id=HANDSHAKE.host_id,
        host_challenge=HANDSHAKE.host_challenge,
    ),
    link.OpenAnswer(
        device_challenge=HANDSHAKE.device_challenge,
        device_cryptogram=keys.device_cryptogram(ROLE_KEY, HANDSHAKE),
    ),
    link.AuthRequest(host_cryptogram=keys.host_cryptogram(ROLE_KEY, HANDSHAKE)),
    link.AuthAnswer(silence_s=180, failed_attempts=0),
    link.CloseRequest(),
    link.CloseAnswer(),
    link.KeepaliveRequest(),
    link.KeepaliveAnswer(),
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
        drugs_max=program.DRUGS_MAX,
        concentration_max_ng_per_ml=100_000_000,
        flow_max_nl_per_day=60_000_000,
        window_max_nl=30_000_000,
        dose_history=32,
        dead_volume_duration_max_s=604_800,
        tubing_nl=240_000,
        residual_nl=1_400_000,
        stops_while_programming=0,
        patient_lockout_min_s=300,
        patient_lockout_max_s=86_400,
        patient_window_min_s=3_600,
        patient_window_max_s=86_400,
        patient_activations_max=24,
        stall_sample_s=300,
        stall_samples=4,
        stopped_too_long_s=172_800,
        tone_repeat_min_min=5,
        tone_repeat_max_min=240,
        silence_min=10,
        end_of_service_days=90,
        life_max_days=2_557,
        stream_period_min_s=1,
        stream_period_max_s=3_600,
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
        tag_errors=0,
        counter_errors=0,
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
    read.ReducedStatusAnswer(run_state=codes.RunState.RUNNING, alarm_present=0),
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
    read.TherapyReadRequest(block=codes.Block.INFUSION, offset=0, length=program.BLOCK_PART_MAX),
    read.TherapyReadAnswer(crc32=crc32(_IMAGE), block_size=len(encode(_INFUSION)), data=encode(_INFUSION)),
    program.ProgramBeginRequest(),
    program.ProgramBeginAnswer(stage_id=3),
    program.ProgramWriteRequest(stage_id=3, block=codes.Block.INFUSION, offset=0, data=encode(_INFUSION)),
    program.ProgramWriteAnswer(written=len(encode(_INFUSION))),
    program.ProgramValidateRequest(stage_id=3),
    program.ProgramValidateAnswer(
        crc32=crc32(_IMAGE),
        image_size=len(_IMAGE),
        mode=codes.Mode.SIMPLE_CONTINUOUS,
        rate_nl_per_day=620_000,
        steps_per_day=24_800,
        low_reservoir_in_s=2_422_020,
        low_reservoir_unix_s=1_895_964_420,
        warnings=codes.Warnings.DRUGS_CHANGED,
        window_peak_nl=620_000,
        boluses_per_day_max=0,
        refill_in_s=2_422_020,
        refill_unix_s=1_895_964_420,
        stability_in_s=0xFFFFFFFF,
    ),
    program.StageReadRequest(stage_id=3, block=codes.Block.LIMITS, offset=0, length=program.BLOCK_PART_MAX),
    program.StageReadAnswer(block_size=len(encode(_LIMITS)), data=encode(_LIMITS)),
    program.ProgramCommitRequest(stage_id=3, crc32=crc32(_IMAGE), op_id=903, therapy_rev=_REV + 3),
    program.ProgramCommitAnswer(
        op_id=903,
        state=codes.OpState.DONE,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=7,
    ),
    program.ProgramAbortRequest(stage_id=3),
    program.ProgramAbortAnswer(),
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
                silent_until_s=0,
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
                    role=codes.Role.CLINICIAN,
                    host_id=HOST_ID,
                    bolus_id=17,
                    volume_nl=50_000,
                    duration_s=600,
                    kind=codes.BolusKind.SINGLE,
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
        host_id=HOST_ID,
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
                host_id=HOST_ID,
                opcode=_EXECUTE_OPCODE,
                payload_hash=_EXECUTE_HASH,
                state=codes.OpState.PARTIAL,
                delivered_min_nl=30_000,
                delivered_max_nl=30_000,
                log_sequence=3,
            ),
        ),
    ),
    *CARE_EXAMPLES,
    *STREAM_EXAMPLES,
)
EXAMPLE_NAK: Final = Nak(NakCode.ABOVE_MAXIMUM, field=1, detail=1_000_000)


def example_wire(message: object) -> bytes:
    """A request, an answer or an event, whichever it is."""
    if isinstance(message, stream.StreamEvent):
        return announcement_wire(message)
    return request_wire(message) if type(message) is operation_of(message).request else answer_wire(message)


def request_wire(message: object) -> bytes:
    operation = operation_of(message)
    # Only HELLO may ask whoever is there.
    address = ANY_ADDRESS if isinstance(message, link.HelloRequest) else ADDRESS
    return Frame(opcode=operation.opcode, txn=TXN, address=address, payload=encode(message)).to_wire()


def answer_wire(message: object) -> bytes:
    """In the clear, for a reader; AUTH's answer has no such form, and is the first that its session seals."""
    operation = operation_of(message)
    payload = bytes((OK,)) + encode(message)
    if not isinstance(message, link.AuthAnswer):
        return _response(operation, payload)
    sealer = Sealer(keys.session_keys(ROLE_KEY, HANDSHAKE), Direction.PUMP_TO_HOST)
    return sealer.seal(
        opcode=operation.opcode, txn=TXN, address=ADDRESS, session_id=SESSION_ID, payload=payload, flags=Flag.RESP
    ).to_wire()


def announcement_wire(message: object) -> bytes:
    """In the clear, as an INSECURE pump sends it."""
    if not isinstance(message, stream.StreamEvent):
        raise TypeError(f"{message!r} is nothing that a pump sends of its own accord")
    txn = message.stream_sequence & 0xFF
    return Frame(opcode=EVENT.opcode, txn=txn, address=ADDRESS, payload=encode(message), flags=Flag.EVENT).to_wire()


def refusal_wire(operation: Operation, nak: Nak) -> bytes:
    return _response(operation, nak.encode())


def _response(operation: Operation, payload: bytes) -> bytes:
    return Frame(opcode=operation.opcode, txn=TXN, address=ADDRESS, payload=payload, flags=Flag.RESP).to_wire()
