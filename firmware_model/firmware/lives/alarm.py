"""The life of an alarm instance."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from firmware_model.firmware.codes import AlarmState

NOT_LISTED = None
"""No instance in the list: not raised yet, or forgotten."""
FORGETTABLE = frozenset({AlarmState.CLEARED})
"""In which states an instance makes room for another one when the list is full."""


class AlarmDeed(StrEnum):
    """What can happen to an instance."""

    RAISE = "its cause has come"
    ACKNOWLEDGE = "ALARM_ACK"
    SILENCE = "ALARM_SILENCE"
    CLEAR = "ALARM_CLEAR"
    END = "its cause has gone, if it ends by itself"
    GIVE_WAY = "its cause has come again, as another instance"


ALARM_LIFE: Mapping[tuple[AlarmState | None, AlarmDeed], AlarmState] = MappingProxyType(
    {
        (NOT_LISTED, AlarmDeed.RAISE): AlarmState.RAISED,
        (AlarmState.RAISED, AlarmDeed.ACKNOWLEDGE): AlarmState.ACKNOWLEDGED,
        (AlarmState.RAISED, AlarmDeed.SILENCE): AlarmState.RAISED,
        (AlarmState.RAISED, AlarmDeed.CLEAR): AlarmState.CLEARED,
        (AlarmState.RAISED, AlarmDeed.END): AlarmState.CLEARED,
        (AlarmState.RAISED, AlarmDeed.GIVE_WAY): AlarmState.CLEARED,
        (AlarmState.ACKNOWLEDGED, AlarmDeed.CLEAR): AlarmState.CLEARED,
        (AlarmState.ACKNOWLEDGED, AlarmDeed.END): AlarmState.CLEARED,
        (AlarmState.ACKNOWLEDGED, AlarmDeed.GIVE_WAY): AlarmState.CLEARED,
    }
)
