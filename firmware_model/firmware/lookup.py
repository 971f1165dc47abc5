"""Questions about one thing: an alarm, where a time begins in the log, what the program still allows."""

from __future__ import annotations

from firmware_model.commands import (
    Alarm,
    AllowanceAnswer,
    FindLog,
    LogFound,
    ReadAlarm,
    ReadAllowance,
    Reason,
    Refusal,
)
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.gate import gate_refusal
from firmware_model.firmware.limits import available_nl, volume_max_nl, window_left_nl


def read_alarm(firmware: Firmware, command: ReadAlarm) -> Alarm | Refusal:
    """One alarm instance with its freeze frame."""
    for alarm in firmware.record.alarms:
        if alarm.instance == command.instance:
            return alarm
    return Refusal(Reason.NO_SUCH_ALARM, "instance")


def find_log(firmware: Firmware, command: FindLog) -> LogFound | Refusal:
    """The first record of an elapsed time or later. One that cannot be read counts as later than those before it.

    A log of which nothing can be read has no times to look for.
    """
    record, ring = firmware.record, firmware.ring
    if command.epoch != record.epoch:
        return Refusal(Reason.LOG_EPOCH, "epoch", detail=record.epoch)
    low, high = first, after = ring.first(record.log_next), record.log_next
    found_readable = first == after
    while low < high:
        middle = (low + high) // 2
        readable = middle
        while readable < high and ring.read(readable).type is LogType.CORRUPT:
            readable += 1
        found_readable = found_readable or readable < high
        if readable < high and ring.read(readable).elapsed_s < command.elapsed_s:
            low = readable + 1
        else:
            high = middle
    return LogFound(low) if found_readable else Refusal(Reason.RECORD_CORRUPT, detail=first)


def allowance(firmware: Firmware, command: ReadAllowance) -> AllowanceAnswer | Refusal:
    """What the active program allows, and what of it is left now."""
    refusal = gate_refusal(firmware, command.origin)
    if refusal is not None:
        return refusal
    record = firmware.record
    program, patient = record.program, record.program.patient
    left, again_s = _activations_left(firmware)
    return AllowanceAnswer(
        rate_max_nl_per_day=program.rate_max_nl_per_day,
        bolus_volume_max_nl=volume_max_nl(firmware),
        window_max_nl=program.window_max_nl,
        window_left_nl=window_left_nl(firmware),
        reservoir_left_nl=available_nl(firmware),
        patient_volume_nl=patient.volume_nl,
        patient_duration_s=patient.duration_s,
        lockout_s=patient.lockout_s,
        lockout_left_s=max(again_s, record.lockout_until_s - firmware.elapsed_s) if patient.activations_max else 0,
        activations_max=patient.activations_max,
        activations_left=left,
        activation_window_s=patient.window_s,
    )


def _activations_left(firmware: Firmware) -> tuple[int, int]:
    """How many boluses the patient may still have in this window, and in how many seconds the next if none is left."""
    patient = firmware.record.program.patient
    since_s = firmware.elapsed_s - patient.window_s
    starts = [dose.start_s for dose in firmware.record.doses if dose.by_patient and dose.start_s > since_s]
    left = max(0, patient.activations_max - len(starts))
    return left, 0 if left or not starts else min(starts) - since_s
