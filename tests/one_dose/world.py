"""A world of one pump, two programmers, and lines on which anything can happen, short of telling lies.

The pump is the real device, the programmers run the real rules with a durable book each. Every frame has a fate; a host
can die at any write of its book; power can go at any write of the pump's memory. Each bolus that a person wants has a
volume of its own, and each program a rate, so the pump's log tells how often each intention was given.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from emulator.device import Device
from emulator.inputs import CutPower, LineChange, RestorePower
from emulator.programmer.book import Book
from emulator.programmer.effects import Ask, Keep, LineLost, NoPump, Pause, Procedure, PumpRefused
from emulator.programmer.outcomes import Taken, Unknown, from_booked
from emulator.programmer.program_file import ProgramFile
from emulator.programmer.programming import StageGone
from emulator.programmer.rules import BolusOrder, NothingToCancel, Report, cancel, close, deliver_bolus, start, stop
from emulator.vpump_wire import VpumpWire
from firmware_model.firmware.program import first_program
from firmware_model.memory import CutMode
from firmware_model.profile import Profile
from firmware_model.pump import Pump
from protocol.messages.codes import BolusKind, Role
from tests.one_dose.observer import Observer
from tests.one_dose.programmer import (
    KEYS,
    SERIAL_NUMBER,
    WAIT_US,
    Command,
    HostDied,
    Open,
    Programmer,
    Step,
    Wait,
    give_program,
    what_became,
)

BOLUS_DURATION_S = 120
FIRST_VOLUME_NL = 10_000
FIRST_RATE_NL_PER_DAY = 700_000
MOST_TURNS = 2_000
"""Exchanges within which a host must come to an end on a line that loses nothing."""


class Fate(Enum):
    """What becomes of a frame: `HELD_BACK` reaches its end later, or never; `DOUBLED` twice at once; `COPIED` now and
    perhaps again later."""

    ARRIVES = "arrives"
    LOST = "lost"
    DOUBLED = "doubled"
    HELD_BACK = "held back"
    COPIED = "copied"


_TIMES = {Fate.ARRIVES: 1, Fate.COPIED: 1, Fate.DOUBLED: 2, Fate.LOST: 0, Fate.HELD_BACK: 0}


class World:
    """The pump, both hosts, and what can befall them. `secured`: the pump asks for keys."""

    def __init__(self, profile: Profile, *, secured: bool) -> None:
        wire = VpumpWire(profile, SERIAL_NUMBER, insecure=not secured)
        self.device = Device(Pump(profile, SERIAL_NUMBER), wire)
        self.now_us = 0
        self.hosts = (Programmer(number=1, secured=secured), Programmer(number=2, secured=secured))
        self.observer = Observer(self.device, KEYS)
        self._profile = profile
        self._wishes = 0
        # The pump's lines, and by port what is held back of what was sent there and of what was answered.
        self._lines: set[int] = set()
        self._belated: dict[int, list[bytes]] = {}
        self._belated_answers: dict[int, list[bytes]] = {}

    # What a person does. `takes_over`: he tells his host to take the clinician's place, should another one hold it.

    def wants_bolus(self, host: Programmer, *, takes_over: bool = True) -> None:
        """A person wants a new bolus; nobody has wanted this volume before."""
        volume_nl = FIRST_VOLUME_NL + self._new_wish() * self._profile.motor.step_volume_nl
        order = BolusOrder(BolusKind.SINGLE, volume_nl, BOLUS_DURATION_S)
        self._wish(host, order.command, lambda keeper: deliver_bolus(keeper, order), takes_over)

    def wants_program(self, host: Programmer, *, takes_over: bool = True) -> None:
        """A person wants another program; nobody has wanted this rate before."""
        rate = FIRST_RATE_NL_PER_DAY + self._new_wish() * self._profile.therapy.rate_quantum_nl_per_day
        crc32 = replace(first_program(self._profile), rate_nl_per_day=rate).crc32()
        file = ProgramFile("a wish", {"rate_nl_per_day": rate}, {})
        self._wish(host, f"program {crc32:08X}", lambda keeper: give_program(keeper, file), takes_over)

    def asks_again(self, host: Programmer, command: str, *, takes_over: bool = True) -> None:
        """A person runs the same command (again)."""
        self._begin(host, host.wishes[command], takes_over=takes_over)

    def wants_stop(self, host: Programmer, *, takes_over: bool = True) -> None:
        """A person wants all delivery to halt."""
        self._begin(host, stop, takes_over=takes_over)

    def wants_start(self, host: Programmer, *, takes_over: bool = True) -> None:
        """A person wants the infusion to go on."""
        self._begin(host, start, takes_over=takes_over)

    def wants_cancel(self, host: Programmer, *, takes_over: bool = True) -> None:
        """A person wants the running bolus to end."""
        self._begin(host, cancel, takes_over=takes_over)

    def wants_to_know(self, host: Programmer, role: Role) -> None:
        """A person asks what became of what was begun; as a reader he ends no session by it."""
        self._begin(host, what_became, role=role, takes_over=False)

    # What fate does

    def let_time_pass(self, duration_us: int) -> None:
        """Time passes for everybody."""
        self.now_us += duration_us
        self.device.advance(self.now_us)
        self.observer.observe()
        for host in self.hosts:
            if host.end is not None:
                host.end.advance(self.now_us)

    def kill(self, host: Programmer, *, frame_arrives: bool, line_closes: bool = True) -> None:
        """The host's process dies; a frame that it had written may still reach the pump.

        `line_closes` False: the pump does not notice, and its end of the line stays open.
        """
        if host.end is not None and host.line_open and host.waiting:
            data = host.end.data_to_send()
            if data:
                self.observer.leaves_host(data)
                if frame_arrives:
                    self._arrive(host.port, data)
        if line_closes:
            self._hang_up(host)
        host.line_open = False
        host.end_process()

    def break_line(self, host: Programmer) -> None:
        """The wand is taken away; the host lives, and notices."""
        self._hang_up(host)

    def deliver_belated(self, host: Programmer, index: int) -> None:
        """A frame that was held back, or a copy of one, reaches the pump after all, on the line that it was sent on."""
        belated = [(port, data) for port in host.ports for data in self._belated.get(port, [])]
        if belated:
            port, data = belated[index % len(belated)]
            # Its answer comes when nobody waits for it any more, or in place of another.
            answer = self._arrive(port, data)
            if host.end is not None and (port, host.line_open) == (host.port, True):
                host.end.receive(answer, self.now_us)

    def deliver_belated_answer(self, host: Programmer, index: int) -> None:
        """An answer that was held back, or a copy of one, reaches the host after all, whatever it now waits for."""
        belated = self._belated_answers.get(host.port)
        if belated and host.end is not None and host.line_open:
            host.end.receive(belated[index % len(belated)], self.now_us)

    def arm_power_cut(self, at_write: int, mode: CutMode, torn_bytes: int) -> None:
        """Power will go at a write of the pump's memory."""
        self.device.control(CutPower(at_write, mode, torn_bytes), self.now_us)

    def restore_power(self) -> None:
        """Power is there (again)."""
        self.device.control(RestorePower(), self.now_us)
        self.observer.observe()

    # How the hosts run

    def turn(self, host: Programmer, request: Fate, answer: Fate) -> None:
        """One thing that a host does: it goes on to its next frame, and that frame and its answer meet their fates."""
        if host.process is None:
            return
        if not host.waiting:
            self._go_on(host)
            return
        assert host.end is not None
        data = host.end.data_to_send()
        if data and host.line_open:
            self._carry(host, data, request, answer)
        if self._take_reply(host):
            return
        deadline_us = host.end.next_deadline()
        assert deadline_us is not None, "a host that waits has a time-out"
        self.let_time_pass(max(0, deadline_us - self.now_us))
        self._take_reply(host)

    def run_to_end(self, host: Programmer) -> None:
        """Nothing more is lost: the host must come to an end."""
        self.run_to(host)
        assert host.process is None, "a host is stuck on a line that loses nothing"

    def run_to(self, host: Programmer, *requests: type) -> None:
        """Nothing is lost until the host is about to send one of these requests, or has come to its end."""
        for _ in range(MOST_TURNS):
            if host.process is None or (host.waiting and isinstance(host.asked, requests)):
                return
            self.turn(host, Fate.ARRIVES, Fate.ARRIVES)

    # What is true in the end

    def settle(self) -> None:
        """Heal the world; then every host must learn what became of every intention, and it must be the truth."""
        self.observer.check()
        self.restore_power()
        self.device.pump.disarm_power_cut()
        for host in self.hosts:
            host.dies_at_keep = 0
            self.kill(host, frame_arrives=True)
            self._close_lines(host)
        self.restore_power()
        for host in self.hosts:
            self._settle_host(host)
        self.let_time_pass(2 * BOLUS_DURATION_S * 1_000_000)
        self.observer.check()
        self.observer.check_told()

    def _settle_host(self, host: Programmer) -> None:
        told, given = self.observer.told, self.observer.given
        for command in host.wishes:
            if isinstance(told.get(command), Taken | Unknown):
                continue
            self.asks_again(host, command)
            self.run_to_end(host)
            assert command in told or not given[command], f"{command} was begun, and nobody was told"
        for want in (self.wants_start, self.wants_start, self.wants_stop):
            want(host)
            self.run_to_end(host)
        unfinished = [each.command for each in host.disk.unfinished if each.stage == "open"]
        assert not unfinished, f"the host cannot say what became of {unfinished}"
        self._close_lines(host)

    def _new_wish(self) -> int:
        self._wishes += 1
        return self._wishes

    def _wish(self, host: Programmer, name: str, command: Command, takes_over: bool) -> None:
        if host.process is None:
            host.wishes[name] = command
            self._begin(host, command, takes_over=takes_over)

    def _begin(
        self, host: Programmer, command: Command, *, role: Role = Role.CLINICIAN, takes_over: bool = False
    ) -> None:
        if host.process is not None:
            return
        if host.line_open:
            self._hang_up(host)
        host.processes += 1
        self._forget_line(host.port)
        self.device.line(LineChange.OPENED, self.now_us, host.port)
        self._lines.add(host.port)
        host.line_open = True
        host.begin(command, role, self.now_us % 256, takes_over=takes_over)
        self.observer.observe()

    def _hang_up(self, host: Programmer) -> None:
        """The host's line ends, and the pump notices."""
        if host.line_open:
            self._close(host.port)
        host.line_open = False

    def _close_lines(self, host: Programmer) -> None:
        """The pump notices of every line of a host that nobody is there any more."""
        for port in host.ports:
            self._close(port)
        host.line_open = False

    def _close(self, port: int) -> None:
        if port in self._lines:
            self.device.line(LineChange.CLOSED, self.now_us, port)
            self.observer.observe()
            self._forget_line(port)

    def _forget_line(self, port: int) -> None:
        """What is under way on a line goes with it."""
        self._lines.discard(port)
        self._belated.pop(port, None)
        self._belated_answers.pop(port, None)

    def _go_on(self, host: Programmer) -> None:
        """Let the process work until it asks something, waits for its turn, or ends."""
        try:
            while host.process is not None and not host.waiting:
                step = self._next_step(host)
                self._do(host, step)
                if isinstance(step, Wait):
                    return
        except HostDied:
            self.kill(host, frame_arrives=True)

    def _next_step(self, host: Programmer) -> Step | None:
        assert host.process is not None
        result, host.to_send = host.to_send, None
        try:
            return host.process.send(result)
        except StopIteration as end:
            self._report(host, end.value)
        except (NoPump, PumpRefused, NothingToCancel, StageGone):
            host.process = None
        return None

    def _do(self, host: Programmer, step: Step | None) -> None:
        match step:
            case Ask() | Open() if not host.line_open:
                host.to_send = LineLost("the line broke")
            case Ask(message):
                host.ask(message, self.now_us)
            case Open(wanted):
                host.open(wanted, self.now_us)
            case Keep(book):
                self._keep(host, book)
            case Pause(duration_us):
                self.let_time_pass(duration_us)
            case Wait():
                self.let_time_pass(WAIT_US)

    def _keep(self, host: Programmer, book: Book) -> None:
        host.dies_at_keep -= 1
        dies = host.dies_at_keep == 0
        if not dies or host.dies_after_keep:
            host.disk = book
            self._note_told(book)
        if dies:
            raise HostDied

    def _note_told(self, book: Book) -> None:
        """An intention is closed in the book once the person has been told what became of it."""
        for intention in book.intentions:
            if intention.stage == "closed" and intention.outcome:
                self.observer.tell(intention, from_booked(intention.outcome))

    def _report(self, host: Programmer, report: Report | None) -> None:
        """The person reads the outcome, and the host closes its intention."""
        host.process = None
        if report is None:
            return
        if not (isinstance(report.outcome, Unknown) and not report.outcome.final):
            self.observer.tell(report.intention, report.outcome)
        closing: Procedure[None] = close(host.keeper, report)
        for effect in closing:
            assert isinstance(effect, Keep)
            self._keep(host, effect.book)

    def _carry(self, host: Programmer, data: bytes, request: Fate, answer: Fate) -> None:
        self.observer.leaves_host(data)
        if request in (Fate.HELD_BACK, Fate.COPIED):
            self._belated.setdefault(host.port, []).append(data)
        for _ in range(_TIMES[request]):
            answers = self._arrive(host.port, data)
            if answers and answer in (Fate.HELD_BACK, Fate.COPIED):
                self._belated_answers.setdefault(host.port, []).append(answers)
            assert host.end is not None
            host.end.receive(answers * _TIMES[answer], self.now_us)

    def _arrive(self, port: int, data: bytes) -> bytes:
        """A frame reaches the pump; what it answers."""
        self.observer.arrives(data)
        self.device.receive(data, self.now_us, port)
        self.observer.observe()
        return self.device.data_to_send(self.now_us, port=port)

    def _take_reply(self, host: Programmer) -> bool:
        assert host.end is not None
        reply = host.end.next_event() if host.line_open else LineLost("the line broke")
        if reply is not None:
            host.to_send, host.waiting = reply, False
        return reply is not None
