"""The ledger of operations: what became of each therapy command, per role, in the same commit as its effect.

Per role: `op_high`, the highest op id ever entered; `evicted_high`, the highest that has been pushed out; and a fixed
number of places. A new entry takes a free place, else that of the oldest finished entry; an executing one is never
pushed out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from firmware_model.commands import LedgerEntry, OpWindow, Reason, Refusal
from firmware_model.firmware.codes import THERAPY_ROLES, OpKind, OpState, Role

_ROLE_HEAD = struct.Struct("<II")
_ENTRY = struct.Struct("<II8sBB2xIII")


@dataclass(frozen=True, slots=True)
class RoleLedger:
    """One role's part of the ledger."""

    role: Role
    places: tuple[LedgerEntry | None, ...]
    op_high: int = 0
    evicted_high: int = 0

    def find(self, op_id: int) -> LedgerEntry | None:
        """The entry under an op id, if it is still there."""
        return next((entry for entry in self.places if entry is not None and entry.op_id == op_id), None)

    def enter(self, entry: LedgerEntry) -> RoleLedger:
        """The ledger with a new entry."""
        place = self._place_for_new()
        pushed_out = self.places[place]
        return replace(
            self,
            places=(*self.places[:place], entry, *self.places[place + 1 :]),
            op_high=max(self.op_high, entry.op_id),
            evicted_high=max(self.evicted_high, pushed_out.op_id) if pushed_out else self.evicted_high,
        )

    def change(self, entry: LedgerEntry) -> RoleLedger:
        """The ledger with another outcome for an entry that is there."""
        return replace(
            self, places=tuple(entry if old is not None and old.op_id == entry.op_id else old for old in self.places)
        )

    def absent_state(self, op_id: int) -> OpState:
        """What can be said of an op id that has no entry."""
        if op_id > self.op_high:
            return OpState.NOT_SEEN
        return OpState.NEVER_TAKEN if op_id > self.evicted_high else OpState.UNKNOWN_EVICTED

    def _place_for_new(self) -> int:
        finished: list[tuple[int, int]] = []
        for place, entry in enumerate(self.places):
            if entry is None:
                return place
            if entry.state is not OpState.EXECUTING:
                finished.append((entry.log_sequence, place))
        return min(finished)[1]


@dataclass(frozen=True, slots=True)
class Ledger:
    """All roles' ledgers, in the order of `THERAPY_ROLES`."""

    roles: tuple[RoleLedger, ...]

    def of(self, role: Role) -> RoleLedger:
        """One role's ledger. Raises KeyError for a role that has none."""
        for ledger in self.roles:
            if ledger.role is role:
                return ledger
        raise KeyError(role)

    def enter(self, entry: LedgerEntry) -> Ledger:
        """The ledger with a new entry for its role."""
        return self._with(self.of(entry.role).enter(entry))

    def change(self, entry: LedgerEntry) -> Ledger:
        """The ledger with another outcome for an entry of its role."""
        return self._with(self.of(entry.role).change(entry))

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
        return Ledger(tuple(changed if ledger.role is changed.role else ledger for ledger in self.roles))


def empty_ledger(entries_per_role: int) -> Ledger:
    """A ledger without entries."""
    return Ledger(tuple(RoleLedger(role, (None,) * entries_per_role) for role in THERAPY_ROLES))


def check_op_id(ledger: RoleLedger, op_id: int) -> Refusal | None:
    """Why an op id that has no entry may not be entered, or None when it may."""
    highest_allowed = ledger.op_high + OpWindow.WIDTH
    if op_id > highest_allowed:
        return Refusal(Reason.OP_ID_ABOVE_WINDOW, "op_id", detail=highest_allowed)
    if op_id <= ledger.op_high:
        return Refusal(Reason.OP_ID_STALE, "op_id", detail=ledger.op_high)
    return None


def ledger_bytes(entries_per_role: int) -> int:
    """The length of a packed ledger."""
    return len(THERAPY_ROLES) * (_ROLE_HEAD.size + entries_per_role * _ENTRY.size)


def pack_ledger(ledger: Ledger) -> bytes:
    """The ledger's bytes in memory."""
    parts: list[bytes] = []
    for part in ledger.roles:
        parts.append(_ROLE_HEAD.pack(part.op_high, part.evicted_high))
        parts += [_pack_entry(entry) for entry in part.places]
    return b"".join(parts)


def unpack_ledger(stored: bytes, offset: int, entries_per_role: int) -> Ledger:
    """The ledger that `pack_ledger` wrote at an offset."""
    roles: list[RoleLedger] = []
    for role in THERAPY_ROLES:
        op_high, evicted_high = _ROLE_HEAD.unpack_from(stored, offset)
        offset += _ROLE_HEAD.size
        places: list[LedgerEntry | None] = []
        for _ in range(entries_per_role):
            places.append(_unpack_entry(stored, offset, role))
            offset += _ENTRY.size
        roles.append(RoleLedger(role, tuple(places), op_high, evicted_high))
    return Ledger(tuple(roles))


def _pack_entry(entry: LedgerEntry | None) -> bytes:
    if entry is None:
        return b"\0" * _ENTRY.size
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


def _unpack_entry(stored: bytes, offset: int, role: Role) -> LedgerEntry | None:
    op_id, host_id, fingerprint, kind, state, min_nl, max_nl, log_sequence = _ENTRY.unpack_from(stored, offset)
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
