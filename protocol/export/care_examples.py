"""Examples of the messages beside the infusion: counts, the patient's bolus, alarms, clock, self-test and refill."""

from __future__ import annotations

from typing import Final

from protocol.fields import UNKNOWN_U32
from protocol.messages import alarm, codes, deliver, log, pump_time, read, routine

_REV: Final = 60
_DAY_S: Final = 86_400

# The patient has pressed his button once today; the rotor has stalled; the next day the pump is refilled.
CARE_EXAMPLES: Final[tuple[object, ...]] = (
    read.LimitsRequest(),
    read.LimitsAnswer(
        rate_max_nl_per_day=1_000_000,
        bolus_volume_max_nl=200_000,
        window_max_nl=1_500_000,
        window_left_nl=855_000,
        reservoir_left_nl=1_400_000,
        patient_volume_nl=25_000,
        patient_duration_s=300,
        lockout_s=3_600,
        lockout_left_s=1_800,
        activations_max=4,
        activations_left=3,
        activation_window_s=_DAY_S,
    ),
    read.CountersRequest(),
    read.CountersAnswer(
        steps=744_000, delivered_nl=18_600_000, dead_volume_nl=418_000, stalled_pulses=120, boots=1, repairs=0
    ),
    read.BatteryRequest(),
    read.BatteryAnswer(
        idle_mv=2_987,
        loaded_mv=2_936,
        temperature_cc=3_700,
        replacement_since_s=UNKNOWN_U32,
        end_of_service_s=2_557 * _DAY_S,
    ),
    read.ReservoirRequest(),
    read.ReservoirAnswer(
        volume_nl=19_380_000,
        capacity_nl=20_000_000,
        refilled_s=2_600_000,
        filled_nl=20_000_000,
        discrepancy_nl=-150_000,
        low_in_s=2_422_020,
        refill_in_s=2_085_517,
        stability_in_s=180 * _DAY_S,
    ),
    deliver.PatientBolusRequest(op_id=12, therapy_rev=_REV),
    deliver.PatientBolusAnswer(
        op_id=12,
        state=codes.OpState.EXECUTING,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=40,
        bolus_id=21,
        volume_nl=25_000,
        duration_s=300,
    ),
    alarm.AlarmClearRequest(instance=2),
    alarm.AlarmClearAnswer(instance=2, state=codes.AlarmState.CLEARED, raised_again=3),
    alarm.AlarmSnapshotRequest(instance=2),
    alarm.AlarmSnapshotAnswer(
        instance=2,
        type=codes.AlarmType.MOTOR_STALL,
        priority=codes.Priority.CRITICAL,
        state=codes.AlarmState.RAISED,
        elapsed_s=2_590_500,
        steps=743_200,
        rate_nl_per_day=620_000,
        reservoir_nl=1_420_000,
        battery_mv=2_936,
        last_op_id=12,
        silent_until_s=2_591_160,
    ),
    alarm.AlarmSilenceRequest(instance=2),
    alarm.AlarmSilenceAnswer(instance=2, silent_until_s=2_591_160),
    log.LogFindByElapsedRequest(epoch=1, elapsed_s=2_590_000),
    log.LogFindByElapsedAnswer(sequence=41),
    pump_time.TimeSetRequest(unix_s=1_896_046_200, offset_min=120, op_id=905, therapy_rev=_REV + 1),
    pump_time.TimeSetAnswer(
        op_id=905,
        state=codes.OpState.DONE,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=44,
        base_rate_nl_per_day=620_000,
    ),
    routine.SelftestRequest(),
    routine.SelftestAnswer(failed=codes.SelfTestPart.ROTOR),
    routine.RefillBeginRequest(),
    routine.RefillBeginAnswer(refill_id=65_537, computed_nl=1_400_000),
    routine.RefillCommitRequest(
        refill_id=65_537,
        measured_nl=1_250_000,
        volume_nl=20_000_000,
        volume_complement=20_000_000 ^ 0xFFFFFFFF,
        drugs=(
            routine.RefillDrug(name="morphine", concentration_ng_per_ml=10_000_000),
            routine.RefillDrug(name="bupivacaine", concentration_ng_per_ml=5_000_000),
            *(routine.RefillDrug(name="", concentration_ng_per_ml=0),) * 3,
        ),
        op_id=906,
        therapy_rev=_REV + 2,
    ),
    routine.RefillCommitAnswer(
        op_id=906,
        state=codes.OpState.DONE,
        flags=codes.OpFlag(0),
        delivered_min_nl=0,
        delivered_max_nl=0,
        log_sequence=46,
    ),
)
