"""The ledger of operations: what became of each therapy command, per role, in the same commit as its effect.

Per role: `op_high`, the highest op id ever entered; `evicted_high`, the highest that has been pushed out; and a fixed
number of places. A new entry takes a free place, else that of the oldest finished entry; an executing one is never
pushed out.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from firmware_model.agenda import NEVER
from firmware_model.commands import LedgerEntry, OpWindow, Reason, Refusal
from firmware_model.firmware.codes import THERAPY_ROLES, OpKind, OpState, Role

_ENTRY = struct.Struct("<II8sBB2xIII")
ENTRY_BYTES = _ENTRY.size
_PLACE_OF_ROLE = {role: place for place, role in enumerate(THERAPY_ROLES)}


class RoleLedger(NamedTuple):
    """One role's part of the ledger; `role_ledger` makes one.

    ids   the op id in each place, 0 in a free one
    ages  who is pushed out first, the least: 0 of a free place, the log sequence of a finished entry
    """

    role: Role
    places: tuple[LedgerEntry | None, ...]
    op_high: int
    evicted_high: int
    ids: tuple[int, ...]
    ages: tuple[int, ...]

    def find(self, op_id: int) -> LedgerEntry | None:
        """The entry under an op id, if it is still there."""
        return self.places[self.ids.index(op_id)] if op_id and op_id in self.ids else None

    def enter(self, entry: LedgerEntry) -> RoleLedger:
        """The ledger with a new entry."""
        place = self.ages.index(min(self.ages))
        op_id, pushed_out_id = entry.op_id, self.ids[place]
        return RoleLedger(
            self.role,
            (*self.places[:place], entry, *self.places[place + 1 :]),
            op_id if op_id > self.op_high else self.op_high,
            pushed_out_id if pushed_out_id > self.evicted_high else self.evicted_high,
            (*self.ids[:place], op_id, *self.ids[place + 1 :]),
            (*self.ages[:place], _age(entry), *self.ages[place + 1 :]),
        )

    def change(self, entry: LedgerEntry) -> RoleLedger:
        """The ledger with another outcome for an entry that is there. Raises ValueError when it is not."""
        place = self.ids.index(entry.op_id)
        places = (*self.places[:place], entry, *self.places[place + 1 :])
        ages = (*self.ages[:place], _age(entry), *self.ages[place + 1 :])
        return RoleLedger(self.role, places, self.op_high, self.evicted_high, self.ids, ages)

    def absent_state(self, op_id: int) -> OpState:
        """What can be said of an op id that has no entry."""
        if op_id > self.op_high:
            return OpState.NOT_SEEN
        return OpState.NEVER_TAKEN if op_id > self.evicted_high else OpState.UNKNOWN_EVICTED


def role_ledger(
    role: Role, places: tuple[LedgerEntry | None, ...], op_high: int = 0, evicted_high: int = 0
) -> RoleLedger:
    """A role's part of the ledger, with these entries in its places."""
    ids = tuple(entry.op_id if entry else 0 for entry in places)
    return RoleLedger(role, places, op_high, evicted_high, ids, tuple(_age(entry) for entry in places))


def _age(entry: LedgerEntry | None) -> int:
    """Where a place stands in the order of being pushed out; an executing entry never is."""
    if entry is None:
        return 0
    return NEVER if entry.state is OpState.EXECUTING else entry.log_sequence


class Ledger(NamedTuple):
    """All roles' ledgers, in the order of `THERAPY_ROLES`."""

    roles: tuple[RoleLedger, ...]

    def of(self, role: Role) -> RoleLedger:
        """One role's ledger. Raises KeyError for a role that has none."""
        return self.roles[_PLACE_OF_ROLE[role]]

    def enter(self, entry: LedgerEntry) -> Ledger:
        """The ledger with a new entry for its role."""
        return self._with(self.roles[_PLACE_OF_ROLE[entry.role]].enter(entry))

    def change(self, entry: LedgerEntry) -> Ledger:
        """The ledger with another outcome for an entry of its role."""
        return self._with(self.roles[_PLACE_OF_ROLE[entry.role]].change(entry))

    def entries(self) -> tuple[LedgerEntry, ...]:
        """All entries of all roles, oldest first."""
        present = [entry for ledger in self.roles for entry in ledger.places if entry is not None]
        return tuple(sorted(present, key=lambda entry: entry.log_sequence))

    def last_op_id(self, role: Role) -> int:
        """The op id of a role's newest entry, 0 when it has none."""
        present = [entry for entry in self.of(role).places if entry is not None]
        return max(present, key=lambda entry: entry.log_sequence).op_id if present else 0

    def newest(self) -> LedgerEntry | None:
        """The newest entry of any role."""
        entries = self.entries()
        return entries[-1] if entries else None

    def _with(self, changed: RoleLedger) -> Ledger:
        place = _PLACE_OF_ROLE[changed.role]
        return Ledger((*self.roles[:place], changed, *self.roles[place + 1 :]))


def empty_ledger(entries_per_role: int) -> Ledger:
    """A ledger without entries."""
    return Ledger(tuple(role_ledger(role, (None,) * entries_per_role) for role in THERAPY_ROLES))


def check_op_id(ledger: RoleLedger, op_id: int) -> Refusal | None:
    """Why an op id that has no entry may not be entered, or None when it may."""
    highest_allowed = ledger.op_high + OpWindow.WIDTH
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
