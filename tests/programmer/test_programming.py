"""One program: however often a run dies, the pump has the old program or the new one, and the next run says which."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.events import Logged
from emulator.programmer.book import Book
from emulator.programmer.effects import NoPump, PumpRefused, Reply, read, run
from emulator.programmer.ledger import Host
from emulator.programmer.outcomes import NotTaken, Taken, Unknown
from emulator.programmer.program_file import ProgramFile, read_program_file
from emulator.programmer.program_image import Program
from emulator.programmer.programming import (
    Earlier,
    Prepared,
    Staged,
    StageGone,
    Unchanged,
    abort_stage,
    commit_program,
    prepare_program,
    read_program,
    require_active,
)
from emulator.programmer.rules import BolusOrder, Report, close, deliver_bolus
from protocol.messages.codes import BolusKind, OpState, Role, RunState, Warnings
from protocol.messages.program import ProgramBeginRequest
from protocol.messages.read import StatusAnswer, StatusRequest
from protocol.refusals import NakCode
from tests.programmer.dying_host import DOUBLED, LATE, LOST, PASSES, ForgetfulDisk, HostDied, World
from tests.programmer.programs import FIRST, NEW, NEW_TEXT

SECOND_US = 1_000_000
MAX_RUNS = 40
FILE = read_program_file("new.toml", NEW_TEXT.encode())
BACK = read_program_file("back.toml", b"drugs = []\n[infusion]\nrate = '0.62mL/day'")
OTHER_FILE = read_program_file("other.toml", b"[alarms]\nlow_reservoir = '3mL'")


def nothing() -> None:
    """What happens while a person reads, unless a test says otherwise."""


def program_once(
    world: World, op_id: int | None = None, *, file: ProgramFile = FILE, meanwhile: Callable[[], None] = nothing
) -> Prepared:
    """One run of the command, as the command line does it, by a person who says yes."""
    with world.at_work() as host:
        prepared = run(prepare_program(host, file, op_id), world)
        world.mortality.call()
        meanwhile()
        if isinstance(prepared, Unchanged):
            return prepared
        if isinstance(prepared, Staged):
            report = run(commit_program(host, prepared, op_id), world)
            if isinstance(report.outcome, Taken):
                run(require_active(prepared.new), world)
        else:
            report = prepared.report
        tell(world, host, report)
        return prepared


def tell(world: World, host: Host, report: Report) -> None:
    world.calls_before_told = world.mortality.calls
    world.mortality.call()
    world.reports.append(report)
    world.mortality.call()
    run(close(host, report), world)


def active(world: World) -> Program:
    """What the pump has, as somebody reads it to whom nothing happens."""
    world.mortality.left, world.fates = None, iter(())
    with world.at_work(Role.READER):
        return run(read_program(), world)


def changes(world: World) -> int:
    """How many programs the pump has ever taken, by its log."""
    world.collect()
    return sum(isinstance(event, Logged) and event.type == "program_changed" for event in world.events)


def run_until_active(world: World, op_id: int | None = None) -> None:
    """What a person does: run it again until it is said to have been done, or to be so already."""
    for _ in range(MAX_RUNS):
        if world.reports and isinstance(world.reports[-1].outcome, Taken):
            return
        with contextlib.suppress(HostDied, NoPump, PumpRefused, StageGone):
            if isinstance(program_once(world, op_id), Unchanged):
                return
    raise AssertionError("it never came to an end")


def first_run(*, insecure: bool = False) -> World:
    world = World(insecure=insecure)
    program_once(world)
    return world


CALLS = first_run().mortality.calls


def test_an_undisturbed_program_is_shown_committed_and_closed() -> None:
    world = World()
    staged = program_once(world)
    assert isinstance(staged, Staged)
    assert (staged.old, staged.new) == (FIRST, NEW)
    assert staged.asked.rate_nl_per_day == 500_500
    assert staged.summary.warnings == Warnings.RATE_ROUNDED | Warnings.DRUGS_CHANGED
    assert staged.summary.crc32 == NEW.crc32
    (report,) = world.reports
    assert report.intention.command == f"program {NEW.crc32:08X}"
    assert [each.stage for each in world.book_file.book.intentions] == ["closed"]
    assert active(world) == NEW
    assert isinstance(program_once(world), Unchanged)
    assert changes(world) == 1


@pytest.mark.parametrize(
    ("insecure", "op_id", "host_loses_power", "first_call"),
    [(False, None, False, 0), (False, 900, True, 1), (True, None, True, 0), (True, 900, False, 1)],
)
def test_a_host_that_dies_at_any_call_leaves_the_old_program_or_the_new(
    insecure: bool, op_id: int | None, host_loses_power: bool, first_call: int
) -> None:
    """Two of these take turns with the calls, so that it dies at each, with keys and without."""
    found = set()
    for call in range(first_call, first_run(insecure=insecure).mortality.calls, 2):
        world = World(insecure=insecure)
        world.mortality.left = call
        with pytest.raises(HostDied):
            program_once(world, op_id)
        if host_loses_power:
            world.disk.lose_power()
        was = active(world).crc32
        assert was in (FIRST.crc32, NEW.crc32)
        found.add(was)
        told_before = len(world.reports)
        again = program_once(world, op_id)
        if was == FIRST.crc32:
            assert isinstance(again, Staged), call
        elif told_before:
            assert isinstance(again, Unchanged | Earlier), call
        else:
            # It had been taken, and nobody had been told: this run says so, and begins nothing.
            assert isinstance(again, Earlier), call
            assert again.report.continued
            assert isinstance(again.report.outcome, Taken)
        assert (active(world), changes(world), call) == (NEW, 1, call)
        assert {each.op_id for each in world.book_file.book.intentions} == {op_id or 1}
    assert found == {FIRST.crc32, NEW.crc32}


@pytest.mark.parametrize("insecure", [False, True])
@pytest.mark.parametrize("fate", [LOST, DOUBLED, LATE])
def test_every_frame_of_a_program_can_go_astray(fate: str, insecure: bool) -> None:
    """Every frame of a session, and every third without one: there they are the same requests."""
    frame, struck = 0, True
    while struck:
        fates: Iterator[str] = iter([*[PASSES] * frame, fate])
        world = World(fates, insecure)
        run_until_active(world)
        struck = next(fates, None) is None
        assert (active(world), changes(world), frame) == (NEW, 1, frame)
        frame += 3 if insecure else 1
        assert frame < 100


@settings(max_examples=40, deadline=None)
@given(
    fates=st.lists(st.sampled_from([PASSES, PASSES, LOST, LOST, DOUBLED, LATE]), max_size=90),
    deaths=st.lists(st.tuples(st.integers(0, CALLS), st.booleans()), max_size=4),
    cut_at_write=st.none() | st.integers(1, 80),
    op_id=st.none() | st.just(900),
    insecure=st.booleans(),
)
def test_any_mixture_of_misfortunes_changes_the_program_once(
    fates: list[str], deaths: list[tuple[int, bool]], cut_at_write: int | None, op_id: int | None, insecure: bool
) -> None:
    world = World(iter(fates), insecure)
    if cut_at_write is not None:
        world.power_cycle(cut_at_write)
    for left, host_loses_power in deaths:
        world.mortality.left = left
        try:
            program_once(world, op_id)
        except HostDied:
            if host_loses_power:
                world.disk.lose_power()
        except (NoPump, PumpRefused, StageGone):
            continue
    world.mortality.left = None
    run_until_active(world, op_id)
    assert (active(world), changes(world)) == (NEW, 1)
    assert not any(isinstance(report.outcome, Unknown) and report.outcome.final for report in world.reports)


def test_the_same_op_id_says_what_became_of_it() -> None:
    world = World()
    program_once(world, 900)
    again = program_once(world, 900)
    assert isinstance(again, Earlier)
    assert again.report.intention.op_id == 900
    assert changes(world) == 1


def die_before_telling(world: World) -> None:
    world.mortality.left = first_run().calls_before_told
    with pytest.raises(HostDied):
        program_once(world)
    world.mortality.left = None


def test_a_program_that_another_host_has_replaced_since_is_told_and_given_anew() -> None:
    world = World()
    die_before_telling(world)
    own, world.disk = world.disk, ForgetfulDisk(world.mortality)  # another programmer, with a book of its own
    assert isinstance(program_once(world, file=BACK), Staged)
    world.disk = own
    assert isinstance(program_once(world), Staged)
    assert any("operation 1" in sentence and "taken" in sentence for sentence in world.told)
    assert (active(world), changes(world)) == (NEW, 3)


def test_another_file_finds_what_an_earlier_run_left_and_goes_on() -> None:
    world = World()
    die_before_telling(world)
    assert isinstance(program_once(world, file=OTHER_FILE), Staged)
    assert any(f"program {NEW.crc32:08X}, taken" in sentence for sentence in world.told)
    assert active(world) == replace(NEW, low_reservoir_nl=3_000_000)


@pytest.mark.parametrize("insecure", [False, True])
def test_a_pump_that_boots_while_a_person_reads_has_no_stage_any_more(insecure: bool) -> None:
    world = World(insecure=insecure)

    def boot() -> None:
        world.power_cycle()
        world.pause(SECOND_US)

    with pytest.raises(StageGone):
        program_once(world, meanwhile=boot)
    assert (active(world), changes(world)) == (FIRST, 0)
    assert isinstance(program_once(world), Staged)
    assert active(world) == NEW


def bolus_in(world: World, duration_s: int) -> None:
    world.run_once(lambda host: deliver_bolus(host, BolusOrder(BolusKind.SINGLE, 20_000, duration_s)))


def refusal_of_the_last_report(world: World) -> NakCode | None:
    outcome = world.reports[-1].outcome
    assert isinstance(outcome, NotTaken)
    return outcome.nak.code if outcome.nak else None


def test_therapy_that_changes_while_a_person_reads_makes_the_commit_void() -> None:
    """The session lives and the stage is there: nothing but the revision can tell that a bolus has ended."""
    world = World()
    bolus_in(world, 120)
    program_once(world, meanwhile=lambda: world.pause(150 * SECOND_US))
    assert refusal_of_the_last_report(world) in (NakCode.UNRESOLVED, NakCode.STAGE_CHANGED)
    assert active(world) == FIRST
    program_once(world)
    assert active(world) == NEW


def test_a_program_waits_for_the_end_of_a_bolus() -> None:
    world = World()
    bolus_in(world, 120)
    program_once(world)
    assert refusal_of_the_last_report(world) == NakCode.BOLUS_RUNNING
    assert active(world) == FIRST


@pytest.mark.parametrize("insecure", [False, True])
def test_a_pump_that_stands_still_while_it_is_programmed_runs_with_the_new_program(insecure: bool) -> None:
    world = World(insecure=insecure, profile="reference-40")
    staged = program_once(world, file=OTHER_FILE)
    assert isinstance(staged, Staged)
    assert [report.outcome for report in world.reports] == [Taken(OpState.DONE)]
    assert active(world).low_reservoir_nl == 3_000_000
    with world.at_work(Role.READER):
        assert run(read(StatusRequest(), StatusAnswer), world).run_state == RunState.RUNNING


def test_what_comes_between_the_reading_and_the_stand_is_read_before_anything_is_shown() -> None:
    """A bolus ends in the moment before PROGRAM_BEGIN: the revision moves by more than the pump's coming to a stand."""
    world = World(profile="reference-40")
    bolus_in(world, 120)
    ask, begun = world.ask, []

    def wait_first(message: object) -> Reply:
        if isinstance(message, ProgramBeginRequest):
            begun.append(message)
            world.pause(150 * SECOND_US if len(begun) == 1 else 0)
        return ask(message)

    with patch.object(world, "ask", wait_first):
        program_once(world, file=OTHER_FILE)
    assert [report.outcome for report in world.reports[1:]] == [Taken(OpState.DONE)]
    assert len(begun) == 2


def test_a_session_that_dies_of_silence_while_a_person_reads_changes_nothing() -> None:
    world = World()
    with pytest.raises(StageGone):
        program_once(world, meanwhile=lambda: world.pause(200 * SECOND_US))
    assert world.book_file.book.intentions == ()
    assert (active(world), changes(world)) == (FIRST, 0)


def test_who_only_looks_leaves_nothing_in_the_book() -> None:
    world = World()
    with world.at_work() as host:
        staged = run(prepare_program(host, FILE, settling=False), world)
        assert isinstance(staged, Staged)
        run(abort_stage(staged.stage_id), world)
        with pytest.raises(StageGone):
            run(commit_program(host, staged), world)
        assert host.book == Book(serial_number=host.book.serial_number)
    assert changes(world) == 0
