"""Flaws in coming back to a pump that does not answer."""

from __future__ import annotations

from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import NoPump, Pause, Procedure, read
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.samples.telling import leave
from emulator.scenario.tasks import Task
from protocol.messages.read import StatusAnswer, StatusRequest

RELAUNCH_US: Final = 1_000_000
LOOK_US: Final = 5_000_000


def reconnect_at_once(desk: Desk, task: Task) -> Procedure[Report]:
    """An app that its phone starts anew whenever it has ended: each start is a session, and no pause grows."""
    left_us, seen = task.number("DURATION") or 0, set[str]()
    while left_us > 0:
        pause_us = LOOK_US
        try:
            yield from read(StatusRequest(), StatusAnswer)
            seen |= {entry.type.name.lower() for entry in (yield from read_alarms())}
        except NoPump:
            yield from leave(desk)
            pause_us = RELAUNCH_US
        yield Pause(pause_us)
        left_us -= pause_us
    return {"outcome": "done", "alarms": sorted(seen)}


FLAWS: Final = (
    GOOD.flawed(
        "reconnects-at-once",
        "begins a session anew at once, for ever, and keeps it open between two looks",
        {"watch": reconnect_at_once},
    ),
)
