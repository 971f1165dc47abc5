"""Whatever is lost on the way, who keeps the rules misses no change; and the flags are exact at every instant."""

from __future__ import annotations

from hypothesis import given, settings

from tests.device.watched_world import HISTORIES, READER, History, World, watched_world


@settings(max_examples=30)
@given(HISTORIES)
def test_who_keeps_the_rules_misses_no_change(history: History) -> None:
    watched_world(history)


def test_the_worst_of_days() -> None:
    """Every event of an hour is lost, the pump loses power, the line is not read: the next event tells it all."""
    world = World()
    world.act(("sleep", READER))
    world.act(("drop", "event EVENT", 1_000))
    world.act(("therapy", "stop"))
    world.act(("wait", 300))
    world.act(("held", READER))
    world.act(("therapy", "start"))
    world.act(("power", 10))
    world.act(("therapy", "bolus"))
    world.act(("wait", 300))
    reader = world.watchers[READER]
    assert [event.stream_sequence for event in reader.shown] == []
    world.settle()
    world.verify()
    assert len(reader.read) >= 7
