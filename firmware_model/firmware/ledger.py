"""The ledger of operations: what became of each therapy command, per role, in the same commit as its effect.

Per role: `op_high`, the highest op id ever entered; `evicted_high`, the highest that has been pushed out; and a fixed
number of places in memory, where an entry stays. A new entry takes a free place, else that of the oldest finished
entry; an executing one is never pushed out.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from firmware_model.commands import LedgerEntry, OpWindow, Reason, Refusal
from firmware_model.firmware.codes import THERAPY_ROLES, OpKind, OpState, Role
from firmware_model.firmware.lives.op import OP_LIFE, OpDeed

_ENTRY = struct.Struct("<II8sBB2xIII")
ENTRY_BYTES = _ENTRY.size
_LOG_SEQUENCE = attrgetter("log_sequence")
_Item = TypeVar("_Item")

_EXECUTING, _WIDTH = OpState.EXECUTING, OpWindow.WIDTH


class RoleLedger(Struct, frozen=True, gc=False):
    """One role's part of the ledger: its entries, the oldest first, and in which place of memory each one stands."""

    role: Role
    capacity: int
    entries: tuple[LedgerEntry, ...] = ()
    places: tuple[int, ...] = ()
    op_high: int = 0
    evicted_high: int = 0

    def find(self, op_id: int) -> LedgerEntry | None:
        """The entry under an op id, if it is still there."""
        at = self._at(op_id)
        return None if at is None else self.entries[at]

    def enter(self, entry: LedgerEntry) -> RoleLedger:
        """The ledger with a new entry."""
        entries, places, op_id, evicted_high = self.entries, self.places, entry.op_id, self.evicted_high
        if len(entries) < self.capacity:
            # Places are taken in their order, and never become free again.
            entries, places = (*entries, entry), (*places, len(places))
        else:
            # One bolus runs at most: when the oldest entry is executing, the next one is finished.
            at = 1 if entries[0].state is _EXECUTING else 0
            pushed_out_id = entries[at].op_id
            evicted_high = pushed_out_id if pushed_out_id > evicted_high else evicted_high
            entries = (*entries[:at], *entries[at + 1 :], entry)
            places = (*places[:at], *places[at + 1 :], places[at])
        op_high = op_id if op_id > self.op_high else self.op_high
        return RoleLedger(self.role, self.capacity, entries, places, op_high, evicted_high)

    def conclude(self, op_id: int, state: OpState, min_nl: int, max_nl: int) -> RoleLedger:
        """The ledger with what became of an operation that is there. Raises KeyError when it is not."""
        at = self._at(op_id)
        if at is None:
            raise KeyError(op_id)
        entries = _put(self.entries, at, replace(self.entries[at], state=state, min_nl=min_nl, max_nl=max_nl))
        return RoleLedger(self.role, self.capacity, entries, self.places, self.op_high, self.evicted_high)

    def by_place(self) -> tuple[LedgerEntry | None, ...]:
        """What stands in each place of memory."""
        entry_in = dict(zip(self.places, self.entries, strict=True))
        return tuple(entry_in.get(place) for place in range(self.capacity))

    def _at(self, op_id: int) -> int | None:
        """Where the entry under an op id is among the others. The newest is asked for most."""
        entries = self.entries
        for at in range(len(entries) - 1, -1, -1):
            if entries[at].op_id == op_id:
                return at
        return None

    def absent_state(self, op_id: int) -> OpState:
        """What can be said of an op id that has no entry."""
        state = OpState.NOT_SEEN
        if op_id <= self.op_high:
            state = OP_LIFE[state, OpDeed.OVERTAKE]
        # What an op id that is evicted says, all that lie below it say.
        return OP_LIFE[state, OpDeed.PUSH_OUT] if op_id <= self.evicted_high else state


def role_ledger(role: Role, by_place: Sequence[LedgerEntry | None], op_high: int, evicted_high: int) -> RoleLedger:
    """A role's part of the ledger, of what stands in each place of memory."""
    present = [(entry, place) for place, entry in enumerate(by_place) if entry is not None]
    present.sort(key=lambda there: there[0].log_sequence)
    entries, places = tuple(entry for entry, _ in present), tuple(place for _, place in present)
    return RoleLedger(role, len(by_place), entries, places, op_high, evicted_high)


def _put(items: tuple[_Item, ...], place: int, item: _Item) -> tuple[_Item, ...]:
    """The items with another one in one place."""
    changed = list(items)
    changed[place] = item
    return tuple(changed)


class Ledger(Struct, frozen=True, gc=False):
    """All roles' ledgers, in the order of `THERAPY_ROLES`."""

    roles: tuple[RoleLedger, ...]

    def of(self, role: int) -> RoleLedger:
        """One role's ledger. Raises ValueError for a role that has none."""
        return self.roles[THERAPY_ROLES.index(role)]

    def enter(self, entry: LedgerEntry) -> Ledger:
        """The ledger with a new entry for its role."""
        place = THERAPY_ROLES.index(entry.role)
        return Ledger(_put(self.roles, place, self.roles[place].enter(entry)))

    def conclude(self, role: int, op_id: int, state: OpState, min_nl: int, max_nl: int) -> Ledger:
        """The ledger with what became of an operation that is there. Raises KeyError when it is not."""
        place = THERAPY_ROLES.index(role)
        return Ledger(_put(self.roles, place, self.roles[place].conclude(op_id, state, min_nl, max_nl)))

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries of all roles, oldest first."""
        return tuple(sorted((entry for ledger in self.roles for entry in ledger.entries), key=_LOG_SEQUENCE))

    def last_op_id(self, role: Role) -> int:
        """The op id of a role's newest entry, 0 when it has none."""
        entries = self.of(role).entries
        return entries[-1].op_id if entries else 0

    def newest(self) -> LedgerEntry | None:
        """The newest entry of any role."""
        return max((ledger.entries[-1] for ledger in self.roles if ledger.entries), key=_LOG_SEQUENCE, default=None)


def empty_ledger(entries_per_role: int) -> Ledger:
    """A ledger without entries."""
    return Ledger(tuple(RoleLedger(role, entries_per_role) for role in THERAPY_ROLES))


def check_op_id(ledger: RoleLedger, op_id: int) -> Refusal | None:
    """Why an op id that has no entry may not be entered, or None when it may."""
    highest_allowed = ledger.op_high + _WIDTH
    if op_id > highest_allowed:
        return Refusal(Reason.OP_ID_ABOVE_WINDOW, "op_id", detail=highest_allowed)
    if op_id <= ledger.op_high:
        return Refusal(Reason.OP_ID_STALE, "op_id", detail=ledger.op_high)
    return None


def pack_entry(entry: LedgerEntry) -> bytes:
    """An entry's bytes in memory."""
    return _ENTRY.pack(
        entry.op_id,
        entry.host_id,
        entry.fingerprint,
        entry.kind,
        entry.state,
        entry.min_nl,
        entry.max_nl,
        entry.log_sequence,
    )


def unpack_entry(stored: bytes, role: Role) -> LedgerEntry | None:
    """The entry that `pack_entry` wrote, None where none stands."""
    op_id, host_id, fingerprint, kind, state, min_nl, max_nl, log_sequence = _ENTRY.unpack_from(stored)
    if op_id == 0:
        return None
    return LedgerEntry(
        role=role,
        op_id=op_id,
        host_id=host_id,
        kind=OpKind(kind),
        fingerprint=fingerprint,
        state=OpState(state),
        min_nl=min_nl,
        max_nl=max_nl,
        log_sequence=log_sequence,
    )
