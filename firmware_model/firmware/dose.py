"""The program's own doses: one single bolus, or one in every interval."""

from __future__ import annotations

from firmware_model.agenda import NEVER
from firmware_model.firmware.base_rate import follow, is_lowered
from firmware_model.firmware.change import Change
from firmware_model.firmware.codes import DEAD_VOLUME_KINDS, BolusEnd, BolusKind, Mode, RunState
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogType
from firmware_model.firmware.flow import Channel
from firmware_model.firmware.program import Program
from firmware_model.firmware.record import NOBODY, BolusRecord
from firmware_model.quantities import US_PER_SECOND


def take_up(change: Change) -> None:
    """Therapy begins to run a program: its first dose comes now if it has only one, else after one interval."""
    if change.record.program.mode is Mode.PERIODIC_BOLUS:
        change.set(dose_anchor_us=change.firmware.elapsed_us)
    elif change.record.program.mode is Mode.SINGLE_BOLUS:
        _begin(change)
        change.set(dose_spent=True)


def would_waste_its_dose(firmware: Firmware, program: Program) -> bool:
    """Whether the one dose of a program would be given to a rotor that is known to stand."""
    return program.mode is Mode.SINGLE_BOLUS and not firmware.counting


def start_flow(firmware: Firmware) -> None:
    """Behind the commit that began a dose: let it flow."""
    dose = firmware.record.dose
    if dose is not None and firmware.flow.dose is None:
        firmware.flow.dose = Channel(threshold=dose.duration_s * US_PER_SECOND, gain=dose.steps)


def start_due(firmware: Firmware) -> int:
    """When the next dose of a periodic program begins."""
    record = firmware.record
    if record.program.mode is not Mode.PERIODIC_BOLUS or record.run_state is not RunState.RUNNING:
        return NEVER
    due_us = record.dose_anchor_us + record.program.dose_interval_s * US_PER_SECOND
    return max(firmware.now_us, due_us - firmware.elapsed_offset_us)


def start(firmware: Firmware) -> None:
    """A dose begins. While dead volume is moved, an alarm holds the flow down or a stall is known, its turn passes."""
    record = firmware.record
    change = Change(firmware)
    change.set(dose_anchor_us=record.dose_anchor_us + record.program.dose_interval_s * US_PER_SECOND)
    moves_dead_volume = record.bolus is not None and record.bolus.kind in DEAD_VOLUME_KINDS
    if firmware.counting and not (moves_dead_volume or record.dose is not None or is_lowered(firmware)):
        _begin(change)
    change.commit()
    start_flow(firmware)


def complete_due(firmware: Firmware) -> int:
    """When the dose under way makes its last step."""
    channel, dose = firmware.flow.dose, firmware.record.dose
    if channel is None or dose is None or firmware.hung_since_us is not None:
        return NEVER
    left_steps = dose.steps - firmware.dose_steps
    return firmware.now_us + (channel.us_until(left_steps) or 0 if left_steps else 0)


def complete(firmware: Firmware) -> None:
    """The dose has had its last step; a program of one dose is over with it."""
    change = Change(firmware)
    change.end_dose(BolusEnd.COMPLETE)
    change.commit()
    follow(firmware)


def _begin(change: Change) -> None:
    firmware = change.firmware
    program, step_nl = change.record.program, firmware.flow.step_volume_nl
    steps = program.dose_volume_nl // step_nl
    dose = BolusRecord(
        change.record.next_bolus_id, BolusKind.PROGRAMMED, NOBODY, NOBODY, 0, steps, program.dose_duration_s
    )
    change.log(
        LogType.BOLUS_STARTED,
        role=NOBODY,
        host_id=NOBODY,
        bolus_id=dose.bolus_id,
        volume_nl=steps * step_nl,
        duration_s=dose.duration_s,
        kind=dose.kind,
    )
    change.set(dose=dose, next_bolus_id=dose.bolus_id + 1)
    firmware.dose_steps = 0
    firmware.stall.dose_steps = 0
