"""Commits that memory has not been given yet, because nobody could tell: they are written out before anyone looks.

While no power cut and no write fault is armed, a commit cannot be cut or spoilt, and what it overwrites nobody will
read. So only the last two, which both slots of the pair hold in the end, and the log records that the ring still holds
are kept to be written.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from firmware_model.firmware.event_log import LogRecord
from firmware_model.firmware.record import ControlRecord


@dataclass(slots=True)
class WriteBehind:
    """What is to be written out: how many commits there were, the record at the last two of them, and log records."""

    ring_records: int
    commits: int = 0
    last: deque[ControlRecord] = field(default_factory=lambda: deque(maxlen=2))
    records: deque[LogRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.records = deque(maxlen=self.ring_records)

    def clear(self) -> None:
        """All of it has been written out."""
        self.commits = 0
        self.last.clear()
        self.records.clear()
