"""Flaws in showing and acknowledging alarms: which of them count as seen."""

from __future__ import annotations

from typing import Final

from emulator.programmer.alarm_list import read_alarms
from emulator.programmer.effects import Procedure, read
from emulator.scenario.samples.good import GOOD, of_alarms
from emulator.scenario.samples.sample import Desk, Report
from emulator.scenario.tasks import Task
from protocol.messages.alarm import AlarmAckAnswer, AlarmAckRequest, AlarmEntry
from protocol.messages.codes import AlarmState

SEEN: Final = "types of alarms that were acknowledged"


def show_new_types(desk: Desk, task: Task) -> Procedure[Report]:
    """A type of alarm that was acknowledged once is known, and is not shown again."""
    del task
    return {"outcome": "done", **of_alarms((yield from _of_new_types(desk)))}


def acknowledge_new_types(desk: Desk, task: Task) -> Procedure[Report]:
    """What is not shown needs no acknowledgement either."""
    del task
    found = yield from _of_new_types(desk)
    for entry in found:
        if entry.state == AlarmState.RAISED:
            yield from read(AlarmAckRequest(instance=entry.instance), AlarmAckAnswer)
    desk.shelf.notes[SEEN] = sorted({*_seen(desk), *(int(entry.type) for entry in found)})
    return {"outcome": "done", "not_acknowledged": [], **of_alarms(found)}


def _of_new_types(desk: Desk) -> Procedure[list[AlarmEntry]]:
    return [entry for entry in (yield from read_alarms()) if int(entry.type) not in _seen(desk)]


def _seen(desk: Desk) -> list[int]:
    noted = desk.shelf.notes.get(SEEN, [])
    return noted if isinstance(noted, list) else []


FLAWS: Final = (
    GOOD.flawed(
        "knows-alarms-by-type",
        "takes an alarm of a type that was acknowledged before for the one that was acknowledged",
        {"alarms": show_new_types, "ack": acknowledge_new_types},
    ),
)
