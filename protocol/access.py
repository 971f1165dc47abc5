"""Who may do what, when: role x operation x state of the pump, and the refusal where the answer is no. Default deny.

This table is the only place that says so. The device end asks it for the role, before anything of a payload is read.
The pump is handed the row of the states with each command, and asks it where the state has its place in the order of
checks: behind the ledger, op_high and therapy_rev, but first of all when its memory is lost, for then it has no ledger.
A STOP halts before it asks.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocol.messages.codes import Role
from protocol.refusals import NakCode


class PumpState(enum.IntEnum):
    """The states that decide what a pump admits; the first that applies, from the bottom up."""

    RUNNING = 1
    BOLUS = 2
    STOPPED = 3
    IDLE = 4
    HELD = 5
    FAILED = 6


STATE_MEANINGS: Final[Mapping[PumpState, str]] = MappingProxyType(
    {
        PumpState.RUNNING: "the program runs, and no bolus",
        PumpState.BOLUS: "a bolus runs",
        PumpState.STOPPED: "stopped, and its program has something to give",
        PumpState.IDLE: "stopped, and its program has nothing to give: it says STOPPED, or its one bolus has begun",
        PumpState.HELD: "stopped, and an alarm that forbids flow stands",
        PumpState.FAILED: "its memory is lost",
    }
)

_ALLOWED: Final = None
_NOBODY: Final[frozenset[Role]] = frozenset()
_CLINICIAN: Final = frozenset({Role.CLINICIAN})
# A press is the patient's own: nobody gives it for him. A clinician has BOLUS_PREPARE.
_PATIENT_ALONE: Final = frozenset({Role.PATIENT})
_PATIENT: Final = frozenset({Role.PATIENT, Role.CLINICIAN})
_READER: Final = frozenset(Role)

Cells = tuple[NakCode | None, NakCode | None, NakCode | None, NakCode | None, NakCode | None, NakCode | None]


@dataclass(frozen=True, slots=True)
class Access:
    """A row: which roles may ask in a session, whether it is answered without one, and the refusal in each state."""

    roles: frozenset[Role]
    without_session: bool
    in_state: Mapping[PumpState, NakCode | None]


def _row(roles: frozenset[Role], cells: Cells, *, without_session: bool = False) -> Access:
    return Access(roles, without_session, MappingProxyType(dict(zip(PumpState, cells, strict=True))))


_ALWAYS: Final[Cells] = (_ALLOWED,) * 6
_NEEDS_MEMORY: Final[Cells] = (*(_ALLOWED,) * 5, NakCode.MEMORY_FAILURE)
_REST: Final[Cells] = (_ALLOWED, NakCode.BOLUS_RUNNING, *(_ALLOWED,) * 4)
_NO_BOLUS: Final[Cells] = (_ALLOWED, NakCode.BOLUS_RUNNING, _ALLOWED, _ALLOWED, _ALLOWED, NakCode.MEMORY_FAILURE)
_NEEDS_FLOW: Final[Cells] = (
    _ALLOWED,
    NakCode.BOLUS_RUNNING,
    NakCode.PUMP_STOPPED,
    NakCode.PUMP_STOPPED,
    NakCode.ALARM_BLOCKS,
    NakCode.MEMORY_FAILURE,
)
_NEEDS_STOP: Final[Cells] = (
    NakCode.ALREADY_IN_STATE,
    NakCode.ALREADY_IN_STATE,
    _ALLOWED,
    NakCode.CONDITIONS,
    NakCode.ALARM_BLOCKS,
    NakCode.MEMORY_FAILURE,
)

ACCESS: Final[Mapping[str, Access]] = MappingProxyType(
    {
        "HELLO": _row(_READER, _ALWAYS, without_session=True),
        # They begin a session, and have no business within one.
        "OPEN": _row(_NOBODY, _ALWAYS, without_session=True),
        "AUTH": _row(_NOBODY, _ALWAYS, without_session=True),
        "CLOSE": _row(_READER, _ALWAYS),
        "KEEPALIVE": _row(_READER, _ALWAYS),
        "CAPS": _row(_READER, _ALWAYS),
        "LINK_STATS": _row(_READER, _ALWAYS),
        "STATUS": _row(_READER, _ALWAYS, without_session=True),
        "IDENT": _row(_READER, _ALWAYS),
        "THERAPY_READ": _row(_READER, _NEEDS_MEMORY),
        "LIMITS": _row(_READER, _NEEDS_MEMORY),
        "COUNTERS": _row(_READER, _ALWAYS),
        "BATTERY": _row(_READER, _ALWAYS),
        "RESERVOIR": _row(_READER, _ALWAYS),
        "PROGRAM_BEGIN": _row(_CLINICIAN, _NEEDS_MEMORY),
        "PROGRAM_WRITE": _row(_CLINICIAN, _NEEDS_MEMORY),
        "PROGRAM_VALIDATE": _row(_CLINICIAN, _NEEDS_MEMORY),
        "STAGE_READ": _row(_CLINICIAN, _NEEDS_MEMORY),
        "PROGRAM_COMMIT": _row(_CLINICIAN, _NO_BOLUS),
        "PROGRAM_ABORT": _row(_CLINICIAN, _NEEDS_MEMORY),
        "STOP": _row(_CLINICIAN, _NEEDS_MEMORY),
        "START": _row(_CLINICIAN, _NEEDS_STOP),
        "BOLUS_PREPARE": _row(_CLINICIAN, _NEEDS_FLOW),
        "BOLUS_EXECUTE": _row(_CLINICIAN, _NEEDS_FLOW),
        "BOLUS_CANCEL": _row(_CLINICIAN, _NEEDS_MEMORY),
        "PATIENT_BOLUS": _row(_PATIENT_ALONE, _NEEDS_FLOW),
        "ALARM_LIST": _row(_READER, _ALWAYS),
        "ALARM_ACK": _row(_PATIENT, _NEEDS_MEMORY),
        "ALARM_CLEAR": _row(_CLINICIAN, _NEEDS_MEMORY),
        "ALARM_SNAPSHOT": _row(_READER, _ALWAYS),
        "ALARM_SILENCE": _row(_PATIENT, _NEEDS_MEMORY),
        "LOG_STATUS": _row(_READER, _ALWAYS),
        "LOG_READ": _row(_READER, _ALWAYS),
        "LOG_FIND_BY_ELAPSED": _row(_READER, _ALWAYS),
        "SUBSCRIBE": _row(_READER, _ALWAYS),
        "UNSUBSCRIBE": _row(_READER, _ALWAYS),
        "RESET_FLAGS": _row(_READER, _NEEDS_MEMORY),
        "TIME_READ": _row(_READER, _ALWAYS),
        "TIME_SET": _row(_CLINICIAN, _NEEDS_MEMORY),
        "SELFTEST": _row(_CLINICIAN, _REST),
        "REFILL_BEGIN": _row(_CLINICIAN, _NEEDS_MEMORY),
        "REFILL_COMMIT": _row(_CLINICIAN, _NEEDS_MEMORY),
        "OP_QUERY": _row(_READER, _ALWAYS),
        "OP_LIST": _row(_READER, _ALWAYS),
    }
)
"""By the operation's name. An operation without a row is nobody's."""

_NO_ACCESS: Final = Access(_NOBODY, False, MappingProxyType({}))


def access_of(name: str) -> Access:
    """The row of an operation; one that admits nobody if there is none."""
    return ACCESS.get(name, _NO_ACCESS)


def role_refusal(name: str, role: Role | None) -> NakCode | None:
    """Why a role (None: no session) may not ask for an operation at all, or None when it may."""
    row = access_of(name)
    if role is None:
        return None if row.without_session else NakCode.AUTH_REQUIRED
    return None if role in row.roles else NakCode.ROLE


def refusal(name: str, role: Role | None, state: PumpState) -> NakCode | None:
    """A cell of the table: the refusal, or None where the operation is admitted."""
    return role_refusal(name, role) or access_of(name).in_state.get(state, NakCode.CONDITIONS)
