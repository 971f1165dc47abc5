"""A world of one pump, two programmers, and a line on which anything can happen, short of telling lies.

The pump is the real device, the programmers run the real rules with a durable book each. Every frame has a fate; a host
can die at any write of its book; power can go at any write of the pump's memory. Each bolus that a person wants has a
volume of its own, so the pump's log tells how often each intention was given.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from emulator.device import Device
from emulator.events import FrameSeen, Logged
from emulator.inputs import CutPower, LineChange, RestorePower
from emulator.programmer.book import Book
from emulator.programmer.effects import Ask, Keep, LineLost, NoPump, Pause, Procedure, PumpRefused, Tell
from emulator.programmer.ledger import Host
from emulator.programmer.outcomes import Outcome, Taken, Unknown, from_booked
from emulator.programmer.rules import BolusOrder, NothingToCancel, Report, cancel, close, deliver_bolus, start, stop
from emulator.vpump_wire import VpumpWire
from firmware_model.memory import CutMode
from firmware_model.profile import Profile
from firmware_model.pump import Pump
from protocol.host_end import Answered, HostEnd, NoAnswer, Refused
from protocol.messages.codes import BolusKind, OpState
from protocol.messages.deliver import BolusExecuteRequest

SERIAL_NUMBER = 0x00C0FFEE
TIMEOUT_US = 600_000
BOLUS_DURATION_S = 120
FIRST_VOLUME_NL = 10_000
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


class HostDied(Exception):
    """The host's process ended at a write of its book."""


@dataclass
class Programmer:
    """One host: its port, what is on its disk, and, while it lives, its procedure and its end of the line."""

    port: int
    disk: Book = field(default_factory=lambda: Book(serial_number=SERIAL_NUMBER))
    procedure: Procedure[Report] | None = None
    host: Host | None = None
    end: HostEnd | None = None
    line_open: bool = False
    wishes: list[int] = field(default_factory=list)
    waiting: bool = False
    to_send: Any = None
    asked: object = None
    dies_at_keep: int = 0
    dies_after_keep: bool = False
    belated: list[bytes] = field(default_factory=list)
    belated_answers: list[bytes] = field(default_factory=list)


class World:
    """The pump, both hosts, and the books of the outside observer who knows what truly happened."""

    def __init__(self, profile: Profile) -> None:
        pump = Pump(profile, SERIAL_NUMBER)
        self.device = Device(pump, VpumpWire(profile, SERIAL_NUMBER, insecure=True))
        self.now_us = 0
        self.hosts = (Programmer(port=0), Programmer(port=1))
        self.step_nl = profile.motor.step_volume_nl
        self.given: Counter[int] = Counter()
        self.ended_nl: dict[int, tuple[int, int]] = {}
        self.told: dict[int, Outcome] = {}
        self.next_volume_nl = FIRST_VOLUME_NL
        self._volume_of_bolus: dict[int, int] = {}
        self._observe()

    # What a person does

    def wants_bolus(self, host: Programmer) -> None:
        """A person wants a new bolus; nobody has wanted this volume before."""
        if host.procedure is None:
            self.next_volume_nl += self.step_nl
            host.wishes.append(self.next_volume_nl)
            self.asks_again(host, self.next_volume_nl)

    def asks_again(self, host: Programmer, volume_nl: int) -> None:
        """A person runs the same command (again)."""
        order = BolusOrder(BolusKind.SINGLE, volume_nl, BOLUS_DURATION_S)
        self._begin(host, lambda keeper: deliver_bolus(keeper, order))

    def wants_stop(self, host: Programmer) -> None:
        """A person wants all delivery to halt."""
        self._begin(host, stop)

    def wants_start(self, host: Programmer) -> None:
        """A person wants the infusion to go on."""
        self._begin(host, start)

    def wants_cancel(self, host: Programmer) -> None:
        """A person wants the running bolus to end."""
        self._begin(host, cancel)

    # What fate does

    def let_time_pass(self, duration_us: int) -> None:
        """Time passes for everybody."""
        self._go_to(self.now_us + duration_us)
        for host in self.hosts:
            if host.end is not None:
                host.end.advance(self.now_us)

    def kill(self, host: Programmer, *, frame_arrives: bool) -> None:
        """The host's process dies; a frame that it had written may still reach the pump before the line goes down."""
        if host.end is not None and host.line_open and host.waiting:
            data = host.end.data_to_send()
            if data and frame_arrives:
                self.device.receive(data, self.now_us, host.port)
        self._hang_up(host)
        host.procedure = host.host = host.end = None
        host.waiting = False

    def break_line(self, host: Programmer) -> None:
        """The wand is taken away; the host lives, and notices."""
        self._hang_up(host)

    def deliver_belated(self, host: Programmer, index: int) -> None:
        """A frame that was held back, or a copy of one, reaches the pump after all."""
        if host.belated and host.line_open:
            self.device.receive(host.belated[index % len(host.belated)], self.now_us, host.port)
            # Its answer comes when nobody waits for it any more, or in place of another.
            answer = self._take_answers(host)
            if host.end is not None:
                host.end.receive(answer, self.now_us)

    def deliver_belated_answer(self, host: Programmer, index: int) -> None:
        """An answer that was held back, or a copy of one, reaches the host after all, whatever it now waits for."""
        if host.belated_answers and host.line_open and host.end is not None:
            host.end.receive(host.belated_answers[index % len(host.belated_answers)], self.now_us)

    def arm_power_cut(self, at_write: int, mode: CutMode, torn_bytes: int) -> None:
        """Power will go at a write of the pump's memory."""
        self.device.control(CutPower(at_write, mode, torn_bytes), self.now_us)

    def restore_power(self) -> None:
        """Power is there (again)."""
        self.device.control(RestorePower(), self.now_us)
        self._observe()

    # How the hosts run

    def turn(self, host: Programmer, request: Fate, answer: Fate) -> None:
        """One thing that a host does: it goes on to its next frame, and that frame and its answer meet their fates."""
        if host.procedure is None:
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
        for _ in range(MOST_TURNS):
            if host.procedure is None:
                return
            self.turn(host, Fate.ARRIVES, Fate.ARRIVES)
        raise AssertionError("a host is stuck on a line that loses nothing")

    def run_to_execute(self, host: Programmer) -> None:
        """Nothing is lost until the host is about to send an EXECUTE."""
        for _ in range(MOST_TURNS):
            if host.procedure is None or (host.waiting and isinstance(host.asked, BolusExecuteRequest)):
                return
            self.turn(host, Fate.ARRIVES, Fate.ARRIVES)

    # What the observer checks

    def check(self) -> None:
        """No intention was ever given twice."""
        twice = {volume: count for volume, count in self.given.items() if count > 1}
        assert not twice, f"given more than once (nl: times): {twice}"

    def settle(self) -> None:
        """Heal the world; then every host must learn what became of every intention, and it must be the truth."""
        self.device.control(RestorePower(), self.now_us)
        self.device.pump.disarm_power_cut()
        for host in self.hosts:
            host.dies_at_keep = 0
            self.kill(host, frame_arrives=True)
        self.restore_power()
        for host in self.hosts:
            self._settle_host(host)
        self.let_time_pass(2 * BOLUS_DURATION_S * 1_000_000)
        self.check()
        for volume_nl, count in self.given.items():
            told = self.told.get(volume_nl)
            assert isinstance(told, Taken), f"{volume_nl} nl was begun {count} times, and its host believes {told}"
            if told.state in (OpState.DONE, OpState.PARTIAL) and volume_nl in self.ended_nl:
                assert (told.min_nl, told.max_nl) == self.ended_nl[volume_nl]
        for volume_nl, told in self.told.items():
            if isinstance(told, Taken):
                assert self.given[volume_nl] == 1, f"its host believes that {volume_nl} nl was given, and it was not"

    def _settle_host(self, host: Programmer) -> None:
        for volume_nl in host.wishes:
            if isinstance(self.told.get(volume_nl), Taken | Unknown):
                continue
            self.asks_again(host, volume_nl)
            self.run_to_end(host)
            told = self.told.get(volume_nl)
            assert told is not None or not self.given[volume_nl], f"{volume_nl} nl was begun, and nobody was told"
        for want in (self.wants_start, self.wants_start, self.wants_stop):
            want(host)
            self.run_to_end(host)
        unfinished = [each.command for each in host.disk.unfinished if each.stage == "open"]
        assert not unfinished, f"the host cannot say what became of {unfinished}"

    def _begin(self, host: Programmer, make: Any) -> None:
        if host.procedure is not None:
            return
        self._open_line(host)
        host.host = Host(host.disk)
        host.procedure = make(host.host)
        host.to_send = None
        host.waiting = False

    def _open_line(self, host: Programmer) -> None:
        self._hang_up(host)
        self.device.line(LineChange.OPENED, self.now_us, host.port)
        host.line_open = True
        host.end = HostEnd(address=SERIAL_NUMBER, first_txn=self.now_us % 256, timeout_us=TIMEOUT_US)
        self._observe()

    def _hang_up(self, host: Programmer) -> None:
        if host.line_open:
            self.device.line(LineChange.CLOSED, self.now_us, host.port)
        host.line_open = False
        host.belated.clear()
        host.belated_answers.clear()
        self._observe()

    def _go_on(self, host: Programmer) -> None:
        """Let the procedure work until it asks something or ends."""
        try:
            while host.procedure is not None and not host.waiting:
                self._do_effect(host, self._next_effect(host))
        except HostDied:
            self.kill(host, frame_arrives=True)

    def _next_effect(self, host: Programmer) -> Any:
        assert host.procedure is not None
        result, host.to_send = host.to_send, None
        try:
            return host.procedure.send(result)
        except StopIteration as end:
            self._report(host, end.value)
        except (NoPump, PumpRefused, NothingToCancel):
            host.procedure = None
        return None

    def _do_effect(self, host: Programmer, effect: Any) -> None:
        match effect:
            case Ask(message):
                if not host.line_open:
                    host.to_send = LineLost("the line broke")
                    return
                assert host.end is not None
                host.asked = message
                host.end.request(message, self.now_us)
                host.waiting = True
            case Keep(book):
                self._keep(host, book)
            case Pause(duration_us):
                self.let_time_pass(duration_us)
            case Tell():
                pass

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
            if intention.stage == "closed" and intention.outcome and intention.command.startswith("bolus"):
                self.told[int(intention.command.split()[2])] = from_booked(intention.outcome)

    def _report(self, host: Programmer, report: Report) -> None:
        """The person reads the outcome, and the host closes its intention."""
        host.procedure = None
        outcome = report.outcome
        if report.intention.command.startswith("bolus"):
            volume_nl = int(report.intention.command.split()[2])
            if not (isinstance(outcome, Unknown) and not outcome.final):
                self.told[volume_nl] = outcome
        assert host.host is not None
        closing: Procedure[None] = close(host.host, report)
        for effect in closing:
            assert isinstance(effect, Keep)
            self._keep(host, effect.book)

    def _carry(self, host: Programmer, data: bytes, request: Fate, answer: Fate) -> None:
        if request in (Fate.HELD_BACK, Fate.COPIED):
            host.belated.append(data)
        times = {Fate.ARRIVES: 1, Fate.COPIED: 1, Fate.DOUBLED: 2, Fate.LOST: 0, Fate.HELD_BACK: 0}[request]
        for _ in range(times):
            self.device.receive(data, self.now_us, host.port)
            answers = self._take_answers(host)
            if answers and answer in (Fate.HELD_BACK, Fate.COPIED):
                host.belated_answers.append(answers)
            copies = {Fate.ARRIVES: 1, Fate.COPIED: 1, Fate.DOUBLED: 2}.get(answer, 0)
            assert host.end is not None
            host.end.receive(answers * copies, self.now_us)

    def _take_answers(self, host: Programmer) -> bytes:
        self._observe()
        return self.device.data_to_send(self.now_us, port=host.port)

    def _take_reply(self, host: Programmer) -> bool:
        assert host.end is not None
        if not host.line_open:
            host.to_send, host.waiting = LineLost("the line broke"), False
            return True
        match host.end.next_event():
            case (Answered() | Refused() | NoAnswer()) as reply:
                host.to_send, host.waiting = reply, False
                return True
            case _:
                return False

    def _go_to(self, now_us: int) -> None:
        self.now_us = now_us
        self.device.advance(now_us)
        self._observe()

    def _observe(self) -> None:
        while (event := self.device.next_event()) is not None:
            if isinstance(event, Logged):
                self._note(event)
            if isinstance(event, FrameSeen) and (event.direction, event.name) == ("answer", "STOP"):
                words = str(event.summary)
                assert "NAK" not in words or "NO_SUCH_SESSION" in words, f"a STOP was refused: {words}"

    def _note(self, event: Logged) -> None:
        bolus_id = event.detail.get("bolus_id", 0)
        if event.type == "bolus_started":
            self._volume_of_bolus[bolus_id] = event.detail["volume_nl"]
            self.given[event.detail["volume_nl"]] += 1
        elif event.type == "bolus_ended":
            limits = (event.detail["delivered_min_nl"], event.detail["delivered_max_nl"])
            self.ended_nl[self._volume_of_bolus[bolus_id]] = limits
