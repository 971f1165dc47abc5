"""Long searches for a fault that no quick test finds, each with a seed that repeats it; `scripts/soak` starts it."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis.errors import HypothesisException, StopTest
from hypothesis.stateful import run_state_machine_as_test

from scripts.fuzzing import fuzz as fuzz_target
from scripts.soak_running import Campaign, Figures, Tick, command
from tests.at_most_once.matrix import CELLS, reasons, table, try_cell
from tests.capture.damaged_recordings import explain_damaged
from tests.device.haunted_pump import haunt
from tests.device.hurt_sessions import flip_every_bit, replay_everywhere
from tests.device.line_flood import FloodedPump
from tests.device.siege import STATES as SIEGED_STATES
from tests.device.siege import besiege
from tests.device.test_programming_cuts import SHARES as PROGRAMMING_SHARES
from tests.device.test_programming_cuts import TRANSACTIONS as PROGRAMMING
from tests.device.test_programming_cuts import cut_twice as cut_programming_twice
from tests.device.watched_world import HISTORIES, History, watched_world
from tests.durability.campaigns import crash_everywhere, fail_everywhere
from tests.firmware_model.invariants.search import STEPS_OF_SEED, search
from tests.firmware_model.memory_campaigns import FLIPS, PAIRS, cut_twice, flip_bits
from tests.firmware_model.told_history import restore_somewhere, split_in_three_ways
from tests.firmware_model.twin.side_by_side import tell_the_same_story
from tests.interop.foreign_campaign import FRAMES_OF_SEED, read_alike
from tests.journal.journaled_line import record_and_replay
from tests.one_dose.test_one_dose import SEARCH, OneDoseSecured
from tests.scenario.two_drivers import run_both_ways

# Worlds that one seed stands for: few enough to be run again while somebody waits.
WORLDS_OF_SEED = 50
INTERRUPTED = 130
THOUSAND = 1_000
# Of a thousand inputs to the line's ends, how many go to each target of tests/fuzz: what is cheap can be had often.
FUZZ_SHARES: Mapping[str, int] = {"reader": 300, "messages": 300, "host": 250, "session": 130, "device": 20}

PROGRAMMING_PAIRS = PROGRAMMING_SHARES * len(PROGRAMMING)


def flood(seed: int, minutes: int, figures: Figures, tick: Tick) -> None:
    """Attack at full line rate, minute by minute."""
    pump = FloodedPump(seed)
    for _ in range(minutes):
        pump.pass_minute()
        figures.update(
            {
                "frames": pump.frames - figures["frames"],
                "bytes": pump.sent_bytes - figures["bytes"],
                "motor steps": pump.here.steps - figures["motor steps"],
                "failures logged": pump.log["authentication_failed"] - figures["failures logged"],
            }
        )
        tick()


def worlds(seed: int, count: int, figures: Figures, tick: Tick) -> None:
    """Two programmers, a pump, and everything that can go wrong between them."""

    class Counted(OneDoseSecured):
        left: ClassVar[int] = 0
        failed: ClassVar[bool] = False

        def teardown(self) -> None:
            # A rule that failed is on its way out through here; what Hypothesis itself ends a world with is no fault.
            passing = sys.exc_info()[1]
            well = passing is None or isinstance(passing, StopTest | HypothesisException)
            try:
                super().teardown()
            except Exception:
                well = False
                raise
            finally:
                self.count(well, whole=passing is None)

        def count(self, well: bool, whole: bool) -> None:
            """What has failed is tried again, ever smaller: those are no worlds behind the one that failed."""
            if not well and not Counted.failed:
                Counted.failed = True
                print("worlds   a fault; looking for a shorter way to it, for some minutes at most", flush=True)
            if whole and not Counted.failed and Counted.left:
                Counted.left -= 1
                figures["commands begun"] += sum(self.world.observer.given.values())
                tick()

    for at, begin in enumerate(range(0, count, WORLDS_OF_SEED)):
        Counted.left = min(WORLDS_OF_SEED, count - begin)
        run_state_machine_as_test(
            hypothesis_seed(seed + at)(Counted),
            settings=settings(SEARCH, max_examples=Counted.left, database=None),
        )
        for _ in range(Counted.left):
            tick()


def watch(seed: int, count: int, figures: Figures, tick: Tick) -> None:
    """Two hosts watch a pump by the rules, and whatever they are told of it is lost, late or dropped."""

    def live(history: History) -> None:
        world = watched_world(history)
        figures["records"] += len(world.flags.logged)
        figures["events"] += sum(len(watcher.shown) for watcher in world.watchers)
        figures["missing events"] += sum(watcher.missed for watcher in world.watchers)
        tick()

    for at, begin in enumerate(range(0, count, WORLDS_OF_SEED)):
        size = min(WORLDS_OF_SEED, count - begin)
        search = settings(max_examples=size, database=None, deadline=None)(given(HISTORIES)(live))
        hypothesis_seed(seed + at)(search)()


def bits(seed: int, sessions: int, figures: Figures, tick: Tick) -> None:
    """Every bit of every frame of a session falls over."""
    for at in range(sessions):
        flip_every_bit(seed + at, figures)
        tick()


def replay(seed: int, sessions: int, figures: Figures, tick: Tick) -> None:
    """Every frame of a session comes again in every later state."""
    for at in range(sessions):
        replay_everywhere(seed + at, figures)
        tick()


def archive(seed: int, sessions: int, figures: Figures, tick: Tick) -> None:
    """Everything that was recorded in all sessions of one pump comes again at each of its later steps."""
    haunt(seed, sessions, figures, tick)


def siege(seed: int, rounds: int, figures: Figures, tick: Tick) -> None:
    """A thousand frames of the field tables' grammar, without a session and as reader, at a pump in each state."""
    for at in range(rounds):
        besiege(seed + at // len(SIEGED_STATES), at % len(SIEGED_STATES), figures)
        tick()


def invariants(seed: int, steps: int, figures: Figures, tick: Tick) -> None:
    """Anything is done to a pump, and its invariants hold."""
    search(seed, steps, figures, tick)


def twin(seed: int, count: int, figures: Figures, tick: Tick) -> None:
    """Random histories, lived by the model and by its naive twin."""
    for at in range(count):
        world = tell_the_same_story(_chance(seed + at))
        figures.update({"records": len(world.told), "replies": len(world.replies), "steps": world.twin.fluid.pulses})
        tick()


def splits(seed: int, count: int, figures: Figures, tick: Tick) -> None:
    """Random histories with every device fault on, whose time is cut in three random ways."""
    for at in range(count):
        split_in_three_ways(_chance(seed + at), figures)
        tick()


def restores(seed: int, count: int, figures: Figures, tick: Tick) -> None:
    """Random histories that go on in restored pumps."""
    for at in range(count):
        restore_somewhere(_chance(seed + at), figures)
        tick()


def cuts(seed: int, shares: int, figures: Figures, tick: Tick) -> None:
    """Power is cut in a bolus's or a program's commit, and again in the boot behind it."""
    for at in range(shares):
        cut_twice(seed + at, figures)
        tick()


def programming(seed: int, shares: int, figures: Figures, tick: Tick) -> None:
    """Power is cut at any frame of a program's transaction, and again in the boot behind it; then a host comes."""
    for at in range(shares):
        share, which = divmod((seed + at) % PROGRAMMING_PAIRS, len(PROGRAMMING))
        figures["pairs of cuts"] += cut_programming_twice(PROGRAMMING[which], share)
        tick()


def bitflips(seed: int, shares: int, figures: Figures, tick: Tick) -> None:
    """Stored bits of both records fall over while the power is away."""
    for at in range(shares):
        flip_bits(seed + at, figures)
        tick()


def once(seed: int, cells: int, figures: Figures, tick: Tick) -> None:
    """All ways of cells of the matrix of at most once, and the matrix with how many they were."""
    tried = {}
    for at in range(cells):
        cell = CELLS[(seed + at) % len(CELLS)]
        tried[cell.name] = try_cell(cell, figures)
        tick()
    for line in (*table(tried), *(f"-  {number:>3} cells: {reason}" for reason, number in reasons())):
        print(line, flush=True)


def foreign(seed: int, frames: int, figures: Figures, tick: Tick) -> None:
    """Generated frames, good and spoilt, are read by Kaitai's parsers, by tshark and by us."""
    read_alike(seed, frames, figures, tick)


def recordings(seed: int, count: int, figures: Figures, tick: Tick) -> None:
    """Captures and raw recordings of a session that chance has damaged, explained."""
    for at in range(count):
        explain_damaged(_chance(seed + at), figures)
        tick()


def journals(seed: int, sessions: int, figures: Figures, tick: Tick) -> None:
    """Sessions with faults of both kinds go through a PTY at speed 1, and again in process from their journals."""
    with tempfile.TemporaryDirectory() as directory:
        for at in range(sessions):
            record_and_replay(seed + at, Path(directory), figures)
            tick()


def crashes(seed: int, sessions: int, figures: Figures, tick: Tick) -> None:
    """The host crashes at every file operation of sessions with a pump that is kept in a file."""
    for at in range(sessions):
        with tempfile.TemporaryDirectory() as directory:
            figures.update(crash_everywhere(Path(directory), _chance(seed + at), commands=12, restarts=20))
        tick()


def failures(seed: int, sessions: int, figures: Figures, tick: Tick) -> None:
    """Every call to the file of a kept pump fails, alone or with all behind it."""
    for at in range(sessions):
        with tempfile.TemporaryDirectory() as directory:
            figures.update(fail_everywhere(Path(directory), _chance(seed + at), commands=5))
        tick()


def scenarios(seed: int, runs: int, figures: Figures, tick: Tick) -> None:
    """Every shipped scenario, with any seed, comes to the same in process and with the programmer at a real port."""
    for at in range(runs):
        run_both_ways(seed + at, _chance(seed + at), figures)
        tick()


def fuzz(seed: int, thousands: int, figures: Figures, tick: Tick) -> None:
    """Inputs that a coverage-guided fuzzer makes, to reader, decoders, both ends and the whole device."""
    before, ticked = 0, 0
    for target, share in FUZZ_SHARES.items():
        for inputs, places in fuzz_target(target, thousands * share, seed):
            figures[f"{target} inputs"], figures[f"{target} places"] = inputs, places
            while ticked < (before + inputs) // THOUSAND:
                ticked += 1
                tick()
        before += thousands * share


def _chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 (chance for a search, no secret)


CAMPAIGNS: Mapping[str, Campaign] = {
    campaign.name: campaign
    for campaign in (
        Campaign("flood", "an hour of attack at full line rate beside a bolus", "minutes", 60, flood),
        Campaign("worlds", "no dose twice, whatever line, hosts and power do", "worlds", 2_000, worlds, WORLDS_OF_SEED),
        Campaign("watch", "who watches by the rules misses nothing", "worlds", 500, watch, WORLDS_OF_SEED),
        Campaign("bits", "every single bit of every frame of 50 sessions", "sessions", 50, bits, 1),
        Campaign("replay", "every frame of 50 sessions again in every later state", "sessions", 50, replay, 1),
        Campaign("archive", "every frame of 50 sessions of one pump again at every step", "sessions", 50, archive),
        Campaign(
            "siege", "a million frames of any grammar change no delivery", "rounds", 1_002, siege, len(SIEGED_STATES)
        ),
        Campaign("invariants", "what holds of a pump whatever is done", "steps", 1_000_000, invariants, STEPS_OF_SEED),
        Campaign("twin", "the model and its naive twin tell the same", "worlds", 3_000, twin, 1),
        Campaign("splits", "three ways to cut the time change nothing", "worlds", 1_000, splits, 1),
        Campaign("restores", "restored pumps go on as the first would", "worlds", 1_000, restores, 1),
        Campaign("cuts", "every pair of power cuts in a bolus or a program", "shares", PAIRS, cuts, 1),
        Campaign(
            "programming",
            "every pair of power cuts while a host programs",
            "shares",
            PROGRAMMING_PAIRS,
            programming,
            1,
        ),
        Campaign("once", "every command, mishap and role: no effect or one", "cells", len(CELLS), once, 1),
        Campaign("bitflips", "every stored bit of both records, and a boot", "shares", FLIPS, bitflips, 1),
        Campaign(
            "foreign", "Kaitai's parsers and tshark read frames as we do", "frames", 100_000, foreign, FRAMES_OF_SEED
        ),
        Campaign("recordings", "damaged recordings, explained", "recordings", 20_000, recordings, 1),
        Campaign("journals", "what went through a PTY replays in process", "sessions", 100, journals, 1),
        Campaign("crashes", "a crash of the host loses nothing that was told", "sessions", 100, crashes, 1),
        Campaign("failures", "any failing call to a kept pump's file is a sentence", "sessions", 5, failures, 1),
        Campaign("failures", "any failing call to a kept pump's file is a sentence", "sessions", 10, failures, 1),
        Campaign("scenarios", "both drivers of a scenario come to the same", "runs", 200, scenarios, 1),
        Campaign("fuzz", "inputs that are led by coverage, to both ends of the line", "thousands", 10_000, fuzz),
    )
}
QUICK: Mapping[str, float] = {"invariants": 0.1, "twin": 0.1, "splits": 1.0, "restores": 0.3}
"""What `--quick` runs, and at which scale: docs/invariants.md."""


def main(
    arguments: Sequence[str], campaigns: Mapping[str, Campaign] = CAMPAIGNS, quick: Mapping[str, float] = QUICK
) -> int:
    """Run what the arguments ask for; the exit status."""
    return command(__doc__ or "", arguments, campaigns, quick)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
