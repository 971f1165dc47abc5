"""The pump's whole alarm list, read page by page."""

from __future__ import annotations

from emulator.programmer.effects import NoPump, Procedure, read
from protocol.messages.alarm import AlarmEntry, AlarmListAnswer, AlarmListRequest

MAX_PAGES = 256
LAST_INSTANCE = 0xFFFF


def read_alarms() -> Procedure[list[AlarmEntry]]:
    """All alarms that the pump holds, by rising instance."""
    alarms: list[AlarmEntry] = []
    following = 0
    for _ in range(MAX_PAGES):
        page = yield from read(AlarmListRequest(from_instance=following), AlarmListAnswer)
        alarms.extend(page.alarms)
        if not page.alarms or len(alarms) >= page.total or page.alarms[-1].instance >= LAST_INSTANCE:
            return alarms
        following = page.alarms[-1].instance + 1
    raise NoPump("the pump's alarm list does not come to an end")
