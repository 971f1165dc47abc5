"""Nothing twice for one intention, nothing that a rule-keeping host cannot discover, no host stuck, no STOP refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.assembly import shipped_text
from emulator.programmer.outcomes import NotTaken, Taken, Why
from firmware_model.memory import CutMode
from firmware_model.profile_text import parse_profile
from protocol.host_session import SessionWanted
from protocol.messages.codes import Role
from protocol.messages.deliver import BolusExecuteRequest
from protocol.messages.link import HelloRequest
from protocol.messages.op import OpListRequest
from protocol.messages.program import ProgramBeginRequest, ProgramCommitRequest, StageReadRequest
from tests.one_dose.programmer import Programmer
from tests.one_dose.world import BOLUS_DURATION_S, Fate, World

SMALL_LEDGER = """
extends = "reference-20"
[memory]
ledger_entries_per_role = { value = 3, chosen = "so small that it wraps within a test" }
[bolus]
duration_min_s = { value = 20, chosen = "short, so that boluses end within a test" }
"""

PROFILE = parse_profile("small-ledger", SMALL_LEDGER, shipped_text)
WHICH = st.integers(0, 1)
FATES = st.sampled_from([Fate.ARRIVES] * 3 + list(Fate))
COMMANDS = (BolusExecuteRequest, ProgramCommitRequest)
SECOND = 1_000_000
THINKING = st.integers(0, 250 * SECOND)

Wish = Callable[[World, Programmer], None]


class OneDose(RuleBasedStateMachine):
    """Everything that can go wrong between two programmers and a pump, in any order."""

    secured = False

    @initialize()
    def begin(self) -> None:
        self.world = World(PROFILE, secured=self.secured)

    def host(self, which: int) -> Programmer:
        return self.world.hosts[which]

    def at_command(self, which: int, program: bool) -> Programmer:
        """The host, about to send its command: if it has none in hand, its person wants something."""
        host = self.host(which)
        self.world.restore_power()
        if host.process is None:
            (self.world.wants_program if program else self.world.wants_bolus)(host)
        self.world.run_to(host, *COMMANDS)
        return host

    @rule(which=WHICH, program=st.booleans(), takes_over=st.booleans())
    def wants(self, which: int, program: bool, takes_over: bool) -> None:
        (self.world.wants_program if program else self.world.wants_bolus)(self.host(which), takes_over=takes_over)

    @rule(which=WHICH, switch=st.sampled_from([World.wants_start, World.wants_stop, World.wants_cancel]))
    def wants_a_switch(self, which: int, switch: Wish) -> None:
        switch(self.world, self.host(which))

    @rule(which=WHICH, back=st.integers(0, 2))
    def asks_again(self, which: int, back: int) -> None:
        """The person repeats an earlier wish of his, having been told that it was not taken, or nothing."""
        host, told = self.host(which), self.world.observer.told
        again = [command for command in host.wishes if isinstance(told.get(command), NotTaken | None)]
        if again:
            self.world.asks_again(host, again[-1 - back % len(again)])

    @rule(which=WHICH, role=st.sampled_from([Role.READER, Role.CLINICIAN]))
    def wants_to_know(self, which: int, role: Role) -> None:
        self.world.wants_to_know(self.host(which), role)

    @rule(which=WHICH, fates=st.lists(st.tuples(FATES, FATES), min_size=1, max_size=12))
    def turns(self, which: int, fates: list[tuple[Fate, Fate]]) -> None:
        for request, answer in fates:
            self.world.turn(self.host(which), request, answer)

    @rule(which=WHICH, program=st.booleans(), request=FATES, answer=FATES, times=st.integers(1, 8))
    def storm_over_the_command(self, which: int, program: bool, request: Fate, answer: Fate, times: int) -> None:
        host = self.at_command(which, program)
        for _ in range(times):
            self.world.turn(host, request, answer)

    @rule(which=WHICH, program=st.booleans(), times=st.integers(1, 6), order=st.permutations(range(6)))
    def command_comes_late(self, which: int, program: bool, times: int, order: list[int]) -> None:
        """Copies of a command are held back until the host has made up its mind; then they arrive, in any order."""
        host = self.at_command(which, program)
        for _ in range(times):
            self.world.turn(host, Fate.HELD_BACK, Fate.ARRIVES)
        if self.world.device.has_power:
            self.world.run_to_end(host)
        for index in order[:times]:
            self.world.deliver_belated(host, index)

    @rule(
        which=WHICH, program=st.booleans(), times=st.integers(1, 4), role=st.sampled_from([Role.READER, Role.CLINICIAN])
    )
    def command_outlives_its_process(self, which: int, program: bool, times: int, role: Role) -> None:
        """A process dies with its command under way on a line that stays open; the next one asks, on another line."""
        host = self.at_command(which, program)
        for _ in range(times):
            self.world.turn(host, Fate.HELD_BACK, Fate.ARRIVES)
        self.world.kill(host, frame_arrives=False, line_closes=False)
        self.world.wants_to_know(host, role)
        if self.world.device.has_power:
            self.world.run_to_end(host)
        for index in range(times):
            self.world.deliver_belated(host, index)

    @rule(which=WHICH, program=st.booleans(), others=st.booleans(), request=FATES, answer=FATES)
    def the_other_takes_the_place_at_the_command(
        self, which: int, program: bool, others: bool, request: Fate, answer: Fate
    ) -> None:
        """Between a command and its retry the other host begins, and this one's session is gone."""
        host, other = self.at_command(which, program), self.host(1 - which)
        self.world.turn(host, request, answer)
        self.world.kill(other, frame_arrives=False)
        (self.world.wants_program if others else self.world.wants_bolus)(other)
        self.world.run_to(other, OpListRequest)
        if self.world.device.has_power:
            self.world.run_to_end(host)

    @rule(which=WHICH, at=st.sampled_from([ProgramBeginRequest, StageReadRequest, *COMMANDS]), think_us=THINKING)
    def a_person_thinks(self, which: int, at: type, think_us: int) -> None:
        """Time passes before, between and behind what a person is shown and his yes: a bolus ends, or a session."""
        host = self.host(which)
        self.world.run_to(host, at)
        self.world.let_time_pass(think_us)

    @rule(which=WHICH, at=st.sampled_from([ProgramBeginRequest, StageReadRequest, ProgramCommitRequest]))
    def a_bolus_ends_while_a_program_is_made(self, which: int, at: type) -> None:
        host = self.at_command(which, program=False)
        self.world.run_to_end(host)
        self.world.wants_program(host)
        self.world.run_to(host, at)
        self.world.let_time_pass(BOLUS_DURATION_S * SECOND)
        self.world.run_to_end(host)

    @rule(which=WHICH, program=st.booleans(), arrives=st.booleans(), line_closes=st.booleans())
    def host_dies_at_the_command(self, which: int, program: bool, arrives: bool, line_closes: bool) -> None:
        host = self.at_command(which, program)
        self.world.kill(host, frame_arrives=arrives, line_closes=line_closes)

    @rule(
        which=WHICH,
        program=st.booleans(),
        at_write=st.integers(1, 40),
        mode=st.sampled_from(CutMode),
        torn=st.integers(1, 7),
    )
    def power_goes_at_the_command(self, which: int, program: bool, at_write: int, mode: CutMode, torn: int) -> None:
        host = self.at_command(which, program)
        self.world.arm_power_cut(at_write, mode, torn)
        self.world.turn(host, Fate.ARRIVES, Fate.ARRIVES)

    @rule(which=WHICH, program=st.booleans(), request=FATES, times=st.integers(2, 12), behind=st.integers(1, 3))
    def every_answer_comes_late(self, which: int, program: bool, request: Fate, times: int, behind: int) -> None:
        """From the command on, each answer arrives while the host already waits for that to a later frame."""
        host = self.at_command(which, program)
        for turn in range(times):
            self.world.turn(host, request, Fate.HELD_BACK)
            if turn >= behind:
                self.world.deliver_belated_answer(host, turn - behind)

    @rule(which=WHICH)
    def runs_to_end(self, which: int) -> None:
        if self.world.device.has_power:
            self.world.run_to_end(self.host(which))

    @rule(which=WHICH, index=st.integers(0, 20))
    def belated(self, which: int, index: int) -> None:
        self.world.deliver_belated(self.host(which), index)

    @rule(which=WHICH, index=st.integers(0, 20))
    def belated_answer(self, which: int, index: int) -> None:
        self.world.deliver_belated_answer(self.host(which), index)

    @rule(which=WHICH, frame_arrives=st.booleans(), line_closes=st.booleans())
    def host_dies(self, which: int, frame_arrives: bool, line_closes: bool) -> None:
        self.world.kill(self.host(which), frame_arrives=frame_arrives, line_closes=line_closes)

    @rule(which=WHICH, keep=st.integers(1, 4), after=st.booleans())
    def host_will_die_at_its_disk(self, which: int, keep: int, after: bool) -> None:
        host = self.host(which)
        host.dies_at_keep, host.dies_after_keep = keep, after

    @rule(which=WHICH)
    def line_breaks(self, which: int) -> None:
        self.world.break_line(self.host(which))

    @rule(at_write=st.integers(1, 30), mode=st.sampled_from(CutMode), torn=st.integers(1, 7))
    def power_will_go(self, at_write: int, mode: CutMode, torn: int) -> None:
        self.world.arm_power_cut(at_write, mode, torn)

    @precondition(lambda self: not self.world.device.has_power)
    @rule()
    def power_returns(self) -> None:
        self.world.restore_power()

    @rule(duration_us=st.one_of(st.integers(0, 5_000_000), st.integers(0, 400_000_000)))
    def time_passes(self, duration_us: int) -> None:
        self.world.let_time_pass(duration_us)

    @invariant()
    def never_twice(self) -> None:
        if hasattr(self, "world"):
            self.world.observer.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


class OneDoseSecured(OneDose):
    """The same with keys: sessions, host ids, one clinician's place."""

    secured = True


SEARCH = settings(
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestInsecure: Any = OneDose.TestCase
TestInsecure.settings = settings(SEARCH, max_examples=15)
TestSecured: Any = OneDoseSecured.TestCase
TestSecured.settings = settings(SEARCH, max_examples=25)


@pytest.fixture(params=[False, True], ids=["insecure", "secured"])
def world(request: pytest.FixtureRequest) -> World:
    return World(PROFILE, secured=request.param)


def test_a_bolus_and_a_program_on_a_good_line_are_given_once(world: World) -> None:
    world.wants_bolus(world.hosts[0])
    world.run_to_end(world.hosts[0])
    world.let_time_pass(2 * BOLUS_DURATION_S * SECOND)
    world.wants_program(world.hosts[1])
    world.run_to_end(world.hosts[1])
    world.settle()
    assert list(world.observer.given.values()) == [1, 1]


@pytest.mark.parametrize("wish", [World.wants_bolus, World.wants_program])
def test_the_answer_is_lost_four_times_and_the_ledger_knows(world: World, wish: Wish) -> None:
    host = world.hosts[0]
    wish(world, host)
    world.run_to(host, *COMMANDS)
    for _ in range(4):
        world.turn(host, Fate.ARRIVES, Fate.LOST)
    world.run_to_end(host)
    assert all(isinstance(told, Taken) for told in world.observer.told.values())
    world.settle()
    assert list(world.observer.given.values()) == [1]


@pytest.mark.parametrize("wish", [World.wants_bolus, World.wants_program])
def test_a_belated_copy_after_not_seen_moves_nothing(world: World, wish: Wish) -> None:
    """Every copy of a command is held back; the host learns NOT_SEEN and ends; then the copies arrive."""
    host = world.hosts[0]
    wish(world, host)
    world.run_to(host, *COMMANDS)
    for _ in range(4):
        world.turn(host, Fate.HELD_BACK, Fate.ARRIVES)
    world.run_to_end(host)
    assert [told.why for told in world.observer.told.values() if isinstance(told, NotTaken)] == [Why.NOT_SEEN]
    for index in range(4):
        world.deliver_belated(host, index)
    assert not world.observer.given
    world.settle()


@pytest.mark.parametrize("role", [Role.READER, Role.CLINICIAN])
def test_a_command_under_way_on_a_dead_hosts_line_is_called_open_or_is_dead(role: Role) -> None:
    world = World(PROFILE, secured=True)
    host = world.hosts[0]
    world.wants_bolus(host)
    world.run_to(host, BolusExecuteRequest)
    world.turn(host, Fate.HELD_BACK, Fate.ARRIVES)
    world.kill(host, frame_arrives=False, line_closes=False)
    world.wants_to_know(host, role)
    world.run_to_end(host)
    assert bool(world.observer.told) == (role is Role.CLINICIAN)
    world.deliver_belated(host, 0)
    assert bool(world.observer.given) == (role is Role.READER)
    world.settle()


def test_another_host_waits_for_the_place_until_a_person_tells_it_to_take_it() -> None:
    world = World(PROFILE, secured=True)
    first, second = world.hosts
    world.wants_bolus(first)
    world.run_to(first, BolusExecuteRequest)
    world.wants_program(second, takes_over=False)
    for _ in range(20):
        world.turn(second, Fate.ARRIVES, Fate.ARRIVES)
    assert isinstance(second.asked, SessionWanted | HelloRequest)
    world.kill(second, frame_arrives=False)
    world.wants_program(second, takes_over=True)
    world.run_to_end(second)
    assert sum(world.observer.given.values()) == 1
    world.settle()


@pytest.mark.parametrize("wish", [World.wants_bolus, World.wants_program])
def test_power_goes_at_any_write_of_a_command(wish: Wish) -> None:
    """Whatever write it is, in one mode or another: given once or not at all, and the host knows."""
    outcomes: set[int] = set()
    for at_write in count(1):
        world = World(PROFILE, secured=True)
        host = world.hosts[0]
        for before in (world.wants_stop, world.wants_start):
            # Of a record that is written for the second time, only what differs is.
            before(host)
            world.run_to_end(host)
        wish(world, host)
        world.run_to(host, *COMMANDS)
        world.arm_power_cut(at_write, list(CutMode)[at_write % len(CutMode)], 3)
        world.turn(host, Fate.ARRIVES, Fate.ARRIVES)
        finished = world.device.has_power
        world.settle()
        outcomes.add(sum(world.observer.given.values()))
        if finished:
            break
    assert at_write > 10
    assert outcomes <= {0, 1}
