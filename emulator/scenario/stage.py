"""A device and the conductor of its scenario on one virtual clock: what every driver of a scenario moves.

Rules of this file:

- Time passes with each request that the pump takes, by deeds, and by `pass_until`: never by itself.
- After each input the events go to the conductor, and its deeds are done at once, so that a programmer that is killed
  at a frame never reads the answer. What concerns the programmer is left in `orders`, for whoever has one.
- On the way through time the clock stops where the next step may be due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, Flag

from emulator.device import Device
from emulator.events import Event, FaultChanged, FaultFired, FrameSeen
from emulator.faults.arming import arming
from emulator.faults.syntax import FaultSyntaxError
from emulator.inputs import Action, LineChange
from emulator.journal.recording import JournaledDevice
from emulator.scenario.conductor import Conductor
from emulator.scenario.plan import Act, Arm, Begin, Deed, Judge, Kill, Pass
from emulator.wire import Direction
from firmware_model.commands.asking import ListAlarms, ReadStatus
from firmware_model.commands.outcomes import AlarmsAnswer, StatusAnswer

SLICE_US = 3_600_000_000
"""So much virtual time at most passes at once, so that the queue of events stays short."""

MOST_FIRED = 1_000


def unwatched(event: Event) -> None:
    """Nobody looks."""
    del event


class OutOfTime(Exception):
    """The simulated time of the scenario is over."""


class StagingFailed(Exception):
    """A step asks for what cannot be done; one sentence."""


@dataclass(slots=True)
class Stage:
    """One run of a scenario on a device.

    watch     is shown every event
    door      where inputs of the device go in, which may be that of its journal; None: the device itself
    lockstep  whether the wall clock has no part in it
    broken    whether a fault has broken the line; `breaks`: how often one has
    """

    device: Device
    conductor: Conductor
    watch: Callable[[Event], None] = unwatched
    door: Device | JournaledDevice | None = None
    orders: deque[Begin | Kill] = field(default_factory=deque)
    fired: list[str] = field(default_factory=list)
    requests: int = 0
    lockstep: bool = True
    broken: bool = False
    breaks: int = 0
    _open: bool = False
    _output: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._tell()

    @property
    def _door(self) -> Device | JournaledDevice:
        return self.device if self.door is None else self.door

    @property
    def now_us(self) -> int:
        """The virtual time."""
        return self.device.now_us

    @property
    def end_us(self) -> int:
        """When the simulated time is over."""
        return self.conductor.began_us + self.conductor.scenario.virtual_us

    def begin(self) -> None:
        """Begin the timeline, now."""
        self._tell()
        self.requests = 0
        self.conductor.begin(self.now_us)
        self.attend()

    def line(self, change: LineChange) -> None:
        """The programmer opens or closes its line. One that is broken cannot be opened, and is closed already."""
        if self.broken if change is LineChange.OPENED else not self._open:
            return
        self._open = change is not LineChange.CLOSED
        self._door.line(change, self.now_us)
        self._output.clear()
        self.attend()

    def take(self, data: bytes) -> None:
        """Bytes of the programmer: each request among them makes time pass. Without a line they go nowhere."""
        if not self._open:
            return
        before = self.requests
        self._door.receive(data, self.now_us)
        self._tell()
        self.attend()
        taken = self.requests - before
        if taken:
            self.pass_until(self.now_us + taken * self.conductor.scenario.per_request_us)

    def output(self) -> bytes:
        """Bytes for the programmer."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def receive(self, until_us: int) -> bytes:
        """Bytes for the programmer; while there are none, time passes up to then, or to an order. Raises OutOfTime."""
        data = self.output()
        while not data and self.now_us < until_us and not self.orders:
            deadline_us = self.device.next_deadline()
            self.pass_until(until_us if deadline_us is None else min(until_us, max(deadline_us, self.now_us + 1)))
            data = self.output()
        return data

    def pass_until(self, target_us: int, until: Callable[[], bool] = lambda: False, *, closely: bool = False) -> None:
        """Let time pass, and do what comes due on the way; it ends early with an order, or when `until` holds.

        `closely`: the clock stops wherever something can happen, so that it stands there when `until` holds.
        Raises OutOfTime.
        """
        self.attend()
        while self.now_us < target_us and not self.orders and not until():
            stop_us = min(target_us, self.next_stop_us(closely=closely))
            self._move(stop_us)
            self.attend()

    def pass_until_mended(self) -> None:
        """Let time pass until the line can be opened again; it ends early with an order. Raises OutOfTime."""
        self.pass_until(self.end_us + 1, until=lambda: not self.broken, closely=True)

    def next_stop_us(self, *, closely: bool = False) -> int:
        """Where the clock stops next: where a step is due, or, while one waits for an event, where one can come."""
        deadline_us = self.device.next_deadline()
        furthest_us = self.now_us + SLICE_US
        closely = closely or self.conductor.awaits_event
        if deadline_us is not None and (closely or deadline_us > furthest_us):
            furthest_us = deadline_us
        wake_us = self.conductor.wake_us()
        return furthest_us if wake_us is None or wake_us <= self.now_us else min(furthest_us, wake_us)

    def wait(self) -> None:
        """Let time pass until the timeline goes on; for when the programmer is at no task. Raises OutOfTime."""
        wake_us = self.conductor.wake_us()
        target_us = self.end_us + 1 if wake_us is None else wake_us
        self.pass_until(target_us, until=lambda: self.conductor.wake_us() != wake_us or not self._waits())

    def control(self, action: Action) -> None:
        """The tester's hand. A ValueError is the pump's refusal."""
        self._door.control(action, self.now_us)
        self.attend()

    def attend(self) -> None:
        """Do all that is to be done now."""
        self._tell()
        while (deed := self.conductor.next_deed(self.now_us)) is not None:
            self._do(deed)
            self._tell()

    def _waits(self) -> bool:
        return not self.conductor.finished

    def _move(self, stop_us: int) -> None:
        if stop_us > self.end_us:
            self._door.advance(max(self.end_us, self.now_us))
            self._tell()
            raise OutOfTime
        self._door.advance(stop_us)
        self._tell()

    def _do(self, deed: Deed) -> None:
        match deed:
            case Arm(fault):
                self._control_fault(fault)
            case Act(action):
                try:
                    self._door.control(action, self.now_us)
                except ValueError as refusal:
                    raise StagingFailed(f"step {self.conductor.current_step}: {refusal}") from refusal
            case Pass(duration_us):
                target_us = self.now_us + duration_us
                while self.now_us < target_us:
                    self._move(min(target_us, self.now_us + SLICE_US))
            case Judge(name):
                self.conductor.judgement.judge(name, self)
            case Begin() | Kill():
                self.orders.append(deed)

    def _control_fault(self, fault: str) -> None:
        try:
            self._door.control(arming(fault, self.device.fault_names), self.now_us)
        except (FaultSyntaxError, ValueError) as refusal:
            raise StagingFailed(f"step {self.conductor.current_step}: {refusal}") from refusal

    def _tell(self) -> None:
        """Take what came of the last input: bytes, what became of the line, then events."""
        while data := self._door.data_to_send(self.now_us):
            self._output += data
        while (line_break := self._door.next_line_break()) is not None:
            self.broken = line_break.broken
            if self.broken:
                self.breaks += 1
                self._open = False
                self._output.clear()
        while (event := self._door.next_event()) is not None:
            self.watch(event)
            if isinstance(event, FrameSeen):
                self.requests += event.direction == Direction.REQUEST.value
            elif isinstance(event, FaultFired) or (isinstance(event, FaultChanged) and event.change == "began"):
                self.note_fired(event.fault)
            self.conductor.happened(event)

    def note_fired(self, fault: str) -> None:
        """A fault has acted; of very many only the first are told."""
        if len(self.fired) < MOST_FIRED:
            self.fired.append(fault)

    def truth(self) -> Mapping[str, object]:
        """What is physically so."""
        return self.device.truth()

    def belief(self) -> Mapping[str, object]:
        """What the pump believes; nothing of one without power."""
        found = self.device.pump.command(ReadStatus(), self.now_us) if self.device.has_power else None
        if not isinstance(found, StatusAnswer):
            return {}
        return {name: _plain(getattr(found, name)) for name in found.__struct_fields__}

    def alarms(self) -> Sequence[Mapping[str, object]]:
        """The alarms that the pump holds."""
        found = self.device.pump.command(ListAlarms(0), self.now_us) if self.device.has_power else None
        if not isinstance(found, AlarmsAnswer):
            return ()
        return [{name: _plain(value) for name, value in alarm._asdict().items()} for alarm in found.alarms]

    def elapsed_us(self) -> int:
        """Virtual time since the timeline began."""
        return self.now_us - self.conductor.began_us


def _plain(value: object) -> object:
    """A word of the model as it is written."""
    return value.name.lower() if isinstance(value, Enum) and not isinstance(value, Flag) and value.name else value
