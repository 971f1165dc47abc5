"""The latched flags: for each role, what has changed since it said that it has read the log.

Rules of this file:

- A flag is set by committed log records, and by nothing else: `CAUSES` names them, each in one row.
- It stays set until a reset names the log up to, or beyond, the last record that set it.
- A boot's record sets every flag for every role: what a role had reset before is forgotten.
- When the memory fails every flag is set, beyond every record that could be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from firmware_model.firmware.codes import ChangedFlag, Role
from firmware_model.firmware.event_log import LogRecord, LogType
from firmware_model.state import DERIVED

CAUSES: Final[Mapping[ChangedFlag, tuple[LogType, ...]]] = MappingProxyType(
    {
        ChangedFlag.BOOT: (LogType.BOOT,),
        ChangedFlag.THERAPY: (LogType.THERAPY_STARTED, LogType.THERAPY_STOPPED),
        ChangedFlag.BOLUS: (LogType.BOLUS_STARTED, LogType.BOLUS_ENDED, LogType.BOLUS_CANCELLED),
        ChangedFlag.PROGRAM: (LogType.PROGRAM_CHANGED, LogType.PROGRAM_BEGUN),
        ChangedFlag.ALARM: (
            LogType.ALARM_RAISED,
            LogType.ALARM_ACKNOWLEDGED,
            LogType.ALARM_CLEARED,
            LogType.ALARM_SILENCED,
            LogType.STALL_ENDED,
        ),
        ChangedFlag.REFILL: (LogType.REFILLED,),
        ChangedFlag.CLOCK: (LogType.TIME_SET,),
        ChangedFlag.DELIVERY: (LogType.DELIVERED,),
        ChangedFlag.MEMORY: (LogType.MEMORY_REPAIRED,),
        ChangedFlag.SECURITY: (
            LogType.SESSION_TAKEN_OVER,
            LogType.AUTHENTICATION_FAILED,
            LogType.KEYS_REPLACED,
        ),
    }
)
"""Which records set a flag."""

_FLAGS: Final = tuple(CAUSES)
_PLACE_OF: Final = {kind: place for place, causes in enumerate(CAUSES.values()) for kind in causes}
_ROLES: Final = tuple(Role)
_BOOT: Final = LogType.BOOT
_NOTHING: Final = -1
_BEYOND: Final = 1 << 32


@dataclass(slots=True)
class ChangedFlags:
    """The flags of all roles, in volatile memory. Places are those of the rows of `CAUSES`.

    set_at   for each flag the last record that set it
    read_to  for each role, by each flag, the record up to which a reset has named the log
    latest   for each flag the latest of these, beyond which it is set for all roles; empty: not worked out yet
    """

    set_at: list[int] = field(default_factory=lambda: [0] * len(_FLAGS))
    read_to: list[list[int]] = field(default_factory=lambda: [[_NOTHING] * len(_FLAGS) for _ in _ROLES])
    latest: list[int] = field(default_factory=list, init=False, metadata=DERIVED, repr=False, compare=False)

    def of_role(self, role: Role) -> ChangedFlag:
        """The flags that are set for a role."""
        read_to = self.read_to[_ROLES.index(role)]
        flags = ChangedFlag(0)
        for flag, at, to in zip(_FLAGS, self.set_at, read_to, strict=True):
            if at > to:
                flags |= flag
        return flags

    def note(self, records: Sequence[LogRecord]) -> tuple[Role, ...]:
        """Records have been committed: sets their flags; returns the roles for which one of these was not set yet."""
        roles: tuple[Role, ...] = ()
        set_at = self.set_at
        latest = self.latest = self.latest or [max(to) for to in zip(*self.read_to, strict=True)]
        for record in records:
            kind, sequence = record.type, record.sequence
            if kind is _BOOT:
                roles += self._set(range(len(_FLAGS)), sequence)
                continue
            place = _PLACE_OF[kind]
            if set_at[place] > latest[place]:
                set_at[place] = sequence
            else:
                roles += self._set((place,), sequence)
        return roles if len(roles) < 2 else tuple(role for role in _ROLES if role in roles)

    def fail(self) -> tuple[Role, ...]:
        """The memory has failed: sets every flag for good; returns the roles for which one was not set yet."""
        return self._set(range(len(_FLAGS)), _BEYOND)

    def _set(self, places: Iterable[int], sequence: int) -> tuple[Role, ...]:
        roles: set[Role] = set()
        for place in places:
            before, self.set_at[place] = self.set_at[place], sequence
            roles.update(role for role, to in zip(_ROLES, self.read_to, strict=True) if before <= to[place])
        return tuple(role for role in _ROLES if role in roles)

    def reset(self, role: Role, flags: ChangedFlag, sequence: int) -> None:
        """A role has read the log up to a record: those of the flags are no longer set that were not set since."""
        read_to = self.read_to[_ROLES.index(role)]
        for place, flag in enumerate(_FLAGS):
            if flag in flags:
                read_to[place] = max(read_to[place], sequence)
        self.latest = []
