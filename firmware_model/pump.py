"""The pump: commands in, replies and events out, and time that passes. The one door to plant and firmware.

Every call gives the virtual time `now` in microseconds, which never goes back. A power cut that comes within a call
unwinds to here: what was volatile is gone, the call has no reply, and nothing answers until power is restored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from firmware_model import state
from firmware_model.agenda import MOST_AT_ONE_INSTANT, Entry, Rank, first_due
from firmware_model.commands import (
    AbortProgram,
    AcknowledgeAlarm,
    BeginProgram,
    CancelBolus,
    Command,
    CommitProgram,
    ConfirmAttempt,
    CountAttempt,
    ExecuteBolus,
    ListAlarms,
    ListOps,
    NoteFailure,
    NoteKeysReplaced,
    NumberSession,
    PrepareBolus,
    QueryOp,
    ReadIdentity,
    ReadLimits,
    ReadLog,
    ReadLogRange,
    ReadProgram,
    ReadStage,
    ReadStatus,
    ReadTime,
    Reply,
    Start,
    Stop,
    ValidateProgram,
    WriteProgram,
)
from firmware_model.firmware import alarms, bolus, delivery_state, reading, security, staging, therapy
from firmware_model.firmware.codes import AlarmType, RunState
from firmware_model.firmware.core import Firmware, control_bytes
from firmware_model.firmware.event_log import RECORD_BYTES, LogRecord
from firmware_model.firmware.security_record import HIGHEST_COUNTER, SECURITY_BYTES
from firmware_model.memory import ArmedCut, CutMode, Memory, PowerLost
from firmware_model.plant import Plant
from firmware_model.plant.motor import Motor
from firmware_model.plant.reservoir import Reservoir
from firmware_model.profile import Profile

LOG_PAGE_SPARE_BYTES = 32
"""A page is a little larger than its records, as real pages are."""

_HANDLERS: Mapping[type, Callable[[Firmware, Any], Reply]] = MappingProxyType(
    {
        Stop: therapy.stop,
        Start: therapy.start,
        PrepareBolus: bolus.prepare,
        ExecuteBolus: bolus.execute,
        CancelBolus: bolus.cancel,
        BeginProgram: staging.begin,
        WriteProgram: staging.write,
        ValidateProgram: staging.validate,
        ReadStage: staging.read_stage,
        CommitProgram: staging.commit,
        AbortProgram: staging.abort,
        ReadProgram: staging.read_program,
        QueryOp: reading.query_op,
        ListOps: reading.list_ops,
        ReadStatus: reading.status,
        ReadIdentity: reading.identity,
        ReadLimits: reading.limits,
        ReadTime: reading.time,
        ListAlarms: alarms.list_alarms,
        AcknowledgeAlarm: alarms.acknowledge,
        ReadLogRange: reading.log_range,
        ReadLog: reading.read_log,
        NumberSession: security.number_session,
        CountAttempt: security.count_attempt,
        ConfirmAttempt: security.confirm_attempt,
        NoteFailure: security.note_failure,
        NoteKeysReplaced: security.note_keys_replaced,
    }
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The firmware committed a log record."""

    at_us: int
    record: LogRecord


@dataclass(frozen=True, slots=True)
class PowerCut:
    """Power is gone; `write` names the write within or beside which it went, empty when it was between writes."""

    at_us: int
    write: str


@dataclass(frozen=True, slots=True)
class PowerRestored:
    """Power is back and the pump has booted."""

    at_us: int


PumpEvent = Recorded | PowerCut | PowerRestored


@dataclass(slots=True)
class Pump:
    """One pump from its first power-up on."""

    profile: Profile
    serial_number: int
    seed: int = 0
    now_us: int = 0
    powered: bool = True
    memory: Memory = field(init=False)
    plant: Plant = field(init=False)
    firmware: Firmware = field(init=False)
    _agenda: tuple[Entry, ...] = field(init=False, repr=False)
    _announced: int = field(default=1, init=False, repr=False)
    _events: deque[PumpEvent] = field(default_factory=deque, init=False, repr=False)

    def __post_init__(self) -> None:
        profile = self.profile
        page_bytes = profile.log.records_per_page * RECORD_BYTES + LOG_PAGE_SPARE_BYTES
        self.memory = Memory(control_bytes(profile), SECURITY_BYTES, profile.log.pages, page_bytes)
        self.plant = Plant(Motor(profile.motor.step_volume_nl), Reservoir(profile.reservoir.initial_volume_nl))
        self._power_up()
        self.firmware.format()
        security.format_security(self.firmware)
        self._announce()

    def command(self, command: Command, now: int) -> Reply | None:
        """Ask the pump something. None: it has no power, or lost it on the way; there will be no reply."""
        self.advance(now)
        reply: Reply | None = None
        if self.powered:
            with self._door():
                reply = _HANDLERS[type(command)](self.firmware, command)
            self._announce()
        return reply if self.powered else None

    def end_session(self, session: int, now: int) -> None:
        """A session of the wire has ended: its leases and its stage are void."""
        self.advance(now)
        if self.powered:
            bolus.end_session(self.firmware, session)
            staging.end_session(self.firmware, session)

    def raise_session_counter(self, floor: int, now: int) -> None:
        """Give no session number up to `floor` any more: a driver knows of numbers that this pump cannot remember.

        Without power nothing is raised, as with any other write to memory.
        """
        if not 0 <= floor <= HIGHEST_COUNTER:
            raise ValueError(f"session counter {floor} is not within 0 to {HIGHEST_COUNTER}")
        self.advance(now)
        if self.powered:
            with self._door():
                security.raise_session_counter(self.firmware, floor)

    def advance(self, now: int) -> None:
        """Let time pass up to and including `now`. Raises ValueError when it would go back."""
        if now < self.now_us:
            raise ValueError(f"time cannot go back from {self.now_us} to {now}")
        at_one_instant = 0
        while self.powered:
            due = first_due(self._agenda)
            if due is None or due[0] > now:
                break
            at_us, entry = due
            at_one_instant = at_one_instant + 1 if at_us == self.now_us else 1
            if at_one_instant > MOST_AT_ONE_INSTANT:
                raise RuntimeError(f"{entry.rank.name} does not settle what made it due at {at_us}")
            self.firmware.pass_time(at_us)
            self.now_us = at_us
            with self._door():
                entry.act(at_us)
            self._announce()
        if self.powered:
            self.firmware.pass_time(now)
        self.now_us = now

    def next_deadline(self) -> int | None:
        """When something will next happen by itself."""
        due = first_due(self._agenda) if self.powered else None
        return None if due is None else due[0]

    def next_event(self) -> PumpEvent | None:
        """What happened, oldest first."""
        return self._events.popleft() if self._events else None

    def cut_power(self, now: int) -> None:
        """Take the power away, between two writes."""
        self.advance(now)
        if self.powered:
            self._lose_power("")

    def arm_power_cut(self, at_write: int, mode: CutMode, torn_bytes: int, now: int) -> None:
        """Take the power away at the `at_write`-th primitive write from now (1 = the next)."""
        self.advance(now)
        self.memory.armed_cut = ArmedCut(at_write, mode, torn_bytes)

    def disarm_power_cut(self) -> None:
        """Forget an armed power cut."""
        self.memory.armed_cut = None

    def restore_power(self, now: int) -> None:
        """Give the power back: boot from memory."""
        self.advance(now)
        if self.powered:
            return
        self._power_up()
        with self._door():
            self.firmware.boot()
            security.boot_security(self.firmware)
            self._events.append(PowerRestored(now))
        self._announce()

    def truth(self) -> dict[str, int | bool]:
        """What is physically so, and beside it what the firmware believes. For the control plane only."""
        truth: dict[str, int | bool] = {
            "now_us": self.now_us,
            "powered": self.powered,
            "motor_steps": self.plant.motor.steps,
            "delivered_nl": self.plant.delivered_nl,
            "reservoir_nl": self.plant.reservoir.volume_nl,
            "memory_writes": self.memory.primitives,
        }
        if self.powered:
            truth |= {
                "believed_delivered_nl": self.firmware.steps_total * self.profile.motor.step_volume_nl,
                "believed_reservoir_nl": self.firmware.reservoir_nl,
            }
        return truth

    def digest(self) -> str:
        """The digest of the whole state: plant, memory, firmware, time."""
        firmware = self.firmware
        counts = (firmware.steps_total, firmware.bolus_steps, firmware.elapsed_us, firmware.stages_begun)
        volatile = (firmware.flow, counts, firmware.leases, firmware.stages, firmware.security)
        records = (self.memory.control.region, self.memory.security.region)
        memory = (records, self.memory.log, self.memory.journal, self.memory.armed_cut)
        identity = (self.profile.name, self.serial_number, self.seed)
        return state.digest(
            (identity, self.now_us, self.powered, self.plant, memory, volatile if self.powered else None)
        )

    def delivery_digest(self) -> str:
        """The digest of all that decides what is delivered, and of its account: see `firmware/delivery_state.py`."""
        decisive = (
            delivery_state.running_state(self.firmware)
            if self.powered
            else delivery_state.resting_state(self.profile, self.memory)
        )
        return state.digest((self.profile.name, self.serial_number, self.powered, self.plant, decisive))

    @contextmanager
    def _door(self) -> Iterator[None]:
        try:
            yield
        except PowerLost as lost:
            self._lose_power(lost.point.value)

    def _power_up(self) -> None:
        self.powered = True
        self.firmware = Firmware(self.profile, self.serial_number, self.memory, self.plant.turn, self.now_us)
        self._agenda = agenda_of(self.firmware)

    def _lose_power(self, write: str) -> None:
        self.memory.journal = self.firmware.journal()
        self.memory.armed_cut = None
        self.powered = False
        self._events.append(PowerCut(self.now_us, write))

    def _announce(self) -> None:
        """Tell observers of log records that have become true since the last time."""
        if not self.powered or self.firmware.record.run_state is RunState.FAILED:
            return
        ring, after = self.firmware.ring, self.firmware.record.log_next
        for sequence in range(max(self._announced, ring.first(after)), after):
            self._events.append(Recorded(self.now_us, ring.read(sequence)))
        self._announced = after


def agenda_of(firmware: Firmware) -> tuple[Entry, ...]:
    """What comes due by itself while this firmware runs."""
    empty_nl = firmware.profile.reservoir.empty_nl
    return (
        Entry(Rank.BOLUS_COMPLETE, lambda: bolus.complete_due(firmware), lambda _: bolus.complete(firmware)),
        Entry(
            Rank.LOW_RESERVOIR,
            lambda: alarms.level_due(firmware, AlarmType.LOW_RESERVOIR, firmware.record.program.low_reservoir_nl),
            lambda _: alarms.raise_low_reservoir(firmware),
        ),
        Entry(
            Rank.EMPTY_RESERVOIR,
            lambda: alarms.level_due(firmware, AlarmType.EMPTY_RESERVOIR, empty_nl),
            lambda _: alarms.raise_empty_reservoir(firmware),
        ),
        Entry(
            Rank.LEASE_OUT,
            lambda: bolus.lease_due(firmware),
            lambda now: bolus.drop_leases(firmware, now),
        ),
        Entry(
            Rank.FAILURES_LOGGED,
            lambda: security.failures_due(firmware),
            lambda _: security.log_failures(firmware),
        ),
    )
