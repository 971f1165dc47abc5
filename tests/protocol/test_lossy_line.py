"""Both ends over a line that loses, doubles, delays and damages: every request ends, and each answer is its own."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from protocol.host_end import Answered, HostEvent, KeyWrong, NoAnswer, Refused, SessionReady
from protocol.refusals import Nak, NakCode
from tests.protocol.lossy_world import Fate, World

# Without counters a late copy is one of the dangers that the host's rules deal with, and the order of txn does not.
IN_ORDER = st.sampled_from([Fate.PASSES, Fate.PASSES, Fate.IS_LOST, Fate.IS_DOUBLED, Fate.IS_DAMAGED])
ANY_FATE = st.sampled_from([Fate.PASSES, Fate.PASSES, *Fate])
# How long the pump takes: at once, or so long that retries come first, or never.
DELAYS_US = st.sampled_from([0, 0, 0, 700_000, 3_000_000, None])
LATE_US = st.sampled_from([1, 50_000, 650_000, 1_300_000, 4_000_000, 170_000_000])
HAPPENINGS: dict[str, Callable[[World], None]] = {
    "nothing": lambda world: None,  # noqa: ARG005  # as the others are called
    "power is lost": World.lose_power,
    "the line is opened anew": World.open_line_anew,
    "nobody speaks": World.wait_out_silence,
    "the host begins anew": lambda world: world.host.forget_session(),
}
DISTURBED = st.builds(
    World,
    st.lists(ANY_FATE, max_size=60).map(iter),
    st.lists(DELAYS_US, max_size=10).map(iter),
    st.lists(LATE_US, max_size=10).map(iter),
    streaming=st.booleans(),
)


def check(event: HostEvent, instance: int, *others: NakCode) -> None:
    """An answer is that of its own request; `others` may come without one."""
    match event:
        case Answered(message):
            assert message.instance == instance
        case Refused(Nak(NakCode.NO_SUCH_ALARM, element=element)):
            assert element == instance
        case Refused(nak):
            assert nak.code in others
        case _:
            assert isinstance(event, NoAnswer)


@given(st.lists(IN_ORDER, max_size=60), st.lists(DELAYS_US, max_size=8), st.integers(1, 8), st.booleans())
def test_every_request_ends_and_every_answer_is_its_own(
    fates: list[Fate], delays_us: list[int | None], count: int, streaming: bool
) -> None:
    world = World(iter(fates), iter(delays_us), insecure=True, streaming=streaming)
    for instance in range(1, count + 1):
        check(world.acknowledge(instance), instance, NakCode.BUSY)
    # Within one session the order of txn alone lets nothing through twice.
    if world.now < 180_000_000:
        assert all(len(sessions) == 1 for sessions in world.taken.values())


@given(st.lists(st.sampled_from([Fate.PASSES, Fate.IS_DOUBLED]), max_size=40), st.booleans(), st.booleans())
def test_a_line_that_loses_nothing_needs_no_retry(fates: list[Fate], insecure: bool, streaming: bool) -> None:
    world = World(iter(fates), insecure=insecure, streaming=streaming)
    if not insecure:
        assert isinstance(world.open_session(), SessionReady)
    for instance in (1, 2, 3, 4):
        assert isinstance(world.acknowledge(instance), Answered)
    assert world.now == 0
    assert world.session_counter == (not insecure)


@given(DISTURBED, st.lists(st.sampled_from([*["nothing"] * 4, *HAPPENINGS]), min_size=1, max_size=12))
def test_in_a_session_nothing_is_taken_twice_whatever_the_line_does(world: World, happenings: list[str]) -> None:
    answered = []
    for instance, happening in enumerate(happenings, 1):
        HAPPENINGS[happening](world)
        if not world.host.session_id:
            event = world.open_session()
            # A pump that is there and has the key is never taken for one that has not.
            assert not isinstance(event, KeyWrong)
            if not isinstance(event, SessionReady):
                continue
        event = world.acknowledge(instance)
        check(event, instance, NakCode.BUSY, NakCode.NO_SUCH_SESSION, NakCode.SEQUENCE)
        if isinstance(event, Answered):
            answered.append(instance)
    assert all(len(sessions) == 1 for sessions in world.taken.values())
    assert set(answered) <= set(world.taken)
    assert len(set(world.txns)) == len(world.txns)
    assert len(set(world.salts)) == len(world.salts)


def test_a_late_copy_of_a_request_that_was_numbered_anew_is_dead() -> None:
    """The one way in which the order of txn alone would take a request twice."""
    handshake = [Fate.PASSES] * 4
    first_answered, second_lost = [Fate.PASSES] * 2, [Fate.IS_LOST] * 4
    # The pump has seen nothing of txn 2, so that the third request has to come again as txn 2.
    world = World(iter([*handshake, *first_answered, *second_lost, Fate.IS_DOUBLED_LATE]))
    assert isinstance(world.open_session(), SessionReady)
    assert isinstance(world.acknowledge(1), Answered)
    assert world.acknowledge(2) == NoAnswer(2)
    event = world.acknowledge(3)
    assert isinstance(event, Answered)
    assert event.txn == 2
    # Its copy as txn 3, which would be the next one now, has yet to land.
    assert len(world.due) == 1
    world.wait_out_silence()
    assert world.pump.stats(0).counter_errors == 1
    assert {instance: len(sessions) for instance, sessions in world.taken.items()} == {1: 1, 3: 1}


@given(DISTURBED, st.lists(st.sampled_from(list(HAPPENINGS)), max_size=6))
def test_a_handshake_comes_to_its_end_once_the_line_behaves(world: World, happenings: list[str]) -> None:
    for instance, happening in enumerate(happenings, 1):
        HAPPENINGS[happening](world)
        if world.host.session_id or isinstance(world.open_session(), SessionReady):
            world.acknowledge(instance)
    # Each frame that is still late can spoil one try, and so can what the pump has not finished.
    tries = world.heal() + 1
    assert any(isinstance(world.open_session(), SessionReady) for _ in range(tries))
    assert [session.session_id for session in world.pump.sessions()] == [world.host.session_id]
    world.wait_out_silence()
    assert isinstance(world.open_session(), SessionReady)
    event = world.acknowledge(1_001)
    assert isinstance(event, Answered)
    check(event, 1_001)
