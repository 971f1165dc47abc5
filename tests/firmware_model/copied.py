"""A second pump in the very state of a first one, so that many cuts can begin where one history has led."""

from collections import deque
from copy import deepcopy
from typing import TypeVar

from firmware_model.pump import agenda_of
from tests.firmware_model.bedside import Bedside

AnyBedside = TypeVar("AnyBedside", bound=Bedside)


def copy_of(bedside: AnyBedside) -> AnyBedside:
    """The same pump once more, with whoever stands beside it; what it has told and not told is left behind."""
    source = bedside.pump
    shared = {id(frozen): frozen for frozen in (source.profile, source.firmware.record)}
    left_behind = {id(source._agenda): (), id(source._events): deque[object]()}
    copied = type(bedside).__new__(type(bedside))
    copied.pump, copied.happened = deepcopy(source, {**shared, **left_behind}), []
    copied.pump._agenda = agenda_of(copied.pump.firmware)
    return copied
