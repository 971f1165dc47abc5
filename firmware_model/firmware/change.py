"""A change on its way into memory: log records and new values are gathered, then committed at once."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from firmware_model.firmware.codes import (
    DEAD_VOLUME_KINDS,
    BolusEnd,
    BolusKind,
    Mode,
    OpState,
    RunState,
    StopReason,
)
from firmware_model.firmware.core import Firmware
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.firmware.lives.op import OP_LIFE, OpDeed
from firmware_model.firmware.lives.run import RUN_LIFE, RunDeed
from firmware_model.firmware.record import NOBODY, GivenDose

_ENDED, _COMPLETE = LogType.BOLUS_ENDED, BolusEnd.COMPLETE


class Change:
    """What one commit is to make true. `boot` is the boot's number that its records bear, the record's own if not said.

    The record in volatile memory changes at once: it is lost with the power if the commit is not. Whatever stops a flow
    stops it here and now, too: the motor first, then the commit.
    """

    __slots__ = ("_revised", "boot", "elapsed_s", "firmware", "record", "records", "rtc_unix_s")

    def __init__(self, firmware: Firmware, boot: int | None = None) -> None:
        self.firmware = firmware
        self.record = record = firmware.record
        self.boot = record.boot if boot is None else boot
        self.elapsed_s = firmware.elapsed_s
        self.rtc_unix_s = firmware.rtc_unix_s
        self.records: list[LogRecord] = []
        self._revised = False

    def set(self, **values: Any) -> None:
        """Let these values of the control record change."""
        record = self.record
        for name, value in values.items():
            setattr(record, name, value)

    def log(self, what: LogType, op_id: int = 0, /, **detail: int) -> None:
        """Add a log record."""
        record, records = self.record, self.records
        sequence = record.log_next + len(records)
        records.append(
            LogRecord(sequence, record.epoch, self.boot, self.elapsed_s, self.rtc_unix_s, what, op_id, detail)
        )

    def raise_revision(self) -> None:
        """Therapy is not any more what a host has read of it."""
        if not self._revised:
            self._revised = True
            self.record.therapy_rev += 1

    def commit(self) -> None:
        """Make all of it true. Raises PowerLost."""
        self.firmware.commit(self.records)

    def halt(self, reason: StopReason, *, role: int = NOBODY, host_id: int = NOBODY, op_id: int = 0) -> None:
        """Stop all flow, and say why. What runs of boluses ends in a commit of its own words: see `end_bolus`."""
        firmware = self.firmware
        bolus = firmware.record.bolus
        firmware.flow.base.gain = 0
        firmware.unplanned = True
        self.log(
            LogType.THERAPY_STOPPED,
            op_id,
            role=role,
            host_id=host_id,
            reason=reason,
            bolus_id=bolus.bolus_id if bolus else 0,
            delivered_max_nl=firmware.bolus_steps * firmware.flow.step_volume_nl if bolus else 0,
        )
        if self.record.run_state is RunState.RUNNING:
            self.set(stopped_since_s=firmware.elapsed_s)
        self.set(run_state=RUN_LIFE[self.record.run_state, RunDeed.HALT], stop_reason=reason)
        self.raise_revision()

    def end_bolus(self, reason: BolusEnd, least_steps: int | None = None, most_steps: int | None = None) -> None:
        """The bolus that somebody asked for has ended, if one runs, with what it gave at least and at most."""
        firmware, record = self.firmware, self.record
        bolus = record.bolus
        if bolus is None:
            return
        firmware.flow.bolus = None
        step_nl = firmware.flow.step_volume_nl
        most = firmware.bolus_steps if most_steps is None else most_steps
        least = _for_certain(reason, most, firmware.stall.bolus_steps) if least_steps is None else least_steps
        least_nl, most_nl = least * step_nl, most * step_nl
        self.log(
            _ENDED,
            bolus.op_id,
            role=bolus.role,
            host_id=bolus.host_id,
            reason=reason,
            bolus_id=bolus.bolus_id,
            delivered_min_nl=least_nl,
            delivered_max_nl=most_nl,
        )
        complete = reason is _COMPLETE
        ending = OpDeed.COMPLETE if complete else OpDeed.CUT_SHORT if most else OpDeed.NOT_MOVE
        state = OP_LIFE[OpState.EXECUTING, ending]
        record.bolus = None
        record.ledger = record.ledger.conclude(bolus.role, bolus.op_id, state, least_nl, most_nl)
        self.raise_revision()
        if bolus.kind in DEAD_VOLUME_KINDS:
            record.dead_volume_steps += most
            if complete:
                self.set(**({"primed": True} if bolus.kind is BolusKind.PRIMING else {"bridge_nl_per_day": 0}))
        elif not complete:
            record.doses = cut_short(record.doses, bolus.bolus_id, firmware.counts_from_s, most_nl)

    def end_dose(self, reason: BolusEnd, least_steps: int | None = None, most_steps: int | None = None) -> None:
        """The program's own dose has ended, if one runs. A program of one dose stops the pump with it."""
        firmware = self.firmware
        dose = firmware.record.dose
        if dose is None:
            return
        firmware.flow.dose = None
        step_nl = firmware.flow.step_volume_nl
        most = firmware.dose_steps if most_steps is None else most_steps
        least = _for_certain(reason, most, firmware.stall.dose_steps) if least_steps is None else least_steps
        self.log(
            _ENDED,
            role=NOBODY,
            host_id=NOBODY,
            reason=reason,
            bolus_id=dose.bolus_id,
            delivered_min_nl=least * step_nl,
            delivered_max_nl=most * step_nl,
        )
        self.set(dose=None)
        record = self.record
        if record.program.mode is Mode.SINGLE_BOLUS and record.dose_spent and record.run_state is RunState.RUNNING:
            self.halt(StopReason.PROGRAMMED)
            self.end_bolus(BolusEnd.STOPPED)


def _for_certain(reason: BolusEnd, counted_steps: int, sampled_steps: int) -> int:
    """What has been given at least: a rotor that is found to stand still has been seen to turn at an earlier sample."""
    return min(counted_steps, sampled_steps) if reason is BolusEnd.STALL else counted_steps


def cut_short(doses: tuple[GivenDose, ...], bolus_id: int, end_s: int, volume_nl: int) -> tuple[GivenDose, ...]:
    """The doses that windows know of, one of them ended early."""
    return tuple(
        replace(dose, end_s=end_s, volume_nl=volume_nl) if dose.bolus_id == bolus_id else dose for dose in doses
    )
