"""A world in which two hosts watch a pump by the rules, and all that can keep its news from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from emulator.device import Device
from emulator.inputs import ClearFaults, CutPower, LineChange, RestorePower
from emulator.vpump_wire import VpumpWire
from firmware_model.firmware.codes import Role as ModelRole
from firmware_model.pump import Pump
from protocol.host_end import SessionReady
from protocol.messages.alarm import AlarmAckRequest
from protocol.messages.codes import Role
from protocol.messages.deliver import StartRequest, StopRequest
from tests.device.desk import SECOND, SERIAL, Desk, arm, execute, happened, prepare
from tests.device.watching import SimpleFlags, Watcher
from tests.firmware_model.pump_profiles import LONG_LOG

READER, PATIENT, CLINICIAN = 0, 1, 2
STEP_US = 20 * SECOND
DROPS = ("event EVENT", "answer any", "answer LOG_READ", "answer RESET_FLAGS", "request RESET_FLAGS", "request any")

_watcher = st.sampled_from([READER, PATIENT])
History = list[tuple[Any, ...]]
HISTORIES = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([1, 15, 40, 120, 300])),
        st.tuples(st.just("wait"), st.sampled_from([15, 40])),
        st.tuples(st.just("therapy"), st.sampled_from(["stop", "start", "bolus", "acknowledge"])),
        st.tuples(st.just("drop"), st.sampled_from(DROPS), st.integers(1, 8)),
        st.tuples(st.just("held"), _watcher),
        st.tuples(st.just("flowing"), _watcher),
        st.tuples(st.just("power"), st.integers(0, 40)),
        st.tuples(st.just("line"), _watcher),
        st.tuples(st.just("sleep"), _watcher),
        st.tuples(st.just("wake"), _watcher),
    ),
    min_size=8,
    max_size=25,
)


@dataclass
class World:
    """A pump whose reservoir runs low, two who watch it on lines of their own, and a clinician who changes things."""

    device: Device = field(
        default_factory=lambda: Device(Pump(LONG_LOG, SERIAL), VpumpWire(LONG_LOG, SERIAL, insecure=False))
    )
    op_id: int = 0

    def __post_init__(self) -> None:
        roles = {READER: Role.READER, PATIENT: Role.PATIENT, CLINICIAN: Role.CLINICIAN}
        self.flags = SimpleFlags(roles)
        self.awake = {READER, PATIENT}
        self.watchers = [Watcher(Desk(self.device, port), roles[port]) for port in (READER, PATIENT)]
        self.clinician = Desk(self.device, CLINICIAN)
        for watcher in self.watchers:
            assert watcher.begin()
        self.check()

    def act(self, act: tuple[object, ...]) -> None:
        match act:
            case ("wait", int(seconds)):
                self.pass_time(seconds)
            case ("therapy", str(what)):
                self.change_therapy(what)
            case ("drop", str(which), int(count)):
                arm(self.device, f"drop {which} count={count}")
            case ("held" | "flowing" as change, int(port)):
                self.device.line(LineChange(change), self.device.now_us, port)
            case ("power", int(seconds)):
                self.device.control(CutPower(), self.device.now_us)
                self.pass_time(seconds)
                self.device.control(RestorePower(), self.device.now_us)
            case ("line", int(port)):
                self.watchers[port].begin()
            case ("sleep", int(port)):
                self.awake.discard(port)
            case ("wake", int(port)):
                self.awake.add(port)
        self.look()

    def look(self) -> None:
        """Who is awake looks at what has come."""
        self.check()
        for port in sorted(self.awake):
            self.watchers[port].look()
            self.check()

    def pass_time(self, seconds: int) -> None:
        """In steps, so that an observer looks in between."""
        until_us = self.device.now_us + seconds * SECOND
        while self.device.now_us < until_us:
            self.device.advance(min(until_us, self.device.now_us + STEP_US))
            self.look()

    def change_therapy(self, what: str) -> None:
        """The clinician comes, does it, and goes; whether it succeeds is not the question."""
        desk = self.clinician
        desk.open()
        if not isinstance(desk.try_session(), SessionReady):
            return
        self.op_id += 1
        revision = self.device.pump.firmware.record.therapy_rev
        match what:
            case "stop":
                desk.exchange(StopRequest(op_id=self.op_id, therapy_rev=0))
            case "start":
                desk.exchange(StartRequest(op_id=self.op_id, therapy_rev=revision))
            case "bolus":
                lease = desk.exchange(prepare(20_000, 60))
                if hasattr(lease, "message"):
                    desk.exchange(execute(lease.message, self.op_id, revision))
            case "acknowledge":
                desk.exchange(AlarmAckRequest(instance=1))
        desk.close()

    def check(self) -> None:
        """At every instant the pump's flags are those that a simple mind works out of all that was seen."""
        self.flags.see(happened(self.device))
        if self.device.has_power:
            kept = self.device.pump.firmware.changed
            assert {role: int(kept.of_role(ModelRole[role.name])) for role in Role} == {
                role: int(self.flags.of(role)) for role in Role
            }

    def settle(self) -> None:
        """Nothing more is lost; everybody has his line, his session and a period's time."""
        self.device.control(ClearFaults(), self.device.now_us)
        self.device.control(RestorePower(), self.device.now_us)
        self.awake = {READER, PATIENT}
        self.look()
        for watcher in self.watchers:
            assert watcher.begin()
        self.look()
        self.pass_time(11)

    def verify(self) -> None:
        """Everybody has read of everything, and his flags say so."""
        logged = [sequence for sequence, _ in self.flags.logged]
        for watcher in self.watchers:
            assert sorted(set(watcher.read)) == logged
            assert watcher.shown[-1].log_last == logged[-1]
            assert watcher.shown[-1].changed == self.flags.of(watcher.role) == 0


def watched_world(history: History) -> World:
    """A world that has lived through a history, and come to rest."""
    world = World()
    for act in history:
        world.act(act)
    world.settle()
    world.verify()
    return world
