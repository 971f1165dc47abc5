"""The control record: everything that must change together."""

from __future__ import annotations

from msgspec import Struct

from firmware_model.commands import Alarm
from firmware_model.firmware.codes import BolusKind, Role, RunState, StopReason
from firmware_model.firmware.ledger import Ledger
from firmware_model.firmware.program import Program

NOBODY = 0
"""The role, and the host, of what the pump does by itself."""


class BolusRecord(Struct, frozen=True, gc=False):
    """A running bolus, as memory knows it: who asked for it, and what was asked. `role` 0: the program's own dose."""

    bolus_id: int
    kind: BolusKind
    role: Role | int
    host_id: int
    op_id: int
    steps: int
    duration_s: int


class GivenDose(Struct, frozen=True, gc=False):
    """A bolus that counts towards windows. It ends when it was to end, or earlier with what it gave at most.

    Times in elapsed seconds.
    """

    bolus_id: int
    start_s: int
    end_s: int
    volume_nl: int
    by_patient: bool


class ControlRecord(Struct, kw_only=True, gc=False):
    """The pump's non-volatile truth. Times `_s` are elapsed seconds; 0 where nothing has happened yet.

    log_next             sequence number of the next log record
    reservoir_nl         what the reservoir was computed to hold when the lifetime step count was `reservoir_steps`
    told_steps           the lifetime step count of the last DELIVERED record
    dead_volume_steps    steps of priming and bridge boluses
    stopped_since_s      since when therapy stands still
    lockout_until_s      until when no patient bolus is given
    dose_anchor_us       from when, in elapsed microseconds, the program's doses are counted
    dose_spent           whether the single bolus of the program has begun
    clock_base_us        Unix time in microseconds at which the real-time counter read 0
    replacement_since_s  when the elective replacement indicator was raised
    bridge_nl_per_day    the rate at which a bridge bolus would give the old mixture; 0: no bridge is due
    primed               whether the path has been primed since the pump was new
    programming          whether the pump stands still for a program that has been begun
    mixture              the drugs in the reservoir as the last refill said: name, concentration in ng/mL
    dose                 the program's own dose that runs; `bolus`: the one that somebody asked for
    doses                boluses that count towards windows
    """

    boot: int = 0
    epoch: int = 1
    therapy_rev: int = 1
    run_state: RunState = RunState.RUNNING
    stop_reason: StopReason = StopReason.NONE
    next_alarm: int = 1
    next_bolus_id: int = 1
    log_next: int = 1
    reservoir_nl: int = 0
    reservoir_steps: int = 0
    told_steps: int = 0
    dead_volume_steps: int = 0
    stopped_since_s: int = 0
    lockout_until_s: int = 0
    dose_anchor_us: int = 0
    dose_spent: bool = False
    clock_base_us: int = 0
    clock_valid: bool = True
    offset_min: int = 0
    replacement_since_s: int = 0
    refilled_s: int = 0
    filled_nl: int = 0
    discrepancy_nl: int = 0
    bridge_nl_per_day: int = 0
    primed: bool = False
    programming: bool = False
    repairs: int = 0
    program: Program
    mixture: tuple[tuple[str, int], ...] = ()
    bolus: BolusRecord | None = None
    dose: BolusRecord | None = None
    doses: tuple[GivenDose, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    ledger: Ledger
