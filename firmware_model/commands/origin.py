"""Who asks a pump for something, and what every command that changes therapy carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec import Struct

from firmware_model.commands.refusals import Reason
from firmware_model.firmware.codes import PumpState, Role

DENY_ALL: Mapping[PumpState, Reason | None] = MappingProxyType({})
"""A gate that admits nothing in any state."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks: a role, the host's own number, and the session that leases and stages belong to.

    `gate` says, state by state, why the command is refused then, None where it is admitted; a state that it does not
    name refuses. It is a row of the one table of access, which the pump does not own.
    """

    role: Role
    host_id: int
    session: int
    gate: Mapping[PumpState, Reason | None] = field(default_factory=lambda: DENY_ALL, repr=False)


class TherapyCommand(Struct, frozen=True, kw_only=True):
    """What every command that changes therapy carries.

    op_id        the host's number for its intention
    therapy_rev  the revision of therapy that the host has read
    fingerprint  8 bytes that tell this command from any other, without therapy_rev
    """

    origin: Origin
    op_id: int
    therapy_rev: int
    fingerprint: bytes
