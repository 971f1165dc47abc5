"""The firmware's state and its one door to memory: what it knows while it runs, and how it commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from firmware_model.agenda import NEVER, Agenda
from firmware_model.commands import Alarm, LedgerEntry
from firmware_model.firmware.changed_flags import ChangedFlags
from firmware_model.firmware.codes import (
    AlarmState,
    AlarmType,
    BolusKind,
    OpState,
    Role,
)
from firmware_model.firmware.event_log import LogRecord, LogRing
from firmware_model.firmware.flow import STANDSTILL, Ahead, Flow
from firmware_model.firmware.ledger import empty_ledger
from firmware_model.firmware.program import Program, first_program, peak_day_nl, peak_rate_nl_per_day
from firmware_model.firmware.record import BolusRecord, ControlRecord
from firmware_model.firmware.record_layout import packed
from firmware_model.firmware.schedule import FlexWeek, compile_week
from firmware_model.firmware.security_record import Security
from firmware_model.firmware.write_behind import WriteBehind
from firmware_model.memory import Journal, Memory
from firmware_model.plant import Sensors
from firmware_model.profile import Profile
from firmware_model.quantities import HIGHEST_U32, US_PER_MINUTE, US_PER_SECOND, ceil_div
from firmware_model.state import DERIVED, WIRING

ELAPSED_JOURNAL_US = 60 * US_PER_SECOND
"""How often the elapsed time is journalled."""
HIGHEST_BOOT = 0xFFFF
"""Where the number of boots stays, which is one of 16 bits."""
NO_EPOCH = 0
"""The log epoch of a pump whose memory is lost: never that of a readable log."""


class CompiledProgram(NamedTuple):
    """A program with what follows from it.

    peak_day_nl           the most that it gives in any 24 h by itself
    peak_rate_nl_per_day  its fastest flow
    room_nl               what boluses may give in any 24 h beside it: less than nothing, if the limits were lowered
    """

    program: Program
    week: FlexWeek
    peak_day_nl: int
    peak_rate_nl_per_day: int
    room_nl: int


def compile_program(program: Program, profile: Profile) -> CompiledProgram:
    """Work out once what is asked of a program often."""
    day_nl = peak_day_nl(program, profile)
    return CompiledProgram(
        program,
        compile_week(program.schedule),
        day_nl,
        peak_rate_nl_per_day(program, profile),
        min(profile.therapy.window_max_nl, program.window_max_nl) - day_nl,
    )


@dataclass(frozen=True, slots=True)
class Lease:
    """A prepared bolus, held for one session until it runs out. In volatile memory only."""

    bolus_id: int
    session: int
    kind: BolusKind
    steps: int
    duration_s: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A program that a session writes, block by block, and what VALIDATE made of it. In volatile memory only.

    written       the bytes of each block so far, in the order of `WRITABLE_BLOCKS`
    validated     what COMMIT would make the active program; None since the last WRITE
    validated_rev the revision of therapy under which it was validated
    """

    stage_id: int
    session: int
    written: tuple[bytes, ...]
    validated: Program | None = None
    validated_rev: int = 0


@dataclass(frozen=True, slots=True)
class RefillInHand:
    """A refill that a session has begun. In volatile memory only."""

    refill_id: int
    session: int


@dataclass(slots=True)
class StallWatch:
    """What the samples of the rotor have shown. In volatile memory only.

    sampled_us    the last sample, in elapsed time
    pulses        the pulses that had been given by then
    bad, good     samples without and with motion, one after the other
    bolus_steps   steps of the running bolus at the last sample with motion: it has truly given these
    dose_steps    the same of the program's own dose
    """

    sampled_us: int = 0
    pulses: int = 0
    bad: int = 0
    good: int = 0
    bolus_steps: int = 0
    dose_steps: int = 0


@dataclass(slots=True)
class Firmware:
    """One boot's worth of the pump's program.

    now_us             the instant up to which all flow has been settled
    elapsed_offset_us  the pump's own time less `now_us`; it goes on from where memory knows it to have been
    steps_total        lifetime steps as the firmware counts them: those commanded while no stall was known
    pulses             pulses since this boot, whether they count or not
    stalled_pulses     lifetime pulses while a stall was known
    level_steps        the lifetime step count at which the computed reservoir comes to the next alarm's level
    counting           False while a known stall lasts: its pulses move nothing
    hung_since_us      since when the motor's scheduler has been blocked
    unplanned          something has changed that any instant of the agenda may follow from
    day_us             when, in elapsed time, the next day of housekeeping begins
    toned_us           up to when, in elapsed time, tones have sounded
    repairs_told       how many repairs of the memory the log knows of
    """

    profile: Profile = field(metadata=WIRING, repr=False, compare=False)
    serial_number: int
    memory: Memory = field(metadata=WIRING, repr=False, compare=False)
    sensors: Sensors = field(metadata=WIRING, repr=False, compare=False)
    now_us: int
    agenda: Agenda = field(default_factory=Agenda)
    flow: Flow = field(init=False)
    record: ControlRecord = field(init=False)
    elapsed_offset_us: int = 0
    steps_total: int = 0
    bolus_steps: int = 0
    dose_steps: int = 0
    pulses: int = 0
    stalled_pulses: int = 0
    level_steps: int = NEVER
    counting: bool = True
    hung_since_us: int | None = None
    unplanned: bool = False
    day_us: int = 0
    toned_us: int = 0
    repairs_told: int = 0
    stall: StallWatch = field(default_factory=StallWatch)
    leases: list[Lease] = field(default_factory=list)
    security: Security = field(default_factory=Security)
    stages: list[Stage] = field(default_factory=list)
    stages_begun: int = 0
    refill: RefillInHand | None = None
    refills_begun: int = 0
    changed: ChangedFlags = field(default_factory=ChangedFlags)
    compiled: CompiledProgram | None = field(default=None, init=False, metadata=DERIVED, repr=False, compare=False)
    behind: WriteBehind = field(
        default_factory=lambda: WriteBehind(0), init=False, metadata=DERIVED, repr=False, compare=False
    )
    _log_ring: LogRing | None = field(default=None, init=False, metadata=DERIVED, repr=False, compare=False)
    is_lowered: bool = field(default=False, init=False, metadata=DERIVED, repr=False, compare=False)
    lowered_by: tuple[Alarm, ...] | None = field(default=None, init=False, metadata=DERIVED, repr=False, compare=False)
    fresh_records: list[LogRecord] = field(
        default_factory=list, init=False, metadata=DERIVED, repr=False, compare=False
    )
    fresh_tones: list[Alarm] = field(default_factory=list, init=False, metadata=DERIVED, repr=False, compare=False)
    fresh_flags: list[Role] = field(default_factory=list, init=False, metadata=DERIVED, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.flow = Flow(self.profile.motor.step_volume_nl)
        self.join(self.profile, self.memory, self.sensors)
        memory = self.profile.memory
        self.record = ControlRecord(
            program=first_program(self.profile),
            ledger=empty_ledger(memory.ledger_entries_per_role),
        )

    def join(self, profile: Profile, memory: Memory, sensors: Sensors) -> None:
        """Take up the neighbours, and forget what follows from the state and can be worked out again."""
        self.profile, self.memory, self.sensors = profile, memory, sensors
        self._log_ring = LogRing(memory, profile.log.pages, profile.log.records_per_page)
        self.behind = WriteBehind(profile.log.pages * profile.log.records_per_page)
        self.compiled, self.fresh_records, self.fresh_tones, self.fresh_flags = None, [], [], []

    @property
    def ring(self) -> LogRing:
        """The ring of the log, with all in it that was committed."""
        self.write_out()
        return self._ring

    @property
    def _ring(self) -> LogRing:
        if self._log_ring is None:
            raise RuntimeError("a firmware without its neighbours")
        return self._log_ring

    @property
    def elapsed_us(self) -> int:
        """The pump's own time."""
        return self.now_us + self.elapsed_offset_us

    @property
    def elapsed_s(self) -> int:
        """The pump's own time in whole seconds."""
        return (self.now_us + self.elapsed_offset_us) // US_PER_SECOND

    @property
    def counts_from_s(self) -> int:
        """The second that lockouts and windows count from which begin now: rounded up, so that none ends early."""
        return ceil_div(self.now_us + self.elapsed_offset_us, US_PER_SECOND)

    @property
    def reservoir_nl(self) -> int:
        """What the reservoir is computed to hold: what it was said to hold, less the steps counted since."""
        used_nl = (self.steps_total - self.record.reservoir_steps) * self.profile.motor.step_volume_nl
        return max(0, self.record.reservoir_nl - used_nl)

    @property
    def rtc_unix_s(self) -> int:
        """The labelling clock in whole seconds of Unix time; 0 while it is not valid, or shows a time before 1970."""
        record = self.record
        if not record.clock_valid:
            return 0
        unix_s = (record.clock_base_us + self.sensors.clock_reading_us(self.now_us)) // US_PER_SECOND
        if 0 <= unix_s <= HIGHEST_U32:
            return unix_s
        return 0 if unix_s < 0 else HIGHEST_U32

    @property
    def local_us(self) -> int:
        """Local time in microseconds, counted as Unix time is: what selects the segment of a schedule."""
        record = self.record
        reading_us = self.sensors.clock_reading_us(self.now_us)
        return record.clock_base_us + reading_us + record.offset_min * US_PER_MINUTE

    @property
    def active(self) -> CompiledProgram:
        """The active program with what follows from it, worked out once."""
        compiled = self.compiled
        if compiled is None or compiled.program is not self.record.program:
            compiled = self.compiled = compile_program(self.record.program, self.profile)
        return compiled

    def ahead(self, elapsed_us: int) -> Ahead:
        """What the next `elapsed_us` bring."""
        return self.flow.ahead(elapsed_us) if self.hung_since_us is None else STANDSTILL

    def pass_time(self, elapsed_us: int, ahead: Ahead) -> None:
        """Let `elapsed_us` pass, of which `ahead` is what they bring."""
        self.now_us += elapsed_us
        pulses, phase, dose_steps, dose_phase, bolus_steps, bolus_phase = ahead
        if phase < 0:
            return
        flow = self.flow
        flow.base.phase = phase
        if flow.dose is not None:
            flow.dose.phase = dose_phase
            self.dose_steps += dose_steps
        if flow.bolus is not None:
            flow.bolus.phase = bolus_phase
            self.bolus_steps += bolus_steps
        self.pulses += pulses
        if self.counting:
            self.steps_total += pulses
        else:
            self.stalled_pulses += pulses

    def commit(self, records: Sequence[LogRecord]) -> None:
        """The one door: log records first, then the control record, as it is now, that makes them true.

        Raises PowerLost when the power goes within; then this firmware is no more, and memory holds all of it or none.
        Raises MemoryFailed when memory takes it no more.
        """
        record, memory = self.record, self.memory
        record.log_next += len(records)
        if memory.unwatched:
            behind = self.behind
            behind.commits += 1
            behind.last.append(replace(record))
            behind.records += records
        else:
            self.write_out()
            for log_record in records:
                self._ring.write(log_record)
            # The commit that takes the records into the log must not land before them.
            memory.barrier()
            memory.commit(memory.control, packed(record, self.profile))
        self.fresh_records += records
        self.fresh_flags += self.changed.note(records)

    def write_out(self) -> None:
        """Give memory what it has not been given yet: to be called before anyone looks at it."""
        behind = self.behind
        if behind.commits:
            for log_record in behind.records:
                self._ring.write(log_record)
            self.memory.control.overwrite(behind.commits, [packed(held, self.profile) for held in behind.last])
            behind.clear()

    def lost_copies(self) -> int:
        """How many copies of the control record and of the security record have gone bad in memory."""
        memory = self.memory
        if self.behind.commits < 2:
            self.write_out()
            return memory.check(memory.control) + memory.check(memory.security)
        # Both copies are to be written anew, so neither can have gone bad.
        return memory.check(memory.security)

    def told(self, entry: LedgerEntry) -> LedgerEntry:
        """A ledger entry as it is told: that of the running bolus with what it has delivered so far."""
        if entry.state is not OpState.EXECUTING:
            return entry
        so_far_nl = self.bolus_steps * self.profile.motor.step_volume_nl
        return replace(entry, min_nl=so_far_nl, max_nl=so_far_nl)

    def standing_alarm(self, kind: AlarmType) -> Alarm | None:
        """The instance of an alarm that stands, acknowledged or not."""
        for alarm in self.record.alarms:
            if alarm.type is kind and alarm.state is not AlarmState.CLEARED:
                return alarm
        return None

    def running_bolus(self) -> BolusRecord:
        """The running bolus. Raises RuntimeError when there is none."""
        if self.record.bolus is None:
            raise RuntimeError("no bolus is running")
        return self.record.bolus

    def journal(self) -> Journal:
        """What the memory holds of the counts at this instant."""
        interval = self.profile.motor.journal_interval_steps
        return Journal(
            steps_total=self.steps_total // interval * interval,
            bolus_steps=self.bolus_steps // interval * interval,
            programmed_steps=self.dose_steps // interval * interval,
            stalled_pulses=self.stalled_pulses // interval * interval,
            elapsed_us=self.elapsed_us // ELAPSED_JOURNAL_US * ELAPSED_JOURNAL_US,
        )
