"""Messages beside the infusion, byte for byte as written down by hand. These bytes are never made from the tables."""

from typing import Any

import pytest

from protocol.fields import FormatError, decode, encode
from protocol.messages.alarm import (
    AlarmClearAnswer,
    AlarmClearRequest,
    AlarmSilenceAnswer,
    AlarmSilenceRequest,
    AlarmSnapshotAnswer,
    AlarmSnapshotRequest,
)
from protocol.messages.codes import AlarmState, AlarmType, OpFlag, OpState, Priority, SelfTestPart
from protocol.messages.deliver import PatientBolusAnswer, PatientBolusRequest
from protocol.messages.link import CapsAnswer
from protocol.messages.log import LogFindByElapsedAnswer, LogFindByElapsedRequest
from protocol.messages.operations import operation_of
from protocol.messages.pump_time import TimeSetAnswer, TimeSetRequest
from protocol.messages.read import (
    BatteryAnswer,
    BatteryRequest,
    CountersAnswer,
    CountersRequest,
    LimitsAnswer,
    LimitsRequest,
    ReservoirAnswer,
    ReservoirRequest,
)
from protocol.messages.routine import (
    RefillBeginAnswer,
    RefillBeginRequest,
    RefillCommitAnswer,
    RefillCommitRequest,
    RefillDrug,
    SelftestAnswer,
    SelftestRequest,
)
from protocol.refusals import NakCode

# What the answer to a command begins with: op 12, DONE, no flags, nothing delivered, record 3.
DONE: dict[str, Any] = {
    "op_id": 12,
    "state": OpState.DONE,
    "flags": OpFlag(0),
    "delivered_min_nl": 0,
    "delivered_max_nl": 0,
    "log_sequence": 3,
}
DONE_HEX = "0c000000 3c 00 00000000 00000000 03000000 "
NO_DRUG = RefillDrug(name="", concentration_ng_per_ml=0)
REFILL = RefillCommitRequest(
    refill_id=0x10001,
    measured_nl=1_250_000,
    volume_nl=20_000_000,
    volume_complement=0xFECED2FF,
    drugs=(RefillDrug(name="baclofen", concentration_ng_per_ml=2_000_000), *(NO_DRUG,) * 4),
    op_id=906,
    therapy_rev=62,
)
REFILL_HEX = (
    "01000100 d0121300 002d3101 ffd2cefe6261636c6f66656e0000000000000000 80841e00" + "00" * 80 + "8a030000 3e000000"
)

# The operation's opcode, the message, its bytes.
VECTORS: list[tuple[int, Any, str]] = [
    (0x0204, LimitsRequest(), ""),
    (
        0x0204,
        LimitsAnswer(
            rate_max_nl_per_day=1,
            bolus_volume_max_nl=2,
            window_max_nl=3,
            window_left_nl=4,
            reservoir_left_nl=5,
            patient_volume_nl=6,
            patient_duration_s=7,
            lockout_s=8,
            lockout_left_s=9,
            activations_max=10,
            activations_left=11,
            activation_window_s=12,
        ),
        "01000000 02000000 03000000 04000000 05000000 06000000 07000000 08000000 09000000 0a00 0b00 0c000000",
    ),
    (0x0205, CountersRequest(), ""),
    (
        0x0205,
        CountersAnswer(steps=1, delivered_nl=25, dead_volume_nl=2, stalled_pulses=3, boots=4, repairs=5),
        "0100000000000000 1900000000000000 0200000000000000 0300000000000000 0400 05000000",
    ),
    (0x0206, BatteryRequest(), ""),
    (
        0x0206,
        BatteryAnswer(
            idle_mv=2_987, loaded_mv=2_936, temperature_cc=-50, replacement_since_s=0xFFFFFFFF, end_of_service_s=86_400
        ),
        "ab0b 780b ceff ffffffff 80510100",
    ),
    (0x0207, ReservoirRequest(), ""),
    (
        0x0207,
        ReservoirAnswer(
            volume_nl=19_380_000,
            capacity_nl=20_000_000,
            refilled_s=86_400,
            filled_nl=20_000_000,
            discrepancy_nl=-150_000,
            low_in_s=1,
            refill_in_s=2,
            stability_in_s=0xFFFFFFFF,
        ),
        "20b72701 002d3101 80510100 002d3101 10b6fdff 01000000 02000000 ffffffff",
    ),
    (0x0406, PatientBolusRequest(op_id=12, therapy_rev=61), "0c000000 3d000000"),
    (
        0x0406,
        PatientBolusAnswer(**DONE, bolus_id=21, volume_nl=25_000, duration_s=300),
        DONE_HEX + "15000000 a8610000 2c010000",
    ),
    (0x0503, AlarmClearRequest(instance=0x102), "0201"),
    (0x0503, AlarmClearAnswer(instance=2, state=AlarmState.CLEARED, raised_again=3), "0200 55 0300"),
    (0x0504, AlarmSnapshotRequest(instance=0x102), "0201"),
    (
        0x0504,
        AlarmSnapshotAnswer(
            instance=2,
            type=AlarmType.EMPTY_RESERVOIR,
            priority=Priority.CRITICAL,
            state=AlarmState.ACKNOWLEDGED,
            elapsed_s=86_400,
            steps=0x1_0000_0002,
            rate_nl_per_day=620_000,
            reservoir_nl=1_000_000,
            battery_mv=2_936,
            last_op_id=12,
            silent_until_s=87_000,
        ),
        "0200 0200 02 3c 80510100 0200000001000000 e0750900 40420f00 780b 0c000000 d8530100",
    ),
    (0x0505, AlarmSilenceRequest(instance=0x102), "0201"),
    (0x0505, AlarmSilenceAnswer(instance=2, silent_until_s=87_000), "0200 d8530100"),
    (0x0603, LogFindByElapsedRequest(epoch=1, elapsed_s=86_400), "0100 80510100"),
    (0x0603, LogFindByElapsedAnswer(sequence=41), "29000000"),
    (
        0x0802,
        TimeSetRequest(unix_s=1_893_542_460, offset_min=-90, op_id=905, therapy_rev=61),
        "3c2add70 a6ff 89030000 3d000000",
    ),
    (0x0802, TimeSetAnswer(**DONE, base_rate_nl_per_day=620_000), DONE_HEX + "e0750900"),
    (0x0901, SelftestRequest(), ""),
    (0x0901, SelftestAnswer(failed=SelfTestPart.CELL | SelfTestPart.ROTOR), "0a"),
    (0x0902, RefillBeginRequest(), ""),
    (0x0902, RefillBeginAnswer(refill_id=0x10001, computed_nl=1_400_000), "01000100 c05c1500"),
    (0x0903, REFILL, REFILL_HEX),
    (0x0903, RefillCommitAnswer(**DONE), DONE_HEX),
]


@pytest.mark.parametrize(("opcode", "message", "image"), VECTORS, ids=lambda each: type(each).__name__)
def test_a_message_lies_on_the_wire_as_written_down_by_hand(opcode: int, message: Any, image: str) -> None:
    assert operation_of(message).opcode == opcode
    assert encode(message) == bytes.fromhex(image)
    assert decode(type(message), bytes.fromhex(image)) == message


def test_every_limit_of_caps_has_its_place() -> None:
    limits = CapsAnswer(
        volume_quantum_nl=1,
        rate_min_nl_per_day=2,
        rate_max_nl_per_day=3,
        rate_quantum_nl_per_day=4,
        bolus_volume_min_nl=5,
        bolus_volume_max_nl=6,
        bolus_duration_min_s=7,
        bolus_duration_max_s=8,
        bolus_rate_max_nl_per_day=9,
        lease_s=10,
        reservoir_capacity_nl=11,
        low_reservoir_nl=12,
        empty_reservoir_nl=13,
        journal_interval_nl=14,
        log_capacity=15,
        alarm_capacity=16,
        drugs_max=17,
        concentration_max_ng_per_ml=18,
        flow_max_nl_per_day=19,
        window_max_nl=20,
        dose_history=21,
        dead_volume_duration_max_s=22,
        tubing_nl=23,
        residual_nl=24,
        stops_while_programming=1,
        patient_lockout_min_s=26,
        patient_lockout_max_s=27,
        patient_window_min_s=28,
        patient_window_max_s=29,
        patient_activations_max=30,
        stall_sample_s=31,
        stall_samples=32,
        stopped_too_long_s=33,
        tone_repeat_min_min=34,
        tone_repeat_max_min=35,
        silence_min=36,
        end_of_service_days=37,
        life_max_days=38,
        stream_period_min_s=39,
        stream_period_max_s=40,
    )
    assert encode(limits) == bytes.fromhex(
        "01000000 02000000 03000000 04000000 05000000 06000000 07000000 08000000 09000000 0a00 0b000000 0c000000"
        "0d000000 0e000000 0f000000 10 11 12000000 13000000 14000000 15 16000000 17000000 18000000 01 1a000000"
        "1b000000 1c000000 1d000000 1e 1f000000 20 21000000 2200 2300 2400 2500 2600 2700 2800"
    )


def test_the_new_content_of_a_reservoir_is_said_twice() -> None:
    """A digit that is lost on its way to the pump would move the alarm of the low reservoir."""
    for bit in range(8 * 8):
        image = bytearray.fromhex(REFILL_HEX)
        image[8 + bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError) as caught:
            decode(RefillCommitRequest, bytes(image))
        assert (caught.value.code, caught.value.field) == (NakCode.REDUNDANCY_MISMATCH, 3)
