"""The one list of armed faults, of the line and of the pump, as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.control.answers import ArmedFault
from emulator.faults.device_faults import fault_text
from firmware_model.agenda import NEVER
from firmware_model.faults import ArmedFault as DeviceFaultArmed


def armed_document(armed: Sequence[str | DeviceFaultArmed]) -> list[ArmedFault]:
    """Each armed fault, in the order of arming, those of the line first."""
    return [_line_fault(each) if isinstance(each, str) else _device_fault(each) for each in armed]


def _line_fault(fault: str) -> ArmedFault:
    return {"fault": fault, "kind": "line"}


def _device_fault(armed: DeviceFaultArmed) -> ArmedFault:
    return {
        "fault": fault_text(armed.fault),
        "kind": "device",
        "number": armed.number,
        "active": armed.active,
        "next_change_us": None if armed.change_us >= NEVER else armed.change_us,
        "left": armed.left,
    }
