"""The life of a prepared bolus: the lease that a session holds on it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class LeaseState(StrEnum):
    """What has become of a bolus id. Only leases that are held are kept; the other states follow from the number."""

    NONE = "no such bolus"
    HELD = "prepared"
    EXECUTED = "executed"
    VOID = "void"


class LeaseDeed(StrEnum):
    """What can happen to a lease."""

    PREPARE = "BOLUS_PREPARE"
    EXECUTE = "BOLUS_EXECUTE"
    RUN_OUT = "its time is over"
    REPLACE = "another BOLUS_PREPARE"
    END_SESSION = "its session ends"
    HALT = "STOP, or an alarm stops the pump"
    CHANGE = "PROGRAM_COMMIT or REFILL_COMMIT"


LEASE_LIFE: Mapping[tuple[LeaseState, LeaseDeed], LeaseState] = MappingProxyType(
    {
        (LeaseState.NONE, LeaseDeed.PREPARE): LeaseState.HELD,
        (LeaseState.HELD, LeaseDeed.EXECUTE): LeaseState.EXECUTED,
        (LeaseState.HELD, LeaseDeed.RUN_OUT): LeaseState.VOID,
        (LeaseState.HELD, LeaseDeed.REPLACE): LeaseState.VOID,
        (LeaseState.HELD, LeaseDeed.END_SESSION): LeaseState.VOID,
        (LeaseState.HELD, LeaseDeed.HALT): LeaseState.VOID,
        (LeaseState.HELD, LeaseDeed.CHANGE): LeaseState.VOID,
    }
)
