"""One dose: however often a run dies, and whatever the line and the power do, running it again gives no second one."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.programmer.book import BookedOpList
from emulator.programmer.effects import NoPump, PumpRefused, read, run
from emulator.programmer.outcomes import NotTaken, Taken, Unknown, Why
from emulator.programmer.rules import BolusOrder, Report, cancel, deliver_bolus, settle_one, start, stop
from protocol.messages.codes import BolusKind, OpState, Role, RunState
from protocol.messages.read import StatusAnswer, StatusRequest
from tests.programmer.dying_host import DOUBLED, LATE, LOST, PASSES, Command, ForgetfulDisk, HostDied, World

ORDER = BolusOrder(BolusKind.SINGLE, 50_000, None)
MAX_RUNS = 40
FRAMES = 16  # HELLO, OPEN, AUTH, OP_LIST, CAPS, PREPARE, EXECUTE, CLOSE: a request and an answer each


def bolus(op_id: int | None = None) -> Command:
    return lambda host: deliver_bolus(host, ORDER, op_id)


def run_until_taken(world: World, command: Command) -> Report:
    """What a person does: run it again until it has said that it was taken."""
    for _ in range(MAX_RUNS):
        if world.reports and isinstance(world.reports[-1].outcome, Taken):
            return world.reports[-1]
        with contextlib.suppress(HostDied, NoPump):
            world.run_once(command)
    raise AssertionError("it never came to an end")


def listing(world: World) -> BookedOpList:
    """The pump's ledger, read by one more command."""
    world.run_once(stop)
    found = world.book_file.book.op_list
    assert found is not None
    return found


def first_run(command: Command, *, insecure: bool = False) -> World:
    world = World(insecure=insecure)
    world.run_once(command)
    return world


CALLS = first_run(bolus()).mortality.calls


def test_an_undisturbed_bolus_is_taken_and_closed() -> None:
    world = World()
    report = world.run_once(bolus())
    assert report.outcome == Taken(OpState.EXECUTING)
    assert report.intention.op_id == 1
    assert world.started() == 1
    assert [each.stage for each in world.book_file.book.intentions] == ["closed"]


@pytest.mark.parametrize("host_loses_power", [False, True])
@pytest.mark.parametrize("op_id", [None, 900])
@pytest.mark.parametrize("insecure", [False, True])
def test_a_host_that_dies_at_any_call_gives_one_dose(insecure: bool, op_id: int | None, host_loses_power: bool) -> None:
    for call in range(first_run(bolus(), insecure=insecure).mortality.calls):
        world = World(insecure=insecure)
        world.mortality.left = call
        with pytest.raises(HostDied):
            world.run_once(bolus(op_id))
        if host_loses_power:
            world.disk.lose_power()
        report = run_until_taken(world, bolus(op_id))
        assert (world.started(), call) == (1, call)
        assert report.intention.op_id == (op_id or 1)


@pytest.mark.parametrize("insecure", [False, True])
@pytest.mark.parametrize("fate", [LOST, DOUBLED, LATE])
def test_every_frame_of_a_bolus_can_go_astray(fate: str, insecure: bool) -> None:
    for frame in range(FRAMES):
        world = World(iter([*[PASSES] * frame, fate]), insecure)
        assert isinstance(run_until_taken(world, bolus()).outcome, Taken)
        assert (world.started(), frame) == (1, frame)


@pytest.mark.parametrize("insecure", [False, True])
def test_a_silent_line_from_any_frame_on_gives_one_dose(insecure: bool) -> None:
    for frame in range(FRAMES):
        world = World(iter([*[PASSES] * frame, *[LOST] * 30]), insecure)
        run_until_taken(world, bolus())
        assert (world.started(), frame) == (1, frame)


@settings(max_examples=150, deadline=None)
@given(
    fates=st.lists(st.sampled_from([PASSES, PASSES, LOST, LOST, DOUBLED, LATE]), max_size=60),
    deaths=st.lists(st.tuples(st.integers(0, CALLS), st.booleans()), max_size=4),
    cut_at_write=st.none() | st.integers(1, 60),
    op_id=st.none() | st.just(900),
    insecure=st.booleans(),
)
def test_any_mixture_of_misfortunes_gives_one_dose(
    fates: list[str], deaths: list[tuple[int, bool]], cut_at_write: int | None, op_id: int | None, insecure: bool
) -> None:
    world = World(iter(fates), insecure)
    if cut_at_write is not None:
        world.power_cycle(cut_at_write)
    for left, host_loses_power in deaths:
        world.mortality.left = left
        try:
            world.run_once(bolus(op_id))
        except HostDied:
            if host_loses_power:
                world.disk.lose_power()
        except (NoPump, PumpRefused):
            continue
        if world.reports and isinstance(world.reports[-1].outcome, Taken):
            break
    world.mortality.left = None
    run_until_taken(world, bolus(op_id))
    assert world.started() == 1
    # What a person is told on the way is true as well: nothing was ever reported as not taken and then found taken.
    told = [report.outcome for report in world.reports]
    assert not any(isinstance(outcome, Unknown) and outcome.final for outcome in told)
    assert sum(isinstance(outcome, Taken) for outcome in told) == 1


def test_a_second_bolus_after_the_first_was_told_is_a_second_dose() -> None:
    world = World()
    world.run_once(bolus())
    world.pause(200_000_000)
    assert world.run_once(bolus()).intention.op_id == 2
    assert world.started() == 2


def test_a_named_op_id_is_never_given_twice() -> None:
    world = World()
    world.run_once(bolus(900))
    world.pause(200_000_000)
    again = world.run_once(bolus(900))
    assert again.continued
    assert again.outcome == Taken(OpState.DONE, 50_000, 50_000)
    assert world.started() == 1


def test_an_unfinished_bolus_of_another_command_is_reported_and_then_the_new_one_begins() -> None:
    world = World()
    world.mortality.left = first_run(bolus()).calls_before_told
    with pytest.raises(HostDied):
        world.run_once(bolus())
    assert world.started() == 1
    world.pause(200_000_000)
    other = BolusOrder(BolusKind.SINGLE, 60_000, None)
    report = world.run_once(lambda host: deliver_bolus(host, other))
    assert report.intention.command == other.command
    assert any("operation 1" in sentence and "done" in sentence for sentence in world.told)
    assert world.started() == 2


def test_stop_start_and_cancel_do_what_they_say() -> None:
    world = World()
    world.run_once(bolus())
    assert world.run_once(cancel).outcome == Taken(OpState.DONE)
    assert world.run_once(stop).outcome == Taken(OpState.DONE)
    assert world.run_once(stop).outcome == Taken(OpState.DONE)
    assert world.run_once(start).outcome == Taken(OpState.DONE)


@pytest.mark.parametrize("command", [stop, cancel])
def test_a_command_that_ends_delivery_ends_it_however_its_host_dies(command: Command) -> None:
    for call in range(40):
        world = World()
        world.run_once(bolus())
        world.pause(60_000_000)
        world.reports.clear()
        world.mortality.left = call
        run_until_taken(world, command)
        world.mortality.left = None
        (entry,) = [each for each in listing(world).entries if each.op_id == 1]
        assert entry.state == "partial"


def test_a_stop_whose_id_is_outside_the_window_is_no_sign_of_another_memory() -> None:
    world = World()
    world.run_once(bolus())
    assert isinstance(world.run_once(lambda host: stop(host, 90_000)).outcome, Taken)
    assert isinstance(world.run_once(start).outcome, Taken)
    assert [each.op_id for each in world.book_file.book.intentions] == [1, 90_000, 2]


def test_a_stop_that_was_taken_before_therapy_was_started_again_is_given_anew() -> None:
    world = World()
    world.mortality.left = first_run(stop).calls_before_told
    with pytest.raises(HostDied):
        world.run_once(stop)
    assert [each.stage for each in world.book_file.book.unfinished] == ["resolved"]
    own, world.disk = world.disk, ForgetfulDisk(world.mortality)  # another programmer, with a book of its own
    assert isinstance(world.run_once(start).outcome, Taken)
    world.disk = own
    assert not world.run_once(stop).continued
    with world.at_work():
        assert run(read(StatusRequest(), StatusAnswer), world).run_state == RunState.STOPPED


@pytest.mark.parametrize("role", [Role.READER, Role.CLINICIAN])
def test_a_command_that_still_lies_in_another_line_is_dead_or_not_called_so(role: Role) -> None:
    """The host dies right behind its EXECUTE, which nobody has read yet, and asks for it at another port."""
    world = World()
    world.fates = up_to_a_late_execute(world)
    with pytest.raises(HostDied):
        world.run_once(bolus())
    world.port = 1
    with world.at_work(role) as host:
        outcome = run(settle_one(host, host.book.unfinished[0]), world).outcome
    world.deliver(b"", port=0)
    if role is Role.CLINICIAN:
        assert outcome == NotTaken(Why.NOT_SEEN)
        assert world.started() == 0
    else:
        assert isinstance(outcome, Unknown)
        assert not outcome.final
        assert world.started() == 1


def up_to_a_late_execute(world: World) -> Iterator[str]:
    yield from [PASSES] * (FRAMES - 4)
    world.mortality.left = 0
    yield LATE
