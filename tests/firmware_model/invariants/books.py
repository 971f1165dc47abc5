"""The observer's books: the whole pump as its log and the tester's events tell of it, with nothing asked of the pump.

Events come in the order in which they happened. Before one is entered, all flow goes on to its instant.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from firmware_model.agenda import NEVER
from firmware_model.commands import Alarm
from firmware_model.firmware.codes import AlarmState, StopReason
from firmware_model.firmware.event_log import LogRecord
from firmware_model.firmware.program import Program
from firmware_model.profile import Profile
from firmware_model.pump_events import FaultChanged, PowerCut, PowerRestored, PumpEvent, Recorded, ToneSounded
from firmware_model.quantities import HIGHEST_U32, SECONDS_PER_DAY, US_PER_DAY, US_PER_SECOND
from tests.firmware_model.invariants.alarm_book import AlarmBook
from tests.firmware_model.invariants.causes import CAUSES, DUES, LEVELS
from tests.firmware_model.invariants.clock_book import ClockBook
from tests.firmware_model.invariants.entries import ENTRIES
from tests.firmware_model.invariants.fault_book import FaultBook
from tests.firmware_model.invariants.flow_book import FlowBook
from tests.firmware_model.invariants.rotor_book import RotorBook
from tests.firmware_model.invariants.told import Step, Told

Drugs = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Given:
    """A bolus that counts towards windows."""

    bolus_id: int
    start_us: int
    end_us: int
    volume_nl: int
    by_patient: bool


class Tap(NamedTuple):
    """How much had left the motor by an instant, dead volume apart."""

    at_us: int
    volume_nl: int


class Books:
    """Times are virtual microseconds, unless they say that they are the pump's own, elapsed time.

    programs        every program that was read back from a stage, by its checksum
    refills         the drugs of every refill that was asked for, by op id
    effects         how often each operation has had its effect: by role, op id and kind of record
    offset_us       elapsed time less virtual time
    acted_us        when the last commit was that the power cut short: what it made true is told after the boot
    fell_back       records have come under numbers that were not the next ones
    slack           steps that the firmware may have counted more, at boots that were cut short
    dose_due_us     when, in elapsed time, the program's next dose begins
    doses_doubtful  power went when a dose was due: whether it had its turn, only the pump knows
    """

    alarms: AlarmBook
    clock: ClockBook
    flow: FlowBook
    offset_us: int
    replacement_s: int
    stop_reason: StopReason

    def __init__(self, profile: Profile, program: Program, clock: ClockBook) -> None:
        self.profile, self.clock = profile, clock
        self.step = Step()
        self.flow = FlowBook(profile, program, clock)
        self.faults = FaultBook()
        self.alarms = AlarmBook(profile)
        self.programs: dict[int, Program] = {}
        self.refills: dict[int, Drugs] = {}
        self.effects: dict[tuple[int, int, int], int] = {}
        self.given: deque[Given] = deque(maxlen=512)
        self.taps: deque[Tap] = deque()
        self.stop_reason = StopReason.NONE
        self.programming = self.dose_spent = self.reviving = self.fell_back = False
        self.doses_doubtful = False
        self.boot, self.next_sequence = 1, 1
        self.cut_reading_us = 0
        self.booted_us = self.cut_us = self.offset_us = self.slack = self.lockout_until_us = 0
        self.stopped_since_s = self.replacement_s = 0
        self.said_nl = self.said_steps = self.told_steps = self.dead_steps = 0
        self.mixture: Drugs = ()
        self.hung_since_us: int | None = None
        self.dose_due_us = NEVER
        self.rotor = RotorBook(profile)
        self._cut_counts = self._counts()

    @property
    def now_us(self) -> int:
        return self.flow.now_us

    @property
    def elapsed_us(self) -> int:
        """The pump's own time."""
        return self.flow.now_us + self.offset_us

    @property
    def program(self) -> Program:
        """What the pump runs."""
        return self.flow.program

    @property
    def reservoir_nl(self) -> int:
        """What the pump must believe to be in the reservoir."""
        return max(0, self.said_nl - (self.flow.counted - self.said_steps) * self.flow.step_nl)

    @property
    def judged(self) -> bool:
        """Whether the pump runs and remembers: else most of what is said of it means nothing."""
        return self.flow.powered and not self.flow.failed

    def take(self, event: PumpEvent) -> None:
        """Enter one event."""
        self.advance(event.at_us)
        self._enter(event)
        self.look_at_rotor()

    def look_at_rotor(self) -> None:
        """What its samples must show, and what they may, from now on."""
        self.rotor.look(self.flow, self.faults, judged=self.judged)

    def _enter(self, event: PumpEvent) -> None:
        match event:
            case Recorded():
                self._take_record(event.record)
            case FaultChanged():
                self._take_fault(event)
            case ToneSounded():
                self.step.tones.append(event)
                if self.alarms.sounded(event.alarm) > self.elapsed_us:
                    self.step.early_tones.append(event)
            case PowerCut():
                self._lose_power()
            case PowerRestored():
                self._gain_power()

    def advance(self, to_us: int) -> None:
        """Let everything go on to an instant: flow, and what was due before it."""
        if to_us == self.flow.now_us:
            return
        if self.rotor.is_late(to_us):
            self.step.late_stalls.append(self.rotor.stands_since_us)
        if self.judged:
            self.pass_doses(to_us)
            self.look_for_untold(self.flow.now_us)
            self.look_for_untold(to_us - 1)
        self.flow.advance(to_us)

    def look_for_untold(self, until_us: int) -> None:
        """Causes that were there by an instant, and whose alarms do not stand; silences that were over, and no tone."""
        if not self.judged:
            return
        step, standing = self.step, self.alarms.types
        for kind in LEVELS:
            if kind not in standing and until_us == self.now_us and not self.slack and CAUSES[kind](self):
                step.untold.append(kind)
        for kind, due_us in DUES.items():
            if kind not in standing and due_us(self) <= until_us:
                step.untold.append(kind)
        for alarm in self.alarms.silent_until(until_us + self.offset_us):
            if alarm.state is AlarmState.RAISED:
                step.missed_tones.append(alarm.type)

    def clear_faults(self) -> None:
        """The tester has ended all faults."""
        self.faults.clear(self.now_us)
        self.rotor.blocked = False
        self._feel_faults()
        self.look_at_rotor()

    def tap(self) -> None:
        """Remember how much has flowed by now, while the clock goes as it should."""
        flow, taps = self.flow, self.taps
        dead = self.dead_steps + (flow.bolus.pulses if flow.bolus is not None and flow.moves_dead_volume() else 0)
        taps.append(Tap(self.now_us, (flow.pulses - dead) * flow.step_nl))
        while taps[0].at_us < self.now_us - US_PER_DAY:
            taps.popleft()

    def peak_nl(self) -> int:
        """The most that the program gives by itself in any 24 hours."""
        program, flow = self.program, self.flow
        base_nl = flow.constant_rate()
        if flow.week is not None:
            base_nl = max(base_nl, -(-flow.week.fullest_day() // US_PER_DAY))
        if program.dose_interval_s:
            doses = -(-(SECONDS_PER_DAY + program.dose_duration_s) // program.dose_interval_s)
        else:
            doses = 1 if program.dose_volume_nl else 0
        return base_nl + doses * program.dose_volume_nl

    def window_max_nl(self) -> int:
        """The most that may be given in any 24 hours."""
        return min(self.program.window_max_nl, self.profile.therapy.window_max_nl)

    def note_given(self, bolus_id: int, start_us: int, end_us: int, volume_nl: int, by_patient: bool) -> None:
        """A bolus begins that counts towards windows."""
        self.given.append(Given(bolus_id, start_us, end_us, volume_nl, by_patient))

    def cut_short(self, bolus_id: int, end_us: int, volume_nl: int) -> None:
        """A bolus has ended early, with so much at most."""
        for given in self.given:
            if given.bolus_id == bolus_id:
                given.end_us, given.volume_nl = end_us, volume_nl

    def given_since(self, since_us: int) -> int:
        """The volume of all boluses that ended after an instant, running ones as a whole."""
        return sum(given.volume_nl for given in self.given if given.end_us > since_us)

    def end_of_service_us(self) -> int:
        """When, in elapsed time, the pump's service ends."""
        cell = self.profile.cell
        life_us = cell.life_max_days * US_PER_DAY
        if not self.replacement_s:
            return life_us
        return min(life_us, self.replacement_s * US_PER_SECOND + cell.eos_after_eri_days * US_PER_DAY)

    def set_running(self, running: bool, reason: StopReason) -> None:
        """Therapy runs from now on, or stands."""
        self.flow.running, self.stop_reason = running, reason
        self.plan_doses(self.elapsed_us)

    def settle_slack(self, ahead_steps: int) -> None:
        """Boots that were cut short may have counted ahead: by how much has been told now."""
        if self.slack:
            if 0 <= ahead_steps <= self.slack and ahead_steps % self.profile.motor.journal_interval_steps == 0:
                self.flow.count_more(ahead_steps)
            self.slack = 0

    def plan_doses(self, anchor_us: int) -> None:
        """The program's doses are counted from an instant of elapsed time."""
        interval_us = self.program.dose_interval_s * US_PER_SECOND
        self.dose_due_us = anchor_us + interval_us if interval_us and self.flow.running else NEVER

    def adopt_alarms(self, alarms: tuple[Alarm, ...]) -> None:
        """Take up what stands."""
        self.alarms.adopt(alarms, self.now_us)
        self.flow.lowered = self.alarms.lowers

    def pass_doses(self, to_us: int) -> None:
        """Turns of the program's dose that came before an instant: each was missed, unless something forbade it."""
        behind_us = to_us + self.offset_us - self.dose_due_us
        if behind_us <= 0:
            return
        flow = self.flow
        if flow.counting and not (flow.lowered or flow.dose is not None or flow.moves_dead_volume()):
            self.step.missed_doses.append(self.dose_due_us)
        interval_us = self.program.dose_interval_s * US_PER_SECOND
        self.dose_due_us += -(-behind_us // interval_us) * interval_us

    def _take_record(self, record: LogRecord) -> None:
        flow = self.flow
        told = Told(
            record,
            flow.now_us,
            self.cut_us if self.reviving else flow.now_us,
            self._label_s(),
            *(self._cut_counts if self.reviving else self._counts()),
            flow.running,
            flow.bolus,
            flow.program,
        )
        self.step.told.append(told)
        enter = ENTRIES.get(record.type)
        if enter is not None:
            enter(self, told)
        self.fell_back = self.fell_back or record.sequence != self.next_sequence
        self.next_sequence = record.sequence + 1

    def _counts(self) -> tuple[int, int, int, int]:
        return self.flow.counted, self.slack, self.flow.stalled, self.reservoir_nl

    def _label_s(self) -> int | None:
        if self.clock.lost:
            return None
        return min(max(0, self.clock.unix_us(self.now_us) // US_PER_SECOND), HIGHEST_U32) if self.clock.valid else 0

    def _take_fault(self, event: FaultChanged) -> None:
        fault, values = event.fault, dict(event.fault.values)
        self.rotor.blocked = False
        if event.began:
            self.faults.begins(event.number, fault, event.at_us)
        else:
            self.faults.ends(event.number, event.at_us)
        if event.began and fault.verb == "field":
            self.step.turned_back += values["reverse"]
        elif fault.verb == "clock-jump":
            self.clock.jump(values["s"], event.at_us)
        elif fault.verb == "clock-loss":
            self.clock.lose(event.at_us)
            self.clock.valid = self.clock.valid and not self.judged
        self._feel_faults()

    def _feel_faults(self) -> None:
        """What lasting faults do to flow and clock."""
        hung = self.faults.any_of(("watchdog-hang",))
        if hung != self.flow.hung:
            self.flow.hung = hung
            self.hung_since_us = self.now_us if hung and self.flow.powered else None
        self.clock.drift(self.faults.total("clock-drift", "ppm", -1_000_000, 1_000_000), self.now_us)

    def _lose_power(self) -> None:
        if self.flow.powered:
            self._cut_counts = self._counts()
            self.cut_us, self.cut_reading_us = self.now_us, self.clock.reading_us(self.now_us)
            self.flow.lose_power()
        else:
            # A boot was cut short. Whether its counts went ahead shows when the pump tells the next one.
            self.slack += self.profile.motor.journal_interval_steps
        self.doses_doubtful = self.doses_doubtful or self.dose_due_us == self.elapsed_us
        self.step.cuts += 1
        self.hung_since_us = None

    def _gain_power(self) -> None:
        self.flow.gain_power()
        # What memory held when it failed may be good again: the books know only what was said then.
        self.fell_back = self.fell_back or self.flow.failed
        self.reviving, self.flow.failed = True, False
        self.booted_us = self.now_us
        self.hung_since_us = self.now_us if self.flow.hung else None
        self.step.restored += 1
