"""What the pump's side counts of a line."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from protocol.framing import LineFault
from protocol.messages.link import LinkStatsAnswer

# One below "unknown": a counter that got there stays there.
_COUNTER_MAX: Final = 0xFFFFFFFE


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStats:
    """A snapshot, its fields named as in LINK_STATS."""

    frames_received: int = 0
    frames_sent: int = 0
    cobs_errors: int = 0
    crc_errors: int = 0
    short_errors: int = 0
    length_errors: int = 0
    flags_errors: int = 0
    oversize_errors: int = 0
    version_errors: int = 0
    address_errors: int = 0
    duplicates: int = 0
    sequence_refusals: int = 0
    tag_errors: int = 0
    counter_errors: int = 0

    def to_answer(self) -> LinkStatsAnswer:
        return LinkStatsAnswer(**dataclasses.asdict(self))


@dataclass(slots=True)
class LinkCounters:
    """The running counts of one line."""

    frames_received: int = 0
    frames_sent: int = 0
    duplicates: int = 0
    sequence_refusals: int = 0
    faults: Counter[LineFault] = field(default_factory=Counter)

    def snapshot(self) -> LinkStats:
        counts = {f"{fault.value}_errors": self.faults[fault] for fault in LineFault} | {
            "frames_received": self.frames_received,
            "frames_sent": self.frames_sent,
            "duplicates": self.duplicates,
            "sequence_refusals": self.sequence_refusals,
        }
        return LinkStats(**{name: min(count, _COUNTER_MAX) for name, count in counts.items()})
