"""Flaws in quietening alarms."""

from __future__ import annotations

from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Procedure, read
from emulator.scenario.samples.good import GOOD
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest
from protocol.messages.codes import AlarmState


def mute_for_good(desk: Desk, task: Task) -> Procedure[Report]:
    """The quick way to quiet: all that sounds is acknowledged."""
    del desk, task
    sounding = [entry for entry in (yield from read_alarms()) if entry.state == AlarmState.RAISED]
    for entry in sounding:
        yield from read(AlarmAckRequest(instance=entry.instance), AlarmAckAnswer)
    return {"outcome": "done", "silenced": sorted(entry.type.name.lower() for entry in sounding)}


FLAWS: Final = (
    GOOD.flawed(
        "mutes-for-good",
        "acknowledges what it was to silence for a while, so that it never sounds again",
        {"silence": mute_for_good},
    ),
)
