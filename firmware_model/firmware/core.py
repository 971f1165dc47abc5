"""The firmware's state and its one door to memory: what it knows while it runs, how it commits, how it boots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from firmware_model.commands import Alarm, LedgerEntry
from firmware_model.firmware.codes import (
    AlarmState,
    AlarmType,
    BolusEnd,
    BolusKind,
    OpState,
    ResetReason,
    RunState,
    StopReason,
)
from firmware_model.firmware.event_log import LogRecord, LogRing, LogType
from firmware_model.firmware.flow import Flow
from firmware_model.firmware.ledger import Ledger, empty_ledger
from firmware_model.firmware.program import Program, first_program
from firmware_model.firmware.record import BolusRecord, ControlRecord, pack_record, record_bytes, unpack_record
from firmware_model.firmware.security_record import Security
from firmware_model.memory import Journal, Memory
from firmware_model.profile import Profile
from firmware_model.quantities import HIGHEST_U32, US_PER_SECOND, whole_seconds

ELAPSED_JOURNAL_US = 60 * US_PER_SECOND
"""How often the elapsed time is journalled."""
HIGHEST_BOOT = 0xFFFF
"""Where the number of boots stays, which is one of 16 bits."""
NO_EPOCH = 0
"""The log epoch of a pump whose memory is lost: never that of a readable log."""


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
class LogDraft:
    """A record that is to be committed; sequence, epoch, boot and times are filled in then."""

    type: LogType
    op_id: int
    detail: Mapping[str, int]


@dataclass(slots=True)
class Firmware:
    """One boot's worth of the pump's program.

    now_us        the instant up to which all flow has been settled
    steps_total   lifetime steps as the firmware counts them
    bolus_steps   steps of the running bolus so far
    elapsed_us    the pump's own time; it goes on from where memory knows it to have been
    stages_begun  how many stages there have been since this boot
    """

    profile: Profile
    serial_number: int
    memory: Memory
    pulse: Callable[[int], None]
    now_us: int
    flow: Flow = field(init=False)
    record: ControlRecord = field(init=False)
    steps_total: int = 0
    bolus_steps: int = 0
    elapsed_us: int = 0
    leases: list[Lease] = field(default_factory=list)
    security: Security = field(default_factory=Security)
    stages: list[Stage] = field(default_factory=list)
    stages_begun: int = 0

    def __post_init__(self) -> None:
        self.flow = Flow(self.profile.motor.step_volume_nl)
        self.record = ControlRecord(
            program=first_program(self.profile), ledger=empty_ledger(self.profile.memory.ledger_entries_per_role)
        )

    @property
    def ring(self) -> LogRing:
        return LogRing(self.memory, self.profile.log.pages, self.profile.log.records_per_page)

    @property
    def reservoir_nl(self) -> int:
        """What the reservoir is computed to hold: what it was said to hold, less the steps commanded since."""
        used_nl = (self.steps_total - self.record.reservoir_steps) * self.profile.motor.step_volume_nl
        return max(0, self.record.reservoir_nl - used_nl)

    @property
    def rtc_unix_s(self) -> int:
        """The clock that labels records."""
        return min(self.profile.clock.start_unix_s + self.now_us // US_PER_SECOND, HIGHEST_U32)

    def pass_time(self, now: int) -> None:
        """Settle all flow up to and including `now`: command the steps that fall into it."""
        passed_us = now - self.now_us
        base_steps, bolus_steps = self.flow.pass_time(passed_us)
        self.now_us = now
        self.elapsed_us += passed_us
        self.steps_total += base_steps + bolus_steps
        self.bolus_steps += bolus_steps
        self.pulse(base_steps + bolus_steps)

    def commit(self, *drafts: LogDraft, **changes: Any) -> None:
        """The one door: log records first, then the control record that makes them and all changes true at once.

        Raises PowerLost when the power goes within; then nothing has changed but, after the last write, everything.
        """
        sequence = self.record.log_next
        record = replace(self.record, log_next=sequence + len(drafts), **changes)
        for draft in drafts:
            self.ring.write(self._stamped(draft, sequence, record))
            sequence += 1
        # The commit that takes the records into the log must not land before them.
        self.memory.barrier()
        self.memory.commit(self.memory.control, pack_record(record, self.profile.memory.alarm_capacity))
        self.record = record

    def ended_bolus(self, reason: BolusEnd, min_steps: int, max_steps: int) -> tuple[LogDraft, Ledger, LedgerEntry]:
        """What the end of the running bolus commits: its log record, and the ledger with its outcome."""
        bolus = self.running_bolus()
        step_nl = self.profile.motor.step_volume_nl
        unfinished = OpState.PARTIAL if max_steps else OpState.REJECTED
        state = OpState.DONE if reason is BolusEnd.COMPLETE else unfinished
        draft = LogDraft(
            LogType.BOLUS_ENDED,
            bolus.op_id,
            {
                "role": bolus.role,
                "host_id": bolus.host_id,
                "reason": reason,
                "bolus_id": bolus.bolus_id,
                "delivered_min_nl": min_steps * step_nl,
                "delivered_max_nl": max_steps * step_nl,
            },
        )
        executing = self.record.ledger.of(bolus.role).find(bolus.op_id)
        if executing is None:
            raise RuntimeError(f"running bolus {bolus.bolus_id} has no ledger entry for op {bolus.op_id}")
        entry = replace(executing, state=state, min_nl=min_steps * step_nl, max_nl=max_steps * step_nl)
        return draft, self.record.ledger.change(entry), entry

    def told(self, entry: LedgerEntry) -> LedgerEntry:
        """A ledger entry as it is told: that of the running bolus with what it has delivered so far."""
        if entry.state is not OpState.EXECUTING:
            return entry
        so_far_nl = self.bolus_steps * self.profile.motor.step_volume_nl
        return replace(entry, min_nl=so_far_nl, max_nl=so_far_nl)

    def follow_program(self) -> None:
        """Let the base rate be that of the program, while it runs."""
        running = self.record.run_state is RunState.RUNNING
        self.flow.set_base_rate(self.record.program.flow_nl_per_day(self.profile) if running else 0)

    def void_prepared(self) -> None:
        """Whatever a session has prepared or staged is void."""
        self.leases.clear()
        self.stages.clear()

    def standing_alarm(self, kind: AlarmType) -> Alarm | None:
        """The instance of an alarm that stands, acknowledged or not."""
        return next(
            (alarm for alarm in self.record.alarms if alarm.type == kind and alarm.state is not AlarmState.CLEARED),
            None,
        )

    def running_bolus(self) -> BolusRecord:
        """The running bolus. Raises RuntimeError when there is none."""
        if self.record.bolus is None:
            raise RuntimeError("no bolus is running")
        return self.record.bolus

    def journal(self) -> Journal:
        """What the memory holds of the counts at this instant."""
        interval = self.profile.motor.journal_interval_steps
        bolus_steps = self.bolus_steps if self.record.bolus else 0
        return Journal(
            steps_total=self.steps_total // interval * interval,
            bolus_steps=bolus_steps // interval * interval,
            elapsed_us=self.elapsed_us // ELAPSED_JOURNAL_US * ELAPSED_JOURNAL_US,
        )

    def format(self) -> None:
        """First power-up: begin with a full reservoir and the profile's programme, and say so in the log."""
        self.commit(
            _boot_draft(ResetReason.FIRST_POWER_UP, lost_slots=0, generation=0),
            boot=1,
            reservoir_nl=self.profile.reservoir.initial_volume_nl,
        )
        self.follow_program()

    def boot(self) -> None:
        """Take up after a power cut what memory holds. Counts resume at the upper end of their journal interval.

        A bolus never resumes: before the first step its end is committed, with the least and the most that it can have
        given.
        """
        interval = self.profile.motor.journal_interval_steps
        known = self.memory.journal
        self.steps_total = known.steps_total + interval
        self.elapsed_us = known.elapsed_us + ELAPSED_JOURNAL_US
        # Should power go again before the bolus's end is committed, the next boot is to know no less than this one.
        self.bolus_steps = known.bolus_steps
        image = self.memory.control.read()
        if image is None:
            self._fail()
            return
        memory = self.profile.memory
        self.record = unpack_record(image.body, memory.alarm_capacity, memory.ledger_entries_per_role)
        drafts = [_boot_draft(ResetReason.POWER, image.lost_slots, image.generation)]
        ledger = self.record.ledger
        if self.record.bolus is not None:
            most_steps = min(known.bolus_steps + interval, self.record.bolus.steps)
            ended, ledger, _ = self.ended_bolus(BolusEnd.RESET, known.bolus_steps, most_steps)
            drafts.append(ended)
        self.commit(
            *drafts,
            boot=min(self.record.boot + 1, HIGHEST_BOOT),
            therapy_rev=self.record.therapy_rev + 1,
            bolus=None,
            ledger=ledger,
        )
        self.bolus_steps = 0
        self.follow_program()

    def _fail(self) -> None:
        """No valid record: stay stopped, with an alarm, and write nothing over what may still be read by others."""
        alarm = Alarm(
            instance=1,
            type=AlarmType.MEMORY_FAILURE,
            critical=True,
            state=AlarmState.RAISED,
            elapsed_s=whole_seconds(self.elapsed_us),
            steps=self.steps_total,
            rate_nl_per_day=0,
            reservoir_nl=0,
            battery_mv=self.profile.cell.voltage_mv,
            last_op_id=0,
        )
        self.record = replace(
            self.record,
            epoch=NO_EPOCH,
            run_state=RunState.FAILED,
            stop_reason=StopReason.MEMORY_FAILURE,
            next_alarm=2,
            alarms=(alarm,),
        )

    def _stamped(self, draft: LogDraft, sequence: int, record: ControlRecord) -> LogRecord:
        return LogRecord(
            sequence=sequence,
            epoch=record.epoch,
            boot=record.boot,
            elapsed_s=whole_seconds(self.elapsed_us),
            rtc_unix_s=self.rtc_unix_s,
            type=draft.type,
            op_id=draft.op_id,
            detail=draft.detail,
        )


def control_bytes(profile: Profile) -> int:
    """The length of a control record's body under a profile."""
    return record_bytes(profile.memory.alarm_capacity, profile.memory.ledger_entries_per_role)


def _boot_draft(reason: ResetReason, lost_slots: int, generation: int) -> LogDraft:
    return LogDraft(LogType.BOOT, 0, {"reset_reason": reason, "memory": lost_slots, "generation": generation})
