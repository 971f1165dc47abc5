"""What decides the delivery, now and later, and its account: whatever needs a session's right to be changed.

Not part of it: the log and numbers that point into it, sessions and their failures, boots, time, and whether an alarm
that stands has been seen.
"""

from __future__ import annotations

from msgspec.structs import replace

from firmware_model.firmware.codes import AlarmState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.ledger import Ledger
from firmware_model.firmware.record import ControlRecord
from firmware_model.firmware.record_layout import unpack_record
from firmware_model.memory import Memory
from firmware_model.profile import Profile


def running_state(firmware: Firmware) -> tuple[object, ...]:
    """That of a pump that has power."""
    counts = (firmware.steps_total, firmware.bolus_steps, firmware.dose_steps)
    return firmware.flow, counts, firmware.leases, firmware.stages, firmware.refill, _account(firmware.record)


def resting_state(profile: Profile, memory: Memory) -> tuple[object, ...]:
    """That of a pump without power: what a boot would find."""
    counts = (memory.journal.steps_total, memory.journal.bolus_steps, memory.journal.programmed_steps)
    image = memory.control.read()
    if image is None:
        return (counts,)
    return counts, _account(unpack_record(image.body, profile))


def _account(record: ControlRecord) -> ControlRecord:
    standing = [alarm for alarm in record.alarms if alarm.state is not AlarmState.CLEARED]
    unseen = tuple(alarm._replace(state=AlarmState.RAISED, silent_until_s=0) for alarm in standing)
    return replace(
        record, boot=0, epoch=0, log_next=0, told_steps=0, repairs=0, alarms=unseen, ledger=_aged(record.ledger)
    )


def _aged(ledger: Ledger) -> Ledger:
    """Numbers of log records say nothing but which entry is the older one."""
    ages = {(entry.role, entry.op_id): age for age, entry in enumerate(ledger.entries())}
    return Ledger(
        tuple(
            replace(
                part,
                entries=tuple(replace(entry, log_sequence=ages[entry.role, entry.op_id]) for entry in part.entries),
            )
            for part in ledger.roles
        )
    )
