"""A pump under observation: whoever acts at it, the observer's books, and the step that has just been made."""

from __future__ import annotations

import zlib
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from firmware_model.commands import (
    Alarm,
    Command,
    CommitRefill,
    Origin,
    ReadStatus,
    Reply,
    SetTime,
    StagePart,
    StatusAnswer,
)
from firmware_model.firmware.codes import AlarmType, Role, RunState
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.firmware.program import IMAGE_BYTES, Program, first_program, unpack_program
from firmware_model.plant import Plant
from firmware_model.plant.cell import Load
from firmware_model.plant.mixture import Mixture
from firmware_model.profile import Profile
from firmware_model.pump import Pump
from firmware_model.pump_events import PumpEvent
from firmware_model.quantities import US_PER_SECOND
from tests.firmware_model.bedside import Bedside, gate_of
from tests.firmware_model.invariants.adopting import adopt, adopt_counter
from tests.firmware_model.invariants.books import Books
from tests.firmware_model.invariants.clock_book import ClockBook
from tests.firmware_model.invariants.fault_book import FLUID, MEMORY
from tests.firmware_model.invariants.told import Asked, Step

_gate = cache(gate_of)


class Sight(NamedTuple):
    """What is physically so at an instant; `measured_mv`: the cell under the motor's load, as the firmware sees it."""

    pulses: int
    steps: int
    delivered_nl: int
    reservoir_nl: int
    charge_fc: int
    measured_mv: int


@dataclass(slots=True)
class Notes:
    """What the checks remember from step to step.

    delivered_nl    the highest lifetime volume that was told
    served_pulses   the pulses at the end of service, None before it
    session_high    the highest session number that was given
    wrong           the least number of failed attempts in a row, by role and port
    shown           checksum and revision under which a stage was validated, by session and stage
    may_lose_a_copy something has happened that can leave a copy of a record bad
    lost_a_copy     one was bad when the last step ended
    """

    delivered_nl: int = 0
    elapsed_s: int = 0
    served_pulses: int | None = None
    session_high: int = 0
    wrong: Counter[tuple[int, int]] = field(default_factory=Counter)
    shown: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    commands: deque[Command] = field(default_factory=lambda: deque(maxlen=8))
    seen_to: set[AlarmType] = field(default_factory=set)
    alarms: tuple[Alarm, ...] = ()
    stored: Program | None = None
    within_limits: Program | None = None
    log: deque[LogRecord] = field(default_factory=lambda: deque(maxlen=2_000))
    may_lose_a_copy: bool = False
    lost_a_copy: bool = False


class Watched(Bedside):
    """A bedside at which every question and its answer is noted."""

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self.asked: list[Asked] = []

    def origin(self, role: Role = Role.CLINICIAN, host: int = 7, session: int = 1, *, operation: str = "") -> Origin:
        return Origin(role, host, session, _gate(operation))

    def ask(self, command: Command) -> Reply | None:
        reply = super().ask(command)
        self.asked.append(Asked(command, reply, self.pump.firmware.record.therapy_rev))
        return reply


class Ward:
    """One pump, from its first power-up on.

    injected_nl, withdrawn_nl  what syringes brought to it and took away
    sound                      nothing has happened that could make belief and truth differ
    suspended                  in this step memory has failed, or fallen back by a commit: history has begun anew
    chances                    how often in this step the pump may have booted
    must_run                   in this step it was given all that it needs to run
    ending                     the history ends here: checks that cost more are made now
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.bedside = Watched(profile)
        clock = ClockBook(profile.clock.start_unix_s * US_PER_SECOND, profile.clock.offset_min)
        self.books = Books(profile, first_program(profile), clock)
        self.books.said_nl = profile.reservoir.initial_volume_nl
        self.notes = Notes()
        self.seen = self.before = look_at(self.pump.plant)
        self.held_at_first_nl = held_nl(self.pump.plant)
        self.injected_nl = self.withdrawn_nl = self.chances = 0
        self.sound = True
        self.suspended = self.must_run = self.ending = False
        self.figures: Counter[str] = Counter()
        self._status: StatusAnswer | None = None
        # A bit or a write has gone wrong and may still be wrong; and there was a boot since.
        self._struck = self._booted_struck = False

    @property
    def pump(self) -> Pump:
        return self.bedside.pump

    @pump.setter
    def pump(self, pump: Pump) -> None:
        """The same pump, restored from its save-state."""
        self.bedside.pump = pump

    @property
    def step(self) -> Step:
        """What has happened in the step under way."""
        return self.books.step

    def status(self) -> StatusAnswer | None:
        """What the pump says of itself when the step is over; None without power."""
        if self._status is None:
            reply = self.pump.command(ReadStatus(), self.pump.now_us)
            self._status = reply if isinstance(reply, StatusAnswer) else None
        return self._status

    def syringe(self, withdraw_nl: int, inject_nl: int, mixture: Mixture) -> tuple[int, int]:
        """A syringe at the port, and what it does to the account of the fluid."""
        withdrawn_nl, accepted_nl = self.pump.syringe(withdraw_nl, inject_nl, mixture, self.pump.now_us)
        astray_nl = inject_nl * self.books.faults.newest("pocket-fill", "ppm", 0) // 1_000_000
        self.withdrawn_nl += withdrawn_nl
        self.injected_nl += accepted_nl + astray_nl
        self.sound = False
        return withdrawn_nl, accepted_nl

    def clear_faults(self) -> None:
        """All faults end, and with them perhaps what kept the pump from its power."""
        self.take_events()
        self.pump.clear_faults(self.pump.now_us)
        self.books.clear_faults()
        self.chances += 1

    def begin_step(self) -> None:
        """The next step begins."""
        self.books.step = Step()
        self.suspended = self.must_run = False
        self.chances = 0
        self.before = self.seen
        self._status = None

    def end_step(self) -> None:
        """A step is over: the books are brought up to now, to be held against the pump."""
        # What a command has made due at this instant comes behind it.
        self.pump.advance(self.pump.now_us)
        self.take_events()
        self.seen = look_at(self.pump.plant)
        books, step, plant = self.books, self.step, self.pump.plant
        if books.judged:
            # A turn that is due now has been taken, or passed.
            books.pass_doses(self.pump.now_us + 1)
            if books.doses_doubtful:
                books.doses_doubtful = False
                books.plan_doses(self.pump.firmware.record.dose_anchor_us)
        step.faults_changed = frozenset(books.faults.changed)
        books.faults.changed.clear()
        self._see_what_memory_has_lost()
        if books.judged:
            books.settle_slack(self.pump.firmware.steps_total - books.flow.counted)
        books.rotor.blocked = plant.condition.occluded and not plant.motor.steps_within(plant.catheter.room_nl())
        books.look_at_rotor()
        if step.cuts or step.faults_changed or books.faults.there:
            self.notes.may_lose_a_copy |= bool(step.cuts) or not MEMORY.isdisjoint(step.faults_changed)
            self.sound &= not (step.cuts or FLUID & step.faults_changed or books.faults.any_of(FLUID))
        elif not self.sound and step.refills:
            self.sound = books.reservoir_nl == self.seen.reservoir_nl
        self.sound &= books.flow.counting and not step.of(LogType.STALL_ENDED)

    @property
    def is_lost(self) -> bool:
        """Whether nobody can make this pump run again."""
        served = self.notes.served_pulses is not None
        return served or (self.pump.powered and self.pump.firmware.record.run_state is RunState.FAILED)

    def replace_pump(self) -> None:
        """It is taken out, and a new one is implanted."""
        figures = self.figures
        self.__init__(self.profile)  # type: ignore[misc]
        self.figures = figures
        self.figures["pumps"] += 1

    def take_events(self) -> list[PumpEvent]:
        """Enter what has happened so far; returns it."""
        books, pump = self.books, self.pump
        cut_at_clock = False
        for asked in self.bedside.asked:
            if isinstance(asked.reply, StagePart) and len(asked.reply.data) == IMAGE_BYTES:
                books.programs[zlib.crc32(asked.reply.data)] = unpack_program(asked.reply.data)
            elif isinstance(asked.command, CommitRefill):
                books.refills[asked.command.op_id] = asked.command.drugs
            cut_at_clock |= isinstance(asked.command, SetTime) and asked.reply is None
        books.step.asked += self.bedside.asked
        self.bedside.asked.clear()
        events = []
        while (event := pump.next_event()) is not None:
            books.take(event)
            events.append(event)
        books.advance(pump.now_us)
        if cut_at_clock:
            # Power went while the clock was set: whether a lost counter has been started, no log tells.
            adopt_counter(books, pump)
        books.look_for_untold(pump.now_us)
        return events

    def _see_what_memory_has_lost(self) -> None:
        """Memory that has failed, or fallen back by a commit, begins another history."""
        pump, books, step = self.pump, self.books, self.step
        self._struck = self._struck or not MEMORY.isdisjoint(step.faults_changed)
        self._booted_struck = self._struck and (self._booted_struck or step.cuts > 0 or step.restored > 0)
        if not pump.powered:
            return
        record = pump.firmware.record
        if record.run_state is RunState.FAILED:
            if not books.flow.failed:
                self._begin_anew()
            return
        # With a boot in between it may have failed and come back, or fallen back by a commit that nobody tells of.
        if books.flow.failed or self._booted_struck or (books.fell_back and books.faults.last_us(MEMORY) >= 0):
            self._begin_anew()
        if self._struck:
            memory = pump.memory
            self._struck = bool(memory.armed_fault or memory.check(memory.control) or memory.check(memory.security))

    def _begin_anew(self) -> None:
        self.suspended = True
        self.figures["steps in which memory failed or fell back"] += 1
        self.notes.log.clear()
        self._booted_struck = False
        self.notes.seen_to.update(AlarmType)
        adopt(self.books, self.pump)


def look_at(plant: Plant) -> Sight:
    """What is so now."""
    motor = plant.motor
    measured_mv = plant.cell_mv(Load.MOTOR)
    volumes_nl = plant.delivered_nl, plant.reservoir.volume_nl
    return Sight(motor.pulses, motor.steps, *volumes_nl, plant.cell.charge_fc, measured_mv)


def held_nl(plant: Plant) -> int:
    """All fluid in the pump and its path, and all that has left them."""
    catheter = plant.catheter
    parts = (catheter.tubing, catheter.implanted, catheter.held, catheter.tip, catheter.pocket, catheter.spilled)
    return plant.reservoir.volume_nl + sum(part.volume_nl for part in parts)
