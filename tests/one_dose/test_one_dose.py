"""No dose twice for one intention, none that a rule-keeping host cannot discover, no host stuck, no STOP refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.assembly import shipped_text
from emulator.programmer.outcomes import NotTaken
from firmware_model.memory import CutMode
from firmware_model.profile import parse_profile
from tests.one_dose.world import Fate, Programmer, World

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


class OneDose(RuleBasedStateMachine):
    """Everything that can go wrong between two programmers and a pump, in any order."""

    @initialize()
    def begin(self) -> None:
        self.world = World(PROFILE)

    def host(self, which: int) -> Programmer:
        return self.world.hosts[which]

    @rule(which=WHICH)
    def wants_bolus(self, which: int) -> None:
        self.world.wants_bolus(self.host(which))

    @rule(which=WHICH, back=st.integers(0, 2))
    def asks_again(self, which: int, back: int) -> None:
        """The person repeats an earlier wish of his, having been told that it was not taken, or nothing."""
        host = self.host(which)
        again = [volume for volume in host.wishes if isinstance(self.world.told.get(volume), NotTaken | None)]
        if again:
            self.world.asks_again(host, again[-1 - back % len(again)])

    @rule(which=WHICH)
    def wants_stop(self, which: int) -> None:
        self.world.wants_stop(self.host(which))

    @rule(which=WHICH)
    def wants_start(self, which: int) -> None:
        self.world.wants_start(self.host(which))

    @rule(which=WHICH)
    def wants_cancel(self, which: int) -> None:
        self.world.wants_cancel(self.host(which))

    @rule(which=WHICH, fates=st.lists(st.tuples(FATES, FATES), min_size=1, max_size=12))
    def turns(self, which: int, fates: list[tuple[Fate, Fate]]) -> None:
        for request, answer in fates:
            self.world.turn(self.host(which), request, answer)

    @rule(which=WHICH, request=FATES, answer=FATES, times=st.integers(3, 8))
    def storm(self, which: int, request: Fate, answer: Fate, times: int) -> None:
        for _ in range(times):
            self.world.turn(self.host(which), request, answer)

    @rule(which=WHICH, request=FATES, answer=FATES, times=st.integers(0, 8))
    def storm_over_execute(self, which: int, request: Fate, answer: Fate, times: int) -> None:
        self.world.run_to_execute(self.host(which))
        for _ in range(times):
            self.world.turn(self.host(which), request, answer)

    @rule(which=WHICH, times=st.integers(1, 6), order=st.permutations(range(6)))
    def execute_comes_late(self, which: int, times: int, order: list[int]) -> None:
        """Copies of EXECUTE are held back until the host has made up its mind; then they arrive, in any order."""
        host = self.host(which)
        self.world.run_to_execute(host)
        for _ in range(times):
            self.world.turn(host, Fate.HELD_BACK, Fate.ARRIVES)
        if self.world.device.has_power:
            self.world.run_to_end(host)
        for index in order[:times]:
            self.world.deliver_belated(host, index)

    @rule(which=WHICH, request=FATES, answer=FATES)
    def the_other_takes_the_place_at_execute(self, which: int, request: Fate, answer: Fate) -> None:
        """Between EXECUTE and its retry the other host opens its line, and this one's session is gone."""
        host, other = self.host(which), self.host(1 - which)
        self.world.run_to_execute(host)
        self.world.turn(host, request, answer)
        self.world.kill(other, frame_arrives=False)
        self.world.wants_bolus(other)
        if self.world.device.has_power:
            self.world.run_to_end(host)

    @rule(which=WHICH, arrives=st.booleans())
    def host_dies_at_execute(self, which: int, arrives: bool) -> None:
        self.world.run_to_execute(self.host(which))
        self.world.kill(self.host(which), frame_arrives=arrives)

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

    @rule(which=WHICH, request=FATES, times=st.integers(2, 12), behind=st.integers(1, 3))
    def every_answer_comes_late(self, which: int, request: Fate, times: int, behind: int) -> None:
        """From EXECUTE on, each answer arrives while the host already waits for that to a later frame."""
        host = self.host(which)
        self.world.run_to_execute(host)
        for turn in range(times):
            self.world.turn(host, request, Fate.HELD_BACK)
            if turn >= behind:
                self.world.deliver_belated_answer(host, turn - behind)

    @rule(which=WHICH, frame_arrives=st.booleans())
    def host_dies(self, which: int, frame_arrives: bool) -> None:
        self.world.kill(self.host(which), frame_arrives=frame_arrives)

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
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


TestOneDose: Any = OneDose.TestCase
TestOneDose.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def world() -> World:
    return World(PROFILE)


def test_a_bolus_on_a_good_line_is_given_once(world: World) -> None:
    world.wants_bolus(world.hosts[0])
    world.run_to_end(world.hosts[0])
    world.settle()
    assert sum(world.given.values()) == 1


def test_the_answer_is_lost_four_times_and_the_ledger_knows(world: World) -> None:
    host = world.hosts[0]
    world.wants_bolus(host)
    while not world.given:
        world.turn(host, Fate.ARRIVES, Fate.ARRIVES if not world.given else Fate.LOST)
    for _ in range(3):
        world.turn(host, Fate.ARRIVES, Fate.LOST)
    world.run_to_end(host)
    world.settle()
    assert sum(world.given.values()) == 1


def test_a_belated_copy_after_not_seen_moves_nothing(world: World) -> None:
    """Every copy of EXECUTE is held back; the host learns NOT_SEEN and ends; then the copies arrive."""
    host = world.hosts[0]
    world.wants_bolus(host)
    for _ in range(40):
        if host.procedure is None:
            break
        executes = host.waiting and bool(host.disk.unfinished)
        world.turn(host, Fate.HELD_BACK if executes and len(host.belated) < 4 else Fate.ARRIVES, Fate.ARRIVES)
    assert len(host.belated) == 4
    for index in range(4):
        world.deliver_belated(host, index)
    assert not world.given
    world.settle()


@pytest.mark.parametrize("mode", list(CutMode))
def test_power_goes_at_any_write_of_execute(mode: CutMode) -> None:
    """Whatever write it is: begun once or not at all, and the host knows."""
    outcomes = set()
    for at_write in range(1, 400):
        world = World(PROFILE)
        world.arm_power_cut(at_write, mode, 3)
        world.wants_bolus(world.hosts[0])
        for _ in range(60):
            world.turn(world.hosts[0], Fate.ARRIVES, Fate.ARRIVES)
        finished = world.device.has_power
        world.settle()
        outcomes.add(sum(world.given.values()))
        if finished:
            break
    else:
        raise AssertionError("the power was cut at every write that was tried")
    assert outcomes <= {0, 1}
